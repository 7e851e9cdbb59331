"""Settings of the user's connection that would change what our statements mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from .errors import InvalidValue

# Names, and the values that scripts are written for: DuckDB's own defaults.
_SETTINGS = {
    "arrow_large_buffer_size": "false",
    "arrow_lossless_conversion": "false",
    "arrow_output_list_view": "false",
    "default_collation": "",
    "default_null_order": "NULLS_LAST",
    "default_order": "ASCENDING",
    "ieee_floating_point_ops": "true",
    "integer_division": "false",
    "preserve_insertion_order": "true",
    "scalar_subquery_error_on_multiple_rows": "true",
}


@contextmanager
def plain_settings(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Give these settings DuckDB's defaults, and afterwards the user's values back."""
    found = dict(con.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    own = {
        name: found[name]
        for name, plain in _SETTINGS.items()
        if name in found and (found[name] or "").lower() != plain.lower()
    }
    for name in own:
        con.execute(f"SET {name} = '{_SETTINGS[name]}'")
    try:
        yield
    finally:
        for name, value in own.items():
            con.execute(f"SET {name} = '{value}'")


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


def refuse_data_file(con: duckdb.DuckDBPyConnection, database: str) -> None:
    """Raise InvalidValue where `database` is a data file: DuckDB opens a view of it in memory, and
    results would be lost."""
    query = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ((path,),) = con.execute(query).fetchall()
    if path is None and database and not database.startswith(":memory:"):
        raise InvalidValue(
            f"{database} is a data file and no DuckDB database, so results would have no place; "
            f"name a new database file, and make a view in it: CREATE VIEW t AS FROM '{database}'"
        )
