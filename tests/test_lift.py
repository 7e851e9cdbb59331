"""Lift of an experiment, against the joined tables: by person, with Python's statistics."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean, variance

import pytest

import duckpriv
from duckpriv import DuckprivError
from tests.attacks.evil import changed
from tests.effort import takes_long, thorough
from tests.parties import Folder, at_once, check_receivers

FIRST = date(2026, 3, 1)
DAYS = {"first_day": "2026-03-01", "last_day": "2026-03-10"}
# Exposures: every seventh has no arm, or another one; days from before to after those agreed.
PERSONS = """
    SELECT i AS who, ['Nord', 'Süd 🌞', NULL, 'a "b", c'][1 + i % 4] AS region,
           CASE WHEN i % 7 = 0 THEN NULL WHEN i % 7 = 1 THEN 'C'
                WHEN i % 4 = 3 OR i // 4 % 2 = 0 THEN 'A'
                ELSE 'B' END AS arm,
           i % 5 < 2 AS treated, DATE '2026-02-28' + (i * 11 % 12)::INTEGER AS day,
           TIMESTAMP '2026-02-28 23:59:59' + to_days((i * 11 % 12)::INTEGER) AS moment
    FROM range({rows}) t(i) WHERE i % {every} < {of}
"""
# Outcomes: none, one or several a person, at all hours of the days from before to after.
OUTCOMES = """
    SELECT i AS who, ((i * 37 + k * 91) % 1000 - 200) / 100.0 AS spend, (i + k) % 3 AS items,
           CASE WHEN i % 3 = 0 THEN (i % 8 / 4.0)::DOUBLE END AS rating,
           TIMESTAMP '2026-02-27 00:00:00' + to_hours((i * 29 + k * 50) % 500) AS moment
    FROM range({rows}) t(i), range(4) u(k) WHERE i % {every} < {of} AND k < i % 5
"""


class Trial(Folder):
    """Exposures at one party, outcomes at the other; some persons are only in one table."""

    def __init__(
        self, folder: Path, exposures: str, rows: int = 420, *, both_lack: bool = False
    ) -> None:
        super().__init__(folder)
        self.both_lack = both_lack
        self.of = {"arm": exposures, "outcomes": "guest" if exposures == "host" else "host"}
        for what, sql in (("arm", PERSONS), ("outcomes", OUTCOMES)):
            me = self.of[what]
            share = (9, 8) if me == "host" else (11, 10)
            made = sql.format(rows=rows, every=share[0], of=share[1])
            self.query(me, f"CREATE OR REPLACE TABLE t AS {made}")
        ids = {
            me: {who for (who,) in self.query(me, "SELECT who FROM t")} for me in self.of.values()
        }
        # persons that were matched, and have no outcome
        ids[self.of["outcomes"]] |= set(range(0, 420, 5)) - {0}
        self.matched = ids["host"] & ids["guest"]
        if both_lack:
            self.align_both(sorted(ids["host"]), sorted(ids["guest"]))
            return
        for me, name, whom in (
            ("host", "alignment", ids["host"]),
            ("guest", "alignment", self.matched),
            ("guest", "alignment_unmatched", ids["host"] - self.matched),
        ):
            columns = "md5(who::VARCHAR)::UUID AS pid"
            columns = columns if name != "alignment" else f"who AS id, {columns}"
            self.query(
                me,
                f"CREATE OR REPLACE TABLE {name} AS SELECT {columns} "
                f"FROM (SELECT unnest({sorted(whom)}::BIGINT[]) AS who)",
            )

    def run(
        self, session: str, arm: dict, outcomes: dict, scripts: dict | None = None, **both: object
    ) -> list:
        changes = scripts or {}
        more = {self.of["arm"]: arm, self.of["outcomes"]: outcomes}
        scripts = {
            me: (
                changes.get(me, f"lift/{me}"),
                {"peer": peer, "table": "t", "key": "who", **both, **more[me]},
            )
            for me, peer in (("host", "guest"), ("guest", "host"))
        }

        def work(me: str) -> object:
            with self.connect(me, session) as party:
                return party.run(scripts[me][0], **scripts[me][1])

        found = at_once(*(partial(work, me) for me in scripts))
        if not changes and not any(isinstance(one, BaseException) for one in found):
            check_receivers(self.folder, session, scripts)
        return found


def sums_of(trial: Trial, outcome: str, day: date | None, within: int) -> dict[int, Decimal]:
    """What everybody has of an outcome after `day`; NULLs left out."""
    sums: dict[int, Decimal] = {}
    rows = trial.query(trial.of["outcomes"], f"SELECT who, {outcome}, moment::DATE FROM t")
    for who, value, when in rows:
        late = day is not None and within and when > day + timedelta(within)
        if value is not None and (day is None or when > day) and not late:
            sums[who] = sums.get(who, Decimal(0)) + Decimal(str(value))
    return sums


def check(trial: Trial, session: str, arm: dict, outcomes: dict, **both) -> list[dict]:
    """Run it, and compare with what the joined tables give, person by person."""
    found = trial.run(session, arm, outcomes, **both)
    assert not any(isinstance(one, BaseException) for one in found), found
    segments = [name for name in str(arm.get("segments", "")).split(",") if name]
    treatment, control = str(arm.get("treatment", "true")), str(arm.get("control", "false"))
    columns = ", ".join([f"{arm['arm']}::VARCHAR", f"{arm.get('day', 'NULL')}::DATE", *segments])
    bucket = int(both.get("bucket", 7))
    groups: dict[tuple, dict[str, list]] = {}
    for who, value, day, *labels in trial.query(
        trial.of["arm"], f"SELECT who, {columns} FROM t ORDER BY who"
    ):
        last = date(2026, 3, 10)
        if value not in (treatment, control) or (day and not FIRST <= day <= last):
            continue
        end = day and min(
            FIRST + ((day - FIRST) // timedelta(bucket) + 1) * timedelta(bucket) - timedelta(1),
            last,
        )
        name = "treatment" if value == treatment else "control"
        groups.setdefault(tuple(labels), {}).setdefault(name, []).append((who, end))
    minimum, everyone = int(both.get("minimum", 20)), both.get("population") != "matched"
    expected: dict[tuple, dict | None] = {}
    for k, outcome in enumerate(outcomes["outcomes"].split(",")):
        by_end = {
            end: sums_of(trial, outcome, end, int(both.get("within", 0)))
            for end in {
                end for arms in groups.values() for persons in arms.values() for _, end in persons
            }
        }
        together: dict[str, list] = {"treatment": [], "control": []}
        hidden = hidden_cells(trial, groups, by_end, minimum)
        for labels, arms in groups.items():
            shown = {}
            for name in ("treatment", "control"):
                persons = arms.get(name, [])
                matched = [(who, end) for who, end in persons if who in trial.matched]
                values = [by_end[end].get(who) for who, end in matched]
                zeros = [None] * (len(persons) - len(matched) if everyone else 0)
                hide = name not in arms or (labels, name) in hidden
                shown[name] = None if hide else (values + zeros, len(matched))
            expected[(*labels, False, k) if segments else (k,)] = shown
            if all(shown.values()):
                for name, one in shown.items():
                    together[name].append(one)
        if segments:
            sums = {
                n: ([x for values, _ in many for x in values], sum(m for _, m in many))
                for n, many in together.items()
            }
            expected[(*[None] * len(segments), True, k)] = (
                sums if together["treatment"] else dict.fromkeys(sums)
            )
    names = outcomes["outcomes"].split(",")
    for me in ("host", "guest"):
        if both.get("to", "both") not in (me, "both"):
            assert trial.query(
                me, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'lift'"
            ) == [(0,)]
            continue
        with trial.connect(me) as party:
            rows = party.con.sql("FROM lift").fetchall()
            heads = party.con.sql("FROM lift").columns
        rows_by = {}
        for row in rows:
            line = dict(zip(heads, row, strict=True))
            where = [line[name] for name in segments] + ([line["all_segments"]] if segments else [])
            rows_by[(*where, names.index(line["outcome"]))] = line
        assert rows_by.keys() == expected.keys()
        for where, shown in expected.items():
            compare(rows_by[where], shown, float(both.get("confidence", 0.95)))
    return list(rows_by.values())


def hidden_cells(trial: Trial, groups: dict, by_end: dict, minimum: int) -> set[tuple]:
    """Cells of fewer persons, or with fewer numbers; where the host has groups, none alone."""
    cells = [(labels, name) for labels, arms in groups.items() for name in arms]
    matched = {c: [p for p in groups[c[0]][c[1]] if p[0] in trial.matched] for c in cells}
    numbers = {c: sum(who in by_end[end] for who, end in matched[c]) for c in cells}
    text = "SELECT to_json($1::VARCHAR[])::VARCHAR"
    with duckpriv.connect() as party:
        order = {c: party.con.execute(text, [[*c[0], c[1]]]).fetchone() for c in cells}
    cells.sort(key=lambda c: (-len(groups[c[0]][c[1]]), order[c]))
    few = {c for c in cells if len(matched[c]) < minimum}
    hidden = set(few)
    beside = trial.of["arm"] == "host" or trial.both_lack
    if beside and few and len(few) < len(cells):
        hidden.add([c for c in cells if c not in few][-1])
    rare = {c for c in cells if numbers[c] < minimum}
    left = [c for c in cells if c not in rare | hidden]
    if beside and rare | hidden and left and rare >= hidden:
        hidden.add(left[-1])
    return hidden | rare


def compare(line: dict, shown: dict, confidence: float) -> None:
    assert line["suppressed"] == (not all(shown.values()))
    arms = {}
    for name, one in shown.items():
        if one is None:
            assert line[f"total_{name}"] is None and line[f"mean_{name}"] is None
            continue
        values, matched = one
        numbers = [float(v or 0) for v in values]
        assert line[f"persons_{name}"] == len(values)
        assert line[f"matched_{name}"] == matched
        assert line[f"count_{name}"] == sum(v is not None for v in values)
        assert line[f"total_{name}"] == sum((v for v in values if v is not None), Decimal(0))
        assert line[f"mean_{name}"] == pytest.approx(fmean(numbers), abs=1e-12)
        assert line[f"variance_{name}"] == pytest.approx(variance(numbers), abs=1e-9)
        arms[name] = (len(values), fmean(numbers), variance(numbers))
    if line["suppressed"]:
        assert line["difference"] is None and line["lift"] is None and line["p_value"] is None
        return
    (n, mean, var), (other_n, other, other_var) = arms["treatment"], arms["control"]
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    error = sqrt(var / n + other_var / other_n)
    assert line["difference"] == pytest.approx(mean - other, abs=1e-12)
    assert line["standard_error"] == pytest.approx(error)
    assert line["difference_low"] == pytest.approx(mean - other - z * error)
    assert line["difference_high"] == pytest.approx(mean - other + z * error)
    assert line["p_value"] == pytest.approx(2 * NormalDist().cdf(-abs(mean - other) / error))
    assert line["incremental"] == pytest.approx((mean - other) * n, abs=1e-9)
    ratio = mean / other
    error = abs(ratio) * sqrt(var / n / mean**2 + other_var / other_n / other**2)
    assert line["lift"] == pytest.approx(ratio - 1)
    assert line["lift_low"] == pytest.approx(ratio - 1 - z * error)
    assert line["lift_high"] == pytest.approx(ratio - 1 + z * error)


ARM = {"arm": "arm", "treatment": "A", "control": "B", "segments": "region"}


def test_by_segment_with_the_exposures_at_the_host(tmp_path) -> None:
    """'a "b", c' has nobody in the control, and 'C' and NULL are left out."""
    trial = Trial(tmp_path, "host")
    lines = check(trial, "l1", ARM, {"outcomes": "spend,items,rating"}, minimum=12)
    assert {line["suppressed"] for line in lines} == {True, False}


@takes_long
@pytest.mark.parametrize("exposures", ["guest", *thorough("host")])
def test_where_both_lack_rows(tmp_path, exposures: str) -> None:
    trial = Trial(tmp_path, exposures, both_lack=True)
    arm = {"arm": "arm", "treatment": "A", "control": "B", "segments": "region", "day": "day"}
    outcomes = {"outcomes": "spend", "day": "moment"}
    lines = check(trial, "l1", arm, outcomes, minimum=8, bucket=4, **DAYS)
    assert {line["suppressed"] for line in lines} == {True, False}


@takes_long
def test_after_exposure_with_the_exposures_at_the_guest(tmp_path) -> None:
    """Days at edges, a last bucket that is shorter, and outcomes at midnight."""
    trial = Trial(tmp_path, "guest")
    arm = {"arm": "treated", "segments": "region", "day": "day"}
    outcomes = {"outcomes": "spend,items", "day": "moment"}
    check(trial, "l1", arm, outcomes, minimum=5, bucket=4, population="matched", **DAYS)
    # exact days, a window, and others without a day; over the first result, with other columns
    arm = {"arm": "arm", "treatment": "A", "control": "B", "day": "moment"}
    lines = check(
        trial,
        "l2",
        arm,
        {"outcomes": "spend", "day": "moment"},
        minimum=3,
        bucket=1,
        within=3,
        confidence=0.8,
        **DAYS,
    )
    assert not lines[0]["suppressed"]


@takes_long
def test_after_exposure_with_the_exposures_at_the_host(tmp_path) -> None:
    for to in ("guest", *thorough("host")):
        (tmp_path / to).mkdir()
        trial = Trial(tmp_path / to, "host")
        arm = {**ARM, "day": "moment"}
        check(
            trial,
            f"l-{to}",
            arm,
            {"outcomes": "items,rating", "day": "moment"},
            minimum=3,
            bucket=3,
            to=to,
            **DAYS,
        )


@pytest.mark.parametrize(
    ("arm", "outcomes", "words"),
    [
        (
            {},
            {"table": "u", "arm": "arm", "treatment": "true", "control": "false", "outcomes": ""},
            "both parties have an arm",
        ),
        ({"arm": "", "segments": "", "outcomes": "who"}, {}, "both parties have outcomes"),
        ({}, {"population": "matched"}, "population"),
        *thorough(
            ({**DAYS, "day": "region"}, {**DAYS, "day": "moment"}, "cast it to DATE"),
            ({**DAYS, "day": "day"}, {**DAYS, "day": "late"}, "have no day"),
            (
                {**DAYS, "day": "day"},
                {**DAYS, "day": "moment", "last_day": "2026-03-11"},
                "last_day",
            ),
            ({}, {"minimum": 21}, "minimum"),
            ({}, {"outcomes": "far"}, "bits"),
            ({}, {"key": "far"}, "no id of the alignment"),
            ({}, {"outcomes": ""}, "set one of both"),
            ({"treatment": "X"}, {}, "nobody is in the treatment"),
            ({"day": "day"}, {}, "day, first_day and last_day go together"),
            ({"segments": "outcome"}, {}, "rename the column of a segment"),
            ({"key": "day"}, {}, "more than once"),
            ({"max_groups": 5}, {}, "max_groups"),
        ),
    ],
)
def test_what_gives_no_lift_is_refused(tmp_path, arm: dict, outcomes: dict, words: str) -> None:
    trial = Trial(tmp_path, "host")
    trial.query("host", "ALTER TABLE t ADD outcome BIGINT")
    trial.query(
        "guest",
        "ALTER TABLE t ADD far BIGINT; UPDATE t SET far = 2::BIGINT ** 50; "
        "ALTER TABLE t ADD late DATE; "
        "CREATE TABLE u AS SELECT id AS who, true AS arm FROM alignment; "
        "INSERT INTO u VALUES (-1, false)",
    )
    found = trial.run("l1", {**ARM, **arm}, {"outcomes": "spend", **outcomes})
    errors = [str(one) for one in found if isinstance(one, DuckprivError)]
    assert any(words in error for error in errors), found
    if "both" in words or "go together" in words:
        sent = (trial.folder / "mailbox").glob("l1/*/*/*.json")
        assert {json.loads(file.read_text())["channel"] for file in sent} <= {"lift/role"}


def test_the_statistics_of_a_table_of_ones_own() -> None:
    """A variance is exact where squares have no digits left in a DOUBLE."""
    values = [10**12 + i % 2 for i in range(7)]
    with duckpriv.connect() as party:
        found = party.con.execute(
            "SELECT sample_variance($1, $2, $3::HUGEINT)",
            [7, sum(values), str(sum(v * v for v in values))],
        ).fetchone()
        assert found == (pytest.approx(variance([i % 2 for i in range(7)])),)
        party.con.execute(
            "CREATE TABLE one AS SELECT 1 AS persons_treatment, 2.5 AS mean_treatment, "
            "NULL::DOUBLE AS variance_treatment, 9 AS persons_control, 0 AS mean_control, "
            "0 AS variance_control"
        )
        row = party.con.sql(
            "SELECT difference, lift, p_value, incremental FROM lift_statistics('one')"
        ).fetchall()[0]
        assert row == (2.5, None, None, 2.5)


@takes_long
def test_a_peer_that_counts_fewer_persons_than_are_matched_is_refused(tmp_path) -> None:
    trial = Trial(tmp_path, "guest")
    lie = changed(
        "lift/guest",
        tmp_path,
        (
            "$$ SELECT place, persons FROM lift_shown",
            "$$ SELECT place, 1::BIGINT AS persons FROM lift_shown",
        ),
    )
    found = trial.run(
        "l1", {**ARM, "segments": ""}, {"outcomes": "spend"}, to="host", scripts={"guest": str(lie)}
    )
    assert "fewer persons" in str(found[0])


@takes_long
def test_only_sums_without_days_are_opened(tmp_path) -> None:
    """One share for each arm and outcome, whatever the number of buckets."""
    trial = Trial(tmp_path, "guest")
    arm = {**ARM, "segments": "", "day": "day"}
    trial.run("l1", arm, {"outcomes": "spend", "day": "moment"}, minimum=3, bucket=2, **DAYS)
    for me in ("host", "guest"):
        sent = [json.loads(f.read_text()) for f in (tmp_path / f"mailbox/l1/{me}").glob("*/*.json")]
        assert [m["rows"] for m in sent if m["channel"] == "aggregate/opened"] == [2 * 2]
