"""Sending and receiving, and what scripts check."""

from __future__ import annotations

import pyarrow as pa

from ..columns import messages
from .declaration import Function, Parameter, Udf

_PEER = Parameter("peer", "VARCHAR", "the other party's name")
_CHANNEL = Parameter("channel", "VARCHAR", "names joined by '/', such as 'psi/key'")
_SENT = "STRUCT(rows BIGINT, bytes BIGINT, sha256 VARCHAR)"
_EXCHANGE_ARGUMENTS = ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR")
_RUNNING = ("UBIGINT", "VARCHAR")
_ASKED = "To who serves the mailbox: that you ask for a message of this peer on this channel."

EXCHANGE: tuple[Function, ...] = (
    Function(
        name="exchange_send",
        kind="call",
        parameters=(
            Parameter("peer", "VARCHAR", "the other party's name, or several, commas between"),
            _CHANNEL,
            Parameter("query", "VARCHAR", "what to send; $$ … $$ saves doubling quotes"),
        ),
        returns="TABLE(rows BIGINT, bytes BIGINT, sha256 VARCHAR)",
        about="Runs the query on this connection and sends its rows to the peer. If it fails "
        "half-way, no message is sent (of a large one over the network, bytes that nobody can "
        "decrypt may lie in the mailbox for a while); once sent, ROLLBACK does not take it back. "
        "The variables duckpriv_protocol and duckpriv_parameters, where set, go along; a "
        "receiver with others refuses the message. The call has to stand in the statement that you "
        "run, where DuckDB surely runs it (after CALL or FROM; not with WHERE or JOIN): what a "
        "view, a macro or a text sends is not let out, nor what a script sends and has "
        "not shown before.",
        reveals="To the peer: the rows of the query. To who carries the messages: the same.",
        example="CALL exchange_send('shop', 'note', $$ SELECT 42 AS answer $$)",
        udfs=(
            Udf(
                messages.exchange_begin,
                ("VARCHAR", *_EXCHANGE_ARGUMENTS, *_RUNNING),
                "VARCHAR",
                pa.string(),
                volatile=True,
                hidden=True,
            ),
            Udf(messages.exchange_typed, None, "BIGINT", pa.int64(), nulls=True),
            Udf(messages.exchange_stage, None, "BIGINT", pa.int64(), volatile=True, nulls=True),
            Udf(
                messages.exchange_publish,
                ("BIGINT", "BIGINT"),
                _SENT,
                messages.SENT,
                volatile=True,
            ),
        ),
        body="exchange.sql",
    ),
    Function(
        name="exchange_recv",
        kind="table",
        parameters=(
            _PEER,
            _CHANNEL,
            Parameter(
                "columns",
                "VARCHAR",
                "what it has to have, such as 'token BLOB, pid UUID', in this order and "
                "without NULLs; empty: anything",
                "''",
            ),
        ),
        returns="TABLE(…): the columns that the peer sent",
        about="Waits for the peer's message, checks it (session, sender, receiver, channel, "
        "settings, length, SHA-256, columns), and returns its rows, in no order. A message stays: "
        "reading it again gives the same rows. As with exchange_send, the call has to stand in the "
        "statement that you run, or in a query that it sends; in Python, `con.execute` and "
        "`party.sql` tell which one that is.",
        reveals=_ASKED,
        example="SELECT question FROM exchange_recv('shop', 'question')",
        udfs=(
            Udf(
                messages.exchange_source,
                ("VARCHAR", *_EXCHANGE_ARGUMENTS, *_RUNNING),
                "VARCHAR",
                pa.string(),
                volatile=True,
                hidden=True,
            ),
            Udf(messages.exchange_awaited, ("BIGINT",), "VARCHAR", pa.string(), volatile=True),
        ),
        body="exchange.sql",
    ),
    Function(
        name="exchange_recv_all",
        kind="table",
        parameters=(
            Parameter("peers", "VARCHAR", "the other parties' names, with commas between"),
            _CHANNEL,
            Parameter("columns", "VARCHAR", "as in exchange_recv", "''"),
        ),
        returns="TABLE(sender VARCHAR, …): the columns that the peers sent",
        about="Waits for one message of each peer on the channel, checks them as exchange_recv "
        "does, and returns the rows of all with their senders.",
        reveals=_ASKED,
        example="SELECT sender, question FROM exchange_recv_all('shop', 'question')",
        udfs=(
            Udf(
                messages.exchange_source_all,
                ("VARCHAR", *_EXCHANGE_ARGUMENTS, *_RUNNING),
                "VARCHAR",
                pa.string(),
                volatile=True,
                hidden=True,
            ),
        ),
        body="exchange.sql",
    ),
    Function(
        name="exchange_bytes",
        kind="value",
        parameters=(),
        returns="BIGINT",
        about="How many bytes of messages this party has sent and received in the session.",
        reveals="Nothing leaves.",
        example="SELECT exchange_bytes() AS bytes",
        udfs=(Udf(messages.exchange_bytes, ("INTEGER",), "BIGINT", pa.int64(), volatile=True),),
        body="exchange.sql",
    ),
    Function(
        name="require",
        kind="scalar",
        parameters=(
            Parameter("condition", "BOOLEAN", "what has to hold"),
            Parameter("message", "VARCHAR", "the error's text where it does not hold or is NULL"),
        ),
        returns="BOOLEAN",
        about="Ends the statement with DUCKPRIV_PROTOCOL and the text unless the condition holds.",
        reveals="Nothing leaves.",
        example="SELECT require(count(*) = 1, 'expected one row') FROM range(1)",
        udfs=(Udf(messages.require, ("BOOLEAN", "VARCHAR"), "BOOLEAN", pa.bool_(), volatile=True),),
        body="require.sql",
    ),
    Function(
        name="is_numbered",
        kind="aggregate",
        parameters=(
            Parameter("number", "BIGINT", "a number of each row"),
            Parameter("expected", "BIGINT", "how many rows there should be"),
        ),
        returns="BOOLEAN",
        about="Aggregate: whether the rows are numbered 1, 2, … expected, each once. A large "
        "expected number, which a peer may have named, takes no memory.",
        reveals="Nothing leaves.",
        example="SELECT is_numbered(i, 3) AS result FROM range(1, 4) t(i)",
        body="require.sql",
    ),
    Function(
        name="require_result",
        kind="scalar",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table that a script is going to make"),
            Parameter("columns", "VARCHAR[]", "its columns"),
        ),
        returns="BOOLEAN",
        about="Ends the statement with DUCKPRIV_PROTOCOL if CREATE OR REPLACE TABLE would destroy "
        "a table of the user's: one of that name with other columns, or a view.",
        reveals="Nothing leaves.",
        example="SELECT require_result('alignment', ['id', 'pid'])",
        body="require.sql",
    ),
    Function(
        name="duckpriv_functions",
        kind="table",
        parameters=(),
        returns="TABLE(name VARCHAR, kind VARCHAR, signature VARCHAR, returns VARCHAR, "
        "about VARCHAR, reveals VARCHAR, example VARCHAR, randomised BOOLEAN)",
        about="All functions of duckpriv: how to call them and what they reveal.",
        reveals="Nothing leaves.",
        example="SELECT signature FROM duckpriv_functions() WHERE name = 'rsa_blind'",
        body="duckpriv_functions.sql",
    ),
)
