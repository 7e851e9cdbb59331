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
    """What is written goes on encrypted to `write`: chunks of CHUNK bytes and a tag each. The bytes
    that `write` gets are overwritten afterwards."""

    def __init__(self, key: bytes, write: Callable[[memoryview], object]) -> None:
        self._cipher, self._write = AESGCM(key), write
        # Both grow to the length of a chunk where there is one: most messages are small.
        self._chunk, self._sealed = bytearray(), bytearray()
        self._filled = self._number = 0

    def write(self, data: Any) -> int:
        """Take some bytes (any buffer); return how many."""
        with memoryview(data) as given:
            left = given.cast("B")
            length = len(left)
            while left:
                if self._filled == CHUNK:  # not the last one, as there is more
                    self._flush_filled(last=False)
                if not self._filled and len(left) > CHUNK:
                    self._flush(left[:CHUNK], last=False)
                    left = left[CHUNK:]
                else:
                    fits = left[: CHUNK - self._filled]
                    self._chunk[self._filled : self._filled + len(fits)] = fits
                    self._filled += len(fits)
                    left = left[len(fits) :]
        return length

    def finish(self) -> None:
        """Write the last chunk."""
        self._flush_filled(last=True)

    def _flush_filled(self, last: bool) -> None:
        with memoryview(self._chunk) as chunk:
            self._flush(chunk[: self._filled], last)
        self._filled = 0

    def _flush(self, chunk: memoryview, last: bool) -> None:
        length = len(chunk) + TAG_BYTES
        if len(self._sealed) < length:
            self._sealed = bytearray(length)
        with memoryview(self._sealed) as sealed:
            self._cipher.encrypt_into(_nonce(self._number, last), chunk, None, sealed[:length])
            self._write(sealed[:length])
        self._number += 1


class Unsealer:
    """Reads what a Sealer wrote, `most` bytes at most. `readinto` fills a buffer and returns how
    many bytes that were, fewer only at the end; it gets two buffers by turns. What was read is to
    be used only once `Unsealer.readinto` has returned 0."""

    def __init__(self, key: bytes, readinto: Callable[[memoryview], int], most: int) -> None:
        self._cipher, self._readinto = AESGCM(key), readinto
        self._room = min(CHUNK + TAG_BYTES, most)
        self._sealed, self._next = bytearray(self._room), bytearray(self._room)
        self._length = readinto(memoryview(self._sealed))
        self._opened = bytearray(max(self._length - TAG_BYTES, 0))
        self._plain, self._number, self._ended = memoryview(b""), 0, False

    def readinto(self, target: memoryview) -> int:
        """Write the next bytes to `target`; return how many, 0 at the end. Raises ValueError at
        the first chunk that is not as it was sealed."""
        while not self._plain:
            if self._ended:
                return 0
            self._open_next()
        count = min(len(target), len(self._plain))
        target[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _open_next(self) -> None:
        following = 0
        if self._length == self._room:
            following = self._readinto(memoryview(self._next))
        nonce = _nonce(self._number, last=not following)
        opened = memoryview(self._opened)[: max(self._length - TAG_BYTES, 0)]
        try:
            sealed = memoryview(self._sealed)[: self._length]
            self._cipher.decrypt_into(nonce, sealed, None, opened)
        except InvalidTag:
            raise ValueError(f"chunk {self._number} was altered") from None
        self._plain = opened
        self._sealed, self._next = self._next, self._sealed
        self._length, self._number, self._ended = following, self._number + 1, not following


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
