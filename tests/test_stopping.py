"""Waiting can always be ended: by interrupt(), by Ctrl-C wherever the waiting is, by `cancel` and
by `close`. Timeouts are an hour here: what hangs fails."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import duckdb
import numpy as np
import pytest

import duckpriv
from duckpriv import stopping
from duckpriv.columns import context
from duckpriv.columns.context import Activity
from duckpriv.crypto.parallel import cores, map_rows
from duckpriv.errors import Cancelled, InvalidValue, from_text
from tests.effort import thorough
from tests.network import free_port
from tests.parties import Folder

RECEIVE = "FROM duckpriv.exchange_recv('shop', 'x')"
NOTICES = duckdb.__version__ >= "2"  # DuckDB 1.5 looks at an interrupt only between its own steps


class Black:
    """What takes connections and says nothing."""

    def __init__(self) -> None:
        import socket

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"grpc+tls://127.0.0.1:{self.socket.getsockname()[1]}"


@pytest.fixture
def black():
    hole = Black()
    yield hole
    hole.socket.close()


@pytest.fixture
def mailbox(request, tmp_path, black):
    return {
        "folder": f"dir:{tmp_path / 'mailbox'}",
        "nobody there": f"grpc+tls://127.0.0.1:{free_port()}",
        "no answer": black.address,
    }[request.param]


@pytest.fixture
def party(mailbox, tmp_path):
    keyring = duckpriv.Keyring(tmp_path / "keys")
    keyring.create_identity("bank")
    peer = duckpriv.Keyring(tmp_path / "peer").create_identity("shop")
    keyring.trust(peer, peer.fingerprint)
    with duckpriv.connect(
        me="bank", exchange=mailbox, keyring=keyring.path, session="s1", timeout=3600
    ) as party:
        yield party


def ended(party: duckpriv.Party, work, end) -> BaseException:
    """Begin `work` in a thread; call `end` once it waits; return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while party.activity.waiting_for is None and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)
    end()
    thread.join(60)
    assert not thread.is_alive(), "it waits on"
    (error,) = raised
    return error


WAYS = {
    "receive": lambda party: party.con.execute(RECEIVE),
    "receive all": lambda party: party.con.execute(RECEIVE.replace("recv", "recv_all")),
    "cursor": lambda party: party.con.cursor().execute(RECEIVE),
    "relation": lambda party: party.sql(RECEIVE).fetchall(),
}
EVERYWHERE = pytest.mark.parametrize(
    "mailbox", ["folder", "nobody there", "no answer"], indirect=True
)
IN_A_FOLDER = pytest.mark.parametrize("mailbox", ["folder"], indirect=True)


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS)
def test_cancel_ends_a_wait(party, way) -> None:
    error = ended(party, lambda: WAYS[way](party), party.cancel)
    known = error if isinstance(error, Cancelled) else from_text(str(error))
    assert isinstance(error, duckdb.InterruptException) or isinstance(known, Cancelled)
    assert party.con.execute("SELECT 42").fetchall() == [(42,)]


@pytest.mark.skipif(not NOTICES, reason="DuckDB 1.5 does not notice an interrupt here")
@EVERYWHERE
@pytest.mark.parametrize("cursor", [False, True])
def test_interrupt_ends_a_wait(party, cursor) -> None:
    con = party.con.cursor() if cursor else party.con
    error = ended(party, lambda: con.execute(RECEIVE), con.interrupt)
    assert isinstance(error, duckdb.InterruptException)
    assert con.execute("SELECT 42").fetchall() == [(42,)]


@pytest.mark.skipif(not NOTICES, reason="DuckDB 1.5 does not notice an interrupt here")
@pytest.mark.parametrize("mailbox", ["nobody there", "no answer"], indirect=True)
@pytest.mark.parametrize("rows", [1, 300_000])
def test_interrupt_ends_a_send(party, rows) -> None:
    sql = f"CALL exchange_send('shop', 'x', 'SELECT random() AS r FROM range({rows})')"
    error = ended(party, lambda: party.con.execute(sql), party.con.interrupt)
    assert isinstance(error, duckdb.InterruptException)
    assert party.con.execute("SELECT 42").fetchall() == [(42,)]


@EVERYWHERE
def test_cancel_ends_a_script(party, tmp_path) -> None:
    script = tmp_path / "waits.sql"
    script.write_text("SELECT count(*) FROM exchange_recv('shop', 'x');")
    error = ended(party, lambda: party.run(str(script)), party.cancel)
    assert isinstance(error, Cancelled)
    assert not party._context.cancelled.is_set()
    assert party.con.execute("SELECT 42").fetchall() == [(42,)]


@pytest.mark.parametrize("mailbox", ["no answer"], indirect=True)
def test_cancel_ends_a_scripts_send(party, tmp_path) -> None:
    """The mailbox hangs when the message is to leave, behind the statement."""
    script = tmp_path / "sends.sql"
    script.write_text("CALL exchange_send('shop', 'x', 'SELECT 1 AS x');")
    party._exchange.mailbox.statuses = lambda session: {}
    party._exchange.mailbox.set_status = lambda *_: None
    assert isinstance(ended(party, lambda: party.run(str(script)), party.cancel), Cancelled)


@IN_A_FOLDER
def test_a_script_goes_on_after_it_was_cancelled(party, tmp_path) -> None:
    script = tmp_path / "waits.sql"
    script.write_text("SELECT count(*) AS n FROM exchange_recv('shop', 'x', 'x INTEGER');")
    assert isinstance(ended(party, lambda: party.run(str(script)), party.cancel), Cancelled)
    with duckpriv.connect(
        me="shop",
        exchange=party._exchange.mailbox.address.join(["dir:", ""]),
        keyring=tmp_path / "peer",
        session="s1",
    ) as shop:
        own = party.keyring.identity("bank").public
        shop.keyring.trust(own, own.fingerprint)
        shop.con.execute("CALL exchange_send('bank', 'x', 'SELECT 1 AS x')").fetchall()
    assert party.run(str(script)) == [{"n": 1}]


@IN_A_FOLDER
def test_cancel_ends_a_statement_without_functions_too(party) -> None:
    sql = "SELECT count(*) FROM range(1000000000) a, range(100000) b WHERE hash(a.range) = 3"
    party.activity.wait_for("nothing")
    error = ended(party, lambda: party.con.execute(sql).fetchall(), party.cancel)
    assert isinstance(error, duckdb.InterruptException)


@IN_A_FOLDER
def test_cancel_without_work_has_no_effect(party) -> None:
    party.cancel()
    assert party.con.execute("SELECT count(*) FROM range(100000)").fetchall() == [(100_000,)]
    party.con.execute("CALL exchange_send('shop', 'y', 'SELECT 1 AS x')").fetchall()


@EVERYWHERE
def test_close_ends_a_wait(party) -> None:
    cursor = party.con.cursor()
    error = ended(party, lambda: cursor.execute(RECEIVE), party.close)
    assert isinstance(from_text(str(error)), Cancelled)


CTRL_C = """
import asyncio, concurrent.futures, contextlib, signal, sys, threading, time
import duckdb, duckpriv
way, keyring, mailbox = sys.argv[1:]
con = duckdb.connect()
party = duckpriv.register(
    con, me="bank", exchange=mailbox, keyring=keyring, session="s1", timeout=3600)
def waits():
    try:
        con.execute("FROM exchange_recv('shop', 'x')")
    except duckdb.Error as error:
        print(str(duckpriv.errors.from_text(str(error))), flush=True)
        raise
def says():
    while party.activity.waiting_for is None:
        time.sleep(0.01)
    time.sleep(0.3)
    print("waits", flush=True)
threading.Thread(target=says, daemon=True).start()
async def to_thread():
    await asyncio.to_thread(waits)
async def in_time():
    try:
        await asyncio.wait_for(asyncio.to_thread(waits), 1.5)
    except asyncio.TimeoutError:
        party.cancel()
def pool():
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        threads.submit(waits).result()
def script():
    with open(keyring + ".sql", "w") as file:
        file.write("SELECT count(*) FROM exchange_recv('shop', 'x');")
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        threads.submit(party.run, keyring + ".sql").result()
def dbt():
    # As its adapters do: the main thread has Ctrl-C, and interrupts each connection.
    cursor = con.cursor()
    threads = concurrent.futures.ThreadPoolExecutor(1)
    done = threads.submit(cursor.execute, "FROM duckpriv.exchange_recv('shop', 'x')")
    try:
        done.result()
    except KeyboardInterrupt:
        cursor.interrupt()
        concurrent.futures.wait([done])
        raise
try:
    if way == "to_thread":
        asyncio.run(to_thread())
    elif way == "in time":
        asyncio.run(in_time())
        print("went on", flush=True)
    else:
        {"pool": pool, "script": script, "dbt": dbt, "main": waits}[way]()
except (KeyboardInterrupt, duckdb.Error, duckpriv.DuckprivError) as error:
    print(type(error).__name__, flush=True)
with contextlib.suppress(KeyboardInterrupt):
    print(con.execute("SELECT 42").fetchone()[0], flush=True)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
"""


@EVERYWHERE
@pytest.mark.parametrize(
    "way", ["to_thread", *thorough("script", "dbt", "in time", "pool", "main")]
)
def test_ctrl_c_ends_a_wait(mailbox, tmp_path, way) -> None:
    """Also where the main thread waits for the one that waits, and Ctrl-C is the main thread's."""
    keyring = duckpriv.Keyring(tmp_path / "keys")
    keyring.create_identity("bank")
    peer = duckpriv.Keyring(tmp_path / "peer").create_identity("shop")
    keyring.trust(peer, peer.fingerprint)
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C, way, str(keyring.path), mailbox],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        if way != "in time":
            process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    lines = said.splitlines()
    assert lines[-2:] == ["42", "True"], (said, errors)
    assert "DUCKPRIV_CANCELLED" in said or way in ("script", "dbt"), (said, errors)
    kinds = {"in time": "went on", "main": "InvalidInputException", "script": "Cancelled"}
    assert kinds.get(way, "KeyboardInterrupt") in lines or "KeyboardInterrupt" in lines


STOPPED_FOR_A_WHILE = """
import sys
from pathlib import Path
from tests.parties import Folder
folder, way = Path(sys.argv[1]), sys.argv[2]
with Folder(folder).connect("bank", "s1", timeout=60) as party:
    print("waits", flush=True)
    if way == "script":
        print(party.run(str(folder / "s.sql")))
    else:
        print(party.con.execute("FROM duckpriv.exchange_recv('shop', 'x')").fetchall())
"""


@pytest.mark.parametrize("way", ["script", *thorough("by hand")])
def test_who_was_stopped_for_a_while_goes_on(tmp_path, way) -> None:
    """By SIGSTOP here; a machine that was suspended or had no time is the same."""
    (tmp_path / "s.sql").write_text(
        "-- Receives.\n\nCREATE TEMP TABLE a AS FROM exchange_recv('shop', 'x');\nFROM a;\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_FOR_A_WHILE, str(tmp_path), way],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        with Folder(tmp_path).connect("shop", "s1") as shop:
            shop.con.execute("CALL exchange_send('bank', 'x', 'SELECT 7 AS x')").fetchall()
        assert "7" in process.communicate(timeout=60)[0]


def test_map_rows_stops_between_slices() -> None:
    done = []

    def slowly(rows):
        time.sleep(len(rows) * 1e-4)
        done.append(len(rows))
        return rows

    def stop() -> None:
        if len(done) > 3:
            raise Cancelled("enough")

    rows = np.arange(100_000, dtype=np.uint8).reshape(-1, 1)
    with stopping.by(stop), pytest.raises(Cancelled):
        map_rows(slowly, rows, smallest=2)
    assert 0 < sum(done) < len(rows)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 1.0])
def test_map_rows_gives_every_row_once_and_in_order(monkeypatch, seconds) -> None:
    monkeypatch.setattr("duckpriv.crypto.parallel._SLICE_SECONDS", seconds)
    rows = np.random.default_rng(1).integers(0, 256, (1000, 3), np.uint8)
    sizes = []

    def inverted(part):
        sizes.append(len(part))
        return 255 - part

    for count in (0, 1, 7, 8, 15, 16, 17, 999, 1000):
        assert np.array_equal(map_rows(inverted, rows[:count], smallest=8), 255 - rows[:count])
    assert all(size >= 8 for size in sizes if size not in (0, 1, 7))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_slices_begin_at_whole_groups(monkeypatch, threads) -> None:
    """Only the last slice may have a group that is not full."""
    monkeypatch.setenv("DUCKPRIV_THREADS", str(threads))
    for count in (8, 9, 16, 17, 100, 203, 1000):
        rows = np.arange(count, dtype=np.int64).view(np.uint8).reshape(count, 8)
        slices = []

        def seen(part, slices=slices):
            slices.append((int(part.view(np.int64)[0, 0]), len(part)))
            return part

        assert np.array_equal(map_rows(seen, rows, smallest=8), rows)
        assert all(start % 8 == 0 and length >= 8 for start, length in slices)
        assert len([length for _, length in slices if length % 8]) <= 1


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1025", "1.5", "²"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, threads) -> None:
    monkeypatch.setenv("DUCKPRIV_THREADS", threads)
    with pytest.raises(InvalidValue, match="DUCKPRIV_THREADS is"):
        cores()


@IN_A_FOLDER
def test_cancel_ends_long_local_work(party) -> None:
    """A check for each slice, so that not even one chunk has to be finished."""
    begun = threading.Event()

    def slowly(rows):
        begun.set()
        time.sleep(len(rows) / 1000)
        return rows

    def work() -> None:
        party.activity.wait_for("nothing")
        with party._context.call():
            map_rows(slowly, np.zeros((1 << 20, 1), np.uint8), smallest=1)

    error = ended(party, work, lambda: (begun.wait(60), party.cancel()))
    assert isinstance(error, Cancelled)


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_wait_is_told_after_a_moment_and_then_ever_more_rarely(monkeypatch, caplog) -> None:
    clock = Clock()
    monkeypatch.setattr(context, "time", clock)
    activity = Activity()
    told = []
    for what in ("message 'x' from shop", "message 'y' from shop"):
        activity.wait_for(what)
        began = clock.now
        for _ in range(4000):
            caplog.clear()
            activity.tell_of_wait()
            activity.wait_for(what)  # the same wait
            told += [(record.getMessage(), clock.now - began) for record in caplog.records]
            clock.now += 1
        activity.wait_for(None)
        activity.tell_of_wait()
    seconds = [2, 10, 60, 300, 900, 1800, 2700, 3600]
    assert told == [
        (f"waiting for message '{channel}' from shop, {after} s", after)
        for channel in "xy"
        for after in seconds
    ]


@EVERYWHERE
def test_a_wait_by_hand_is_logged(party, caplog, monkeypatch) -> None:
    monkeypatch.setattr(context, "_TOLD_AFTER", (0.1, 1000.0))

    def end() -> None:
        until = time.monotonic() + 60
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.01)
        party.cancel()

    with caplog.at_level(logging.WARNING, "duckpriv.waiting"):
        ended(party, lambda: party.con.execute(RECEIVE), end)
    assert "waiting for message 'x' from shop" in caplog.records[0].getMessage()
    assert len(caplog.records) == 1


@IN_A_FOLDER
def test_what_is_forgotten_is_not_kept(party, tmp_path) -> None:
    """A statement that was ended leaves neither threads nor copies behind."""
    for _ in range(3):
        with suppress(duckdb.Error):
            ended(party, lambda: party.con.execute(RECEIVE), party.cancel)
    until = time.monotonic() + 60
    while time.monotonic() < until and any(
        thread.name == "duckpriv-work" for thread in threading.enumerate()
    ):
        time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "duckpriv-work"]
    time.sleep(1.2)  # until what is not looked at is forgotten
    party.con.execute("CALL exchange_send('shop', 'y', 'SELECT 1 AS x')").fetchall()
    assert not party._exchange._works
    assert not list(party._exchange.outbox.folder.iterdir())


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("handed_over", [False, True])
def test_ctrl_c_while_a_statement_is_handed_over(
    tmp_path, monkeypatch, number, handed_over
) -> None:
    """It ends or does not begin, before anything else uses the connection, and runs once."""
    real, calls = ThreadPoolExecutor.submit, []

    def submit(self, work, *arguments):
        calls.append(work)
        if len(calls) != number:
            return real(self, work, *arguments)
        if handed_over:
            real(self, work, *arguments)
        raise KeyboardInterrupt

    script = tmp_path / "s.sql"
    script.write_text(
        "CREATE OR REPLACE TABLE numbers AS SELECT 1 AS x;\n"
        "INSERT INTO numbers SELECT 2;\nSELECT sum(x) AS total FROM numbers;\n"
    )
    settings = {"exchange": f"dir:{tmp_path / 'box'}", "keyring": tmp_path / "keys"}
    with duckpriv.connect(
        tmp_path / "a.duckdb", me="a", session="s", unprotected=True, **settings
    ) as party:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(ThreadPoolExecutor, "submit", submit)
            party.run(str(script))
        assert party.con.execute("SELECT 1").fetchall() == [(1,)]
        assert party.run(str(script)) == [{"total": 3}]
