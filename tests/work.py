"""What a party does where its peers can time it, recorded while real scripts run.

A peer sees when a party's messages come. So it can time what stands between a message that the
party receives from it and the party's messages to it before the next one that it receives.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

import duckpriv
from duckpriv.journal import Journal, Position
from duckpriv.scripts import Statement
from tests.parties import Folder, at_once

# What each party runs, and with which settings.
Scripts = dict[str, tuple[str, dict[str, object]]]


@dataclass
class Step:
    """A statement, and what it did."""

    title: str
    operators: list[str] = field(default_factory=list)  # DuckDB's, with their numbers of rows
    calls: dict[str, list[int]] = field(default_factory=dict)  # the rows of each call, by function
    received: set[str] = field(default_factory=set)  # from which peers for the first time
    sent: set[str] = field(default_factory=set)
    seconds: float = 0.0  # of this process, without waiting for messages

    @property
    def work(self) -> list[str]:
        """The step as lines that are the same where the work is."""
        # Sorted: DuckDB begins a UNION ALL with either of its parts.
        calls = (f"{name}: calls with {sorted(n)} rows" for name, n in sorted(self.calls.items()))
        return [self.title, *self.operators, *calls]


def visible(steps: list[Step]) -> list[Step]:
    """Return the steps that a peer can time."""
    seen: set[int] = set()
    for peer in {peer for step in steps for peer in step.sent}:
        since: int | None = None
        for i, step in enumerate(steps):
            if peer in step.received:
                since = i
            if peer in step.sent and since is not None:
                seen.update(range(since, i + 1))
    return [steps[i] for i in sorted(seen)]


def run(folder: Folder, session: str, scripts: Scripts) -> dict[str, list[Step]]:
    """Run the parties' scripts together; return what each did, statement by statement."""
    recorders: dict[str, Recorder] = {}

    def work(me: str, script: str, settings: dict[str, object]) -> object:
        with folder.connect(me, session) as party:
            recorders[me] = Recorder(party)
            return party.run(script, **settings)

    with _journals_recorded(recorders):
        for result in at_once(*(partial(work, me, *what) for me, what in scripts.items())):
            if isinstance(result, BaseException):
                raise result
    return {me: recorder.steps for me, recorder in recorders.items()}


class Recorder:
    """Records the statements of a party's script."""

    def __init__(self, party: duckpriv.Party) -> None:
        self.steps: list[Step] = []
        self.con = party.con
        # One thread: then the rows of a table come to a function in the same portions every time.
        self.con.execute("SET threads = 1")
        self._known: set[tuple[str, str]] = set()
        self._waited = 0.0
        exchange, activity = party._exchange, party.activity
        self._open, self._receive, self._done = exchange.open, exchange.receive, activity.done
        exchange.open, exchange.receive = self._sends, self._receives  # type: ignore[method-assign]
        activity.done = self._calls  # type: ignore[method-assign]

    def _sends(self, peers: str, *rest: object) -> int:
        self.steps[-1].sent |= set(peers.split(","))
        return self._open(peers, *rest)

    def _receives(self, peers: tuple[str, ...], channel: str, *rest: object) -> object:
        new = {peer for peer in peers if (peer, channel) not in self._known}
        self._known |= {(peer, channel) for peer in new}
        self.steps[-1].received |= new
        started = time.process_time()
        received = self._receive(peers, channel, *rest)
        self._waited += time.process_time() - started
        return received

    def _calls(self, function: str, rows: int, seconds: float) -> None:
        calls = self.steps[-1].calls.setdefault(function, [])
        if not calls or not function.startswith("exchange_"):  # they look again while they wait
            calls.append(rows)
        self._done(function, rows, seconds)

    def record(
        self, statement: Statement, rows_of: Callable[[str], pa.Table | None], sql: str
    ) -> pa.Table | None:
        """Run a statement and add it to the steps."""
        step = Step(statement.title)
        self.steps.append(step)
        self._waited = 0.0
        self.con.execute("SET enable_profiling = 'no_output'")
        started = time.process_time()
        try:
            rows = rows_of(sql)
            step.seconds = time.process_time() - started - self._waited
            profile = json.loads(self.con.get_profiling_information() or "{}")
            step.operators = list(_operators(profile))
        finally:
            self.con.execute("PRAGMA disable_profiling")
        return rows


@contextmanager
def _journals_recorded(recorders: dict[str, Recorder]) -> Iterator[None]:
    """Let each statement of a script go through the recorder of its connection: a journal runs the
    statement itself between its own."""
    execute = Journal.execute

    def recorded(
        journal: Journal,
        position: Position,
        statement: Statement,
        rows_of: Callable[[str], pa.Table | None],
    ) -> pa.Table | None:
        (recorder,) = (r for r in recorders.values() if r.con is journal._con)
        return execute(journal, position, statement, partial(recorder.record, statement, rows_of))

    Journal.execute = recorded  # type: ignore[method-assign]
    try:
        yield
    finally:
        Journal.execute = execute  # type: ignore[method-assign]


def _operators(node: dict, depth: int = 0) -> Iterator[str]:
    """Yield the operators of a profile, whose fields have other names in DuckDB 1.5 than in 2.0."""
    name = node.get("name", node.get("operator_name"))
    if name is not None:
        rows = node.get("intermediate_rows", node.get("operator_cardinality"))
        scanned = node.get("rows_scanned", node.get("operator_rows_scanned", 0))
        yield f"{'  ' * depth}{name.strip()}: {rows} rows, scanned {scanned}"
    for child in node.get("operator", node.get("children", [])):
        yield from _operators(child, depth + 1)
