"""The tables that duckpriv's scripts leave, as the report reads them."""

from __future__ import annotations

from typing import Any

import duckdb

from ..engine import literal, quoted
from .blocks import MOST_ROWS, Table

Rows = list[tuple[Any, ...]]


def query(con: duckdb.DuckDBPyConnection, text: str, values: list[object] | None = None) -> Rows:
    """Return the rows of a query."""
    return con.execute(text, values or []).fetchall()


def exists(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the database has a table or view of this name."""
    return bool(query(con, "SELECT has_table($1)", [name])[0][0])


def columns(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Return the types of a table's columns, by their names."""
    return dict(query(con, f"SELECT column_name, column_type FROM table_columns({source(name)})"))


def source(name: str) -> str:
    """Return a table's name as functions on tables take it, whatever is in it."""
    return literal(quoted(name))


def read(
    con: duckdb.DuckDBPyConnection,
    name: str,
    caption: str,
    select: dict[str, str],
    order: str = "",
    about: str = "",
) -> Table:
    """Return a table of the report with the expressions of `select`, by their headings, of the
    table `name`: its first rows, and how many there are."""
    rows = query(
        con, f"SELECT {', '.join(select.values())} FROM {quoted(name)} {order} LIMIT {MOST_ROWS}"
    )
    return Table(caption, list(select), rows, size(con, name), name, about)


def size(con: duckdb.DuckDBPyConnection, name: str) -> int:
    """Return how many rows a table has."""
    return int(query(con, f"SELECT count(*) FROM {quoted(name)}")[0][0])
