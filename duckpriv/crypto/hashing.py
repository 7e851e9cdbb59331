"""Hashing and key derivation, each use with a label of its own."""

from __future__ import annotations

import hashlib

import gmpy2


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
    dst = tag.encode()
    if len(dst) > 255 or not 0 < length < 65536:
        raise ValueError("expand_message_xof: the tag or the length is out of range")
    dst_prime = dst + bytes([len(dst)])
    return hashlib.shake_256(message + length.to_bytes(2, "big") + dst_prime).digest(length)


def hash_to_number(message: bytes, tag: str, modulus: int | gmpy2.mpz) -> gmpy2.mpz:
    """Return a number in [0, modulus), within 2^-128 of uniform: 128 bits more than the modulus has
    are reduced (hash_to_field of RFC 9380, section 5.2)."""
    width = (modulus.bit_length() + 7) // 8
    return gmpy2.mpz.from_bytes(expand_message_xof(message, tag, width + 16), "big") % modulus
