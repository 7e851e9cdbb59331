"""Runs in a notebook's event loop: at the same time, and cancelled; and what is shown of a run."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace

import pytest

from duckpriv import InvalidValue, Party, ProtocolError, Result

WAITS = "SELECT count(*) AS n FROM exchange_recv('shop', 'x');"
SENDS = "CALL exchange_send('bank', 'x', 'SELECT i FROM range(3) t(i)');"


@pytest.fixture
def scripts(tmp_path):
    (tmp_path / "waits.sql").write_text(WAITS)
    (tmp_path / "sends.sql").write_text(SENDS)
    return tmp_path


def test_two_parties_in_one_loop(connect, scripts) -> None:
    async def both() -> list[Result]:
        waits = connect("bank").arun(scripts / "waits.sql")
        return await asyncio.gather(waits, connect("shop").arun(scripts / "sends.sql"))

    ours, theirs = asyncio.run(both())
    assert ours == [{"n": 3}]
    assert theirs[0]["rows"] == 3
    assert [m.channel for m in ours.received] == [m.channel for m in theirs.sent] == ["x"]


def test_an_error_comes_as_it_is(connect, scripts) -> None:
    with pytest.raises(InvalidValue, match="there is no script"):
        asyncio.run(connect().arun("nothing"))


def test_to_cancel_ends_the_run_first(connect, scripts) -> None:
    party = connect("bank", timeout=3600.0)

    async def cancelled() -> None:
        task = asyncio.create_task(party.arun(scripts / "waits.sql"))
        while party.activity.waiting_for is None:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # somebody is impatient
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not party._context.runs_script

    asyncio.run(asyncio.wait_for(cancelled(), 60))
    assert party.con.execute("SELECT 42").fetchall() == [(42,)]


def test_a_loop_that_ends_ends_the_run(connect, scripts) -> None:
    party = connect("bank", timeout=3600.0)

    async def leaves() -> None:
        leaves.task = asyncio.create_task(party.arun(scripts / "waits.sql"))
        while party.activity.waiting_for is None:
            await asyncio.sleep(0.01)

    asyncio.run(leaves())
    assert leaves.task.cancelled()
    assert not party._context.runs_script


def test_what_is_cancelled_before_it_begins_does_nothing(connect, scripts) -> None:
    party = connect("shop")
    go = threading.Event()

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, go.wait)  # the only thread
        task = asyncio.create_task(party.arun(scripts / "sends.sql"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await busy

    asyncio.run(asyncio.wait_for(cancelled(), 60))
    assert not list((scripts / "mailbox").glob("s1/shop/*/*"))
    assert party.run(scripts / "sends.sql").sent


def test_python_shows_what_a_run_takes() -> None:
    for method in (Party.run, Party.arun):
        assert {"script", "progress", "variables"} <= inspect.signature(method).parameters.keys()
        assert "script" in (inspect.getdoc(method) or "")


@pytest.fixture
def kernel(monkeypatch) -> list[str]:
    """What a kernel's display shows, in the place of IPython."""
    shown: list[str] = []

    class Handle:
        def update(self, data, raw) -> None:
            assert raw
            shown.append(data["text/plain"])

    def display(data, raw, display_id) -> Handle:
        Handle().update(data, raw)
        return Handle()

    ipython, of_display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=None)
    of_display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    return shown


def test_a_notebook_shows_progress_by_itself(connect, kernel, scripts) -> None:
    party = connect("shop")
    party.run(scripts / "sends.sql", progress=False)
    assert kernel == []
    (scripts / "more.sql").write_text("SELECT 1 AS i;")
    party.run(scripts / "more.sql")
    assert kernel[0] == f"shop: {scripts / 'more.sql'} is starting"
    assert kernel[-1].startswith(f"shop: {scripts / 'more.sql'} finished in ")
    kernel.clear()
    (scripts / "bad.sql").write_text("-- look\nSELECT require(false, 'no');")
    with pytest.raises(ProtocolError):
        party.run(scripts / "bad.sql")
    assert kernel[-1].endswith("s, at: look")
    assert party.activity.display is None
    kernel.clear()
    observer = SimpleNamespace(start=lambda _: None, tick=lambda: None)
    party.run(scripts / "more.sql", observer=observer)
    assert kernel == []


def test_elsewhere_it_is_shown_where_wanted(connect, monkeypatch, scripts) -> None:
    """In a terminal's IPython too: that is no kernel."""
    terminal = ModuleType("IPython")
    terminal.get_ipython = lambda: SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    party = connect()
    (scripts / "more.sql").write_text("SELECT 1 AS i;")
    for wanted in (None, True, False):
        seen = []
        party.run(
            scripts / "more.sql",
            progress=wanted,
            on_rows=lambda *_, seen=seen: seen.append(party.activity.display is not None),
        )
        assert seen == [wanted is True]
