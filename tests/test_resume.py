"""Runs that are killed, and the same command again: the result is that of a run in one piece."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import duckpriv
from duckpriv import (
    DuckprivError,
    ExchangeTimeout,
    InvalidValue,
    MessageRejected,
    NotAccepted,
    ProtocolError,
)
from duckpriv.audit import Audit
from duckpriv.exchange.mailbox.folder import Folder as Folder_
from duckpriv.journal import Journal, discard, runs
from examples.introduction import introduce
from tests.effort import THOROUGH, some, takes_long, thorough
from tests.killed import MOMENTS
from tests.network import free_port
from tests.parties import Folder, assert_nothing_left

IDS = {"host": [f"c{i}" for i in range(0, 30)], "guest": [f"c{i}" for i in range(20, 50)]}


def run_killed(
    folder: Folder,
    session: str,
    parties: dict[str, tuple[str, dict]],
    server: str | None = None,
    **how,
) -> dict:
    """Run parties, each in a process that is killed and started again; return how often it died.

    With a `server`, the others reach its mailbox over the network.
    """
    processes = {}
    address = f"grpc+tls://localhost:{free_port()}"
    for me, (script, settings) in parties.items():
        base = folder.folder
        mailbox = f"dir:{base / 'mailbox'}"
        task = {
            "connect": {
                "database": str(base / f"{me}.duckdb"),
                "me": me,
                "exchange": mailbox if server in (None, me) else address,
                "serve": address if server == me else None,
                "keyring": str(base / f"{me}.keys"),
                "session": session,
                "timeout": 120,
                "unprotected": server is None,
            },
            "script": script,
            "settings": settings,
            "sent": str(base / "mailbox" / session / me),
            "notes": str(base / f"{me}-{session}.notes"),
            **how,
        }
        file = base / f"{me}-{session}.json"
        file.write_text(json.dumps(task))
        processes[me] = subprocess.Popen(
            [sys.executable, "-m", "tests.killed", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    told = {me: process.communicate(timeout=300)[0] for me, process in processes.items()}
    assert all(process.returncode == 0 for process in processes.values()), told
    return {me: json.loads(text.splitlines()[-1])["deaths"] for me, text in told.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    for me, ids in IDS.items():
        folder.make_table(me, pa.table({"id": ids, "x": np.arange(30.0)}))
    return folder


MATCHING = {
    "host": ("psi/host", {"peer": "guest", "table": "t", "id": "id", "bits": 2048}),
    "guest": ("psi/guest", {"peer": "host", "table": "t", "id": "id"}),
}


def assert_matched(folder: Folder) -> None:
    query = "SELECT id, pid FROM alignment ORDER BY id"
    host, guest = (dict(folder.query(me, query)) for me in ("host", "guest"))
    assert sorted(host) == sorted(IDS["host"])
    assert sorted(guest) == sorted(set(IDS["host"]) & set(IDS["guest"]))
    assert guest.items() <= host.items()


@takes_long
def test_matching_survives_a_kill_in_every_statement(folder) -> None:
    """At one moment of each, chosen at random; at every moment in make test-all."""
    per_statement = len(MOMENTS) if THOROUGH else 1
    deaths = run_killed(folder, "s1", MATCHING, moments=MOMENTS, per_statement=per_statement)
    assert min(deaths.values()) > 7 * per_statement
    assert_matched(folder)
    died: set[str] = set()
    for me in MATCHING:
        assert_nothing_left(folder, me)
        moved = folder.query(me, "SELECT direction, channel FROM duckpriv_audit ORDER BY ALL")
        assert len(moved) == len(set(moved)) == 5  # no message is noted twice
        notes = (folder.folder / f"{me}-s1.notes").read_text().splitlines()
        died |= {note.partition(" ")[2] for note in notes}
    assert died == set(MOMENTS)


def test_matching_survives_kills_at_random(folder) -> None:
    deaths = 12 if THOROUGH else 3
    run_killed(folder, "s1", MATCHING, seconds=[0.05, 0.8], deaths=deaths)
    assert_matched(folder)


@takes_long
@pytest.mark.parametrize("server", ["host", *thorough("guest")])
def test_matching_over_the_network_survives_kills_at_random(folder, server) -> None:
    introduce(folder.folder, "host", "guest")
    deaths = 12 if THOROUGH else 2
    run_killed(folder, "s1", MATCHING, server, seconds=[0.3, 1.2], deaths=deaths)
    assert_matched(folder)
    for me in MATCHING:
        assert_nothing_left(folder, me)


@takes_long
def test_three_parties_over_the_network(tmp_path: Path) -> None:
    data = training_data(tmp_path)
    introduce(tmp_path, "host", "guest", "helper")
    run_killed(data, "net", WITH_HELPER, "host")
    found = dict(weights(data, "host") + weights(data, "guest"))
    rows = [data.query(me, "SELECT * EXCLUDE (id) FROM t ORDER BY id") for me in ("host", "guest")]
    host, guest = (np.array(part) for part in rows)
    x, y = np.column_stack([host[:, :2], guest]), host[:, 2]
    x = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0)])
    plain = np.zeros(5)
    for _ in range(STEPS["iterations"]):
        plain -= 0.5 * x.T @ (1 / (1 + np.exp(-x @ plain)) - y) / len(y)
    assert [found[name] for name in ("x0", "x1", "x2", "x3")] == pytest.approx(plain[1:], abs=1e-3)


def weights(folder: Folder, me: str) -> list:
    return folder.query(me, "SELECT feature, weight FROM model ORDER BY feature")


def plain_and_killed(folder: Folder, parties: dict, **how) -> dict:
    """Train in one piece, then with kills; return the weights of both trainings and the deaths."""
    found = {}
    for session, moments in (("plain", {}), ("killed", how)):
        found["deaths"] = run_killed(folder, session, parties, **moments)
        found[session] = {me: weights(folder, me) for me in parties if me != "helper"}
    return found


def training_data(folder: Path) -> Folder:
    rng = np.random.default_rng(1)
    data = Folder(folder)
    x, ids = rng.normal(size=(40, 4)), np.arange(40)
    y = (x.sum(axis=1) > 0).astype(int)
    data.make_table("host", pa.table({"id": ids, "x0": x[:, 0], "x1": x[:, 1], "y": y}))
    data.make_table("guest", pa.table({"id": ids, "x2": x[:, 2], "x3": x[:, 3]}))
    data.query("helper", "SELECT 1")
    return data


JOINT = {
    **{"table": "t", "id": "id", "iterations": 2, "loss_every": 1, "start": "zero"},
    **{"noise": 0, "accept_disclosure": "yes"},
}
TRAINING = {
    "host": ("lr_joint_key/host", {**JOINT, "peer": "guest", "label": "y"}),
    "guest": ("lr_joint_key/guest", {**JOINT, "peer": "host"}),
}


@takes_long
def test_a_training_survives_kills_in_its_statements(tmp_path: Path) -> None:
    """In one of sixteen; in every one in make test-all."""
    folder = training_data(tmp_path)
    per_statement = 1 if THOROUGH else 1 / 16
    found = plain_and_killed(folder, TRAINING, moments=MOMENTS, per_statement=per_statement)
    assert min(found["deaths"].values()) > 50 * per_statement
    for me in TRAINING:
        for (name, weight), (other, again) in zip(
            found["plain"][me], found["killed"][me], strict=True
        ):
            assert name == other
            assert again == pytest.approx(weight, abs=1e-5)
        assert_nothing_left(folder, me)


WAITS = """-- waits in the middle
-- set what = thing  something
SET VARIABLE big = 170141183460469231731687303715884105727::HUGEINT;
SET VARIABLE many = [{'a': 1.5, 'b': ['x', NULL]}];
SET VARIABLE nothing = NULL;
SET VARIABLE id = '00112233-4455-4677-8899-aabbccddeeff'::UUID;
SET threads = 1;

-- a working table
CREATE OR REPLACE TEMP TABLE drawn AS SELECT random() AS x, getvariable('what') AS what;
SET VARIABLE x = (SELECT x FROM drawn);
CALL seed_keygen('once');
CALL exchange_send('shop', 'drawn', 'FROM drawn');

-- the answer
INSERT INTO drawn SELECT y, 'theirs' FROM exchange_recv('shop', 'answer');
SET VARIABLE nothing = 'is something';

-- result
SELECT count(*) AS n, max(x) FILTER (what <> 'theirs') = getvariable('x') AS same,
       getvariable('many') AS many,
       typeof(getvariable('big')) || typeof(getvariable('id')) AS types,
       current_setting('threads') AS threads
FROM drawn;
"""
EXPECTED = {"n": 2, "same": True, "many": [{"a": 1.5, "b": ["x", None]}]}
EXPECTED |= {"types": "HUGEINTUUID", "threads": 1}


@pytest.fixture
def waits(tmp_path) -> str:
    file = tmp_path / "waits.sql"
    file.write_text(WAITS)
    return str(file)


def start_and_time_out(connect, waits: str):
    bank = connect("bank", timeout=0.2)
    with pytest.raises(ExchangeTimeout):
        bank.run(waits, what="some")
    return bank


def answer(connect) -> None:
    connect("shop").con.execute(
        "CALL exchange_send('bank', 'answer', 'SELECT 7.0 AS y')"
    ).fetchall()


def test_a_run_goes_on_with_its_tables_and_variables(connect, waits, tmp_path) -> None:
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database, timeout=0.2) as bank, pytest.raises(ExchangeTimeout):
        bank.run(waits, what="some")
    answer(connect)
    again = connect("bank", database)
    resumed: list = []
    found = again.run(waits, what="some", on_resume=lambda *what: resumed.append(what))
    assert resumed == [(3, False)]
    assert found == [EXPECTED]
    assert again.run(waits, what="some", on_resume=lambda *what: resumed.append(what)) == found
    assert resumed[1:] == [(0, True)]
    assert again.con.execute("SELECT getvariable('x')").fetchall() == [(None,)]


def test_other_settings_do_not_go_on(connect, waits) -> None:
    bank = start_and_time_out(connect, waits)
    with pytest.raises(InvalidValue, match="with other settings"):
        bank.run(waits, what="another")
    Path(waits).write_text(WAITS + "SELECT 1;")
    with pytest.raises(InvalidValue, match="another version of the script"):
        bank.run(waits, what="some")


def test_a_message_that_was_exchanged_in_between_is_refused(connect, tmp_path) -> None:
    script = tmp_path / "reads.sql"
    script.write_text(
        "SELECT y FROM exchange_recv('shop', 'answer');"
        "SELECT y FROM exchange_recv('shop', 'more');"
        "SELECT y FROM exchange_recv('shop', 'answer');"
    )
    database = str(tmp_path / "bank.duckdb")
    answer(connect)
    with connect("bank", database, timeout=0.2) as bank, pytest.raises(ExchangeTimeout):
        bank.run(str(script))
    with connect("shop") as shop:
        shop.con.execute("CALL exchange_send('bank', 'more', 'SELECT 1 AS y')").fetchall()
    for file in (tmp_path / "mailbox/s1/shop/bank").glob("answer.*"):
        file.unlink()
    answer_again = "CALL exchange_send('bank', 'answer', 'SELECT 8.0 AS y')"
    connect("shop").con.execute(answer_again).fetchall()
    with connect("bank", database) as bank, pytest.raises(MessageRejected, match="exchanged it"):
        bank.run(str(script))


def test_a_run_that_sent_nothing_begins_anew(connect, tmp_path) -> None:
    script = tmp_path / "fails.sql"
    script.write_text("CALL seed_keygen('once'); CREATE TEMP TABLE d AS SELECT 1; FROM absent;")
    bank = connect("bank", str(tmp_path / "bank.duckdb"))
    for _ in range(2):
        with pytest.raises(duckdb.CatalogException):
            bank.run(str(script))
        assert bank.keyring.list() == []
        schemas = bank.con.execute("SELECT DISTINCT schema_name FROM duckdb_schemas()").fetchall()
        assert not [name for (name,) in schemas if name.startswith("duckpriv_")]
    script.write_text("CREATE OR REPLACE TABLE made AS SELECT random() AS x; FROM made;")
    assert bank.run(str(script)) != bank.run(str(script))


def test_discarded_runs_leave_nothing_and_send_nothing_again(connect, waits, tmp_path) -> None:
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database, timeout=0.2) as bank:
        with pytest.raises(ExchangeTimeout):
            bank.run(waits, what="some")
        assert [run["state"] for run in runs(bank.con)] == ["running"]
        assert discard(bank.con, bank.keyring, "s1") == [waits]
        assert discard(bank.con, bank.keyring, "s1") == []
        assert bank.keyring.list() == []
        assert [run["state"] for run in runs(bank.con)] == ["discarded"]
    # Not even where the carrier has forgotten the message.
    shutil.rmtree(tmp_path / "mailbox")
    with connect("bank", database) as bank, pytest.raises(ProtocolError, match="already sent"):
        bank.run(waits, what="some")


LARGE = "CALL exchange_send('shop', 'large', 'SELECT i FROM range(50000) t(i)'); SELECT 1 AS x;"


def test_what_is_committed_is_delivered_after_any_failure(connect, tmp_path, monkeypatch) -> None:
    """Also where delivery fails twice, and where a COMMIT fails that has committed."""
    script = tmp_path / "large.sql"
    script.write_text(LARGE)
    database = str(tmp_path / "bank.duckdb")
    publish = Folder_.publish

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder_, "publish", full)
    for _ in range(2):
        with connect("bank", database) as bank, pytest.raises(DuckprivError, match="No space"):
            bank.run(str(script))
    monkeypatch.setattr(Folder_, "publish", publish)
    with connect("bank", database) as bank:
        assert bank.run(str(script)) == [{"x": 1}]
    query = "SELECT count(*) FROM exchange_recv('bank', 'large')"
    assert connect("shop").con.execute(query).fetchall() == [(50000,)]


class Interrupted:
    """A connection whose COMMIT, or another query, works and raises, as after a late interrupt; or,
    with `times`, does not work so often, and raises."""

    def __init__(self, con, query: str = "COMMIT", times: int | None = None) -> None:
        self.con, self.query, self.times = con, query, times

    def __getattr__(self, name: str):
        return getattr(self.con, name)

    def execute(self, query: str, *values):
        if query == self.query and self.times:
            self.times -= 1
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        result = self.con.execute(query, *values)
        if query == self.query and self.times is None:
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return result


def interrupted(bank, monkeypatch, *how) -> None:
    """Let the journals of a party work with a connection that is `Interrupted`."""
    execute, con = Journal.execute, Interrupted(bank.con, *how)

    def executing(journal, *what):
        journal._con = con
        return execute(journal, *what)

    monkeypatch.setattr(Journal, "execute", executing)


def test_a_rollback_that_is_interrupted_is_repeated(connect, tmp_path, monkeypatch) -> None:
    script = tmp_path / "fails.sql"
    script.write_text("CREATE TEMP TABLE d AS SELECT 1 AS x; SELECT error('mine') FROM d;")
    bank = connect("bank", str(tmp_path / "bank.duckdb"))
    interrupted(bank, monkeypatch, "ROLLBACK", 2)
    with pytest.raises(duckdb.InvalidInputException, match="mine"):
        bank.run(str(script))
    assert bank.con.execute("SELECT 1").fetchall() == [(1,)]


def test_a_commit_that_raises_and_has_committed(connect, tmp_path) -> None:
    script = tmp_path / "large.sql"
    script.write_text("CALL seed_keygen('mine'); " + LARGE)
    database = str(tmp_path / "bank.duckdb")

    for _ in range(3):
        with connect("bank", database) as bank, pytest.MonkeyPatch.context() as patch:
            interrupted(bank, patch)
            with pytest.raises(duckdb.InterruptException):
                bank.run(str(script))
    with connect("bank", database) as bank:
        bank.run(str(script))
        assert [info.name for info in bank.keyring.list()] == ["mine"]
    query = "SELECT count(*) FROM exchange_recv('bank', 'large')"
    assert connect("shop").con.execute(query).fetchall() == [(50000,)]


def test_a_table_made_in_between_does_not_replace_a_working_table(connect, tmp_path) -> None:
    script = tmp_path / "script.sql"
    script.write_text(
        "CREATE /* c */ TEMP TABLE w AS SELECT 'meant' AS x;"
        "SELECT y FROM exchange_recv('shop', 'answer');"
        "CALL exchange_send('shop', 'w', 'FROM w');"
    )
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database, timeout=0.2) as bank:
        with pytest.raises(ExchangeTimeout):
            bank.run(str(script))
        bank.con.execute("CREATE TABLE w AS SELECT 'private' AS x")
    answer(connect)
    with connect("bank", database) as bank:
        with pytest.raises(InvalidValue, match='needs a working table "w"'):
            bank.run(str(script))
        bank.con.execute("DROP TABLE w")
        bank.run(str(script))
    received = connect("shop").con.execute("FROM exchange_recv('bank', 'w')").fetchall()
    assert received == [("meant",)]


def test_by_hand_too_a_channel_carries_one_message(connect, tmp_path, monkeypatch) -> None:
    script = tmp_path / "send.sql"
    script.write_text("CALL exchange_send('shop', 'x', 'SELECT 1 AS x');")
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database) as bank:
        bank.run(str(script))
    shutil.rmtree(tmp_path / "mailbox")
    again = "CALL exchange_send('shop', 'x', 'SELECT 2 AS x')"
    with connect("bank", database) as bank:
        with pytest.raises(duckdb.Error, match="already sent"):
            bank.con.execute(again)
        with pytest.raises(duckdb.Error, match="named twice"):
            bank.con.execute("CALL exchange_send('shop,shop', 'y', 'SELECT 2 AS x')")
        publish = Folder_.publish
        monkeypatch.setattr(Folder_, "publish", lambda *_: 1 / 0)
        with pytest.raises(duckdb.Error):
            bank.con.execute("CALL exchange_send('shop', 'y', 'SELECT 3 AS x')")
        monkeypatch.setattr(Folder_, "publish", publish)
        bank.con.execute("CALL exchange_send('shop', 'z', 'SELECT 4 AS x')").fetchall()
        sent = {file.name for file in (tmp_path / "mailbox").rglob("*.json")}
        assert sent == {"z.json"}


KILLED_AT_A_LINK = """
import os, signal, sys, duckpriv
base, script, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
link, links = os.link, []
def dying(source, target):
    links.append(target)
    if len(links) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    link(source, target)
os.link = dying
with duckpriv.connect(f"{base}/bank.duckdb", me="bank", exchange=f"dir:{base}/mailbox",
                      keyring=f"{base}/bank.keys", session="s1", unprotected=True) as party:
    party.run(script)
"""


@pytest.mark.parametrize("last", some([2, 1], 1))
@pytest.mark.parametrize("then", ["run", "discard"])
def test_a_kill_while_a_key_is_written_leaves_nothing_of_it(
    connect, tmp_path, last: int, then: str
) -> None:
    """At the first link the journal's secret is written but not yet there, at the second a key."""
    script = tmp_path / "makes.sql"
    script.write_text("CALL seed_keygen('mine'); CALL exchange_send('shop', 'x', 'SELECT 1 AS x');")
    killed = [sys.executable, "-c", KILLED_AT_A_LINK, str(tmp_path), str(script), str(last)]
    assert subprocess.run(killed).returncode == -signal.SIGKILL
    keys = tmp_path / "bank.keys"
    assert len(list(keys.glob(".*.partial"))) == 1
    with connect("bank", str(tmp_path / "bank.duckdb")) as bank:
        if then == "run":
            bank.run(str(script))
        else:
            discard(bank.con, bank.keyring, "s1")
            bank.keyring.journal_secret()
    made = ["journal.private", "mine.seed.private"] if then == "run" else ["journal.private"]
    assert sorted(file.name for file in keys.iterdir()) == made


def test_a_kill_behind_the_last_statement_leaves_no_folder(connect, tmp_path) -> None:
    script = tmp_path / "send.sql"
    script.write_text("CALL exchange_send('shop', 'x', 'SELECT 1 AS x');")
    database = tmp_path / "bank.duckdb"
    with connect("bank", str(database)) as bank:
        bank.run(str(script))
        ((run,),) = bank.con.execute("SELECT run FROM duckpriv_runs").fetchall()
    folder = tmp_path / "bank.duckdb.outbox" / run
    folder.mkdir(parents=True)  # as it is until a finished run's process ends
    with connect("bank", str(database)) as bank:
        bank.run(str(script))
    assert not folder.parent.exists()


def test_two_parties_on_one_connection_keep_one_chain(tmp_path) -> None:
    con = duckdb.connect()
    script = tmp_path / "send.sql"
    script.write_text("CALL exchange_send('shop', 'x', 'SELECT 1 AS x');")
    common = {"me": "bank", "exchange": f"dir:{tmp_path / 'm'}", "keyring": tmp_path / "k"}
    first = duckpriv.register(con, session="s1", unprotected=True, **common)
    first.run(str(script))
    con.execute("CALL exchange_send('shop', 'by-hand', 'SELECT 1 AS x')").fetchall()
    second = duckpriv.register(con, session="s2", unprotected=True, **common)
    second.run(str(script))
    first.close()
    second.close()
    assert len(Audit(con).entries()) == 3


def test_a_run_is_of_one_party(connect, waits, tmp_path) -> None:
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database, timeout=0.2) as bank, pytest.raises(ExchangeTimeout):
        bank.run(waits, what="some")
    with connect("carol", database) as carol, pytest.raises(InvalidValue, match="other settings"):
        carol.run(waits, what="some")


def test_settings_that_send(connect, tmp_path) -> None:
    script = tmp_path / "set.sql"
    script.write_text(
        "SET VARIABLE n = (SELECT rows FROM exchange_send('shop', 'x', 'SELECT 1 AS x'));"
    )
    with connect("bank", str(tmp_path / "bank.duckdb")) as bank:
        bank.run(str(script))
    assert connect("shop").con.execute("FROM exchange_recv('bank', 'x')").fetchall() == [(1,)]
    script.write_text(
        "SELECT 1;\n-- part never if (SELECT rows FROM exchange_send('shop', 'y', "
        "'SELECT 1 AS x')) = 2\nSELECT 2;"
    )
    with pytest.raises(NotAccepted, match="'y' to shop .* may send nothing"):
        connect("bank").run(str(script))


def test_scripts_that_a_journal_cannot_keep(connect, tmp_path) -> None:
    script = tmp_path / "bad.sql"
    script.write_text("BEGIN; SELECT 1; COMMIT;")
    with pytest.raises(InvalidValue, match="each statement is a transaction of its own"):
        connect("bank").run(str(script))
    script.write_text("CREATE TEMP TABLE mine AS SELECT 1 AS x;")
    bank = connect("bank")
    for kind in ("TABLE", "VIEW", "TEMP TABLE", "TEMP VIEW"):
        bank.con.execute(f"CREATE {kind} Mine AS SELECT 2 AS x")
        with pytest.raises(InvalidValue, match='needs a working table "mine"'):
            bank.run(str(script))
        bank.con.execute(f"DROP {kind.removeprefix('TEMP ')} Mine")
    bank.run(str(script))


def test_every_way_to_write_a_working_table(connect, tmp_path) -> None:
    script = tmp_path / "kinds.sql"
    script.write_text(
        'create temporary table "a ""b" as select 1 as x; insert into "a ""b" values (2);'
        'CREATE TEMP VIEW v AS SELECT sum(x) AS s FROM "a ""b";'
        "CREATE TEMP MACRO twice(n) AS 2 * n; CREATE TEMP TABLE IF NOT EXISTS t (n BIGINT);"
        "INSERT INTO t FROM v; UPDATE t SET n = twice(n); CREATE TABLE kept AS FROM t; FROM kept;"
    )
    bank = connect("bank")
    assert bank.run(str(script)) == [{"n": 6}]
    tables = bank.con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
    assert ("main", "kept") in tables
    assert not [name for _, name in tables if name in ("t", 'a "b')]


HELPED = {"host": "host", "guests": "guest", "helper": "helper"}
STEPS = {**HELPED, "table": "t", "id": "id", "iterations": 3, "batch": 40}  # no random batches
STEPS |= {"noise": 0, "accept_disclosure": "yes"}
WITH_HELPER = {
    "host": ("lr_helper/host", {**STEPS, "label": "y"}),
    "guest": ("lr_helper/guest", STEPS),
    "helper": ("lr_helper/helper", HELPED),
}


@pytest.mark.skipif(not THOROUGH, reason="takes minutes: make test-all")
def test_a_training_with_a_helper_survives_kills(tmp_path: Path) -> None:
    folder = training_data(tmp_path)
    found = plain_and_killed(folder, WITH_HELPER, moments=MOMENTS, per_statement=1)
    assert min(found["deaths"].values()) > 40
    for me in ("host", "guest"):
        for (name, weight), (other, again) in zip(
            found["plain"][me], found["killed"][me], strict=True
        ):
            assert name == other
            assert again == pytest.approx(weight, abs=1e-3)
    for me in WITH_HELPER:
        assert_nothing_left(folder, me)


def test_a_variable_set_behind_a_quick_statement_is_not_set_twice(connect, tmp_path) -> None:
    """SET threads commits what the round has done so far, the variable with it."""
    script = tmp_path / "counts.sql"
    script.write_text(
        "SET VARIABLE i = 0; CREATE TEMP TABLE seen (i INTEGER);\n"
        "CALL exchange_send('shop', 'begun', 'SELECT 1 AS x');\n"
        "-- part round while getvariable('i') < 1\n"
        "INSERT INTO seen VALUES (getvariable('i'));\n"
        "SET VARIABLE i = getvariable('i') + 1;\n"
        "SET threads = 1;\n"
        "INSERT INTO seen SELECT y FROM exchange_recv('shop', 'answer');\n"
        "-- part end\n"
        "SELECT getvariable('i') AS i, count(*) AS n FROM seen;\n"
    )
    database = str(tmp_path / "bank.duckdb")
    with connect("bank", database, timeout=0.2) as bank, pytest.raises(ExchangeTimeout):
        bank.run(str(script))
    answer(connect)
    with connect("bank", database) as bank:
        assert bank.run(str(script)) == [{"i": 1, "n": 2}]
