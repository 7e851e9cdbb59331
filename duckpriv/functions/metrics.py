"""How good a model is, over a table of scores and labels."""

from __future__ import annotations

import pyarrow as pa

from ..columns.correlation import variance_inflation
from .declaration import Function, Parameter, Udf

_COMMON = (
    Parameter("score", "VARCHAR", "its column of probabilities, 0 to 1", "'score'"),
    Parameter("label", "VARCHAR", "its column of labels, 0 or 1", "'label'"),
)
_TABLE = Parameter("tbl", "VARCHAR", "the name of a table or view with scores and labels")
_MAKE_SCORED = (
    "CREATE OR REPLACE TEMP TABLE scored AS "
    "SELECT * FROM (VALUES (0.9, 1), (0.6, 0), (0.4, 1), (0.1, 0)) t(score, label)",
)


def _metric(
    name: str, kind: str, extra: tuple[Parameter, ...], returns: str, about: str
) -> Function:
    select = "SELECT {} AS value" if kind == "value" else "FROM {}"
    return Function(
        name=name,
        kind=kind,
        parameters=(_TABLE, *extra, *_COMMON),
        returns=returns,
        about=about,
        reveals="Nothing leaves.",
        example=select.format(f"{name}('scored')"),
        setup=_MAKE_SCORED,
        body="metrics.sql",
    )


METRICS: tuple[Function, ...] = (
    _metric(
        "roc",
        "table",
        (),
        "TABLE(threshold DOUBLE, true_positive_rate DOUBLE, false_positive_rate DOUBLE)",
        "The ROC curve: for each score that occurs, from the highest down, the rates at which "
        "positives and negatives reach it.",
    ),
    _metric(
        "auc",
        "value",
        (),
        "DOUBLE",
        "The area under the ROC curve; ties count half.",
    ),
    _metric(
        "ks",
        "value",
        (),
        "DOUBLE",
        "The Kolmogorov-Smirnov statistic: the largest distance between the two rates of the ROC "
        "curve.",
    ),
    _metric(
        "log_loss",
        "value",
        (),
        "DOUBLE",
        "The mean negative log-likelihood; scores of 0 and 1 count as 1e-15 and 1 - 1e-15.",
    ),
    _metric(
        "confusion",
        "table",
        (Parameter("threshold", "DOUBLE", "from this score on, a row counts as positive", "0.5"),),
        "TABLE(true_positives BIGINT, false_positives BIGINT, false_negatives BIGINT, "
        "true_negatives BIGINT, accuracy DOUBLE, precision DOUBLE, recall DOUBLE)",
        "Counts of right and wrong at a threshold, and accuracy, precision and recall; NULL "
        "where one is a division by 0.",
    ),
    _metric(
        "calibration",
        "table",
        (Parameter("bins", "INTEGER", "how many bins of equal width", "10"),),
        "TABLE(lower DOUBLE, upper DOUBLE, rows BIGINT, mean_score DOUBLE, positive_rate DOUBLE)",
        "In each bin of scores: how many rows, their mean score, and how many are positive.",
    ),
    Function(
        name="variance_inflation",
        kind="scalar",
        parameters=(Parameter("correlations", "DOUBLE[]", "a correlation matrix, row by row"),),
        returns="DOUBLE[]",
        about="The variance inflation factor of each column: 1 where others do not explain it, "
        "infinite where they determine it.",
        reveals="Nothing leaves.",
        example="SELECT variance_inflation([1, 0.5, 0.5, 1]) AS vif",
        udfs=(Udf(variance_inflation, ("DOUBLE[]",), "DOUBLE[]", pa.list_(pa.float64())),),
    ),
)
