"""Additive shares in Z_2^64: fixed-point numbers that two parties hold together."""

from __future__ import annotations

from ..columns import shares
from .declaration import Function, Parameter, Udf

_A, _B = Parameter("a", "UBIGINT", "a share"), Parameter("b", "UBIGINT", "a share")
_SCALE = Parameter("scale", "INTEGER", "fractional bits: x stands as round(x * 2^scale)", "20")
_ONE_SHARE = "A share by itself is a uniform number: nothing."

SHARES: tuple[Function, ...] = (
    Function(
        name="share_split",
        kind="scalar",
        parameters=(
            Parameter("x", "DOUBLE", "the number"),
            _SCALE,
        ),
        returns="STRUCT(keep UBIGINT, send UBIGINT)",
        about="Splits a number into two random shares whose sum in Z_2^64 is round(x * 2^scale). "
        "Materialise it: the two belong together.",
        reveals=_ONE_SHARE,
        example="SELECT share_reveal(s.keep, s.send) AS x FROM (SELECT share_split(-1.5) AS s)",
        udfs=(
            Udf(
                shares.share_split,
                ("DOUBLE", "BIGINT"),
                "STRUCT(keep UBIGINT, send UBIGINT)",
                shares.SPLIT,
                volatile=True,
            ),
        ),
        body="shares.sql",
        randomised=True,
    ),
    Function(
        name="share_split_list",
        kind="scalar",
        parameters=(Parameter("xs", "DOUBLE[]", "the numbers, without NULL"), _SCALE),
        returns="STRUCT(keep UBIGINT[], send UBIGINT[])",
        about="Splits every number of a list as share_split does.",
        reveals=_ONE_SHARE,
        example="SELECT len(share_split_list([1.5, -2]).send) AS shares",
        udfs=(
            Udf(
                shares.share_split_list,
                ("DOUBLE[]", "BIGINT"),
                "STRUCT(keep UBIGINT[], send UBIGINT[])",
                shares.SPLIT_LIST,
                volatile=True,
            ),
        ),
        body="shares.sql",
        randomised=True,
    ),
    Function(
        name="share_add",
        kind="scalar",
        parameters=(_A, _B),
        returns="UBIGINT",
        about="a + b in Z_2^64.",
        reveals=_ONE_SHARE,
        example="SELECT share_add(18446744073709551615, 2) AS one",
        body="shares.sql",
    ),
    Function(
        name="share_sub",
        kind="scalar",
        parameters=(_A, _B),
        returns="UBIGINT",
        about="a - b in Z_2^64.",
        reveals=_ONE_SHARE,
        example="SELECT share_sub(1, 2) AS minus_one",
        body="shares.sql",
    ),
    Function(
        name="share_sum",
        kind="aggregate",
        parameters=(Parameter("share", "UBIGINT", "shares of one party"),),
        returns="UBIGINT",
        about="Aggregate: the sum of shares in Z_2^64.",
        reveals=_ONE_SHARE,
        example="SELECT share_sum(s) AS six FROM (VALUES (1), (2), (3)) t(s)",
        body="shares.sql",
    ),
    Function(
        name="share_mul_public",
        kind="scalar",
        parameters=(
            Parameter("share", "UBIGINT", "a share"),
            Parameter("factor", "BIGINT", "an integer that both parties know"),
        ),
        returns="UBIGINT",
        about="share * factor in Z_2^64; both parties do it, with the same factor.",
        reveals=_ONE_SHARE,
        example="SELECT share_mul_public(3, -2) AS minus_six",
        body="shares.sql",
    ),
    Function(
        name="share_reveal",
        kind="scalar",
        parameters=(_A, _B, _SCALE),
        returns="DOUBLE",
        about="The number that two shares make: (a + b) as a signed number, over 2^scale, to "
        "the nearest DOUBLE.",
        reveals="The number, to who has both shares.",
        example="SELECT share_reveal(share_sub(0, 1), 0, scale := 0) AS minus_one",
        body="shares.sql",
    ),
)
