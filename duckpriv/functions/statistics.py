"""Statistics of two samples."""

from __future__ import annotations

import pyarrow as pa

from ..columns import normal
from .declaration import Function, Parameter, Udf

STATISTICS: tuple[Function, ...] = (
    Function(
        name="normal_quantile",
        kind="scalar",
        parameters=(Parameter("p", "DOUBLE", "a probability between 0 and 1"),),
        returns="DOUBLE",
        about="Below what number a standard normal one is with probability p.",
        reveals="Nothing leaves.",
        example="SELECT round(normal_quantile(0.975), 6) AS z",
        udfs=(Udf(normal.normal_quantile, ("DOUBLE",), "DOUBLE", pa.float64()),),
        body="statistics.sql",
    ),
    Function(
        name="normal_cdf",
        kind="scalar",
        parameters=(Parameter("z", "DOUBLE", "a number"),),
        returns="DOUBLE",
        about="With what probability a standard normal number is below z.",
        reveals="Nothing leaves.",
        example="SELECT round(normal_cdf(1.96), 6) AS p",
        udfs=(Udf(normal.normal_cdf, ("DOUBLE",), "DOUBLE", pa.float64()),),
        body="statistics.sql",
    ),
    Function(
        name="sample_variance",
        kind="scalar",
        parameters=(
            Parameter("n", "BIGINT", "how many numbers, zeros among them"),
            Parameter("total", "HUGEINT", "the sum of whole numbers"),
            Parameter("squares", "HUGEINT", "the sum of their squares, below 2^126"),
        ),
        returns="DOUBLE",
        about="The variance of a sample, as var_samp gives it, of n whole numbers with these sums; "
        "nothing is lost where they are large and close to each other.",
        reveals="Nothing leaves.",
        example="SELECT sample_variance(3, 6, 14) AS variance",
        body="statistics.sql",
    ),
    Function(
        name="lift_statistics",
        kind="table",
        parameters=(
            Parameter(
                "tbl",
                "VARCHAR",
                "the name of a table with persons_treatment, mean_treatment, variance_treatment, "
                "and the same of the control",
            ),
            Parameter("confidence", "DOUBLE", "of the intervals", "0.95"),
        ),
        returns="TABLE(…, difference, standard_error, difference_low, difference_high, lift, "
        "lift_low, lift_high, p_value, incremental DOUBLE)",
        about="What a treatment changed: adds to each row the difference of the means, its "
        "standard error (Welch), interval and two-sided p-value, by the normal distribution; the "
        "relative lift and its interval, by the delta method; and the difference times the "
        "persons who were treated.",
        reveals="Nothing leaves.",
        example="SELECT difference, round(lift, 3) AS lift FROM lift_statistics('arms')",
        setup=(
            "CREATE OR REPLACE TEMP TABLE arms AS SELECT 100 AS persons_treatment, "
            "1.5 AS mean_treatment, 4.0 AS variance_treatment, 90 AS persons_control, "
            "1.25 AS mean_control, 3.0 AS variance_control",
        ),
        body="statistics.sql",
    ),
)
