"""The audit table, and opening a message."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from duckpriv import InvalidValue
from duckpriv.audit import Audit
from examples.introduction import introduce
from tests.effort import takes_long
from tests.parties import match

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
MESSAGES = ["psi/key", "psi/blinded", "psi/signed", "psi/tokens", "psi/map"]


@pytest.fixture(scope="module")
def matched(tmp_path_factory) -> Path:
    from tests.parties import at_once

    folder = tmp_path_factory.mktemp("matched")
    introduce(folder, "bank", "shop")
    results = at_once(
        lambda: match("host", str(folder), ["a", "b"], unprotected=False),
        lambda: match("guest", str(folder), ["b", "c"], unprotected=False),
    )
    assert all("error" not in result for result in results), results
    return folder


def duckpriv(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [DUCKPRIV, *arguments], cwd=folder, capture_output=True, text=True, env={"COLUMNS": "200"}
    )
    return done.stdout + done.stderr


@takes_long
def test_both_parties_have_every_message(matched) -> None:
    told = []
    for me, peer in (("bank", "shop"), ("shop", "bank")):
        with duckdb.connect(str(matched / f"{me}.duckdb")) as con:
            rows = Audit(con).entries("s1")
            assert Audit(con).entries("other") == []
        assert [row[5] for row in rows] == MESSAGES
        assert {row[4] for row in rows} == {peer}
        assert all(str(row[10]).startswith("sealed, signed by ") for row in rows)
        assert {row[11] for row in rows} == {"psi/1 kind=raw columns=1 scheme=rsa"}
        told.append([(row[3], row[6], row[7], row[9]) for row in rows])
    assert [row[1:] for row in told[0]] == [row[1:] for row in told[1]]
    assert [row[0] for row in told[0]] != [row[0] for row in told[1]]
    shown = duckpriv(matched, "messages", "audit", "--db", "bank.duckdb")
    assert all(channel in shown for channel in MESSAGES)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE duckpriv_audit SET rows = 7 WHERE number = 2",
        "DELETE FROM duckpriv_audit WHERE number = 3",
        "UPDATE duckpriv_audit SET number = number + 1",
        "UPDATE duckpriv_audit SET settings = 'psi/1' WHERE number = 5",
        "UPDATE duckpriv_audit SET settings = NULL WHERE number = 5",
    ],
)
def test_a_changed_table_is_noticed(matched, tmp_path, change: str) -> None:
    with duckdb.connect(str(tmp_path / "copy.duckdb")) as con:
        con.execute(f"ATTACH '{matched / 'bank.duckdb'}' AS b (READ_ONLY)")
        con.execute("CREATE TABLE duckpriv_audit AS FROM b.duckpriv_audit")
        assert len(Audit(con).entries()) == len(MESSAGES)
        con.execute(change)
        with pytest.raises(InvalidValue, match="not whole"):
            Audit(con).entries()


def test_it_is_exported(matched, tmp_path) -> None:
    target = tmp_path / "audit.parquet"
    assert "wrote 5" in duckpriv(
        matched, "messages", "audit", "--db", "shop.duckdb", "--export", str(target)
    )
    assert duckdb.from_parquet(str(target)).aggregate("count(*)").fetchall() == [(5,)]


def test_a_received_message_is_opened_and_another_ones_is_not(matched) -> None:
    common = ["--exchange", "dir:mailbox", "--session", "s1", "--keyring"]
    shown = duckpriv(
        *(matched, "messages", "show", "psi/tokens", "--me", "shop", "--peer", "bank"),
        *(*common, "shop.keys"),
    )
    assert "token" in shown
    assert "2 rows" in shown
    sent = duckpriv(
        *(matched, "messages", "show", "psi/tokens", "--me", "bank", "--peer", "shop"),
        *(*common, "bank.keys"),
    )
    assert "shop has sent no 'psi/tokens' to bank" in sent


def test_a_run_that_fails_has_noted_what_it_sent(tmp_path) -> None:
    introduce(tmp_path, "bank", "shop")
    result = match("host", str(tmp_path), ["a"], unprotected=False, timeout=0.5)
    assert result["error"] == "ExchangeTimeout"
    with duckdb.connect(str(tmp_path / "bank.duckdb")) as con:
        assert [row[5] for row in Audit(con).entries()] == ["psi/key"]


def of_before(con: duckdb.DuckDBPyConnection) -> None:
    """Make an audit table as it was before it had settings, with one message."""
    con.execute(
        "CREATE TABLE duckpriv_audit (number BIGINT NOT NULL, moved_at TIMESTAMP NOT NULL, session "
        "VARCHAR NOT NULL, direction VARCHAR NOT NULL, peer VARCHAR NOT NULL, channel VARCHAR NOT "
        "NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, columns VARCHAR NOT NULL, sha256 "
        "VARCHAR NOT NULL, protection VARCHAR NOT NULL, chain VARCHAR NOT NULL)"
    )
    fields = [1, "2026-01-02 03:04:05", "s0", "sent", "shop", "old", 1, 9, "x int32", "ab", "none"]
    chain = hashlib.sha256(json.dumps(["", *map(str, fields)]).encode()).hexdigest()
    con.execute(
        f"INSERT INTO duckpriv_audit VALUES ({', '.join(['?'] * 12)})", [*fields, chain]
    ).fetchall()


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_table_of_before_there_were_settings_goes_on(tmp_path, connect, by_hand) -> None:
    database = tmp_path / "bank.duckdb"
    with duckdb.connect(str(database)) as con:
        of_before(con)
    with duckdb.connect(str(database), read_only=True) as con:
        assert [row[11] for row in Audit(con).entries()] == [None]
    assert "old" in duckpriv(tmp_path, "messages", "audit", "--db", str(database))
    script = tmp_path / "own.sql"
    script.write_text("CALL exchange_send('shop', 'new', 'SELECT 1 AS x');")
    with connect("bank", str(database)) as bank:
        if by_hand:
            bank.con.execute("SET VARIABLE duckpriv_protocol = 'mine/1'")
            bank.con.execute("SET VARIABLE duckpriv_parameters = 'a=1'")
            bank.con.execute(script.read_text()).fetchall()
        else:
            bank.run(str(script))
    with duckdb.connect(str(database)) as con:
        rows = Audit(con).entries()
        assert [(row[5], row[11]) for row in rows] == [
            ("old", None),
            ("new", "mine/1 a=1" if by_hand else ""),
        ]
        for change in ("'x'", "NULL" if by_hand else "'y'"):
            con.execute("BEGIN")
            con.execute(f"UPDATE duckpriv_audit SET settings = {change}")
            with pytest.raises(InvalidValue, match="not whole"):
                Audit(con).entries()
            con.execute("ROLLBACK")
