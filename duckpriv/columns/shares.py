"""Additive shares in the ring Z_2^64. Their arithmetic is SQL (sql/macros/shares.sql)."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa

from .arrays import constant
from .context import Context
from .paillier import RING, to_fixed_point

SPLIT = pa.struct({"keep": pa.uint64(), "send": pa.uint64()})
# |x * 2^scale| has to fit into the ring with its sign.
_BOUND = 63


def share_split(context: Context, xs: pa.Array, scales: pa.Array) -> pa.Array:
    """Split round(x * 2^scale) into a uniform share to send and the rest to keep."""
    scale = constant(scales, "the scale")
    values = to_fixed_point(xs.to_numpy(zero_copy_only=False), scale, _BOUND)
    ring = np.array([value % RING for value in values], dtype=np.uint64)
    sent = np.frombuffer(os.urandom(8 * len(ring)), dtype=np.uint64)
    return pa.StructArray.from_arrays([pa.array(ring - sent), pa.array(sent)], fields=list(SPLIT))
