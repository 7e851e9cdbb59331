"""Parties of aggregate that are curious, or send what cannot be right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from duckpriv import DuckprivError
from tests.attacks.evil import changed
from tests.effort import some, takes_long, thorough
from tests.test_aggregate import BothLack, Tables

# Below it a statistic is no accident.
UNLIKELY = 1e-6
DECRYPTED = "-- part weighted if getvariable('encrypts')"
SEEN = """CREATE OR REPLACE TABLE seen AS
    SELECT unnest(wide_decode(share)) AS share FROM aggregate_vectors;
"""
COMPARED = "-- What is shown. Where the guest,"
KEPT = """CREATE OR REPLACE TABLE bits AS
    SELECT question, (SELECT count(*) FROM aggregate_tokens t
                      WHERE (t.question, t.token) = (m.question, m.token)) AS equal
    FROM aggregate_mine m;
"""
SPEND = "(i * 7 % 100)::DECIMAL(9,2) AS spend, i % 2 AS half"


def messages(folder: Path) -> list[tuple]:
    """Each message's channel, and its numbers of rows and bytes."""
    found = [json.loads(f.read_text()) for f in folder.glob("mailbox/a1/*/*/*.json")]
    return sorted((m["channel"], m["rows"], m["bytes"]) for m in found)


def failed(found: list) -> bool:
    return any(isinstance(one, BaseException) for one in found)


@takes_long
@pytest.mark.parametrize("groups", ["half", *thorough("")])
def test_a_curious_host_sees_uniform_numbers_of_any_overlap(tmp_path, groups: str) -> None:
    """The guest has half of the rows or a tenth, with 30 groups or what is left of them: what the
    host decrypts is uniform, and messages have the same sizes, as nothing is shown."""
    curious = changed("aggregate/host", tmp_path, (DECRYPTED, SEEN + DECRYPTED))
    sizes = []
    for name, every in (("half", 2), ("tenth", 10)):
        guest = f"i // {every} % 30 AS part"
        tables = Tables(tmp_path / name, SPEND, guest, rows=300, every=every, keep=0)
        found = tables.run(
            "a1",
            {"measures": "spend", "groups": groups},
            {"groups": "part"},
            scripts={"host": str(curious)},
            minimum=100,
            to="guest",
        )
        assert not failed(found), found
        shares = tables.query("host", "SELECT share FROM seen")
        seen = np.array([int(share) for (share,) in shares], dtype=float)
        assert len(seen) == 30 * 4 * (2 if groups else 1)
        assert kstest(seen / 2.0**128, "uniform").pvalue > UNLIKELY
        sizes.append(messages(tables.folder))
    assert sizes[0] == sizes[1]


@takes_long
@pytest.mark.parametrize("groups", ["", *thorough("half")])
def test_where_both_lack_rows_messages_are_those_of_any_overlap(tmp_path, groups: str) -> None:
    """Two overlaps of one size, also of a host without groups: what it decrypts is uniform."""
    curious = changed("aggregate/host", tmp_path, (DECRYPTED, SEEN + DECRYPTED))
    sizes = []
    for turn in (0, 1):
        tables = BothLack(
            tmp_path / str(turn), SPEND, "i // 3 % 30 AS part", rows=300, every=3, turn=turn
        )
        found = tables.run(
            "a1",
            {"measures": "spend", "groups": groups},
            {"groups": "part"},
            scripts={"host": str(curious)},
            minimum=101,
        )
        assert not failed(found), found
        shares = tables.query("host", "SELECT share FROM seen")
        seen = np.array([int(share) for (share,) in shares], dtype=float)
        assert len(seen) == 30 * 4 * (2 if groups else 1)
        assert kstest(seen / 2.0**128, "uniform").pvalue > UNLIKELY
        sizes.append(messages(tables.folder))
    assert sizes[0] == sizes[1]
    assert any(channel == "aggregate/masked" for channel, *_ in sizes[0])


@takes_long
@pytest.mark.parametrize("measures", ["spend", *thorough("")])
def test_a_curious_host_sees_uniform_numbers_of_persons(tmp_path, measures: str) -> None:
    """The guest has one row for each id, or five of them, three of a person: messages are alike
    but for the result, and what the host decrypts is uniform."""
    persons = "-- part persons-with-there if"
    with_numbers = "-- part person-shares if getvariable('many')"
    curious = changed(
        "aggregate/host",
        tmp_path,
        (
            persons,
            "CREATE TABLE seen AS SELECT unnest(wide_decode(share)) AS share "
            f"FROM aggregate_person_vectors;\n{persons}",
        ),
        (
            with_numbers,
            "INSERT INTO seen SELECT unnest(wide_decode(share)) "
            f"FROM aggregate_person_with_vectors;\n{with_numbers}",
        ),
    )
    sizes = []
    for name, copies in (("one", 0), ("five", 4)):
        tables = Tables(tmp_path / name, SPEND, "i % 30 AS part, i AS n", rows=300)
        tables.query(
            "guest", f"INSERT INTO t SELECT who, part, n FROM t, range({copies}) WHERE who % 3 = 1"
        )
        found = tables.run(
            "a1",
            {"measures": measures, "groups": "half"},
            {"groups": "part", "measures": "n", "duplicates": "all"},
            scripts={"host": str(curious)},
            minimum=1000,
            to="guest",
        )
        assert not failed(found), found
        seen = np.array([int(x) for (x,) in tables.query("host", "SELECT share FROM seen")], float)
        assert len(seen) == 20 * 2 * (4 if measures else 1) + 20 * 2
        assert kstest(seen / 2.0**128, "uniform").pvalue > UNLIKELY
        sizes.append(messages(tables.folder))
    assert sizes[0] == sizes[1]


def test_who_compares_learns_one_bit_of_each_count(tmp_path) -> None:
    """Groups of 1 to 12 rows with a minimum of 7: one token is equal, or none, and nothing is
    opened of those that are few."""
    curious = changed("aggregate/host", tmp_path, (COMPARED, KEPT + COMPARED))
    tables = Tables(
        tmp_path / "run",
        SPEND,
        "CAST(sqrt(2 * i + 0.25) - 0.5 AS BIGINT) AS part",  # part n has about n rows
        rows=78,
        every=1,
    )
    found = tables.run(
        "a1", {"measures": "spend"}, {"groups": "part"}, scripts={"host": str(curious)}, minimum=7
    )
    assert not failed(found), found
    plain = tables.joined().execute("SELECT part, count(*) FROM j GROUP BY part").fetchall()
    few = sum(count < 7 for _, count in plain)
    bits = [equal for (equal,) in tables.query("host", "SELECT equal FROM bits")]
    assert set(bits) == {0, 1}
    parts = tables.query("host", "SELECT part, rows, suppressed FROM aggregate ORDER BY part")
    counts = dict(plain)
    assert [(part, None if counts.get(part, 0) < 7 else counts[part]) for part, _, _ in parts] == [
        (part, rows) for part, rows, _ in parts
    ]
    assert sum(suppressed for *_, suppressed in parts) >= few > 3
    opened = [rows for channel, rows, _ in messages(tables.folder) if channel == "aggregate/opened"]
    assert opened == [2 * sum(not suppressed for *_, suppressed in parts)] * 2


EVIL = {
    "a place twice": (
        "SELECT place, s.send AS ct FROM aggregate_split ORDER BY place",
        "SELECT 1::BIGINT AS place, s.send AS ct FROM aggregate_split",
        "guest",
        "did not answer for each of its groups once",
    ),
    "persons of a group twice": (
        "SELECT place, s.send AS ct FROM aggregate_person_split ORDER BY place",
        "SELECT 1::BIGINT AS place, s.send AS ct FROM aggregate_person_split",
        "guest",
        "did not count persons of each of its groups once",
    ),
    "persons without a total": (
        "SELECT place, s.send AS ct FROM aggregate_person_split ORDER BY place",
        "SELECT place, s.send AS ct FROM aggregate_person_split WHERE place > 0",
        "guest",
        "did not count persons of each of its groups once",
    ),
    "ids that repeat at both": (
        "SELECT getvariable('own_many') AS many",
        "SELECT unnest([true, false]) AS many",
        "guest",
        "has to say once whether ids repeat",
    ),
    "another layout": (
        "SELECT row, paillier_encrypt_measures(x, slots",
        "SELECT row, paillier_encrypt_measures(x[2:], slots",
        "host",
        "not encrypted as agreed",
    ),
    "tokens left out": (
        "SELECT question, token FROM aggregate_tokens ORDER BY question, token",
        "SELECT question, token FROM aggregate_tokens LIMIT 3",
        "guest",
        "did not send as many tokens",
    ),
    "another shown": (
        "SELECT cell, shown FROM aggregate_shown ORDER BY cell",
        "SELECT cell, shown FROM aggregate_shown WHERE cell > 1 ORDER BY cell",
        "host",
        "did not say of each count once",
    ),
    "a type that is SQL": (
        "SELECT use, position, name, type, scale, most,",
        "SELECT use, position, name, 'INTEGER) FROM t; --' AS type, scale, most,",
        "host",
        "columns make no sense",
    ),
    "more groups than allowed": (
        "SELECT getvariable('own_places')::BIGINT AS groups $$",
        "SELECT 1000000::BIGINT AS groups $$",
        "guest",
        "the peer has 1000000 groups",
    ),
    "too many comparisons": (
        "SELECT getvariable('own_places')::BIGINT AS groups $$",
        "SELECT 9900::BIGINT AS groups $$",
        "guest",
        "group by fewer",
    ),
    "groups of another type": (
        "coalesce(label, '') AS label",
        "'no number' AS label",
        "guest",
        "not of the type",
    ),
}


@pytest.mark.parametrize("what", some(EVIL, 1))
def test_what_cannot_be_right_is_refused(tmp_path, what: str) -> None:
    before, after, who, words = EVIL[what]
    evil = changed(f"aggregate/{who}", tmp_path, (before, after))
    tables = Tables(tmp_path / "run", SPEND, "i % 3 AS part", rows=60)
    many = what == "too many comparisons"
    repeats = {"duplicates": "all"} if what.startswith("persons") else {}
    found = tables.run(
        "a1",
        {"measures": "spend", "groups": "half" if many else ""},
        {"groups": "part", **repeats},
        scripts={who: str(evil)},
        totals="yes" if repeats else "no",
        minimum=1000 if many else 2,
        max_groups=10_000 if many else 1000,
    )
    victim = found[1 if who == "host" else 0]
    assert isinstance(victim, DuckprivError)
    assert words in str(victim)


ONE_ROW = "-- each row in the slots of its group: 1, and"
ENCRYPT = "SELECT row, paillier_encrypt_measures(x, slots"


@takes_long
@pytest.mark.parametrize("common", [True, False])
def test_a_refusal_does_not_tell_which_row_is_common(tmp_path, common: bool) -> None:
    """One row of the host has another bound: the guest ends before it sums, common or not."""
    who = 1 if common else 0  # the guest lacks each third row
    evil = changed(
        "aggregate/host",
        tmp_path,
        (
            ONE_ROW,
            "SET VARIABLE target = (SELECT row FROM aggregate_rows JOIN alignment ON "
            f"pid::VARCHAR = name WHERE id = {who});\n{ONE_ROW}",
        ),
        (
            ENCRYPT,
            "SELECT row, CASE WHEN row = getvariable('target') THEN paillier_encrypt_measures(x, "
            "slots, getvariable('e_places'), getvariable('key'), bound := 42, slot_bits := "
            "getvariable('slot_bits')) ELSE paillier_encrypt_measures(x, slots",
        ),
    )
    text = evil.read_text()
    at = text.index("ELSE paillier_encrypt_measures(x, slots")
    evil.write_text(text[:at] + text[at:].replace(") AS ct", ") END AS ct", 1))
    tables = Tables(tmp_path / "run", SPEND, "i % 3 AS part", rows=60)
    found = tables.run("a1", {"measures": "spend"}, {"groups": "part"}, scripts={"host": str(evil)})
    assert "not encrypted as agreed" in str(found[1])


REFUSED = {
    "an id in two rows": "INSERT INTO t FROM t WHERE who = {who}",
    "a large number": "UPDATE t SET n = 1::BIGINT << 50 WHERE who = {who}",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_guest_refuses_its_table_whether_the_row_is_common_or_not(tmp_path, what: str) -> None:
    """Else a host with one true id among made-up ones could tell by the guest's end whose it is."""
    seen = []
    for who in (1, 100):  # common, and not the host's
        tables = Tables(tmp_path / str(who), SPEND, "i % 3 AS part, i AS n", rows=60)
        tables.query("guest", REFUSED[what].format(who=who))
        found = tables.run("a1", {"groups": "half"}, {"groups": "part", "measures": "n"})
        seen.append([str(one) for one in found])
        assert failed(found)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("script", ["aggregate", *thorough("lift")])
def test_an_enum_names_no_values_to_who_gets_no_result(tmp_path, script: str) -> None:
    tables = Tables(tmp_path, "i % 2 = 0 AS arm, 'gold' AS kind", "i AS n", rows=60)
    tables.query("host", "ALTER TABLE t ALTER kind TYPE ENUM('gold', 'secret-project')")
    columns = {"arm": "arm", "segments": "kind"} if script == "lift" else {"groups": "kind"}
    measures = {"outcomes": "n"} if script == "lift" else {"measures": "n"}
    runs = {"host": f"{script}/host", "guest": f"{script}/guest"}
    found = tables.run("a1", columns, measures, scripts=runs, to="host")
    assert not failed(found), found
    assert tables.query("host", f"SELECT DISTINCT kind FROM {script} WHERE kind IS NOT NULL") == [
        ("gold",)
    ]
    sent = list(tmp_path.glob("mailbox/a1/host/**/*.arrow"))
    assert len(sent) > 3
    for file in sent:
        assert b"secret-project" not in file.read_bytes()
        assert b"gold" not in file.read_bytes()
