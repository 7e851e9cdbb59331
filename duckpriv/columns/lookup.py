"""What a macro has to know of tables before DuckDB binds it."""

from __future__ import annotations

import pyarrow as pa

from .context import Context


def looked_up(
    context: Context, queries: pa.Array, absents: pa.Array, databases: pa.Array, schemas: pa.Array
) -> pa.Array:
    """Return the one text that each query answers with, run in a schema on a connection apart: it
    sees what is committed, and no temporary table. Raises InvalidValue with the text of `absents`
    where it finds no such table or column."""
    columns = (queries, absents, databases, schemas)
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([context.look_up(*row) for row in rows], pa.string())
