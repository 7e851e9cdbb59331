"""Spread the rows of byte matrices over the processor's cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .. import stopping
from ..errors import InvalidValue

ByteMatrix = NDArray[np.uint8]
_SLICE_SECONDS, _CHECK_SECONDS = 0.2, 0.1
_MOST_THREADS = 1024
_LIMIT: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Within this the calling thread computes on so many cores, whatever `DUCKPRIV_THREADS` is."""
    before = _LIMIT.set(number)
    try:
        yield
    finally:
        _LIMIT.reset(before)


def cores() -> int:
    """On how many cores this process computes: `DUCKPRIV_THREADS`, or all that it may use."""
    if (limit := _LIMIT.get()) is not None:
        return limit
    if wanted := os.environ.get("DUCKPRIV_THREADS"):
        if not wanted.isascii() or not wanted.isdigit() or not 1 <= int(wanted) <= _MOST_THREADS:
            raise InvalidValue(
                f"DUCKPRIV_THREADS is {wanted!a}; use a number from 1 to {_MOST_THREADS}"
            )
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="duckpriv")


def map_rows(
    function: Callable[..., ByteMatrix], *columns: ByteMatrix, smallest: int = 16
) -> ByteMatrix:
    """Apply `function` to slices of equally long columns, one after the other on each core, and
    stack the results.

    `function` has to release the GIL where it works (libcrypto and gmpy2's list
    functions do). Slices have at least `smallest` rows, begin at multiples of it (the kernel
    computes so many rows at a time), and take so long that whoever stops this (`stopping.py`) does
    not wait. The first exception of a slice is raised after all have ended.
    """
    rows, most = len(columns[0]), cores()
    parts = max(1, min(most, rows // smallest))
    if parts == 1:
        return _in_turn(function, columns, smallest, stopping.check)
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise _StoppedError

    groups, pool = -(-rows // smallest), _pool(most)
    bounds = [min(groups * i // parts * smallest, rows) for i in range(parts + 1)]
    futures = [
        pool.submit(_in_turn, function, [column[start:stop] for column in columns], smallest, check)
        for start, stop in pairwise(bounds)
    ]
    try:
        while wait(futures, _CHECK_SECONDS).not_done:
            stopping.check()
    finally:
        stopped.set()
        wait(futures)
    return np.concatenate([future.result() for future in futures])


class _StoppedError(Exception):
    """The others are to stop, too."""


def _in_turn(
    function: Callable[..., ByteMatrix],
    columns: Sequence[ByteMatrix],
    smallest: int,
    check: Callable[[], None],
) -> ByteMatrix:
    """Apply `function` to slices, one after the other, and call `check` in between."""
    rows, at, size = len(columns[0]), 0, smallest
    results: list[ByteMatrix] = []
    while at < rows or not results:
        if rows - at < size + smallest:
            size = max(rows - at, 0)
        began = time.perf_counter()
        results.append(function(*(column[at : at + size] for column in columns)))
        at += size
        if at < rows:
            check()
            took = time.perf_counter() - began
            size = max(
                smallest, int(size * _SLICE_SECONDS / max(took, 1e-6)) // smallest * smallest
            )
    return results[0] if len(results) == 1 else np.concatenate(results)
