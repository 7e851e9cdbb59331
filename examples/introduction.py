"""What the parties of an example do: make identities, trust each other's, and run scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from duckpriv import Keyring

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))


def introduce(folder: Path, *names: str) -> None:
    """As `duckpriv identity create`, `show` and `trust` do at each party. Between real parties,
    people compare the fingerprints by telephone."""
    keyrings = {name: Keyring(folder / f"{name}.keys") for name in names}
    identities = [keyring.create_identity(name) for name, keyring in keyrings.items()]
    for name, keyring in keyrings.items():
        for identity in identities:
            if identity.name != name:
                keyring.trust(identity, identity.fingerprint)


def run_both(folder: Path, session: str, **what: str) -> None:
    """Run a script at each of two parties, as a process of its own; print the commands. By the
    party's name: script and settings, with blanks between."""
    parties = {}
    for me, words in what.items():
        (peer,) = what.keys() - {me}
        script, *settings = words.split()
        command = ["duckpriv", "run", script, "--db", f"{me}.duckdb", "--me", me, "--peer", peer]
        command += ["--exchange", "dir:mailbox", "--session", session, "--keyring", f"{me}.keys"]
        for setting in settings:
            command += ["--set", setting]
        print(f"$ {' '.join(command)}", flush=True)
        with (folder / f"{me}.log").open("ab") as log:
            parties[me] = subprocess.Popen(
                [DUCKPRIV, *command[1:]], cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
    for me, party in parties.items():
        if party.wait():
            sys.exit((folder / f"{me}.log").read_text())
