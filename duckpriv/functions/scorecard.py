"""Bins, weight of evidence and what a scorecard makes of them."""

from __future__ import annotations

import pyarrow as pa

from ..columns.lookup import looked_up
from .declaration import Function, Parameter, Udf
from .parameters import TABLE

_NOTHING = "Nothing leaves."
_PIECES = Parameter("pieces", "VARCHAR", "the name of a table of bins, as woe_bins gives")
_RESULT = Parameter(
    "result", "VARCHAR", "tables of this name and _bins and _woe are there, as scorecard/guest left"
)
_BINS = (
    "TABLE(feature VARCHAR, bin BIGINT, kind VARCHAR, lower DOUBLE, upper DOUBLE, "
    "category VARCHAR, rows BIGINT)"
)
_WOE = (
    "TABLE(feature VARCHAR, bin BIGINT, description VARCHAR, rows BIGINT, positives BIGINT, "
    "woe DOUBLE, iv DOUBLE)"
)
_MAKE_TABLE = (
    "CREATE OR REPLACE TABLE loans AS SELECT i AS id, 20 + i * 7 % 50 AS age, "
    "['north', 'south', NULL][1 + i % 3] AS region, (i * i % 7 > 3)::INTEGER AS label "
    "FROM range(200) t(i)"
)
_MAKE_BINS = (
    _MAKE_TABLE,
    "CREATE OR REPLACE TABLE card_bins AS FROM woe_bins('loans', without := 'id,label')",
)
_MAKE_COUNTS = (
    *_MAKE_BINS,
    "CREATE OR REPLACE TABLE counts AS FROM woe_counts('loans', 'card_bins')",
)
_MAKE_WOE = (
    *_MAKE_COUNTS,
    "CREATE OR REPLACE TABLE card_woe AS SELECT *, 'bin ' || bin AS description "
    "FROM weight_of_evidence('counts')",
)


def _table(
    name: str,
    parameters: tuple[Parameter, ...],
    returns: str,
    about: str,
    example: str,
    setup: tuple[str, ...],
    udfs: tuple[Udf, ...] = (),
) -> Function:
    return Function(
        name=name,
        kind="table",
        parameters=parameters,
        returns=returns,
        about=about,
        reveals=_NOTHING,
        example=example,
        setup=setup,
        udfs=udfs,
        body="scorecard.sql",
    )


SCORECARD: tuple[Function, ...] = (
    _table(
        "woe_bins",
        (
            TABLE,
            Parameter(
                "columns",
                "VARCHAR",
                "its columns, with commas between; empty: all of numbers, texts and true and false",
                "''",
            ),
            Parameter("without", "VARCHAR", "with empty columns: but these", "''"),
            Parameter(
                "categories", "VARCHAR", "those whose numbers are categories, with commas", "''"
            ),
            Parameter(
                "edges", "VARCHAR", "the name of a table (feature, edge) with given edges", "''"
            ),
            Parameter("bins", "INTEGER", "quantiles of numbers, most frequent categories", "10"),
            Parameter("max_bins", "INTEGER", "more bins of a column than this are an error", "12"),
            Parameter("minimum", "INTEGER", "bins with fewer rows are put together", "20"),
        ),
        _BINS,
        "Bins for columns: of numbers those between quantiles or given edges (above lower, up to "
        "and with upper), of others the most frequent values and all other ones together, and one "
        "for missing values. A bin of several kinds has a row for each.",
        "FROM woe_bins('loans', without := 'id,label', bins := 4)",
        (_MAKE_TABLE,),
    ),
    _table(
        "woe_counts",
        (TABLE, _PIECES, Parameter("label", "VARCHAR", "its column of 0 and 1", "'label'")),
        "TABLE(feature VARCHAR, bin BIGINT, rows BIGINT, positives BIGINT)",
        "How many rows of a table that has the label are in each bin, and how many of them are 1; "
        "bin 0 has the values that no bin has.",
        "FROM woe_counts('loans', 'card_bins')",
        _MAKE_BINS,
    ),
    _table(
        "weight_of_evidence",
        (Parameter("counts", "VARCHAR", "the name of a table (feature, bin, rows, positives)"),),
        "TABLE(feature VARCHAR, bin BIGINT, rows BIGINT, positives BIGINT, woe DOUBLE, iv DOUBLE)",
        "Of each bin the logarithm of its share of all positives by its share of all negatives, "
        "and its part of the information value. In a bin without positives or negatives, each of "
        "its two counts is taken one half larger. NULL where all labels are the same.",
        "FROM weight_of_evidence('counts')",
        _MAKE_COUNTS,
    ),
    _table(
        "information_value",
        (Parameter("evidence", "VARCHAR", "the name of a table as weight_of_evidence gives"),),
        "TABLE(feature VARCHAR, iv DOUBLE, bins BIGINT)",
        "The information value of each column: how much its bins tell about the label.",
        "FROM information_value('card_woe')",
        _MAKE_WOE,
    ),
    _table(
        "woe_transform",
        (TABLE, _RESULT),
        "TABLE(all columns of tbl)",
        "The table with each column that has bins replaced by the weights of evidence. A category "
        "that was in no bin is one of the others, where there is a bin of these; else it is 0, as "
        "is a missing value where none was missing. A view of it can be trained on. The result's "
        "tables are neither temporary nor of a transaction that is open.",
        "SELECT id, round(age, 3) AS age FROM woe_transform('loans', 'card') LIMIT 3",
        _MAKE_WOE,
        (Udf(looked_up, ("VARCHAR",) * 4, "VARCHAR", pa.string(), hidden=True),),
    ),
    _table(
        "monotone_bins",
        (_RESULT,),
        _BINS,
        "The bins, with neighbours of numbers put together until the rate of positives rises, or "
        "falls, all along: pool adjacent violators, in the direction that is closer.",
        "FROM monotone_bins('card')",
        _MAKE_WOE,
    ),
    _table(
        "monotone_woe",
        (_RESULT,),
        _WOE,
        "The weights of evidence of monotone_bins.",
        "FROM monotone_woe('card')",
        _MAKE_WOE,
    ),
    _table(
        "population_stability",
        (
            TABLE,
            Parameter("other", "VARCHAR", "the name of another one with these columns"),
            _PIECES,
        ),
        "TABLE(feature VARCHAR, stability DOUBLE)",
        "The population stability index of each column between two tables, under the same bins: 0 "
        "where shares are equal. A bin without rows counts as half a row.",
        "FROM population_stability('loans', 'loans', 'card_bins')",
        _MAKE_BINS,
    ),
    _table(
        "scorecard_points",
        (
            Parameter("model", "VARCHAR", "the name of a model trained on woe_transform's columns"),
            Parameter("evidence", "VARCHAR", "the name of the result's table _woe"),
            Parameter("points_to_double", "DOUBLE", "so many more points double the odds", "20"),
            Parameter("base_points", "DOUBLE", "so many points are the base odds", "600"),
            Parameter("base_odds", "DOUBLE", "base odds, to 1", "50"),
            Parameter("good", "INTEGER", "points rise with the odds of this label, 0 or 1", "0"),
        ),
        "TABLE(feature VARCHAR, bin BIGINT, description VARCHAR, points DOUBLE)",
        "The points of each bin, and in the row (intercept) those that everyone has; their sum is "
        "a record's score. Of a column without bins, the points for each unit. The party whose "
        "model has not the intercept takes base_points := 0, base_odds := 1.",
        "FROM scorecard_points('model', 'card_woe')",
        (
            *_MAKE_WOE,
            "CREATE OR REPLACE TABLE model AS SELECT * FROM (VALUES ('(intercept)', -1.0::DOUBLE), "
            "('age', 0.8), ('region', 0.9)) t(feature, weight_original)",
        ),
    ),
)
