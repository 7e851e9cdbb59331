"""The ciphertexts that a statement sums, held once.

DuckDB collects what an aggregate gets in lists, one for each group of each grouping set. So it
gets handles, 8 bytes each, and the ciphertexts stand here.

Nobody tells when a statement has ended. A connection runs one at a time, so what it staged goes
when it begins to stage for another one; and whatever no function has touched for some minutes. A
handle that comes later is refused. No handle is given twice, so it can never mean another row.
"""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import HomomorphicPublicKey
from .ciphertext import Layout

_IDLE_SECONDS = 600.0
_BLOCK_BYTES = 1 << 21
_GONE = (
    "the ciphertexts of this sum were let go, as the statement paused for minutes; run it again, "
    "as CREATE TABLE … AS if its rows are read slowly"
)
# Handles of another process, in a table, stand for nothing here.
_handles = secrets.randbits(61)
_next_handle = threading.Lock()


def _new_handles(rows: int) -> int:
    """Return the first of so many handles that nobody had."""
    global _handles
    with _next_handle:
        first, _handles = _handles, _handles + rows
    return first


@dataclass
class Rows:
    """Bodies of ciphertexts of one width under one key, in blocks of equally many rows."""

    fingerprint: bytes
    width: int
    blocks: list[ByteMatrix] = field(default_factory=list)

    @property
    def per_block(self) -> int:
        """How many rows a block has."""
        return max(1, _BLOCK_BYTES // self.width)


@dataclass
class _Block:
    """Where a block's handles begin, which rows it has, and how many are taken."""

    first: int
    rows: int
    number: int
    layouts: NDArray[np.int32]
    taken: int = 0


@dataclass(frozen=True)
class Found:
    """What handles stand for: the n-th is a row of `rows[kind[n]]`, counted through its blocks, and
    has `layouts[layout[n]]`."""

    rows: list[Rows]
    layouts: list[Layout]
    kind: NDArray[np.int64]
    place: NDArray[np.int64]
    layout: NDArray[np.int64]


class Staged:
    """What one statement has staged. Thread-safe."""

    def __init__(self, statement: tuple[int, int]) -> None:
        self.statement = statement
        self.last_use = time.monotonic()
        self.calls = 0
        self._lock = threading.Lock()
        self._rows: list[Rows] = []
        self._blocks: list[_Block] = []
        self._open: dict[tuple[bytes, int], _Block] = {}  # the last block of each kind
        self._layouts: dict[Layout, int] = {}

    def add(
        self, public: HomomorphicPublicKey, layout: Layout, bodies: ByteMatrix
    ) -> NDArray[np.int64]:
        """Copy the bodies of ciphertexts, a row for each; return handles."""
        handles = np.empty(len(bodies), np.int64)
        at = 0
        while at < len(bodies):
            target, first = self._take(
                public.fingerprint_bytes, layout, len(bodies) - at, bodies.shape[1]
            )
            target[:] = bodies[at : at + len(target)]
            handles[at : at + len(target)] = np.arange(first, first + len(target))
            at += len(target)
        return handles

    def _take(
        self, fingerprint: bytes, layout: Layout, wanted: int, width: int
    ) -> tuple[ByteMatrix, int]:
        """Return rows to fill, at most as many as wanted, and the handle of the first."""
        with self._lock:
            block = self._open.get((fingerprint, width))
            if block is None or block.taken == len(block.layouts):
                block = self._new_block(fingerprint, width)
            start, stop = block.taken, min(block.taken + wanted, len(block.layouts))
            block.layouts[start:stop] = self._layouts.setdefault(layout, len(self._layouts))
            block.taken = stop
            return self._rows[block.rows].blocks[block.number][start:stop], block.first + start

    def _new_block(self, fingerprint: bytes, width: int) -> _Block:
        before = self._open.get((fingerprint, width))
        if before is None:
            self._rows.append(Rows(fingerprint, width))
        kind = len(self._rows) - 1 if before is None else before.rows
        rows = self._rows[kind]
        # Memory that is not written to yet takes none.
        rows.blocks.append(np.empty((rows.per_block, width), np.uint8))
        layouts = np.empty(rows.per_block, np.int32)
        block = _Block(_new_handles(rows.per_block), kind, len(rows.blocks) - 1, layouts)
        self._blocks.append(block)
        self._open[fingerprint, width] = block
        return block

    def find(self, handles: NDArray[np.int64]) -> Found:
        """Return what handles stand for. Raises InvalidValue for one that was not given here."""
        with self._lock:
            blocks, rows = list(self._blocks), list(self._rows)
            layouts = list(self._layouts)
        if not blocks:
            raise InvalidValue(_GONE)
        firsts, kinds, numbers, taken, sizes = (
            np.array(column, np.int64)
            for column in zip(
                *((b.first, b.rows, b.number, b.taken, len(b.layouts)) for b in blocks), strict=True
            )
        )
        own = np.searchsorted(firsts, handles, side="right") - 1
        at = handles - firsts[own]
        if (own < 0).any() or (at >= taken[own]).any():
            raise InvalidValue(_GONE)
        layout = np.zeros(len(handles), np.int64)
        if len(layouts) > 1:
            before = np.cumsum(sizes) - sizes
            layout = np.concatenate([b.layouts for b in blocks])[before[own] + at]
        return Found(rows, layouts, kinds[own], numbers[own] * sizes[own] + at, layout)


class Staging:
    """What the statements of a database's connections have staged. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_connection: dict[int, Staged] = {}
        self._watched = False

    @contextmanager
    def begin(self, connection: int, statement: tuple[int, int]) -> Iterator[Staged]:
        """Within this, stage for a statement of a connection; what the one before it there staged
        is let go."""
        with self._lock:
            staged = self._by_connection.get(connection)
            if staged is None or staged.statement != statement:
                staged = self._by_connection[connection] = Staged(statement)
            self._watch()
            staged.calls += 1
        yield from self._used(staged)

    @contextmanager
    def found(self, connection: int, statement: tuple[int, int]) -> Iterator[Staged]:
        """Within this, use what a statement staged. Raises InvalidValue if it was let go."""
        with self._lock:
            staged = self._by_connection.get(connection)
            if staged is None or staged.statement != statement:
                raise InvalidValue(_GONE)
            staged.calls += 1
        yield from self._used(staged)

    def _used(self, staged: Staged) -> Iterator[Staged]:
        try:
            yield staged
        finally:
            with self._lock:
                staged.calls -= 1
                staged.last_use = time.monotonic()

    def let_go_of_idle(self) -> None:
        """Let go of what no function has touched for some minutes."""
        with self._lock:
            latest = time.monotonic() - _IDLE_SECONDS
            self._by_connection = {
                connection: staged
                for connection, staged in self._by_connection.items()
                if staged.calls or staged.last_use > latest
            }
            self._watched = False
            if self._by_connection:
                self._watch()

    def _watch(self) -> None:
        """Look again later. The thread that does keeps nothing alive."""
        if self._watched:
            return
        self._watched = True
        timer = threading.Timer(_IDLE_SECONDS / 4, _look, [weakref.ref(self)])
        timer.daemon = True
        timer.start()


def _look(reference: weakref.ref[Staging]) -> None:
    staging = reference()
    if staging is not None:
        staging.let_go_of_idle()
