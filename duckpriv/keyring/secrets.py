"""Secrets of sessions, and that of the journals."""

from __future__ import annotations

import secrets
from contextlib import suppress

from ..errors import InvalidValue
from .store import KeyStore

SECRET = ".secret"
_JOURNAL = "journal.private"  # no key, and nothing that a function can name


class Secrets(KeyStore):
    """32 random bytes under a name."""

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`, drawn at first use."""

        def parse(data: bytes) -> bytes:
            if len(data) != 32:
                raise InvalidValue(f"the file of secret '{name}' is damaged")
            return data

        with self.lock:
            known = self.load(name, SECRET, parse)
            if known is None:
                drawn = secrets.token_bytes(32)
                self.write_first(name + SECRET, drawn)
                known = self.load(name, SECRET, parse)
            if known is None:
                raise self.not_found(name)  # somebody has just removed it
            return known

    def journal_secret(self) -> bytes:
        """Return the 32 random bytes that authenticate the journals of runs, drawn at first use."""
        with self.lock:
            known = self.files.read(_JOURNAL)
            if known is None:
                with suppress(FileExistsError):  # another process was first
                    self.files.write(_JOURNAL, secrets.token_bytes(32))
                known = self.files.read(_JOURNAL)
        if known is None or len(known) != 32:
            raise InvalidValue(f"the file {_JOURNAL} of the keyring {self.path} is damaged")
        return known

    def known_secret(self, name: str) -> bytes:
        """Return the 32 bytes of a secret that was kept. Raises KeyNotFound."""
        if not self.has(name, SECRET):
            raise self.not_found(name)
        return self.secret(name)

    def keep_secret(self, name: str, secret: bytes) -> None:
        """Keep 32 bytes under a new name. The same ones again change nothing; others raise
        KeyMismatch."""
        if not self.has(name, SECRET):
            with self.lock:
                self.refuse_taken(name, but=SECRET)  # another process may just have kept it
                self.write_first(name + SECRET, secret)
        if not secrets.compare_digest(self.secret(name), secret):
            raise self.taken(name)
