"""The audit table: every message that a party sent or received, in its own database.

Rows are only ever added, and each has a hash over itself and the one before, so that a row that was
changed or deleted (other than the last ones) is noticed. Nothing keeps the owner of the database
from making the whole table anew: it is a record for the party, not evidence against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from .errors import InvalidValue
from .exchange import Manifest

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
    "chain": "VARCHAR",
}
_MOVED = ("direction", "peer", "channel", "sha256")
_AT = {name: position for position, name in enumerate(COLUMNS)}


class Audit:
    """The table in the database that a connection uses when this is made."""

    def __init__(self, con: duckdb.DuckDBPyConnection, me: str) -> None:
        self._con, self._me = con, me
        names = con.execute("SELECT current_database(), current_schema()").fetchall()[0]
        self._table = ".".join('"' + name.replace('"', '""') + '"' for name in (*names, TABLE))
        self._last: tuple[int, str] | None = None  # number and chain of the last row

    def record(self, messages: Sequence[Manifest]) -> None:
        """Add messages to the table, which is made where there is none."""
        for manifest in messages:
            number, chain = self._last or self._begin()
            fields = [
                number + 1,
                datetime.now(UTC).replace(tzinfo=None),
                *_told(manifest, self._me),
            ]
            chain = _chained(chain, fields)
            places = ", ".join(f"${i}" for i in range(1, len(COLUMNS) + 1))
            query = f"INSERT INTO {self._table} VALUES ({places})"
            self._con.execute(query, [*fields, chain]).fetchall()
            self._last = (number + 1, chain)

    def forget(self) -> None:
        """What was added since the last commit was rolled back: look again."""
        self._last = None

    def _begin(self) -> tuple[int, str]:
        columns = ", ".join(f"{name} {type_} NOT NULL" for name, type_ in COLUMNS.items())
        self._con.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({columns})")
        query = f"SELECT number, chain FROM {self._table} ORDER BY number DESC LIMIT 1"
        last: list[tuple[int, str]] = self._con.execute(query).fetchall()
        return last[0] if last else (0, "")


def moved_before(
    con: duckdb.DuckDBPyConnection, me: str, session: str
) -> dict[tuple[str, str, str], str]:
    """Return the SHA-256 of each message of a session, by sender, receiver and channel."""
    found = {}
    for entry in entries(con, session):
        direction, peer, channel, digest = (str(entry[_AT[name]]) for name in _MOVED)
        sender, receiver = (me, peer) if direction == "sent" else (peer, me)
        found[sender, receiver, channel] = digest
    return found


def entries(con: duckdb.DuckDBPyConnection, session: str | None = None) -> list[tuple[object, ...]]:
    """Return the table's rows, of one session or all. Raises InvalidValue where the chain is
    broken: rows were changed or deleted."""
    if not con.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = $1 AND NOT temporary", [TABLE]
    ).fetchall()[0][0]:
        return []
    rows = con.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE} ORDER BY number").fetchall()
    chain = ""
    for expected, row in enumerate(rows, 1):
        chain = _chained(chain, list(row[:-1]))
        if row[0] != expected or chain != row[-1]:
            raise InvalidValue(
                f"the audit table is not whole: row {expected} was changed, or rows before it "
                "deleted"
            )
    return [row for row in rows if session in (None, row[2])]


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
    ]


def _protection(manifest: Manifest) -> str:
    """Say how the message was protected: what was received was checked before it came here."""
    if manifest.sealed is None:
        return "none"
    return f"sealed, signed by {manifest.sealed.sender[:16]}"


def _chained(before: str, fields: list[object]) -> str:
    text = json.dumps([before, *(str(field) for field in fields)])
    return hashlib.sha256(text.encode()).hexdigest()
