"""RSA keys and blind signatures."""

from __future__ import annotations

import pyarrow as pa

from ..columns import rsa
from ..columns.keygen import KEY_INFO as KEY_INFO_TYPE
from .declaration import Function, Parameter, Udf

_ID = Parameter(
    "id", "VARCHAR, integer, UUID, DATE or BLOB", "the id; equal text form means equal id"
)

_KEY_INFO = "STRUCT(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)"
_MAKE_KEY = "CALL rsa_keygen('mine', bits := 2048)"
_MAKE_KEYS = (_MAKE_KEY, "SELECT key_import('host', rsa_public_key('mine'), 'rsa')")

RSA: tuple[Function, ...] = (
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
        udfs=(Udf(rsa.rsa_keygen, ("VARCHAR", "BIGINT"), _KEY_INFO, KEY_INFO_TYPE, volatile=True),),
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
            Parameter("key", "BLOB", "the key, as the peer's function gave it; RSA in DER"),
            Parameter(
                "kind",
                "VARCHAR",
                "which kind of key you expect: rsa, oprf, paillier, joint, or modulus (of a joint "
                "key)",
            ),
            Parameter("proof", "BLOB", "the peer's rsa_key_proof; NULL: not checked", "NULL"),
        ),
        returns="VARCHAR",
        about="Checks a peer's public key (its kind, size, odd modulus without small factors, "
        "e = 65537, and the proof where there is one) and keeps it in the keyring; "
        "returns its fingerprint (SHA-256). "
        "Importing the same key again changes nothing. Give each session's keys names of their "
        "own.",
        reveals="Nothing leaves.",
        example="SELECT length(key_import('host', rsa_public_key('mine'), 'rsa')) AS digits",
        setup=(_MAKE_KEY,),
        udfs=(
            Udf(
                rsa.key_import,
                ("VARCHAR", "BLOB", "VARCHAR", "BLOB"),
                "VARCHAR",
                pa.string(),
                volatile=True,
            ),
        ),
        body="key_import.sql",
    ),
    Function(
        name="key_forget",
        kind="call",
        parameters=(Parameter("name", "VARCHAR", "a key or secret in your keyring"),),
        returns="TABLE(name VARCHAR)",
        about="Deletes a key of any kind from the keyring. A private key cannot be had back.",
        reveals="Nothing leaves.",
        example="CALL key_forget('mine')",
        setup=(_MAKE_KEY,),
        udfs=(Udf(rsa.key_forget, ("VARCHAR",), "VARCHAR", pa.string(), volatile=True),),
        body="key_import.sql",
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
)
