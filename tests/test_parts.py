"""Parts of scripts that repeat or are left out, and what a run tells its peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from duckpriv import ExchangeTimeout, InvalidValue, ProtocolError
from duckpriv.exchange.mailbox.status import Heart, Watch
from duckpriv.scripts import parse

LOOP = """-- counts
-- set top      where to end
SET VARIABLE i = 0;
CREATE TEMP TABLE seen (i INTEGER);

-- part never if getvariable('top')::INTEGER < 0
INSERT INTO seen VALUES (-1);

-- part round while getvariable('i') < getvariable('top')::INTEGER

-- one more
SET VARIABLE i = getvariable('i') + 1;
INSERT INTO seen VALUES (getvariable('i'));

-- part finish

-- all of them
SELECT list(i ORDER BY i) AS seen FROM seen;
"""


def test_a_part_repeats_while_its_condition_holds(connect, tmp_path) -> None:
    script = tmp_path / "loop.sql"
    script.write_text(LOOP)
    titles: list[str] = []

    class Observer:
        def start(self, statement) -> None:
            titles.append(statement.title)

        def tick(self) -> None: ...

    for top, seen in ((3, [1, 2, 3]), (0, None), (-1, [-1])):
        rows = connect("bank").run(str(script), top=top, observer=Observer())
        assert rows == [{"seen": seen}]
    assert titles.count("round 2: one more") == 2  # two statements below one comment


def test_parts_are_parsed_from_comments() -> None:
    script = parse("loop", LOOP)
    assert [(part.name, part.repeats, bool(part.condition)) for part in script.parts] == [
        ("", False, False),
        ("never", False, True),
        ("round", True, True),
        ("finish", False, False),
    ]
    assert [variable.name for variable in script.variables] == ["top"]


def test_what_is_said_of_a_setting_may_take_several_lines() -> None:
    text = "-- x\n--\n-- set a = 1  one,\n--            and more\n--\n-- set b      two\nSELECT 1;"
    about = [variable.about for variable in parse("x", text).variables]
    assert about == ["one, and more", "two"]


@pytest.mark.parametrize("line", ["-- part p unless x", "-- part p  if x", "-- part p If x"])
def test_a_part_that_does_not_parse_is_an_error(line: str) -> None:
    with pytest.raises(InvalidValue, match="is no part"):
        parse("x", f"SELECT 1;\n{line}\nSELECT 2;\n")


def test_a_script_includes_a_file_beside_it(connect, tmp_path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "one.sql").write_text("-- part one\nSET VARIABLE x = 5;\n")
    script = tmp_path / "s.sql"
    script.write_text(
        "SET VARIABLE x = 1;\n-- include shared/one.sql\nSELECT getvariable('x') AS x;"
    )
    assert connect("bank").run(str(script)) == [{"x": 5}]
    script.write_text("-- include shared/two.sql\n")
    with pytest.raises(InvalidValue, match=r"s.sql includes shared/two.sql, which is not there"):
        connect("bank").run(str(script))


def test_private_copies_of_a_round_are_deleted_after_it(connect, tmp_path) -> None:
    bank, shop = connect("bank"), connect("shop")
    for i in range(3):
        shop.con.execute(f"CALL exchange_send('bank', 'm-{i}', 'SELECT {i} AS i')").fetchall()
    script = tmp_path / "s.sql"
    script.write_text(
        "SET VARIABLE i = 0;\nSELECT i FROM exchange_recv('shop', 'm-0');\n"
        "-- part round while getvariable('i') < 2\nSET VARIABLE i = getvariable('i') + 1;\n"
        "SELECT i FROM exchange_recv('shop', 'm-' || getvariable('i'));\n"
        "-- part end\nSELECT i FROM exchange_recv('shop', 'm-0');\n"
    )
    assert bank.run(str(script)) == [{"i": 0}]
    assert [channel for _, channel, _ in bank._exchange.received()] == ["m-0"]


def test_a_failed_run_ends_the_peers_waiting(connect, together, tmp_path) -> None:
    waits, fails = tmp_path / "waits.sql", tmp_path / "fails.sql"
    waits.write_text(
        "CALL exchange_send('shop', 'go', 'SELECT 1 AS x');\nFROM exchange_recv('shop', 'never');"
    )
    fails.write_text(
        "SELECT * FROM exchange_recv('bank', 'go');\nSELECT require(false, 'not today');"
    )
    bank, shop = connect("bank"), connect("shop")
    started = time.monotonic()
    at_bank, at_shop = together(lambda: bank.run(str(waits)), lambda: shop.run(str(fails)))
    assert "not today" in str(at_shop)
    assert "not today" not in str(at_bank)
    assert isinstance(at_bank, ProtocolError)
    assert "shop has ended its run with an error" in str(at_bank)
    assert time.monotonic() - started < 15
    status = (tmp_path / "mailbox" / "s1" / "shop" / "status.json").read_text()
    assert json.loads(status)["state"] == "failed"
    assert "today" not in status


def test_what_failed_before_does_not_end_a_new_run(connect, tmp_path) -> None:
    fails, asks = tmp_path / "fails.sql", tmp_path / "asks.sql"
    fails.write_text("SELECT require(false, 'not today');")
    asks.write_text("SELECT x FROM exchange_recv('shop', 'm');")
    bank, shop = connect("bank", timeout=1.0), connect("shop")
    with pytest.raises(ProtocolError):
        shop.run(str(fails))
    with pytest.raises(ExchangeTimeout, match="no message 'm' from shop within 1 seconds"):
        bank.run(str(asks))
    shop.con.execute("CALL exchange_send('bank', 'm', 'SELECT 5 AS x')").fetchall()
    assert bank.run(str(asks)) == [{"x": 5}]


def test_a_status_that_cannot_be_written_does_not_end_a_run(connect, monkeypatch, tmp_path) -> None:
    bank = connect("bank", silence=0.01)
    script = tmp_path / "s.sql"
    script.write_text(
        "SELECT count(*) AS n FROM range(30_000_000) t(i), range(20) WHERE i % 7 = 1;"
    )
    written = []

    def set_status(*arguments) -> None:
        written.append(arguments)
        if len(written) > 1:
            raise OSError("no space left")

    monkeypatch.setattr(bank._exchange.mailbox, "set_status", set_status)
    assert bank.run(str(script))[0]["n"] > 0
    assert len(written) > 2


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    from duckpriv.exchange.mailbox import status

    clock = Clock()
    monkeypatch.setattr(status, "time", clock)
    return clock


def test_silence_is_measured_by_the_longer_patience(clock: Clock) -> None:
    heart = Heart(every=8.0, script=None)
    watch = Watch("shop", "m", 2.0, None, None)
    last = heart.status()
    watch.look(last)
    clock.now = 31.0
    watch.look(last)  # four times the peer's own interval is 32 seconds
    clock.now = 33.0
    with pytest.raises(ExchangeTimeout, match="no sign of life for 32 seconds"):
        watch.look(last)
    watch.look(heart.status())  # it lives


@pytest.mark.parametrize(
    "status",
    [b"", b"null", b"[" * 100_000, b"\xff", b'{"state": 5}', b'{"state": {"a": 1}}', b"[1, 2]"],
)
def test_a_hostile_status_is_no_status(clock: Clock, status: bytes) -> None:
    watch = Watch("shop", "m", 2.0, None, None)
    for clock.now in (0.0, 10.0):
        watch.look(status)


def test_a_party_that_never_ran_or_finished_is_waited_for(clock: Clock) -> None:
    heart = Heart(every=1.0, script="psi/host")
    for status in (None, heart.status("finished")):
        watch = Watch("shop", "m", 2.0, None, "psi/guest")
        watch.look(status)
        clock.now += 100
        watch.look(status)
    with pytest.raises(ProtocolError, match="shop runs psi/host too"):
        Watch("shop", "m", 2.0, None, "psi/host").look(heart.status())


FORKS = """
import os, signal
from duckpriv.parser import _of, statements
signal.alarm(20)
with _of(os.getpid()).lock:  # as a thread that is within the parser
    if not (child := os.fork()):
        os._exit(len(statements("SELECT 1; SELECT 2")))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_while_something_is_parsed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "2\n"


@pytest.mark.parametrize("comment", ["", "-- about it\n", "/* about\nit */ ", "-- a\n\n-- b\n  "])
def test_statements_begin_where_their_comments_end(comment: str, monkeypatch) -> None:
    """DuckDB 1.5 counts comments to the statement behind them, 2.0 to the one before."""
    text = f"SET VARIABLE a = 1;\n{comment}CREATE TEMP TABLE x AS SELECT 1 AS y;"
    (part,) = parse("x", text).parts
    assert [s.sql.split()[0] for s in part.statements] == ["SET", "CREATE"]
    old = [SimpleNamespace(query=q, type=None) for q in ("SET VARIABLE a = 1", text[20:-1])]
    monkeypatch.setattr("duckpriv.scripts.statements_of", lambda _: old)
    (part,) = parse("x", text).parts
    assert [s.sql.split()[0] for s in part.statements] == ["SET", "CREATE"]
    if comment.startswith("--"):
        assert part.statements[1].title in ("about it", "b")
