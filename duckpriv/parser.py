"""DuckDB's parser for SQL and types, on a connection of our own.

The functions of DuckDB's module would use the user's default connection; and to open one takes
longer than to parse a script.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import duckdb

# By process: after a fork, another thread may have been within the parent's.
_parsers: dict[int, _Parser] = {}


class _Parser:
    def __init__(self) -> None:
        self.con = duckdb.connect(":memory:", config={"threads": 1})
        self.lock = threading.Lock()


def _parser() -> _Parser:
    return _parsers.get(os.getpid()) or _parsers.setdefault(os.getpid(), _Parser())


def statements(sql: str) -> list[Any]:
    """Return the statements of a text. Raises duckdb.ParserException."""
    parser = _parser()
    with parser.lock:
        return parser.con.extract_statements(sql)


def struct_fields(sql_type: str) -> list[tuple[str, str]]:
    """Return names and SQL types of a STRUCT's fields."""
    parser = _parser()
    with parser.lock:
        return [(name, str(type_)) for name, type_ in parser.con.sqltype(sql_type).children]
