"""How keys are told apart."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property

from ..errors import InvalidValue

_DIGITS = 64
_BETWEEN = re.compile(r"[\s:.,_-]+")


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


def read_fingerprint(text: str, name: str) -> str:
    """Return the 64 digits of a fingerprint that somebody typed: in any case and groups, also
    behind `name` or "SHA256:". Raises InvalidValue where these are not 64 digits."""
    # A name may have the form of digits, so it goes only where these are too many otherwise.
    for before in ("", rf"(?:{re.escape(name)}\s*:)?\s*(?:sha-?256)?"):
        digits = _BETWEEN.sub("", re.sub(f"^{before}", "", text.strip().lower()))
        if re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", digits):
            return digits
    raise InvalidValue(
        f"this is no fingerprint: it has {_DIGITS} digits 0-9 and a-f, all of what 'duckpriv "
        "identity show --fingerprint' prints at the peer, in groups if you like"
    )
