"""Encryption of a message to its receiver, as a stream.

The content key is random and used once. HPKE (RFC 9180, base mode: X25519, HKDF-SHA256,
ChaCha20-Poly1305) takes it to each receiver, bound to what `info` says. The content goes in chunks
by AES-256-GCM (NIST SP 800-38D) in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizar
2015): a nonce is the chunk's number and whether it is the last, so no chunk can be cut off, left
out, repeated or moved.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

KEY_BYTES = 32
TAG_BYTES = 16
# HPKE's encapsulated key, and the content key with its tag.
WRAPPED_BYTES = 32 + KEY_BYTES + TAG_BYTES
CHUNK = 1 << 20
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def new_key() -> bytes:
    """Draw a content key."""
    return secrets.token_bytes(KEY_BYTES)


def wrap_key(key: bytes, receiver_public: bytes, info: bytes) -> bytes:
    """Return the content key as only the receiver can read it."""
    return _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(receiver_public), info)


def unwrap_key(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Return the content key. Raises ValueError where it is for another receiver or `info`."""
    try:
        key = _SUITE.decrypt(wrapped, X25519PrivateKey.from_private_bytes(private), info)
    except (InvalidTag, ValueError):
        raise ValueError("the content key does not open") from None
    if len(key) != KEY_BYTES:
        raise ValueError("the content key does not have its length")
    return key


class Sealer:
    """What is written goes on encrypted to `write`: chunks of CHUNK bytes and a tag each."""

    def __init__(self, key: bytes, write: Callable[[bytes], object]) -> None:
        self._cipher, self._write = AESGCM(key), write
        self._chunk, self._used, self._number = bytearray(CHUNK), 0, 0

    def write(self, data: Any) -> int:
        """Take some bytes (any buffer); return how many."""
        with memoryview(data) as given:
            left = given.cast("B")
            length = len(left)
            while left:
                if self._used == CHUNK:  # not the last one, as there is more
                    self._flush(last=False)
                fits = min(CHUNK - self._used, len(left))
                self._chunk[self._used : self._used + fits] = left[:fits]
                self._used += fits
                left = left[fits:]
        return length

    def finish(self) -> None:
        """Write the last chunk."""
        self._flush(last=True)

    def _flush(self, last: bool) -> None:
        nonce = _nonce(self._number, last)
        with memoryview(self._chunk) as chunk:
            self._write(self._cipher.encrypt(nonce, chunk[: self._used], None))
        self._number, self._used = self._number + 1, 0


class Unsealer:
    """Reads what a Sealer wrote, from `read`, which returns the bytes asked for or fewer at the
    end. What was read is to be used only once `read` has returned no more."""

    def __init__(self, key: bytes, read: Callable[[int], bytes]) -> None:
        self._cipher, self._read = AESGCM(key), read
        self._sealed = read(CHUNK + TAG_BYTES)
        self._plain, self._number, self._ended = memoryview(b""), 0, False

    def read(self, length: int) -> bytes:
        """Return `length` bytes, or fewer at the end. Raises ValueError at the first chunk that is
        not as it was sealed."""
        parts = []
        while length:
            if not self._plain and not self._next():
                break
            parts.append(self._plain[:length])
            self._plain = self._plain[length:]
            length -= len(parts[-1])
        return b"".join(parts)

    def _next(self) -> bool:
        """Decrypt the next chunk, if there is one."""
        if self._ended:
            return False
        following = self._read(CHUNK + TAG_BYTES)
        nonce = _nonce(self._number, last=not following)
        try:
            self._plain = memoryview(self._cipher.decrypt(nonce, self._sealed, None))
        except InvalidTag:
            raise ValueError(f"chunk {self._number} was altered") from None
        self._sealed, self._number, self._ended = following, self._number + 1, not following
        return True


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
