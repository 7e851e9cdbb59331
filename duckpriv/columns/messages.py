"""Sending and receiving relations, as SQL functions over the party's exchange."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..disk import utf8_path
from ..errors import ProtocolError
from .arrays import constant
from .context import Context, Running

SENT = pa.struct({"rows": pa.int64(), "bytes": pa.int64(), "sha256": pa.string()})


# The name is unusual, since the user's query sees it before its own tables. The call with typeof is
# a constant that DuckDB computes once, rows or none; a text with every row would take long. A row
# that is not there shows it the type in Arrow. A filter has to be computed, also for a count(*)
# that needs no column.
_SENDING = """
SELECT unnest(duckpriv_internal_sent) FROM (
    SELECT duckpriv.main.duckpriv_patiently(
        NULL::STRUCT(rows BIGINT, bytes BIGINT, sha256 VARCHAR),
        duckpriv_udf_exchange_publish({handle}::BIGINT, duckpriv_internal_rows)
    ) AS duckpriv_internal_sent FROM (
        SELECT CAST(coalesce(sum(
            duckpriv_udf_exchange_stage(
                duckpriv_udf_exchange_typed({handle}::BIGINT, typeof(duckpriv_internal_row),
                    CASE WHEN false THEN duckpriv_internal_row END),
                duckpriv_internal_row)), 0) AS BIGINT) AS duckpriv_internal_rows
        FROM system.main.query('{query}') AS duckpriv_internal_row))
WHERE duckpriv_internal_sent IS NOT NULL
"""


def exchange_begin(
    context: Context,
    peers: pa.Array,
    channels: pa.Array,
    queries: pa.Array,
    protocols: pa.Array,
    parameters: pa.Array,
    numbers: pa.Array,
    statements: pa.Array,
) -> pa.Array:
    """Begin a message; return the query that writes and publishes it.

    `numbers` and `statements` are DuckDB's current_query_id() and current_query(). A relation of
    Python's is read once before it runs, and again then: the first time no message begins.
    """
    query = constant(queries, "the query")
    running = Running(numbers[0].as_py(), statements[0].as_py())
    handle = 0
    if running.runs:
        handle = context.need_exchange().open(
            constant(peers, "the peer"),
            constant(channels, "the channel"),
            query,
            constant(protocols, "the protocol"),
            constant(parameters, "the parameters"),
            running,
        )
    text = _SENDING.format(handle=handle, query=query.replace("'", "''"))
    return pa.array([text] * len(peers), pa.string())


def exchange_typed(
    context: Context, handles: pa.Array, types: pa.Array, rows: pa.Array
) -> pa.Array:
    """Say which type the rows of an open message have, in SQL and in Arrow; return the handles."""
    context.need_exchange().set_type(handles[0].as_py(), types[0].as_py(), rows.type)
    return handles


def exchange_stage(context: Context, handles: pa.Array, rows: pa.Array) -> pa.Array:
    """Add rows (a STRUCT column) to an open message; return 1 a row."""
    context.need_exchange().stage(handles[0].as_py(), rows)
    return pa.array(np.ones(len(rows), np.int64))


def exchange_publish(context: Context, handles: pa.Array, counts: pa.Array) -> pa.Array:
    """Finish a message and hand it to the carrier; NULL: it takes longer."""
    sent = context.need_exchange().publish(handles[0].as_py(), counts[0].as_py())
    return pa.array([None if sent is None else vars(sent)], SENT)


def exchange_source(
    context: Context,
    peers: pa.Array,
    channels: pa.Array,
    columns: pa.Array,
    protocols: pa.Array,
    parameters: pa.Array,
    numbers: pa.Array,
    statements: pa.Array,
) -> pa.Array:
    """Wait for a message, check it, and return the query that scans it; NULL: it takes longer.
    `numbers` and `statements` are as in exchange_begin."""
    peer = constant(peers, "the peer")
    scans = _scans(context, (peer,), channels, columns, protocols, parameters, numbers, statements)
    return pa.nulls(1, pa.string()) if scans is None else pa.array(scans, pa.string())


def exchange_source_all(
    context: Context,
    peers: pa.Array,
    channels: pa.Array,
    columns: pa.Array,
    protocols: pa.Array,
    parameters: pa.Array,
    numbers: pa.Array,
    statements: pa.Array,
) -> pa.Array:
    """Wait for one message of each peer; return the query that scans them, with their senders.
    NULL: it takes longer."""
    names = tuple(constant(peers, "the peers").split(","))
    scans = _scans(context, names, channels, columns, protocols, parameters, numbers, statements)
    if scans is None:
        return pa.nulls(1, pa.string())
    queries = [
        f"SELECT '{peer}' AS sender, * {scan}" for peer, scan in zip(names, scans, strict=True)
    ]
    return pa.array([" UNION ALL ".join(queries)], pa.string())


def _scans(
    context: Context,
    peers: tuple[str, ...],
    channels: pa.Array,
    columns: pa.Array,
    protocols: pa.Array,
    parameters: pa.Array,
    numbers: pa.Array,
    statements: pa.Array,
) -> list[str] | None:
    """Wait for a message of each peer, check it, and return the query that scans it; None: it takes
    longer."""
    received = context.need_exchange().receive(
        peers,
        constant(channels, "the channel"),
        constant(columns, "the columns"),
        (constant(protocols, "the protocol"), constant(parameters, "the parameters")),
        Running(numbers[0].as_py(), statements[0].as_py()),
    )
    if received is None:
        return None
    rows = max(file.rows for file in received)
    context.activity.expected_rows = max(context.activity.expected_rows or 0, rows)
    paths = (utf8_path(file.path).replace("'", "''") for file in received)
    return [f"FROM read_parquet('{path}', binary_as_string = false)" for path in paths]


def require(context: Context, conditions: pa.Array, texts: pa.Array) -> pa.Array:
    """Return true where the condition holds; raise ProtocolError with the text where not."""
    for holds, text in zip(conditions.to_pylist(), texts.to_pylist(), strict=True):
        if not holds:
            raise ProtocolError(text)
    return conditions


def exchange_bytes(context: Context, ones: pa.Array) -> pa.Array:
    """Return for each row how many bytes of messages were sent and received so far."""
    return pa.array([context.need_exchange().bytes_moved] * len(ones), pa.int64())
