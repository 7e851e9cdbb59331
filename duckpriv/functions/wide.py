"""Shares in Z_2^128, and squares of shared matrices."""

from __future__ import annotations

import pyarrow as pa

from ..columns import wide
from .declaration import Function, Parameter, Udf
from .homomorphic import SIGMA
from .parameters import CT, MAKE_KEY, MAKE_TABLE, UNDER, volatile_udf

_ELEMENTS = "a vector over Z_2^128"
_UNIFORM = "A share alone: nothing, it is uniform."
_LEADS = Parameter("leads", "BOOLEAN", "true at one of the two parties")
_BOUND = Parameter(
    "bound", "INTEGER", "bits of an encrypted number, 128 at least: as many as are proved"
)
_STATE = Parameter("state", "BLOB", "your shares of E, row by row, and of v")
_MASKS = Parameter("masks", "BLOB", "your part of U and t, from square_masks")
_SQUARES = Parameter("squares", "BLOB", "your shares of U² and U·t, from square_shares")
_BEGUN = "quadratic_begin(wide_encode([1048576]), wide_encode([524288]), 1, 0, 1048576, 0, true)"


def _on_shares(
    function: object,
    parameters: tuple[Parameter, ...],
    about: str,
    example: str,
    returns: str = "BLOB",
) -> Function:
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


def _masking(
    function: object,
    parameters: tuple[Parameter, ...],
    returns: str,
    arrow: pa.DataType,
    about: str,
    reveals: str,
    example: str,
    body: str | None = None,
) -> Function:
    """A randomised function."""
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
    _on_shares(
        wide.wide_add,
        (Parameter("a", "BLOB", _ELEMENTS), Parameter("b", "BLOB", "as many elements")),
        "a + b, element by element.",
        "wide_add(wide_encode([1, 2]), wide_encode([3, 4]))",
    ),
    _on_shares(
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
    _masking(
        wide.he_share_split_wide,
        (CT, UNDER, SIGMA),
        "STRUCT(send BLOB, keep BLOB)",
        wide.SPLIT,
        "As he_share_split, with shares in Z_2^128: `send` is for the key owner's "
        "paillier_decrypt_share_wide. The sum of both shares is the value, at the ciphertext's "
        "scale.",
        "`send` to the key's owner: values masked by sigma bits more than they can have.",
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
    _masking(
        wide.square_masks,
        (Parameter("size", "BIGINT", "k, 1 to 1000"),),
        "BLOB",
        pa.binary(),
        "A party's part of the masks of one step: a uniform symmetric k × k matrix U over "
        "Z_2^128, row by row, and a vector t behind it. Use them once.",
        "Keep them: who has them reads what they mask.",
        "octet_length(square_masks(2)) AS bytes",
    ),
    _masking(
        wide.square_encrypt,
        (_MASKS, _BOUND, UNDER),
        "BLOB[]",
        pa.list_(pa.binary()),
        "Encrypts your part of the masks, a ciphertext for each row of the matrix with its "
        "number of the vector, for the peer's square_split.",
        "Nothing to who does not have the key.",
        "len(square_encrypt(square_masks(2), 128, 'mine')) AS rows",
    ),
    _masking(
        wide.square_split,
        (Parameter("cts", "BLOB[]", "what the peer encrypted"), _MASKS, _BOUND, UNDER),
        "STRUCT(send BLOB[], keep BLOB)",
        wide.PRODUCT,
        "Shares of your part of the masks times the peer's: `send` is for the peer's "
        "paillier_decrypt_share_wide, `keep` is your share. Materialise it: they belong together.",
        "`send` to the key's owner: values masked by 64 bits more than they can have.",
        "octet_length(square_split(square_encrypt(square_masks(2), 128, 'mine'), square_masks(2), "
        "128, 'mine').keep) AS bytes",
    ),
    _on_shares(
        wide.square_shares,
        (
            _MASKS,
            Parameter("product", "BLOB", "your share of the product, (k + 1)² elements"),
        ),
        "Your shares of U² and U·t, for masks U and t of both parties.",
        "square_shares(wide_encode([1, 2]), wide_encode([0, 0, 0, 0]))",
    ),
    _on_shares(
        wide.quadratic_begin,
        (
            Parameter("matrix", "BLOB", "your shares of a positive definite matrix M, row by row"),
            Parameter("vector", "BLOB", "your shares of b, at the same scale"),
            Parameter("factor", "DOUBLE", "q, a power of two: 1, or 0.25"),
            Parameter("penalty", "DOUBLE", "0 or more; penalty · unit is the most that p can be"),
            Parameter("unit", "DOUBLE", "the most that a number on M's diagonal can be"),
            Parameter("pull", "DOUBLE", "your part of p, which stands at M's scale"),
            _LEADS,
        ),
        "Begins to solve (q·M + p·P)·w = b, where P is the unit matrix but for its first number, "
        "which is 0. Returns your shares of E = 1 - c·(q·M + p·P)/unit, with 40 fractional bits, "
        "and of v = c·b/unit, with 32, for a c by which E's eigenvalues are between 0 and 1. With "
        "each square_step E is squared and v comes nearer to w.",
        _BEGUN,
    ),
    _on_shares(
        wide.square_step,
        (
            _STATE,
            Parameter("opened", "BLOB", "E - U and v - t, the sum of both parties' wide_sub"),
            _MASKS,
            _SQUARES,
            _LEADS,
        ),
        "Your shares of E², with 40 fractional bits, and of v + E·v, with 32.",
        "square_step(wide_encode([1, 1]), wide_encode([0, 0]), wide_encode([1, 1]), "
        "wide_encode([1, 1]), true)",
    ),
    _on_shares(
        wide.square_trace,
        (_STATE, _LEADS),
        "Your share modulo 2^64 of the trace of E, with 7 fractional bits.",
        f"square_trace({_BEGUN}, true)",
        "UBIGINT",
    ),
    _on_shares(
        wide.square_solution,
        (_STATE, _LEADS),
        "Your shares modulo 2^64 of v, with 20 fractional bits.",
        f"square_solution({_BEGUN}, true)",
        "UBIGINT[]",
    ),
)
