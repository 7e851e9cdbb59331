"""Bins and weights of evidence, against pandas and counting in Python, and what is made of them."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from functools import partial

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

import duckpriv
from duckpriv.errors import InvalidValue, from_text
from tests.effort import examples, takes_long, thorough
from tests.parties import Folder, at_once, check_receivers

MISSING = object()
Piece = tuple[int, str, float | None, float | None, str | None, int]


class Pair(Folder):
    """A host with labels and a guest with columns, in threads."""

    def make(self, labels: list, guest: pa.Table, has: np.ndarray) -> None:
        """The guest's rows are the host's rows `has`, joined as private matching leaves them."""
        rows = len(labels)
        self.make_table("host", pa.table({"who": np.arange(rows), "y": labels}))
        self.make_table("guest", guest.append_column("who", pa.array(has)))
        pid = "CREATE OR REPLACE MACRO pid(who) AS md5(who::VARCHAR)::UUID; CREATE TABLE"
        self.query("host", f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t")
        self.query(
            "guest",
            f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t; CREATE TABLE "
            f"alignment_unmatched AS SELECT pid(who) AS pid FROM range({rows}) r(who) ANTI "
            "JOIN t USING (who)",
        )

    def run(self, session: str = "s1", at_host=None, at_guest=None, both=None, scripts=None):
        scripts = {"host": "scorecard/host", "guest": "scorecard/guest"} | (scripts or {})
        given_ = {
            "host": {"label": "y", "accept_disclosure": "yes", **(at_host or {})},
            "guest": at_guest or {},
        }
        given_ = {
            me: {"peer": peer, "table": "t", **(both or {}), **given_[me]}
            for me, peer in (("host", "guest"), ("guest", "host"))
        }

        def work(me: str) -> object:
            with self.connect(me, session) as party:
                return party.run(scripts[me], **given_[me])

        found = at_once(*(partial(work, me) for me in scripts))
        if not any(isinstance(one, BaseException) for one in found):
            check_receivers(
                self.folder,
                session,
                {me: (f"scorecard/{me}", given_[me]) for me in scripts},
            )
        return found


def awkward(rows: int) -> pa.Table:
    rng = np.random.default_rng(5)
    ties = rng.integers(0, 4, rows).astype(float)
    holes = [None if i % 7 == 0 else float(x) for i, x in enumerate(rng.normal(size=rows))]
    holes[3] = math.nan
    few = [None if i in (1, 5) else i * 1000 for i in range(rows)]
    words = ["north", "söuth", "North", "東", "", 'o\'r, "x"', None]
    return pa.table(
        {
            "ties": ties,
            "holes": holes,
            "few missing": few,
            "one": np.full(rows, 5),
            "never": pa.nulls(rows, pa.float64()),
            "nan": pa.array(np.full(rows, math.nan), pa.float64(), from_pandas=False),
            "nan or NULL": pa.array(
                [None if i % 3 else math.nan for i in range(rows)], pa.float32()
            ),
            "Größe": rng.integers(-3, 3, rows).astype("int8"),
            "region": rng.choice(words, rows, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05]),
            "unique": [f"value {i}" for i in range(rows)],
            "yes": [None if i % 40 == 0 else i % 3 == 0 for i in range(rows)],
            "inf": np.where(np.arange(rows) % 9 == 0, -math.inf, rng.normal(size=rows)),
            "pid": np.arange(rows) % 11,
            "id": np.arange(rows) // 50,
            "code": rng.choice([11, 12, 13, 99], rows, p=[0.5, 0.3, 0.19, 0.01]),
        }
    )


def member(value: object, kind: str, lower, upper, category, known: set) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return kind == "missing"
    if kind == "interval":
        return (lower is None or value > lower) and (upper is None or value <= upper)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text == category if kind == "category" else kind == "other" and text not in known


def bin_of(value: object, pieces: list[tuple]) -> list[int]:
    known = {category for _, kind, _, _, category, _ in pieces if kind == "category"}
    return [
        number
        for number, kind, lower, upper, category, _ in pieces
        if member(value, kind, lower, upper, category, known)
    ]


def by_feature(rows: list[tuple]) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for feature, *rest in rows:
        found.setdefault(feature, []).append(tuple(rest))
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """300 rows, 220 of them common; what the guest found."""
    rng = np.random.default_rng(1)
    has = np.sort(rng.permutation(300)[:220])
    labels = (rng.random(300) < 0.3).astype(int)
    guest = awkward(220)
    pair = Pair(tmp_path_factory.mktemp("both"))
    pair.make(labels.tolist(), guest, has)
    found = pair.run(at_guest={"categories": "code", "bins": 6})
    assert found[0][0]["guest_columns"] == 15, found
    assert found[1][0] | {"bytes": 0, "bins": 0} == {
        "rows": 300, "common": 220, "columns": 15, "bins": 0, "bytes": 0,
    }  # fmt: skip
    return pair, guest, labels[has]


def test_counts_and_weights_are_those_of_the_joined_tables(both) -> None:
    """Each value falls into one bin, and all numbers follow from the formulas in README."""
    pair, guest, y = both
    pieces = by_feature(pair.query("guest", "FROM scorecard_bins"))
    evidence = by_feature(pair.query("guest", "FROM scorecard_woe"))
    values = dict(pair.query("guest", "SELECT feature, iv FROM scorecard_information_value"))
    assert list(pieces) == guest.column_names[:-1] or set(pieces) == set(guest.column_names)
    for name in guest.column_names:
        numbers = [bin_of(value, pieces[name]) for value in guest[name].to_pylist()]
        assert {len(n) for n in numbers} == {1}, name
        of = np.array([n for (n,) in numbers])
        assert sum(rows for *_, rows in pieces[name]) == len(y)
        total = 0.0
        assert [n for n, *_ in evidence[name]] == sorted(set(of)) == list(range(1, of.max() + 1))
        for number, _, rows, positives, woe, iv in evidence[name]:
            assert (rows, positives) == ((of == number).sum(), y[of == number].sum()), name
            assert rows >= 20, name
            p, n = float(positives), float(rows - positives)
            if p == 0 or n == 0:
                p, n = p + 0.5, n + 0.5
            share_p, share_n = p / y.sum(), n / (len(y) - y.sum())
            assert woe == pytest.approx(math.log(share_p / share_n), abs=1e-12)
            assert iv == pytest.approx((share_p - share_n) * math.log(share_p / share_n), abs=1e-12)
            total += iv
        assert values[name] == pytest.approx(total)
    assert len(evidence["one"]) == len(evidence["unique"]) == 1
    for name in ("never", "nan", "nan or NULL"):
        assert [kind for _, kind, *_ in pieces[name]] == ["missing"]
        assert len(evidence[name]) == 1
    assert {kind for _, kind, *_ in pieces["code"]} == {"category", "other"}


def test_quantile_bins_are_those_of_pandas(connect) -> None:
    """Where rows divide evenly and no value occurs twice, qcut cuts between the same rows."""
    con = connect().con
    x = np.random.default_rng(2).normal(size=1000)
    con.register("numbers", pa.table({"x": x}))
    con.execute("CREATE TABLE t AS FROM numbers").fetchall()
    pieces = con.execute("SELECT lower, upper, rows FROM woe_bins('t')").fetchall()
    cut = pd.qcut(x, 10, labels=False)
    highest = [float(x[cut == i].max()) for i in range(9)]
    assert [upper for _, upper, _ in pieces] == [*highest, None]
    assert [lower for lower, _, _ in pieces] == [None, *highest]
    assert [rows for *_, rows in pieces] == [100] * 10


VALUES = st.one_of(st.none(), st.integers(-3, 3), st.floats(allow_nan=True))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "A", "á", "", "b", "c,d", "'e", "f\n"]))


@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(VALUES, WORDS), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_bins_of_any_values(con, rows: list[tuple], bins: int, minimum: int) -> None:
    """Every value has one bin, and bins have enough rows, or there is but one."""
    con.register("given", pa.table({
        "x": pa.array([x for x, _ in rows], pa.float64(), from_pandas=False),
        "word": pa.array([word for _, word in rows], pa.string()),
    }))  # fmt: skip
    con.execute("CREATE OR REPLACE TABLE t AS FROM given").fetchall()
    query = f"FROM woe_bins('t', bins := {bins}, minimum := {minimum})"
    pieces = by_feature(con.execute(query).fetchall())
    con.execute(f"CREATE OR REPLACE TABLE pieces AS {query}").fetchall()
    con.execute("CREATE OR REPLACE TABLE labelled AS SELECT *, 1 AS label FROM t").fetchall()
    counted = con.execute("FROM woe_counts('labelled', 'pieces')").fetchall()
    for place, name in enumerate(("x", "word")):
        values = [row[place] for row in rows]
        numbers = [bin_of(value, pieces[name]) for value in values]
        assert {len(n) for n in numbers} == {1}
        of = Counter(n for (n,) in numbers)
        assert sorted(of) == list(range(1, len(of) + 1))
        assert len(of) <= bins + 2
        assert len(of) == 1 or min(of.values()) >= minimum
        expected = [(name, n, of[n], of[n]) for n in sorted(of)]
        assert [row for row in counted if row[0] == name] == expected
        kinds = [(kind, category, n) for _, kind, _, _, category, n in pieces[name]]
        for kind, category, n in kinds:
            if kind in ("category", "missing"):
                assert n == values.count(category) if kind == "category" else True
    known = Counter(word for _, word in rows if word is not None)
    categories = [
        (category, n) for _, kind, *_, category, n in pieces["word"] if kind == "category"
    ]
    ranked = sorted(known.items(), key=lambda item: (-item[1], item[0].encode()))
    assert categories == ranked[: len(categories)]


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with duckpriv.connect(session="s1") as party:
        yield party.con


def test_given_edges_and_what_is_wrong_with_bins(con) -> None:
    con.execute(
        "CREATE OR REPLACE TABLE p AS SELECT i AS id, i % 60 AS age, DATE '2024-01-01' AS day "
        "FROM range(600) t(i); CREATE OR REPLACE TABLE e AS FROM (VALUES ('AGE', 18), ('age', 40), "
        "('age', 40), ('age', 1000)) t(feature, edge); CREATE OR REPLACE TABLE lacking AS "
        "FROM e UNION ALL SELECT 'salary', 5; CREATE OR REPLACE TABLE moods AS SELECT "
        "'a'::ENUM('a', 'b\nc') AS mood FROM range(20)"
    )
    assert con.execute("SELECT feature, category FROM woe_bins('moods')").fetchall() == [
        ("mood", "a")
    ]
    found = con.execute("FROM woe_bins('p', without := 'id', edges := 'e')").fetchall()
    assert found == [
        ("age", 1, "interval", None, 18.0, None, 190),
        ("age", 2, "interval", 18.0, 40.0, None, 220),
        ("age", 3, "interval", 40.0, None, None, 190),
    ]
    for arguments, problem in (
        ("columns := 'age,nope'", 'no column "nope"'),
        ("categories := 'nope'", 'no column "nope"'),
        ("edges := 'lacking'", 'no column "salary"'),
        ("columns := 'day'", 'column "day" holds neither numbers'),
        ("columns := 'age', bins := 20", "more than 12 bins"),
        ("columns := 'age', minimum := 0", "1 at least"),
    ):
        with pytest.raises(duckdb.Error, match=problem):
            con.execute(f"FROM woe_bins('p', {arguments})").fetchall()


def test_a_table_with_weights_of_evidence(both) -> None:
    """woe_transform against looking each value up in Python; also what no bin had."""
    pair, guest, _ = both
    pieces = by_feature(pair.query("guest", "FROM scorecard_bins"))
    woe = {
        (f, b): w for f, b, w in pair.query("guest", "SELECT feature, bin, woe FROM scorecard_woe")
    }
    with pair.connect("guest") as party:
        party.con.execute("CREATE OR REPLACE VIEW v AS FROM woe_transform('t', 'scorecard')")
        found = party.con.sql("FROM v").to_arrow_table()
        party.con.execute(
            "CREATE OR REPLACE TABLE n AS SELECT * REPLACE ('elsewhere' AS region, NULL AS ties, "
            '1e300 AS "few missing", 77 AS code) FROM t LIMIT 1'
        )
        new = party.con.sql("FROM woe_transform('n', 'scorecard')").to_arrow_table().to_pylist()
    assert found.column_names == [*guest.column_names, "who"]
    for name in guest.column_names:
        expected = [woe[name, bin_of(v, pieces[name])[0]] for v in guest[name].to_pylist()]
        assert found[name].to_pylist() == expected, name
    other = [n for n, kind, *_ in pieces["region"] if kind == "other"]
    assert new[0]["region"] == (woe["region", other[0]] if other else 0)
    assert new[0]["ties"] == 0
    assert new[0]["few missing"] == woe["few missing", max(n for n, *_ in pieces["few missing"])]
    assert new[0]["code"] == woe["code", max(n for n, *_ in pieces["code"])]


def test_bins_and_weights_of_two_results_are_refused(con) -> None:
    """Without it a value takes the weight of the next bin; bin 0 has what no bin has."""
    con.execute(
        "CREATE OR REPLACE TABLE old AS SELECT i % 40 AS x, i % 3 // 2 AS label "
        "FROM range(400) t(i); "
        "CREATE OR REPLACE TABLE two_bins AS FROM woe_bins('old', columns := 'x', bins := 4); "
        "CREATE OR REPLACE TABLE counts AS FROM woe_counts('old', 'two_bins'); CREATE OR REPLACE "
        "TABLE two_woe AS SELECT *, '' AS description FROM weight_of_evidence('counts')"
    )
    uses = ("woe_transform('old', 'two')", "monotone_woe('two')", "monotone_bins('two')")
    con.execute("INSERT INTO two_woe SELECT * REPLACE (0 AS bin) FROM two_woe WHERE bin = 1")
    for use in uses:
        assert con.execute(f"FROM {use}").fetchall()
    for change, back in (
        (
            "DELETE FROM two_woe WHERE bin = 2",
            "INSERT INTO two_woe SELECT * REPLACE (2 AS bin) FROM two_woe WHERE bin = 1",
        ),
        ("DELETE FROM two_bins WHERE bin = 4", ""),
    ):
        con.execute(change)
        for use in uses:
            with pytest.raises(duckdb.Error, match='are not of one result: column "x"'):
                con.execute(f"FROM {use}").fetchall()
        con.execute(back)


def test_results_that_are_not_there(con) -> None:
    """A typo, a temporary table, and a table of other columns."""
    con.execute("CREATE OR REPLACE TABLE u AS SELECT 1 AS x")
    con.execute("CREATE OR REPLACE TEMP TABLE temporary_bins AS SELECT 'x' AS feature, 1 AS bin")
    con.execute("CREATE OR REPLACE TABLE odd_bins AS SELECT 1 AS i")
    con.execute("CREATE OR REPLACE TABLE odd_woe AS SELECT 1 AS i")
    for name in ("typo", "temporary", "odd"):
        problem = f'there are no tables "{name}_bins" and "{name}_woe" that are committed'
        with pytest.raises(duckdb.Error, match=problem):
            con.execute(f"FROM woe_transform('u', '{name}')").fetchall()


def test_monotone_bins_are_isotonic_regressions(con) -> None:
    rng = np.random.default_rng(3)
    con.execute(
        "CREATE OR REPLACE TABLE iso_bins AS SELECT f AS feature, b AS bin, 'interval' AS kind, "
        "CASE WHEN b > 1 THEN b - 1 END::DOUBLE AS lower, CASE WHEN b < 9 THEN b END::DOUBLE AS "
        "upper, NULL::VARCHAR AS category, 50 AS rows FROM (VALUES ('up'), ('down'), ('mixed')) "
        "u(f), range(1, 10) t(b)"
    )
    rates = {"up": np.arange(9) * 0.1, "down": 0.8 - np.arange(9) * 0.1, "mixed": np.full(9, 0.5)}
    rows = [
        (f, b + 1, "", 50, int(rng.binomial(50, r)))
        for f, x in rates.items()
        for b, r in enumerate(x)
    ]
    con.execute(
        "CREATE OR REPLACE TABLE iso_woe (feature VARCHAR, bin BIGINT, description VARCHAR, "
        "rows BIGINT, positives BIGINT)"
    )
    con.executemany("INSERT INTO iso_woe VALUES ($1, $2, $3, $4, $5)", rows)
    con.execute(
        "ALTER TABLE iso_woe ADD COLUMN woe DOUBLE; ALTER TABLE iso_woe ADD COLUMN iv DOUBLE"
    )
    merged = by_feature(con.execute("FROM monotone_woe('iso')").fetchall())
    pieces = by_feature(con.execute("FROM monotone_bins('iso')").fetchall())
    for feature in rates:
        y = np.array([p / n for f, _, _, n, p in rows if f == feature])
        fits = [
            IsotonicRegression(increasing=up).fit_transform(np.arange(9), y) for up in (True, False)
        ]
        fit = min(fits, key=lambda f: ((f - y) ** 2).sum())
        blocks = [np.flatnonzero(np.isclose(fit, level)) for level in dict.fromkeys(fit.round(9))]
        assert [(n, p / n) for _, _, n, p, *_ in merged[feature]] == [
            (50 * len(block), pytest.approx(fit[block[0]])) for block in blocks
        ]
        assert [(lower, upper) for _, _, lower, upper, *_ in pieces[feature]] == [
            (block[0] or None, block[-1] + 1 if block[-1] < 8 else None) for block in blocks
        ]


def test_monotone_bins_of_noisy_counts(con) -> None:
    """More positives than rows count as all rows, in the sums too: rates rise."""
    con.execute(
        "CREATE OR REPLACE TABLE noisy_bins AS SELECT 'x' AS feature, b AS bin, 'interval' AS "
        "kind, CASE WHEN b > 1 THEN b - 1 END::DOUBLE AS lower, CASE WHEN b < 4 THEN b END::DOUBLE "
        "AS upper, NULL::VARCHAR AS category, 20 AS rows FROM range(1, 5) t(b); "
        "CREATE OR REPLACE TABLE noisy_woe AS SELECT 'x' AS feature, b AS bin, '' AS description, "
        "20 AS rows, [-2, 40, 10, 18][b] AS positives, 0.0::DOUBLE AS woe, 0.0::DOUBLE AS iv "
        "FROM range(1, 5) t(b)"
    )
    found = con.execute("SELECT rows, positives, woe FROM monotone_woe('noisy')").fetchall()
    assert [(rows, positives) for rows, positives, _ in found] == [(20, 0), (40, 30), (20, 18)]
    assert [woe for *_, woe in found] == sorted(woe for *_, woe in found)


def test_population_stability_is_its_formula(con) -> None:
    con.execute(
        "CREATE OR REPLACE TABLE old AS SELECT i % 40 AS x, ['a', 'b'][1 + i % 2] AS c "
        "FROM range(400) t(i); "
        "CREATE OR REPLACE TABLE new AS SELECT i % 30 AS x, 'z' AS c FROM range(300) t(i); "
        "CREATE OR REPLACE TABLE stable_bins AS FROM woe_bins('old', bins := 4)"
    )
    found = dict(con.execute("FROM population_stability('old', 'new', 'stable_bins')").fetchall())
    a = np.array([100, 100, 100, 100]) / 400
    b = np.array([100, 100, 100, 0.5]) / 300
    assert found["x"] == pytest.approx(((a - b) * np.log(a / b)).sum())
    a, b = np.array([200, 200, 0.5]) / 400, np.array([0.5, 0.5, 300]) / 300
    assert found["c"] == pytest.approx(((a - b) * np.log(a / b)).sum())
    assert con.execute("FROM population_stability('old', 'old', 'stable_bins')").fetchall() == [
        ("c", 0),
        ("x", 0),
    ]


def test_points_double_the_odds(con) -> None:
    con.execute(
        "CREATE OR REPLACE TABLE m AS FROM (VALUES ('(intercept)', -1.5), ('x', 0.7), "
        "('other', 0.1)) t(feature, weight_original); CREATE OR REPLACE TABLE w AS FROM "
        "(VALUES ('x', 1, '<= 3', -0.4), ('x', 2, '> 3', 0.9)) t(feature, bin, description, woe)"
    )
    points = {
        (f, b): p
        for f, b, _, p in con.execute("FROM scorecard_points('m', 'w', base_odds := 30)").fetchall()
    }
    for b, woe in ((1, -0.4), (2, 0.9)):
        z = -1.5 + 0.7 * woe + 0.1 * 7
        odds = 1 / math.exp(z)  # of the label 0
        score = points["(intercept)", None] + points["x", b] + 7 * points["other", None]
        assert score == pytest.approx(600 + 20 * math.log2(odds / 30))
    con.execute("CREATE OR REPLACE TABLE upper AS SELECT * REPLACE ('X' AS feature) FROM w")
    again = con.execute("FROM scorecard_points('m', 'upper', base_odds := 30)").fetchall()
    assert {(f, b): p for f, b, _, p in again} == points
    other = con.execute(
        "FROM scorecard_points('m', 'w', good := 1, base_points := 0, base_odds := 1)"
    ).fetchall()
    assert other[0][3] == pytest.approx(-1.5 * 20 / math.log(2))
    with pytest.raises(duckdb.Error, match="good is 0 or 1"):
        con.execute("FROM scorecard_points('m', 'w', good := 2)").fetchall()


def table(rows: int) -> pa.Table:
    rng = np.random.default_rng(8)
    return pa.table({"a": rng.normal(size=rows), "b": rng.integers(0, 3, rows)})


def small(tmp_path, labels: list | None = None, rows: int = 120) -> Pair:
    pair = Pair(tmp_path)
    labels = [i % 3 // 2 for i in range(rows)] if labels is None else labels
    pair.make(labels, table(rows - 20), np.arange(rows - 20))
    return pair


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (None, "1 rows have no label; match again"),
        (2, "a label is neither 0 nor 1"),
        *thorough((0.5, "a label is neither 0 nor 1"), ("same", "all labels are the same")),
    ],
)
def test_labels_that_are_refused(tmp_path, label, problem: str) -> None:
    labels = [0.0] * 120 if label == "same" else [0.0, 1.0] * 59 + [1.0, label]
    pair = small(tmp_path, labels)
    host, guest = pair.run()
    assert problem in str(host)
    assert isinstance(guest, BaseException)
    assert not pair.query(
        "guest", "SELECT 1 FROM duckdb_tables() WHERE table_name = 'scorecard_woe'"
    )


@pytest.mark.parametrize(
    ("at_host", "at_guest", "problem"),
    [
        ({"epsilon": 1}, {}, "settings differ"),
        ({"accept_disclosure": "no"}, {}, "more than an eighth of a bit"),
        (
            {"accept_disclosure": "no", "max_bins": 2},
            {"max_bins": 2, "bins": 2},
            "the host answers for",
        ),
        *thorough(
            ({}, {"max_bins": 11}, "settings differ"),
            ({}, {"minimum": 30}, "settings differ"),
            ({"minimum": 101}, {"minimum": 101}, "fewer rows are common than minimum"),
            ({}, {"columns": "who"}, "the id column is no feature"),
            ({"minimum": 1}, {"bins": 13, "minimum": 1}, "more than 12 bins"),
        ),
    ],
)
def test_what_the_parties_refuse(tmp_path, at_host, at_guest, problem: str) -> None:
    found = small(tmp_path).run(at_host=at_host, at_guest=at_guest)
    assert any(re.search(problem, str(one)) for one in found), found


@takes_long
def test_with_ids_in_common(tmp_path) -> None:
    pair = Pair(tmp_path)
    guest = table(100)
    labels = [i % 3 // 2 for i in range(100)]
    pair.make(labels, guest, np.arange(100))
    pair.run(both={"id": "who"}, at_guest={"columns": "b", "categories": "b", "result": "own"})
    b = guest["b"].to_numpy()
    expected = sorted(
        (str(v), int((b == v).sum()), int(np.array(labels)[b == v].sum())) for v in range(3)
    )
    assert (
        sorted(pair.query("guest", "SELECT description, rows, positives FROM own_woe")) == expected
    )


@takes_long
def test_noise_has_the_scale_that_epsilon_asks_for(tmp_path) -> None:
    """P(|k| > 12 scales) of 40 numbers is below 3e-4; of all below half a scale, 1e-16."""
    pair = small(tmp_path)
    epsilon = 0.25
    found = pair.run(both={"epsilon": epsilon, "minimum": 5})
    assert not isinstance(found[1], BaseException), found
    with pair.connect("guest") as party:
        party.con.execute(
            "CREATE TABLE labelled AS SELECT *, (who % 3 // 2)::INTEGER AS label FROM t; "
            "CREATE TABLE exact AS FROM woe_counts('labelled', 'scorecard_bins')"
        ).fetchall()
    query = (
        "SELECT n.positives - e.positives FROM scorecard_woe n JOIN exact e USING (feature, bin)"
    )
    noise = [abs(k) for (k,) in pair.query("guest", query)]
    scale = 2 / epsilon
    assert len(noise) == 13
    assert 0.5 * scale < max(noise) < 12 * scale
    assert pair.query("guest", "SELECT count(*) FROM scorecard_woe WHERE woe IS NULL") == [(0,)]


@takes_long
def test_noise_that_counts_cannot_carry_is_refused(tmp_path) -> None:
    """Before anything is sent by the guest; 2 columns with epsilon=0.25 just go, as seen above."""
    pair = small(tmp_path)
    found = pair.run(both={"epsilon": 0.24, "minimum": 5})
    problem = "2 columns, and with epsilon=0.24 noise is larger than counts of 120 rows can carry"
    assert f"{problem}. Both take --set epsilon=0.25 at least" in str(found[1])
    assert isinstance(found[0], BaseException)
    assert not list(pair.folder.glob("mailbox/s1/guest/*/*.json"))


def test_noise_that_is_not_installed_is_said_before_anything_is_sent(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opendp", None)
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    pair = small(tmp_path)
    host, _ = pair.run(both={"epsilon": 1})
    with pytest.raises(InvalidValue, match="duckpriv\\[noise\\]"):
        raise from_text(str(host)) or host
    assert not list(pair.folder.glob("mailbox/s1/host/*/*.json"))


def test_integers_with_noise(con) -> None:
    """Shares of the discrete Laplace distribution, each within 6 standard deviations."""
    noise = [
        n for (n,) in con.execute("SELECT noise_integer(10, 1.5) FROM range(20000)").fetchall()
    ]
    counts = Counter(n - 10 for n in noise)
    a = math.exp(-1 / 1.5)
    for k in range(-3, 4):
        p = (1 - a) / (1 + a) * a ** abs(k)
        assert abs(counts[k] / 20000 - p) < 6 * math.sqrt(p * (1 - p) / 20000)
    for scale in ("0", "-1", "'nan'::DOUBLE", "'inf'::DOUBLE", "1e16"):
        with pytest.raises(duckdb.Error, match="scale of noise has to be more than 0"):
            con.execute(f"SELECT noise_integer(10, {scale})").fetchall()


def test_where_both_lack_rows_there_is_none(tmp_path) -> None:
    """The guest could not count the rows of its bins, and they would be wrong."""
    pair = Pair(tmp_path)
    pair.make_table("host", pa.table({"who": range(40), "y": [i % 2 for i in range(40)]}))
    pair.make_table("guest", pa.table({"who": range(10, 50), "x": [i % 5 for i in range(40)]}))
    pair.align_both(list(range(40)), list(range(10, 50)))
    for found in pair.run(both={"minimum": 1}):
        assert "a scorecard needs an alignment by which the guest knows its common rows" in str(
            found
        )
