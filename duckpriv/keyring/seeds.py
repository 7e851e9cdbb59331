"""Parts of seeds that parties agree on."""

from __future__ import annotations

from ..keys import KeyInfo, SeedPart
from .store import KeyStore

_PART = ".seed.private"


class SeedParts:
    """The own parts of seeds in a keyring."""

    SUFFIXES = (_PART,)

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def generate(self, name: str) -> None:
        """Make this party's part of a seed. Raises KeyMismatch where the name is taken."""
        self._store.keep_new(name, _PART, lambda: SeedPart.generate().encoded)

    def part(self, name: str) -> SeedPart:
        """Return this party's part of a seed. Raises KeyNotFound."""
        part = self._store.load(name, _PART, lambda data: SeedPart.from_bytes(data, name))
        if part is None:
            raise self._store.not_found(name)
        return part

    def info(self, name: str) -> KeyInfo | None:
        """Describe the part; None where there is none."""
        return KeyInfo(name, "part of a seed", None, None) if self._store.has(name, _PART) else None
