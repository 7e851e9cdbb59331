"""Additive shares in the ring Z_2^64. Their arithmetic is SQL (sql/macros/shares.sql)."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa

from ..errors import InvalidValue
from .context import Context
from .plaintexts import RING, fraction_bits, to_fixed_point

SPLIT = pa.struct({"keep": pa.uint64(), "send": pa.uint64()})
SPLIT_LIST = pa.struct({"keep": pa.list_(pa.uint64()), "send": pa.list_(pa.uint64())})
# |x * 2^scale| has to fit into the ring with its sign.
_BOUND = 63


def share_split(context: Context, xs: pa.Array, scales: pa.Array) -> pa.Array:
    """Split round(x * 2^scale) into a uniform share to send and the rest to keep."""
    keep, send = _split(xs, fraction_bits(scales))
    return pa.StructArray.from_arrays([keep, send], fields=list(SPLIT))


def share_split_list(context: Context, lists: pa.Array, scales: pa.Array) -> pa.Array:
    """Split every number of each list as share_split does."""
    numbers = lists.flatten()
    if numbers.null_count:
        raise InvalidValue("a list to share has a NULL")
    lengths = [0, *np.cumsum([len(numbers) for numbers in lists.to_pylist()])]
    offsets = pa.array(lengths, pa.int32())
    parts = _split(numbers, fraction_bits(scales))
    columns = [pa.ListArray.from_arrays(offsets, part) for part in parts]
    return pa.StructArray.from_arrays(columns, fields=list(SPLIT_LIST))


def _split(xs: pa.Array, scale: int) -> tuple[pa.Array, pa.Array]:
    values = to_fixed_point(xs.to_numpy(zero_copy_only=False), scale, _BOUND)
    ring = np.array([value % RING for value in values], dtype=np.uint64)
    sent = np.frombuffer(os.urandom(8 * len(ring)), dtype=np.uint64)
    return pa.array(ring - sent, pa.uint64()), pa.array(sent, pa.uint64())
