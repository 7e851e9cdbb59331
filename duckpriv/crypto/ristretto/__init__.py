"""Columns of ristretto255 (RFC 9496), by whom `choice.py` says.

Elements are rows of 32 bytes, their canonical encodings; scalars are rows of 32 bytes,
little-endian and below the group's order. A column of scalars has a row for each element, or one
for all. Everything but `weighted_sum` is constant-time in scalars, elements and the content of
messages; ValueError is raised for scalars that are not below the order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import InvalidValue
from ..bytecolumns import from_rows
from ..columnhashing import expand_message_xmd as expand
from ..columnhashing import sha512
from ..parallel import ByteMatrix, map_rows
from .choice import engine

__all__ = [
    "BASE",
    "ORDER",
    "expand",
    "hash_and_multiply",
    "hash_to_group",
    "invalid",
    "map_to_group",
    "multiply",
    "multiply_base",
    "reduce",
    "sha512",
    "weighted_sum",
]

ORDER = 2**252 + 27742317777372353535851937790883648493
BASE = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
_WIDTH = 32
# A sum has a fixed cost, of buckets: so many rows on each core make that small.
_SUMMANDS = 1024


def hash_to_group(messages: Sequence[bytes], dst: bytes) -> ByteMatrix:
    """Return hash_to_ristretto255 (RFC 9380, appendix B) of each message, under the tag `dst`."""
    return map_to_group(expand(messages, dst))


def map_to_group(uniform: ByteMatrix) -> ByteMatrix:
    """Return the element that each row of 64 bytes is mapped to (RFC 9496, 4.3.4)."""
    return _on_rows(engine().map, uniform)[0]


def hash_and_multiply(messages: Sequence[bytes], dst: bytes, scalars: ByteMatrix) -> ByteMatrix:
    """Return scalar * hash_to_group(message), row by row."""
    return _with_scalars(engine().map_multiply, expand(messages, dst), scalars)[0]


def multiply(points: ByteMatrix, scalars: ByteMatrix) -> ByteMatrix:
    """Return scalar * point, row by row.

    Raises InvalidValue where a row is no canonical encoding, or the identity's.
    """
    products, bad = _with_scalars(engine().multiply, points, scalars)
    _refuse(bad, len(points))
    return products


def multiply_base(scalars: ByteMatrix) -> ByteMatrix:
    """Return scalar * `BASE` of each row."""
    return multiply(from_rows([BASE] * len(scalars), _WIDTH), scalars)


def invalid(points: ByteMatrix) -> int:
    """Return how many rows are no canonical encoding, or the identity's."""
    counts = map_rows(
        lambda rows: np.array([engine().bad(rows)]), np.ascontiguousarray(points), smallest=_side()
    )
    return int(counts.sum())


def weighted_sum(points: ByteMatrix, scalars: ByteMatrix) -> bytes:
    """Return the sum of scalar * point of all rows: the identity's encoding, all zeros, of none.

    For public values only: its time depends on them. Raises InvalidValue as `multiply` does.
    """
    if len(points) != len(scalars):
        raise ValueError("weighted_sum: there is not one scalar for each element")
    bad: list[int] = []

    def part(points: ByteMatrix, scalars: ByteMatrix) -> ByteMatrix:
        out = np.empty((1, _WIDTH), np.uint8)
        bad.append(engine().weighted_sum(out, points, scalars))
        return out

    columns = (np.ascontiguousarray(column) for column in (points, scalars))
    sums = map_rows(part, *columns, smallest=_SUMMANDS)
    _refuse(sum(bad), len(points))
    if len(sums) > 1:
        sums = sums[sums.any(axis=1)]
        one = np.zeros(sums.shape, np.uint8)
        one[:, 0] = 1
        sums = part(sums, one)
    return sums.tobytes()


def reduce(wide: ByteMatrix) -> ByteMatrix:
    """Return each row of 64 bytes, a little-endian number, modulo the order."""
    return _on_rows(engine().reduce, wide)[0]


def _side() -> int:
    """Return how many rows are computed side by side."""
    rows: int = engine().ROWS
    return rows


def _on_rows(
    operation: Callable[..., int], *columns: ByteMatrix, also: tuple[ByteMatrix, ...] = ()
) -> tuple[ByteMatrix, int]:
    """Call `operation(out, *columns, *also)` on slices of the columns; return all of `out`, and the
    sum of what it returned."""
    returned: list[int] = []

    def part(*rows: ByteMatrix) -> ByteMatrix:
        out = np.empty((len(rows[0]), _WIDTH), np.uint8)
        returned.append(operation(out, *rows, *also))
        return out

    results = map_rows(part, *(np.ascontiguousarray(c) for c in columns), smallest=_side())
    return results, sum(returned)


def _with_scalars(
    operation: Callable[..., int], rows: ByteMatrix, scalars: ByteMatrix
) -> tuple[ByteMatrix, int]:
    if len(scalars) == 1:
        return _on_rows(operation, rows, also=(np.ascontiguousarray(scalars),))
    if len(scalars) != len(rows):
        raise ValueError("there is neither one scalar, nor one for each row")
    return _on_rows(operation, rows, scalars)


def _refuse(bad: int, rows: int) -> None:
    if bad:
        raise InvalidValue(
            f"{bad} of {rows} values encode no element of ristretto255, or its identity;"
            " have them made and sent anew"
        )
