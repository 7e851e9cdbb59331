"""Keys that several parties hold together, and encryption under them."""

from __future__ import annotations

import pyarrow as pa

from ..columns import joint
from ..columns.keygen import KEY_INFO as KEY_INFO_TYPE
from .declaration import Function, Parameter, Udf
from .parameters import BOUND, CT, HIDDEN, KEY_INFO, SCALE, UNDER, volatile_udf

_NAME = Parameter("name", "VARCHAR", "your part of a joint key in the keyring")
_KEY = Parameter("key", "VARCHAR", "a joint key in your keyring, joined or imported")
_OWN = Parameter("key", "VARCHAR", "a joint key that you have a part of")
_PARTLY = Parameter(
    "ct", "BLOB", "a ciphertext from which the peer took its part with partial_decrypt"
)
_MASK = Parameter("mask", "BLOB", "the mask that joint_mask gave, if it was masked", "NULL")
_MAKE_PARTS = (
    "CALL joint_keygen('host')",
    "CALL joint_keygen('guest')",
)
MAKE_KEY = (
    *_MAKE_PARTS,
    "SELECT joint_combine('host', 'guest', joint_commitment('guest'), joint_key_share('guest'))",
    "SELECT joint_combine('guest', 'host', joint_commitment('host'), joint_key_share('host'))",
)

JOINT: tuple[Function, ...] = (
    Function(
        name="joint_modulus",
        kind="call",
        parameters=(Parameter("bits", "INTEGER", "a multiple of 8 from 2048 to 8192", "3072"),),
        returns="TABLE(modulus BLOB)",
        about="Makes a modulus for a joint key and forgets its factors: for an assistant that is "
        "none of the key's holders. Who runs it could keep the factors, and decrypt alone.",
        reveals="A modulus, with a proof that N is prime to phi(N): nothing of any data.",
        example="SELECT length(key_import('modulus', modulus, 'modulus')) AS digits "
        "FROM joint_modulus(bits := 2048)",
        udfs=(volatile_udf(joint.joint_modulus, ("BIGINT",), "BLOB", pa.binary()),),
        body="joint.sql",
        randomised=True,
    ),
    Function(
        name="joint_keygen",
        kind="call",
        parameters=(
            Parameter("name", "VARCHAR", "the name of your part; the peer has to know it"),
            Parameter(
                "modulus",
                "VARCHAR",
                "rsa-2048, the challenge number whose factors nobody published, or the name under "
                "which an assistant's modulus was imported",
                "'rsa-2048'",
            ),
        ),
        returns="TABLE(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)",
        about="Makes your part of a joint key in the keyring. It stays there.",
        reveals="Nothing leaves.",
        example="CALL joint_keygen('host')",
        udfs=(volatile_udf(joint.joint_keygen, ("VARCHAR", "VARCHAR"), KEY_INFO, KEY_INFO_TYPE),),
        body="joint.sql",
        randomised=True,
    ),
    Function(
        name="joint_commitment",
        kind="scalar",
        parameters=(_NAME,),
        returns="BLOB",
        about="The commitment to your key share. Send it, and show the share only when you have "
        "the peer's commitment.",
        reveals="Nothing: the hash of a share with 32 random bytes.",
        example="SELECT octet_length(joint_commitment('host')) AS bytes",
        setup=_MAKE_PARTS,
        udfs=(Udf(joint.joint_commitment, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="joint_key_share",
        kind="scalar",
        parameters=(_NAME,),
        returns="BLOB",
        about="Your key share: what is public of your part, with a proof that you know the rest. "
        "It opens your commitment.",
        reveals="g^x: nothing of x (short-exponent discrete logarithm).",
        example="SELECT octet_length(joint_key_share('host')) AS bytes",
        setup=_MAKE_PARTS,
        udfs=(Udf(joint.joint_key_share, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="joint_combine",
        kind="scalar",
        parameters=(
            _NAME,
            Parameter("peer_name", "VARCHAR", "the name that the peer gave its part"),
            Parameter("commitment", "BLOB", "the peer's commitment, received before its share"),
            Parameter("share", "BLOB", "the peer's key share"),
        ),
        returns="VARCHAR",
        about="Checks the peer's key share (its commitment, its proof, the modulus), makes the "
        "joint public key, and keeps it under your part's name. Returns the fingerprint, the same "
        "at both parties.",
        reveals="Nothing leaves.",
        example="SELECT length(joint_combine('host', 'guest', joint_commitment('guest'), "
        "joint_key_share('guest'))) AS digits",
        setup=_MAKE_PARTS,
        udfs=(
            volatile_udf(
                joint.joint_combine,
                ("VARCHAR", "VARCHAR", "BLOB", "BLOB"),
                "VARCHAR",
                pa.string(),
            ),
        ),
    ),
    Function(
        name="joint_public_key",
        kind="scalar",
        parameters=(_KEY,),
        returns="BLOB",
        about="The joint public key, for the key_import of somebody who is to encrypt under it.",
        reveals="The public key: nothing of your data.",
        example="SELECT length(key_import('theirs', joint_public_key('host'), 'joint')) AS digits",
        setup=MAKE_KEY,
        udfs=(Udf(joint.joint_public_key, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="joint_encrypt",
        kind="scalar",
        parameters=(Parameter("x", "DOUBLE", "the number"), _KEY, SCALE, BOUND),
        returns="BLOB",
        about="Encrypts one number under a joint key, in fixed point. NaN, infinities and numbers "
        "beyond the bound are errors.",
        reveals=HIDDEN + " No single party has the key.",
        example="SELECT joint_decrypt(partial_decrypt(joint_encrypt(1.5, 'host'), 'guest'), "
        "'host') AS x",
        setup=MAKE_KEY,
        udfs=(
            volatile_udf(
                joint.joint_encrypt,
                ("DOUBLE", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="joint.sql",
        randomised=True,
    ),
    Function(
        name="joint_encrypt_list",
        kind="scalar",
        parameters=(
            Parameter("xs", "DOUBLE[]", "the numbers, not empty, without NULL"),
            _KEY,
            SCALE,
            BOUND,
            Parameter("slot_bits", "INTEGER", "bits for each number", "128"),
        ),
        returns="BLOB",
        about="Encrypts a list of numbers under a joint key, many in one plaintext.",
        reveals=HIDDEN + " No single party has the key.",
        example="SELECT joint_decrypt_list(partial_decrypt(joint_encrypt_list([1.5, -2], 'host'), "
        "'guest'), 'host') AS xs",
        setup=MAKE_KEY,
        udfs=(
            volatile_udf(
                joint.joint_encrypt_list,
                ("DOUBLE[]", "VARCHAR", "BIGINT", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="joint.sql",
        randomised=True,
    ),
    Function(
        name="joint_mask",
        kind="scalar",
        parameters=(CT, UNDER),
        returns="STRUCT(ct BLOB, mask BLOB)",
        about="Adds a uniform random number to a ciphertext under a joint key, so that the peer's "
        "partial decryption opens nothing but to who has the mask. Materialise it: the two belong "
        "together.",
        reveals="`ct`: nothing, even decrypted. `mask`: keep it.",
        example="SELECT octet_length(joint_mask(joint_encrypt(1, 'host'), 'host').mask) AS bytes",
        setup=MAKE_KEY,
        udfs=(
            volatile_udf(
                joint.joint_mask, ("BLOB", "VARCHAR"), "STRUCT(ct BLOB, mask BLOB)", joint.MASKED
            ),
        ),
        randomised=True,
    ),
    Function(
        name="partial_decrypt",
        kind="scalar",
        parameters=(CT, _OWN),
        returns="BLOB",
        about="Takes your part of a joint key off a ciphertext. Who has the other part can then "
        "decrypt it: do so only for ciphertexts that are meant for that party.",
        reveals="To who has the other part of the key: the plaintext. To others: nothing.",
        example="SELECT joint_decrypt(partial_decrypt(joint_encrypt(-2, 'guest'), 'host'), "
        "'guest') AS x",
        setup=MAKE_KEY,
        udfs=(volatile_udf(joint.partial_decrypt, ("BLOB", "VARCHAR"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="joint_decrypt",
        kind="scalar",
        parameters=(_PARTLY, _OWN, _MASK),
        returns="DOUBLE",
        about="Finishes decrypting a ciphertext of one number, to the nearest DOUBLE, and takes "
        "the mask off. A result beyond the ciphertext's bound is an error: the mask or ciphertext "
        "is another one.",
        reveals="The number, to you.",
        example="SELECT joint_decrypt(partial_decrypt(m.ct, 'guest'), 'host', mask := m.mask) AS x "
        "FROM (SELECT joint_mask(joint_encrypt(1.5, 'host'), 'host') AS m)",
        setup=MAKE_KEY,
        udfs=(Udf(joint.joint_decrypt, ("BLOB", "VARCHAR", "BLOB"), "DOUBLE", pa.float64()),),
        body="joint.sql",
    ),
    Function(
        name="joint_decrypt_list",
        kind="scalar",
        parameters=(_PARTLY, _OWN, _MASK),
        returns="DOUBLE[]",
        about="Finishes decrypting a ciphertext to its numbers, as joint_decrypt does.",
        reveals="The numbers, to you.",
        example="SELECT joint_decrypt_list(partial_decrypt(joint_encrypt_list([1, 2], 'host'), "
        "'guest'), 'host') AS xs",
        setup=MAKE_KEY,
        udfs=(
            Udf(
                joint.joint_decrypt_list,
                ("BLOB", "VARCHAR", "BLOB"),
                "DOUBLE[]",
                pa.list_(pa.float64()),
            ),
        ),
        body="joint.sql",
    ),
)
