"""Arithmetic on ciphertexts of either scheme."""

from __future__ import annotations

import pyarrow as pa

from ..columns import homomorphic, sums
from .declaration import Function, Parameter, Udf
from .parameters import (
    CT,
    HIDDEN,
    MAKE_KEY,
    MAKE_TABLE,
    SCALE,
    UNDER,
    WEIGHT_BOUND,
    WEIGHT_SCALE,
    volatile_udf,
)

_LAYOUT = (
    "STRUCT(scale BIGINT, bound BIGINT, slot_bits BIGINT, count BIGINT, doublings BIGINT, "
    "masked BOOLEAN)"
)
# The number of a connection, that of its query, and when the transaction began, in microseconds.
_STATEMENT = ("UBIGINT", "UBIGINT", "BIGINT")
SIGMA = Parameter(
    "sigma",
    "INTEGER",
    "a share is wrong with probability 2^-sigma, 40 to 256; slots have as many bits to spare",
    "64",
)
_PRODUCT = (
    Parameter("plain_table", "VARCHAR", "the name of a table (row, x DOUBLE[])"),
    Parameter(
        "encrypted_table",
        "VARCHAR",
        "the name of a table (row, ct): its rows in order meet the numbers of each x",
    ),
    UNDER,
    SCALE,
    Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "30"),
)
_MAKE_PRODUCT = (
    MAKE_KEY,
    MAKE_TABLE,
    "CREATE OR REPLACE TEMP TABLE encrypted AS "
    "SELECT * FROM paillier_encrypt_matrix('features', 'mine')",
    "CREATE OR REPLACE TEMP TABLE plain AS SELECT 1 AS row, [10.0, 1.0]::DOUBLE[] AS x",
)

HOMOMORPHIC: tuple[Function, ...] = (
    Function(
        name="he_layout",
        kind="scalar",
        parameters=(CT,),
        returns=_LAYOUT,
        about="What a ciphertext's header says of its values: fractional bits, the bound, the "
        "width of a slot, how many they are, how often re-randomising has doubled them, and "
        "whether they are masked. A receiver can require what was agreed.",
        reveals="Nothing leaves.",
        example="SELECT he_layout(paillier_encrypt(1, 'mine', scale := 8)).scale AS scale",
        setup=(MAKE_KEY,),
        udfs=(
            Udf(
                homomorphic.he_layout,
                ("BLOB",),
                _LAYOUT,
                homomorphic.LAYOUT,
            ),
        ),
    ),
    Function(
        name="he_add",
        kind="scalar",
        parameters=(
            Parameter("a", "BLOB", "a ciphertext"),
            Parameter("b", "BLOB", "another one"),
            UNDER,
        ),
        returns="BLOB",
        about="Adds two ciphertexts, value by value: same scale, slots and count.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt(he_add(paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine'), 'mine'), 'mine') AS x",
        setup=(MAKE_KEY,),
        udfs=(volatile_udf(homomorphic.he_add, ("BLOB", "BLOB", "VARCHAR"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="he_sub",
        kind="scalar",
        parameters=(
            Parameter("a", "BLOB", "a ciphertext"),
            Parameter("b", "BLOB", "another one"),
            UNDER,
        ),
        returns="BLOB",
        about="Subtracts the second ciphertext from the first, value by value.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt(he_sub(paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine'), 'mine'), 'mine') AS x",
        setup=(MAKE_KEY,),
        udfs=(volatile_udf(homomorphic.he_sub, ("BLOB", "BLOB", "VARCHAR"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="he_add_plain",
        kind="scalar",
        parameters=(CT, Parameter("x", "DOUBLE", "a number, within the ciphertext's bound"), UNDER),
        returns="BLOB",
        about="Adds a number to every value of a ciphertext, at the ciphertext's scale.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt(he_add_plain(paillier_encrypt(1, 'mine'), 0.5, 'mine'), "
        "'mine') "
        "AS x",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                homomorphic.he_add_plain, ("BLOB", "DOUBLE", "VARCHAR"), "BLOB", pa.binary()
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_mul",
        kind="scalar",
        parameters=(
            CT,
            Parameter("x", "DOUBLE", "the factor"),
            UNDER,
            WEIGHT_SCALE,
            WEIGHT_BOUND,
        ),
        returns="BLOB",
        about="Multiplies every value of a ciphertext by a number. The result's scale is the sum "
        "of both scales, and its bound grows by the factor's.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt(he_mul(paillier_encrypt(3, 'mine'), 0.5, 'mine', scale := "
        "4), "
        "'mine') AS x",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                homomorphic.he_mul,
                ("BLOB", "DOUBLE", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_sum",
        kind="aggregate",
        parameters=(CT, UNDER),
        returns="BLOB",
        about="Aggregate: the sum of ciphertexts, value by value. NULLs take no part. The "
        "ciphertexts are in memory once, whatever the groups are.",
        reveals=HIDDEN + " The bound tells about how many there were, to the next power of two.",
        example="SELECT paillier_decrypt(he_sum(ct, 'mine'), 'mine') AS x "
        "FROM (SELECT paillier_encrypt(i, 'mine') AS ct FROM range(4) t(i))",
        setup=(MAKE_KEY,),
        udfs=(
            *(
                Udf(
                    function,
                    (taken, "VARCHAR", *_STATEMENT),
                    given,
                    arrow,
                    volatile=True,
                    hidden=True,
                )
                for function, taken, given, arrow in (
                    (sums.he_stage, "BLOB", "BIGINT", pa.int64()),
                    (sums.he_part, "BIGINT[]", "BIGINT", pa.int64()),
                    (sums.he_sum, "BIGINT[]", "BLOB", pa.binary()),
                )
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_dot",
        kind="scalar",
        parameters=(
            Parameter("cts", "BLOB[]", "ciphertexts"),
            Parameter("xs", "DOUBLE[]", "as many weights"),
            UNDER,
            WEIGHT_SCALE,
            WEIGHT_BOUND,
        ),
        returns="BLOB",
        about="The sum of ciphertexts times weights: a product of powers, far faster than he_mul "
        "and he_sum, above all where neighbouring rows have the same ciphertexts.",
        reveals=HIDDEN + " The bound tells the number of weights, to the next power of two.",
        example="SELECT paillier_decrypt(he_dot([paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine')], [10, 100], 'mine'), 'mine') AS x",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                homomorphic.he_dot,
                ("BLOB[]", "DOUBLE[]", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_weighted_sums",
        kind="table",
        parameters=(
            Parameter("encrypted_table", "VARCHAR", "the name of a table (row, ct)"),
            Parameter("plain_table", "VARCHAR", "the name of a table (row, x DOUBLE[])"),
            UNDER,
            SCALE,
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "30"),
            Parameter(
                "first",
                "INTEGER",
                "of each ciphertext only so many values, and those that come with them; 0: all",
                "0",
            ),
        ),
        returns="TABLE(feature BIGINT, ct BLOB)",
        about="The sums over all rows of ciphertext times number, one for each number that the "
        "rows have: Xᵀ·[[d]]. Every row of one table needs its row of the other. All ciphertexts "
        "are in memory: give it some 30,000 rows at a time, and add with he_sum.",
        reveals=HIDDEN + " The bound tells the number of rows, to the next power of two.",
        example="SELECT feature, paillier_decrypt_list(ct, 'mine') AS sums "
        "FROM he_weighted_sums('encrypted', 'matrix', 'mine')",
        setup=(
            MAKE_KEY,
            MAKE_TABLE,
            "CREATE OR REPLACE TEMP TABLE encrypted AS "
            "SELECT * FROM paillier_encrypt_matrix('features', 'mine')",
            "CREATE OR REPLACE TEMP TABLE matrix AS FROM matrix_rows('features', 'id')",
        ),
        udfs=(
            volatile_udf(
                homomorphic.he_weighted_sums,
                ("BLOB[]", "DOUBLE[][]", "VARCHAR", "BIGINT", "BIGINT", "BIGINT"),
                "BLOB[]",
                pa.list_(pa.binary()),
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_pack",
        kind="scalar",
        parameters=(
            Parameter("cts", "BLOB[]", "ciphertexts of one number each"),
            UNDER,
            Parameter("slot_bits", "INTEGER", "bits for each number", "128"),
        ),
        returns="BLOB",
        about="Puts ciphertexts of one number each into the slots of one, which is shorter to send "
        "and takes one decryption.",
        reveals=HIDDEN,
        example="SELECT paillier_decrypt_list(he_pack([paillier_encrypt(1, 'mine'), "
        "paillier_encrypt(2, 'mine')], 'mine'), 'mine') AS xs",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(homomorphic.he_pack, ("BLOB[]", "VARCHAR", "BIGINT"), "BLOB", pa.binary()),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_share_split",
        kind="scalar",
        parameters=(
            CT,
            UNDER,
            SIGMA,
        ),
        returns="STRUCT(send BLOB, keep UBIGINT[])",
        about="Turns encrypted values into shares in Z_2^64: `send` holds every value plus a mask "
        "that is uniform modulo N, for the key's owner to decrypt with paillier_decrypt_share; "
        "`keep` are the other shares. Materialise it: the two belong together.",
        reveals="`send` to the key's owner: uniform numbers.",
        example="SELECT len(he_share_split(paillier_encrypt_list([1, 2], 'mine'), 'mine').keep) AS "
        "shares",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                homomorphic.he_share_split,
                ("BLOB", "VARCHAR", "BIGINT"),
                "STRUCT(send BLOB, keep UBIGINT[])",
                homomorphic.SHARE_SPLIT,
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_matmul",
        kind="table",
        parameters=_PRODUCT,
        returns="TABLE(row BIGINT, ct BLOB)",
        about="The product of a plain matrix with an encrypted one, row by row. Materialise the "
        "encrypted table first.",
        reveals=HIDDEN,
        example="SELECT row, paillier_decrypt_list(ct, 'mine') AS product "
        "FROM he_matmul('plain', 'encrypted', 'mine')",
        setup=_MAKE_PRODUCT,
        udfs=(
            volatile_udf(
                homomorphic.he_matmul,
                ("BLOB[]", "DOUBLE[][]", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB[]",
                pa.list_(pa.binary()),
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
    Function(
        name="he_matmul_split",
        kind="table",
        parameters=(*_PRODUCT, SIGMA),
        returns="TABLE(row BIGINT, s STRUCT(send BLOB, keep UBIGINT[]))",
        about="he_matmul and he_share_split in one, which re-randomises once instead of twice. "
        "Materialise the result: `send` and `keep` belong together.",
        reveals="`send` to the key's owner: uniform numbers.",
        example="SELECT row, len(s.keep) AS shares "
        "FROM he_matmul_split('plain', 'encrypted', 'mine')",
        setup=_MAKE_PRODUCT,
        udfs=(
            volatile_udf(
                homomorphic.he_matmul_split,
                ("BLOB[]", "DOUBLE[][]", "VARCHAR", "BIGINT", "BIGINT", "BIGINT"),
                "STRUCT(send BLOB, keep UBIGINT[])[]",
                pa.list_(homomorphic.SHARE_SPLIT),
            ),
        ),
        body="homomorphic.sql",
        randomised=True,
    ),
)
