"""Hashes of whole columns: in C where that was compiled, with the GIL released, else by hashlib."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np

from .bytecolumns import from_rows
from .parallel import ByteMatrix, map_rows

SHA384_BYTES = 48


@cache
def _compiled() -> ModuleType | None:
    try:
        return import_module("duckpriv.crypto._hashing.compiled")
    except ImportError:
        return None


def pss_encode(messages: Sequence[bytes], bits: int) -> ByteMatrix:
    """EMSA-PSS-ENCODE with SHA-384 and no salt (RFC 8017, 9.1.1) of each message; `bits` is
    emBits: (rows, ceil(bits / 8))."""
    compiled = _compiled()
    if compiled is None:
        return from_rows([pss_encode_one(m, bits) for m in messages], -(-bits // 8))
    return _each(
        messages, -(-bits // 8), lambda out, data, ends: compiled.pss_encode(out, bits, data, ends)
    )


def shake256(before: bytes, messages: Sequence[bytes], after: bytes, length: int) -> ByteMatrix:
    """SHAKE256 of before || message || after, for each message: (rows, length)."""
    compiled = _compiled()
    if compiled is None:
        rows = [hashlib.shake_256(before + m + after).digest(length) for m in messages]
        return from_rows(rows, length)
    return _each(
        messages,
        length,
        lambda out, data, ends: compiled.shake256(out, length, before, data, ends, after),
    )


def pss_encode_one(message: bytes, bits: int, salt: bytes = b"") -> bytes:
    """EMSA-PSS-ENCODE with SHA-384 (RFC 8017, 9.1.1); `bits` is emBits."""
    length = -(-bits // 8)
    padding = length - len(salt) - SHA384_BYTES - 2
    if padding < 0:
        raise ValueError("EMSA-PSS: the modulus is too short")
    digest = hashlib.sha384(message).digest()
    h = hashlib.sha384(bytes(8) + digest + salt).digest()
    block = bytes(padding) + b"\x01" + salt
    mask = _mgf1(h, len(block))
    masked = int.from_bytes(block, "big") ^ int.from_bytes(mask, "big")
    masked &= (1 << (bits - 8 * (length - len(block)))) - 1
    return masked.to_bytes(len(block), "big") + h + b"\xbc"


def _mgf1(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-384 (RFC 8017, B.2.1)."""
    blocks = -(-length // SHA384_BYTES)
    mask = b"".join(
        hashlib.sha384(seed + counter.to_bytes(4, "big")).digest() for counter in range(blocks)
    )
    return mask[:length]


def _each(
    messages: Sequence[bytes],
    width: int,
    function: Callable[[ByteMatrix, memoryview, ByteMatrix], None],
) -> ByteMatrix:
    """Return rows that `function` fills: it gets them, all messages, and where each one ends."""
    data = memoryview(b"".join(messages))
    ends = np.cumsum([0, *map(len, messages)], dtype=np.int64)
    places = np.stack([ends[:-1], ends[1:]], axis=1).view(np.uint8)

    def part(places: ByteMatrix) -> ByteMatrix:
        out = np.empty((len(places), width), dtype=np.uint8)
        if len(places):
            bounds = np.ascontiguousarray(places).view(np.int64)
            start = int(bounds[0, 0])
            function(out, data[start:], np.ascontiguousarray(bounds[:, 1] - start).view(np.uint8))
        return out

    return map_rows(part, places, smallest=256)
