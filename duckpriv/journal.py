"""The journal of a script's run, in the party's own database: what lets a run go on after a kill.

A statement, its row in the journal, the audit of what it moved, the variables, and the working
tables that it made are one transaction. Its messages wait in the outbox, already sealed, and go to
the carrier once that transaction is committed; keys that it made are marked until then
(`keys/unfinished.py`). So whatever a peer has seen is of a statement that is finished, and a
finished statement is never run again: no message is made twice with other randomness.

The rows are only believed where this party wrote them: each has a MAC under a secret of the
keyring, over itself and the row before. A database that comes from somebody else, or a script that
writes into these tables, could otherwise name any file or text as a message to be delivered again.

Working tables (TEMP in the script) stand in a schema of the run's own while it goes on, since
DuckDB forgets temporary tables when the process ends.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .audit import TABLE as AUDIT
from .audit import Audit
from .connection import roll_back
from .crypto.hashing import labelled
from .disk import python_path
from .engine import has_table, literal, quoted
from .errors import InvalidValue
from .exchange import FileExchange
from .exchange.mailbox.outbox import clear, remove_empty
from .keyring import Keyring
from .keys import Unfinished
from .parser import statements
from .scripts import GAP, Script, Statement

RUNS, STATEMENTS = "duckpriv_runs", "duckpriv_journal"
_COLUMNS = {
    RUNS: "run VARCHAR, session VARCHAR, script VARCHAR, settings VARCHAR, text_sha256 VARCHAR, "
    "state VARCHAR, began_at TIMESTAMP, ended_at TIMESTAMP, messages BIGINT, result BLOB, mac BLOB",
    STATEMENTS: "run VARCHAR, step BIGINT, part BIGINT, round BIGINT, statement BIGINT, "
    "title VARCHAR, finished_at TIMESTAMP, messages VARCHAR[], made VARCHAR[], removed VARCHAR[], "
    "result BLOB, mac BLOB",
}
_NAMES = {
    table: [column.split()[0] for column in columns.split(", ")]
    for table, columns in _COLUMNS.items()
}
_RUN = re.compile("[0-9a-f]{16}")
_OURS = re.compile(rf"\b({RUNS}|{STATEMENTS}|{AUDIT})\b", re.IGNORECASE)
_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.CALL)
_VARIABLES = "duckpriv_variables"
_QUICK = 0.5  # seconds
_GAP = f"{GAP}+"
_TEMPORARY = re.compile(
    rf"(CREATE{_GAP}(?:OR{_GAP}REPLACE{_GAP})?)TEMP(?:ORARY)?{_GAP}"
    rf"((?:TABLE|VIEW|MACRO|FUNCTION|SEQUENCE|TYPE){_GAP}(?:IF{_GAP}NOT{_GAP}EXISTS{_GAP})?)"
    r"(\w++|\"(?:[^\"]|\"\")+\")(?!\s*\.)",
    re.IGNORECASE | re.DOTALL,
)
_ANY_TEMPORARY = re.compile(
    rf"CREATE{_GAP}(?:OR{_GAP}REPLACE{_GAP})?(?:TEMP|TEMPORARY|LOCAL)\b", re.IGNORECASE | re.DOTALL
)
_CHECK = re.compile(r"SELECT\s+require(_\w+)?\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Position:
    """A place in a script: the number of a part, of its round, and of a statement in it."""

    part: int
    round: int
    statement: int


@dataclass(frozen=True)
class _Past:
    """What the rows of a run say, once their MACs are right."""

    last: dict[str, Any] | None  # statement that is finished
    result: bytes | None  # of the last query, as `_stored` has it
    held: list[str]  # messages of the last statement that sent any: earlier ones are delivered
    made: list[str]  # files of keys
    mac: bytes  # of the last row


class Journal:
    """A run of a script that goes on where it was ended.

    `after` is the last statement that is finished, or None; `finished` says whether all are, and
    `result` are the rows of the last query so far.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        exchange: FileExchange,
        audit: Audit,
        keyring: Keyring,
        script: Script,
        settings: dict[str, object],
    ) -> None:
        """Find the run of `script` in this session, or begin one. Raises InvalidValue where it has
        sent messages, and the script or its settings were others; and where this party has not
        written what the journal says."""
        _refuse_writes(script)
        self._con, self._exchange, self._keyring = con, exchange, keyring
        self._audit = audit
        self._tables = _Tables(con, audit.home, keyring.journal_secret())
        self.after: Position | None = None
        self.finished = False
        self.result: pa.Table | None = None
        self.steps = 0  # finished statements
        self._variables = set(settings)
        self._changed = True  # a variable, since the last note
        self._hides_nothing: set[str] = set()  # names of working tables
        self._open = False  # a transaction
        self._held_open = False  # until the message is sent that the ledger has
        self._last: tuple[Position, str] | None = None  # statement in it that is to be noted
        self._stored_result: pa.Table | None = None
        self._tables.create()
        audit.forget()
        written = json.dumps(
            {name: str(value) for name, value in sorted({**settings, "me": exchange.me}.items())}
        )
        if not self._found(script, written):
            self._row = self._tables.begin(exchange.session, script, written)
            self._mac: bytes = self._row["mac"]  # of the last row
            self._sent, self._held = 0, list[str]()  # messages
        self.run: str = self._row["run"]

    def _found(self, script: Script, settings: str) -> bool:
        run = self._tables.run(self._exchange.session, script.name)
        if run is None:
            return False
        same = (run["settings"], run["text_sha256"]) == (settings, script.sha256)
        if run["sent"] and not same:
            raise InvalidValue(
                f"session '{self._exchange.session}' has run {script.name} with other settings or "
                "another version of the script, and has sent messages; go on with the same, or "
                "start a new session"
            )
        past = self._tables.past(run)
        if past is None:
            raise InvalidValue(
                f"the journal in your database has a run of {script.name} in session "
                f"'{self._exchange.session}' that you did not write with this keyring, or that was "
                "altered since, or is of an earlier version; it cannot go on, and nothing was sent "
                "or deleted. 'duckpriv runs discard' discards it; then start a new session"
            )
        if not run["sent"] and (run["state"] == "finished" or not same):
            self._tables.discard(run, self._keyring)  # nobody has seen anything of it
            return False
        self._row, self._mac = run, past.mac
        self._sent, self._held = run["sent"], past.held
        self.finished = run["state"] == "finished"
        if self.finished and (outbox := self._tables.outbox(run["run"])):
            remove_empty(outbox)  # where the run was killed behind its last statement
        last = past.last
        if last is not None:
            self.steps = last["step"]
            self.after = Position(last["part"], last["round"], last["statement"])
        self._keyring.settle(run["run"], self.steps, last["removed"] if last else [])
        stored = past.result or run["result"]
        if stored is not None:
            self.result = self._stored_result = pa.ipc.open_stream(stored).read_all()
        return True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold messages back until their statements are committed, and let the connection find
        the run's working tables and its variables."""
        (path,) = self._con.execute("SELECT current_setting('search_path')").fetchall()[0]
        # Behind the user's own schema, which stays the one where results are made.
        first, *rest = re.findall(r'(?:"(?:[^"]|"")*"|[^,"])+', path)
        extended = ",".join([first, self._tables.schema(self.run), *rest])
        for name in self._tables.working(self.run):
            self._refuse_hidden(name)  # a table that was made in between
        try:
            self._con.execute(f"SET search_path = {literal(extended)}")
            with self._exchange.outbox.holding(self._tables.outbox(self.run)):
                self._variables |= self._tables.restore_variables(self.run)
                self._exchange.deliver_again(self._held)
                yield
        finally:
            self._roll_back()
            with suppress(duckdb.Error):  # the connection may be closed
                self._con.execute(f"SET search_path = {literal(path)}")

    def execute(
        self, position: Position, statement: Statement, rows_of: Callable[[str], pa.Table | None]
    ) -> pa.Table | None:
        """Run a statement with `rows_of` and note it; return its rows.

        In a part that repeats, quick statements are committed together, by the next one that sends,
        makes a key, or takes its time: they are many, and none has left a trace by then. What the
        ledger of releases has is committed with the message behind it.
        """
        if statement.about_connection:
            self._settle()
            return rows_of(statement.sql)
        if statement.sets_variable:
            self._variables.add(statement.sets_variable)
            self._changed = True
        sql = self._placed(statement.sql)
        keys = self._keyring.begin(self.run, self.steps + 1)
        started = time.monotonic()
        try:
            if not self._open:
                self._con.execute("BEGIN")
                self._open = True
            rows = rows_of(sql)
            does = bool(self._exchange.moved) or not _does_nothing(statement, rows)
            if does and statement.shows_rows:
                self.result = rows
            if does or self._last:  # what a variable is set to behind it is kept with it
                self._last = position, statement.title
            slow = position.round == 0 or time.monotonic() - started >= _QUICK
            self._held_open = self._held_open or statement.notes_release
            slow = slow and not self._held_open
            if keys.made or keys.removed or self._exchange.outbox.staged or (slow and self._last):
                self._note(position, statement.title, keys)
                commits = True
            else:
                commits = slow
        except BaseException:
            self._roll_back()
            self._keyring.undo()
            self._exchange.discard()
            raise
        if commits:
            self._commit()
        self._keyring.keep()
        self._exchange.deliver()
        return rows

    def _note(self, position: Position, title: str, keys: Unfinished | None = None) -> None:
        """Write down, in the statements' transaction, that they are finished up to this position,
        and what has to be done once that is committed."""
        if self._changed and self._variables:
            self._tables.keep_variables(self.run, self._variables)
            self._changed = False
        self._audit.record(self._exchange.moved)
        self.steps += 1
        held = self._exchange.outbox.held()
        self._mac = self._tables.add(
            STATEMENTS,
            [
                *(self.run, self.steps, position.part, position.round, position.statement),
                *(title, _now(), held),
                *((keys.made, keys.removed) if keys else ([], [])),
                None if self.result is self._stored_result else _stored(self.result),
            ],
            self._mac,
        )["mac"]
        self._sent += len(held)
        self._stored_result = self.result

    def _commit(self) -> None:
        try:
            self._con.execute("COMMIT")
        except BaseException:
            # It may be committed all the same: after an interrupt, or when a checkpoint failed. The
            # next run finds out, as after a kill.
            self._roll_back()
            self._keyring.leave()
            self._exchange.leave()
            raise
        self._open, self._held_open, self._last = False, False, None
        self._exchange.commit()

    def _settle(self) -> None:
        """Commit what quick statements have done so far."""
        if self._open:
            if self._last:
                self._note(*self._last)
            self._commit()

    def _roll_back(self) -> None:
        if self._open:
            self._open, self._held_open, self._last = False, False, None
            self._audit.forget()
            roll_back(self._con)

    def _placed(self, sql: str) -> str:
        """Return the statement with a TEMP table in the run's schema instead."""
        found = _TEMPORARY.match(sql)
        if found is None:
            if _ANY_TEMPORARY.match(sql):
                raise InvalidValue(
                    "a script makes temporary tables as CREATE TEMP TABLE name, without 'temp.': "
                    f"{sql.splitlines()[0][:60]}"
                )
            return sql
        create, kind, name = found.groups()
        plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
        if plain not in self._hides_nothing:
            self._refuse_hidden(plain)
        self._hides_nothing.add(plain)
        return f"{create}{kind}{self._tables.schema(self.run)}.{name}{sql[found.end() :]}"

    def _refuse_hidden(self, name: str) -> None:
        if self._tables.hides(name):
            raise InvalidValue(
                f'the script needs a working table "{name}", and you have something of that name; '
                "rename it first"
            )

    def finish(self) -> None:
        """All statements are finished: delete the working tables, keep the result."""
        self._settle()
        self._tables.finish(self._row, self._sent, _stored(self.result))

    def give_up(self) -> None:
        """After an error: where nobody has seen anything of the run, the next one begins anew."""
        self._roll_back()
        past = self._tables.past(self._row)  # a COMMIT that failed may have committed
        if past is not None and not past.held:
            self._tables.discard(self._row, self._keyring)


def runs(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the runs that this database knows, oldest first."""
    home = Audit(con).home
    tables = _Tables(con, home)
    if not has_table(con, *home, RUNS):
        return []
    return tables.rows(f"FROM {tables.home}.{RUNS} ORDER BY began_at")


def settings_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a noted run, by name; none where another program wrote them."""
    try:
        found = json.loads(run["settings"])
    except (TypeError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def told_state(run: Mapping[str, Any]) -> str:
    """Return the state of a noted run for people: whether it goes on at this moment is not known,
    as it may have been killed."""
    return "not finished" if run["state"] == "running" else str(run["state"])


def discard(con: duckdb.DuckDBPyConnection, keyring: Keyring, session: str) -> list[str]:
    """Delete working tables, keys and unsent messages of a session's runs that did not finish;
    return their scripts. They cannot go on, and the session cannot send their messages again.

    Of a run that this party has not written with this keyring, no keys are deleted."""
    unfinished = [
        run for run in runs(con) if (run["session"], run["state"]) == (session, "running")
    ]
    if unfinished:
        tables = _Tables(con, Audit(con).home, keyring.journal_secret())
        tables.create()
        for run in unfinished:
            tables.discard(run, keyring)
    return [run["script"] for run in unfinished]


class _Tables:
    """The journal's tables in the schema `home`, and the schema of each run."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, home: tuple[str, str], secret: bytes = b""
    ) -> None:
        """`secret` makes the rows' MACs."""
        self._con, self._names, self._secret = con, home, secret
        self.home = ".".join(quoted(name) for name in self._names)

    def rows(self, query: str, values: list[object] | None = None) -> list[dict[str, Any]]:
        found = self._con.execute(query, values or []).fetchall()
        names = [column[0] for column in self._con.description or []]
        return [dict(zip(names, row, strict=True)) for row in found]

    def create(self) -> None:
        for table, columns in _COLUMNS.items():
            self._con.execute(f"CREATE TABLE IF NOT EXISTS {self.home}.{table} ({columns})")
            # A database of an earlier version.
            self._con.execute(f"ALTER TABLE {self.home}.{table} ADD COLUMN IF NOT EXISTS mac BLOB")

    def add(self, table: str, values: list[object], before: bytes = b"") -> dict[str, Any]:
        """Add a row, whose MAC is also over that of the row `before`; return it."""
        row = dict(zip(_NAMES[table], values, strict=False))
        row["mac"] = self._mac(table, row, before)
        places = ", ".join(f"${i}" for i in range(1, len(row) + 1))
        self._con.execute(
            f"INSERT INTO {self.home}.{table} ({', '.join(row)}) VALUES ({places})", [*row.values()]
        ).fetchall()
        return row

    def _mac(self, table: str, row: dict[str, Any], before: bytes = b"") -> bytes:
        fields = (row.get(name) for name in _NAMES[table] if name != "mac")
        parts = (
            b"b" + field if isinstance(field, bytes) else json.dumps(field, default=str).encode()
            for field in fields
        )
        return hmac.digest(self._secret, labelled(f"duckpriv/{table}/v1", before, *parts), "sha256")

    def past(self, run: dict[str, Any]) -> _Past | None:
        """Return what the journal says of a run; None where this party has not written it so."""
        if not _is_name(run["run"]) or not _same(run.get("mac"), mac := self._mac(RUNS, run)):
            return None
        last, result, held, made = None, None, list[str](), list[str]()
        names = _NAMES[STATEMENTS]
        found = self._con.execute(
            f"SELECT {', '.join(names)} FROM {self.home}.{STATEMENTS} WHERE run = $1 ORDER BY step",
            [run["run"]],
        )
        while some := found.fetchmany(100):
            for values in some:
                last = dict(zip(names, values, strict=True))
                mac = self._mac(STATEMENTS, last, mac)
                if not _same(last["mac"], mac):
                    return None
                result = last["result"] or result
                held = last["messages"] or held
                made += last["made"]
        return _Past(last, result, held, made, mac)

    def schema(self, run: str) -> str:
        _check_name(run)
        return f'{quoted(self._names[0])}."duckpriv_{run}"'

    def outbox(self, run: str) -> Path | None:
        """Return the folder of messages that wait, beside the database; None in memory."""
        _check_name(run)
        (path,) = self._con.execute(
            "SELECT path FROM duckdb_databases() WHERE database_name = $1", [self._names[0]]
        ).fetchall()[0]
        return python_path(f"{path}.outbox") / run if path else None

    def run(self, session: str, script: str) -> dict[str, Any] | None:
        """Return the run of a script in a session, and in `sent` how many messages it has sent."""
        found = self.rows(
            f"SELECT *, messages + (SELECT coalesce(sum(len(messages)), 0)::BIGINT "
            f"FROM {self.home}.{STATEMENTS} s WHERE s.run = r.run) AS sent "
            f"FROM {self.home}.{RUNS} r "
            "WHERE session = $1 AND script = $2 AND state <> 'discarded'",
            [session, script],
        )
        return found[0] if found else None

    def working(self, run: str) -> list[str]:
        """Return the names of a run's working tables and views."""
        query = (
            "SELECT table_name AS name FROM duckdb_tables() WHERE schema_name = $1 "
            "UNION SELECT view_name FROM duckdb_views() WHERE schema_name = $1"
        )
        names = [row["name"] for row in self.rows(query, [f"duckpriv_{run}"])]
        return [name for name in names if name != _VARIABLES]

    def begin(self, session: str, script: Script, settings: str) -> dict[str, Any]:
        """Write down a new run; return its row."""
        run = secrets.token_hex(8)
        with _transaction(self._con):
            about = (session, script.name, settings, script.sha256)
            row = self.add(RUNS, [run, *about, "running", _now(), None, 0, None])
            self._con.execute(f"CREATE SCHEMA {self.schema(run)}")
        return row

    def keep_variables(self, run: str, names: set[str]) -> None:
        values = ", ".join(f"getvariable({literal(n)}) AS {quoted(n)}" for n in sorted(names))
        self._con.execute(
            f"CREATE OR REPLACE TABLE {self.schema(run)}.{_VARIABLES} AS SELECT {values}"
        )

    def restore_variables(self, run: str) -> set[str]:
        """Set the variables that were kept; return their names."""
        kept, names = f"{self.schema(run)}.{_VARIABLES}", set()
        for column in self.rows(
            "FROM duckdb_columns() WHERE (schema_name, table_name) = ($1, $2)",
            [f"duckpriv_{run}", _VARIABLES],
        ):
            name = quoted(column["column_name"])
            # A NULL had no type as a variable, and has one as a column.
            (null,) = self._con.execute(f"SELECT {name} IS NULL FROM {kept}").fetchall()[0]
            value = "NULL" if null else f"(SELECT {name} FROM {kept})"
            self._con.execute(f"SET VARIABLE {name} = {value}")
            names.add(column["column_name"])
        return names

    def hides(self, name: str) -> bool:
        """Whether the user has something that a working table of this name would be taken for."""
        return bool(
            self.rows(
                "SELECT 1 FROM (SELECT database_name, schema_name, table_name AS name, temporary "
                "FROM duckdb_tables() UNION ALL "
                "SELECT database_name, schema_name, view_name, temporary FROM duckdb_views()) "
                "WHERE lower(name) = lower($3) "
                "AND (temporary OR (database_name, schema_name) = ($1, $2))",
                [*self._names, name],
            )
        )

    def discard(self, run: dict[str, Any], keyring: Keyring) -> None:
        """Delete what is left of a run: working tables, messages that wait, and its keys. Of one
        that others wrote, only what has the form of ours, and no keys: it may name any."""
        past, name = self.past(run), run["run"]
        self._end(run, "discarded", run["messages"], None)
        if _is_name(name) and (outbox := self.outbox(name)):
            clear(outbox)
        if past is not None:
            last = past.last
            keyring.settle(name, last["step"] if last else 0, last["removed"] if last else [])
            keyring.delete_files([Path(file).name for file in past.made])

    def finish(self, run: dict[str, Any], messages: int, result: bytes | None) -> None:
        """Keep a run's result, and how many messages it has sent; delete its working tables."""
        self._end(run, "finished", messages, result)

    def _end(
        self, run: dict[str, Any], state: str, messages: int | None, result: bytes | None
    ) -> None:
        name = run["run"]
        ended = {"state": state, "ended_at": _now(), "messages": messages, "result": result}
        mac = self._mac(RUNS, run | ended) if state == "finished" else None
        with _transaction(self._con):
            self._con.execute(
                f"UPDATE {self.home}.{RUNS} SET state = $2, ended_at = $3, messages = $4, "
                "result = $5, mac = $6 WHERE run = $1",
                [name, *ended.values(), mac],
            ).fetchall()
            self._con.execute(
                f"DELETE FROM {self.home}.{STATEMENTS} WHERE run = $1", [name]
            ).fetchall()
            if _is_name(name):
                self._con.execute(f"DROP SCHEMA IF EXISTS {self.schema(name)} CASCADE")


def _is_name(run: object) -> bool:
    """Whether a run has a name as `begin` draws it; only then it is part of a path or of SQL."""
    return isinstance(run, str) and _RUN.fullmatch(run) is not None


def _check_name(run: object) -> None:
    if not _is_name(run):
        raise InvalidValue("the journal was altered: a run does not have a name of ours")


def _same(found: object, mac: bytes) -> bool:
    return isinstance(found, bytes) and hmac.compare_digest(found, mac)


def _refuse_writes(script: Script) -> None:
    """Raise InvalidValue where a script writes into what duckpriv notes about runs."""
    for statement in script.statements:
        if (found := _OURS.search(statement.sql)) and any(
            one.type not in _READS for one in statements(statement.sql)
        ):
            raise InvalidValue(
                f"a script may read {found[0]} in a query, and do nothing else with it: "
                f"{statement.sql.splitlines()[0][:60]}"
            )


def _does_nothing(statement: Statement, rows: pa.Table | None) -> bool:
    """Whether a statement only sets a variable or checks: it is noted with the next one, since done
    twice is as done once."""
    if statement.sets_variable:
        return True
    checks = rows is not None and all(name.startswith("require") for name in rows.column_names)
    return checks and _CHECK.match(statement.sql) is not None


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except BaseException:
        roll_back(con)
        raise


def _stored(rows: pa.Table | None) -> bytes | None:
    """Return rows as an Arrow IPC stream."""
    if rows is None:
        return None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    stored: bytes = sink.getvalue().to_pybytes()
    return stored


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
