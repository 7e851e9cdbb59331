"""Shares in Z_2^128."""

from __future__ import annotations

import pyarrow as pa

from ..columns import wide
from .declaration import Function, Parameter, Udf
from .homomorphic import SIGMA
from .parameters import CT, MAKE_KEY, MAKE_TABLE, UNDER, volatile_udf

_ELEMENTS = "a vector over Z_2^128"
_UNIFORM = "A share alone: nothing, it is uniform."
LEADS = Parameter("leads", "BOOLEAN", "true at one of the two parties")


def on_shares(
    function: object,
    parameters: tuple[Parameter, ...],
    about: str,
    example: str,
    returns: str = "BLOB",
) -> Function:
    """Declare a function of shares that gives a share."""
    arrow = {"BLOB": pa.binary(), "UBIGINT": pa.uint64(), "UBIGINT[]": pa.list_(pa.uint64())}
    types = tuple(p.type for p in parameters)
    return Function(
        name=function.__name__,  # type: ignore[attr-defined]
        kind="scalar",
        parameters=parameters,
        returns=returns,
        about=about,
        reveals=_UNIFORM,
        example=f"SELECT {example} AS share",
        udfs=(Udf(function, types, returns, arrow[returns]),),  # type: ignore[arg-type]
    )


def masking(
    function: object,
    parameters: tuple[Parameter, ...],
    returns: str,
    arrow: pa.DataType,
    about: str,
    reveals: str,
    example: str,
    body: str | None = None,
) -> Function:
    """Declare a randomised function."""
    types = tuple("BIGINT" if p.type == "INTEGER" else p.type for p in parameters)
    return Function(
        name=function.__name__,  # type: ignore[attr-defined]
        kind="scalar",
        parameters=parameters,
        returns=returns,
        about=about,
        reveals=reveals,
        example=f"SELECT {example}",
        setup=(MAKE_KEY,),
        udfs=(volatile_udf(function, types, returns, arrow),),
        body=body,
        randomised=True,
    )


WIDE: tuple[Function, ...] = (
    Function(
        name="wide_encode",
        kind="scalar",
        parameters=(Parameter("elements", "UHUGEINT[]", "elements of Z_2^128"),),
        returns="BLOB",
        about="A vector over Z_2^128: 16 bytes for each element, little-endian.",
        reveals="Nothing leaves.",
        example="SELECT wide_encode([1, 2]) AS vector",
        udfs=(Udf(wide.wide_encode, ("VARCHAR[]",), "BLOB", pa.binary()),),
        body="wide.sql",
    ),
    Function(
        name="wide_decode",
        kind="scalar",
        parameters=(Parameter("vector", "BLOB", _ELEMENTS),),
        returns="UHUGEINT[]",
        about="The elements of a vector over Z_2^128.",
        reveals="Nothing leaves.",
        example="SELECT wide_decode(wide_encode([1, 2])) AS elements",
        udfs=(Udf(wide.wide_decode, ("BLOB",), "VARCHAR[]", pa.list_(pa.string())),),
        body="wide.sql",
    ),
    on_shares(
        wide.wide_add,
        (Parameter("a", "BLOB", _ELEMENTS), Parameter("b", "BLOB", "as many elements")),
        "a + b, element by element.",
        "wide_add(wide_encode([1, 2]), wide_encode([3, 4]))",
    ),
    on_shares(
        wide.wide_sub,
        (Parameter("a", "BLOB", _ELEMENTS), Parameter("b", "BLOB", "as many elements")),
        "a - b, element by element.",
        "wide_sub(wide_encode([1, 2]), wide_encode([3, 4]))",
    ),
    Function(
        name="wide_split",
        kind="scalar",
        parameters=(Parameter("numbers", "HUGEINT[]", "integers"),),
        returns="STRUCT(keep BLOB, send BLOB)",
        about="Splits integers into shares in Z_2^128, a vector to keep and a uniform one to send. "
        "Materialise it: the two belong together.",
        reveals="`send`: nothing, it is uniform.",
        example="SELECT octet_length(wide_split([1, -2]).send) AS bytes",
        udfs=(
            volatile_udf(
                wide.wide_split, ("VARCHAR[]",), "STRUCT(keep BLOB, send BLOB)", wide.SHARES
            ),
        ),
        body="wide.sql",
        randomised=True,
    ),
    masking(
        wide.he_share_split_wide,
        (CT, UNDER, SIGMA),
        "STRUCT(send BLOB, keep BLOB)",
        wide.SPLIT,
        "As he_share_split, with shares in Z_2^128: `send` is for the key owner's "
        "paillier_decrypt_share_wide. The sum of both shares is the value, at the ciphertext's "
        "scale.",
        "`send` to the key's owner: uniform numbers.",
        "octet_length(he_share_split_wide(paillier_encrypt_list([1, 2], 'mine'), 'mine').keep) "
        "AS bytes",
        "wide.sql",
    ),
    Function(
        name="paillier_decrypt_share_wide",
        kind="scalar",
        parameters=(Parameter("cts", "BLOB[]", "ciphertexts"), UNDER),
        returns="BLOB",
        about="Decrypts ciphertexts to shares in Z_2^128, all in one vector.",
        reveals="To you: the values, which are masked.",
        example="SELECT paillier_decrypt_share_wide([he_share_split_wide(paillier_encrypt(1, "
        "'mine'), 'mine').send], 'mine') AS share",
        setup=(MAKE_KEY,),
        udfs=(Udf(wide.paillier_decrypt_share_wide, ("BLOB[]", "VARCHAR"), "BLOB", pa.binary()),),
    ),
    Function(
        name="integer_moments",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table (row, x DOUBLE[])"),
            Parameter("scale", "INTEGER", "x stands as round(x * 2^scale), below 2^38", "20"),
        ),
        returns="TABLE(row BIGINT, column BIGINT, total HUGEINT)",
        about="The sum over all rows of the product of each two numbers, exactly: XᵀX of integers.",
        reveals="Nothing leaves.",
        example="SELECT * FROM integer_moments('matrix', scale := 1)",
        setup=(
            MAKE_TABLE,
            "CREATE OR REPLACE TEMP TABLE matrix AS FROM matrix_rows('features', 'id')",
        ),
        udfs=(
            Udf(wide.integer_moments, ("DOUBLE[][]", "BIGINT"), "VARCHAR[]", pa.list_(pa.string())),
        ),
        body="wide.sql",
    ),
    on_shares(
        wide.wide_mul,
        (Parameter("a", "BLOB", _ELEMENTS), Parameter("b", "BLOB", "as many elements")),
        "a · b, element by element.",
        "wide_mul(wide_encode([1, 2]), wide_encode([3, 4]))",
    ),
    on_shares(
        wide.wide_truncate,
        (
            Parameter("vector", "BLOB", "your shares"),
            Parameter("bits", "INTEGER", "how many, 0 to 127"),
            LEADS,
        ),
        "Your shares of the numbers without their last bits, off by one at most, but with the "
        "probability of number / 2^127.",
        "wide_truncate(wide_encode([1024]), 3, true)",
    ),
    masking(
        wide.wide_random,
        (Parameter("size", "BIGINT", "how many elements"),),
        "BLOB",
        pa.binary(),
        "A vector of uniform elements of Z_2^128.",
        "Keep it: who has it reads what it masks.",
        "octet_length(wide_random(2)) AS bytes",
    ),
    masking(
        wide.wide_encrypt,
        (
            Parameter("vector", "BLOB", _ELEMENTS),
            UNDER,
            Parameter("slot_bits", "INTEGER", "bits of a ciphertext's slot"),
        ),
        "BLOB[]",
        pa.list_(pa.binary()),
        "Encrypts each element as an integer, a ciphertext for each.",
        "Nothing to who does not have the key.",
        "len(wide_encrypt(wide_random(2), 'mine', 512)) AS cts",
    ),
    masking(
        wide.product_split,
        (
            Parameter("us", "BLOB[]", "the peer's u, from wide_encrypt"),
            Parameter("ts", "BLOB[]", "the peer's t"),
            Parameter("u", "BLOB", "your u, from wide_random"),
            Parameter("t", "BLOB", "your t"),
            UNDER,
        ),
        "STRUCT(send BLOB[], keep BLOB)",
        wide.PRODUCT,
        "Shares of what both parties' u and t are missing of their product, the one's u times the "
        "other's t: `send` is for the peer's paillier_decrypt_share_wide, `keep` is your share. "
        "Materialise it: they belong together.",
        "`send` to the key's owner: uniform numbers.",
        "octet_length(product_split(wide_encrypt(wide_random(2), 'mine', 512), "
        "wide_encrypt(wide_random(2), 'mine', 512), wide_random(2), wide_random(2), 'mine'"
        ").keep) AS bytes",
    ),
)
