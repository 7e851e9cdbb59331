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

Messages = Sequence[bytes] | ByteMatrix  # a matrix has one message a row
SHA384_BYTES, SHA512_BYTES, _SHA512_BLOCK = 48, 64, 128


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
        *_in_one_piece(messages),
        -(-bits // 8),
        lambda out, data, ends: compiled.pss_encode(out, bits, data, ends),
    )


def shake256(before: bytes, messages: Sequence[bytes], after: bytes, length: int) -> ByteMatrix:
    """SHAKE256 of before || message || after, for each message: (rows, length)."""
    compiled = _compiled()
    if compiled is None:
        rows = [hashlib.shake_256(before + m + after).digest(length) for m in messages]
        return from_rows(rows, length)
    return _each(
        *_in_one_piece(messages),
        length,
        lambda out, data, ends: compiled.shake256(out, length, before, data, ends, after),
    )


def sha512(before: bytes, messages: Messages, after: bytes) -> ByteMatrix:
    """SHA-512 of before || message || after, for each message: (rows, 64)."""
    data, places = _in_one_piece(messages)
    compiled = _compiled()
    if compiled is None:
        start = hashlib.sha512(before)
        rows = []
        for begin, end in places.view(np.int64).tolist():
            now = start.copy()
            now.update(data[begin:end])
            now.update(after)
            rows.append(now.digest())
        return from_rows(rows, SHA512_BYTES)
    return _each(
        *(data, places, SHA512_BYTES),
        lambda out, data, ends: compiled.sha512(out, before, data, ends, after),
    )


def expand_message_xmd(messages: Messages, dst: bytes, before: bytes = b"") -> ByteMatrix:
    """expand_message_xmd with SHA-512 (RFC 9380, 5.3.1) of before || message, for each message,
    to as many bytes as one hash has: (rows, 64)."""
    if not 0 < len(dst) < 256:
        raise ValueError("expand_message_xmd: the tag is empty, or longer than 255 bytes")
    dst_prime = dst + bytes([len(dst)])
    length = SHA512_BYTES.to_bytes(2, "big")
    b_0 = sha512(bytes(_SHA512_BLOCK) + before, messages, length + b"\x00" + dst_prime)
    return sha512(b"", b_0, b"\x01" + dst_prime)


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


def _in_one_piece(messages: Messages) -> tuple[memoryview, ByteMatrix]:
    """Return all messages one behind the other, and where each begins and ends there."""
    if isinstance(messages, np.ndarray):
        data = messages.tobytes()
        ends = np.arange(len(messages) + 1, dtype=np.int64) * messages.shape[1]
    else:
        data = b"".join(messages)
        ends = np.cumsum([0, *map(len, messages)], dtype=np.int64)
    return memoryview(data), np.stack([ends[:-1], ends[1:]], axis=1).view(np.uint8)


def _each(
    data: memoryview,
    places: ByteMatrix,
    width: int,
    function: Callable[[ByteMatrix, memoryview, ByteMatrix], None],
) -> ByteMatrix:
    """Return rows that `function` fills: it gets them, messages, and where each one ends."""

    def part(places: ByteMatrix) -> ByteMatrix:
        out = np.empty((len(places), width), dtype=np.uint8)
        if len(places):
            bounds = np.ascontiguousarray(places).view(np.int64)
            start = int(bounds[0, 0])
            function(out, data[start:], np.ascontiguousarray(bounds[:, 1] - start).view(np.uint8))
        return out

    return map_rows(part, places, smallest=256)
