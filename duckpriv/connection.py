"""The user's connection: settings that would change what our statements mean, or forbid what they
do, and the end of a transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from .disk import PRIVATE, utf8_path
from .errors import InvalidValue

# Names, and the values that scripts are written for: DuckDB's own defaults.
_SETTINGS = {
    "arrow_large_buffer_size": "false",
    "arrow_lossless_conversion": "false",
    "arrow_output_list_view": "false",
    "arrow_output_version": "1.0",
    "binary_as_string": "false",
    "default_collation": "",
    "default_null_order": "NULLS_LAST",
    "default_order": "ASCENDING",
    "dialect_compatibility_mode": "NONE",  # spark counts the elements of lists from 0 in lambdas
    "enable_optimizer": "true",
    "ieee_floating_point_ops": "true",
    "integer_division": "false",
    "max_execution_time": "0",  # a statement waits for the peers
    "preserve_identifier_case": "preserve_case" if duckdb.__version__ >= "2" else "true",
    "preserve_insertion_order": "true",
    "produce_arrow_string_view": "false",  # of 1.5
    "scalar_subquery_error_on_multiple_rows": "true",
}
_DEPTH = "max_expression_depth"
_BAR = "enable_progress_bar"  # a run has its own
_LEAST_DEPTH = 1000


@contextmanager
def plain_settings(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Give these settings DuckDB's defaults, and afterwards the user's values back. Raises
    InvalidValue where the configuration is locked."""
    found = dict(con.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    wanted = {
        name: plain
        for name, plain in _SETTINGS.items()
        if name in found and (found[name] or "").lower() != plain.lower()
    }
    if int(found[_DEPTH]) < _LEAST_DEPTH:
        wanted[_DEPTH] = str(_LEAST_DEPTH)
    if wanted and found["lock_configuration"] == "true":
        raise InvalidValue(
            f"scripts need DuckDB's default of {', '.join(wanted)}, and lock_configuration forbids "
            "to set it for the run; reset it before you lock the configuration"
        )
    if found["lock_configuration"] != "true" and found[_BAR] == "true":
        wanted[_BAR] = "false"
    for name, plain in wanted.items():
        con.execute(f"SET {name} = '{plain}'")
    try:
        yield
    finally:
        for name in wanted:
            con.execute(f"SET {name} = '{found[name]}'")


def refuse_without_files(con: duckdb.DuckDBPyConnection) -> None:
    """Raise InvalidValue where DuckDB may not read the private copies of received messages."""
    place = utf8_path(f"{tempfile.gettempdir()}/{PRIVATE}").replace("'", "''")
    try:
        con.execute(f"SELECT count(*) FROM glob('{place}')").fetchall()
    except duckdb.PermissionException:
        raise InvalidValue(
            "receiving reads files, and a setting of this connection forbids it: "
            "enable_external_access = false, or disabled_filesystems"
        ) from None


def roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """End the transaction, if there is one. An interrupt that was meant for the statement before
    may come only now, and would leave the connection in a transaction in which nothing works."""
    try:
        con.execute("ROLLBACK")
    except duckdb.InterruptException:
        roll_back(con)
    except duckdb.Error:  # DuckDB has rolled back already, or the connection is closed
        pass
    except BaseException:  # Ctrl-C
        roll_back(con)
        raise
