"""Vectors and matrices over Z_2^64: the arithmetic of shares."""

from __future__ import annotations

import pyarrow as pa

from ..columns import ring
from .declaration import Function, Parameter, Udf
from .parameters import volatile_udf

_A, _B = Parameter("a", "UBIGINT[]", "a vector"), Parameter("b", "UBIGINT[]", "one as long")
_MATRIX = Parameter("matrix", "UBIGINT[]", "a matrix, row by row")
_VECTOR = Parameter("vector", "UBIGINT[]", "a vector")
_SCALE = Parameter("scale", "INTEGER", "fractional bits: x stands as round(x * 2^scale)", "20")
_BITS = Parameter("bits", "INTEGER", "how many, 1 to 62")
_LINEAR = "Nothing leaves. On shares it gives a share."
_SQL = "UBIGINT[]"


def _on_vectors(
    function: object,
    parameters: tuple[Parameter, ...],
    about: str,
    example: str,
    body: str | None = None,
) -> Function:
    udf = Udf(function, None, _SQL, ring.VECTOR)  # type: ignore[arg-type]
    return Function(
        name=udf.name.removeprefix("duckpriv_udf_"),
        kind="scalar",
        parameters=parameters,
        returns=_SQL,
        about=about,
        reveals=_LINEAR,
        example=f"SELECT {example} AS result",
        udfs=(udf,),
        body=body,
    )


RING: tuple[Function, ...] = (
    Function(
        name="ring_encode",
        kind="scalar",
        parameters=(Parameter("xs", "DOUBLE[]", "numbers"), _SCALE),
        returns=_SQL,
        about="Numbers as ring elements, fixed point in two's complement. NaN, infinities and "
        "magnitudes of 2^(62 - scale) or more are errors.",
        reveals="Nothing leaves.",
        example="SELECT ring_encode([1.5, -1], scale := 4) AS result",
        udfs=(Udf(ring.ring_encode, ("DOUBLE[]", "BIGINT"), _SQL, ring.VECTOR),),
        body="ring.sql",
    ),
    Function(
        name="ring_decode",
        kind="scalar",
        parameters=(_A, _SCALE),
        returns="DOUBLE[]",
        about="The numbers that ring elements stand for.",
        reveals="Nothing leaves.",
        example="SELECT ring_decode(ring_encode([1.5, -1])) AS xs",
        udfs=(Udf(ring.ring_decode, None, "DOUBLE[]", pa.list_(pa.float64())),),
        body="ring.sql",
    ),
    Function(
        name="ring_random",
        kind="scalar",
        parameters=(
            Parameter("seed", "VARCHAR", "a seed in your keyring"),
            Parameter("label", "VARCHAR", "what they are for: the same label gives the same ones"),
            Parameter("count", "BIGINT", "how many"),
        ),
        returns=_SQL,
        about="Uniform ring elements that all holders of the seed have in common (SHAKE256 of seed "
        "and label).",
        reveals="Who does not have the seed cannot tell them from random ones.",
        example="SELECT ring_random('ours', 'a', 2) = ring_random('ours', 'a', 2) AS same",
        setup=(
            "CALL seed_keygen('mine')",
            "CALL seed_keygen('theirs')",
            "SELECT agreed_seed('ours', 'mine', 'theirs', seed_commitment('theirs'), "
            "seed_part('theirs'))",
        ),
        # Not because it is random: DuckDB computes what depends on no row while it plans, and takes
        # ten times as long for a list.
        udfs=(volatile_udf(ring.ring_random, ("VARCHAR", "VARCHAR", "BIGINT"), _SQL, ring.VECTOR),),
    ),
    _on_vectors(ring.ring_add, (_A, _B), "a + b.", "ring_add([1, 2], [3, 4])"),
    _on_vectors(ring.ring_sub, (_A, _B), "a - b.", "ring_sub([1, 2], [3, 4])"),
    _on_vectors(
        ring.ring_mul,
        (_A, _B),
        "Products, element by element.",
        "ring_mul([1, 2], [3, 4])",
    ),
    _on_vectors(
        ring.ring_scale,
        (_A, Parameter("factor", "BIGINT", "an integer, perhaps negative")),
        "A vector times an integer.",
        "ring_scale([1, 2], -1)",
        body="ring.sql",
    ),
    _on_vectors(
        ring.ring_matvec,
        (_MATRIX, _VECTOR),
        "X·v: the matrix has a column for each element.",
        "ring_matvec([1, 2, 3, 4], [1, 1])",
    ),
    _on_vectors(
        ring.ring_vecmat,
        (_VECTOR, _MATRIX),
        "v·X: the matrix has a row for each element.",
        "ring_vecmat([1, 1], [1, 2, 3, 4])",
    ),
    _on_vectors(
        ring.ring_shift,
        (_A, Parameter("bits", "INTEGER", "how many, 1 to 63")),
        "The elements, from 0 to 2^64 - 1, without their last bits.",
        "ring_shift([8, 9], 2)",
    ),
    Function(
        name="ring_sum",
        kind="aggregate",
        parameters=(_A,),
        returns=_SQL,
        about="Aggregate: the sum of vectors of one length. NULLs take no part.",
        reveals=_LINEAR,
        example="SELECT ring_sum(v) AS result FROM (SELECT [i, 1] AS v FROM range(4) t(i))",
        udfs=(Udf(ring.ring_sum, None, _SQL, ring.VECTOR),),
        body="ring.sql",
    ),
    Function(
        name="share_truncate",
        kind="scalar",
        parameters=(
            Parameter("opened", _SQL, "x + 2^62 + r, for a random r that a dealer shared"),
            Parameter("shifted", _SQL, "your share of r without its last bits"),
            Parameter("tops", _SQL, "your share of r's highest bit"),
            _BITS,
            Parameter("leads", "BOOLEAN", "true at exactly one party"),
        ),
        returns=_SQL,
        about="Your share of x without its last bits, rounded down or up, for |x| < 2^62: how a "
        "product of fixed-point numbers gets back to their scale.",
        reveals="Nothing leaves. What was opened before is uniform.",
        example="SELECT share_truncate([4611686018427387904 + 40 + 5], [5 // 8], [0], 3, true) "
        "AS result",
        udfs=(Udf(ring.share_truncate, None, _SQL, ring.VECTOR),),
    ),
    Function(
        name="helper_activation",
        kind="scalar",
        parameters=(
            Parameter("z", _SQL, "scores, at twice the scale"),
            Parameter("kind", "VARCHAR", "logistic, identity or exp", "'logistic'"),
            _SCALE,
            Parameter("with_loss", "BOOLEAN", "false: loss and score are empty", "true"),
        ),
        returns="STRUCT(value UBIGINT[], loss UBIGINT[], score UBIGINT[])",
        about="The helper's step: predictions from scores, at the scale; each row's loss less y·z "
        "(softplus(z), z²/2 or exp(z)), at twice the scale, and the scores, at the scale, both "
        "divided by the number of rows. Predictions from 2^42 on, and a mean loss from 2^21 on, "
        "are errors.",
        reveals="Nothing leaves. The helper sees scores of rows that it cannot tell.",
        example="SELECT ring_decode(helper_activation(ring_encode([0], scale := 40)).value) AS p",
        udfs=(
            Udf(
                ring.helper_activation,
                None,
                "STRUCT(value UBIGINT[], loss UBIGINT[], score UBIGINT[])",
                ring.ACTIVATION,
            ),
        ),
        body="ring.sql",
    ),
    Function(
        name="lr_shared_gradient",
        kind="scalar",
        parameters=(
            Parameter("x", _SQL, "your features of a batch, row by row"),
            Parameter("residual", _SQL, "your share of the residuals"),
            Parameter("opened", _SQL, "the sum of the others' shares, each less its mask"),
        ),
        returns=_SQL,
        about="Your part of the gradient of your features, X^T·(residual + opened): what the masks "
        "hold back comes with the others' shares (Beaver's triples, for matrices).",
        reveals=_LINEAR,
        example="SELECT lr_shared_gradient([1, 2, 3, 4], [1, 1], [0, 1]) AS gradient",
        body="ring.sql",
    ),
)
