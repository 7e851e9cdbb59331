"""DuckDB's parser for SQL and types, on a connection of our own.

The functions of DuckDB's module would use the user's default connection; and to open one takes
longer than to parse a script.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import duckdb

_lock = threading.Lock()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def statements(sql: str) -> list[Any]:
    """Return the statements of a text. Raises duckdb.ParserException."""
    with _lock:
        return _connection().extract_statements(sql)


def struct_fields(sql_type: str) -> list[tuple[str, str]]:
    """Return names and SQL types of a STRUCT's fields."""
    with _lock:
        return [(name, str(type_)) for name, type_ in _connection().sqltype(sql_type).children]
