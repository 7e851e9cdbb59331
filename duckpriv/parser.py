"""DuckDB's parser for SQL and types, on a connection of our own.

The functions of DuckDB's module would use the user's default connection; and to open one takes
longer than to parse a script.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType


class _Parser:
    def __init__(self) -> None:
        self.con = duckdb.connect(":memory:", config={"threads": 1})
        self.lock = threading.Lock()


@cache
def _of(process: int) -> _Parser:
    """Return the parser of a process: at a fork, another thread may be within the parent's."""
    return _Parser()


def statements(sql: str) -> list[Any]:
    """Return the statements of a text. Raises duckdb.ParserException."""
    parser = _of(os.getpid())
    with parser.lock:
        return parser.con.extract_statements(sql)


def struct_fields(sql_type: str) -> list[tuple[str, DuckDBPyType]]:
    """Return names and types of a STRUCT's fields. Raises duckdb.Error where DuckDB cannot read
    what its own typeof wrote."""
    parser = _of(os.getpid())
    with parser.lock:
        return inner_types(parser.con.sqltype(sql_type))


def inner_types(type_: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Return what a nested type is made of, by name."""
    return [(name, one) for name, one in type_.children if isinstance(one, DuckDBPyType)]
