"""Paillier's cryptosystem: keys, encryption, decryption."""

from __future__ import annotations

import pyarrow as pa

from ..columns import exact, paillier
from ..columns.keygen import KEY_INFO as KEY_INFO_TYPE
from .declaration import Function, Parameter, Udf
from .parameters import (
    BOUND,
    COLUMNS,
    CT,
    HIDDEN,
    ID,
    KEY_INFO,
    LIST,
    MAKE_KEY,
    MAKE_TABLE,
    SCALE,
    TABLE,
    volatile_udf,
)

_KEY = Parameter("key", "VARCHAR", "a Paillier key in your keyring, yours or a peer's")
_OWN_KEY = Parameter("key", "VARCHAR", "your Paillier private key")

PAILLIER: tuple[Function, ...] = (
    Function(
        name="exact_double",
        kind="scalar",
        parameters=(Parameter("x", "ANY", "a number, or true and false as 1 and 0"),),
        returns="DOUBLE",
        about="A number as a DOUBLE, by which nothing of it is lost: an integer that a DOUBLE does "
        "not hold, beyond 2^53, or a DECIMAL whose digits it does not hold, of more than 15, is an "
        "error, and so is what has another type, such as a DATE or a text. Functions that take a "
        "DOUBLE take their numbers so.",
        reveals="Nothing leaves.",
        example="SELECT exact_double(9007199254740992) AS x",
        udfs=(Udf(exact.exact_double, ("VARCHAR",) * 3, "DOUBLE", pa.float64(), nulls=True),),
        body="exact_double.sql",
    ),
    Function(
        name="exact_doubles",
        kind="scalar",
        parameters=(Parameter("xs", "ANY[]", "a list of numbers"),),
        returns="DOUBLE[]",
        about="The same for a list.",
        reveals="Nothing leaves.",
        example="SELECT exact_doubles([1, 2]) AS xs",
        udfs=(
            Udf(
                exact.exact_doubles,
                ("VARCHAR[]", "VARCHAR", "VARCHAR"),
                "DOUBLE[]",
                pa.list_(pa.float64()),
                nulls=True,
            ),
        ),
        body="exact_double.sql",
    ),
    Function(
        name="paillier_keygen",
        kind="call",
        parameters=(
            Parameter("name", "VARCHAR", "the key's name in your keyring; it has to be new"),
            Parameter("bits", "INTEGER", "modulus size: a multiple of 8 from 2048 to 8192", "3072"),
        ),
        returns="TABLE(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)",
        about="Makes a Paillier key pair in the keyring. The private key stays there.",
        reveals="Nothing leaves.",
        example="CALL paillier_keygen('analyst', bits := 2048)",
        udfs=(
            volatile_udf(paillier.paillier_keygen, ("VARCHAR", "BIGINT"), KEY_INFO, KEY_INFO_TYPE),
        ),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="paillier_public_key",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "a Paillier key in your keyring"),),
        returns="BLOB",
        about="The public key N with a proof that N is prime to phi(N), for the peer's key_import, "
        "which checks it.",
        reveals="The public key: nothing of your data.",
        example="SELECT length(key_import('peer', paillier_public_key('mine'), 'paillier')) AS "
        "digits",
        setup=(MAKE_KEY,),
        udfs=(Udf(paillier.paillier_public_key, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="paillier_encrypt",
        kind="scalar",
        parameters=(Parameter("x", "DOUBLE", "the number"), _KEY, SCALE, BOUND),
        returns="BLOB",
        about="Encrypts one number, in fixed point. NaN, infinities and numbers beyond the bound "
        "are errors. For many numbers, paillier_encrypt_list is far faster.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt(paillier_encrypt(1.5, 'mine'), 'mine') AS x",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                paillier.paillier_encrypt,
                ("DOUBLE", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="paillier_encrypt_list",
        kind="scalar",
        parameters=(
            Parameter("xs", "DOUBLE[]", "the numbers, not empty, without NULL"),
            _KEY,
            SCALE,
            BOUND,
            Parameter(
                "slot_bits",
                "INTEGER",
                "bits for each number, for sums, products and masks: 10 fit into 2048 bits at 192",
                "192",
            ),
        ),
        returns="BLOB",
        about="Encrypts a list of numbers, many in one plaintext. Arithmetic acts on all of them.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt_list(paillier_encrypt_list([1.5, -2], 'mine'), 'mine') "
        "AS xs",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                paillier.paillier_encrypt_list,
                ("DOUBLE[]", "VARCHAR", "BIGINT", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="paillier_decrypt",
        kind="scalar",
        parameters=(CT, _OWN_KEY),
        returns="DOUBLE",
        about="Decrypts a ciphertext of one number, to the nearest DOUBLE. "
        "paillier_decrypt_share keeps all digits of integers.",
        reveals="The number, to you.",
        example="SELECT paillier_decrypt(he_mul(paillier_encrypt(2, 'mine'), 21, 'mine'), 'mine') "
        "AS x",
        setup=(MAKE_KEY,),
        udfs=(Udf(paillier.paillier_decrypt, ("BLOB", "VARCHAR"), "DOUBLE", pa.float64()),),
    ),
    Function(
        name="paillier_decrypt_list",
        kind="scalar",
        parameters=(CT, _OWN_KEY),
        returns="DOUBLE[]",
        about="Decrypts a ciphertext to its numbers, each to the nearest DOUBLE.",
        reveals="The numbers, to you.",
        example="SELECT paillier_decrypt_list(paillier_encrypt_list([1, 2], 'mine'), 'mine') AS xs",
        setup=(MAKE_KEY,),
        udfs=(
            Udf(
                paillier.paillier_decrypt_list,
                ("BLOB", "VARCHAR"),
                "DOUBLE[]",
                pa.list_(pa.float64()),
            ),
        ),
    ),
    Function(
        name="paillier_decrypt_share",
        kind="scalar",
        parameters=(CT, _OWN_KEY),
        returns="UBIGINT[]",
        about="Decrypts a ciphertext to shares, each value modulo 2^64: the counterpart of the "
        "share that he_share_split kept.",
        reveals="Masked values, to you: nothing of what was masked.",
        example="SELECT len(paillier_decrypt_share(he_share_split("
        "paillier_encrypt_list([1, 2], 'mine'), 'mine').send, 'mine')) AS shares",
        setup=(MAKE_KEY,),
        udfs=(
            Udf(
                paillier.paillier_decrypt_share,
                ("BLOB", "VARCHAR"),
                "UBIGINT[]",
                pa.list_(pa.uint64()),
            ),
        ),
    ),
    Function(
        name="matrix_rows",
        kind="table",
        parameters=(
            TABLE,
            ID,
            COLUMNS,
            LIST,
            Parameter("names", "VARCHAR[]", "instead of columns: their names in a list", "NULL"),
        ),
        returns="TABLE(row BIGINT, id ANY, x DOUBLE[])",
        about="A table as a matrix: its rows, numbered in the order of the id, each with the list "
        "of its numbers.",
        reveals="Nothing leaves.",
        example="FROM matrix_rows('features', 'id')",
        setup=(MAKE_TABLE,),
        body="matrix.sql",
    ),
    Function(
        name="paillier_encrypt_matrix",
        kind="table",
        parameters=(
            TABLE,
            _KEY,
            Parameter("id", "VARCHAR", "its id column; rows are taken in its order", "'id'"),
            COLUMNS,
            LIST,
            SCALE,
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "30"),
            Parameter("slot_bits", "INTEGER", "bits for each number", "192"),
        ),
        returns="TABLE(row BIGINT, ct BLOB)",
        about="Encrypts a matrix row by row, packed; rows are numbered as matrix_rows does.",
        reveals=HIDDEN,
        example="SELECT row, octet_length(ct) AS bytes "
        "FROM paillier_encrypt_matrix('features', 'mine')",
        setup=(MAKE_KEY, MAKE_TABLE),
        body="matrix.sql",
        randomised=True,
    ),
)
