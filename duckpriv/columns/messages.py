"""Sending and receiving relations, as SQL functions over the party's exchange."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

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
# While the last step says NULL it is asked again, with each vector of a range that is endless for
# us: between two of them DuckDB notices interrupt(), which no Python function that waits can.
_SENDING = """
SELECT unnest(duckpriv_internal_sent) FROM (
    SELECT duckpriv_udf_exchange_publish({handle}::BIGINT, duckpriv_internal_rows)
        AS duckpriv_internal_sent
    FROM system.main.range(1000000000000) AS duckpriv_internal_looks, (
        SELECT CAST(coalesce(sum(
            duckpriv_udf_exchange_stage(
                duckpriv_udf_exchange_typed({handle}::BIGINT, typeof(duckpriv_internal_row),
                    CASE WHEN false THEN duckpriv_internal_row END),
                duckpriv_internal_row)), 0) AS BIGINT) AS duckpriv_internal_rows
        FROM system.main.query('{query}') AS duckpriv_internal_row))
WHERE duckpriv_internal_sent IS NOT NULL LIMIT 1
"""
_AWAITED = (
    "FROM system.main.query(duckpriv.main.duckpriv_patiently("
    "duckpriv_udf_exchange_awaited({}::BIGINT)))"
)
_MOST_AWAITED = 100


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
    """Finish a message and hand it to the carrier; in the first row what was sent, NULL where it
    takes longer."""
    sent = context.need_exchange().publish(handles[0].as_py(), counts[0].as_py())
    first = pa.array([None if sent is None else vars(sent)], SENT)
    return pa.concat_arrays([first, pa.nulls(len(handles) - 1, SENT)])


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
    """Wait for a message, check it, and return the query that scans it, or one that waits longer.
    `numbers` and `statements` are as in exchange_begin."""
    asked = _Asked(
        (constant(peers, "the peer"),),
        *_settings(channels, columns, protocols, parameters),
        Running(numbers[0].as_py(), statements[0].as_py()),
    )
    return pa.array([_source(context, asked, lambda scans: scans[0])], pa.string())


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
    """Wait for one message of each peer; return the query that scans them, with their senders, or
    one that waits longer."""
    names = tuple(constant(peers, "the peers").split(","))
    asked = _Asked(
        names,
        *_settings(channels, columns, protocols, parameters),
        Running(numbers[0].as_py(), statements[0].as_py()),
    )

    def together(scans: list[str]) -> str:
        return " UNION ALL ".join(
            f"SELECT '{peer}' AS sender, * {scan}" for peer, scan in zip(names, scans, strict=True)
        )

    return pa.array([_source(context, asked, together)], pa.string())


def exchange_awaited(context: Context, handles: pa.Array) -> pa.Array:
    """Wait for what a statement by hand asked for; return the query that scans it. NULL: it takes
    longer."""
    handle = handles[0].as_py()
    if handle not in context.awaited:
        raise ProtocolError("the statement that runs has not asked for this message")
    look = context.awaited.pop(handle)
    query = look()
    if query is None:
        context.awaited[handle] = look
    return pa.array([query], pa.string())


@dataclass(frozen=True)
class _Asked:
    """For what a statement asks."""

    peers: tuple[str, ...]
    channel: str
    columns: str
    settings: tuple[str, str]
    running: Running


def _settings(
    channels: pa.Array, columns: pa.Array, protocols: pa.Array, parameters: pa.Array
) -> tuple[str, str, tuple[str, str]]:
    return (
        constant(channels, "the channel"),
        constant(columns, "the columns"),
        (constant(protocols, "the protocol"), constant(parameters, "the parameters")),
    )


def _source(context: Context, asked: _Asked, query_of: Callable[[list[str]], str]) -> str:
    """Return the query that scans what is asked for, or, where it takes longer and a statement by
    hand waits, one that goes on waiting: between two looks DuckDB notices interrupt()."""

    def look() -> str | None:
        scans = _scans(context, asked)
        return None if scans is None else query_of(scans)

    query = look()
    while query is None and context.runs_script:
        query = look()
    if query is not None:
        return query
    handle = 1 + secrets.randbits(62)  # a number that no view can guess
    while len(context.awaited) >= _MOST_AWAITED:
        context.awaited.pop(next(iter(context.awaited)), None)
    context.awaited[handle] = look
    return _AWAITED.format(handle)


def _scans(context: Context, asked: _Asked) -> list[str] | None:
    """Wait for a message of each peer, check it, and return the query that scans it; None: it takes
    longer."""
    received = context.need_exchange().receive(
        asked.peers, asked.channel, asked.columns, asked.settings, asked.running
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
