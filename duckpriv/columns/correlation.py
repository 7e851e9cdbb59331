"""Variance inflation from correlations, as a SQL function."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from ..errors import InvalidValue
from .context import Context

# Correlations are known to 20 bits behind the point, and are off by one or two units there.
_ROUNDING = 2.0**-19
# By how much of itself a factor may be in doubt.
_DOUBT = 0.1


def variance_inflation(context: Context, matrices: pa.Array) -> pa.Array:
    """Return of each correlation matrix, row by row, the diagonal of its inverse: by how much the
    variance of a column's coefficient is larger than if the others were uncorrelated (Marquardt
    1970). Infinite for columns that others determine, as far as roundings can tell."""
    results = []
    for numbers in matrices:
        flat = np.array(numbers.as_py(), dtype=np.float64)
        size = math.isqrt(len(flat))
        if size * size != len(flat) or not np.isfinite(flat).all():
            raise InvalidValue("this is no square matrix of numbers")
        matrix = flat.reshape(size, size)
        if size and not (np.array_equal(matrix, matrix.T) and (np.diag(matrix) == 1).all()):
            raise InvalidValue("a correlation matrix is symmetric, with ones on its diagonal")
        values, vectors = np.linalg.eigh(matrix)
        # What rounding adds to eigenvalues is at most about the norm of a random matrix.
        rounding = math.sqrt(size) * _ROUNDING
        certain = values > 4 * rounding
        parts = vectors**2
        inflation = (parts[:, certain] / values[certain]).sum(axis=1)
        doubt = parts[:, ~certain].sum(axis=1) / rounding
        results.append(np.where(doubt > _DOUBT * inflation, np.inf, inflation).tolist())
    return pa.array(results, pa.list_(pa.float64()))
