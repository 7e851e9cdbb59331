"""What Python gives as the value of a script's setting, as DuckDB has it: frames become views, and
lists of names a text."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import pyarrow as pa

from .engine import literal, quoted
from .errors import InvalidValue

_TABLES = "a frame of pandas, Polars or Arrow, or a relation of this party's connection"


@contextmanager
def as_variables(
    con: duckdb.DuckDBPyConnection, given: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Return what variables are to be set to; each frame has a name that SQL can use within this.
    Raises InvalidValue where one is nothing of these."""
    found: dict[str, object] = {}
    views: list[str] = []
    try:
        for name, value in given.items():
            if _is_frame(name, value):
                found[name] = view = f"duckpriv_frame_{name}"
                views.append(view)
                try:
                    con.register(view, value)
                except duckdb.Error as error:
                    if isinstance(value, duckdb.DuckDBPyRelation):
                        raise InvalidValue(
                            f"{name} is a relation of another connection; give its rows, with "
                            "to_arrow_table(), or make it with party.sql()"
                        ) from None
                    raise InvalidValue(f"DuckDB cannot read {name}: {error}") from None
            else:
                found[name] = _as_variable(name, value)
        yield found
    finally:
        for view in views:
            with suppress(duckdb.Error):  # the connection may be closed
                con.unregister(view)


def _is_frame(name: str, value: object) -> bool:
    kind = type(value)
    if isinstance(value, pa.RecordBatchReader) or kind.__name__ == "Scanner":
        raise InvalidValue(
            f"{name} can be read only once, and a script reads its table several times; give it "
            "as a table: read_all() of a reader, to_table() of a scanner"
        )
    datasets = sys.modules.get("pyarrow.dataset")
    return (
        hasattr(kind, "__arrow_c_stream__")
        or isinstance(value, duckdb.DuckDBPyRelation)
        or kind.__name__ in ("DataFrame", "LazyFrame")
        or (datasets is not None and isinstance(value, datasets.Dataset))
    )


def _as_variable(name: str, value: object) -> object:
    """Return a value of a setting; a list of columns has commas between, as on the command line."""
    if isinstance(value, os.PathLike):
        return literal(os.fspath(value))
    if name == "table" and not isinstance(value, str | None):
        raise InvalidValue(
            f"table is of Python's type {type(value).__name__}; give a name, a file or {_TABLES}"
        )
    if hasattr(value, "tolist"):  # of numpy and pandas, such as frame.columns
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if not all(isinstance(one, str | int | float) for one in value):
            raise InvalidValue(f"{name} is a list; give one of names, or of numbers")
        return ",".join(quoted(one) if re.search('[",]', one) else one for one in map(str, value))
    return value
