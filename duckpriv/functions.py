"""The one registry: every SQL function of duckpriv, declared once.

From a declaration come the function on the connection, its comment, a row of
`duckpriv_functions()`, a section of docs/functions.md, and the generic tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from .columns import ids, messages, rsa

ColumnFunction = Callable[..., pa.Array]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a SQL function. `default` is SQL text; None: it has to be given."""

    name: str
    type: str
    about: str
    default: str | None = None


@dataclass(frozen=True)
class Udf:
    """The Python side: `function(context, *columns)`.

    `parameters` are SQL types; None takes any number of arguments of any type. A `volatile`
    one is randomised or has effects, so DuckDB calls it for each row. With `nulls`, the
    function sees NULLs itself.
    """

    function: ColumnFunction
    parameters: tuple[str, ...] | None
    returns: str
    arrow: pa.DataType
    volatile: bool = False
    nulls: bool = False

    @property
    def name(self) -> str:
        """Its name in DuckDB's catalog; people call the macro in front of it."""
        return f"duckpriv_udf_{self.function.__name__}"


@dataclass(frozen=True)
class Function:
    """A public SQL function.

    `kind` is scalar, table, or call (a table function that people CALL for its effect). `body`
    names the file below sql/macros that defines the macro; without one, the macro passes
    its parameters on to the first of `udfs`. `reveals` says what its result tells, and whom.
    `example` runs as it stands, after `setup`.
    """

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    returns: str
    about: str
    reveals: str
    example: str
    setup: tuple[str, ...] = ()
    udfs: tuple[Udf, ...] = ()
    body: str | None = None
    randomised: bool = False

    @property
    def signature(self) -> str:
        """How it is called, for example `rsa_keygen(name, bits := 3072)`."""
        shown = (
            p.name if p.default is None else f"{p.name} := {p.default}" for p in self.parameters
        )
        return f"{self.name}({', '.join(shown)})"


_ID = Parameter(
    "id", "VARCHAR, integer, UUID, DATE or BLOB", "the id; equal text form means equal id"
)
_PEER = Parameter("peer", "VARCHAR", "the other party's name")
_CHANNEL = Parameter("channel", "VARCHAR", "names joined by '/', such as 'psi/key'")

_KEY_INFO = "STRUCT(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)"
_SENT = "STRUCT(rows BIGINT, bytes BIGINT, sha256 VARCHAR)"
_MAKE_KEY = "CALL rsa_keygen('mine', bits := 2048)"
_MAKE_KEYS = (_MAKE_KEY, "SELECT key_import('host', rsa_public_key('mine'))")

_EXCHANGE_ARGUMENTS = ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR")

FUNCTIONS: tuple[Function, ...] = (
    Function(
        name="rsa_keygen",
        kind="call",
        parameters=(
            Parameter("name", "VARCHAR", "the key's name in your keyring; it has to be new"),
            Parameter("bits", "INTEGER", "modulus size: a multiple of 8 from 2048 to 8192", "3072"),
        ),
        returns="TABLE(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)",
        about="Makes an RSA key pair (e = 65537) in the keyring. The private key stays there.",
        reveals="Nothing leaves.",
        example="CALL rsa_keygen('bank-1', bits := 2048)",
        udfs=(Udf(rsa.rsa_keygen, ("VARCHAR", "BIGINT"), _KEY_INFO, rsa.KEY_INFO, volatile=True),),
        body="rsa_keygen.sql",
        randomised=True,
    ),
    Function(
        name="rsa_public_key",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "a key in your keyring"),),
        returns="BLOB",
        about="The public key as DER SubjectPublicKeyInfo (RFC 5280), to send to a peer.",
        reveals="The public key: nothing of your data.",
        example="SELECT octet_length(rsa_public_key('mine')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(rsa.rsa_public_key, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="rsa_key_proof",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "your private key"),),
        returns="BLOB",
        about="A proof that the key blinds perfectly: that e is prime to phi(N) (Goldberg et al. "
        "2019). Without it, who makes the key could choose one that sees through rsa_blind.",
        reveals="To the peer: signatures on eight fixed values; nothing of your data.",
        example="SELECT octet_length(rsa_key_proof('mine')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(rsa.rsa_key_proof, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="key_import",
        kind="scalar",
        parameters=(
            Parameter("name", "VARCHAR", "the name that the key gets in your keyring"),
            Parameter("key", "BLOB", "a DER SubjectPublicKeyInfo"),
            Parameter("proof", "BLOB", "the peer's rsa_key_proof; NULL: not checked", "NULL"),
        ),
        returns="VARCHAR",
        about="Checks a peer's public key (size, odd modulus without small factors, "
        "e = 65537, and the proof where there is one) and keeps it in the keyring; "
        "returns its fingerprint (SHA-256). "
        "Importing the same key again changes nothing.",
        reveals="Nothing leaves.",
        example="SELECT length(key_import('host', rsa_public_key('mine'))) AS digits",
        setup=(_MAKE_KEY,),
        udfs=(
            Udf(rsa.key_import, ("VARCHAR", "BLOB", "BLOB"), "VARCHAR", pa.string(), volatile=True),
        ),
        body="key_import.sql",
    ),
    Function(
        name="psi_id",
        kind="scalar",
        parameters=(
            Parameter(
                "value",
                "VARCHAR, integer, UUID, DATE, BLOB or a list of one of these",
                "the id, or the parts of a composite id",
            ),
            Parameter("kind", "VARCHAR", "raw, trimmed, lower, email or phone", "'raw'"),
        ),
        returns="VARCHAR",
        about="The text that stands for an id in matching: Unicode NFC, normalised as `kind` says "
        "(raw: as it is; trimmed: without spaces around; lower and email: trimmed and case-folded; "
        "phone: digits only, without a leading 00). A composite id becomes a JSON array of texts. "
        "NULL where there is no id: a NULL, a list with a NULL, or, but for raw, nothing left.",
        reveals="Nothing leaves.",
        example="SELECT psi_id(' Ann@Example.com', 'email') AS one, psi_id(['Ann', '1990']) AS two",
        udfs=(Udf(ids.psi_id, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR", pa.string()),),
        body="psi_id.sql",
    ),
    Function(
        name="psi_ids",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table or view"),
            Parameter("id", "VARCHAR", "its id column, or several with commas between"),
            Parameter(
                "kind", "VARCHAR", "one kind for all columns, or one each with commas", "'raw'"
            ),
        ),
        returns="TABLE(id ANY, psi_id VARCHAR)",
        about="The ids of a table, each with its `psi_id`: `id` is the column as it is, or the "
        "list of the columns' texts for a composite id.",
        reveals="Nothing leaves.",
        example="FROM psi_ids('people', 'email', kind := 'email')",
        setup=("CREATE OR REPLACE TEMP TABLE people AS SELECT 'Ann@example.com' AS email",),
        body="psi_ids.sql",
    ),
    Function(
        name="rsa_blind",
        kind="scalar",
        parameters=(_ID, Parameter("key", "VARCHAR", "the peer's imported public key")),
        returns="BLOB",
        about="Blinds an id under the peer's public key (RFC 9474, Blind). The blinding factor "
        "is derived from the id and a secret of the session in your keyring, so "
        "`rsa_finalize` finds it again and no column holds it.",
        reveals="To whom it is sent: nothing of the id; the number of rows.",
        example="SELECT octet_length(rsa_blind('ann', 'host')) AS bytes",
        setup=_MAKE_KEYS,
        udfs=(Udf(rsa.rsa_blind, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="rsa_ids.sql",
    ),
    Function(
        name="blind_sign",
        kind="scalar",
        parameters=(
            Parameter("blinded", "BLOB", "from the peer's rsa_blind; 1 < value < N - 1"),
            Parameter("key", "VARCHAR", "your private key"),
        ),
        returns="BLOB",
        about="Signs a blinded id (RFC 9474, BlindSign): constant-time, and checked against "
        "the public exponent before it is released.",
        reveals="To the peer: a signature on one id of its choice for each row.",
        example="SELECT octet_length(blind_sign(rsa_blind('ann', 'host'), 'mine')) AS bytes",
        setup=_MAKE_KEYS,
        udfs=(Udf(rsa.blind_sign, ("BLOB", "VARCHAR"), "BLOB", pa.binary()),),
    ),
    Function(
        name="rsa_finalize",
        kind="scalar",
        parameters=(
            _ID,
            Parameter("signed", "BLOB", "the peer's blind_sign of this id's rsa_blind"),
            Parameter("key", "VARCHAR", "the peer's imported public key"),
        ),
        returns="BLOB",
        about="Unblinds the signature and verifies it (RFC 9474, Finalize), then hashes it with "
        "the session's name to a token of 32 bytes.",
        reveals="Compared with the peer's tokens: which of your ids the peer has. Do not send it.",
        example="SELECT rsa_finalize('ann', blind_sign(rsa_blind('ann', 'host'), 'mine'), 'host') "
        "= rsa_token('ann', 'mine') AS same",
        setup=_MAKE_KEYS,
        udfs=(Udf(rsa.rsa_finalize, ("VARCHAR", "BLOB", "VARCHAR"), "BLOB", pa.binary()),),
        body="rsa_ids.sql",
    ),
    Function(
        name="rsa_token",
        kind="scalar",
        parameters=(_ID, Parameter("key", "VARCHAR", "your private key")),
        returns="BLOB",
        about="The token of one of your own ids: signed with the private key and hashed as "
        "`rsa_finalize` does, 32 bytes.",
        reveals="To the peer: how many distinct ids you have, and, with the signatures you gave "
        "it, which of its own ids you have too. Without a signature a token tells nothing.",
        example="SELECT octet_length(rsa_token('ann', 'mine')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(rsa.rsa_token, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="rsa_ids.sql",
    ),
    Function(
        name="random_id",
        kind="scalar",
        parameters=(Parameter("value", "ANY", "any column; its rows are counted, not read"),),
        returns="UUID",
        about="A fresh random UUID (version 4) for each row where the value is not NULL, from the "
        "operating system's generator. (DuckDB's own uuid() is not made for secrets.) "
        "Materialise it: a view draws again at each read.",
        reveals="Nothing.",
        example="SELECT count(DISTINCT random_id(range)) AS different FROM range(3)",
        udfs=(Udf(ids.random_id, ("BOOLEAN",), "BLOB", pa.binary(), volatile=True),),
        body="random_id.sql",
        randomised=True,
    ),
    Function(
        name="psi_map_random",
        kind="table",
        parameters=(
            Parameter("host_tokens", "VARCHAR", "the name of a table with a column `token`"),
            Parameter("guest_tokens", "VARCHAR", "the name of a table with a column `token`"),
        ),
        returns="TABLE(token BLOB, pid UUID, in_host BOOLEAN, in_guest BOOLEAN)",
        about="Gives every distinct token a fresh random id; a token on both sides gets one "
        "and the same. Materialise it (CREATE TABLE … AS).",
        reveals="The pairs (token, pid) of all the host's tokens tell it nothing of which match.",
        example="SELECT in_host, in_guest FROM psi_map_random('host_tokens', 'guest_tokens')",
        setup=(
            "CREATE OR REPLACE TEMP TABLE host_tokens AS SELECT 'a'::BLOB AS token",
            "CREATE OR REPLACE TEMP TABLE guest_tokens AS SELECT 'a'::BLOB AS token",
        ),
        body="psi_map_random.sql",
        randomised=True,
    ),
    Function(
        name="exchange_send",
        kind="call",
        parameters=(
            _PEER,
            _CHANNEL,
            Parameter("query", "VARCHAR", "what to send; $$ … $$ saves doubling quotes"),
        ),
        returns="TABLE(rows BIGINT, bytes BIGINT, sha256 VARCHAR)",
        about="Runs the query on this connection and sends its rows to the peer. If it fails "
        "half-way, nothing is sent; once sent, ROLLBACK does not take it back. The variables "
        "duckpriv_protocol and duckpriv_parameters, where "
        "set, go along; a receiver with others refuses the message.",
        reveals="To the peer: the rows of the query. To who carries the messages: the same.",
        example="CALL exchange_send('shop', 'note', $$ SELECT 42 AS answer $$)",
        udfs=(
            Udf(messages.exchange_open, _EXCHANGE_ARGUMENTS, "BIGINT", pa.int64(), volatile=True),
            Udf(messages.exchange_stage, None, "BIGINT", pa.int64(), volatile=True, nulls=True),
            Udf(messages.exchange_publish, None, _SENT, messages.SENT, volatile=True, nulls=True),
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
        "reading it again gives the same rows.",
        reveals="Nothing leaves.",
        example="SELECT question FROM exchange_recv('shop', 'question')",
        udfs=(
            Udf(
                messages.exchange_source,
                (*_EXCHANGE_ARGUMENTS, "VARCHAR"),
                "VARCHAR",
                pa.string(),
                volatile=True,
            ),
        ),
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
