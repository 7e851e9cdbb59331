"""Steps of training under encryption, as SQL functions."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import JointPublicKey
from .arrays import constant
from .ciphertext import Layout
from .context import Context
from .homomorphic import read_alike, send
from .joint import joint_key_named
from .plaintexts import packed, to_fixed_point

# Fractional bits of the factor that a residual gets, and how large it may be: below 128, which
# noise of deviation 10 passes once in 2^120 rows.
_FACTOR_SCALE, _FACTOR_BOUND = 8, 16
# What multiplies a weight stands in 64-bit integers.
_LARGEST_WEIGHTED_BOUND = 62
# A normal number of this deviation is finite.
_LARGEST_DEVIATION = 1e300


def lr_residual_add(
    context: Context,
    cts: pa.Array,
    scores: pa.Array,
    key: pa.Array,
    present: pa.Array,
    noise: pa.Array,
    weights: pa.Array,
) -> pa.Array:
    """Add a quarter of the own score to each encrypted residual, and multiply by 1 where this party
    has a record and by 0 where not, plus the noise. The score counts as often as the peer's
    encrypted weight says; an empty one is 1.

    As a factor the noise hides as much of a large residual as of a small one, whatever the peer
    has encrypted. The exponents are those of factors from -1/2 to 1/2, which are as large for one
    case as for the other, and half of the residual is added: the work tells neither.
    """
    public = joint_key_named(context, key)
    layout, bodies = read_alike(cts.to_pylist(), public)
    if layout.count != 1:
        raise InvalidValue("a residual holds several numbers")
    quarters = scores.to_numpy(zero_copy_only=False) / 4
    if any(weights.to_pylist()):
        sums = public.key.add(bodies, _weighted(public, layout, quarters, weights))
    else:
        fixed = to_fixed_point(quarters, layout.scale, layout.bound)
        plaintexts = [plain for x in fixed for plain in packed([x], layout, public.key)]
        sums = public.key.add_plain(bodies, plaintexts)
    has = np.where(np.array(present.to_pylist(), dtype=bool), 0.5, -0.5)
    factors = to_fixed_point(
        has + noise.to_numpy(zero_copy_only=False), _FACTOR_SCALE, _FACTOR_BOUND - 1
    )
    products = public.key.scale(sums, np.array(factors, dtype=np.int64))
    halves = public.key.shift(sums, _FACTOR_SCALE - 1)
    grown = replace(
        layout, scale=layout.scale + _FACTOR_SCALE, bound=layout.bound + 1 + _FACTOR_BOUND
    )
    return send(public, [grown] * len(cts), public.key.add(products, halves))


def _weighted(
    public: JointPublicKey, layout: Layout, quarters: NDArray[np.float64], weights: pa.Array
) -> ByteMatrix:
    """Return numbers times encrypted weights, as values of the layout."""
    of, bodies = read_alike(weights.to_pylist(), public)
    if (of.count, of.doublings, of.slot_bits) != (1, layout.doublings, layout.slot_bits):
        raise InvalidValue("a weight is one number, encrypted as the residual is")
    scale, bound = layout.scale - of.scale, layout.bound - of.bound
    if scale < 0 or not 1 <= bound < _LARGEST_WEIGHTED_BOUND:
        raise InvalidValue("a weight has less scale and a smaller bound than the residual")
    fixed = to_fixed_point(quarters, scale, bound)
    return public.key.scale(bodies, np.array(fixed, dtype=np.int64))


def gaussian_noise(context: Context, rows: pa.Array, deviations: pa.Array) -> pa.Array:
    """Return a normal random number for each row, from the operating system's generator."""
    deviation = constant(deviations, "the deviation")
    if not 0 <= deviation <= _LARGEST_DEVIATION:
        raise InvalidValue("the deviation of noise has to be a number from 0 to 1e300")
    source = secrets.SystemRandom()
    return pa.array([source.gauss(0.0, deviation) for _ in rows], pa.float64())
