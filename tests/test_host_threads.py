"""A host with threads, such as dbt, registers once, and runs scripts in sessions on cursors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

import duckpriv
from duckpriv.errors import DuckprivError, InvalidValue
from tests.effort import takes_long
from tests.parties import Folder, at_once

VALUE = "SELECT duckpriv.psi_id(' Ann@Example.com', 'email')"


def test_a_thread_finds_functions_and_macros_with_the_prefix(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE scored AS SELECT i AS score, i AS label FROM range(2) t(i)")
        duckpriv.register(con, keyring=tmp_path / "keys")

        def work(_: int) -> tuple:
            cursor = con.cursor()
            (row,) = cursor.execute(f"{VALUE}, duckpriv.auc('scored')").fetchall()
            return *row, *cursor.execute(
                "SELECT count(*) FROM duckpriv.psi_ids('scored', 'score')"
            ).fetchall()

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(work, range(8)))
        assert set(found) == {("ann@example.com", 1.0, (2,))}


def test_a_party_is_in_one_session_at_a_time(tmp_path: Path) -> None:
    where = f"dir:{tmp_path / 'mailbox'}"
    con = duckdb.connect(tmp_path / "bank.duckdb")
    host = duckpriv.register(con, me="bank", keyring=tmp_path / "bank.keys")
    with (
        host.in_session(con.cursor(), "one", where, unprotected=True),
        pytest.raises(InvalidValue, match="in the session 'one'"),
        host.in_session(con.cursor(), "two", where, unprotected=True),
    ):
        pass
    with host.in_session(con.cursor(), "two", where, unprotected=True):
        pass
    con.close()


@takes_long
def test_other_threads_go_on_while_a_party_is_in_a_session(tmp_path: Path) -> None:
    folder, done, values = Folder(tmp_path), [], []
    con = duckdb.connect(tmp_path / "bank.duckdb")
    con.execute("CREATE TABLE people AS SELECT 'p' || i AS id FROM range(300) t(i)")
    host = duckpriv.register(con, me="bank", keyring=tmp_path / "bank.keys")
    settings = {"table": "people", "id": "id"}

    def bank() -> None:
        try:
            for session in ("one", "two"):
                with (
                    con.cursor() as cursor,
                    host.in_session(
                        cursor, session, f"dir:{tmp_path / 'mailbox'}", timeout=60, unprotected=True
                    ) as party,
                ):
                    party.run("psi/host", peer="shop", result=session, **settings)
        finally:
            done.append(True)

    def another() -> None:
        while not done:
            values.extend(con.cursor().execute(VALUE).fetchall())

    def shop() -> None:
        folder.query(
            "shop", "CREATE TABLE people AS SELECT 'p' || i AS id FROM range(200, 400) t(i)"
        )
        for session in ("one", "two"):
            with folder.connect("shop", session) as party:
                party.run("psi/guest", peer="bank", result=session, **settings)

    assert at_once(bank, another, shop) == [None, None, None]
    assert set(values) == {("ann@example.com",)}
    for session in ("one", "two"):
        assert folder.query("shop", f"SELECT count(*) FROM {session}") == [(100,)]
        assert con.execute(f"SELECT count(*) FROM {session}").fetchall() == [(300,)]
    assert con.execute("SELECT count(*) > 0 FROM duckpriv_audit").fetchall() == [(True,)]
    with pytest.raises(duckdb.Error, match="needs an exchange, a session"):  # it has left both
        con.cursor().execute("CALL duckpriv.exchange_send('shop', 'x', 'SELECT 1')").fetchall()
    with (
        pytest.raises(DuckprivError, match="the session is not a name"),
        host.in_session(con.cursor(), "No Name", f"dir:{tmp_path / 'mailbox'}"),
    ):
        pass
    con.close()
