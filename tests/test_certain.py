"""What says that it was done was done: messages are sent, keys are made or forgotten, and the audit
table has it when the statement ends."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

import duckpriv
from duckpriv.audit import Audit
from duckpriv.certain import surely_runs
from duckpriv.errors import InvalidValue, KeyMismatch, ProtocolError, from_text
from tests.effort import takes_long, thorough

SEND = "exchange_send('shop', 'x', 'FROM t')"


@pytest.fixture
def bank(connect) -> duckpriv.Party:
    party = connect("bank")
    party.con.execute("CREATE TABLE t AS SELECT 42 AS answer; CREATE TABLE none (i INT)")
    return party


@pytest.fixture
def sent(tmp_path):
    """Whether the message 'x' is in the mailbox."""
    return lambda: (tmp_path / "mailbox" / "s1" / "bank" / "shop" / "x.json").exists()


SENDS = [
    f"CALL {SEND}",
    f"FROM {SEND}",
    f"SELECT count(*) FROM {SEND}",
    f"SELECT 1 FROM {SEND}",
    f"SELECT max(rows) FROM {SEND} GROUP BY ALL ORDER BY 1 LIMIT 1;",
    f"SELECT count(*) FROM (SELECT sha256 FROM duckpriv.main.{SEND})",
    f"SELECT count(*) FROM {SEND} UNION ALL SELECT i FROM none",
    f"SELECT count(*) FROM {SEND} UNION SELECT i FROM none",
    f"WITH w AS (FROM {SEND}) SELECT count(*) FROM w",
    f"WITH w AS MATERIALIZED (FROM {SEND}) SELECT 1 FROM w LIMIT 1",
    f"CREATE TABLE made AS FROM {SEND}",
    f"CREATE OR REPLACE TEMP TABLE made AS (FROM {SEND})",
    f"INSERT INTO none SELECT count(*) FROM {SEND}",
    f"SET VARIABLE n = (SELECT count(*) FROM {SEND})",
    f"EXPLAIN ANALYZE SELECT 1 FROM {SEND}",
    f"SUMMARIZE FROM {SEND}",
]
REFUSED = [
    f"FROM {SEND} LIMIT 0",
    f"FROM {SEND} LIMIT (SELECT 0)",
    f"FROM {SEND} LIMIT 0%",
    f"FROM {SEND} OFFSET 1",
    f"FROM {SEND} WHERE false",
    f"SELECT count(*) FROM {SEND} WHERE 1 = 2",
    f"SELECT rows FROM {SEND} GROUP BY ALL HAVING false",
    f"SELECT rows FROM {SEND} QUALIFY false",
    f"FROM {SEND} USING SAMPLE 0",
    f"FROM {SEND} TABLESAMPLE 0%",
    f"SELECT EXISTS (FROM {SEND})",
    f"SELECT 1 WHERE EXISTS (FROM {SEND})",
    f"SELECT (SELECT rows FROM {SEND})",
    f"SELECT CASE WHEN false THEN (SELECT rows FROM {SEND}) END",
    f"SELECT coalesce(1, (SELECT rows FROM {SEND}))",
    f"SELECT 1 IN (SELECT rows FROM {SEND})",
    f"FROM none JOIN {SEND} ON true",
    f"FROM {SEND}, none",
    f"FROM none, {SEND}",
    f"FROM (FROM {SEND}) LIMIT 0",
    f"SELECT 1 FROM (FROM {SEND} WHERE false)",
    f"SELECT 1 FROM (SELECT 1 FROM {SEND}, none)",
    f"FROM none EXCEPT SELECT rows FROM {SEND}",
    f"FROM none INTERSECT SELECT rows FROM {SEND}",
    f"WITH w AS (FROM {SEND}) FROM none, w",
    f"WITH w AS (FROM {SEND}) SELECT 1 FROM w WHERE false",
    f"WITH w AS (FROM {SEND}), v AS (SELECT 1) FROM w",
    f"CREATE TABLE IF NOT EXISTS t AS FROM {SEND}",
    f"CREATE TABLE made AS FROM {SEND} WITH NO DATA",
    f"UPDATE t SET answer = (SELECT rows FROM {SEND})",
    f"DELETE FROM t USING {SEND}",
    f"FROM t LEFT JOIN LATERAL (FROM {SEND}) ON true",
]


@pytest.mark.parametrize("sql", SENDS)
def test_it_is_sent(bank, sent, sql) -> None:
    bank.con.execute(sql).fetchall()
    assert sent()


@pytest.mark.parametrize("sql", REFUSED)
def test_or_refused(bank, sent, sql) -> None:
    assert not surely_runs(sql, ("exchange_send",))
    with pytest.raises(duckdb.Error):  # some are no SQL of one of the versions
        bank.con.execute(sql).fetchall()
    with pytest.raises(InvalidValue, match="might succeed and send nothing"):
        bank.sql(sql)
    assert not sent()


def test_a_refusal_says_what_to_write(bank) -> None:
    with pytest.raises(duckdb.Error) as caught:
        bank.con.execute(f"FROM {SEND} LIMIT 0")
    error = from_text(str(caught.value))
    assert isinstance(error, InvalidValue)
    assert "Write CALL exchange_send" in str(error)


UNREAD = [
    f"WITH unread AS (FROM {SEND}) SELECT 1",
    f"WITH unread AS MATERIALIZED (FROM {SEND}) SELECT 1",
    f"WITH w AS (FROM {SEND}), unread AS (FROM w) SELECT 1",
]


@pytest.mark.parametrize("sql", UNREAD)
def test_a_query_that_nothing_reads(bank, sent, tmp_path, sql) -> None:
    """DuckDB does not even bind it, so that nothing of ours is asked: whoever runs statements for
    the user reads them before."""
    assert bank.con.execute(sql).fetchall() == [(1,)]
    with pytest.raises(InvalidValue, match="might succeed and send nothing"):
        bank.sql(sql)
    script = tmp_path / "unread.sql"
    script.write_text(f"CALL exchange_send('shop', 'y', 'FROM t');\n{sql};")
    with pytest.raises(InvalidValue, match="might succeed and send nothing"):
        bank.run(str(script))
    assert not (tmp_path / "mailbox").exists()
    assert not sent()


RELATIONS = {
    "count": lambda relation: relation.count("*").fetchall(),
    "length": len,
    "project": lambda relation: relation.project("1").fetchall(),
    "aggregate": lambda relation: relation.aggregate("count(*)").fetchall(),
    "create": lambda relation: relation.create("made"),
    "show": lambda relation: relation.show(),
    "limit": lambda relation: relation.limit(1).fetchall(),
}


@pytest.mark.parametrize("how", RELATIONS)
def test_relations_send(bank, sent, how) -> None:
    if how == "create" and duckdb.__version__ < "2":
        pytest.skip("DuckDB 1.5 does not tell of what statement this is, and it is refused")
    RELATIONS[how](bank.sql(f"FROM {SEND}"))
    assert sent()


@pytest.mark.parametrize("how", ["limit", "filter"])
def test_relations_are_refused(bank, sent, how) -> None:
    relation = bank.sql(f"FROM {SEND}")
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
        (relation.limit(0) if how == "limit" else relation.filter("false")).fetchall()
    assert not sent()


def test_what_claims_nothing_sends_nothing(bank, sent) -> None:
    for sql in (f"EXPLAIN FROM {SEND}", f"DESCRIBE FROM {SEND}"):
        bank.con.execute(sql).fetchall()
    assert not sent()
    assert surely_runs(
        "SELECT 'exchange_send(' -- exchange_send(\n WHERE false", ("exchange_send",)
    )


@pytest.mark.parametrize("union", ["UNION ALL", "UNION"])
@pytest.mark.parametrize("select", ["FROM", "SELECT count(*) FROM"])
def test_the_same_send_twice_is_refused(bank, sent, union, select) -> None:
    with pytest.raises(duckdb.Error) as caught:
        bank.con.execute(f"{select} {SEND} {union} {select} {SEND}").fetchall()
    error = from_text(str(caught.value))
    assert isinstance(error, ProtocolError)
    assert "twice" in str(error)
    assert not sent()


def test_two_receivers_that_overlap_are_a_channel_twice(bank, sent) -> None:
    other = "exchange_send('shop,mill', 'x', 'FROM t')"
    with pytest.raises(duckdb.Error, match="twice"):
        bank.con.execute(f"FROM {SEND} UNION ALL FROM {other}").fetchall()
    assert not sent()


def test_a_channel_twice_that_is_computed_is_refused(bank, sent) -> None:
    bank.con.execute("SET VARIABLE c = 'x'")
    send = "exchange_send('shop', getvariable('c'), 'FROM t')"
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: .*two on one channel"):
        bank.con.execute(f"FROM {send} UNION ALL FROM {send}").fetchall()


@pytest.mark.parametrize("select", ["SELECT count(*)", "SELECT 1", "SELECT *"])
def test_keys_are_made_and_forgotten(bank, select) -> None:
    for number, call in enumerate(
        ("rsa_keygen('k{}', bits := 2048)", "paillier_keygen('k{}', bits := 2048)")
        + ("joint_keygen('k{}')", "seed_keygen('k{}')")
    ):
        bank.con.execute(f"{select} FROM {call.format(number)}").fetchall()
        assert bank.keyring.info(f"k{number}")
        bank.con.execute(f"{select} FROM key_forget('k{number}')").fetchall()
        assert bank.keyring.list() == []


def audited(con, table: str = "duckpriv_audit") -> list[tuple[str, str]]:
    return con.execute(f"SELECT direction, channel FROM {table} ORDER BY number").fetchall()


def test_the_audit_table_has_what_was_moved_by_hand_at_once(connect) -> None:
    bank, shop = connect("bank"), connect("shop")
    bank.con.execute("CREATE TABLE t AS SELECT 42 AS answer")
    bank.con.execute(f"CALL {SEND}").fetchall()
    assert audited(bank.con) == [("sent", "x")]
    cursor = shop.con.cursor()
    cursor.execute("FROM duckpriv.exchange_recv('bank', 'x')").fetchall()
    assert audited(shop.con) == [("received", "x")]
    shop.con.sql("SELECT 1").fetchall()
    shop.sql("FROM exchange_recv('bank', 'x')").fetchall()  # again: nothing was moved
    assert audited(shop.con) == [("received", "x")]


def test_what_was_sent_stays_in_the_audit_table_when_a_transaction_is_rolled_back(bank) -> None:
    con = bank.con
    con.execute("BEGIN; CREATE TABLE of_mine (i INT)")
    con.execute("CALL exchange_send('shop', 'y', 'FROM t')").fetchall()
    assert audited(con.cursor()) == [("sent", "y")]
    con.execute("ROLLBACK")
    con.execute("BEGIN")
    con.execute(f"CALL {SEND}").fetchall()
    con.execute("COMMIT")
    assert audited(con) == [("sent", "y"), ("sent", "x")]
    bank.close()  # adds nothing


def test_the_chain_is_whole_after_sends_from_several_cursors(bank, together) -> None:
    def send(number: int) -> None:
        bank.con.cursor().execute(
            f"CALL duckpriv.exchange_send('shop', 'c{number}', 'SELECT {number} AS n')"
        ).fetchall()

    assert together(*(lambda n=n: send(n) for n in range(4))) == [None] * 4
    assert sorted(row[5] for row in Audit(bank.con, "bank").entries()) == [
        f"c{n}" for n in range(4)
    ]


def test_a_message_that_no_audit_can_have_is_warned_of(tmp_path, sent, caplog) -> None:
    settings = {"exchange": f"dir:{tmp_path / 'mailbox'}", "keyring": tmp_path / "keys"}
    with duckdb.connect() as con:
        con.execute("CREATE VIEW duckpriv_audit AS SELECT 1 AS x")
        with duckpriv.register(con, me="bank", session="s1", unprotected=True, **settings):
            con.execute("CALL exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall()
    assert sent()
    assert "duckpriv_audit does not have it" in caplog.text


RACE = """
import sys, time
import duckpriv
path, phrase, start, kind = sys.argv[1:]
keyring = duckpriv.Keyring(path, phrase or None)
while time.time() < float(start):
    time.sleep(0.001)
if kind == "secret":
    print(keyring.secret("s1").hex())
elif kind == "journal":
    print(keyring.journal_secret().hex())
elif kind == "kept":
    keyring.keep_secret("s1", bytes(32))
    print(keyring.info("s1").kind)
else:
    try:
        keyring.create_identity("bank")
        print("made")
    except duckpriv.KeyMismatch as error:
        assert "has an identity" in str(error)
        print("refused")
"""


@takes_long
@pytest.mark.parametrize("phrase", ["", *thorough("correct horse battery staple")])
@pytest.mark.parametrize("kind", ["secret", "kept", *thorough("journal", "identity")])
def test_processes_that_begin_together_have_one_secret(tmp_path: Path, kind, phrase) -> None:
    start = str(time.time() + 1.5)
    arguments = [str(tmp_path / "keys"), phrase, start, kind]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, *arguments], stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert all(process.returncode == 0 for process in processes), said
    if kind == "identity":
        assert sorted(said) == ["made", *["refused"] * 5]
    else:
        assert len(said[0]) > 0
        assert set(said) == {said[0]}
    assert not list((tmp_path / "keys").glob(".*"))


def test_threads_with_keyrings_of_their_own_have_one_secret(tmp_path, together) -> None:
    barrier = threading.Barrier(6)

    def secret() -> bytes:
        keyring = duckpriv.Keyring(tmp_path / "keys")
        barrier.wait()
        return keyring.secret("s1")

    assert len(set(together(*[secret] * 6))) == 1


def test_who_was_not_first_undoes_nothing_of_the_others(tmp_path) -> None:
    """A statement that is undone deletes the keys that it made, and only these."""
    first, second = (duckpriv.Keyring(tmp_path / "keys") for _ in range(2))
    write = second.files.write

    def late(file: str, data: bytes) -> None:
        first.secret("s1")
        write(file, data)

    second.files.write = late  # type: ignore[method-assign]
    second.begin("0123456789abcdef", 1)
    assert second.secret("s1") == first.secret("s1")
    second.undo()
    assert duckpriv.Keyring(tmp_path / "keys").secret("s1") == first.secret("s1")
    with pytest.raises(KeyMismatch):
        first.keep_secret("s1", bytes(32))
