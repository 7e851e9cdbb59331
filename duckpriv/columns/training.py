"""Steps of training under encryption, as SQL functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from ..crypto.bytecolumns import from_rows
from ..errors import InvalidValue
from .arrays import constant
from .ciphertext import read
from .context import Context
from .homomorphic import check_weight_bound, common, key_of, of_sum, send
from .joint import joint_key_of
from .plaintexts import to_fixed_point


def lr_residual_add(
    context: Context, cts: pa.Array, scores: pa.Array, present: pa.Array
) -> pa.Array:
    """Add a quarter of the own score to each encrypted residual, or replace it by a fresh
    encryption of 0 where this party has no record; header and work are the same for both."""
    public = joint_key_of(context, cts)
    layouts, bodies = read(cts.to_pylist(), public)
    first = common(layouts)
    if first.count != 1:
        raise InvalidValue("a residual holds several numbers")
    has = np.array(present.to_pylist(), dtype=bool)
    quarters = np.where(has, scores.to_numpy(zero_copy_only=False) / 4, 0.0)
    zeros = from_rows([public.key.zero()] * len(bodies), public.key.width)
    kept = np.where(has[:, None], bodies, zeros)
    sums = public.key.add_plain(kept, to_fixed_point(quarters, first.scale, first.bound))
    return send(public, [replace(first, bound=first.bound + 1)] * len(layouts), sums)


def gradient_block(
    context: Context, lists: pa.Array, matrices: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Return for each row, a list of n ciphertexts and n lists of k numbers, the k encrypted sums
    of ciphertext times number."""
    scale, bound = constant(scales, "the scale"), constant(bounds, "the bound")
    check_weight_bound(bound)
    results = []
    for cts, matrix in zip(lists, matrices, strict=True):
        if cts.values.null_count or matrix.values.null_count:
            raise InvalidValue("a row has no residual, or no features")
        lengths = {len(row) for row in matrix}
        if len(lengths) != 1 or len(cts) != len(matrix):
            raise InvalidValue("the rows do not have one number of features")
        (width,) = lengths
        public = key_of(context, cts.values)
        inner, bodies = read(cts.values.to_pylist(), public)
        first = common(inner)
        if first.count != 1:
            raise InvalidValue("a residual holds several numbers")
        numbers = matrix.values.flatten().to_numpy(zero_copy_only=False)
        fixed = np.array(to_fixed_point(numbers, scale, bound), dtype=np.int64)
        sums = public.key.combine(bodies, np.ascontiguousarray(fixed.reshape(-1, width).T))
        layouts = [of_sum(first, len(cts), scale, bound)] * width
        results.append(send(public, layouts, sums).to_pylist())
    return pa.array(results, pa.list_(pa.binary()))
