"""A journal that others wrote: in a database that somebody gave away, or by a script. It ends in an
error that says what to do; nothing reaches the mailbox, and no other file is deleted."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from duckpriv import ExchangeTimeout, InvalidValue, Keyring, ProtocolError
from duckpriv.errors import DuckprivError
from duckpriv.exchange import Manifest
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.journal import Journal, discard
from duckpriv.scripts import load
from examples.introduction import introduce
from tests.effort import some, takes_long

SECRET = b"name,salary\nalice,12345\n"
REFUSED = "you did not write with this keyring"
RUN = "0123456789abcdef"
SENDS = """-- sends, and waits
CALL seed_keygen('mine');
CALL exchange_send('shop', 'one', 'SELECT 1 AS x');
CALL exchange_send('shop', 'two', 'SELECT i FROM range(5000) t(i)');
CREATE TEMP TABLE w AS SELECT 1 AS x;
SELECT y FROM exchange_recv('shop', 'answer');
"""


def manifest(content: bytes = SECRET, **fields: object) -> str:
    """A manifest as a forger writes it."""
    text = {
        **{"format": "duckpriv-message/3", "session": "s1", "sender": "bank"},
        **{"receiver": "mallory", "channel": "x", "protocol": "", "parameters": ""},
        **{"parameters_sha256": "0" * 64, "columns": [["a", "string"]], "rows": 1},
        **{"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "sealed": None},
    }
    return json.dumps(text | fields)


def forge(
    database: Path, script: str, settings: dict, run: str, made: list[str], mac: bool
) -> None:
    """Write a journal that wants `run`'s file salaries.csv delivered."""
    parsed = load(script)
    values = {**parsed.values(settings), "me": "bank"}
    message = json.dumps({"manifest": manifest(), "file": "salaries.csv"})
    with duckdb.connect(str(database)) as con:
        con.execute(
            "CREATE TABLE duckpriv_runs (run VARCHAR, session VARCHAR, script VARCHAR, "
            "settings VARCHAR, text_sha256 VARCHAR, state VARCHAR, began_at TIMESTAMP, "
            "ended_at TIMESTAMP, messages BIGINT, result BLOB);"
            "CREATE TABLE duckpriv_journal (run VARCHAR, step BIGINT, part BIGINT, round BIGINT, "
            "statement BIGINT, title VARCHAR, finished_at TIMESTAMP, messages VARCHAR[], "
            "made VARCHAR[], removed VARCHAR[], result BLOB)"
        )
        con.execute(
            "INSERT INTO duckpriv_runs VALUES ($1, 's1', $2, $3, $4, 'running', "
            "now()::TIMESTAMP, NULL, 0, NULL)",
            [
                *(run, parsed.name),
                json.dumps({name: str(value) for name, value in sorted(values.items())}),
                parsed.sha256,
            ],
        )
        con.execute(
            "INSERT INTO duckpriv_journal VALUES ($1, 1, 0, 0, 0, 't', now()::TIMESTAMP, $2, $3, "
            "$4, NULL)",
            [run, [message], made, [file.partition(".")[0] for file in made]],
        )
        con.execute(f'CREATE SCHEMA "duckpriv_{run}"')
        if mac:  # of a kind
            for table in ("duckpriv_runs", "duckpriv_journal"):
                con.execute(f"ALTER TABLE {table} ADD COLUMN mac BLOB")
                con.execute(f"UPDATE {table} SET mac = repeat('x', 32)::BLOB")


def command(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("duckpriv")), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def sent(tmp_path) -> Callable[[], set[tuple[str, str]]]:
    """Receivers and channels of what is in the mailbox; no file of it holds the secret."""

    def read() -> set[tuple[str, str]]:
        found = set()
        for file in (tmp_path / "mailbox").rglob("*"):
            assert not file.is_file() or b"alice" not in file.read_bytes(), file
            if file.suffix == ".json" and file.name != "status.json":
                fields = json.loads(file.read_text())
                found.add((fields["receiver"], fields["channel"]))
        return found

    return read


@pytest.fixture
def documents(tmp_path) -> Path:
    """A folder of the victim's."""
    folder = tmp_path / "home" / "documents"
    folder.mkdir(parents=True)
    (folder / "salaries.csv").write_bytes(SECRET)
    (folder / "thesis.txt").write_text("years of work")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@takes_long
@pytest.mark.parametrize("mac", [False, True])
@pytest.mark.parametrize("protected", [False, True])
def test_a_forged_database_gets_no_file(tmp_path, documents, sent, protected, mac) -> None:
    """The command line, a bundled script, and the absolute path of a folder as a run's name."""
    introduce(tmp_path, "bank", "shop")
    settings = {"peer": "shop", "table": "clients", "id": "id"}
    forge(tmp_path / "bank.duckdb", "psi/host", settings, str(documents), [], mac)
    common = ("--db", "bank.duckdb", "--keyring", "bank.keys")
    before = files(documents)
    code, told = command(
        *(tmp_path, "run", "psi/host", *common, "--me", "bank", "--peer", "shop"),
        *("--set", "table=clients", "--set", "id=id", "--exchange", "dir:mailbox"),
        *("--session", "s1", "--timeout", "3", *(() if protected else ("--unprotected",))),
    )
    assert code == 1
    assert REFUSED in told
    assert "runs discard" in told
    code, told = command(tmp_path, "runs", "discard", "s1", "--yes", *common)
    assert (code, told) == (0, "discarded: psi/host\n")
    assert files(documents) == before
    assert sent() == set()


@pytest.mark.parametrize("mac", [False, True])
@pytest.mark.parametrize(
    "name", some(["..", RUN, "", "../home/documents", ".", "absolute", "0123"], 2)
)
def test_a_forged_run_is_refused_whatever_it_is_called(
    connect, tmp_path, documents, sent, name, mac
) -> None:
    script = tmp_path / "own.sql"
    script.write_text("SELECT 1 AS x;")
    database = tmp_path / "bank.duckdb"
    run = str(documents) if name == "absolute" else name
    keyring = Keyring(tmp_path / "bank.keys")
    keyring.create_identity("bank")
    identity = "identity-bank.identity.private"
    forge(database, str(script), {}, run, [identity], mac)
    outbox = tmp_path / "bank.duckdb.outbox" / RUN
    outbox.mkdir(parents=True)
    (outbox / "salaries.csv").write_bytes(SECRET)
    (outbox / f"{'0' * 32}.message").mkdir()
    before = [files(documents), {*tmp_path.glob("*")}]
    with connect("bank", str(database)) as bank:
        for text in ("SELECT 1 AS x;", "SELECT 2 AS x;"):  # as the journal says, and another one
            script.write_text(text)
            with pytest.raises(InvalidValue, match=f"{REFUSED}|with other settings"):
                bank.run(str(script))
        assert discard(bank.con, bank.keyring, "s1") == [str(script)]
        assert discard(bank.con, bank.keyring, "s1") == []
        assert bank.run(str(script)) == [{"x": 2}]
    assert {file.name for file in outbox.iterdir()} == {"salaries.csv", f"{'0' * 32}.message"}
    assert [files(documents), {*tmp_path.glob("*")} - {tmp_path / "mailbox"}] == before
    assert [info.name for info in keyring.list()] == ["identity-bank"]
    assert sent() == set()


def test_a_script_does_not_write_into_the_journal(connect, tmp_path, sent) -> None:
    script = tmp_path / "own.sql"
    bank = connect("bank", str(tmp_path / "bank.duckdb"))
    bank.con.execute("CREATE TABLE customers AS SELECT 'alice' AS name")
    hidden = [
        'UPDATE "DuckPriv_Journal" SET messages = [];',
        "WITH x AS (SELECT 1) DELETE FROM main.duckpriv_runs;",
        "DROP TABLE IF EXISTS duckpriv_audit;",
        "PREPARE p AS INSERT INTO duckpriv_journal (run) VALUES ('x');",
    ]
    for text in hidden:
        script.write_text(f"CREATE TABLE begun AS SELECT 1; {text}")
        with pytest.raises(InvalidValue, match="(?i)a script may read duckpriv_") as raised:
            bank.run(str(script))
        assert "in a query" in str(raised.value)
    names = bank.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert ("begun",) not in names
    script.write_text("SELECT count(*) AS n FROM duckpriv_journal;")
    assert bank.run(str(script)) == [{"n": 0}]
    assert sent() == set()


@pytest.mark.parametrize("column", ["messages", "made", "removed"])
def test_what_a_script_has_written_into_the_journal_is_not_done(
    connect, tmp_path, sent, monkeypatch, column
) -> None:
    """Even if a way to write there were found."""
    monkeypatch.setattr("duckpriv.journal._refuse_writes", lambda script: None)
    database = str(tmp_path / "bank.duckdb")
    Keyring(tmp_path / "bank.keys").create_identity("bank")
    what = {
        "messages": f"json_object('manifest', '{manifest(b'alice')}', 'content', "
        "(SELECT hex(string_agg(name, '')::BLOB) FROM customers))::VARCHAR",
        "made": "'identity-bank.identity.private'",
        "removed": "'identity-bank'",
    }
    script = tmp_path / "own.sql"
    script.write_text(
        "CREATE OR REPLACE TABLE stats AS SELECT count(*) AS n FROM customers;"
        f"UPDATE duckpriv_journal SET {column} = [{what[column]}];"
        "SELECT error('a temporary failure, please run it again');"
    )
    with connect("bank", database) as bank:
        bank.con.execute("CREATE TABLE customers AS SELECT 'alice' AS name")
        with pytest.raises(duckdb.Error, match="a temporary failure"):
            bank.run(str(script))
    for _ in range(2):
        with connect("bank", database) as bank, pytest.raises(InvalidValue, match=REFUSED):
            bank.run(str(script))
    with connect("bank", database) as bank:
        assert discard(bank.con, bank.keyring, "s1") == [str(script)]
        assert [info.name for info in bank.keyring.list()] == ["identity-bank"]
    assert sent() == set()


@pytest.fixture
def waiting(connect, tmp_path, monkeypatch) -> str:
    """A script that was ended while message 'two' was not delivered: of which it waits in the
    outbox."""
    script = tmp_path / "sends.sql"
    script.write_text(SENDS)
    publish = Folder.publish

    def fails(folder: Folder, made: Manifest, *content: object) -> None:
        if made.channel == "two":
            raise OSError(28, "No space left on device")
        publish(folder, made, *content)

    database = str(tmp_path / "bank.duckdb")
    with monkeypatch.context() as patch, connect("bank", database) as bank:
        patch.setattr(Folder, "publish", fails)
        with pytest.raises(DuckprivError, match="No space"):
            bank.run(str(script))
    return str(script)


ALTERED = {
    "an older message again": "UPDATE duckpriv_journal SET messages = (SELECT messages FROM "
    "duckpriv_journal WHERE step = 2) WHERE step = 3",
    "an older row as the last": "INSERT INTO duckpriv_journal BY NAME "
    "(SELECT * REPLACE (4 AS step) FROM duckpriv_journal WHERE step = 2)",
    "rows in another order": "UPDATE duckpriv_journal SET step = 5 - step WHERE step > 1",
    "a row less": "DELETE FROM duckpriv_journal WHERE step = 2",
    "an earlier position": "UPDATE duckpriv_journal SET statement = 0",
    "no MAC": "UPDATE duckpriv_journal SET mac = NULL",
    "no message any more": "UPDATE duckpriv_journal SET messages = []",
    "a finished run": "UPDATE duckpriv_runs SET state = 'finished'",
    "another result": "UPDATE duckpriv_runs SET result = 'x'::BLOB",
    "more messages": "UPDATE duckpriv_runs SET messages = 1",
    "another run's rows": "UPDATE duckpriv_runs SET run = '0123456789abcdef'; "
    "UPDATE duckpriv_journal SET run = '0123456789abcdef'",
    "another session": "UPDATE duckpriv_runs SET session = 's2'",
}


@pytest.mark.parametrize("name", some(ALTERED, 4))
def test_an_altered_journal_does_not_go_on(connect, tmp_path, waiting, sent, name) -> None:
    database = str(tmp_path / "bank.duckdb")
    with duckdb.connect(database) as con:
        con.execute(ALTERED[name])
    session = "s2" if name == "another session" else "s1"
    with (
        connect("bank", database, session=session) as bank,
        pytest.raises(InvalidValue, match=REFUSED),
    ):
        bank.run(waiting)
    assert sent() == {("shop", "one")}


def test_rows_of_one_run_are_not_those_of_another(connect, tmp_path, waiting, sent) -> None:
    database = str(tmp_path / "bank.duckdb")
    other = tmp_path / "other.sql"
    other.write_text("CALL exchange_send('carol', 'c', 'SELECT 1 AS x'); FROM absent;")
    with connect("bank", database) as bank, pytest.raises(duckdb.CatalogException):
        bank.run(str(other))
    with duckdb.connect(database) as con:
        con.execute(
            "CREATE TEMP TABLE ids AS SELECT (SELECT run FROM duckpriv_runs WHERE script = $1) AS "
            "mine, (SELECT run FROM duckpriv_runs WHERE script = $2) AS other",
            [waiting, str(other)],
        )
        con.execute("DELETE FROM duckpriv_journal WHERE run = (SELECT mine FROM ids)")
        con.execute("UPDATE duckpriv_journal SET run = (SELECT mine FROM ids)")
    with connect("bank", database) as bank, pytest.raises(InvalidValue, match=REFUSED):
        bank.run(waiting)
    assert sent() == {("shop", "one"), ("carol", "c")}


def test_another_keyring_has_not_written_the_journal(connect, tmp_path, waiting, sent) -> None:
    database = str(tmp_path / "bank.duckdb")
    with (
        connect("bank", database, keyring=tmp_path / "other.keys") as bank,
        pytest.raises(InvalidValue, match=REFUSED),
    ):
        bank.run(waiting)
    assert sent() == {("shop", "one")}


def test_a_file_that_was_exchanged_in_the_outbox_is_not_delivered(
    connect, tmp_path, documents, waiting, sent
) -> None:
    (message,) = (tmp_path / "bank.duckdb.outbox").glob("*/*")
    database = str(tmp_path / "bank.duckdb")
    content = message.read_bytes()
    for exchange in (lambda: message.write_bytes(SECRET), lambda: link(message, documents)):
        exchange()
        with (
            connect("bank", database) as bank,
            pytest.raises(ProtocolError, match="altered in the outbox|in the outbox any more"),
        ):
            bank.run(waiting)
        assert sent() == {("shop", "one")}
        message.unlink(missing_ok=True)
    assert (documents / "salaries.csv").read_bytes() == SECRET
    # As it was, it is delivered; what is not ours stays.
    message.write_bytes(content)
    foreign = message.with_name("thesis.txt")
    foreign.write_text("years of work")
    (message.with_name(f"{'1' * 32}.message")).write_bytes(b"of a statement that was undone")
    with connect("bank", database, timeout=0.2) as bank, pytest.raises(ExchangeTimeout):
        bank.run(waiting)
    assert sent() == {("shop", "one"), ("shop", "two")}
    assert [*message.parent.iterdir()] == [foreign]
    with connect("bank", database) as bank:
        assert discard(bank.con, bank.keyring, "s1") == [waiting]
        assert bank.keyring.list() == []
    assert [*message.parent.iterdir()] == [foreign]


def link(message: Path, documents: Path) -> None:
    message.symlink_to(documents / "salaries.csv")


FOREIGN = {
    "sender": {"sender": "carol"},
    "session": {"session": "s0"},
    "signature": {},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_only_own_messages_are_delivered_again(connect, tmp_path, sent, monkeypatch, name) -> None:
    """Even if the MAC of a row were right."""
    introduce(tmp_path, "bank", "shop")
    held = [
        json.dumps({"manifest": manifest(b"x", **FOREIGN[name]), "content": b"x".hex()}),
    ]
    running = Journal.running

    def forged(journal: Journal):
        journal._held = held
        return running(journal)

    monkeypatch.setattr(Journal, "running", forged)
    script = tmp_path / "own.sql"
    script.write_text("SELECT 1 AS x;")
    with (
        connect("bank", unprotected=name != "signature") as bank,
        pytest.raises(ProtocolError, match="is not one that bank made and signed"),
    ):
        bank.run(str(script))
    assert sent() == set()


def test_no_function_reads_or_deletes_the_journals_secret(connect, tmp_path) -> None:
    bank = connect("bank", str(tmp_path / "bank.duckdb"))
    script = tmp_path / "own.sql"
    script.write_text("SELECT 1 AS x;")
    bank.run(str(script))
    secret = bank.keyring.journal_secret()
    with pytest.raises(duckdb.Error, match="no key 'journal'"):
        bank.con.execute("CALL key_forget('journal')").fetchall()
    bank.con.execute("CALL seed_keygen('journal')").fetchall()
    assert Keyring(tmp_path / "bank.keys").journal_secret() == secret
