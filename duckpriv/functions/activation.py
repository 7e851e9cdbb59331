"""Activation functions of shared scores, from numbers that a helper deals ahead."""

from __future__ import annotations

import pyarrow as pa

from ..columns import activation
from ..columns.ring import VECTOR
from .declaration import Function, Parameter, Udf

_SQL = "UBIGINT[]"
_KIND = Parameter("kind", "VARCHAR", "logistic, identity or exp")
_RANGE = Parameter(
    "size",
    "INTEGER",
    "scores from -size to size, of exp from -2/3 to 1/3 of it: 6, 12, 24, … 1536",
)
_SCALE = Parameter("label_scale", "INTEGER", "fractional bits of the label, 0 to 20")
_LOSS = Parameter("with_loss", "BOOLEAN", "whether the loss is wanted, too")
_SHARE = "STRUCT(residual UBIGINT[], guard UBIGINT[], loss UBIGINT[])"

ACTIVATION: tuple[Function, ...] = (
    Function(
        name="activation_series",
        kind="scalar",
        parameters=(_KIND, _RANGE),
        returns="BIGINT[]",
        about="Coefficients of Fourier series, times 2^20: of the activation on a range of scores "
        "(not for the identity), of the guard, which is nearly 0 there and at least 1 where the "
        "series is wrong, and for the logistic function of the loss. All parties need the same.",
        reveals="Nothing leaves.",
        example="SELECT len(activation_series('logistic', 12)) AS coefficients",
        udfs=(
            Udf(
                activation.activation_series,
                ("VARCHAR", "BIGINT"),
                "BIGINT[]",
                pa.list_(pa.int64()),
            ),
        ),
    ),
    Function(
        name="activation_width",
        kind="scalar",
        parameters=(_KIND, _RANGE, _LOSS),
        returns="BIGINT",
        about="How many numbers a helper deals for each score.",
        reveals="Nothing leaves.",
        example="SELECT activation_width('logistic', 12, false) AS numbers",
        udfs=(
            Udf(
                activation.activation_width, ("VARCHAR", "BIGINT", "BOOLEAN"), "BIGINT", pa.int64()
            ),
        ),
    ),
    Function(
        name="activation_deal",
        kind="scalar",
        parameters=(
            Parameter("r", _SQL, "a uniform number for each score"),
            Parameter("a", _SQL, "the masks of what says which rows count"),
            Parameter("b", _SQL, "the masks of the labels of these rows; empty without the loss"),
            _KIND,
            _RANGE,
            _SCALE,
            _LOSS,
        ),
        returns=_SQL,
        about="The helper's part of an activation: cosines and sines of multiples of r, at scale "
        "13, the same times a, for the loss r without its last bits, its highest bit, and both "
        "times b. To be shared.",
        reveals="Nothing leaves. The helper sees no score, neither now nor later.",
        example="SELECT len(activation_deal([5], [6], [], 'logistic', 12, 0, false)) AS numbers",
        udfs=(Udf(activation.activation_deal, None, _SQL, VECTOR),),
    ),
    Function(
        name="activation_share",
        kind="scalar",
        parameters=(
            Parameter("opened", _SQL, "scores at scale 40 plus r, opened"),
            Parameter("opened_masks", _SQL, "m - a, opened; m is 1 for rows that count, else 0"),
            Parameter("opened_labels", _SQL, "m·y - b, opened; empty without the loss"),
            Parameter("masks", _SQL, "your shares of m"),
            Parameter("labels", _SQL, "your shares of m·y, at the label's scale"),
            Parameter("dealt", _SQL, "your shares of what activation_deal gave"),
            Parameter("series", "BIGINT[]", "what activation_series gave, the same at all parties"),
            _KIND,
            _RANGE,
            _SCALE,
            Parameter("factor", "BIGINT", "what the residuals are multiplied with"),
            _LOSS,
            Parameter("leads", "BOOLEAN", "true at exactly one party"),
        ),
        returns=_SHARE,
        about="Your shares of factor·m·(prediction - y), at the label's scale; of sums of the "
        "guard, over 256 rows each, at scale 33; and of the sum of the losses of the rows that "
        "count, "
        "m·(log(1 + exp(z)) - y·z), m·(exp(z) - y·z) or m·(z² - 2·y·z), at scale 28, or for the "
        "identity at twice the label's.",
        reveals="Nothing leaves. What was opened before is uniform.",
        example="SELECT len(activation_share([5], [6], [], [1], [0], "
        "activation_deal([5], [6], [], 'logistic', 12, 0, false), "
        "activation_series('logistic', 12), 'logistic', 12, 0, 1000, false, true).residual) "
        "AS rows",
        udfs=(Udf(activation.activation_share, None, _SHARE, activation.SHARE),),
    ),
)
