"""ristretto255 by libsodium, through ctypes, row by row: with the functions of
`_ristretto/module.c`. ctypes releases the GIL during each call.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

import numpy as np

from ..bytecolumns import rows_of
from ..parallel import ByteMatrix

ROWS = 16
_IDENTITY = bytes(32)
_ARGUMENTS = {
    "sodium_init": 0,
    "crypto_core_ristretto255_add": 3,
    "crypto_core_ristretto255_from_hash": 2,
    "crypto_core_ristretto255_is_valid_point": 1,
    "crypto_core_ristretto255_scalar_reduce": 2,
    "crypto_scalarmult_ristretto255": 3,
}


@cache
def _library() -> ctypes.CDLL | None:
    """Return libsodium, or None where there is none or it is older than 1.0.18."""
    name = ctypes.util.find_library("sodium")
    if name is None:
        return None
    try:
        library = ctypes.CDLL(name)
        for symbol, arguments in _ARGUMENTS.items():
            getattr(library, symbol).argtypes = [ctypes.c_void_p] * arguments
    except (OSError, AttributeError):
        return None
    return library if library.sodium_init() >= 0 else None


def available() -> bool:
    """Whether a libsodium with ristretto255 is here."""
    return _library() is not None


def map(out: ByteMatrix, uniform: ByteMatrix) -> int:
    """Set rows of `out` to the elements that rows of 64 bytes are mapped to."""
    for i, row in enumerate(rows_of(uniform)):
        _lib().crypto_core_ristretto255_from_hash(_row(out, i), row)
    return 0


def multiply(out: ByteMatrix, points: ByteMatrix, scalars: ByteMatrix) -> int:
    """Set rows of `out` to scalar * point; return how many points are bad."""
    _check(scalars)
    own = rows_of(scalars)
    for i, point in enumerate(rows_of(points)):
        # It says that a result is the identity; what it writes is right then, too.
        _lib().crypto_scalarmult_ristretto255(_row(out, i), own[i % len(own)], point)
    return bad(points)


def map_multiply(out: ByteMatrix, uniform: ByteMatrix, scalars: ByteMatrix) -> int:
    """Set rows of `out` to scalar * what the rows of 64 bytes are mapped to."""
    points = np.empty(out.shape, np.uint8)
    map(points, uniform)
    return multiply(out, points, scalars)


def bad(points: ByteMatrix) -> int:
    """Return how many rows are no canonical encoding, or the identity's."""
    valid = _lib().crypto_core_ristretto255_is_valid_point
    return sum(row == _IDENTITY or not valid(row) for row in rows_of(points))


def weighted_sum(out: ByteMatrix, points: ByteMatrix, scalars: ByteMatrix) -> int:
    """Set `out` to the sum of scalar * point; return how many points are bad."""
    products = np.empty(points.shape, np.uint8)
    wrong = multiply(products, points, scalars)
    out[:] = 0
    for row in [] if wrong else rows_of(products):
        _lib().crypto_core_ristretto255_add(_row(out, 0), out.tobytes(), row)
    return wrong


def reduce(out: ByteMatrix, wide: ByteMatrix) -> int:
    """Set rows of `out` to the rows of 64 bytes modulo the order."""
    for i, row in enumerate(rows_of(wide)):
        _lib().crypto_core_ristretto255_scalar_reduce(_row(out, i), row)
    return 0


def _lib() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise RuntimeError("libsodium is not available")
    return library


def _row(out: ByteMatrix, i: int) -> int:
    address: int = out.ctypes.data
    width: int = out.shape[1]
    return address + i * width


def _check(scalars: ByteMatrix) -> None:
    reduced = np.empty(scalars.shape, np.uint8)
    reduce(reduced, np.concatenate([scalars, np.zeros(scalars.shape, np.uint8)], axis=1))
    if not np.array_equal(reduced, scalars):
        raise ValueError("a scalar is not below the group's order")
