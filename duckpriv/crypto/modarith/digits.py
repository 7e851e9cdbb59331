"""Signed digits of exponents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def signed_digits(exponents: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return digits d with -2^(w-1) <= d < 2^(w-1): exponent = sum of d_i * 2^(w*i).

    Shape (windows, *exponents.shape), least significant first. Exponents are below 2^62 in
    magnitude.
    """
    half, rest = 1 << (window - 1), exponents.copy()
    digits: list[NDArray[np.int64]] = []
    while rest.any() or not digits:
        digit = ((rest + half) & ((1 << window) - 1)) - half
        rest = (rest - digit) >> window
        digits.append(digit)
    return np.stack(digits)
