"""The user's database: opened, or refused with what to do."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import duckdb

from .disk import utf8_path
from .engine import literal
from .errors import InvalidValue
from .visible import visible

_Error = TypeVar("_Error", bound=Exception)

# What to do instead of using a database for reading only; {0} is its name as SQL has it.
_OWN_DATABASE = (
    "results and a journal are written beside your data, so make a database of your own with a "
    "view of it: CREATE VIEW t AS FROM read_duckdb({0}, table_name := 't'). In Python, a "
    "connection in memory works too: ATTACH {0} AS data (READ_ONLY), no USE, and table='data.t'"
)

# In what DuckDB says when there is no room: in a file, and in its temporary folder.
_FULL = ("No space left on device", "File too large", "Disk quota exceeded", "failed to offload")


def open_database(
    database: str | os.PathLike[str], read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file. Raises InvalidValue that says what to do where that cannot be, and where
    it is a data file: DuckDB opens a view of it in memory, and results would be lost."""
    path = Path(database)
    named = utf8_path(database)
    if named and path.is_dir():
        raise InvalidValue(f"{named} is a folder; name a DuckDB file, such as {named}/own.duckdb")
    try:
        con = duckdb.connect(named, read_only=read_only)
    except duckdb.Error as error:
        problem = visible(str(error).split("\n")[0]).rstrip("!.")
        remedy = _remedy(path, named, problem)
        raise InvalidValue(f"the database {named} cannot be opened: {problem}; {remedy}") from None
    query = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ((stored,),) = con.execute(query).fetchall()
    if stored is None and named and not named.startswith(":memory:"):
        con.close()
        raise InvalidValue(
            f"{named} is a data file and no DuckDB database, so results would have no place; name "
            f"a new database file, and give this one as the table: --set table=\"'{named}'\""
        )
    return con


def _remedy(path: Path, named: str, problem: str) -> str:
    if not path.exists() and not path.parent.is_dir():
        return f"make the folder {path.parent} first"
    if "different configuration" in problem:
        return "close the connection that this process has to it first"
    if "lock" in problem and "PID" in problem:
        return "another process has it open: end that, or work on a copy of the file"
    if "not a valid DuckDB" in problem or "extension" in problem:
        return (
            "name a new file as your database, and put your data into it, for example with "
            "CREATE TABLE t AS FROM 'people.csv'"
        )
    if "version" in problem:
        return "install the DuckDB that wrote it, or a newer one (pip install -U duckdb)"
    if "No space" in problem:
        return "make room there, and run again"
    if "Permission denied" in problem or "Read-only" in problem:
        if path.exists() and os.access(path, os.R_OK):
            return _OWN_DATABASE.format(literal(utf8_path(path.absolute())))
        return "see who may read and write there"
    return "open it with DuckDB alone to see more, or name another file"


def refuse_read_only(con: duckdb.DuckDBPyConnection, writes: bool) -> None:
    """Raise InvalidValue where functions cannot be put beside the database that `con` uses, since
    `con` is for reading only; or nothing be written into it, if `writes`."""
    (path, used, whole) = con.execute(
        "SELECT path, readonly, current_setting('access_mode') = 'read_only' "
        "FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()[0]
    if whole or (used and writes):
        raise InvalidValue(
            f"the database {path} is open for reading only; {_OWN_DATABASE.format(literal(path))}"
        )


def refuse_transaction(con: duckdb.DuckDBPyConnection) -> None:
    """Raise InvalidValue where `con` is in a transaction: what we do would be part of it."""
    try:  # outside, each statement is a transaction of its own
        numbers = {con.execute("SELECT txid_current()").fetchall()[0] for _ in range(2)}
    except duckdb.TransactionException:  # in one that failed
        numbers = set()
    if len(numbers) < 2:
        raise InvalidValue(
            "the connection has an open transaction; COMMIT or ROLLBACK it first: each statement "
            "of a script is a transaction of its own. Nothing was sent"
        )


def with_remedy(con: duckdb.DuckDBPyConnection, error: _Error) -> _Error | duckdb.Error:
    """Return `error`, and where it is DuckDB's own and there was no room, with what to do."""
    text = str(error)
    if not isinstance(error, duckdb.Error) or not any(sign in text for sign in _FULL):
        return error
    remedy = "make room there, and run again"
    if "temp_directory" in text:
        folder = "temp_directory"
        with suppress(duckdb.Error):  # the database may be closed by now
            ((folder,),) = con.execute("SELECT current_setting('temp_directory')").fetchall()
        remedy = (
            f"DuckDB's temporary folder is {folder}: make room there and run again, or SET "
            "temp_directory to another folder (by default it stands beside the database)"
        )
    return type(error)(f"{text}\n{remedy}")
