"""What the parties of an example do first, once: make identities, and trust each other's."""

from __future__ import annotations

from pathlib import Path

from duckpriv import Keyring


def introduce(folder: Path, *names: str) -> None:
    """As `duckpriv identity create`, `show` and `trust` do at each party. Between real parties,
    people compare the fingerprints by telephone."""
    keyrings = {name: Keyring(folder / f"{name}.keys") for name in names}
    identities = [keyring.create_identity(name) for name, keyring in keyrings.items()]
    for name, keyring in keyrings.items():
        for identity in identities:
            if identity.name != name:
                keyring.trust(identity, identity.fingerprint)
