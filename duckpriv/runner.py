"""Runs a script for a party: one statement after the other, each a transaction of its own, with
what the script may send, progress, Ctrl-C, and a journal to go on from."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Protocol

import duckdb
import pyarrow as pa

from .audit import Audit
from .certain import SEND_PLAINLY, surely_runs
from .columns.context import Context
from .consent import Consent
from .ctrlc import CtrlC
from .disk import explained
from .engine import quoted
from .errors import (
    STOPPED,
    Cancelled,
    DuckprivError,
    ExchangeTimeout,
    InvalidValue,
    disk_errors_explained,
    from_text,
    translated,
)
from .exchange import FileExchange
from .journal import Journal, Position
from .result import Message, Result, Rows
from .scripts import Part, Script, Statement, bundled
from .sends import SENDS, Receive, Send

_POLL_SECONDS = 0.1
# A statement of a repeated part that was quicker is not asked how many rows it will read.
_WORTH_ESTIMATING = 1.0


class Observer(Protocol):
    """Who is told how a script goes on."""

    def start(self, statement: Statement) -> None:
        """A statement begins."""

    def tick(self) -> None:
        """Some time has passed; called about every tenth of a second."""


class Runner:
    """One run of one script."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        context: Context,
        exchange: FileExchange | None,
        audit: Audit,
        ctrl_c: CtrlC,
        observer: Observer | None,
        on_rows: Callable[[Statement, Rows], None] | None,
    ) -> None:
        self._con = con
        self._context = context
        self._exchange = exchange
        self._audit = audit
        self._ctrl_c = ctrl_c
        self._observer = observer
        self._on_rows = on_rows
        self._took: dict[str, float] = {}  # seconds that a statement took the last time

    def run(
        self,
        script: Script,
        values: dict[str, object],
        on_resume: Callable[[int, bool], None] | None,
    ) -> Result:
        """Run it, or go on where an earlier run was ended; return the rows of its last query."""
        started = time.monotonic()
        for statement in script.statements:
            refuse_unsure(statement.sql)
        consent = Consent(script, values, self._context.me)
        rows = self._rows(script, values, consent, on_resume)
        return Result(
            rows,
            script=script.name,
            sent=self._messages("sent", consent.sends, script),
            received=self._messages("received", consent.receives, script),
            seconds=time.monotonic() - started,
            next_step=script.next_step(values),
        )

    def _rows(
        self,
        script: Script,
        values: dict[str, object],
        consent: Consent,
        on_resume: Callable[[int, bool], None] | None,
    ) -> Rows:
        if self._exchange is None:
            return self._run(script, values, consent, None)
        with disk_errors_explained():
            journal = Journal(
                self._con, self._exchange, self._audit, self._context.need_keyring(), script, values
            )
        if on_resume and (journal.finished or journal.steps):
            on_resume(journal.steps, journal.finished)
        if not journal.finished:
            return self._run(script, values, consent, journal)
        self._exchange.say_finished(_role(script))  # peers may still wait, or think that we run
        return [] if journal.result is None else journal.result.to_pylist()

    def _run(
        self,
        script: Script,
        values: dict[str, object],
        consent: Consent,
        journal: Journal | None,
    ) -> Rows:
        provided = {
            "me": self._context.me,
            "session": self._context.session,
            "duckpriv_script": script.name,
        }
        result: Rows = []
        with ExitStack() as entered:
            entered.enter_context(self._announced(script))
            entered.callback(self._context.cancelled.clear)  # so that the peers are told
            entered.enter_context(self._letting_out([], []))
            entered.enter_context(_variables(self._con, values | provided))
            if journal is not None:
                with disk_errors_explained():
                    entered.enter_context(journal.running())
                if journal.result is not None:
                    result = journal.result.to_pylist()
            worker = entered.enter_context(ThreadPoolExecutor(1, "duckpriv-statement"))
            worker.submit(time.monotonic).result()  # its thread is there before it matters
            try:
                for position, statement in self._in_order(
                    script, journal.after if journal else None
                ):
                    self._context.stop_if_cancelled()
                    self._context.activity.start_statement()
                    if self._observer:
                        self._observer.start(statement)
                    with self._letting_out(consent.sends(statement), consent.receives(statement)):
                        rows = self._execute(worker, journal, position, statement)
                    if statement.shows_rows:
                        result = rows
                        if self._on_rows:
                            self._on_rows(statement, rows)
            except (DuckprivError, duckdb.Error) as error:
                if journal and not isinstance(error, (Cancelled, ExchangeTimeout)):
                    with suppress(duckdb.Error):  # what ends a run may also keep it from this
                        journal.give_up()
                raise
            if journal is not None:
                journal.finish()
        return result

    def _messages(
        self, direction: str, of: Callable[[Statement], Sequence[Receive]], script: Script
    ) -> list[Message]:
        """Return what the script has moved in this session, also before it was interrupted."""
        if self._exchange is None:
            return []
        its = {one for statement in script.statements for one in of(statement)}
        return [
            message
            for message in self._audit.messages(self._exchange.session, direction)
            if any(one.allows((message.peer,), message.channel) for one in its)
        ]

    def _in_order(
        self, script: Script, after: Position | None
    ) -> Iterator[tuple[Position, Statement]]:
        """Yield the statements behind `after` as the conditions of their parts have it; of those
        before, only what is about the connection."""
        for number, part in enumerate(script.parts):
            if after and number < after.part:
                for index, statement in enumerate(part.statements):
                    if statement.about_connection:
                        yield Position(number, 0, index), statement
                continue
            entered = after is not None and number == after.part
            round_ = after.round if after and entered else 0
            received = self._exchange.received() if self._exchange else frozenset()
            if entered:
                yield from self._round(part, number, round_, after)
            if part.repeats:
                while self._holds(part.condition):
                    round_ += 1
                    yield from self._round(part, number, round_, None)
                    self._forget(received)
                self._forget(received)
            elif not entered and (part.condition is None or self._holds(part.condition)):
                yield from self._round(part, number, 0, None)

    def _forget(self, but: frozenset[tuple[str, str, bool]]) -> None:
        if self._exchange:
            self._exchange.forget(but)

    def _round(
        self, part: Part, number: int, round_: int, after: Position | None
    ) -> Iterator[tuple[Position, Statement]]:
        for index, statement in enumerate(part.statements):
            if after is None or index > after.statement or statement.about_connection:
                title = (
                    f"{part.name} {round_}: {statement.title}" if part.repeats else statement.title
                )
                yield Position(number, round_, index), replace(statement, title=title)

    def _holds(self, condition: str | None) -> bool:
        try:
            return bool(self._con.execute(f"SELECT {condition}").fetchall()[0][0])
        except duckdb.Error as error:
            raise from_text(str(error)) or error from None

    @contextmanager
    def _letting_out(self, sends: list[Send], receives: list[Receive]) -> Iterator[None]:
        """Let only these messages out, and be asked for."""
        with ExitStack() as entered:
            if self._exchange is not None:
                entered.enter_context(self._exchange.permission.only(sends, receives))
            yield

    @contextmanager
    def _announced(self, script: Script) -> Iterator[None]:
        """Tell the peers that this party runs, and how it ended."""
        if self._exchange is None:
            yield
            return
        with self._exchange.running(_role(script)):
            yield

    def _execute(
        self,
        worker: ThreadPoolExecutor,
        journal: Journal | None,
        position: Position,
        statement: Statement,
    ) -> Rows:
        """Run one statement in a thread, so that this one can show progress and be interrupted."""
        started = time.monotonic()

        def rows_of(sql: str) -> pa.Table | None:
            if statement.shows_rows:
                return self._con.sql(sql).to_arrow_table()
            self._con.execute(sql).fetchall()  # it binds once, and con.sql twice
            return None

        def work() -> Rows:
            if (
                self._observer
                and self._took.get(statement.sql, _WORTH_ESTIMATING) >= _WORTH_ESTIMATING
            ):
                self._context.activity.expected_rows = _estimated_rows(self._con, statement.sql)
            if journal is None:
                table = rows_of(statement.sql)
            else:
                table = journal.execute(position, statement, rows_of)
            return [] if table is None else table.to_pylist()

        outcome: Future[Rows] = Future()

        def once() -> None:
            if outcome.done() or not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(work())
            except BaseException as error:
                outcome.set_exception(error)

        # Ctrl-C may come at any point here. The statement has to end before anything else uses the
        # connection, and to begin once or not at all: it is handed over again where that failed.
        interrupted: BaseException | None = None
        handed_over = False
        while not outcome.done():
            try:
                if not handed_over:
                    worker.submit(once)
                    handed_over = True
                wait((outcome,), _POLL_SECONDS)
                if interrupted is None:
                    self._context.stop_if_cancelled()
                    if self._ctrl_c.pressed():
                        raise Cancelled(STOPPED)
                if self._exchange is not None:
                    self._exchange.beat()
                if self._observer:
                    self._observer.tick()
            except BaseException as error:  # Ctrl-C, `cancel`, or the observer's
                interrupted = error
                outcome.cancel()
                self._context.cancelled.set()
                self._con.interrupt()
        self._took[statement.sql] = time.monotonic() - started
        cancelled = self._context.cancelled.is_set()
        self._context.cancelled.clear()
        if interrupted and outcome.cancelled():
            raise interrupted
        failure = outcome.exception()
        if cancelled and isinstance(failure, duckdb.InterruptException):
            # `cancel` ended the statement before this thread looked.
            interrupted = interrupted or Cancelled(STOPPED)
        if failure is not None:
            if self._exchange is not None:
                self._exchange.discard()
                with suppress(duckdb.Error):  # there may be no room; `close` tries again
                    self._audit.catch_up(self._exchange.moved)
            if isinstance(failure, duckdb.Error):
                raise interrupted or translated(failure) from None
            if isinstance(failure, OSError):
                raise interrupted or DuckprivError(explained(failure)) from None
            raise interrupted or from_text(str(failure)) or failure from None
        if interrupted:
            raise interrupted
        return outcome.result()


def refuse_unsure(sql: str) -> None:
    """Raise InvalidValue where a statement may succeed and not send what stands in it. The exchange
    does so too, where DuckDB asks it; of a query in WITH that nothing reads it never does."""
    if not surely_runs(sql, SENDS):
        raise InvalidValue(
            f"'{' '.join(sql.split())[:60]}' might succeed and send nothing: {SEND_PLAINLY}"
        )


def _role(script: Script) -> str | None:
    """Return the name of a script that two parties never both run: a bundled one that names one
    peer."""
    one_peer = "peer" in (variable.name for variable in script.variables)
    return script.name if one_peer and script.name in bundled() else None


def _estimated_rows(con: duckdb.DuckDBPyConnection, sql: str) -> int | None:
    """Return how many rows DuckDB expects to read at most, for the progress display.

    A statement that receives is not asked: it says how many rows it has once they are here.
    """
    if "exchange_recv" in sql:
        return None
    query = re.sub(r"^CALL\b", "FROM", sql, flags=re.IGNORECASE)
    try:
        plan = str(con.execute(f"EXPLAIN {query}").fetchall())
    except duckdb.Error:  # not to be explained, or wrong: running it will tell
        return None
    return max(
        (int(rows.replace(",", "")) for rows in re.findall(r"~([\d,]+) row", plan)), default=None
    )


@contextmanager
def _variables(con: duckdb.DuckDBPyConnection, values: dict[str, object]) -> Iterator[None]:
    """Set variables, and give back at the end what the connection had before."""

    def names() -> list[str]:
        return [name for (name,) in con.execute("SELECT name FROM duckdb_variables()").fetchall()]

    def put(name: str, value: object) -> None:
        con.execute(f"SET VARIABLE {quoted(name)} = $1", [value])

    before = {name: con.execute("SELECT getvariable($1)", [name]).fetchall() for name in names()}
    try:
        for name, value in values.items():
            put(name, value)
        yield
    finally:
        for name in names():
            if name in before:
                put(name, before[name][0][0])
            else:
                con.execute(f"RESET VARIABLE {quoted(name)}")
