"""Statuses and files that a peer or a carrier may put into a mailbox."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import ExchangeTimeout, ProtocolError
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.exchange.mailbox.status import LONGEST_BEAT, Heart, Status, Watch
from duckpriv.exchange.message.limits import Limits
from duckpriv.exchange.message.untrusted import parse_json
from duckpriv.exchange.network.quota import Quota
from duckpriv.exchange.network.uploads import Upload
from tests.bombs import manifest_of


def running(every: str, **more: object) -> bytes:
    fields = {"state": "running", "run": "x", "beat": 1, "script": None, **more}
    return f'{json.dumps(fields)[:-1]}, "every": {every}}}'.encode()


NO_STATUSES = {
    "1e300 seconds": running("1e300"),
    "1e400 seconds": running("1e400"),
    "10^4000 seconds": running("1" + "0" * 4000),
    "10^15 seconds": running("1000000000000000"),
    "NaN seconds": running("NaN"),
    "infinite": running("Infinity"),
    "negative": running("-1"),
    "no time": running("0"),
    "true seconds, in a list": running("[1]"),
    "a text": running('"1"'),
    "nested": running("[" * 2000),
    "only brackets": b"[" * 500_000,
    "another state": running("1", state="winning"),
    "a state that is none": running("1", state={"a": 1}),
    "a script that is none": running("1", script=[1]),
    "long": running("1", script="x" * 5000),
    "bytes": b"\xff\xfe",
    "nothing": b"",
}


@pytest.mark.parametrize("name", NO_STATUSES)
def test_what_this_program_does_not_write_is_no_status(name: str) -> None:
    assert Status.from_json(NO_STATUSES[name]) is None
    watch = Watch("bank", "m", 1e-9, None, None)
    for _ in range(2):
        watch.look(NO_STATUSES[name])


@settings(deadline=None)
@given(st.floats(1e-6, LONGEST_BEAT), st.sampled_from(["running", "finished", "failed"]))
def test_what_this_program_writes_is_one(every: float, state: str) -> None:
    said = Status.from_json(Heart(every, "psi/host").status(state))
    assert said == Status(state, every, "psi/host")


@settings(deadline=None)
@given(st.integers())
def test_integers_in_json(number: int) -> None:
    text = str(number).encode()
    if len(text) <= 20:
        assert parse_json(text) == number
    else:
        with pytest.raises(ValueError, match="64 bits"):
            parse_json(text)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_link(path: Path) -> None:
    (path.parent / "target").write_bytes(running("1", state="failed"))
    path.symlink_to(path.parent / "target")


def put_loop(path: Path) -> None:
    path.symlink_to(path)


def put_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


PUTS = [put_folder, put_pipe, put_link, put_loop, put_sparse]


@pytest.mark.parametrize("put", PUTS)
def test_something_else_in_the_place_of_a_status(tmp_path, put: Callable[[Path], None]) -> None:
    place = tmp_path / "s1" / "bank" / "status.json"
    place.parent.mkdir(parents=True)
    put(place)
    folder = Folder(tmp_path)
    found = folder.status("s1", "bank")
    assert found is None or Status.from_json(found) is None
    assert all(Status.from_json(status) is None for status in folder.statuses("s1").values())


@pytest.mark.parametrize("status", [NO_STATUSES["1e300 seconds"], NO_STATUSES["10^4000 seconds"]])
def test_a_peer_that_claims_to_live_for_ever(connect, tmp_path, status: bytes) -> None:
    party = connect("shop", timeout=1, silence=0.2)
    (tmp_path / "mailbox/s1/bank").mkdir(parents=True)
    (tmp_path / "mailbox/s1/bank/status.json").write_bytes(status)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_EXCHANGE_TIMEOUT: no message"):
        party.con.execute("FROM exchange_recv('bank', 'm')").fetchall()


def test_garbage_does_not_keep_a_serving_party_waiting(connect, tmp_path) -> None:
    party = connect("shop", silence=0.4)
    party.con.execute("CALL exchange_send('bank', 'm', 'SELECT 1 AS n')").fetchall()
    place = tmp_path / "mailbox/s1/bank"
    place.mkdir(parents=True)
    began = time.monotonic()

    def tick() -> None:
        (place / "status.json").write_bytes(running(f"1e{300 + time.monotonic_ns() % 99}"))
        assert time.monotonic() - began < 10

    party._exchange.linger(tick)


@pytest.mark.parametrize("put", PUTS)
@pytest.mark.parametrize("suffix", ["arrow", "json"])
def test_something_else_in_the_place_of_a_message(connect, tmp_path, put, suffix: str) -> None:
    bank, shop = connect("bank"), connect("shop")
    bank.con.execute("CALL exchange_send('shop', 'm', 'SELECT 1 AS n')").fetchall()
    place = tmp_path / "mailbox/s1/bank/shop" / f"m.{suffix}"
    place.unlink()
    put(place)
    began = time.monotonic()
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED"):
        shop.con.execute("FROM exchange_recv('bank', 'm')").fetchall()
    assert time.monotonic() - began < 5
    found = dict(Folder(tmp_path / "mailbox").manifests("s1"))
    assert set(found) <= {"bank/shop/m"}


@pytest.mark.parametrize(
    "data",
    [b"[" * 900_000, b'{"format":"duckpriv-message/3","rows":' + b"9" * 900_000 + b"}", b"NaN"],
)
def test_manifests_that_would_take_long(connect, tmp_path, data: bytes) -> None:
    shop = connect("shop")
    place = tmp_path / "mailbox/s1/bank/shop/m.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(duckdb.Error, match="MESSAGE_REJECTED: the manifest is not"):
        shop.con.execute("FROM exchange_recv('bank', 'm')").fetchall()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("put", [put_folder, put_pipe, put_link, put_loop])
def test_something_else_where_a_message_is_to_be_written(connect, tmp_path, put) -> None:
    bank = connect("bank")
    place = tmp_path / "mailbox/s1/bank/shop/m.json"
    place.parent.mkdir(parents=True)
    put(place)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: in the place of"):
        bank.con.execute("CALL exchange_send('shop', 'm', 'SELECT 1 AS n')").fetchall()


@pytest.mark.parametrize("linked", ["s1", "s1/bank", "s1/bank/shop"])
@pytest.mark.parametrize("inside", [False, True])
def test_nothing_is_written_through_a_link(connect, tmp_path, linked: str, inside: bool) -> None:
    mailbox = tmp_path / "mailbox"
    elsewhere = mailbox / "other" if inside else tmp_path / "elsewhere"
    elsewhere.mkdir(parents=True)
    (mailbox / linked).parent.mkdir(parents=True, exist_ok=True)
    (mailbox / linked).symlink_to(elsewhere)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: .* is a link"):
        connect("bank").con.execute("CALL exchange_send('shop', 'm', 'SELECT 1 AS n')").fetchall()
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("put", [put_pipe, put_link, put_loop, put_folder])
def test_an_upload_is_not_written_through_a_link(tmp_path, put) -> None:
    """What an upload has so far lies under a name that others in the folder can see."""
    place = tmp_path / ".0123.partial"
    put(place)
    before = {path.name: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    content = b"data"
    manifest = manifest_of(content, 1, (("x", "int64"),))
    quota = Quota(tmp_path / "mailbox", Limits())
    upload = Upload(Folder(tmp_path / "mailbox"), manifest, place, threading.Lock(), quota)
    with pytest.raises(OSError, match="no file|directory"):
        upload.begin()
        upload.write(0, memoryview(content))
    after = {path.name: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before


def test_names_that_no_party_has_are_not_listed(tmp_path) -> None:
    folder = Folder(tmp_path)
    for name in ("\x1b[2J", "A", "\udcff", "bank"):
        (tmp_path / "s1" / name / "shop").mkdir(parents=True)
        (tmp_path / "s1" / name / "status.json").write_bytes(running("1"))
        (tmp_path / "s1" / name / "shop" / "m.json").write_bytes(b"{}")
    (tmp_path / "s1" / "bank" / "shop" / "gone.json").symlink_to(tmp_path / "nowhere")
    assert set(folder.statuses("s1")) == {"bank"}
    assert dict(folder.manifests("s1")) == {"bank/shop/m": b"{}", "bank/shop/gone": b""}


def test_an_honest_status_still_ends_the_waiting() -> None:
    watch = Watch("bank", "m", 60, None, "psi/guest")
    with pytest.raises(ProtocolError, match="ended its run"):
        watch.look(Heart(1, "psi/host").status("failed"))
    silent = Watch("bank", "m", 1e-9, None, None)
    status = Heart(1e-9, None).status()
    silent.look(status)
    time.sleep(0.01)
    with pytest.raises(ExchangeTimeout, match="no sign of life"):
        silent.look(status)
