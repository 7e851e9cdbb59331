"""What the owner of a table allows, and the ledger of what was released: docs/policies.md."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from duckpriv import DuckprivError
from duckpriv.cli import cli
from duckpriv.cli.policies import CREATE
from duckpriv.scripts import bundled, load
from tests.effort import some, takes_long, thorough
from tests.parties import Folder, at_once
from tests.test_resume import run_killed

ROWS = 40
EXACT = {"noise": 0, "start": "zero", "accept_disclosure": "yes", "iterations": 2}
MATCH = {"table": "t", "id": "id"}
KINDS = {
    "psi": ("psi/host", {**MATCH, "bits": 2048}, "psi/guest", MATCH),
    "training": (
        "lr_joint_key/host",
        {**MATCH, "label": "y", **EXACT},
        "lr_joint_key/guest",
        {**MATCH, **EXACT},
    ),
    "moments": ("moments/host", {**MATCH, "label": "y"}, "moments/guest", {**MATCH, "bits": 2048}),
    "product": (
        "matmul/left",
        {**MATCH, "columns": "a,b", "reveal": "left", "bits": 2048},
        "matmul/right",
        {"table": "w", "id": "id", "reveal": "left", "bits": 2048},
    ),
}
# What the host needs for each, as (column, use).
NEEDS = {
    "psi": [("id", "match")],
    "training": [("id", "match"), ("a", "train"), ("b", "train"), ("y", "train")],
    "moments": [("id", "match"), ("a", "train"), ("b", "train"), ("y", "train")],
    "product": [("a", "score"), ("b", "score")],
}


@pytest.fixture
def parties(tmp_path: Path) -> Folder:
    parties = Folder(tmp_path)
    rng = np.random.default_rng(5)
    ids = [f"i{i}" for i in range(ROWS)]
    a, b, c = rng.normal(size=(3, ROWS))
    y = rng.integers(0, 2, ROWS)
    parties.make_table("host", pa.table({"id": ids, "a": a, "b": b, "y": y}))
    parties.make_table("guest", pa.table({"id": ids, "c": c}))
    parties.make_table("guest", pa.table({"id": [1, 2], "v": [0.5, -1.0]}), "w")
    return parties


def allow(parties: Folder, rows: list[tuple], me: str = "host") -> None:
    """Add rows, of which the last values may be left out."""
    with duckdb.connect(parties.folder / f"{me}.duckdb") as con:
        con.execute(CREATE)
        for row in rows:
            con.execute(
                "INSERT INTO duckpriv_policies VALUES ($1, $2, $3, $4, $5, $6, $7)",
                [*row, *[None] * (7 - len(row))],
            )


def run(parties: Folder, me: str, session: str, script: str, settings: dict, **more) -> object:
    with parties.connect(me, session, **more) as party:
        return party.run(script, peer="guest" if me == "host" else "host", **settings)


def both(parties: Folder, kind: str, session: str = "s1") -> list:
    host, of_host, guest, of_guest = KINDS[kind]
    return at_once(
        partial(run, parties, "host", session, host, of_host),
        partial(run, parties, "guest", session, guest, of_guest),
    )


def refused(parties: Folder, kind: str, text: str, session: str = "s1") -> None:
    """The host refuses, and has sent nothing."""
    script, settings, *_ = KINDS[kind]
    with pytest.raises(DuckprivError, match=text):
        run(parties, "host", session, script, settings, timeout=5)
    sent = parties.folder.glob(f"mailbox/{session}/**/*.json")
    assert [file.name for file in sent if file.name != "status.json"] == []


def ledger(parties: Folder, me: str = "host") -> list:
    query = (
        "SELECT number, session, script, peer, table_name FROM duckpriv_releases ORDER BY number"
    )
    return parties.query(me, query)


def succeeded(found: list) -> bool:
    assert all(isinstance(one, list) for one in found), found
    return True


@pytest.mark.parametrize("kind", some(KINDS, 1))
def test_what_the_policies_allow_runs_and_what_they_lack_is_refused(parties, kind) -> None:
    needs = NEEDS[kind]
    allow(parties, [("T", column.upper(), "guest", use) for column, use in needs[:-1]])
    column, use = needs[-1]
    refused(parties, kind, f"table main.t, column {column}, peer guest, use {use}; .*add a row")
    assert ledger(parties) == []
    other = "match" if use == "train" else "train"
    allow(parties, [("t", "*", "*", other), ("t", column, "other", use), ("u", "*", "*", use)])
    refused(parties, kind, f"does not allow table main.t, column {column}", "s2")
    allow(parties, [("main.t", column, "*", use, None, 1)])
    assert succeeded(both(parties, kind, "s3"))
    script = KINDS[kind][0]
    assert ledger(parties) == [(1, "s3", script, "guest", "main.t")]
    assert len(ledger(parties, "guest")) == 1
    refused(parties, kind, "is used up: 1 of 1 releases", "s4")
    assert len(ledger(parties)) == 1


@takes_long
def test_without_policies_all_is_allowed_and_noted(parties) -> None:
    for session in ("s1", "s2"):
        assert succeeded(both(parties, "psi", session))
    columns = [{"column_name": "id", "use": "match"}]
    query = "SELECT columns, alignment, numbers, minimum, epsilon FROM duckpriv_releases"
    assert parties.query("host", query) == 2 * [(columns, "alignment", ROWS, 1, None)]
    assert parties.query("guest", query) == 2 * [(columns, "alignment", 1, ROWS, None)]
    allow(parties, [("t", "id", "guest", "match", None, 2)])  # those of before count
    refused(parties, "psi", "2 of 2", "s3")


@takes_long
def test_a_regression_counts_for_the_table_of_its_moments(parties) -> None:
    names = [("t", name, "guest", "train", 30, 2) for name in ("a", "b", "y")]
    allow(parties, [("t", "id", "guest", "match"), *names])
    assert succeeded(both(parties, "moments", "m1"))
    settings = {"accept_disclosure": "yes", "l2": 0.1}

    def regress(session: str) -> list:
        scripts = {"host": settings, "guest": {**settings, "bits": 2048}}
        return at_once(
            *(
                partial(run, parties, me, session, f"moments/regression_{me}", mine, timeout=10)
                for me, mine in scripts.items()
            )
        )

    assert succeeded(regress("r1"))
    assert [row[2] for row in ledger(parties)] == ["moments/host", "moments/regression_host"]
    found = regress("r2")
    assert "is used up: 2 of 2" in str(found[0]), found
    parties.query("host", "DELETE FROM duckpriv_releases")
    found = regress("r3")
    assert "not known from which table" in str(found[0]), found


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (("t", "id", "guest", "match", 2), "minimum of 2 rows .* about 1"),
        (("t", "id", "guest", "match", None, None, 1.0), "epsilon of 1.0 .* adds none"),
        (("t", "id", "guest", "match", None, 0), "is used up: 0 of 0"),
        (("t", "ident", "guest", "match"), "table t does not have: ident"),
        *thorough(
            (("t", "id", "guest", "look"), "row for table t, column id, .* use look says nothing"),
            (("u", "id", "guest", "match", -1), "row for table u, .* says nothing"),
            (("u", "id", "guest", "match", None, -1), "says nothing"),
            (("u", "id", "guest", "match", None, None, float("nan")), "says nothing"),
            (("u", "id", None, "match"), "peer NULL, use match says nothing"),
            (("", "id", "guest", "match"), "says nothing"),
        ),
    ],
)
def test_rows_that_refuse(parties, row: tuple, text: str) -> None:
    """Also where another row allows it: of several, each holds."""
    columns = "table_name VARCHAR, column_name VARCHAR, peer VARCHAR, use VARCHAR"
    numbers = "minimum BIGINT, budget BIGINT, epsilon DOUBLE"
    parties.query("host", f"CREATE TABLE duckpriv_policies ({columns}, {numbers})")
    allow(parties, [("t", "id", "guest", "match"), row])
    refused(parties, "psi", text)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("TABLE duckpriv_policies (table_name VARCHAR, peer VARCHAR)", "have to be table_name"),
        ("VIEW Duckpriv_Policies AS SELECT 1 AS x", "and they are x INTEGER"),
        ("TABLE duckpriv_releases (number BIGINT)", "not have the columns of the ledger"),
        (
            "SCHEMA other; CREATE TABLE duckpriv_policies (a INT); "
            "CREATE TABLE other.duckpriv_policies (a INT)",
            "several tables duckpriv_policies",
        ),
    ],
)
def test_tables_of_other_columns_are_refused(parties, made: str, text: str) -> None:
    parties.query("host", f"CREATE {made}")
    refused(parties, "psi", text)


@takes_long
def test_the_table_is_the_one_that_duckdb_takes(parties) -> None:
    """A table of that name in another schema, a view, a frame or a file are other tables."""
    allow(parties, [("t", "*", "*", "match")])
    parties.query("host", "CREATE SCHEMA s; CREATE TABLE s.t AS FROM t; CREATE VIEW v AS FROM t")
    parties.query("host", f"COPY t TO '{parties.folder}/t.csv'")
    tables = [("s.t", "s.t"), ("v", "main.v"), (f"'{parties.folder}/t.csv'", "t.csv")]
    tables += [(pa.table({"id": ["a"]}), "temp.main.duckpriv_frame_table"), ("main.t", None)]
    for i, (table, named) in enumerate(tables):
        with parties.connect("host", f"s{i}", timeout=0.2) as party:
            with pytest.raises(DuckprivError) as refusal:
                party.run("psi/host", peer="guest", table=table, id="id", bits=2048)
            text = f"does not allow table {named}" if named != "t.csv" else "t.csv', column id"
            assert (text if named else "DUCKPRIV_EXCHANGE_TIMEOUT") in str(refusal.value)
    with parties.connect("host", "s9", timeout=0.2) as party:
        party.con.execute("CREATE TEMP TABLE t AS SELECT 'a' AS id")
        with pytest.raises(DuckprivError, match="does not allow table temp.main.t"):
            party.run("psi/host", peer="guest", table="t", id="id", bits=2048)
    with parties.connect("host", "s10", timeout=0.2) as party:
        party.con.execute("USE s")
        with pytest.raises(DuckprivError, match="does not allow table s.t"):
            party.run("psi/host", peer="guest", table="t", id="id", bits=2048)


@takes_long
def test_names_with_quotes_and_other_letters(parties) -> None:
    table, column = 'Gr"öße. x', "it's, Ä"
    rows = pa.table({column: ["i1", "i2"]})
    written = '"Gr""öße. x"'
    parties.make_table("host", rows, written)
    with parties.connect("host") as party:
        settings = {"peer": "guest", "table": written, "id": column, "bits": 2048}
        allowed = f"INSERT INTO duckpriv_policies VALUES ('{written}', 'it''s, Ä', 'guest', 'match'"
        party.con.execute(CREATE)
        party.con.execute(allowed.replace("Ä", "ä") + ", NULL, NULL, NULL)")
        with pytest.raises(DuckprivError, match="does not have: it's, ä"):
            party.run("psi/host", **settings)
        party.con.execute("DELETE FROM duckpriv_policies")
        with pytest.raises(DuckprivError) as refusal:
            party.run("psi/host", **settings)
        # the row that the error names is the one that is missing
        insert = str(refusal.value).partition("add a row: ")[2]
        party.con.execute(insert)
    assert table in written.replace('""', '"')
    found = at_once(
        partial(
            run,
            parties,
            "host",
            "s1",
            "psi/host",
            {k: settings[k] for k in settings if k != "peer"},
        ),
        partial(run, parties, "guest", "s1", "psi/guest", MATCH),
    )
    assert succeeded(found)


@takes_long
def test_a_run_that_is_killed_and_goes_on_counts_once(parties) -> None:
    allow(parties, [("t", "id", "guest", "match", None, 1)])
    task = {
        "host": ("psi/host", {"peer": "guest", **MATCH, "bits": 2048}),
        "guest": ("psi/guest", {"peer": "host", **MATCH}),
    }
    deaths = run_killed(
        parties, "s1", task, moments=["before", "not committed", "committed"], per_statement=0.7
    )
    assert min(deaths.values()) > 3
    assert (len(ledger(parties)), len(ledger(parties, "guest"))) == (1, 1)


@takes_long
def test_a_release_is_noted_with_the_message_and_not_without(parties, monkeypatch) -> None:
    """A run that fails before it sends does not count; one that is given up behind it does."""
    allow(parties, [("t", "id", "host", "match", None, 1)], "guest")
    with parties.connect("guest", "s1", timeout=0.3) as party, pytest.raises(DuckprivError):
        party.run("psi/guest", peer="host", **MATCH)  # nobody sends a key
    assert ledger(parties, "guest") == []
    key = partial(run, parties, "host", "s2", "psi/host", {**MATCH, "bits": 2048}, timeout=3)
    at_once(key, partial(run, parties, "guest", "s2", "psi/guest", MATCH, timeout=3))
    assert len(ledger(parties, "guest")) == 1


OWN = """-- reveals a sum
-- set peer   who
-- set table  your table
-- set epsilon = 1
-- set minimum = 10
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(['y'], 'group') || policy_uses(['a'], 'measure'),
                       minimum: getvariable('minimum')::BIGINT,
                       epsilon: getvariable('epsilon')::DOUBLE};
-- include policy.sql
SET VARIABLE release = {what: 'sums', numbers: 2::BIGINT, alignment: NULL::VARCHAR};
-- include release.sql
CALL exchange_send(getvariable('peer'), 'own', $$ SELECT y, sum(a) AS a FROM t GROUP BY y $$);
"""


@pytest.fixture
def own(parties) -> Path:
    for file in (Path(__file__).parent.parent / "sql/shared").glob("*.sql"):
        (parties.folder / file.name).write_text(file.read_text())
    script = parties.folder / "own.sql"
    script.write_text(OWN)
    return script


@takes_long
def test_a_script_of_ones_own_obeys_minimum_and_noise(parties, own) -> None:
    rows = [("t", "y", "*", "group", 10), ("t", "*", "*", "measure", 5, None, 2.5)]
    allow(parties, rows)
    with parties.connect("host", "s1") as party:
        for settings, text in (
            ({"minimum": 9}, "minimum of 10 rows"),
            ({"epsilon": 2.6}, "epsilon of 2.5 in all, of which 2.5 is left"),
            ({"epsilon": "nan"}, "of which 2.5 is left"),
        ):
            with pytest.raises(DuckprivError, match=text):
                party.run(str(own), peer="guest", table="t", **settings)
    for i, epsilon in enumerate((1.2, 1.2, 0.2, 0.1)):
        with parties.connect("host", f"e{i}") as party:
            if i == 2:
                with pytest.raises(DuckprivError, match="of which 0.1 is left"):
                    party.run(str(own), peer="guest", table="t", epsilon=epsilon)
            else:
                party.run(str(own), peer="guest", table="t", epsilon=epsilon)
    assert (
        parties.query("host", "SELECT sum(epsilon)::DECIMAL(9, 6) FROM duckpriv_releases")[0][0]
        == 2.5
    )


def test_two_runs_at_a_time_do_not_both_take_the_last_release(parties, own) -> None:
    """Of two that have looked, the second fails when it notes its release."""
    allow(parties, [("t", "*", "*", "group", None, 1), ("t", "*", "*", "measure")])
    looked = threading.Barrier(2, timeout=60)
    with parties.connect("host", "s1") as party:
        con = party.con
        numbered = "SELECT coalesce(max(number), 0) + 1 FROM duckpriv_releases"
        numbered = f"INSERT INTO duckpriv_releases (number) {numbered}"
        party.run(str(own), peer="guest", table="t")
        con.execute("DELETE FROM duckpriv_releases")

        def note() -> None:
            with con.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT count(*) FROM duckpriv_releases").fetchall()
                looked.wait()
                cursor.execute(numbered)
                cursor.execute("COMMIT")

        found = at_once(note, note)
        assert sum(isinstance(one, duckdb.Error) for one in found) == 1, found
        assert con.execute("SELECT count(*) FROM duckpriv_releases").fetchall() == [(1,)]


def test_settings_of_the_connection_change_nothing(parties, own) -> None:
    allow(parties, [("t", "y", "*", "group", None, 1), ("t", "*", "*", "measure", None, None, 1.5)])
    for session, text in (("s1", None), ("s2", "is used up: 1 of 1")):
        with parties.connect("host", session) as party:
            for setting in (
                "default_order = 'DESC'",
                "default_null_order = 'NULLS_FIRST'",
                "integer_division = true",
                "default_collation = 'NOCASE'",
                "TimeZone = 'Asia/Kathmandu'",
            ):
                party.con.execute(f"SET {setting}")
            if text is None:
                party.run(str(own), peer="guest", table="t")
            else:
                with pytest.raises(DuckprivError, match=text):
                    party.run(str(own), peer="guest", table="t")
    ((hours,),) = parties.query(
        "host",
        "SELECT abs(epoch(now()) - epoch(released_at)) / 3600 FROM duckpriv_releases",
    )
    assert hours < 1  # UTC


@takes_long
def test_the_command_makes_and_shows_policies(parties) -> None:
    db = str(parties.folder / "host.duckdb")
    command = ["policies", "list", "--db", db]
    assert "everything is allowed" in CliRunner().invoke(cli, command).output
    assert CliRunner().invoke(cli, ["policies", "init", "--db", db]).exit_code == 0
    assert CliRunner().invoke(cli, ["policies", "init", "--db", db]).exit_code == 1
    with pytest.raises(duckdb.ConstraintException):
        parties.query("host", "INSERT INTO duckpriv_policies (use) VALUES ('look')")
    refused(parties, "psi", "does not allow")
    allow(parties, [("t", "id", "guest", "match", None, 3), ("t", "a", "mill", "train")])
    assert succeeded(both(parties, "psi", "s2"))
    shown = CliRunner().invoke(cli, command).output
    assert "1 of 3" in shown and "mill" in shown
    dry = ["run", "psi/host", "--db", db, "--me", "host", "--peer", "guest", "--session", "s3"]
    dry += [
        "--exchange",
        f"dir:{parties.folder}",
        "--dry-run",
        "--set",
        "table=t",
        "--set",
        "id=id",
    ]
    shown = CliRunner().invoke(cli, dry).output
    assert "1 of 3" in shown and "mill" not in shown, shown
    dry[dry.index("guest")] = "mill"
    shown = CliRunner().invoke(cli, dry).output
    assert "duckpriv_policies allows nothing" in shown, shown
    shown = CliRunner().invoke(cli, ["policies", "releases", "--db", db]).output
    assert "psi/host" in shown and "main.t" in shown


def test_every_bundled_script_with_a_table_asks_and_notes() -> None:
    for name in bundled():
        script = load(name)
        if any(variable.name in ("table", "moments") for variable in script.variables):
            texts = [statement.sql for statement in script.statements]
            for what in ("duckpriv_policy_problems(", "INSERT INTO duckpriv_releases"):
                assert any(what in text for text in texts), (name, what)
