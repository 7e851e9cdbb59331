"""The audit table: every message that a party sent or received, in its own database.

Rows are only ever added, and each has a hash over itself and the one before, so that a row that was
changed or deleted (other than the last ones) is noticed. Nothing keeps the owner of the database
from making the whole table anew: it is a record for the party, not evidence against it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from .engine import has_table, quoted
from .errors import InvalidValue
from .exchange import Manifest
from .result import Message

TABLE = "duckpriv_audit"
COLUMNS = {
    "number": "BIGINT",
    "moved_at": "TIMESTAMP",  # UTC
    "session": "VARCHAR",
    "direction": "VARCHAR",
    "peer": "VARCHAR",
    "channel": "VARCHAR",
    "rows": "BIGINT",
    "bytes": "BIGINT",
    "columns": "VARCHAR",
    "sha256": "VARCHAR",
    "protection": "VARCHAR",
    "settings": "VARCHAR",  # protocol and parameters; NULL in rows of before there was this column
    "chain": "VARCHAR",
}

_ADDED = "settings"  # later than the others


class Audit:
    """The table in the database and schema that a connection uses when this is made."""

    def __init__(self, con: duckdb.DuckDBPyConnection, me: str = "") -> None:
        self._con, self._me = con, me
        self._apart = threading.Lock()
        self.home: tuple[str, str] = con.execute(
            "SELECT current_database(), current_schema()"
        ).fetchall()[0]
        self.table = ".".join(quoted(name) for name in (*self.home, TABLE))
        self._last: tuple[int, str] | None = None  # number and chain, where these are known
        # The same after the last transaction of its own, and how many rows there were then.
        self._last_apart: tuple[int, tuple[int, str]] = (0, (0, ""))

    def forget(self) -> None:
        """Rows may have been undone, or added by another party on this connection."""
        self._last = None

    def record(self, messages: Sequence[Manifest]) -> None:
        """Add messages to the table, which is made where there is none."""
        if messages:
            last = self._last or self._read_last(self._con)
            self._last = self._add(self._con, last, messages)

    def catch_up(self, moved: list[Manifest]) -> None:
        """Add what was moved since the last statement of a script, and empty the list."""
        self.forget()
        self.record(moved)
        moved.clear()

    def record_apart(self, messages: Sequence[Manifest]) -> None:
        """Add messages in a transaction of its own, while a statement runs on the connection: what
        was moved stays so if that is rolled back."""
        with self._apart, self._con.cursor() as con:
            con.execute("BEGIN")
            rows, last = self._last_apart
            if not rows or self._count(con) != rows:
                last = self._read_last(con)
                rows = self._count(con)
            last = self._add(con, last, messages)
            con.execute("COMMIT")
            self._last_apart = rows + len(messages), last

    def _count(self, con: duckdb.DuckDBPyConnection) -> int:
        try:
            ((count,),) = con.execute(f"SELECT count(*) FROM {self.table}").fetchall()
        except duckdb.CatalogException:
            return 0
        return int(count)

    def _add(
        self,
        con: duckdb.DuckDBPyConnection,
        last: tuple[int, str],
        messages: Sequence[Manifest],
    ) -> tuple[int, str]:
        number, chain = last
        rows: list[object] = []
        for manifest in messages:
            number += 1
            now = datetime.now(UTC).replace(tzinfo=None)
            fields = [number, now, *_told(manifest, self._me)]
            chain = _chained(chain, fields)
            rows += [*fields, chain]
        width = len(COLUMNS)
        places = [
            f"({', '.join(f'${i + j}' for j in range(1, width + 1))})"
            for i in range(0, len(rows), width)
        ]
        con.execute(
            f"INSERT INTO {self.table} ({', '.join(COLUMNS)}) VALUES {', '.join(places)}", rows
        ).fetchall()
        return number, chain

    def _read_last(self, con: duckdb.DuckDBPyConnection) -> tuple[int, str]:
        columns = ", ".join(
            f"{name} {type_}" + ("" if name == _ADDED else " NOT NULL")
            for name, type_ in COLUMNS.items()
        )
        con.execute(f"CREATE TABLE IF NOT EXISTS {self.table} ({columns})")
        if not self._has_added(con):
            con.execute(f"ALTER TABLE {self.table} ADD COLUMN {_ADDED} {COLUMNS[_ADDED]}")
        query = f"SELECT number, chain FROM {self.table} ORDER BY number DESC LIMIT 1"
        last = con.execute(query).fetchall()
        return last[0] if last else (0, "")

    def moved(self, session: str) -> tuple[dict[tuple[str, str, str], str], int]:
        """Return the SHA-256 of each message of a session, by sender, receiver and channel, and
        how many bytes they are together."""
        if not self._exists():
            return {}, 0
        rows = self._con.execute(
            f"SELECT direction, peer, channel, sha256, bytes FROM {self.table} WHERE session = $1",
            [session],
        ).fetchall()
        found = {
            (
                (self._me, peer, channel) if direction == "sent" else (peer, self._me, channel)
            ): digest
            for direction, peer, channel, digest, _ in rows
        }
        return found, sum(row[4] for row in rows)

    def messages(self, session: str, direction: str) -> list[Message]:
        """Return the messages of a session that were 'sent' or 'received', in order."""
        if not self._exists():
            return []
        rows = self._con.execute(
            f"SELECT channel, peer, rows, bytes FROM {self.table} "
            "WHERE session = $1 AND direction = $2 ORDER BY number",
            [session, direction],
        ).fetchall()
        return [Message(*row) for row in rows]

    def entries(self, session: str | None = None) -> list[tuple[object, ...]]:
        """Return the table's rows, of one session or all. Raises InvalidValue where the chain is
        broken: rows were changed or deleted."""
        if not self._exists():
            return []
        columns = ", ".join(COLUMNS)
        # A database of before has no such column until the next message, and may be read only.
        without = "" if self._has_added(self._con) else f", NULL AS {_ADDED}"
        query = f"SELECT {columns} FROM (SELECT *{without} FROM {self.table}) ORDER BY number"
        rows = self._con.execute(query).fetchall()
        chain = ""
        for expected, row in enumerate(rows, 1):
            chain = _chained(chain, list(row[:-1]))
            if row[0] != expected or chain != row[-1]:
                raise InvalidValue(
                    f"the audit table is not whole: row {expected} was changed, or rows before it "
                    "deleted"
                )
        return [row for row in rows if session in (None, row[2])]

    def _exists(self) -> bool:
        return has_table(self._con, *self.home, TABLE)

    def _has_added(self, con: duckdb.DuckDBPyConnection) -> bool:
        found = con.execute(
            "SELECT count(*) FROM duckdb_columns() "
            "WHERE (database_name, schema_name, table_name, column_name) = ($1, $2, $3, $4)",
            [*self.home, TABLE, _ADDED],
        ).fetchall()
        return found == [(1,)]


def _told(manifest: Manifest, me: str) -> list[object]:
    sent = manifest.sender == me
    return [
        manifest.session,
        "sent" if sent else "received",
        manifest.receiver if sent else manifest.sender,
        manifest.channel,
        manifest.rows,
        manifest.bytes,
        ", ".join(f"{name} {type_}" for name, type_ in manifest.columns),
        manifest.sha256,
        _protection(manifest),
        f"{manifest.protocol} {manifest.parameters}".strip(),
    ]


def _protection(manifest: Manifest) -> str:
    """Say how the message was protected: what was received was checked before it came here."""
    if manifest.sealed is None:
        return "none"
    return f"sealed, signed by {manifest.sealed.sender[:16]}"


def _chained(before: str, fields: list[object]) -> str:
    """Return the hash over a row's fields, of which `_ADDED` is the last, and the row before."""
    known = fields[:-1] if fields[-1] is None else fields
    text = json.dumps([before, *map(str, known)])
    return hashlib.sha256(text.encode()).hexdigest()
