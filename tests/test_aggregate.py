"""Tables by group over the common rows, against plain SQL on the joined tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError
from tests.effort import examples, takes_long, thorough
from tests.parties import Folder, at_once, check_receivers

PID = "CREATE OR REPLACE MACRO pid(who) AS md5(who::VARCHAR)::UUID; CREATE OR REPLACE TABLE"


class Tables(Folder):
    """A host with `rows` rows, and a guest with two thirds of those and some more."""

    both_lack = False

    def __init__(
        self,
        folder: Path,
        host: str,
        guest: str,
        rows: int = 90,
        every: int = 3,
        keep: int | None = None,
    ) -> None:
        """The guest lacks each `every`th row, or has the `keep`th of so many only."""
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        has = f"i % {every} > 0 OR {every} = 1" if keep is None else f"i % {every} = {keep}"
        self.rows, self.columns, self.every = rows, {"host": host, "guest": guest}, every
        self.query(
            "host",
            f"CREATE OR REPLACE TABLE t AS SELECT i AS who, {host} FROM range({rows}) r(i); "
            f"{PID} alignment AS SELECT who AS id, pid(who) AS pid FROM t",
        )
        self.query(
            "guest",
            f"CREATE OR REPLACE TABLE t AS SELECT i AS who, {guest} FROM range({2 * rows}) r(i) "
            f"WHERE {has}; {PID} alignment AS SELECT who AS id, pid(who) AS pid FROM t "
            f"WHERE who < {rows}; CREATE OR REPLACE TABLE alignment_unmatched AS "
            f"SELECT pid(who) AS pid FROM range({rows}) r(who) ANTI JOIN t USING (who)",
        )

    def run(
        self,
        session: str,
        host: dict,
        guest: dict,
        scripts: dict[str, str] | None = None,
        **both: object,
    ) -> list:
        """Run both; `scripts` are others than the bundled ones."""
        runs = {
            me: (
                (scripts or {}).get(me, f"aggregate/{me}"),
                {"peer": peer, "table": "t", "key": "who", **more, **both},
            )
            for me, peer, more in (("host", "guest", host), ("guest", "host", guest))
        }

        def work(me: str) -> object:
            with self.connect(me, session) as party:
                return party.run(runs[me][0], **runs[me][1])

        found = at_once(*(partial(work, me) for me in runs))
        if not scripts and not any(isinstance(one, BaseException) for one in found):
            check_receivers(self.folder, session, runs)
        return found

    def joined(self) -> duckdb.DuckDBPyConnection:
        """One database with both tables; `h` and `g`, and `j`, their join."""
        con = duckdb.connect()
        for name, me in (("h", "host"), ("g", "guest")):
            con.execute(f"ATTACH '{self.folder / me}.duckdb' AS {me} (READ_ONLY)")
            con.execute(f"CREATE TABLE {name} AS FROM {me}.t; DETACH {me}")
        con.execute("CREATE TABLE j AS SELECT COLUMNS(*) FROM h JOIN g USING (who)")
        return con


class BothLack(Tables):
    """Both lack some of `rows` rows: one in `every` of them each."""

    both_lack = True

    def __init__(
        self, folder: Path, host: str, guest: str, rows: int = 90, every: int = 4, turn: int = 0
    ) -> None:
        """`turn` is which of all rows are those: two sets as large for two turns."""
        folder.mkdir(exist_ok=True)
        Folder.__init__(self, folder)
        lacking = {"host": (turn + 1) % every, "guest": (turn + 2) % every}
        self.rows, self.columns = rows, {"host": host, "guest": guest}
        for me, columns in self.columns.items():
            self.query(
                me,
                f"CREATE TABLE t AS SELECT i AS who, {columns} FROM range({rows}) r(i) "
                f"WHERE i % {every} <> {lacking[me]}",
            )
        self.align_both(*([i for i in range(rows) if i % every != lacking[me]] for me in lacking))


@dataclass
class Cell:
    """Groups of both, counts of rows and numbers, and everything that SQL says of it."""

    labels: list[str | None]
    total: bool
    row: list
    place: tuple  # in its line: the largest group of the whole table first
    minimum: int
    persons: list[int]  # of the rows, and of those with a number, by measure

    def __post_init__(self) -> None:
        self.few = [count < self.minimum for count in self.persons]
        self.hidden = [few or self.few[0] for few in self.few]

    def shown(self, *, totals: bool) -> tuple:
        out = [*self.labels, *([self.total] if totals else [])]
        out += [None if self.hidden[0] else self.row[0], self.hidden[0]]
        for k, hidden in enumerate(self.hidden[1:]):
            out += [*([None] * 4 if hidden else self.row[1 + 4 * k : 5 + 4 * k]), hidden]
        return tuple(out)


def plain(tables: Tables, host: dict, guest: dict, minimum: int, *, totals: bool) -> list[tuple]:
    """Return what plain SQL finds, and hide of it what has to be hidden."""
    con = tables.joined()
    by = {"h": names(host, "groups"), "g": names(guest, "groups")}
    statistics = ["count(*)"]
    for m in names(host, "measures") + names(guest, "measures"):
        statistics += [
            f"count({m})",
            f"sum({m})",
            f"avg({m}::DECIMAL(30,6))",
            f"var_samp({m}::DOUBLE)",
        ]
    values = len(statistics)
    statistics += ["count(DISTINCT who)"]
    for m in names(host, "measures") + names(guest, "measures"):
        statistics += [f"count(DISTINCT CASE WHEN {m} IS NOT NULL THEN who END)"]

    def ask(what: str, table: str, columns: list[str], values: list) -> list:
        where = [f"{c} IS NOT DISTINCT FROM ${i}" for i, c in enumerate(columns, 1)]
        query = f"SELECT {what} FROM {table} WHERE {' AND '.join(where) or 'true'}"
        return list(con.execute(query, values).fetchone())

    def place(table: str, labels: list) -> tuple:
        size = ask("count(*)", table, by[table], labels)[0]
        texts = [None if x is None else str(x) for x in labels]
        return (-size, con.execute("SELECT to_json($1::VARCHAR[])::VARCHAR", [texts]).fetchone())

    of = {
        t: con.execute(f"SELECT DISTINCT {', '.join(by[t]) or '0'} FROM {t}").fetchall() for t in by
    }
    of = {t: [list(label) if by[t] else [] for label in labels] for t, labels in of.items()}
    many = {t: len(labels) > 1 for t, labels in of.items()}
    along = "h" if many["h"] else "g" if totals and many["g"] else None
    # Where both lack rows, all of them are a line whose sum both know.
    one_line = tables.both_lack and not totals
    cells: list[Cell] = []
    lines: dict[str, list[Cell]] = {}
    for a, b in product(of["h"], of["g"]):
        row = ask(", ".join(statistics), "j", by["h"] + by["g"], a + b)
        here = (
            (place("h", a), place("g", b))
            if one_line
            else place(along, a if along == "h" else b)
            if along
            else ()
        )
        cells.append(Cell(a + b, False, row[:values], here, minimum, row[values:]))
        lines.setdefault(repr(b if along == "h" and not one_line else ""), []).append(cells[-1])
    in_order = {key: sorted(line, key=lambda cell: cell.place) for key, line in lines.items()}
    for line in in_order.values() if minimum > 1 and (along or one_line) else []:
        hide_beside(line)
    if totals and along:
        other = "g" if along == "h" else "h"
        sums: list[Cell] = []
        for label in of[other]:
            row = ask(", ".join(statistics), "j", by[other], label)
            nothing = [None] * len(by[along])
            labels = nothing + label if along == "h" else label + nothing
            sums.append(
                Cell(labels, True, row[:values], place(other, label), minimum, row[values:])
            )
        cells += sums
        if tables.both_lack and along == "h":
            hide_totals(sorted(sums, key=lambda cell: cell.place), in_order, minimum)
    return [cell.shown(totals=totals) for cell in cells]


def hide_beside(line: list[Cell]) -> None:
    """Hide the last that is shown beside what alone is hidden."""
    for k in range(len(line[0].few)):
        alone = [cell for cell in line if cell.hidden[k]]
        shown = [cell for cell in line if not cell.hidden[k]]
        if alone and shown and all(cell.few[k] for cell in alone):
            for j in range(len(line[0].few)) if k == 0 else [k]:
                shown[-1].hidden[j] = True


def hide_totals(sums: list[Cell], lines: dict[str, list[Cell]], minimum: int) -> None:
    """Hide the last total beside what alone is hidden, of which then a cell is hidden, too."""
    few = [cell for cell in sums if cell.few[0]]
    shown = [cell for cell in sums if not cell.few[0]]
    if few and shown and minimum > 1:
        shown[-1].hidden = [True] * len(shown[-1].hidden)
        groups = len(shown[-1].labels)
        (line,) = (
            (line for line in lines.values() if line[0].labels[-1:] == shown[-1].labels[-1:])
            if groups
            else lines.values()
        )
        if not any(cell.hidden[0] for cell in line):
            line[-1].hidden = [True] * len(line[-1].hidden)


def names(more: dict, setting: str) -> list[str]:
    return [part for part in str(more.get(setting, "")).split(",") if part]


def key(row: tuple) -> tuple:
    return tuple((value is None, str(value)) for value in row)


def check(tables: Tables, session: str, host: dict, guest: dict, **both: object) -> list[tuple]:
    """Run it, and compare at whom it went to; return the rows."""
    found = tables.run(session, host, guest, **both)
    assert not any(isinstance(one, BaseException) for one in found), found
    expected = plain(
        tables, host, guest, int(both.get("minimum", 20)), totals=both.get("totals") == "yes"
    )
    to = both.get("to", "both")
    for me in ("host", "guest"):
        if to in (me, "both"):
            rows = tables.query(me, "SELECT * FROM aggregate")
            compare(rows, expected)
        else:
            exists = tables.query(
                me, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'aggregate'"
            )
            assert exists == [(0,)]
    return expected


def compare(rows: list[tuple], expected: list[tuple]) -> None:
    assert len(rows) == len(expected)
    for row, other in zip(sorted(rows, key=key), sorted(expected, key=key), strict=True):
        for value, wanted in zip(row, other, strict=True):
            if isinstance(wanted, float):
                assert value == pytest.approx(wanted, rel=1e-12, abs=1e-9)
            else:
                assert value == wanted, (row, other)


SPEND = "CASE WHEN i % 7 = 0 THEN NULL ELSE ((i * 37) % 1000 - 300) / 100.0 END::DECIMAL(9,2)"
REGION = "['Nord', 'Süd 🌞', NULL, ''][1 + i % 4]"


def test_the_hosts_numbers_by_the_guests_groups(tmp_path) -> None:
    tables = Tables(
        tmp_path,
        f"{SPEND} AS spend, i % 4 = 1 AS flag, i * 1000003 AS large",
        f"{REGION} AS region, (i % 3)::TINYINT AS size",
        rows=180,
    )
    host, guest = {"measures": "spend,flag,large"}, {"groups": "region,size"}
    expected = check(tables, "a1", host, guest, minimum=13)
    assert any(row[8] for row in expected)
    types = dict(tables.query("host", "SELECT column_name, column_type FROM (DESCRIBE aggregate)"))
    assert types["size"] == "TINYINT"
    assert types["spend_sum"] == "DECIMAL(38,2)"
    assert types["large_sum"] == "HUGEINT"


@takes_long
def test_a_cross_table_with_numbers_of_both_and_totals(tmp_path) -> None:
    tables = Tables(
        tmp_path,
        "CASE WHEN i = 1 THEN 'one' WHEN i < 12 THEN 'few' ELSE 'r' || i % 3 END AS region, "
        f"{SPEND} AS spend",
        "i % 2 AS half, (i % 9) / 4.0::DOUBLE - 1 AS d, CASE WHEN i % 5 > 0 THEN i END AS sparse",
        rows=120,
    )
    host, guest = (
        {"groups": "region", "measures": "spend"},
        {"groups": "half", "measures": "d,sparse"},
    )
    expected = check(tables, "a1", host, guest, minimum=10, totals="yes")
    assert any(row[4] for row in expected)
    # another one into the same table, of other columns, and with no groups
    check(tables, "a2", {"measures": "spend"}, {"measures": "sparse"}, minimum=1)


@takes_long
def test_the_guests_numbers_by_the_hosts_groups_to_one_party(tmp_path) -> None:
    for to in ("host", *thorough("guest")):
        tables = Tables(tmp_path / to, f"{REGION} AS region", "-i * 1.25::DOUBLE AS d, i AS n")
        check(tables, f"a-{to}", {"groups": "region"}, {"measures": "d,n"}, minimum=3, to=to)


@takes_long
def test_counts_only_and_everything_hidden(tmp_path) -> None:
    tables = Tables(tmp_path, "i AS x", "i % 2 AS half")
    check(tables, "a1", {}, {"groups": "half"}, to="guest")
    rows = check(tables, "a2", {}, {"groups": "half"}, to="guest", minimum=500)
    assert all(suppressed for *_, suppressed in rows)


@takes_long
@pytest.mark.parametrize(
    ("host", "guest", "more"),
    [
        # a cross table, with one cell that is below the minimum
        ({"groups": "half", "measures": "spend"}, {"groups": "part", "measures": "n"}, {}),
        *thorough(
            ({"groups": "half", "measures": "spend"}, {"groups": "part"}, {"totals": "yes"}),
            # nobody groups, or one party
            ({"measures": "spend"}, {"measures": "n"}, {}),
            ({}, {"groups": "part"}, {"to": "host"}),
            ({"groups": "half"}, {"measures": "n"}, {"to": "guest"}),
            ({"measures": "spend"}, {"groups": "part"}, {"totals": "yes"}),
            ({"groups": "half", "measures": "spend"}, {}, {"totals": "yes"}),
            ({"groups": "half"}, {"groups": "part"}, {"totals": "yes", "minimum": 9}),
            ({}, {}, {"minimum": 1}),
        ),
    ],
)
def test_where_both_lack_rows(tmp_path, host: dict, guest: dict, more: dict) -> None:
    tables = BothLack(
        tmp_path,
        f"CASE WHEN i < 60 THEN 'a' ELSE 'b' END AS half, {SPEND} AS spend",
        "CASE WHEN i < 4 THEN 'few' WHEN i % 3 = 0 THEN 'x' ELSE 'y' END AS part, i AS n",
        rows=120,
    )
    expected = check(tables, "a1", host, guest, **{"minimum": 5, **more})
    if "groups" in guest and more.get("minimum") != 9:
        assert any(None in row for row in expected)


@takes_long
def test_overlaps_of_one_row_and_of_none(tmp_path) -> None:
    tables = BothLack(tmp_path / "one", "i AS x", "i % 2 AS half", rows=3, every=3)
    check(tables, "a1", {"measures": "x"}, {"groups": "half"}, minimum=1)
    none = BothLack(tmp_path / "none", "i AS x", "i % 2 AS half", rows=4, every=2)
    found = none.run("a1", {}, {})
    assert all("the parties have no row in common" in str(one) for one in found)


@takes_long
def test_a_guest_that_does_not_know_that_both_lack_rows(tmp_path) -> None:
    """An error before anything is sent that depends on rows, and no wrong count."""
    tables = BothLack(tmp_path, "i AS x", "i % 2 AS half")
    tables.query("guest", "DROP TABLE alignment_sizes")
    found = tables.run("a1", {}, {"groups": "half"})
    assert "the host has other rows" in str(found[1])


GROUPS = {"host": "p", "guest": "q"}


@takes_long
@settings(
    max_examples=examples(2),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_tables(tmp_path_factory, data: st.DataObject) -> None:
    """Awkward groups, sparse numbers, any direction."""
    label = st.sampled_from(["a", "b", "", "NULL", 'x"y', "è", "[1, null]", None])
    settings_of, columns = {}, {}
    for me, name in GROUPS.items():
        labels = data.draw(st.lists(label, min_size=1, max_size=6))
        numbers = data.draw(
            st.lists(st.none() | st.integers(-(2**39), 2**39), min_size=1, max_size=9)
        )
        texts = ", ".join("NULL" if x is None else "'" + x.replace("'", "''") + "'" for x in labels)
        values = ", ".join("NULL" if x is None else str(x) for x in numbers)
        columns[me] = (
            f"([{texts}]::VARCHAR[])[1 + (hash(i) % {len(labels)})::BIGINT] AS {name}, "
            f"([{values}]::BIGINT[])[1 + i % {len(numbers)}] AS {name}x"
        )
        settings_of[me] = {
            "groups": name if data.draw(st.booleans()) else "",
            "measures": f"{name}x" if data.draw(st.booleans()) else "",
        }
    kind, rows = data.draw(st.sampled_from([Tables, BothLack])), data.draw(st.integers(3, 80))
    every = data.draw(st.integers(2 if kind is Tables else 3, 5))
    folder = tmp_path_factory.mktemp("any")
    tables = kind(folder, columns["host"], columns["guest"], rows=rows, every=every)
    many = data.draw(st.sampled_from(["host", "guest", None])) if kind is Tables else None
    if many:
        repeat(tables, many, f"(who * 7) % {data.draw(st.integers(1, 9))}")
        settings_of[many]["duplicates"] = "all"
    check(
        tables,
        "a1",
        settings_of["host"],
        settings_of["guest"],
        minimum=data.draw(st.sampled_from([1, 2, 5, 20])),
        totals=data.draw(st.sampled_from(["yes", "no"])),
    )


@takes_long
def test_noise_of_both_parties(tmp_path) -> None:
    """Counts and sums are off, by what each of two discrete Laplace distributions is off."""
    tables = Tables(tmp_path, f"{SPEND} AS spend", "i % 30 AS part", rows=900)
    noise = {"epsilon": 8, "minimum": 1}
    found = tables.run("a1", {"measures": "spend", "limits": 2}, {"groups": "part"}, **noise)
    assert not any(isinstance(one, BaseException) for one in found), found
    rows = tables.query("host", "SELECT part, rows, spend_sum FROM aggregate ORDER BY part")
    assert rows == tables.query(
        "guest", "SELECT part, rows, spend_sum FROM aggregate ORDER BY part"
    )
    true = tables.joined().execute(
        "SELECT part, count(*), sum(greatest(least(spend, 2), -2)) FROM j GROUP BY part ORDER BY 1"
    )
    off = [
        (count - plain_count, float(total - plain_total))
        for (part, count, total), (plain_part, plain_count, plain_total) in zip(
            rows, true.fetchall(), strict=True
        )
        if part == plain_part
    ]
    # Of scale 4 / 8, for rows and three numbers of the measure, and 2 * 4 / 8.
    assert len(off) == 20
    assert 0 < max(abs(count) for count, _ in off) < 2 * 28 / 2
    assert 0.5 < max(abs(total) for _, total in off) < 2 * 28


@takes_long
def test_thousands_of_groups(tmp_path) -> None:
    tables = Tables(tmp_path, f"{SPEND} AS spend", "i % 1500 AS part", rows=9000)
    check(tables, "a1", {"measures": "spend"}, {"groups": "part"}, minimum=4, max_groups=2000)


@pytest.mark.parametrize(
    ("host", "guest", "words"),
    [
        ({"measures": "d"}, {}, "decimals"),
        ({"measures": "far"}, {}, "more than 40 bits"),
        *thorough(
            ({"measures": "text"}, {}, "is of type VARCHAR"),
            ({"groups": "x"}, {"max_groups": 10}, "max_groups"),
            ({"groups": "half_a_year"}, {}, "numbers, texts, dates"),
            ({"measures": "x"}, {"max_measures": 0}, "max_measures allows 0"),
            ({"minimum": 5}, {}, "minimum=5"),
            ({"minimum": "few"}, {}, "minimum is a whole number"),
            ({"measures": "nothing"}, {}, "has no column"),
        ),
        ({}, {"groups": "half", "measures": "half", "result": "t"}, "result"),
    ],
)
def test_what_cannot_be_summed_is_refused(tmp_path, host: dict, guest: dict, words: str) -> None:
    tables = Tables(
        tmp_path,
        "i AS x, 'a' AS text, i / 3.0::DOUBLE AS d, INTERVAL 6 MONTH AS half_a_year, "
        "2::BIGINT ** 40 + i AS far",
        "i % 2 AS half",
    )
    tables.query("host", "ALTER TABLE t ALTER far TYPE BIGINT")
    found = tables.run("a1", host, guest)
    errors = [str(one) for one in found if isinstance(one, DuckprivError)]
    assert any(words in error for error in errors), errors


def test_rows_that_do_not_fit_are_refused(tmp_path) -> None:
    tables = Tables(tmp_path, "i AS x", "i % 2 AS half")
    tables.query("guest", "DELETE FROM t WHERE who = 1")
    found = tables.run("a1", {}, {"groups": "half"})
    assert "not in the table any more" in str(found[1])


# Rows that repeat an id


def repeat(tables: Tables, me: str, times: str) -> None:
    """Each row as often as `times` says of its `who`, with other values of the columns."""
    # columns follow from i, and so do those of the copies, but for the id
    tables.query(
        me,
        f"CREATE TABLE u AS SELECT i % {tables.rows} AS who, {tables.columns[me]} FROM "
        f"(SELECT who + k * {tables.rows} AS i FROM t, range(40) r(k) "
        f"WHERE who < {tables.rows} AND k < {times}); INSERT INTO t FROM u "
        f"WHERE who < {tables.rows}; DROP TABLE u",
    )


@takes_long
@pytest.mark.parametrize(
    ("me", "host", "guest", "totals"),
    [
        ("guest", {"measures": "p"}, {"groups": "b"}, "no"),
        ("guest", {"measures": "p"}, {"groups": "b", "measures": "q"}, "yes"),
        ("guest", {"groups": "a", "measures": "p"}, {"groups": "b", "measures": "q"}, "yes"),
        ("guest", {}, {"groups": "b", "measures": "q"}, "yes"),
        ("host", {"groups": "a", "measures": "p"}, {"groups": "b", "measures": "q"}, "yes"),
        ("host", {"groups": "a"}, {"measures": "q"}, "yes"),
        ("host", {"measures": "p"}, {"groups": "b"}, "no"),
        *thorough(
            ("guest", {"groups": "a"}, {"groups": "b"}, "no"),
            ("guest", {"groups": "a"}, {"measures": "q"}, "yes"),
            ("host", {"measures": "p"}, {"groups": "b"}, "yes"),
            ("host", {"groups": "a"}, {"groups": "b"}, "yes"),
            ("host", {}, {}, "no"),
            ("guest", {}, {}, "yes"),
        ),
    ],
)
def test_rows_that_repeat_an_id(tmp_path, me: str, host: dict, guest: dict, totals: str) -> None:
    """One to many, as the plain JOIN has it; the minimum is of persons."""
    tables = Tables(
        tmp_path,
        f"i % 3 AS a, {SPEND} AS p",
        "CASE WHEN i % 180 = 1 THEN 'one' WHEN i % 7 = 0 THEN 'few' ELSE 'r' || i % 4 END AS b, "
        "CASE WHEN i % 5 > 0 THEN i * 13 % 101 - 50 END AS q",
    )
    repeat(tables, me, "CASE WHEN who % 30 = 1 THEN 30 WHEN who % 4 = 0 THEN 0 ELSE who % 3 END")
    (host if me == "host" else guest)["duplicates"] = "all"
    expected = check(tables, "a1", host, guest, minimum=8, totals=totals)
    joined = tables.joined().execute("SELECT count(*), count(DISTINCT who) FROM j").fetchone()
    assert joined[0] > 2 * joined[1] > 80
    assert any(row[-1] is not None for row in expected)


@takes_long
def test_one_person_with_many_rows_lifts_no_group_over_the_minimum(tmp_path) -> None:
    """Not the group with its rows, not the total of its groups, and not the rows with a number."""
    tables = Tables(tmp_path, "i AS x", "'none' AS part, NULL::BIGINT AS n", rows=60)
    tables.query(
        "guest",
        "UPDATE t SET part = 'many' WHERE who % 2 = 0; DELETE FROM t WHERE who > 40; "
        "INSERT INTO t SELECT 1, ['many', 'single', 'p' || i % 9][1 + i % 3], i "
        "FROM range(1000) r(i)",
    )
    tables.query("guest", "DELETE FROM alignment WHERE id > 40")
    tables.query("host", "DELETE FROM alignment WHERE id > 40")
    tables.query(
        "guest",
        "DELETE FROM alignment_unmatched; INSERT INTO alignment_unmatched "
        "SELECT pid(who) FROM range(41) r(who) WHERE who % 3 = 0",
    )
    check(tables, "a1", {}, {"groups": "part", "measures": "n", "duplicates": "all"}, minimum=3)
    rows = dict(tables.query("host", "SELECT part, rows FROM aggregate"))
    assert rows["single"] is None
    assert rows["many"] == 334 + 14
    assert tables.query("host", "SELECT count(n_sum) FROM aggregate") == [(0,)]


@takes_long
@pytest.mark.parametrize("kind", [Tables, BothLack])
@pytest.mark.parametrize("me", ["host", "guest"])
def test_the_first_row_of_an_id(tmp_path, me: str, kind: type[Tables]) -> None:
    """As of a table that has no other rows."""
    tables = kind(tmp_path, "i % 3 AS a, i AS p", "i % 2 AS b, i AS q")
    tables.query(me, "CREATE TABLE firsts AS FROM t; INSERT INTO t SELECT who, 10, -who FROM t")
    own = {"duplicates": "first", "groups": "a" if me == "host" else "b"}
    other = {"measures": "q" if me == "host" else "p"}
    host, guest = (own, other) if me == "host" else (other, own)
    found = tables.run("a1", host, guest, minimum=5)
    assert not any(isinstance(one, BaseException) for one in found), found
    tables.query(me, "DROP TABLE t; ALTER TABLE firsts RENAME TO t")
    compare(tables.query(me, "FROM aggregate"), plain(tables, host, guest, 5, totals=False))


@takes_long
def test_an_id_with_several_pids_counts_for_each(tmp_path) -> None:
    """As psi/guest leaves it, with several keys and duplicates=all."""
    tables = Tables(tmp_path, "i AS x", "i % 2 AS half", rows=30)
    tables.query(
        "guest",
        "INSERT INTO alignment SELECT 1, pid(who) FROM range(0, 30, 3) t(who); "
        "DELETE FROM alignment_unmatched",
    )
    found = tables.run("a1", {"measures": "x"}, {"groups": "half"}, minimum=1)
    assert not any(isinstance(one, BaseException) for one in found), found
    odd = sum(i for i in range(30) if i % 3 == 0 or i % 2)
    rows = tables.query("host", "SELECT half, rows, x_sum FROM aggregate ORDER BY half")
    assert rows == [(0, 10, sum(range(30)) - odd), (1, 20, odd)]


@takes_long
@pytest.mark.parametrize(
    ("host", "guest", "both", "words"),
    [
        (
            {},
            {},
            {},
            "an id occurs in more than one row; each id needs one row, or set duplicates=first",
        ),
        ({"duplicates": "all"}, {"duplicates": "all"}, {}, "only one of them can have several"),
        ({}, {"duplicates": "some"}, {}, "duplicates is refuse, first or all"),
        ({}, {"duplicates": "all"}, {"epsilon": 1}, "noise hides one row for each id"),
        ({"max_measures": 0}, {"duplicates": "all"}, {}, "of which max_measures allows 0"),
    ],
)
def test_rows_that_repeat_are_refused(tmp_path, host, guest, both, words: str) -> None:
    tables = Tables(tmp_path, "i AS x", "i % 2 AS half")
    tables.query("guest", "INSERT INTO t FROM t WHERE who < 12")
    found = tables.run("a1", host, {"groups": "half", **guest}, **both)
    errors = [str(one) for one in found if isinstance(one, DuckprivError)]
    assert any(words in error for error in errors), errors


@takes_long
@pytest.mark.parametrize("me", ["host", "guest"])
def test_rows_that_repeat_where_both_lack_rows_are_refused(tmp_path, me: str) -> None:
    """At both, before anything of the rows is sent: each id has a row in both of its party's
    groups, so each of these is known to add up to as many as are common."""
    tables = BothLack(tmp_path, "i % 3 AS a, 0 AS b", "i % 3 AS a, 0 AS b")
    tables.query(me, "INSERT INTO t SELECT who, a, 1 FROM t")
    both = {"host": {"groups": "a"}, "guest": {"groups": "a"}}
    both[me] = {"groups": "b", "duplicates": "all"}
    found = tables.run("a1", both["host"], both["guest"])
    assert all("duplicates=all does not go where both parties lack" in str(x) for x in found), found
    sent = [json.loads(file.read_text()) for file in tables.folder.glob("mailbox/a1/*/*/*.json")]
    assert {message["channel"] for message in sent} == {"aggregate/repeats"}


class Told(Tables):
    """Reads what one party was sent."""

    def received(self, me: str, session: str, channel: str) -> list[tuple]:
        with self.connect(me, session) as party:
            peer = "host" if me == "guest" else "guest"
            return party.con.execute(
                f"FROM exchange_recv('{peer}', 'aggregate/{channel}')"
            ).fetchall()
