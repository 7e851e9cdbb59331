"""What a party's functions work with: who it is, its keys, its exchange."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ..errors import Cancelled, InvalidValue
from ..keyring import Keyring

# What DuckDB has as the number of a query where it reads one and runs none.
_NO_QUERY = 2**64 - 1


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

    def publish(self, handle: int, rows: int) -> Sent:
        """Finish a message and make it visible."""

    def may_receive(
        self, peers: tuple[str, ...], channel: str, columns: str, running: Running
    ) -> None:
        """Raise NotAccepted where nothing lets the party ask for these messages."""

    def receive(
        self, peer: str, channel: str, columns: str, protocol: str, parameters: str
    ) -> ReceivedFile:
        """Wait for a message and check it."""


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
        self.waiting_for, self.waiting_since = what, time.monotonic()


@dataclass
class Context:
    """A party's settings and keys, behind every function on its connection."""

    keyring: Keyring | None
    me: str | None = None
    session: str | None = None
    exchange: Exchange | None = None
    activity: Activity = field(default_factory=Activity)
    cancelled: threading.Event = field(default_factory=threading.Event)

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
                "this function needs a session, the name that both parties give to one run: "
                "duckpriv.register(con, session='…') or duckpriv.connect(…, session='…')"
            )
        return self.session

    def need_exchange(self) -> Exchange:
        """Return the exchange, or raise InvalidValue that says how to give one."""
        if self.exchange is None:
            raise InvalidValue(
                "sending and receiving needs an exchange, a session and your own name: "
                "duckpriv.register(con, me='bank', exchange='dir:mailbox', session='s1')"
            )
        return self.exchange

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled once the user has asked to stop."""
        if self.cancelled.is_set():
            raise Cancelled("stopped; the statement was not finished and nothing of it was kept")
