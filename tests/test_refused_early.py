"""Numbers that a script cannot work with are refused by name, before it sends anything."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError
from duckpriv.engine import sql_folder
from tests.effort import examples, thorough

PREDICT = {
    "lr_joint_key/predict": {"peer": "peer"},
    "lr_joint_key/predict_peer": {"peer": "peer"},
    "lr_helper/predict_host": {"host": "me", "guests": "peer", "asker": "me"},
    "lr_helper/predict_guest": {"host": "peer", "guests": "me", "asker": "me"},
}
SHARED = {script: {"peer": "peer"} for script in ("moments/predict", "moments/predict_peer")}
TRAIN = {
    "lr_joint_key/host": {"peer": "peer", "label": "y"},
    "lr_joint_key/guest": {"peer": "peer"},
    "lr_helper/host": {"host": "me", "guests": "peer", "label": "y"},
    "lr_helper/guest": {"host": "peer", "guests": "me"},
}


@pytest.fixture
def refused(connect, tmp_path):
    """Run a script alone; return why it was refused. Nothing may have been sent."""

    def run(script: str, **given: object) -> str:
        party = connect("me", timeout=2.0)
        party.con.execute(
            "CREATE TABLE model AS SELECT * FROM (VALUES "
            "('(intercept)', 0.5::DOUBLE, NULL::DOUBLE, NULL::DOUBLE, 0.5, 's kind'), "
            "('income', 2.0, 50000.0, 10000.0, 0.0002, 's kind'), "
            "('age', -1.0, 40.0, 10.0, -0.1, 's kind')) "
            "t(feature, weight, mean, deviation, weight_original, training)"
        )
        party.con.execute("UPDATE model SET training = $1", [f"s {given.get('kind', 'logistic')}"])
        party.con.execute(
            "CREATE TABLE model_share AS SELECT CASE WHEN i < 4 THEN 'me' ELSE 'peer' END AS party,"
            " i AS position, i::UBIGINT AS share, 's logistic' AS training FROM range(1, 5) t(i)"
        )
        if given.pop("shared", script in SHARED):
            party.con.execute("UPDATE model SET weight = NULL")
        party.con.execute(
            "CREATE TABLE t AS SELECT i AS id, (50000 + 100 * (i % 7))::DOUBLE AS income, "
            "(30 + i % 9)::DOUBLE AS age, (i % 2)::DOUBLE AS y FROM range(60) t(i)"
        )
        for change in given.pop("changes", ()):
            party.con.execute(change)
        if script in TRAIN:
            party.con.execute("DROP TABLE model; DROP TABLE model_share")
        with pytest.raises(DuckprivError) as error:
            party.run(
                script, **{"table": "t", "id": "id", **(PREDICT | SHARED | TRAIN)[script], **given}
            )
        assert not list((tmp_path / "mailbox").glob("**/*.arrow"))
        return str(error.value)

    return run


@pytest.mark.parametrize("script", PREDICT | SHARED)
@pytest.mark.parametrize("value", ["NULL", *thorough("'nan'", "'-inf'")])
def test_rows_to_score_without_a_number(refused, script: str, value: str) -> None:
    """A NULL was DuckDB's error of list_dot_product, which names nothing."""
    text = refused(script, changes=[f"UPDATE t SET age = {value} WHERE id IN (3, 4)"])
    assert "DUCKPRIV_PROTOCOL: 2 rows to score have no number in age; fill them in" in text


@pytest.mark.parametrize("script", PREDICT | SHARED)
def test_rows_to_score_far_outside_of_the_training(refused, script: str) -> None:
    text = refused(script, changes=["UPDATE t SET income = income * 1e10 WHERE id > 2"])
    assert "57 rows to score are more than a million deviations from" in text
    assert "in income; are the columns in the units of the training?" in text


@pytest.mark.parametrize("script", PREDICT)
@pytest.mark.parametrize("weight", [1e12, math.nan, *thorough(1e300, math.inf)])
def test_a_model_with_a_huge_weight(refused, script: str, weight: float) -> None:
    change = f"UPDATE model SET weight = '{weight}' WHERE feature = 'age'"
    text = refused(script, changes=[change, "UPDATE t SET age = 31"])
    assert "60 rows to score are out of all proportion in income, age" in text


@pytest.mark.parametrize("script", ["lr_helper/predict_host", "lr_helper/predict_guest"])
def test_weights_that_stay_shared_bound_the_features(refused, script: str) -> None:
    text = refused(script, shared=True, changes=["UPDATE t SET age = 1e6 WHERE id = 7"])
    assert "1 rows to score are out of all proportion in income, age" in text


@pytest.mark.parametrize("script", TRAIN)
@pytest.mark.parametrize(
    "change, text",
    [
        ({"batch": 2**31}, "have to be whole numbers below 2^31"),
        ({"learning_rate": 0.5, "l2": 1e308}, "learning_rate times l2 is more than 1"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"noise": math.nan}, "noise 0 to 10"),
        *thorough(
            ({"iterations": 1.5}, "have to be whole numbers below 2^31"),
            ({"learning_rate": 0.5, "l2": 1e9}, "learning_rate times l2 is more than 1"),
            ({"learning_rate": math.inf}, "learning_rate"),
            ({"l2": math.nan}, "l2"),
        ),
    ],
)
def test_settings_that_cannot_be(refused, script: str, change: dict, text: str) -> None:
    assert text in refused(script, **change)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"learning_rate": 1e6}, "learning_rate is 1000000.0; use 2000 at most"),
        (
            {
                "learning_rate": 1900,
                "batch": 10,
                "activation": "open",
                "accept_disclosure": "yes",
            },
            "with learning_rate=1900 a step does not fit into 64 bits",
        ),
        (
            {"kind": "identity", "changes": ["UPDATE t SET y = 1e6 WHERE id = 1"]},
            "its largest magnitude can be 384.0; divide it, or have all parties set a larger range",
        ),
        (
            {"kind": "exp", "changes": ["UPDATE t SET y = 149 WHERE id = 1"]},
            "its largest magnitude can be 148.0; divide it",
        ),
        (
            {"learning_rate": 1e-12},
            "the last learning rate, or l2, is too small",
        ),
        (
            {"activation": "open"},
            "with activation=open the helper sees every score in every step",
        ),
        (
            {"activation": "open", "range": 12},
            "range is for activation=blind",
        ),
        (
            {"activation": "none"},
            "activation is blind or open",
        ),
        (
            {
                "kind": "identity",
                "activation": "open",
                "accept_disclosure": "yes",
                "changes": ["UPDATE t SET y = 1e6 WHERE id = 1"],
            },
            "its largest magnitude can be 1024.0; divide it",
        ),
        (
            {
                "kind": "exp",
                "learning_rate": 2000,
                "activation": "open",
                "accept_disclosure": "yes",
                "changes": ["UPDATE t SET y = 3 WHERE id = 1"],
            },
            "its largest magnitude can be 0.5; divide it, or have all parties set a smaller",
        ),
    ],
)
def test_steps_and_labels_that_do_not_fit(refused, change: dict, text: str) -> None:
    assert text in refused("lr_helper/host", **change)


def with_variables(con, file: str, **variables: object) -> dict[str, float] | None:
    """Run an included file; return what its variables are, or None where it refuses."""
    for name, value in variables.items():
        con.execute(f"SET VARIABLE {name} = {value!r}")
    try:
        con.execute((sql_folder() / file).read_text()).fetchall()
    except duckdb.Error as error:
        assert "DUCKPRIV_PROTOCOL" in str(error)
        return None
    names = ("most", "reach", "largest_batch")
    return {n: float(con.execute(f"SELECT getvariable('{n}')").fetchall()[0][0]) for n in names}


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(["logistic", "identity", "exp"]),
    rows=st.integers(1, 2**33),
    batch=st.integers(1, 2**31 - 1) | st.sampled_from([1, 100, 1000, 10_000]),
    rate=st.floats(1e-6, 2000),
)
def test_whatever_is_not_refused_fits_into_64_bits(party, kind, rows, batch, rate) -> None:
    """Also in batches of 2^31 rows: the largest gradient, step and loss that the limits allow."""
    found = with_variables(
        party.con,
        "lr_helper/open/limits.sql",
        kind=kind,
        rows=rows,
        batches=math.ceil(rows / batch),
        learning_rate=str(rate),
        decay="0",
        l2="0",
        iterations="10",
    )
    size = math.ceil(rows / math.ceil(rows / batch))
    if found is None:
        # Not refused: steps of the common lengths, in batches that a helper can deal.
        assert (
            (kind == "logistic" and size * rows > 2**43)
            or (kind == "logistic" and rate * math.sqrt(rows / size) >= 1999)
            or rate / size < 2**-22
        )
        return
    assert found["largest_batch"] == size
    largest = math.sqrt(size * rows)
    residual = 1.0
    if kind != "logistic":
        largest, residual = min(largest, 1.01 * found["reach"]), 2 * found["most"]
    gradient = residual * largest
    assert gradient < 2**22  # scale 40, and truncated below 2^62
    # The pull to 0 is no longer than the step that made a weight so large.
    rounding = 1 + 2**-30 * size / rate
    assert 2 * rate * rounding * gradient / size < 2**12  # scale 50
    if kind == "identity":
        assert residual**2 / 2 < 2**22
    if kind == "exp":
        assert found["most"] * 1024 + found["most"] < 2**22


def test_batches_of_features_that_reach_too_far(party) -> None:
    """Sums of the magnitudes of each column, negative ones too."""
    party.con.execute(
        "SET VARIABLE kind = 'identity'; SET VARIABLE size = 2; SET VARIABLE reach = 4.0"
    )
    party.con.execute("SET VARIABLE width = 3; SET VARIABLE features = ['a', 'b']")
    file = (sql_folder() / "lr_helper/open/reach.sql").read_text()
    for row, name in (
        ([1, 2.1, 0, 1, -1.9, 1], None),
        ([1, 2, 0, 1, -2.1, 1], "a"),
        ([1, 0, 9, 1, 0, -9], "b"),
    ):
        party.con.execute(
            "CREATE OR REPLACE TEMP TABLE lr_batch AS SELECT ring_encode($1::DOUBLE[]) AS x", [row]
        )
        if name is None:
            party.con.execute(file).fetchall()
        else:
            with pytest.raises(
                duckdb.Error, match=f"too far from the others: {name}; take the log"
            ):
                party.con.execute(file).fetchall()


def test_features_that_no_gradient_takes(party) -> None:
    party.con.execute("SET VARIABLE features = ['a', 'b']; SET VARIABLE standardised = 'z'")
    file = (sql_folder() / "lr_joint_key/shared/far.sql").read_text()
    for intercept in ("", "1, "):
        party.con.execute(
            f"CREATE OR REPLACE TABLE z AS SELECT [{intercept}2046, i]::DOUBLE[] AS x "
            "FROM range(5) t(i)"
        )
        party.con.execute(file).fetchall()
        party.con.execute("INSERT INTO z SELECT x[:-2] || [-2048.0::DOUBLE] FROM z")
        with pytest.raises(duckdb.Error, match="more than 2047 deviations from the mean: b; take"):
            party.con.execute(file).fetchall()
    xs = np.array([2**11 - 1.0])
    assert round(float(xs[0]) * 2**16) < 2**27
