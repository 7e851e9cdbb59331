"""Encryption of a message to its receiver, as a stream.

The content key is random and used once. HPKE (RFC 9180, base mode: X25519, HKDF-SHA256,
ChaCha20-Poly1305) takes it to the receiver, bound to what `info` says. The content goes in chunks
by ChaCha20-Poly1305 (RFC 8439) in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizar
2015): a nonce is the chunk's number and whether it is the last, so no chunk can be cut off, left
out, repeated or moved.
"""

from __future__ import annotations

import secrets
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

KEY_BYTES = 32
TAG_BYTES = 16
# HPKE's encapsulated key, and the content key with its tag.
WRAPPED_BYTES = 32 + KEY_BYTES + TAG_BYTES
CHUNK = 1 << 20
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def wrap_key(receiver_public: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Draw a content key; return it, and as only the receiver can read it."""
    key = secrets.token_bytes(KEY_BYTES)
    return key, _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(receiver_public), info)


def unwrap_key(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Return the content key. Raises ValueError where it is for another receiver or `info`."""
    try:
        key = _SUITE.decrypt(wrapped, X25519PrivateKey.from_private_bytes(private), info)
    except (InvalidTag, ValueError):
        raise ValueError("the content key does not open") from None
    if len(key) != KEY_BYTES:
        raise ValueError("the content key does not have its length")
    return key


def seal(key: bytes, source: BinaryIO, target: BinaryIO) -> None:
    """Encrypt all of `source` to `target`: chunks of CHUNK bytes and a tag each."""
    cipher = ChaCha20Poly1305(key)
    number, chunk = 0, source.read(CHUNK)
    while True:
        following = source.read(CHUNK)
        target.write(cipher.encrypt(_nonce(number, last=not following), chunk, None))
        if not following:
            return
        number, chunk = number + 1, following


def unseal(key: bytes, source: BinaryIO, target: BinaryIO) -> None:
    """Decrypt all of `source` to `target`. Raises ValueError at the first chunk that is not as it
    was sealed; what was written by then is not to be used."""
    cipher = ChaCha20Poly1305(key)
    number, chunk = 0, source.read(CHUNK + TAG_BYTES)
    while True:
        following = source.read(CHUNK + TAG_BYTES)
        try:
            target.write(cipher.decrypt(_nonce(number, last=not following), chunk, None))
        except InvalidTag:
            raise ValueError(f"chunk {number} was altered") from None
        if not following:
            return
        number, chunk = number + 1, following


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
