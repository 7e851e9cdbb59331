"""Proofs that encrypted values are in a range."""

from __future__ import annotations

import pyarrow as pa

from ..columns import range_proof
from .declaration import Function, Parameter, Udf
from .parameters import MAKE_KEY, UNDER, volatile_udf

_BLOBS = pa.list_(pa.binary())
_BOUND = Parameter("bound", "INTEGER", "bits")
_PRODUCTS = Parameter("products", "BLOB[]", "what range_products returned for the last rows")
_CTS = "CREATE OR REPLACE TEMP TABLE rows AS SELECT i AS row, paillier_encrypt_list([i, 1], "
_MAKE = (
    MAKE_KEY,
    f"{_CTS}'mine', scale := 0, bound := 5, slot_bits := 128) AS ct FROM range(3) t(i)",
    "CREATE OR REPLACE TEMP TABLE masks AS SELECT range_masks(ct, 70, 'mine') AS masks "
    "FROM rows WHERE row = 0",
    "CREATE OR REPLACE TEMP TABLE products AS SELECT range_products(any_value(masks), "
    "list(ct ORDER BY row), list(row ORDER BY row), 'random', 'mine') AS products FROM rows, masks",
)

RANGE_PROOF: tuple[Function, ...] = (
    Function(
        name="range_masks",
        kind="scalar",
        parameters=(
            Parameter("ct", "BLOB", "a ciphertext packed as those of the proof"),
            _BOUND,
            UNDER,
        ),
        returns="BLOB[]",
        about="The first message of a proof that the values of many Paillier ciphertexts are in a "
        "range: 40 encrypted masks, uniform below 2^bound. The bound is the number of bits that "
        "the sum of all values has, and sigma more. Ciphertexts and masks have to be sent before "
        "the challenge is known.",
        reveals="Nothing to who does not have the key.",
        example="SELECT len(range_masks(ct, 70, 'mine')) AS masks FROM rows WHERE row = 0",
        setup=_MAKE,
        udfs=(
            volatile_udf(range_proof.range_masks, ("BLOB", "BIGINT", "VARCHAR"), "BLOB[]", _BLOBS),
        ),
        randomised=True,
    ),
    Function(
        name="range_products",
        kind="scalar",
        parameters=(
            Parameter("products", "BLOB[]", "the masks, then what this returned for other rows"),
            Parameter("cts", "BLOB[]", "ciphertexts, some 30,000 at a time"),
            Parameter("rows", "BIGINT[]", "their numbers"),
            Parameter("challenge", "VARCHAR", "a random text of who is to be convinced"),
            UNDER,
        ),
        returns="BLOB[]",
        about="Multiplies each of 40 products by a subset of ciphertexts, which follows from the "
        "challenge. Both parties compute it for all rows.",
        reveals="Keep them: they are not re-randomised.",
        example="SELECT len(products) AS products FROM products",
        setup=_MAKE,
        udfs=(
            Udf(
                range_proof.range_products,
                ("BLOB[]", "BLOB[]", "BIGINT[]", "VARCHAR", "VARCHAR"),
                "BLOB[]",
                _BLOBS,
            ),
        ),
    ),
    Function(
        name="range_open",
        kind="scalar",
        parameters=(_PRODUCTS, UNDER),
        returns="BLOB[]",
        about="The key owner's answer to the challenge: plaintext and N-th root of each product.",
        reveals="To the peer: sums of subsets of the values, each behind a mask that is sigma bits "
        "longer.",
        example="SELECT len(range_open(products, 'mine')) AS opened FROM products",
        setup=_MAKE,
        udfs=(Udf(range_proof.range_open, ("BLOB[]", "VARCHAR"), "BLOB[]", _BLOBS),),
    ),
    Function(
        name="range_check",
        kind="scalar",
        parameters=(
            _PRODUCTS,
            Parameter("opened", "BLOB[]", "the peer's answer"),
            _BOUND,
            UNDER,
        ),
        returns="BOOLEAN",
        about="True where the products are those opened and have values below 2^bound; else an "
        "error. Then every ciphertext's values are below 2^(bound + 1) in magnitude, but with "
        "probability 2^-40.",
        reveals="Nothing leaves.",
        example="SELECT range_check(products, range_open(products, 'mine'), 71, 'mine') AS small "
        "FROM products",
        setup=_MAKE,
        udfs=(
            Udf(
                range_proof.range_check,
                ("BLOB[]", "BLOB[]", "BIGINT", "VARCHAR"),
                "BOOLEAN",
                pa.bool_(),
            ),
        ),
    ),
)
