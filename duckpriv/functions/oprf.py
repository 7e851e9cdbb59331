"""Matching on an elliptic curve: the OPRF, and Diffie-Hellman masks."""

from __future__ import annotations

import pyarrow as pa

from ..columns import oprf
from ..columns.keygen import KEY_INFO
from .declaration import Function, Parameter, Udf

_ID = Parameter(
    "id", "VARCHAR, integer, UUID, DATE or BLOB", "the id; equal text form means equal id"
)
_PRIVATE = Parameter("key", "VARCHAR", "your private key, from oprf_keygen")
_PUBLIC = Parameter("key", "VARCHAR", "the peer's imported public key")
_KEY_INFO = "STRUCT(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)"
_MAKE_KEY = "CALL oprf_keygen('own')"
_MAKE_KEYS = (_MAKE_KEY, "SELECT key_import('server', oprf_public_key('own'), 'oprf')")
_LISTS = "1 to 65535 of 32 bytes each"

OPRF: tuple[Function, ...] = (
    Function(
        name="oprf_keygen",
        kind="call",
        parameters=(
            Parameter("name", "VARCHAR", "the key's name in your keyring; it has to be new"),
        ),
        returns="TABLE(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)",
        about="Makes a key pair of OPRF(ristretto255, SHA-512) (RFC 9497) in the keyring. The "
        "private key stays there.",
        reveals="Nothing leaves.",
        example="CALL oprf_keygen('bank-2')",
        udfs=(Udf(oprf.oprf_keygen, ("VARCHAR",), _KEY_INFO, KEY_INFO, volatile=True),),
        body="oprf.sql",
        randomised=True,
    ),
    Function(
        name="oprf_public_key",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "a key of the OPRF in your keyring"),),
        returns="BLOB",
        about="The public key, to send to a peer: 5 bytes that say what it is, and an element.",
        reveals="The public key: nothing of your data.",
        example="SELECT octet_length(oprf_public_key('own')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(oprf.oprf_public_key, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="oprf_blind",
        kind="scalar",
        parameters=(_ID, _PUBLIC),
        returns="BLOB",
        about="Blinds an id (RFC 9497, Blind): 32 bytes. The blind is derived from the id, the "
        "session, and a secret of the session in your keyring, so `oprf_finalize` finds it again "
        "and no column holds it.",
        reveals="To whom it is sent: nothing of the id; the number of rows.",
        example="SELECT octet_length(oprf_blind('ann', 'server')) AS bytes",
        setup=_MAKE_KEYS,
        udfs=(Udf(oprf.oprf_blind, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="oprf.sql",
    ),
    Function(
        name="oprf_evaluate",
        kind="scalar",
        parameters=(
            Parameter("blinded", "BLOB[]", f"from the peer's oprf_blind: {_LISTS}"),
            _PRIVATE,
        ),
        returns="STRUCT(evaluated BLOB[], proof BLOB)",
        about="Evaluates a list of blinded ids (RFC 9497, BlindEvaluate), constant-time, with one "
        "proof of 64 bytes that all were evaluated with this key. What is no element of the group, "
        "or its identity, ends it.",
        reveals="To the peer: the tokens of as many ids of its choice as the list is long.",
        example="SELECT octet_length(oprf_evaluate([oprf_blind('ann', 'server')], 'own').proof) "
        "AS bytes",
        setup=_MAKE_KEYS,
        udfs=(
            Udf(
                oprf.oprf_evaluate,
                ("BLOB[]", "VARCHAR"),
                "STRUCT(evaluated BLOB[], proof BLOB)",
                oprf.EVALUATION,
                volatile=True,
            ),
        ),
        randomised=True,
    ),
    Function(
        name="oprf_finalize",
        kind="scalar",
        parameters=(
            Parameter("ids", "VARCHAR[]", "the ids, as psi_id writes them"),
            Parameter("blinded", "BLOB[]", "their oprf_blind, in the same order"),
            Parameter("evaluated", "BLOB[]", "the peer's answers, in the same order"),
            Parameter("proof", "BLOB", "the peer's proof"),
            _PUBLIC,
        ),
        returns="BLOB[]",
        about="Checks the proof of a list, unblinds its values, and hashes each with its id to a "
        "token of 32 bytes (RFC 9497, Finalize, cut to 32 bytes). A proof that does not hold ends "
        "it.",
        reveals="Compared with the peer's tokens: which of your ids the peer has. Do not send it.",
        example="SELECT oprf_finalize(['ann'], [b], e.evaluated, e.proof, 'server') "
        "= [oprf_token('ann', 'own')] AS same FROM (SELECT b, oprf_evaluate([b], 'own') AS e "
        "FROM (SELECT oprf_blind('ann', 'server') AS b))",
        setup=_MAKE_KEYS,
        udfs=(
            Udf(
                oprf.oprf_finalize,
                ("VARCHAR[]", "BLOB[]", "BLOB[]", "BLOB", "VARCHAR"),
                "BLOB[]",
                pa.list_(pa.binary()),
            ),
        ),
    ),
    Function(
        name="oprf_token",
        kind="scalar",
        parameters=(_ID, _PRIVATE),
        returns="BLOB",
        about="The token of one of your own ids (RFC 9497, Evaluate, cut to 32 bytes). The "
        "session's name enters it, so tokens of two sessions have nothing in common.",
        reveals="To the peer: how many distinct ids you have, and, with what you evaluated for it, "
        "which of its own ids you have too. Alone a token tells nothing.",
        example="SELECT octet_length(oprf_token('ann', 'own')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(oprf.oprf_token, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="oprf.sql",
    ),
    Function(
        name="oprf_verify",
        kind="scalar",
        parameters=(
            Parameter("blinded", "BLOB[]", f"what was evaluated: {_LISTS}"),
            Parameter("evaluated", "BLOB[]", "the peer's answers, in the same order"),
            Parameter("proof", "BLOB", "the peer's proof"),
            _PUBLIC,
        ),
        returns="BOOLEAN",
        about="Checks that a list was evaluated with the peer's key, all of it with one. Returns "
        "true, or ends with an error. `oprf_finalize` does so by itself.",
        reveals="Nothing leaves.",
        example="SELECT oprf_verify([b], e.evaluated, e.proof, 'server') AS holds "
        "FROM (SELECT b, oprf_evaluate([b], 'own') AS e "
        "FROM (SELECT dh_mask('ann', 'own') AS b))",
        setup=_MAKE_KEYS,
        udfs=(
            Udf(
                oprf.oprf_verify,
                ("BLOB[]", "BLOB[]", "BLOB", "VARCHAR"),
                "BOOLEAN",
                pa.bool_(),
                volatile=True,
            ),
        ),
    ),
    Function(
        name="dh_mask",
        kind="scalar",
        parameters=(_ID, _PRIVATE),
        returns="BLOB",
        about="Masks an id: hashed to an element of ristretto255 (RFC 9380, appendix B), with the "
        "session, and multiplied by the key; 32 bytes. Masks of two keys commute "
        "(Meadows 1986; Huberman, Franklin, Hogg 1999), which private_id and psi_size build on.",
        reveals="To whom it is sent: nothing of the id, while the key is unknown (DDH). Equal ids "
        "have equal masks under one key, so mask distinct ids and send them in random order.",
        example="SELECT octet_length(dh_mask('ann', 'own')) AS bytes",
        setup=(_MAKE_KEY,),
        udfs=(Udf(oprf.dh_mask, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="oprf.sql",
    ),
    Function(
        name="dh_remask",
        kind="scalar",
        parameters=(
            Parameter("masked", "BLOB", "a masked id, of one's own or the peer's: 32 bytes"),
            _PRIVATE,
            Parameter("old", "VARCHAR", "your private key that is taken off; '': none", "''"),
        ),
        returns="BLOB",
        about="Multiplies a masked id by a key, and divides it by another one, constant-time. What "
        "is no element of the group, or its identity, ends it.",
        reveals="To whom it is sent: nothing but what masks under the same keys tell by being "
        "equal.",
        example="SELECT dh_remask(dh_mask('ann', 'own'), 'own', old := 'own') "
        "= dh_mask('ann', 'own') AS same",
        setup=(_MAKE_KEY,),
        udfs=(Udf(oprf.dh_remask, ("BLOB", "VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        body="oprf.sql",
    ),
)
