"""Names of tables and columns as people give them: one meaning everywhere, and nothing of theirs is
replaced."""

from __future__ import annotations

from functools import partial

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import duckpriv
from duckpriv.cli import cli
from duckpriv.errors import DuckprivError, InvalidValue
from duckpriv.scripts import load
from tests.effort import takes_long
from tests.parties import Folder, at_once

# Of a column, and how it is written in a setting.
ODD = {
    "last, first": '"last, first"',
    'a "quoted" one': 'A "Quoted" ONE',
    '"': '""""',
    "select": "SELECT",
    "Größe": "Größe",
    "two  words": "Two  Words",
    "x": "X",
    "id": "Id",
    "row": "row",
}
IDS = [f"{i:02}" for i in range(24)]
EXACT = {"noise": 0, "start": "zero", "accept_disclosure": "yes", "iterations": 2}


@pytest.fixture(scope="module")
def con():
    with duckpriv.connect() as party:
        yield party.con


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(st.lists(texts))
def test_quoted_names_come_back(con, names: list[str]) -> None:
    written = " ,".join('"' + name.replace('"', '""') + '"' for name in names)
    assert con.execute("SELECT split_names($1)", [written]).fetchall() == [(names,)]


@given(st.lists(st.text("aB_é 9\"'.-", min_size=1)))
def test_plain_names_come_back(con, names: list[str]) -> None:
    names = [n for name in names if (n := name.strip()) and not n.startswith('"')]
    written = " , ".join(names)
    assert con.execute("SELECT split_names($1)", [written]).fetchall() == [(names,)]


@pytest.mark.parametrize("written", ['"a', '"a"b', 'a,"b', '"a" "b"', '"""'])
def test_half_a_quote_is_refused(con, written: str) -> None:
    with pytest.raises(duckdb.Error, match="names stand with commas between them"):
        con.execute("SELECT split_names($1)", [written])


def test_columns_are_those_that_duckdb_takes(con) -> None:
    values = ", ".join(
        f'{i} AS "{name.replace(chr(34), chr(34) * 2)}"' for i, name in enumerate(ODD)
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE odd AS SELECT {values}")
    for i, (name, written) in enumerate(ODD.items()):
        others = [float(j) for j in range(len(ODD)) if j != i]
        ((row, found, x),) = con.execute(f"FROM matrix_rows('odd', {lit(written)})").fetchall()
        assert (row, found, x) == (1, i, others), name
        query = f"FROM matrix_rows('odd', 'x', columns := {lit(written)})"
        assert con.execute(query).fetchall()[0][2] == [float(i)]
        assert con.execute(f"SELECT id FROM psi_ids('odd', {lit(written)})").fetchall() == [(i,)]
        query = f"FROM feature_columns('odd', {lit(written)}, [])"
        assert con.execute(query).fetchall() == [(name,)]


def test_only_the_letters_a_to_z_have_no_case(con) -> None:
    con.execute('CREATE OR REPLACE TEMP TABLE cases AS SELECT 1 AS "É", 2 AS "é", 3 AS K')
    assert con.execute("FROM matrix_rows('cases', 'é')").fetchall() == [(1, 2, [1.0, 3.0])]
    assert con.execute("FROM feature_columns('cases', 'k,É', ['é'])").fetchall() == [("K",), ("É",)]
    with pytest.raises(duckdb.Error, match='no column "è"'):
        con.execute("FROM feature_columns('cases', 'k,è', [])")


def test_a_table_of_another_database_is_not_there(con) -> None:
    """DuckDB would not find it without its database either."""
    con.execute("ATTACH ':memory:' AS other; CREATE TABLE other.main.elsewhere (a INTEGER)")
    con.execute("CREATE OR REPLACE TEMP TABLE Here (a INTEGER)")
    found = con.execute("SELECT has_table('elsewhere'), has_table('hERE')").fetchall()
    con.execute("DETACH other")
    assert found == [(False, True)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("a,nix", 'the table has no column "nix"; it has id, a, b'),
        ("a,A", "named twice"),
        ("a,ID", "named twice as a feature, nor be a feature if it is the id or the label: ID"),
    ],
)
def test_what_cannot_be_a_feature_is_named(con, columns: str, message: str) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE f AS SELECT 1 AS id, 2 AS a, 3 AS b")
    with pytest.raises(duckdb.Error, match=message):
        con.execute(f"FROM feature_columns('f', '{columns}', ['id'])")


def test_files_and_table_functions_are_tables(con, tmp_path) -> None:
    rows = pa.table({"id": [3, 1], "v": [0.5, 2.5]})
    con.register("rows", rows)
    expected = [(1, 1, [2.5]), (2, 3, [0.5])]
    con.execute(f"COPY (FROM rows) TO '{tmp_path}/it''s, a.parquet'".replace("it''s", "its"))
    con.execute(f"COPY (FROM rows) TO '{tmp_path}/r.csv'")
    for table in (
        f"'{tmp_path}/its, a.parquet'",
        f"read_parquet('{tmp_path}/*.parquet')",
        f"read_csv('{tmp_path}/r.csv', header = true)",
        f"{tmp_path}/r.csv",
        "ROWS",
        '"rows"',
        "temp.main.rows",
    ):
        assert con.execute(f"FROM matrix_rows({lit(table)}, 'id')").fetchall() == expected, table
        assert len(con.execute(f"FROM psi_ids({lit(table)}, 'id')").fetchall()) == 2


@pytest.mark.parametrize(
    ("table", "status"), [("'c.csv'", 0), ("read_csv('c.csv')", 0), ("c", 2), ("", 2)]
)
def test_who_has_files_may_begin_without_a_database(tmp_path, table: str, status: int) -> None:
    settings = ["--set", f"table={table}", "--set", "id=a", "--session", "s", "--dry-run"]
    parties = ["--me", "a", "--peer", "b", "--exchange", f"dir:{tmp_path}"]
    command = ["run", "psi/host", "--db", str(tmp_path / "new.duckdb"), *parties, *settings]
    assert CliRunner().invoke(cli, command).exit_code == status


def lit(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def both(parties: Folder, session: str, host: tuple, guest: tuple) -> list[object]:
    def work(me: str, peer: str, script: str, settings: dict) -> object:
        with parties.connect(me, session) as party:
            return party.run(script, peer=peer, **settings)

    return at_once(partial(work, "host", "guest", *host), partial(work, "guest", "host", *guest))


@takes_long
def test_a_pipeline_with_odd_names(tmp_path) -> None:
    """Ids of two columns, tables from files and frames, results under names of one's own: the
    weights are those of plain names."""
    parties = Folder(tmp_path)
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 24))
    y = rng.integers(0, 2, 24)
    part = [f"x{i % 3}" for i in range(24)]
    host = pa.table({"last, first": IDS, "Part": part, "a, b": a, "The Label": y})
    guest = pd.DataFrame({"who": IDS[::-1], "part": part[::-1], "select": b, "B": c})
    parties.make_table("host", host, '"my table"')
    parties.make_table("host", pa.table({"mine": [1]}), '"Alignment"')
    parties.make_table("guest", pa.table({"mine": [1]}), "Model")
    found = both(
        parties,
        "m",
        (
            "psi/host",
            {
                "table": "my table",
                "id": ["last, first", "part"],
                "bits": 2048,
                "result": "al 26-11",
            },
        ),
        ("psi/guest", {"table": pl.from_pandas(guest), "id": "who,PART", "result": "Größe"}),
    )
    assert found[1][0]["matched"] == 24, found
    names = {"result": "weights", "log": "Steps"}
    found = both(
        parties,
        "t",
        (
            "lr_joint_key/host",
            {
                "table": '"my table"',
                "key": '"last, first",part',
                "label": "the label",
                "alignment": "al 26-11",
                **names,
                **EXACT,
            },
        ),
        (
            "lr_joint_key/guest",
            {
                "table": guest,
                "key": ["who", "part"],
                "columns": ["SELECT", "b"],
                "alignment": "Größe",
                **names,
                **EXACT,
            },
        ),
    )
    assert all(isinstance(one, list) for one in found), found
    weights = dict(parties.query("host", "SELECT feature, weight FROM Weights"))
    weights |= dict(parties.query("guest", "SELECT feature, weight FROM WEIGHTS"))
    assert list(weights) == ["(intercept)", "a, b", "select", "B"]
    x = np.column_stack([a, b[::-1], c[::-1]])
    x = np.column_stack([np.ones(24), (x - x.mean(axis=0)) / x.std(axis=0)])
    w = np.zeros(4)
    for _ in range(2):
        w -= 0.15 * x.T @ (x @ w / 4 + 0.5 - y) / 24
    weights["(intercept)"] = dict(parties.query("host", "SELECT feature, weight FROM weights"))[
        "(intercept)"
    ]
    assert list(weights.values()) == pytest.approx(list(w), abs=1e-5)
    assert parties.query("host", "SELECT count(*) FROM steps") == [(2,)]
    found = both(
        parties,
        "p",
        (
            "lr_joint_key/predict",
            {
                "table": "my table",
                "key": '"last, first",part',
                "alignment": "AL 26-11",
                "model": "weights",
                "result": "scores",
            },
        ),
        (
            "lr_joint_key/predict_peer",
            {"table": guest, "key": "who,part", "alignment": "Größe", "model": "weights"},
        ),
    )
    assert all(isinstance(one, list) for one in found), found
    scores = {tuple(i): s for i, s in parties.query("host", "SELECT id, score FROM scores")}
    expected = 1 / (1 + np.exp(-x @ w))
    assert [scores[one] for one in zip(IDS, part, strict=True)] == pytest.approx(
        list(expected), abs=1e-5
    )
    assert parties.query("host", 'FROM "Alignment"') == [(1,)]
    assert parties.query("guest", "FROM model") == [(1,)]


def test_a_name_with_a_comma_is_one_where_the_table_has_it(tmp_path) -> None:
    parties = Folder(tmp_path)
    parties.make_table("host", pa.table({"last, first": ["a", "b"], "n, m": [1.5, 2.0]}))
    parties.make_table("guest", pa.table({"id": ["b", "c"]}))
    found = both(
        parties,
        "s",
        ("psi/host", {"table": "t", "id": "Last, first", "bits": 2048}),
        ("psi/guest", {"table": "t", "id": "id"}),
    )
    assert found[1][0]["matched"] == 1, found
    with parties.connect("host", "look") as party:
        query = "FROM feature_columns('t', 'N, M', ['last, first'])"
        assert party.con.execute(query).fetchall() == [("n, m",)]


def test_rows_of_w_whose_ids_are_numbers_as_text_are_refused(tmp_path) -> None:
    """Their order is that of X's columns, and as text 10 comes before 2."""
    parties = Folder(tmp_path)
    with parties.connect("host") as party:
        con = party.con
        con.execute("CREATE TABLE w AS SELECT i::VARCHAR AS id, i AS v FROM range(1, 12) t(i)")
        with pytest.raises(DuckprivError, match="as text 10 comes before 2"):
            party.run("matmul/right", peer="guest", table="w", id="id")
    left = (tmp_path / "mailbox").rglob("*.json")
    assert [file.name for file in left if file.name != "status.json"] == []


@takes_long
def test_a_product_under_a_name_of_ones_own_from_a_file(tmp_path) -> None:
    parties = Folder(tmp_path)
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(5, 2)), rng.normal(size=(2, 1))
    with duckdb.connect() as con:
        con.register("rows", pa.table({"k": range(5), "a": x[:, 0], "a b": x[:, 1]}))
        con.execute(f"COPY rows TO '{tmp_path}/x.parquet'")
    parties.make_table("guest", pa.table({"i": [1, 2], "w": w[:, 0]}), "w")
    both_of = {"reveal": "left", "bits": 2048}
    found = both(
        parties,
        "s",
        (
            "matmul/left",
            {"table": tmp_path / "x.parquet", "id": "K", "result": "scores", **both_of},
        ),
        ("matmul/right", {"table": "W", "id": "i", **both_of}),
    )
    assert all(isinstance(one, list) for one in found), found
    rows = parties.query("host", "SELECT id, value[1] FROM scores ORDER BY id")
    assert [v for _, v in rows] == pytest.approx(list((x @ w)[:, 0]), abs=1e-4)
    assert parties.query("host", "SELECT count(*) FROM scores_share") == [(5,)]


@pytest.mark.parametrize(
    ("script", "settings", "made"),
    [
        ("psi/host", {"id": "id"}, "TABLE Alignment (mine INTEGER)"),
        ("psi/guest", {"id": "id"}, "VIEW alignment_UNMATCHED AS SELECT 1 AS pid"),
        ("psi/guest", {"id": "id", "result": "T"}, "TABLE other (a INTEGER)"),
        ("matmul/left", {"id": "id"}, "TABLE PRODUCT_share (id INTEGER)"),
        ("matmul/right", {"id": "id"}, "TEMP TABLE product (id INTEGER, value DOUBLE[])"),
        ("lr_joint_key/host", {"label": "y", "id": "id"}, "VIEW Model AS SELECT 1 AS feature"),
        ("lr_joint_key/guest", {"id": "id"}, "TABLE Training_LOG (a INTEGER)"),
        ("lr_joint_key/guest", {"id": "id", "log": "L"}, "TABLE l (a INTEGER)"),
    ],
)
def test_nothing_of_the_users_is_replaced(tmp_path, script, settings, made) -> None:
    """It is refused before anything is sent."""
    parties = Folder(tmp_path)
    with parties.connect("host") as party:
        con = party.con
        con.execute("CREATE TABLE t AS SELECT range AS id, range AS a, 1 AS y FROM range(3)")
        con.execute(f"CREATE {made}")
        with pytest.raises(DuckprivError, match="you have something else of that name"):
            party.run(script, peer="guest", table="t", **settings)
    left = (tmp_path / "mailbox").rglob("*.json")
    assert [file.name for file in left if file.name != "status.json"] == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"result": "main.model"}, "without a schema"),
        ({"result": 'a"b'}, "result is not a name for a table here"),
        ({"result": "a$$b"}, "result is not a name for a table here"),
        ({"log": " "}, "log is not a name for a table here"),
        ({"result": "x", "log": "X"}, "two tables would have the name X"),
        ({"result": "Alignment"}, "two tables would have the name"),
    ],
)
def test_names_that_no_result_can_have(tmp_path, names: dict, message: str) -> None:
    parties = Folder(tmp_path)
    with (
        parties.connect("guest") as party,
        pytest.raises(InvalidValue, match=message),
    ):
        party.run("lr_joint_key/guest", peer="host", table="t", **names)


def test_every_result_can_be_named() -> None:
    """No script makes a table whose name is no setting, but for the ledger and its working ones."""
    for name in duckpriv.scripts.bundled():
        working = set()
        for statement in load(name).statements:
            words = statement.sql.split()
            if words[:6] == ["CREATE", "TABLE", "IF", "NOT", "EXISTS", "duckpriv_releases"]:
                continue
            if "TEMP" in words[:4]:
                working.add(words[words.index("TEMP") + 2])
            elif words[:1] in (["CREATE"], ["DROP"]):
                named = '"${' in statement.sql.splitlines()[0]
                assert named or words[-1].rstrip(";") in working, (name, statement.sql)


def test_the_id_column_of_a_wide_table_is_found(tmp_path) -> None:
    """1,200 columns, others of which hold some of the ids too."""
    with duckpriv.connect() as party:
        con = party.con
        others = ", ".join(f"(range * {i + 2}) % 97 AS c{i}" for i in range(1199))
        con.execute(f"CREATE TABLE wide AS SELECT {others}, range AS who FROM range(500)")
        con.execute("CREATE TABLE al AS SELECT range AS id FROM range(300)")
        query = "SELECT {0}('wide', list(column_name ORDER BY position), 'al') FROM {1}"
        possible = con.execute(
            query.format("duckpriv_possible_keys_query", "table_columns('wide')")
        ).fetchall()[0][0]
        assert con.execute(possible).fetchall() == [("who",)]
        con.execute("CREATE OR REPLACE TABLE al AS SELECT range AS id FROM range(3)")
        possible = con.execute(
            query.format("duckpriv_possible_keys_query", "table_columns('wide')")
        ).fetchall()[0][0]
        assert len(con.execute(possible).fetchall()) > 1
