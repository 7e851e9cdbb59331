"""Databases to report on, and the report read again: what a reader sees of it."""

from __future__ import annotations

from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import duckdb

from duckpriv.report import write_report
from tests.parties import Folder, at_once

# Names that mean something to HTML, to SVG, to matplotlib or to SQL, and that no font may have.
STRANGE = (
    "<script>alert(1)</script>",
    "a 'quoted' \"name\" & more -->",
    "$x_1^2$ ]]>",
    "客户年度消费总额与平均订单金额之比的对数（经季节调整后的移动平均值）🌞",
    "Überweisungsdurchschnittsbetragsabweichung_in_den_letzten_zwölf_Monaten_ohne_Sonderzahlungen",
    "مجموع المشتريات السنوية",
    "MMMMWWWWMMMMWWWWMMMMWWWWMMMMWWWWMMMMWWWW",
    "left\u202eright\x1b[2J\n",
)


class Page(HTMLParser):
    """What a report shows: its tables by caption, facts by name, texts, and pictures."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.html = file.read_text(encoding="utf-8")
        self.tables: dict[str, list[list[str]]] = {}
        self.facts: dict[str, str] = {}
        self.text, self.pictures, self.labels = "", list[str](), list[str]()
        self.tags, self.attributes = set[str](), set[str]()
        self._path = list[tuple[str, str]]()
        self._caption, self._fact = "", ""
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.attributes |= given.keys()
        if tag in ("meta", "path", "use", "image"):
            return
        self._path.append((tag, given.get("class") or ""))
        if tag == "table":
            self.tables[self._caption] = []
        elif tag == "tr":
            self.tables[self._caption].append([])
        elif tag in ("td", "th"):
            self.tables[self._caption][-1].append("")
        elif tag == "svg":
            self.labels.append(given["aria-label"] or "")
            self.pictures.append("")
        elif tag == "p":
            self._caption = "" if "caption" in (given.get("class") or "") else self._caption

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= dict(attrs).keys()

    def handle_endtag(self, tag: str) -> None:
        while self._path and self._path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._path]
        if "style" in tags:
            return
        self.text += data
        if "svg" in tags:
            self.pictures[-1] += data
        elif tags[-1:] in (["td"], ["th"]):
            self.tables[self._caption][-1][-1] += data
        elif tags[-1:] == ["p"] and self._path[-1][1] == "caption":
            self._caption += data
        elif tags[-1:] == ["dt"]:
            self._fact = data
        elif tags[-1:] == ["dd"]:
            self.facts[self._fact] = data


def report(database: Path, scored: str | None = None, *columns: str, **names: str) -> Page:
    """Write the report on a database beside it, and read it."""
    target = database.with_suffix(".html")
    write_report(database, target, scored, *columns, **names)
    return Page(target)


def two_shops(folder: Path, *, lift: bool = False) -> Folder:
    """Parties that matched by two keys and added up by group; and measured the lift of a campaign,
    if asked for."""
    both = Folder(folder)
    both.query(
        "host",
        "CREATE TABLE t AS SELECT 'p' || i || '@example.com' AS mail, '+49 30 1' || i AS phone, "
        "['Nord', 'Süd <b>', NULL][1 + i % 3] AS region, i % 50 AS spend, i AS who "
        "FROM range(300) r(i)",
    )
    both.query(
        "guest",
        "CREATE TABLE t AS SELECT CASE WHEN i % 4 > 0 THEN 'p' || i || '@example.com' END AS mail, "
        "CASE WHEN i % 5 > 0 OR i % 4 = 0 THEN '+49 30 1' || i END AS phone, "
        "CASE WHEN i % 150 = 0 THEN 'rare' ELSE 'often' END AS segment, i % 2 = 0 AS treated "
        "FROM range(100, 420) r(i)",
    )
    settings = {
        "psi": {"id": "mail; phone", "kind": "email; phone"},
        "aggregate": {"key": "mail, phone", "minimum": 5},
        "lift": {"key": "mail, phone", "minimum": 5, "population": "matched"},
    }
    own = {
        "host": {"aggregate": {"groups": "region", "measures": "spend", "totals": "yes"},
                 "lift": {"outcomes": "spend"}},
        "guest": {"aggregate": {"groups": "segment", "totals": "yes"}, "lift": {"arm": "treated"}},
    }  # fmt: skip

    def work(me: str) -> None:
        peer = "guest" if me == "host" else "host"
        for what, shared in settings.items():
            if what == "lift" and not lift:
                continue
            with both.connect(me, f"s-{what}") as party:
                given = {**shared, **own[me].get(what, {})}
                party.run(f"{what}/{me}", peer=peer, table="t", **given)

    found = at_once(*(partial(work, me) for me in own))
    assert found == [None, None], found
    return both


def strange_database(file: Path, features: int = 300, groups: int = 3000) -> None:
    """A database with awkward results: strange and long names, hundreds of columns, thousands of
    groups, losses and weights that are huge, missing or not finite."""
    with duckdb.connect(str(file)) as con:
        con.execute("CREATE TABLE names AS SELECT unnest($1) AS name", [list(STRANGE)])
        con.execute(
            "CREATE TABLE model AS SELECT '(intercept)' AS feature, 1e300 AS weight, "
            "'-inf'::DOUBLE AS weight_original UNION ALL SELECT name, row_number() OVER () / 100, "
            "NULL FROM names UNION ALL SELECT 'column_' || i, sin(i) / 1000, 'nan'::DOUBLE "
            f"FROM range({features}) t(i)"
        )
        con.execute(
            "CREATE TABLE training_log AS SELECT i AS iteration, CASE i % 5 WHEN 1 THEN 1e12 / i "
            "WHEN 2 THEN 'inf' END::DOUBLE AS loss, 10.0 ** (20 - i) AS gradient_norm, "
            "0.5 AS seconds, 123456789012 AS bytes FROM range(1, 41) t(i)"
        )
        con.execute(
            "CREATE TABLE correlation AS SELECT i AS position, a.name AS feature, j AS "
            "other_position, b.name AS other, CASE WHEN i = 3 OR j = 3 THEN NULL WHEN i = j THEN 1 "
            "ELSE round(sin(i * j), 2) END::DOUBLE AS correlation FROM (SELECT *, row_number() "
            "OVER () AS i FROM names) a, (SELECT *, row_number() OVER () AS j FROM names) b"
        )
        con.execute(
            "CREATE TABLE correlation_vif AS SELECT 1 AS position, name AS feature, "
            "'inf'::DOUBLE AS vif FROM names"
        )
        con.execute(
            "CREATE TABLE scorecard_woe AS SELECT name AS feature, 1 AS bin, name AS description, "
            "40 AS rows, 10 AS positives, -0.25::DOUBLE AS woe, 0.1 AS iv FROM names; "
            "CREATE TABLE scorecard_information_value AS SELECT name AS feature, 0.125::DOUBLE AS "
            "iv, 1 AS bins FROM names"
        )
        strange = "\"<b onclick='x'>\""
        con.execute(
            f"CREATE TABLE aggregate AS SELECT 'group ' || i AS {strange}, CASE WHEN i < 8 THEN "
            "(SELECT list(name)[1 + i] FROM names) END AS segment, CASE WHEN i % 3 > 0 THEN 5000 - "
            "i END AS rows, i % 3 = 0 AS suppressed, CASE WHEN i % 3 = 1 THEN i END AS "
            '"$m$_count", CASE WHEN i % 3 = 1 THEN 12345678901234.56 + i END AS "$m$_sum", '
            'CASE WHEN i % 3 = 1 THEN i / 7 END AS "$m$_avg", NULL::DOUBLE AS "$m$_var", '
            f'i % 3 <> 1 AS "$m$_suppressed" FROM range({groups}) t(i) ORDER BY i'
        )
        con.execute(
            "CREATE TABLE scored AS SELECT ((i * 37) % 101) / 100 AS score, "
            "(i * 53 % 101 > 40)::INTEGER AS label FROM range(500) t(i)"
        )
