"""Hashing and key derivation, each use with a label of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import gmpy2

from .columnhashing import shake256
from .parallel import ByteMatrix


def labelled(label: str, *parts: bytes) -> bytes:
    """Encode `parts` under `label` so that no two inputs give the same bytes.

    The label and every part stand behind their length (8 bytes, big-endian).
    """
    encoded = [label.encode(), *parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def sha256(label: str, *parts: bytes) -> bytes:
    """SHA-256 of the parts under a domain-separating label: 32 bytes."""
    return hashlib.sha256(labelled(label, *parts)).digest()


def expand_message_xof(message: bytes, tag: str, length: int) -> bytes:
    """expand_message_xof with SHAKE256 (RFC 9380, section 5.3.2).

    With a secret of 32 bytes at the front of `message` it is a pseudo-random function of
    the rest (a keyed sponge: Bertoni, Daemen, Peeters, Van Assche 2011).
    """
    return hashlib.shake_256(message + _suffix(tag, length)).digest(length)


def hash_to_number(message: bytes, tag: str, modulus: int | gmpy2.mpz) -> gmpy2.mpz:
    """Return a number in [0, modulus), within 2^-128 of uniform: 128 bits more than the modulus has
    are reduced (hash_to_field of RFC 9380, section 5.2)."""
    width = _bytes_to_reduce(modulus)
    return gmpy2.mpz.from_bytes(expand_message_xof(message, tag, width), "big") % modulus


def hash_to_bytes(prefix: bytes, messages: Sequence[bytes], tag: str, modulus: int) -> ByteMatrix:
    """Return what `hash_to_number` reduces for prefix || message, of each message."""
    length = _bytes_to_reduce(modulus)
    return shake256(prefix, messages, _suffix(tag, length), length)


def _bytes_to_reduce(modulus: int | gmpy2.mpz) -> int:
    return (modulus.bit_length() + 7) // 8 + 16


def _suffix(tag: str, length: int) -> bytes:
    dst = tag.encode()
    if len(dst) > 255 or not 0 < length < 65536:
        raise ValueError("expand_message_xof: the tag or the length is out of range")
    return length.to_bytes(2, "big") + dst + bytes([len(dst)])
