"""How good scores are, against labels."""

from __future__ import annotations

import duckdb

from ..engine import literal, quoted
from ..errors import InvalidValue
from . import pictures
from .blocks import Block, Facts, Section, Table, Text, counted, number
from .tables import Rows, query

_VIEW = "temp.duckpriv_report_scored"
# The curve has no more points than can be told apart.
_FINEST = 400


def scores(con: duckdb.DuckDBPyConnection, scored: str, score: str, label: str) -> Section:
    """Return the section about the table or view `scored`, with a probability in column `score` and
    0 or 1 in `label`. Rows without one of them are counted and left out."""
    score, label = _column(con, scored, score), _column(con, scored, label)
    ((source,),) = query(con, "SELECT duckpriv_source($1)", [scored])
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {_VIEW} AS SELECT {quoted(score)} AS score, "
        f"{quoted(label)} AS label FROM {source} "
        f"WHERE {quoted(score)} IS NOT NULL AND {quoted(label)} IS NOT NULL"
    )
    ((rows, positives),) = query(
        con,
        "SELECT count(*), count(*) FILTER (y = 1) "
        f"FROM query(duckpriv_scored_query('{_VIEW}', 'score', 'label'))",
    )
    ((without_score, without_label),) = query(
        con,
        f"SELECT count(*) FILTER ({quoted(score)} IS NULL), "
        f"count(*) FILTER ({quoted(score)} IS NOT NULL AND {quoted(label)} IS NULL) FROM {source}",
    )
    blocks: list[Block] = [
        Text(
            "A score is the predicted probability that the label is 1. Here scores are compared "
            "with what the labels turned out to be."
        )
    ]
    for count, lacking in ((without_score, "score"), (without_label, "label")):
        if count:
            said = counted(count, f"row without a {lacking} is", f"rows without a {lacking} are")
            blocks.append(Text(f"{said} left out."))
    if rows == 0:
        blocks.append(Text("There is no row with both a score and a label."))
    else:
        blocks += _measured(con, rows, positives)
    return Section(f"Scores: {scored}", blocks)


def _measured(con: duckdb.DuckDBPyConnection, rows: int, positives: int) -> list[Block]:
    ((loss,),) = query(con, f"SELECT log_loss('{_VIEW}')")
    counts = [
        ("rows", rows, ""),
        ("label 1", positives, f"{100 * positives / rows:.3g} % of the rows"),
    ]
    losses = [("log loss", loss, "the mean penalty for wrong probabilities; 0 is perfect")]
    thresholds = [(i / 10, "") for i in range(1, 10)]
    if 0 < positives < rows:
        ((auc,),) = query(con, f"SELECT auc('{_VIEW}')")
        ((score, true_rate, false_rate),) = query(
            con,
            f"FROM roc('{_VIEW}') ORDER BY abs(true_positive_rate - false_positive_rate) DESC, "
            "threshold DESC LIMIT 1",
        )
        ks = abs(true_rate - false_rate)
        facts = [
            *counts,
            ("AUC", auc, "how often a label 1 scores above a label 0; 0.5 is chance, 1 perfect"),
            ("KS", ks, f"how far the two labels are apart, at best at score {number(score)}"),
            *losses,
        ]
        points = query(
            con,
            f"SELECT false_positive_rate, true_positive_rate FROM roc('{_VIEW}') "
            f"QUALIFY row_number() OVER (PARTITION BY floor(false_positive_rate * {_FINEST}), "
            f"floor(true_positive_rate * {_FINEST}) ORDER BY threshold DESC) = 1 "
            "ORDER BY threshold DESC",
        )
        curve = pictures.roc(
            [(0.0, 0.0), *points, (1.0, 1.0)],
            auc,
            ks,
            (score, true_rate, false_rate),
            "Of each threshold: which share of the rows with label 1 reach it (true positive "
            "rate), and which share of those with label 0 (false positive rate). The dashed line "
            "is chance. AUC (area under the curve) is the area below the blue line. KS "
            "(Kolmogorov-Smirnov) is the longest upright distance to the dashed line, drawn in "
            "red.",
        )
        thresholds = sorted({**dict(thresholds), score: " (KS)"}.items())
        found: list[Block] = [Facts(facts), curve]
    else:
        every = "1" if positives else "0"
        found = [
            Facts([*counts, *losses]),
            Text(
                f"Every label is {every}. AUC, KS and the ROC curve compare rows of label 1 with "
                "rows of label 0, so there are none here."
            ),
        ]
    bins = query(con, f"FROM calibration('{_VIEW}')")
    return [*found, *_calibration(bins), _thresholds(con, thresholds)]


def _calibration(bins: Rows) -> list[Block]:
    picture = pictures.calibration(
        [(mean, share) for _, _, _, mean, share in bins],
        "Rows are put into ten bins by their score. If scores are honest probabilities, the points "
        "lie on the dashed line: of rows that score 0.3, 30 % have label 1.",
    )
    rows = [
        (f"{number(lower)} to {number(upper)}", count, mean, share)
        for lower, upper, count, mean, share in bins
    ]
    head = ("score", "rows", "mean score", "share of label 1")
    return [picture, Table("Calibration", head, rows)]


def _thresholds(con: duckdb.DuckDBPyConnection, thresholds: list[tuple[float, str]]) -> Table:
    lines = []
    for threshold, mark in thresholds:
        ((tp, fp, fn, tn, accuracy, precision, recall),) = query(
            con, f"FROM confusion('{_VIEW}', threshold := $1::DOUBLE)", [threshold]
        )
        cells = (tp + fp, tp, fp, fn, tn, accuracy, precision, recall)
        lines.append((f"{number(threshold)}{mark}", *cells))
    head = ("threshold", "count as 1", "of these label 1", "of these label 0")
    more = ("missed label 1", "rightly 0", "accuracy", "precision", "recall")
    about = (
        "What happens if rows from this score on count as 1. Accuracy is the share of rows that "
        "are right. Precision is, of the rows that count as 1, the share whose label is 1; recall "
        "is, of the rows with label 1, the share that count as 1."
    )
    if any(mark for _, mark in thresholds):
        about += " (KS) marks the score where the labels are farthest apart."
    return Table("Thresholds", (*head, *more), lines, about=about)


def _column(con: duckdb.DuckDBPyConnection, scored: str, name: str) -> str:
    """Return the column that is called `name`, as people write it."""
    columns = f"SELECT column_name FROM table_columns({literal(scored)})"
    found = query(
        con,
        f"FROM ({columns}) WHERE duckpriv_folded(column_name) = duckpriv_folded(plain_name($1))",
        [name],
    )
    if not found:
        there = ", ".join(row[0] for row in query(con, columns))
        raise InvalidValue(
            f"{scored} has no column '{name}'; --score and --label name two of its columns: {there}"
        )
    return str(found[0][0])
