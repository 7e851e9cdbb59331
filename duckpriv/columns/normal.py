"""The normal distribution."""

from __future__ import annotations

import math
from statistics import NormalDist

import pyarrow as pa

from ..errors import InvalidValue
from .context import Context


def normal_quantile(context: Context, probabilities: pa.Array) -> pa.Array:
    """Return below what a standard normal number is with each probability."""
    values = probabilities.to_pylist()
    if not all(0 < p < 1 for p in values):
        raise InvalidValue("a probability has to be between 0 and 1")
    return pa.array([NormalDist().inv_cdf(p) for p in values], pa.float64())


def normal_cdf(context: Context, numbers: pa.Array) -> pa.Array:
    """Return with what probability a standard normal number is below each number."""
    # By erfc, as NormalDist().cdf loses all digits far below 0.
    return pa.array([math.erfc(-z / math.sqrt(2)) / 2 for z in numbers.to_pylist()], pa.float64())
