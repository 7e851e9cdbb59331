"""Between byte matrices and the integers that gmpy2 computes with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import gmpy2
import numpy as np

from .parallel import ByteMatrix


def rows_of(matrix: ByteMatrix) -> list[bytes]:
    """Return each row as bytes."""
    width = matrix.shape[1]
    data = matrix.tobytes()
    return [data[i : i + width] for i in range(0, len(data), width)]


def from_rows(rows: Sequence[bytes], width: int) -> ByteMatrix:
    """Return the matrix of `rows`, each exactly `width` bytes long."""
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), width)


def to_integers(matrix: ByteMatrix) -> list[gmpy2.mpz]:
    """Return each row as an integer (OS2IP of RFC 8017)."""
    return [gmpy2.mpz.from_bytes(row, "big") for row in rows_of(matrix)]


def from_integers(values: Iterable[gmpy2.mpz], width: int) -> ByteMatrix:
    """Return integers as rows of `width` bytes (I2OSP of RFC 8017)."""
    return from_rows([value.to_bytes(width, "big") for value in values], width)
