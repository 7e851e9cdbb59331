"""Metrics in SQL against scikit-learn."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from tests.effort import examples

scores = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
scored_rows = st.lists(st.tuples(scores, st.sampled_from([0, 1])), min_size=2, max_size=60).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@pytest.fixture
def con(connect):
    return connect().con


def put(con, rows: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    con.execute("CREATE OR REPLACE TABLE scored (p DOUBLE, y INTEGER)")
    con.executemany("INSERT INTO scored VALUES ($1, $2)", rows)
    p, y = zip(*rows, strict=True)
    return np.array(p), np.array(y)


def metric(con, name: str, *arguments: str) -> list[tuple]:
    given_ = ", ".join(["'scored'", *arguments, "score := 'p'", "label := 'y'"])
    return con.execute(f"FROM {name}({given_})").fetchall()


def value(con, name: str) -> float:
    query = f"SELECT {name}('scored', score := 'p', label := 'y')"
    return con.execute(query).fetchall()[0][0]


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scored_rows)
def test_metrics_agree_with_scikit_learn(con, rows: list[tuple[float, int]]) -> None:
    p, y = put(con, rows)
    assert value(con, "auc") == pytest.approx(sklearn.roc_auc_score(y, p))
    fpr, tpr, _ = sklearn.roc_curve(y, p, drop_intermediate=False)
    assert value(con, "ks") == pytest.approx(np.abs(tpr - fpr).max())
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    assert value(con, "log_loss") == pytest.approx(sklearn.log_loss(y, clipped), rel=1e-4)
    curve = metric(con, "roc")
    assert [t for _, t, _ in curve] == pytest.approx(list(tpr[1:]))
    assert [f for _, _, f in curve] == pytest.approx(list(fpr[1:]))
    (found,) = metric(con, "confusion", "threshold := 0.5")
    guess = p >= 0.5
    tn, fp, fn, tp = sklearn.confusion_matrix(y, guess, labels=[0, 1]).ravel()
    assert found[:4] == (tp, fp, fn, tn)
    assert found[4] == pytest.approx(np.mean(guess == y))
    assert found[5] == (None if tp + fp == 0 else pytest.approx(tp / (tp + fp)))
    assert found[6] == pytest.approx(tp / (tp + fn))


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scored_rows, st.integers(1, 100))
def test_calibration_bins(con, rows: list[tuple[float, int]], bins: int) -> None:
    p, y = put(con, rows)
    edges = np.arange(bins + 1) / bins
    number = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    found = metric(con, "calibration", f"bins := {bins}")
    assert [row[:3] for row in found] == [
        (edges[b], edges[b + 1], (number == b).sum()) for b in np.unique(number)
    ]
    assert [row[3:] for row in found] == [
        (pytest.approx(p[number == b].mean()), pytest.approx(y[number == b].mean()))
        for b in np.unique(number)
    ]


@pytest.mark.parametrize(
    "rows, name, text",
    [
        ("(0.5, 1)", "auc", "no label is 0"),
        ("(0.5, 0)", "ks", "no label is 1"),
        ("(0.5, 2), (0.1, 0)", "log_loss", "a label is NULL or not 0 or 1"),
        ("(NULL, 1), (0.1, 0)", "auc", "a score is NULL or not from 0 to 1"),
        ("(1.5, 1), (0.1, 0)", "auc", "a score is NULL or not from 0 to 1"),
        ("(0.5, NULL)", "log_loss", "a label is NULL"),
    ],
)
def test_what_cannot_be_measured(con, rows: str, name: str, text: str) -> None:
    con.execute(f"CREATE TABLE scored AS FROM (VALUES {rows}) t(p, y)")
    with pytest.raises(duckdb.Error, match=text):
        value(con, name)
