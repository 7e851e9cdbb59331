"""Hashing and key derivation, each use with a label of its own."""

from __future__ import annotations

import hashlib
import hmac


def labelled(label: str, *parts: bytes) -> bytes:
    """Encode `parts` under `label` so that no two inputs give the same bytes.

    The label and every part stand behind their length (8 bytes, big-endian).
    """
    encoded = [label.encode(), *parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def sha256(label: str, *parts: bytes) -> bytes:
    """SHA-256 of the parts under a domain-separating label: 32 bytes."""
    return hashlib.sha256(labelled(label, *parts)).digest()


def hkdf_expand_sha512(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-512 (RFC 5869, section 2.3).

    `key` is uniform and at least 32 bytes long, so that the extract step is not
    needed (section 3.3); `length` is at most 255 * 64 bytes.
    """
    if length > 255 * 64:
        raise ValueError("HKDF-Expand: at most 255 blocks")
    output = block = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha512")
        output += block
        counter += 1
    return output[:length]
