"""A party: a DuckDB connection with duckpriv's functions, a keyring, an exchange, scripts."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import duckdb
import platformdirs
import pyarrow as pa

from .audit import Audit
from .certain import SEND_PLAINLY, surely_runs
from .columns.context import Activity, Context
from .connection import plain_settings, refuse_without_files
from .consent import Consent
from .ctrlc import CtrlC
from .database import open_database, refuse_read_only, refuse_transaction, with_remedy
from .disk import explained
from .engine import extend_search_path, install, literal, quoted
from .errors import (
    STOPPED,
    Cancelled,
    DuckprivError,
    ExchangeTimeout,
    InvalidValue,
    disk_errors_explained,
    from_text,
    interruptible,
    translated,
)
from .exchange import FileExchange, Limits, Manifest, open_exchange
from .exchange import serve as serve_mailbox
from .exchange.addresses import DEFAULT_TIMEOUT
from .exchange.exchange import DEFAULT_SILENCE
from .exchange.folder import Folder
from .journal import Journal, Position
from .keyring import Keyring
from .names import check_name
from .scripts import PROVIDED, Part, Script, Statement, bundled, load
from .sends import SENDS, Receive, Send

if TYPE_CHECKING:
    from .exchange.server import MailboxServer

# The rows of a query: a dictionary each, by column name.
Rows = list[dict[str, object]]

_POLL_SECONDS = 0.1
# A statement of a repeated part that was quicker is not asked how many rows it will read.
_WORTH_ESTIMATING = 1.0
# How long `close` waits for functions that it has ended.
_END_SECONDS = 2.0
_LOG = logging.getLogger("duckpriv")


def default_keyring() -> Path:
    """Return `$DUCKPRIV_KEYRING`, or the keyring in the user's configuration folder."""
    return Path(
        os.environ.get("DUCKPRIV_KEYRING") or platformdirs.user_config_path("duckpriv") / "keyring"
    )


class Observer(Protocol):
    """Who is told how a script goes on."""

    def start(self, statement: Statement) -> None:
        """A statement begins."""

    def tick(self) -> None:
        """Some time has passed; called about every tenth of a second."""


class Party:
    """One organisation's side of a session. Made by `connect` or `register`.

    `con` is an ordinary DuckDB connection with duckpriv's functions. A party is a context
    manager; leaving it discards unfinished messages, and closes `con` if `connect` opened it.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        context: Context,
        exchange: FileExchange | None,
        server: MailboxServer | None,
        owns: bool,
    ) -> None:
        self.con = con
        self._context = context
        self._exchange = exchange
        self._server = server
        self._owns = owns
        self._audit = Audit(con, context.me or "")
        if exchange is not None:
            exchange.know(*self._audit.moved(exchange.session))
            exchange.keep_record = self._keep_record
        self._ctrl_c = CtrlC()
        self._took: dict[str, float] = {}  # seconds that a statement took the last time

    @property
    def keyring(self) -> Keyring:
        """The party's keyring."""
        return self._context.need_keyring()

    @property
    def activity(self) -> Activity:
        """What the party's functions are doing, for a progress display."""
        return self._context.activity

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Run SQL, as `con.sql` does; duckpriv's errors come as their own classes.

        A relation is lazy: an error of a function may come when its rows are fetched, then as
        DuckDB's exception. `duckpriv.errors.from_text` finds ours in its text.
        """
        _refuse_unsure(query)
        try:
            with self._reading(query):
                return self.con.sql(query)
        except duckdb.Error as error:
            raise with_remedy(self.con, translated(error)) from None

    @interruptible()
    def run(
        self,
        script: str | Script,
        *,
        observer: Observer | None = None,
        on_rows: Callable[[Statement, Rows], None] | None = None,
        on_resume: Callable[[int, bool], None] | None = None,
        **variables: object,
    ) -> Rows:
        """Run a bundled script ('psi/host'), a file, or what `scripts.load` made of one; return the
        rows of its last query.

        `variables` are set as DuckDB variables; a script says at its top which it takes. A frame of
        pandas, Polars or Arrow, or a relation, can be given as `table`, and a list of names where
        several columns are named.
        Each statement is a transaction of its own. On an error or Ctrl-C the statement
        that runs is undone, and messages that were begun are deleted. Afterwards the connection's
        variables are as before, and the script's working tables (TEMP) are gone. It sends only what
        `duckpriv run --dry-run` lists (`consent.py`); anything else raises NotAccepted.

        With an exchange, a journal in the database (`journal.py`) lets the same call go on after
        the last finished statement, also if the process was killed: then `on_resume` is called
        with the number of finished statements, and with whether all were, so that only their
        result is returned. A run that has sent nothing begins anew if it failed or was finished.

        Raises a DuckprivError, DuckDB's own error (a missing table), or KeyboardInterrupt.
        """
        refuse_transaction(self.con)
        refuse_read_only(self.con, writes=self._exchange is not None)
        try:
            with (
                plain_settings(self.con),
                _frames_as_views(self.con, variables) as named,
                self._context.script(),
                CtrlC() as ctrl_c,
            ):
                self._ctrl_c = ctrl_c
                return self._run_script(script, observer, on_rows, on_resume, named)
        except duckdb.Error as error:
            raise with_remedy(self.con, error) from None

    def cancel(self) -> None:
        """End what this party does, from another thread: a wait, a transfer, a script, a statement
        on `con`. It raises Cancelled where it runs, or duckdb.InterruptException; what is on
        another cursor and none of duckpriv's functions, DuckDB's `interrupt` ends. Without effect
        where nothing runs. Afterwards the party goes on as after any error.
        """
        self._context.cancel()
        with suppress(duckdb.Error):  # the connection may be closed
            self.con.interrupt()

    def _run_script(
        self,
        script: str | Script,
        observer: Observer | None,
        on_rows: Callable[[Statement, Rows], None] | None,
        on_resume: Callable[[int, bool], None] | None,
        variables: dict[str, object],
    ) -> Rows:
        parsed = script if isinstance(script, Script) else load(script)
        for name in PROVIDED:
            if name in variables:
                raise InvalidValue(f"'{name}' is set when the party connects, not by run()")
        values = parsed.values({name: _as_variable(value) for name, value in variables.items()})
        parsed = parsed.with_tables(values)
        for statement in parsed.statements:
            _refuse_unsure(statement.sql)
        extend_search_path(self.con)
        if self._exchange is None:
            return self._run(parsed, values, None, observer, on_rows)
        refuse_without_files(self.con)
        with disk_errors_explained():
            journal = Journal(self.con, self._exchange, self._audit, self.keyring, parsed, values)
        if on_resume and (journal.finished or journal.steps):
            on_resume(journal.steps, journal.finished)
        if not journal.finished:
            result = self._run(parsed, values, journal, observer, on_rows)
        else:
            result = [] if journal.result is None else journal.result.to_pylist()
            if self._exchange is not None:  # peers may still wait, or think that we run
                self._exchange.say_finished(_role(parsed))
        if self._server is not None:
            with suppress(KeyboardInterrupt, Cancelled):
                self._exchange.linger(observer.tick if observer else lambda: None)
        return result

    def _run(
        self,
        script: Script,
        values: dict[str, object],
        journal: Journal | None,
        observer: Observer | None,
        on_rows: Callable[[Statement, Rows], None] | None,
    ) -> Rows:
        provided = {
            "me": self._context.me,
            "session": self._context.session,
            "duckpriv_script": script.name,
        }
        consent = Consent(script, values, self._context.me)
        result: Rows = []
        with ExitStack() as entered:
            entered.enter_context(self._announced(script))
            entered.callback(self._context.cancelled.clear)  # so that the peers are told
            entered.enter_context(self._letting_out([], []))
            entered.enter_context(_variables(self.con, values | provided))
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
                    if observer:
                        observer.start(statement)
                    with self._letting_out(consent.sends(statement), consent.receives(statement)):
                        rows = self._execute(worker, journal, position, statement, observer)
                    if statement.shows_rows:
                        result = rows
                        if on_rows:
                            on_rows(statement, rows)
            except (DuckprivError, duckdb.Error) as error:
                if journal and not isinstance(error, (Cancelled, ExchangeTimeout)):
                    with suppress(duckdb.Error):  # what ends a run may also keep it from this
                        journal.give_up()
                raise
            if journal is not None:
                journal.finish()
        return result

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
            return bool(self.con.execute(f"SELECT {condition}").fetchall()[0][0])
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
    def _reading(self, query: str) -> Iterator[None]:
        with ExitStack() as entered:
            if self._exchange is not None:
                entered.enter_context(self._exchange.permission.reading(query))
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
        observer: Observer | None,
    ) -> Rows:
        """Run one statement in a thread, so that this one can show progress and be interrupted."""
        started = time.monotonic()

        def rows_of(sql: str) -> pa.Table | None:
            if statement.shows_rows:
                return self.con.sql(sql).to_arrow_table()
            self.con.execute(sql).fetchall()  # it binds once, and con.sql twice
            return None

        def work() -> Rows:
            if observer and self._took.get(statement.sql, _WORTH_ESTIMATING) >= _WORTH_ESTIMATING:
                self.activity.expected_rows = _estimated_rows(self.con, statement.sql)
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
                if observer:
                    observer.tick()
            except BaseException as error:  # Ctrl-C, `cancel`, or the observer's
                interrupted = error
                outcome.cancel()
                self._context.cancelled.set()
                self.con.interrupt()
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
                    self._record()
            if isinstance(failure, duckdb.Error):
                raise interrupted or translated(failure) from None
            if isinstance(failure, OSError):
                raise interrupted or DuckprivError(explained(failure)) from None
            raise interrupted or from_text(str(failure)) or failure from None
        if interrupted:
            raise interrupted
        return outcome.result()

    def _record(self) -> None:
        """Bring the audit table up to date, in the connection's own transaction."""
        if self._exchange is not None:
            self._audit.forget()
            self._audit.record(self._exchange.moved)
            self._exchange.moved.clear()

    def _keep_record(self, messages: Sequence[Manifest]) -> bool:
        """Note in the audit table what a statement by hand has moved; return whether that could
        be."""
        try:
            self._audit.record_apart(messages)
        except duckdb.Error as error:  # such as a database that is read only
            _LOG.warning(
                "a message was moved, and duckpriv_audit does not have it (%s)",
                type(error).__name__,
            )
            return False
        return True

    @interruptible()
    def close(self) -> None:
        """End what the party does, discard unfinished messages and received copies, and close an
        own connection."""
        self._context.cancel()
        if self._owns:
            with suppress(duckdb.Error):  # it may be closed
                self.con.interrupt()
        self._context.wait_for_calls(_END_SECONDS)
        if self._exchange is not None:
            with suppress(duckdb.Error):  # the connection may be closed, or in a transaction
                self._record()
            self._exchange.close()
        if self._server is not None:
            self._server.close()
        if self._owns:
            self._close_connection()

    def _close_connection(self) -> None:
        """A call that was ended a moment ago may still be on its way out of DuckDB."""
        until = time.monotonic() + _END_SECONDS
        while True:
            try:
                return self.con.close()
            except duckdb.Error:
                if time.monotonic() > until:
                    raise
            time.sleep(_POLL_SECONDS)

    def __enter__(self) -> Party:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@interruptible()
def connect(
    database: str | os.PathLike[str] = ":memory:",
    *,
    me: str | None = None,
    exchange: str | None = None,
    keyring: str | os.PathLike[str] | None = None,
    session: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    silence: float = DEFAULT_SILENCE,
    serve: str | None = None,
    limits: Limits | None = None,
    unprotected: bool = False,
    passphrase: str | None = None,
) -> Party:
    """Open a DuckDB database with duckpriv's functions, as party `me` of `session`.

    `exchange` is `dir:` and a folder that the peers see too, or `grpc+tls://HOST:PORT` where a peer
    serves its mailbox; it needs `me` and `session`. `serve` is an address of that form, at which
    the peers that you trust can use your own `dir:` meanwhile; `run` then ends when they have.
    `keyring` is a folder for keys, by default `$DUCKPRIV_KEYRING` or in the user's
    configuration folder. `timeout` is how many seconds to wait for one message, and
    `silence` how many for a sign of life from a peer that was running; `limits` are those of
    received messages. Messages are encrypted to their receivers and signed, with the identities
    that `Keyring.create_identity` made and `Keyring.trust` trusts; `unprotected`, for trials only,
    leaves that out. `passphrase` opens a keyring that has one, or protects a new one. Without
    exchange, the functions that only compute work.
    """
    keys = Keyring(keyring or default_keyring(), passphrase)
    context = _context(keys, me, session)
    con = open_database(database)
    try:
        return _join(
            *(con, context, exchange, timeout, silence, serve, limits, unprotected),
            owns=True,
            new=database == ":memory:",
        )
    except BaseException:
        con.close()
        raise


@interruptible()
def register(
    con: duckdb.DuckDBPyConnection,
    *,
    me: str | None = None,
    exchange: str | None = None,
    keyring: str | os.PathLike[str] | None = None,
    session: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    silence: float = DEFAULT_SILENCE,
    serve: str | None = None,
    limits: Limits | None = None,
    unprotected: bool = False,
    passphrase: str | None = None,
) -> Party:
    """Put duckpriv's functions on a connection of your own; the settings are `connect`'s.

    Call it on the root connection, which has to outlive its cursors: registering on a cursor
    that is then dropped crashes DuckDB 2.0. A cursor sees the functions as
    `duckpriv.rsa_blind(…)`, or short after `SET search_path`; so does the connection itself
    after USE. A second call replaces the settings, for a new session. The functions stand in an
    attached in-memory database named duckpriv; into your own one goes the table duckpriv_audit,
    once messages are moved, what a running script needs (`journal.py`), and the ledger
    duckpriv_releases of what scripts released.
    """
    context = _context(Keyring(keyring or default_keyring(), passphrase), me, session)
    return _join(
        *(con, context, exchange, timeout, silence, serve, limits, unprotected),
        owns=False,
        new=False,
    )


def _context(keyring: Keyring, me: str | None, session: str | None) -> Context:
    if me is not None:
        check_name("your own name (me)", me)
    if session is not None:
        check_name("the session", session)
    return Context(keyring, me, session)


def _join(
    con: duckdb.DuckDBPyConnection,
    context: Context,
    exchange: str | None,
    timeout: float,
    silence: float,
    serve: str | None,
    limits: Limits | None,
    unprotected: bool,
    owns: bool,
    new: bool,
) -> Party:
    opened = server = None
    refuse_transaction(con)
    refuse_read_only(con, writes=exchange is not None)
    if exchange is not None:
        refuse_without_files(con)
        with disk_errors_explained():
            opened = open_exchange(exchange, context, timeout, silence, unprotected, limits)
        context.exchange = opened
    try:
        if opened is not None and isinstance(opened.mailbox, Folder):
            opened.mailbox.need_writable()
        if serve is not None:
            if exchange is None or opened is None or unprotected:
                raise InvalidValue("to serve a mailbox needs an exchange, and protected messages")
            server = serve_mailbox(exchange, serve, context.need_keyring(), opened.me, limits)
        install(con, context, new)
        return Party(con, context, opened, server, owns)
    except BaseException:
        if server is not None:
            server.close()
        if opened is not None:
            opened.close()
        raise


def _role(script: Script) -> str | None:
    """Return the name of a script that two parties never both run: a bundled one that names one
    peer."""
    one_peer = "peer" in (variable.name for variable in script.variables)
    return script.name if one_peer and script.name in bundled() else None


def _refuse_unsure(sql: str) -> None:
    """Raise InvalidValue where a statement may succeed and not send what stands in it. The exchange
    does so too, where DuckDB asks it; of a query in WITH that nothing reads it never does."""
    if not surely_runs(sql, SENDS):
        raise InvalidValue(
            f"'{' '.join(sql.split())[:60]}' might succeed and send nothing: {SEND_PLAINLY}"
        )


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


def _as_variable(value: object) -> object:
    """A list of columns is written with commas between, as on the command line."""
    if isinstance(value, (list, tuple)):
        return ",".join(
            quoted(name) if re.search('[",]', name) else name for name in map(str, value)
        )
    return literal(str(value)) if isinstance(value, Path) else value


@contextmanager
def _frames_as_views(
    con: duckdb.DuckDBPyConnection, variables: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Give each frame among the values a name that SQL can use."""
    frames = {f"duckpriv_frame_{n}": (n, v) for n, v in variables.items() if _is_frame(v)}
    try:
        for view, (_, frame) in frames.items():
            con.register(view, frame)
        yield variables | {name: view for view, (name, _) in frames.items()}
    finally:
        for view in frames:
            with suppress(duckdb.Error):  # the connection may be closed
                con.unregister(view)


def _is_frame(value: object) -> bool:
    kind = type(value)
    return (
        hasattr(kind, "__arrow_c_stream__")
        or isinstance(value, duckdb.DuckDBPyRelation)
        or kind.__name__ in ("DataFrame", "LazyFrame")
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
