"""Steps of training a model, and what comes before it."""

from __future__ import annotations

import pyarrow as pa

from ..columns import training
from .declaration import Function, Parameter
from .joint import MAKE_KEY
from .parameters import HIDDEN, UNDER, volatile_udf

_MATRIX = Parameter(
    "tbl", "VARCHAR", "the name of a table (row, id, x DOUBLE[]), as matrix_rows gives"
)
_SCORE = Parameter("score", "DOUBLE", "x·w, the linear score")
_Y = Parameter("y", "DOUBLE", "the label: 0 or 1")
_MAKE_MATRIX = (
    "CREATE OR REPLACE TEMP TABLE matrix AS "
    "SELECT i AS row, i AS id, [i, i * i]::DOUBLE[] AS x FROM range(4) t(i)"
)
_MAKE_BATCH = (
    *MAKE_KEY,
    _MAKE_MATRIX,
    "CREATE OR REPLACE TEMP TABLE residuals AS "
    "SELECT i AS row, joint_encrypt(lr_residual(0, i % 2), 'host') AS ct FROM range(4) t(i)",
)

TRAINING: tuple[Function, ...] = (
    Function(
        name="feature_columns",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table or view"),
            Parameter("columns", "VARCHAR", "names with commas between; empty: all of numbers"),
            Parameter("without", "VARCHAR[]", "columns that are no features, such as the id"),
        ),
        returns="TABLE(column_name VARCHAR)",
        about="The columns of a table that are features: those named, as far as they are there, or "
        "all that hold numbers. Upper and lower case are one.",
        reveals="Nothing leaves.",
        example="FROM feature_columns('people', '', ['id'])",
        setup=("CREATE OR REPLACE TEMP TABLE people AS SELECT 1 AS id, 44 AS age",),
        body="training.sql",
    ),
    Function(
        name="feature_statistics",
        kind="table",
        parameters=(_MATRIX,),
        returns="TABLE(feature BIGINT, mean DOUBLE, deviation DOUBLE)",
        about="Mean and standard deviation (of the population) of each column of a matrix; "
        "deviation 0 for a column of equal numbers.",
        reveals="Nothing leaves.",
        example="FROM feature_statistics('matrix')",
        setup=(_MAKE_MATRIX,),
        body="training.sql",
    ),
    Function(
        name="standardise",
        kind="table",
        parameters=(_MATRIX,),
        returns="TABLE(row BIGINT, id ANY, x DOUBLE[])",
        about="The matrix with each column less its mean, by its standard deviation. A column of "
        "equal numbers is an error.",
        reveals="Nothing leaves: mean and deviation stay home.",
        example="SELECT x FROM standardise('matrix')",
        setup=(_MAKE_MATRIX,),
        body="training.sql",
    ),
    Function(
        name="lr_residual",
        kind="scalar",
        parameters=(_SCORE, _Y),
        returns="DOUBLE",
        about="score/4 + 1/2 - y: prediction less label, with the logistic function's Taylor "
        "series up to the first order.",
        reveals="Nothing leaves.",
        example="SELECT lr_residual(0.8, 1) AS residual",
        body="training.sql",
    ),
    Function(
        name="lr_loss",
        kind="scalar",
        parameters=(_SCORE, _Y),
        returns="DOUBLE",
        about="(1/2 - y) * score + score²/8: the logistic loss less ln 2, Taylor series up to the "
        "second order.",
        reveals="Nothing leaves.",
        example="SELECT ln(2) + lr_loss(0.8, 1) AS loss",
        body="training.sql",
    ),
    Function(
        name="lr_residual_add",
        kind="scalar",
        parameters=(
            Parameter("ct", "BLOB", "the peer's residual, under a joint key"),
            Parameter("score", "DOUBLE", "your linear score of the row"),
            UNDER,
            Parameter("present", "BOOLEAN", "false: you have no record; the result is 0", "true"),
            Parameter("noise", "DOUBLE", "is added to the factor: 1 or, without record, 0", "0"),
            Parameter(
                "weight",
                "BLOB",
                "how often your score counts, encrypted: the peer's 1 or 0",
                "NULL",
            ),
        ),
        returns="BLOB",
        about="Adds a quarter of your score to an encrypted residual, and multiplies it by 1, or "
        "by 0 where you have no record, plus the noise: by the same work and with the same header. "
        "With `weight`, a number that the peer has encrypted, your score is taken as often: "
        "not at all where the peer has no record either. All rows have one, or none has.",
        reveals=HIDDEN + " Not which rows were replaced.",
        example="SELECT row, octet_length(lr_residual_add(ct, 0.5, 'host', present := row > 1)) AS "
        "bytes "
        "FROM residuals",
        setup=_MAKE_BATCH,
        udfs=(
            volatile_udf(
                training.lr_residual_add,
                ("BLOB", "DOUBLE", "VARCHAR", "BOOLEAN", "DOUBLE", "BLOB"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="training.sql",
        randomised=True,
    ),
    Function(
        name="lr_encrypted_gradient",
        kind="table",
        parameters=(
            Parameter("residuals", "VARCHAR", "the name of a table (row, ct)"),
            Parameter("features", "VARCHAR", "the name of a table (row, x DOUBLE[])"),
            UNDER,
            Parameter("scale", "INTEGER", "fractional bits of the features", "16"),
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "27"),
        ),
        returns="TABLE(feature BIGINT, ct BLOB, mask BLOB)",
        about="For each feature the sum over rows of encrypted residual times feature, masked: "
        "`ct` is for the peer's partial_decrypt, `mask` for your joint_decrypt. Every residual "
        "needs its features. Materialise it: ct and mask belong together.",
        reveals="`ct`: nothing, even decrypted. `mask`: keep it.",
        example="SELECT feature, joint_decrypt(partial_decrypt(ct, 'guest'), 'host', mask := mask) "
        "AS gradient FROM lr_encrypted_gradient('residuals', 'matrix', 'host')",
        setup=_MAKE_BATCH,
        body="training.sql",
        randomised=True,
    ),
    Function(
        name="lr_update",
        kind="scalar",
        parameters=(
            Parameter("weight", "DOUBLE", "the weight"),
            Parameter("gradient", "DOUBLE", "its mean gradient"),
            Parameter("learning_rate", "DOUBLE", "the length of the step"),
            Parameter("l2", "DOUBLE", "how strongly weights are drawn to 0", "0"),
        ),
        returns="DOUBLE",
        about="weight - learning_rate * (gradient + l2 * weight): a step of gradient descent.",
        reveals="Nothing leaves.",
        example="SELECT lr_update(1.0, 0.5, 0.1, l2 := 0.01) AS weight",
        body="training.sql",
    ),
    Function(
        name="lr_predict",
        kind="scalar",
        parameters=(_SCORE,),
        returns="DOUBLE",
        about="1 / (1 + exp(-score)): the probability that a linear score stands for.",
        reveals="Nothing leaves.",
        example="SELECT lr_predict(0.8) AS probability",
        body="training.sql",
    ),
    Function(
        name="gaussian_noise",
        kind="scalar",
        parameters=(
            Parameter("value", "ANY", "one for each row; NULL gives NULL"),
            Parameter("deviation", "DOUBLE", "the standard deviation, 0 or more"),
        ),
        returns="DOUBLE",
        about="A random number of the normal distribution with mean 0, another one for each row, "
        "from the operating system's generator.",
        reveals="Nothing leaves.",
        example="SELECT abs(gaussian_noise(1, 0.25)) < 10 AS plausible",
        udfs=(
            volatile_udf(training.gaussian_noise, ("BOOLEAN", "DOUBLE"), "DOUBLE", pa.float64()),
        ),
        body="training.sql",
        randomised=True,
    ),
    Function(
        name="noisy_bits",
        kind="scalar",
        parameters=(Parameter("noise", "DOUBLE", "the deviation of the noise on each residual"),),
        returns="DOUBLE",
        about="How many bits a number of a gradient can tell of a label, or a membership, of each "
        "row: log2(1 + 1 / (4 noise²)) / 2, the capacity of a Gaussian channel (Shannon 1948).",
        reveals="Nothing leaves.",
        example="SELECT round(noisy_bits(0.5), 2) AS bits",
        body="training.sql",
    ),
    Function(
        name="require_hidden",
        kind="scalar",
        parameters=(
            Parameter("accepted", "VARCHAR", "yes: whatever the numbers are"),
            Parameter("bits", "DOUBLE", "what a party sees that depends on the rows"),
            Parameter("rows", "BIGINT", "how many rows it depends on"),
        ),
        returns="BOOLEAN",
        about="Ends the statement with DUCKPRIV_PROTOCOL where a party would see more than an "
        "eighth of a bit for each row.",
        reveals="Nothing leaves.",
        example="SELECT require_hidden('no', 20 * 23 * noisy_bits(0.5), 10000)",
        body="training.sql",
    ),
)
