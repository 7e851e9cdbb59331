"""Products of many rows, group by group: one multiplication for each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..parallel import ByteMatrix, cores, map_rows
from . import kernel, with_gmpy2
from .choice import by_kernel

# A product of several pieces takes a few multiplications more for each. On each core there should
# be some pieces for every lane.
_SHORTEST_PIECE, _LONGEST_PIECE, _TURNS = 64, 2048, 4


def group_products(
    blocks: Sequence[ByteMatrix],
    columns: slice,
    chosen: NDArray[np.int64],
    starts: NDArray[np.int64],
    modulus: int,
) -> ByteMatrix:
    """Return for each i the product mod `modulus` of the numbers chosen[starts[i]:starts[i + 1]],
    of which there is at least one.

    Numbers stand in the `columns` of the blocks' rows, which are counted through all blocks; these
    have equally many rows. Raises ValueError where one is not below the modulus.
    """
    lanes = kernel.side_by_side() if by_kernel() else 1
    lengths = np.diff(starts)
    piece = -(-len(chosen) // (cores() * lanes * _TURNS))
    pieces = -(-lengths // min(max(piece, _SHORTEST_PIECE), _LONGEST_PIECE))
    bounds = _cut(starts, lengths, pieces)
    order = _dealt(bounds[:, 1] - bounds[:, 0], lanes)
    compute = kernel.products if by_kernel() else with_gmpy2.products

    def part(bounds: NDArray[np.int64]) -> ByteMatrix:
        return compute(blocks, columns, chosen, bounds, modulus)

    products = np.empty((len(bounds), columns.stop - columns.start), np.uint8)
    products[order] = map_rows(part, bounds[order], smallest=lanes)  # type: ignore[arg-type]
    if (pieces <= 1).all():
        return products
    return group_products(
        [products], slice(0, products.shape[1]), np.arange(len(products)), _sums(pieces), modulus
    )


def _cut(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], pieces: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where pieces begin and end: so many of each group, about equally long."""
    number = np.arange(pieces.sum()) - np.repeat(_sums(pieces)[:-1], pieces)
    start, length, of = (np.repeat(column, pieces) for column in (starts[:-1], lengths, pieces))
    return np.stack([start + length * number // of, start + length * (number + 1) // of], axis=1)


def _dealt(lengths: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """Return an order in which neighbours, which share the lanes, are about equally long, and the
    cores, which take equal parts of it one after the other, get about the same."""
    order = np.argsort(-lengths, kind="stable")
    whole = len(order) // lanes * lanes
    hands = order[:whole].reshape(-1, lanes)
    turns = np.argsort(np.arange(len(hands)) % cores(), kind="stable")
    return np.concatenate([hands[turns].ravel(), order[whole:]])


def _sums(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)])
