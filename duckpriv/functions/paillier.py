"""Homomorphic encryption: Paillier keys, encryption, arithmetic, decryption."""

from __future__ import annotations

import pyarrow as pa

from ..columns import paillier
from ..columns.rsa import KEY_INFO
from .declaration import Function, Parameter, Udf

_KEY = Parameter("key", "VARCHAR", "a Paillier key in your keyring, yours or a peer's")
_OWN_KEY = Parameter("key", "VARCHAR", "your Paillier private key")
_CT = Parameter("ct", "BLOB", "a ciphertext")
_SCALE = Parameter("scale", "INTEGER", "fractional bits: x stands as round(x * 2^scale)", "20")
_BOUND = Parameter(
    "bound",
    "INTEGER",
    "every |x * 2^scale| has to be below 2^bound; the ciphertext tells it to who has it",
    "51",
)
_WEIGHT_SCALE = Parameter("scale", "INTEGER", "fractional bits of the weights; 0: integers", "0")
_WEIGHT_BOUND = Parameter(
    "bound", "INTEGER", "every |weight * 2^scale| has to be below 2^bound; 1 to 61", "31"
)
_TABLE = Parameter("tbl", "VARCHAR", "the name of a table or view")
_ID = Parameter("id", "VARCHAR", "its id column; rows are taken in its order")
_COLUMNS = Parameter(
    "columns", "VARCHAR", "its numeric columns, with commas between; empty: all but the id", "''"
)
_LIST = Parameter("list", "VARCHAR", "instead of columns: the name of one DOUBLE[] column", "''")
_MAKE_TABLE = (
    "CREATE OR REPLACE TEMP TABLE features AS "
    "SELECT * FROM (VALUES (1, 0.5, 2.0), (2, -1.5, 4.0)) t(id, height, weight)"
)
_MAKE_KEY = "CALL paillier_keygen('mine', bits := 2048)"
_KEY_INFO = "STRUCT(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)"
_HIDDEN = (
    "To who has the key: the plaintext. To others: key, scale, bound and number of values. It is "
    "re-randomised: not which ciphertexts it was made from."
)


def _udf(function: object, parameters: tuple[str, ...], returns: str, arrow: pa.DataType) -> Udf:
    return Udf(function, parameters, returns, arrow, volatile=True)  # type: ignore[arg-type]


PAILLIER: tuple[Function, ...] = (
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
        udfs=(_udf(paillier.paillier_keygen, ("VARCHAR", "BIGINT"), _KEY_INFO, KEY_INFO),),
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
        example="SELECT length(key_import('peer', paillier_public_key('mine'))) AS digits",
        setup=(_MAKE_KEY,),
        udfs=(Udf(paillier.paillier_public_key, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="paillier_encrypt",
        kind="scalar",
        parameters=(Parameter("x", "DOUBLE", "the number"), _KEY, _SCALE, _BOUND),
        returns="BLOB",
        about="Encrypts one number, in fixed point. NaN, infinities and numbers beyond the bound "
        "are errors. For many numbers, paillier_encrypt_list is far faster.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt(paillier_encrypt(1.5, 'mine'), 'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(
            _udf(
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
            _SCALE,
            _BOUND,
            Parameter(
                "slot_bits",
                "INTEGER",
                "bits for each number, for sums, products and masks: 10 fit into 2048 bits at 192",
                "192",
            ),
        ),
        returns="BLOB",
        about="Encrypts a list of numbers, many in one plaintext. Arithmetic acts on all of them.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt_list(paillier_encrypt_list([1.5, -2], 'mine'), 'mine') "
        "AS xs",
        setup=(_MAKE_KEY,),
        udfs=(
            _udf(
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
        parameters=(_CT, _OWN_KEY),
        returns="DOUBLE",
        about="Decrypts a ciphertext of one number.",
        reveals="The number, to you.",
        example="SELECT paillier_decrypt(he_mul(paillier_encrypt(2, 'mine'), 21), 'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(Udf(paillier.paillier_decrypt, ("BLOB", "VARCHAR"), "DOUBLE", pa.float64()),),
    ),
    Function(
        name="paillier_decrypt_list",
        kind="scalar",
        parameters=(_CT, _OWN_KEY),
        returns="DOUBLE[]",
        about="Decrypts a ciphertext to its numbers.",
        reveals="The numbers, to you.",
        example="SELECT paillier_decrypt_list(paillier_encrypt_list([1, 2], 'mine'), 'mine') AS xs",
        setup=(_MAKE_KEY,),
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
        parameters=(_CT, _OWN_KEY),
        returns="UBIGINT[]",
        about="Decrypts a ciphertext to shares, each value modulo 2^64: the counterpart of the "
        "share that he_share_split kept.",
        reveals="Masked values, to you: nothing of what was masked.",
        example="SELECT len(paillier_decrypt_share(he_share_split("
        "paillier_encrypt_list([1, 2], 'mine')).send, 'mine')) AS shares",
        setup=(_MAKE_KEY,),
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
        name="he_add",
        kind="scalar",
        parameters=(Parameter("a", "BLOB", "a ciphertext"), Parameter("b", "BLOB", "another one")),
        returns="BLOB",
        about="Adds two ciphertexts, value by value: same key, scale, slots and count.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt(he_add(paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine')), 'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(_udf(paillier.he_add, ("BLOB", "BLOB"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="he_sub",
        kind="scalar",
        parameters=(Parameter("a", "BLOB", "a ciphertext"), Parameter("b", "BLOB", "another one")),
        returns="BLOB",
        about="Subtracts the second ciphertext from the first, value by value.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt(he_sub(paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine')), 'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(_udf(paillier.he_sub, ("BLOB", "BLOB"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="he_add_plain",
        kind="scalar",
        parameters=(_CT, Parameter("x", "DOUBLE", "a number, within the ciphertext's bound")),
        returns="BLOB",
        about="Adds a number to every value of a ciphertext, at the ciphertext's scale.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt(he_add_plain(paillier_encrypt(1, 'mine'), 0.5), 'mine') "
        "AS x",
        setup=(_MAKE_KEY,),
        udfs=(_udf(paillier.he_add_plain, ("BLOB", "DOUBLE"), "BLOB", pa.binary()),),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="he_mul",
        kind="scalar",
        parameters=(_CT, Parameter("x", "DOUBLE", "the factor"), _WEIGHT_SCALE, _WEIGHT_BOUND),
        returns="BLOB",
        about="Multiplies every value of a ciphertext by a number. The result's scale is the sum "
        "of both scales, and its bound grows by the factor's.",
        reveals=_HIDDEN,
        example="SELECT paillier_decrypt(he_mul(paillier_encrypt(3, 'mine'), 0.5, scale := 4), "
        "'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(_udf(paillier.he_mul, ("BLOB", "DOUBLE", "BIGINT", "BIGINT"), "BLOB", pa.binary()),),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="he_sum",
        kind="aggregate",
        parameters=(_CT,),
        returns="BLOB",
        about="Aggregate: the sum of ciphertexts, value by value. NULLs take no part.",
        reveals=_HIDDEN + " The bound tells about how many there were, to the next power of two.",
        example="SELECT paillier_decrypt(he_sum(ct), 'mine') AS x "
        "FROM (SELECT paillier_encrypt(i, 'mine') AS ct FROM range(4) t(i))",
        setup=(_MAKE_KEY,),
        udfs=(_udf(paillier.he_sum, ("BLOB[]",), "BLOB", pa.binary()),),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="he_dot",
        kind="scalar",
        parameters=(
            Parameter("cts", "BLOB[]", "ciphertexts"),
            Parameter("xs", "DOUBLE[]", "as many weights"),
            _WEIGHT_SCALE,
            _WEIGHT_BOUND,
        ),
        returns="BLOB",
        about="The sum of ciphertexts times weights: a product of powers, far faster than he_mul "
        "and he_sum, above all where neighbouring rows have the same ciphertexts.",
        reveals=_HIDDEN + " The bound tells the number of weights, to the next power of two.",
        example="SELECT paillier_decrypt(he_dot([paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine')], [10, 100]), 'mine') AS x",
        setup=(_MAKE_KEY,),
        udfs=(
            _udf(paillier.he_dot, ("BLOB[]", "DOUBLE[]", "BIGINT", "BIGINT"), "BLOB", pa.binary()),
        ),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="he_share_split",
        kind="scalar",
        parameters=(
            _CT,
            Parameter("sigma", "INTEGER", "statistical security in bits, 40 to 256", "64"),
        ),
        returns="STRUCT(send BLOB, keep UBIGINT[])",
        about="Turns encrypted values into shares in Z_2^64: `send` holds every value less a "
        "random mask, for the key's owner to decrypt with paillier_decrypt_share; `keep` are the "
        "masks. "
        "Materialise it: the two belong together.",
        reveals="`send` to the key's owner: values masked by sigma bits more than they can have.",
        example="SELECT len(he_share_split(paillier_encrypt_list([1, 2], 'mine')).keep) AS shares",
        setup=(_MAKE_KEY,),
        udfs=(
            _udf(
                paillier.he_share_split,
                ("BLOB", "BIGINT"),
                "STRUCT(send BLOB, keep UBIGINT[])",
                paillier.SHARE_SPLIT,
            ),
        ),
        body="paillier.sql",
        randomised=True,
    ),
    Function(
        name="matrix_rows",
        kind="table",
        parameters=(_TABLE, _ID, _COLUMNS, _LIST),
        returns="TABLE(row BIGINT, id ANY, x DOUBLE[])",
        about="A table as a matrix: its rows, numbered in the order of the id, each with the list "
        "of its numbers.",
        reveals="Nothing leaves.",
        example="FROM matrix_rows('features', 'id')",
        setup=(_MAKE_TABLE,),
        body="matrix.sql",
    ),
    Function(
        name="paillier_encrypt_matrix",
        kind="table",
        parameters=(
            _TABLE,
            _KEY,
            Parameter("id", "VARCHAR", "its id column; rows are taken in its order", "'id'"),
            _COLUMNS,
            _LIST,
            _SCALE,
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "40"),
            Parameter("slot_bits", "INTEGER", "bits for each number", "192"),
        ),
        returns="TABLE(row BIGINT, ct BLOB)",
        about="Encrypts a matrix row by row, packed; rows are numbered as matrix_rows does.",
        reveals=_HIDDEN,
        example="SELECT row, octet_length(ct) AS bytes "
        "FROM paillier_encrypt_matrix('features', 'mine')",
        setup=(_MAKE_KEY, _MAKE_TABLE),
        body="matrix.sql",
        randomised=True,
    ),
    Function(
        name="he_matmul",
        kind="table",
        parameters=(
            Parameter("plain_table", "VARCHAR", "the name of a table (row, x DOUBLE[])"),
            Parameter(
                "encrypted_table",
                "VARCHAR",
                "the name of a table (row, ct): its rows in order meet the numbers of each x",
            ),
            _SCALE,
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "40"),
        ),
        returns="TABLE(row BIGINT, ct BLOB)",
        about="The product of a plain matrix with an encrypted one, row by row. Materialise the "
        "encrypted table first.",
        reveals=_HIDDEN,
        example="SELECT row, paillier_decrypt_list(ct, 'mine') AS product "
        "FROM he_matmul('plain', 'encrypted')",
        setup=(
            _MAKE_KEY,
            _MAKE_TABLE,
            "CREATE OR REPLACE TEMP TABLE encrypted AS "
            "SELECT * FROM paillier_encrypt_matrix('features', 'mine')",
            "CREATE OR REPLACE TEMP TABLE plain AS SELECT 1 AS row, [10.0, 1.0]::DOUBLE[] AS x",
        ),
        body="matrix.sql",
        randomised=True,
    ),
)
