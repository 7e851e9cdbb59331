"""Noise of OpenDP's, which is exact: integers from the discrete Laplace distribution.

P(k) is proportional to exp(-|k| / scale) for every integer k (Ghosh, Roughgarden and Sundararajan,
2009; sampled as by Canonne, Kamath and Steinke, 2020), so that no rounding of numbers tells of the
value below. A count to which a person adds at most s, with noise of scale s / epsilon, is
epsilon-differentially private for the person.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import InvalidValue
from .context import Context

# Beyond it, noise would often be of more than 64 bits.
_LARGEST_SCALE = float(1 << 52)


def noise_integer(context: Context, xs: pa.Array, scales: pa.Array) -> pa.Array:
    """Add noise of the discrete Laplace distribution to each integer; what is beyond 64 bits stands
    at their end."""
    numbers, each = np.array(xs.to_pylist(), dtype=np.int64), np.array(scales.to_pylist())
    if not ((each > 0) & (each <= _LARGEST_SCALE)).all():
        raise InvalidValue("the scale of noise has to be more than 0, and at most 2^52")
    for scale in np.unique(each).tolist():
        numbers[each == scale] = _laplace(scale)(numbers[each == scale].tolist())
    return pa.array(numbers)


def _laplace(scale: float) -> Any:
    try:
        import opendp.prelude as dp
    except ImportError:
        raise InvalidValue(
            "noise comes from OpenDP, which is not installed: pip install 'duckpriv[noise]'"
        ) from None
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return space >> dp.m.then_laplace(scale=scale)
