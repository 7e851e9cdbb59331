"""Connecting, registering, and what a run leaves behind."""

from __future__ import annotations

import duckdb
import pytest

import duckpriv
from duckpriv import InvalidValue, engine
from duckpriv.columns.context import Context


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize("name", ["my-bank", "my bank", 'a"b', "myduckpriv", "x,y", "ä"])
def test_any_database_name(tmp_path, name: str) -> None:
    with duckpriv.connect(
        tmp_path / f"{name}.duckdb", keyring=tmp_path / "k", session="s"
    ) as party:
        assert party.con.execute("SELECT psi_id(1)").fetchall() == [("1",)]
        party.con.execute("CREATE TABLE t AS SELECT 1 AS x")
    with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as plain:
        tables = plain.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert tables == [("t",)]
        assert plain.execute(
            "SELECT count(*) FROM duckdb_functions() WHERE NOT internal"
        ).fetchall() == [(0,)]


def test_a_database_named_duckpriv_is_refused_with_a_reason(tmp_path) -> None:
    with pytest.raises(InvalidValue, match="a database named 'duckpriv' is attached"):
        duckpriv.connect(tmp_path / "duckpriv.duckdb", keyring=tmp_path / "k")


def test_registering_again_replaces_the_settings(con, tmp_path) -> None:
    tokens = set()
    for session in ("one", "two"):
        duckpriv.register(con, keyring=tmp_path / "k", session=session)
        if session == "one":
            con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()
        tokens |= set(con.execute("SELECT rsa_token('x', 'k')").fetchall())
    assert len(tokens) == 2


def test_a_second_party_on_one_open_file_is_refused_with_a_reason(tmp_path) -> None:
    with (
        duckpriv.connect(tmp_path / "x.duckdb", keyring=tmp_path / "k"),
        pytest.raises(InvalidValue, match="open in this process with duckpriv"),
    ):
        duckpriv.connect(tmp_path / "x.duckdb", keyring=tmp_path / "k")


def test_the_default_connection_can_send(tmp_path) -> None:
    with duckpriv.register(
        duckdb.default_connection(),
        me="bank",
        exchange=f"dir:{tmp_path / 'mailbox'}",
        keyring=tmp_path / "k",
        session="s",
        unprotected=True,
    ):
        sent = duckdb.sql("CALL exchange_send('shop', 'x', 'SELECT uuid() AS id')").fetchall()
        assert sent[0][0] == 1
    duckdb.default_connection().close()


def test_cursors_and_connections_after_use_call_by_the_full_name(con, tmp_path) -> None:
    duckpriv.register(con, keyring=tmp_path / "k", session="s")
    con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()
    con.execute("CREATE TABLE t AS SELECT 'a' AS id, 'b'::BLOB AS token")
    con.execute("ATTACH ':memory:' AS other")
    cursor = con.cursor()
    con.execute("USE other")
    for connection in (cursor, con):
        for query in (
            "SELECT duckpriv.rsa_token('a', 'k')",
            "FROM duckpriv.psi_ids('memory.t', 'id')",
            "FROM duckpriv.psi_map_random('memory.t')",
            "SELECT duckpriv.require(true, 'x')",
            "FROM duckpriv.duckpriv_functions()",
            "SELECT duckpriv.require_result('free', ['a'])",
        ):
            assert connection.execute(query).fetchall()
    cursor.close()


def test_a_function_of_the_users_with_one_of_our_names_is_not_taken_for_ours(con, tmp_path) -> None:
    con.execute("CREATE MACRO random_id(x) AS 'always the same'")
    with pytest.raises(InvalidValue, match="a function of yours has the name of .* random_id"):
        duckpriv.register(con, keyring=tmp_path / "k")


def test_a_run_gives_the_connections_variables_back(connect, tmp_path) -> None:
    party = connect()
    (tmp_path / "own.sql").write_text(
        "SET VARIABLE duckpriv_protocol = 'mine/1';\nSET VARIABLE b = 5;\n"
        "SELECT getvariable('a') AS a, getvariable('me') AS me, getvariable('table') AS t;\n"
    )
    party.con.execute('SET VARIABLE a = [1, 2]; SET VARIABLE "odd "" name" = DATE \'2024-01-01\'')
    before = party.con.execute("FROM duckdb_variables() ORDER BY name").fetchall()
    rows = party.run(str(tmp_path / "own.sql"), a=7, table="t")
    assert rows == [{"a": 7, "me": "bank", "t": "t"}]
    assert party.con.execute("FROM duckdb_variables() ORDER BY name").fetchall() == before
    (tmp_path / "bad.sql").write_text("SET VARIABLE b = 5;\nSELECT error('no');\n")
    with pytest.raises(duckdb.Error, match="no"):
        party.run(str(tmp_path / "bad.sql"), a=8)
    assert party.con.execute("FROM duckdb_variables() ORDER BY name").fetchall() == before


def test_a_script_runs_after_use(connect, tmp_path) -> None:
    party = connect()
    party.con.execute("ATTACH ':memory:' AS other; USE other")
    (tmp_path / "own.sql").write_text("SELECT require(true, 'x') AS fine;\n")
    assert party.run(str(tmp_path / "own.sql")) == [{"fine": True}]


def test_a_connection_without_file_access_is_refused_with_a_reason(con, tmp_path) -> None:
    con.execute("SET enable_external_access = false")
    with pytest.raises(InvalidValue, match="enable_external_access"):
        duckpriv.register(
            con, me="a", exchange=f"dir:{tmp_path}", session="s", keyring=tmp_path / "k"
        )


def test_an_unusable_folder_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with (
        duckpriv.connect(keyring=tmp_path / "file" / "keys", session="s") as party,
        pytest.raises(duckdb.Error, match="DUCKPRIV_ERROR: Not a directory: .*file"),
    ):
        party.con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()


def test_sql_raises_our_classes(connect) -> None:
    party = connect()
    with pytest.raises(duckpriv.ExchangeTimeout):
        connect("shop", timeout=0.1).sql("FROM exchange_recv('bank', 'x')")
    with pytest.raises(duckdb.CatalogException):
        party.sql("FROM nothing")


def test_the_keyring_is_where_the_environment_says(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DUCKPRIV_KEYRING", str(tmp_path / "here"))
    with duckpriv.connect(session="s") as party:
        assert party.keyring.path == tmp_path / "here"


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_a_data_file_is_no_database(tmp_path, kind: str) -> None:
    file = tmp_path / f"people.{kind}"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 'ann' AS id, 2.5 AS x) TO '{file}'")
    with pytest.raises(InvalidValue, match="is a data file and no DuckDB database"):
        duckpriv.connect(file, keyring=tmp_path / "keys")
    with duckpriv.connect(tmp_path / "own.duckdb", keyring=tmp_path / "keys") as party:
        party.con.execute(f"CREATE VIEW people AS FROM '{file}'")
        found = party.con.execute("FROM matrix_rows('people', 'id')").fetchall()
        assert found == [(1, "ann", [2.5])]


def test_macros_of_a_file_are_those_of_a_user(con, party) -> None:
    """Most tests attach a file of macros that this process has made (conftest.py)."""
    query = (
        "SELECT function_name, function_type, parameters, macro_definition, comment "
        "FROM duckdb_functions() WHERE database_name = 'duckpriv' ORDER BY ALL"
    )
    for udf in {udf.name: udf for f in engine.FUNCTIONS for udf in f.udfs}.values():
        engine._register(con, udf, Context(None))
    con.execute("ATTACH ':memory:' AS duckpriv")
    engine.create_macros(con)
    assert con.execute(query).fetchall() == party.con.execute(query).fetchall()
    listed = "FROM duckpriv.main.function_list"
    assert con.execute(listed).fetchall() == party.con.execute(listed).fetchall()
