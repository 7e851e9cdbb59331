"""Spread the rows of byte matrices over the processor's cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ByteMatrix = NDArray[np.uint8]


def cores() -> int:
    """The number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="duckpriv")


def map_rows(
    function: Callable[..., ByteMatrix], *columns: ByteMatrix, smallest: int = 16
) -> ByteMatrix:
    """Apply `function` to slices of equally long columns, one slice a core, and
    stack the results.

    `function` has to release the GIL where it works (libcrypto and gmpy2's list
    functions do). Slices have at least `smallest` rows. The first exception of a
    slice is raised after all slices have ended.
    """
    rows = len(columns[0])
    parts = max(1, min(cores(), rows // smallest))
    if parts == 1:
        return function(*columns)
    bounds = [rows * i // parts for i in range(parts + 1)]
    futures = [
        _pool().submit(function, *(column[start:stop] for column in columns))
        for start, stop in pairwise(bounds)
    ]
    for future in futures:
        future.exception()  # waits
    return np.concatenate([future.result() for future in futures])
