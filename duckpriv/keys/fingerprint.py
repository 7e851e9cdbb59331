"""How keys are told apart."""

from __future__ import annotations

import hashlib
from functools import cached_property


class Fingerprinted:
    """A public key that is known by the hash of its encoding."""

    @property
    def encoded(self) -> bytes:
        """The key as a BLOB."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoding, in hex."""
        return hashlib.sha256(self.encoded).hexdigest()

    @cached_property
    def fingerprint_bytes(self) -> bytes:
        """The first 16 bytes of the fingerprint, as ciphertexts name their key."""
        return bytes.fromhex(self.fingerprint)[:16]
