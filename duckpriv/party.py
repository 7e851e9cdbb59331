"""A party: a DuckDB connection with duckpriv's functions, a keyring, an exchange."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import duckdb
import platformdirs

from .audit import Audit
from .columns.context import Activity, Context
from .connection import plain_settings, refuse_without_files
from .ctrlc import CtrlC
from .database import open_database, refuse_read_only, refuse_transaction, with_remedy
from .engine import extend_search_path, install
from .errors import Cancelled, InvalidValue, disk_errors_explained, interruptible, translated
from .exchange import FileExchange, Limits, Manifest, open_exchange
from .exchange import serve as serve_mailbox
from .exchange.addresses import DEFAULT_TIMEOUT
from .exchange.exchange import DEFAULT_SILENCE
from .exchange.mailbox.folder import Folder
from .keyring import Keyring
from .names import check_name
from .progress import progress_of
from .result import Result, Rows
from .runner import Observer, Runner, refuse_unsure
from .scripts import PROVIDED, Script, Statement, load
from .settings import typed
from .values import as_variables

if TYPE_CHECKING:
    from .exchange.network.server import MailboxServer

_POLL_SECONDS = 0.1
# How long `close` waits for functions that it has ended.
_END_SECONDS = 2.0
_LOG = logging.getLogger("duckpriv")
_ONE_SESSION = threading.Lock()


def default_keyring() -> Path:
    """Return `$DUCKPRIV_KEYRING`, or the keyring in the user's configuration folder."""
    return Path(
        os.environ.get("DUCKPRIV_KEYRING") or platformdirs.user_config_path("duckpriv") / "keyring"
    )


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
        refuse_unsure(query)
        try:
            with self._reading(query):
                return self.con.sql(query)
        except duckdb.Error as error:
            raise with_remedy(self.con, translated(error)) from None

    @typed
    def run(
        self,
        script: str | os.PathLike[str] | Script,
        *,
        observer: Observer | None = None,
        on_rows: Callable[[Statement, Rows], None] | None = None,
        on_resume: Callable[[int, bool], None] | None = None,
        progress: bool | None = None,
        **variables: object,
    ) -> Result:
        """Run a bundled script ('psi/host'), a file, or what `scripts.load` made of one; return the
        rows of its last query, and in `sent`, `received`, `seconds` and `next_step` more about it.

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

        A notebook shows how far it is, unless `progress` is False or there is an `observer`;
        elsewhere `progress=True` does so on standard error.

        Raises a DuckprivError, DuckDB's own error (a missing table), or KeyboardInterrupt.
        """
        options = (observer, on_rows, on_resume, progress)
        return self._run(self._context.stopper(), script, *options, variables)

    @typed
    async def arun(
        self,
        script: str | os.PathLike[str] | Script,
        *,
        observer: Observer | None = None,
        on_rows: Callable[[Statement, Rows], None] | None = None,
        on_resume: Callable[[int, bool], None] | None = None,
        progress: bool | None = None,
        **variables: object,
    ) -> Result:
        """Run a script as `run` does, in another thread: `await party.arun(…)`. Where the task is
        cancelled, the run is, and has ended before CancelledError is raised."""
        import asyncio  # whoever awaits has it; others need not load it

        options = (observer, on_rows, on_resume, progress)
        call = partial(self._run, self._context.stopper(), script, *options, variables)
        # As `asyncio.to_thread`, but no task, which a loop that ends would cancel beside this one.
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        running = loop.run_in_executor(None, context.run, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if not running.done():
                self.cancel()
            while not running.done():
                with suppress(asyncio.CancelledError):  # once more
                    await asyncio.wait((running,))
            running.exception()  # what it raised is of no use to anybody any more
            raise

    @interruptible()
    def _run(
        self,
        stop: Callable[[], None],
        script: str | os.PathLike[str] | Script,
        observer: Observer | None,
        on_rows: Callable[[Statement, Rows], None] | None,
        on_resume: Callable[[int, bool], None] | None,
        progress: bool | None,
        variables: dict[str, object],
    ) -> Result:
        refuse_transaction(self.con)
        refuse_read_only(self.con, writes=self._exchange is not None)
        try:
            with (
                plain_settings(self.con),
                as_variables(self.con, variables) as given,
                self._context.script(),
                CtrlC() as ctrl_c,
            ):
                stop()  # `cancel` may have been called before
                parsed = script if isinstance(script, Script) else load(script)
                values = _values(parsed, given)
                parsed = parsed.with_tables(values)
                extend_search_path(self.con)
                if self._exchange is not None:
                    refuse_without_files(self.con)
                with progress_of(
                    *(self.activity, self._context.me or "duckpriv", parsed.name),
                    False if observer else progress,
                ) as display:
                    observer = observer or display
                    runner = Runner(
                        *(self.con, self._context, self._exchange, self._audit),
                        *(ctrl_c, observer, on_rows),
                    )
                    result = runner.run(parsed, values, on_resume)
                    if self._exchange is not None and self._server is not None:
                        with suppress(KeyboardInterrupt, Cancelled):
                            self._exchange.linger(observer.tick if observer else lambda: None)
                return result
        except duckdb.Error as error:
            raise with_remedy(self.con, error) from None

    @contextmanager
    def in_session(
        self,
        cursor: duckdb.DuckDBPyConnection,
        session: str,
        exchange: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        silence: float = DEFAULT_SILENCE,
        unprotected: bool = False,
    ) -> Iterator[Party]:
        """Join a session on a cursor of this connection, while others go on with the functions:
        for a host of many threads, such as dbt. One session at a time; the settings are
        `connect`'s."""
        context = self._context
        check_name("the session", session)
        with _ONE_SESSION:
            if context.session is not None or context.exchange is not None:
                raise InvalidValue(
                    f"this party is in the session '{context.session}'; end that one first"
                )
            context.session = session
        try:
            opened = _opened(exchange, context, timeout, silence, unprotected, None)
            context.exchange = opened
            try:
                party = Party(cursor, context, opened, None, owns=False)
            except BaseException:
                opened.close()
                raise
            try:
                yield party
            finally:
                party._leave()
        finally:
            context.session = context.exchange = None

    def cancel(self) -> None:
        """End what this party does, from another thread: a wait, a transfer, a script, a statement
        on `con`. It raises Cancelled where it runs, or duckdb.InterruptException; what is on
        another cursor and none of duckpriv's functions, DuckDB's `interrupt` ends. Without effect
        where nothing runs. Afterwards the party goes on as after any error.
        """
        self._context.cancel()
        with suppress(duckdb.Error):  # the connection may be closed
            self.con.interrupt()

    @contextmanager
    def _reading(self, query: str) -> Iterator[None]:
        with ExitStack() as entered:
            if self._exchange is not None:
                entered.enter_context(self._exchange.permission.reading(query))
            yield

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
        self._leave()
        if self._server is not None:
            self._server.close()
        if self._owns:
            self._close_connection()

    def _leave(self) -> None:
        if self._exchange is not None:
            with suppress(duckdb.Error):  # the connection may be closed, or in a transaction
                self._audit.catch_up(self._exchange.moved)
            self._exchange.close()

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

    `exchange` is `dir:` and a folder that the peers see too, an object store's `s3://BUCKET/PREFIX`
    (or `gs:`, `az:`), or `grpc+tls://HOST:PORT` where a peer serves its mailbox; it needs `me` and
    `session`. `serve` is an address of the last form, at which
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
    that is then dropped crashes DuckDB 2.0. Every cursor finds the functions as
    `duckpriv.rsa_blind(…)`; the connection itself also by their bare names, until USE. A second
    call replaces the settings, for a new session. The functions stand in an attached in-memory
    database named duckpriv; into your own one goes the table duckpriv_audit, once messages are
    moved, what a running script needs (`journal.py`), and the ledger duckpriv_releases of what
    scripts released.
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
        opened = _opened(exchange, context, timeout, silence, unprotected, limits)
        context.exchange = opened
    try:
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


def _opened(
    exchange: str,
    context: Context,
    timeout: float,
    silence: float,
    unprotected: bool,
    limits: Limits | None,
) -> FileExchange:
    with disk_errors_explained():
        opened = open_exchange(exchange, context, timeout, silence, unprotected, limits)
    try:
        if isinstance(opened.mailbox, Folder):
            opened.mailbox.need_writable()
    except BaseException:
        opened.close()
        raise
    return opened


def _values(script: Script, variables: dict[str, object]) -> dict[str, object]:
    for name in PROVIDED:
        if name in variables:
            raise InvalidValue(f"'{name}' is set when the party connects, not by run()")
    return script.values(variables)
