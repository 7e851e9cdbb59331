"""What a party's functions work with: who it is, its keys, its exchange."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from .. import stopping
from ..errors import STOPPED, Cancelled, InvalidValue
from ..keyring import Keyring
from ..visible import visible
from .staging import Staging

# What DuckDB has as the number of a query where it reads one and runs none.
_NO_QUERY = 2**64 - 1
# After so many seconds a wait is told of where nobody sees a display; later, once in each of the
# last.
_TOLD_AFTER = (2.0, 10.0, 60.0, 300.0, 900.0)
_LOG = logging.getLogger("duckpriv.waiting")


@dataclass(frozen=True)
class Sent:
    """What became of a message that was published."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Running:
    """The query that DuckDB runs: its number, and its text as somebody wrote it."""

    number: int
    text: str

    @property
    def runs(self) -> bool:
        """Whether one runs. A relation of Python's is read once before it does; then DuckDB does
        not tell of what statement it is."""
        return self.number != _NO_QUERY


class Exchange(Protocol):
    """What ships relations between parties; `duckpriv.exchange` has the real one."""

    bytes_moved: int

    def open(
        self,
        peer: str,
        channel: str,
        query: str,
        protocol: str,
        parameters: str,
        running: Running,
    ) -> int:
        """Begin a message; return its handle."""

    def set_type(self, handle: int, sql_type: str, type_: pa.StructType) -> None:
        """Say which type the rows of an open message have, in SQL and in Arrow."""

    def stage(self, handle: int, rows: pa.StructArray) -> None:
        """Add rows to an open message."""

    def publish(self, handle: int, rows: int) -> Sent | None:
        """Finish a message and make it visible; None: ask again, that takes longer."""

    def receive(
        self,
        peers: tuple[str, ...],
        channel: str,
        columns: str,
        settings: tuple[str, str],
        running: Running,
    ) -> list[ReceivedFile] | None:
        """Wait for a message of each peer and check it; None: ask again, that takes longer."""


@dataclass(frozen=True)
class ReceivedFile:
    """A checked message: a Parquet file only this process writes, and its rows."""

    path: Path
    rows: int


@dataclass
class Activity:
    """What the functions are doing, for whoever shows progress. Thread-safe enough to read."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    expected_rows: int | None = None
    waiting_for: str | None = None
    waiting_since: float = 0.0
    display: Callable[[], None] | None = None  # shows this; without one, waits are logged
    _told: int = 0  # how often, of this wait
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start_statement(self) -> None:
        """Forget the statement before."""
        with self._lock:
            self.rows.clear()
            self.seconds.clear()
            self.expected_rows = None
            self.waiting_for = None

    def done(self, function: str, rows: int, seconds: float) -> None:
        """Count rows that a function has finished."""
        with self._lock:
            self.rows[function] = self.rows.get(function, 0) + rows
            self.seconds[function] = self.seconds.get(function, 0.0) + seconds

    def slowest(self, without: frozenset[str]) -> tuple[str, int] | None:
        """Return the function that took most time so far, and its rows done."""
        with self._lock:
            times = {name: took for name, took in self.seconds.items() if name not in without}
            if not times:
                return None
            name = max(times, key=times.__getitem__)
            return name, self.rows[name]

    def wait_for(self, what: str | None) -> None:
        """Say for what the party waits from now on; None: for nothing."""
        if what is None or what != self.waiting_for:
            self._told, self.waiting_since = 0, time.monotonic()
        self.waiting_for = what

    def wait_to_tell(self) -> str | None:
        """Return what there is to say of a wait now, None for nothing: first after a moment, and
        then ever more rarely."""
        with self._lock:
            what, waited = self.waiting_for, time.monotonic() - self.waiting_since
            due = sum(waited >= after for after in _TOLD_AFTER) + int(waited // _TOLD_AFTER[-1])
            if what is None or due <= self._told:
                return None
            self._told = due
        return f"waiting for {what}, {waited:.0f} s"

    def tell_of_wait(self) -> None:
        """Let the display show a wait, or Python's log have it if it is time for that."""
        if self.display is not None:
            self.display()
        elif (text := self.wait_to_tell()) is not None:
            _LOG.warning("%s", visible(text))


@dataclass
class Context:
    """A party's settings and keys, behind every function on its connection."""

    keyring: Keyring | None
    me: str | None = None
    session: str | None = None
    exchange: Exchange | None = None
    activity: Activity = field(default_factory=Activity)
    staging: Staging = field(default_factory=Staging)
    # Runs a query in a database and schema, on a connection apart; the engine sets it.
    look_up: Callable[[str, str, str, str], str | None] = lambda *texts: None
    # While a script's statement has to end.
    cancelled: threading.Event = field(default_factory=threading.Event)
    # What statements by hand wait for, by a handle.
    awaited: dict[int, Callable[[], str | None]] = field(default_factory=dict)
    _runs: int = 0  # scripts
    _cancels: int = 0
    _calls: int = 0  # functions that are at work
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def need_keyring(self) -> Keyring:
        """Return the keyring, or raise InvalidValue that says how to give one."""
        if self.keyring is None:
            raise InvalidValue(
                "this function needs a keyring: duckpriv.register(con, keyring='a folder') or "
                "duckpriv.connect(…, keyring='a folder')"
            )
        return self.keyring

    def need_session(self) -> str:
        """Return the session's name, or raise InvalidValue that says how to give one."""
        if self.session is None:
            raise InvalidValue(
                "this function needs a session, the name that both parties give to one run: write "
                "it into a script for 'duckpriv run', or in Python duckpriv.register(con, "
                "session='…') or duckpriv.connect(…, session='…')"
            )
        return self.session

    def blinding_secret(self) -> bytes:
        """Return the 32 bytes from which this session's blinds are derived."""
        # Two parties that are tried out with one keyring do not share it.
        owner = f"-{self.me}" if self.me else ""
        return self.need_keyring().secret(f"blinding-{self.need_session()}{owner}")

    def need_exchange(self) -> Exchange:
        """Return the exchange, or raise InvalidValue that says how to give one."""
        if self.exchange is None:
            raise InvalidValue(
                "sending and receiving needs an exchange, a session and your own name: write it "
                "into a script for 'duckpriv run', or in Python duckpriv.register(con, me='bank', "
                "exchange='dir:mailbox', session='s1')"
            )
        return self.exchange

    def cancel(self) -> None:
        """End what the functions do now, and the script that runs."""
        with self._changed:
            self._cancels += 1
            if self._runs:
                self.cancelled.set()

    @property
    def runs_script(self) -> bool:
        """Whether a script runs: its own thread ends its statements."""
        return self._runs > 0

    @contextmanager
    def script(self) -> Iterator[None]:
        """Within this a script runs, which `cancel` ends as a whole."""
        with self._changed:
            self._runs += 1
            self.cancelled.clear()
        try:
            yield
        finally:
            with self._changed:
                self._runs -= 1
                self.cancelled.clear()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Within this a function is at work, which `cancel` ends: `stopping.check` raises."""
        with self._changed:
            self._calls += 1
        try:
            with stopping.by(self.stopper()):
                yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def wait_for_calls(self, seconds: float) -> None:
        """Wait until no function is at work, but not for longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, seconds)

    def stopper(self) -> Callable[[], None]:
        """Return what raises Cancelled once the user has asked to stop what begins now."""
        before = self._cancels

        def stop() -> None:
            if self._cancels != before or self.cancelled.is_set():
                raise Cancelled(STOPPED)

        return stop

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled once the user has asked to stop what this thread does."""
        stopping.check()
        if self.cancelled.is_set():
            raise Cancelled(STOPPED)
