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
        self._chunk, self._number = bytearray(), 0
        self._sealed = bytearray()  # made when there is a whole chunk: most messages are small

    def write(self, data: Any) -> int:
        """Take some bytes (any buffer); return how many."""
        with memoryview(data) as given:
            left = given.cast("B")
            length = len(left)
            while left:
                if len(self._chunk) == CHUNK:  # not the last one, as there is more
                    self._flush(self._chunk, last=False)
                    self._chunk.clear()
                if not self._chunk and len(left) > CHUNK:
                    self._flush(left[:CHUNK], last=False)
                    left = left[CHUNK:]
                else:
                    fits = CHUNK - len(self._chunk)
                    self._chunk += left[:fits]
                    left = left[fits:]
        return length

    def finish(self) -> None:
        """Write the last chunk."""
        self._flush(self._chunk, last=True)

    def _flush(self, chunk: bytearray | memoryview, last: bool) -> None:
        length = len(chunk) + TAG_BYTES
        if len(self._sealed) < length:
            self._sealed = bytearray(length)
        with memoryview(self._sealed) as sealed:
            self._cipher.encrypt_into(_nonce(self._number, last), chunk, None, sealed[:length])
            self._write(sealed[:length])
        self._number += 1


class Unsealer:
    """Reads what a Sealer wrote, from `read`, which returns the bytes asked for or fewer at the
    end. What was read is to be used only once `read` has returned no more."""

    def __init__(self, key: bytes, read: Callable[[int], bytes]) -> None:
        self._cipher, self._read = AESGCM(key), read
        self._sealed = read(CHUNK + TAG_BYTES)
        self._opened = bytearray(len(self._sealed))
        self._plain, self._number, self._ended = memoryview(b""), 0, False

    def read(self, length: int) -> bytes:
        """Return `length` bytes, or fewer at the end. Raises ValueError at the first chunk that is
        not as it was sealed."""
        parts = []
        while length and (self._plain or self._next()):
            # A copy: the next chunk overwrites this one.
            parts.append(bytes(self._plain[:length]))
            self._plain = self._plain[length:]
            length -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _next(self) -> bool:
        """Decrypt the next chunk, if there is one."""
        if self._ended:
            return False
        following = self._read(CHUNK + TAG_BYTES)
        nonce = _nonce(self._number, last=not following)
        length = max(len(self._sealed) - TAG_BYTES, 0)
        opened = memoryview(self._opened)[:length]
        try:
            self._cipher.decrypt_into(nonce, self._sealed, None, opened)
        except InvalidTag:
            raise ValueError(f"chunk {self._number} was altered") from None
        self._plain = opened
        self._sealed, self._number, self._ended = following, self._number + 1, not following
        return True


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
