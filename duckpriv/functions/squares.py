"""Squares of shared matrices, and linear equations by them."""

from __future__ import annotations

import pyarrow as pa

from ..columns import squares
from ..columns.wide import PRODUCT
from .declaration import Function, Parameter
from .parameters import UNDER
from .wide import LEADS, masking, on_shares

_STATE = Parameter("state", "BLOB", "your shares of E, row by row, and of v")
_MASKS = Parameter("masks", "BLOB", "your part of U and t, from square_masks")
_SQUARES = Parameter("squares", "BLOB", "your shares of U² and U·t, from square_shares")
_BEGUN = "quadratic_begin(wide_encode([1048576]), wide_encode([524288]), 1, 0, 1048576, 0, true)"

SQUARES: tuple[Function, ...] = (
    masking(
        squares.square_masks,
        (Parameter("size", "BIGINT", "k, 1 to 1000"),),
        "BLOB",
        pa.binary(),
        "A party's part of the masks of one step: a uniform symmetric k × k matrix U over "
        "Z_2^128, row by row, and a vector t behind it. Use them once.",
        "Keep them: who has them reads what they mask.",
        "octet_length(square_masks(2)) AS bytes",
    ),
    masking(
        squares.square_encrypt,
        (_MASKS, UNDER),
        "BLOB[]",
        pa.list_(pa.binary()),
        "Encrypts your part of the masks, a ciphertext for each row of the matrix with its "
        "number of the vector, for the peer's square_split.",
        "Nothing to who does not have the key.",
        "len(square_encrypt(square_masks(2), 'mine')) AS rows",
    ),
    masking(
        squares.square_split,
        (Parameter("cts", "BLOB[]", "what the peer encrypted"), _MASKS, UNDER),
        "STRUCT(send BLOB[], keep BLOB)",
        PRODUCT,
        "Shares of your part of the masks times the peer's: `send` is for the peer's "
        "paillier_decrypt_share_wide, `keep` is your share. Materialise it: they belong together.",
        "`send` to the key's owner: uniform numbers.",
        "octet_length(square_split(square_encrypt(square_masks(2), 'mine'), square_masks(2), "
        "'mine').keep) AS bytes",
    ),
    on_shares(
        squares.square_shares,
        (
            _MASKS,
            Parameter("product", "BLOB", "your share of the product, (k + 1)² elements"),
        ),
        "Your shares of U² and U·t, for masks U and t of both parties.",
        "square_shares(wide_encode([1, 2]), wide_encode([0, 0, 0, 0]))",
    ),
    on_shares(
        squares.quadratic_begin,
        (
            Parameter("matrix", "BLOB", "your shares of a positive definite matrix M, row by row"),
            Parameter("vector", "BLOB", "your shares of b, at the same scale"),
            Parameter("factor", "DOUBLE", "q, a power of two: 1, or 0.25"),
            Parameter("penalty", "DOUBLE", "0 or more; penalty · unit is the most that p can be"),
            Parameter("unit", "DOUBLE", "the most that a number on M's diagonal can be"),
            Parameter("pull", "DOUBLE", "your part of p, which stands at M's scale"),
            LEADS,
        ),
        "Begins to solve (q·M + p·P)·w = b, where P is the unit matrix but for its first number, "
        "which is 0. Returns your shares of E = 1 - c·(q·M + p·P)/unit, with 40 fractional bits, "
        "and of v = c·b/unit, with 42, for a c by which E's eigenvalues are between 0 and 1. With "
        "each square_step E is squared and v comes nearer to w.",
        _BEGUN,
    ),
    on_shares(
        squares.square_step,
        (
            _STATE,
            Parameter("opened", "BLOB", "E - U and v - t, the sum of both parties' wide_sub"),
            _MASKS,
            _SQUARES,
            LEADS,
        ),
        "Your shares of E², with 40 fractional bits, and of v + E·v, with 42.",
        "square_step(wide_encode([1, 1]), wide_encode([0, 0]), wide_encode([1, 1]), "
        "wide_encode([1, 1]), true)",
    ),
    on_shares(
        squares.square_trace,
        (_STATE, LEADS),
        "Your share modulo 2^64 of the trace of E, with 7 fractional bits.",
        f"square_trace({_BEGUN}, true)",
        "UBIGINT",
    ),
    on_shares(
        squares.square_solution,
        (_STATE, LEADS),
        "Your shares modulo 2^64 of v, with 20 fractional bits.",
        f"square_solution({_BEGUN}, true)",
        "UBIGINT[]",
    ),
)
