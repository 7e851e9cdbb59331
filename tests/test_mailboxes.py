"""What every mailbox promises, whether a folder or an object store: one message a channel, whole or
not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from obstore.store import MemoryStore

import duckpriv
from duckpriv import InvalidValue, Keyring, MessageRejected, ProtocolError
from duckpriv.errors import Cancelled
from duckpriv.exchange import Limits, open_mailbox
from duckpriv.exchange.mailbox import objects
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.exchange.mailbox.mailbox import Mailbox
from duckpriv.exchange.mailbox.objects import Objects
from duckpriv.exchange.mailbox.status import LARGEST_STATUS
from duckpriv.exchange.message.incoming import accept
from duckpriv.exchange.message.manifest import LARGEST, Manifest
from examples.introduction import introduce
from tests.effort import thorough
from tests.network import message
from tests.parties import at_once

MIB = 1 << 20
SECRET = "d0ntTe11Any0ne"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local S3 server with a bucket of the name `bucket`; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert process.poll() is None, "pip install 'duckpriv[tools]'"
            with suppress(urllib.error.URLError):
                urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT"))
                break
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["folder", "memory", *thorough("s3")])
def address(request, tmp_path, monkeypatch) -> str:
    """Where a mailbox is."""
    if request.param == "folder":
        return f"dir:{tmp_path}/mailbox"
    if request.param == "memory":  # what obstore promises of all stores, without one
        store = MemoryStore()
        monkeypatch.setattr(objects, "from_url", lambda *_, **__: store)
        return "s3://bucket/memory"
    monkeypatch.setenv("AWS_ENDPOINT", request.getfixturevalue("s3"))
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return f"s3://bucket/{tmp_path.name}/below"


@pytest.fixture
def mailbox(address) -> Mailbox:
    return open_mailbox(address, timeout=20)


@pytest.fixture(scope="module")
def keyring(tmp_path_factory) -> Keyring:
    folder = tmp_path_factory.mktemp("keyrings")
    introduce(folder, "bank", "shop")
    return Keyring(folder / "shop.keys")


@pytest.fixture
def made(keyring, tmp_path) -> Callable[..., tuple[Manifest, Path]]:
    return lambda channel="a/b", size=1000: message(
        keyring, tmp_path, "shop", "bank", channel, size
    )


def content(mailbox: Mailbox, manifest: Manifest) -> bytes:
    with mailbox.open(manifest) as source:
        return source.read()


def things(mailbox: Mailbox) -> set[str]:
    """Names of all files or objects."""
    if isinstance(mailbox, Folder):
        files = (f for f in mailbox.path.rglob("*") if f.is_file())
        return {f.relative_to(mailbox.path).as_posix() for f in files}
    return {item["path"] for item in objects.obstore.list(mailbox._store).collect()}


def put(mailbox: Mailbox, name: str, data: bytes) -> None:
    if isinstance(mailbox, Folder):
        (mailbox.path / name).parent.mkdir(parents=True, exist_ok=True)
        (mailbox.path / name).write_bytes(data)
    else:
        objects.obstore.put(mailbox._store, name, data)


@pytest.mark.parametrize("size", [0, 1000, 5 * MIB - 16 * 5, 5 * MIB, 17 * MIB + 1])
def test_a_message_arrives(mailbox, made, size: int) -> None:
    manifest, sealed = made(size=size)
    place = ("s1", "shop", "bank", "a/b")
    assert mailbox.manifest(*place) is None
    assert list(mailbox.manifests("s1")) == []
    mailbox.publish(manifest, sealed)
    assert mailbox.manifest(*place) == manifest.to_json()
    assert content(mailbox, manifest) == sealed.read_bytes()
    assert list(mailbox.manifests("s1")) == [("shop/bank/a.b", manifest.to_json())]
    assert list(mailbox.manifests("s")) == []
    assert len(things(mailbox)) == 2
    mailbox.publish(manifest, sealed)
    mailbox.publish(manifest, sealed.read_bytes())
    assert len(things(mailbox)) == 2


def test_small_content_comes_from_memory(mailbox, made) -> None:
    manifest, sealed = made()
    mailbox.publish(manifest, sealed.read_bytes())
    assert content(mailbox, manifest) == sealed.read_bytes()


def test_another_message_in_the_place_of_one_is_refused(mailbox, made) -> None:
    first, sealed = made()
    data = sealed.read_bytes()
    mailbox.publish(first, sealed)
    sealed.unlink()  # a folder may have it under another name
    second, sealed = made()
    with pytest.raises(ProtocolError, match="already sent a message on 'a/b' to bank"):
        mailbox.publish(second, sealed)
    assert mailbox.manifest(*first.place) == first.to_json()
    assert content(mailbox, first) == data


def test_of_many_at_once_one_is_there(address, made) -> None:
    several = []
    for _ in range(6):
        manifest, sealed = made()
        several.append((manifest, sealed.read_bytes()))
    results = at_once(
        *(lambda one=one: open_mailbox(address, timeout=20).publish(*one) for one in several)
    )
    assert all(error is None or isinstance(error, ProtocolError) for error in results)
    assert results.count(None) == 1
    manifest, data = several[results.index(None)]
    there = open_mailbox(address, timeout=20)
    assert there.manifest(*manifest.place) == manifest.to_json()
    assert isinstance(there, Folder) or content(there, manifest) == data


def test_one_who_comes_between_is_not_replaced(mailbox, made, monkeypatch) -> None:
    """The other manifest appears after it was looked for: only the store itself can refuse."""
    first, sealed = made()
    mailbox.publish(first, sealed)
    second, sealed = made()
    looked = iter([None])
    found = type(mailbox).manifest
    monkeypatch.setattr(
        type(mailbox), "manifest", lambda self, *place: next(looked, found(self, *place))
    )
    with pytest.raises(ProtocolError, match="already sent"):
        mailbox.publish(second, sealed.read_bytes())
    assert mailbox.manifest(*first.place) == first.to_json()


def test_the_oldest_messages_come_first(mailbox, made) -> None:
    for channel in ("c", "a", "b"):
        mailbox.publish(*made(channel))
        time.sleep(1.1 if str(mailbox.address).startswith("s3") else 0.01)
    put(mailbox, "s1/shop/bank/UPPER.json", b"{}")
    put(mailbox, "s1/shop/x.json", b"{}")
    put(mailbox, "s1/shop/bank/a/b.json", b"{}")
    places = [place for place, _ in mailbox.manifests("s1")]
    assert places == ["shop/bank/c", "shop/bank/a", "shop/bank/b"]


def test_statuses(mailbox) -> None:
    assert (mailbox.status("s1", "shop"), mailbox.statuses("s1")) == (None, {})
    for status in (b'{"beat": 1}', b'{"beat": 2}'):
        mailbox.set_status("s1", "shop", status)
        assert mailbox.status("s1", "shop") == status
    mailbox.set_status("s1", "bank", b"{}")
    put(mailbox, "s1/NOBODY/status.json", b"{}")
    assert mailbox.statuses("s1") == {"shop": b'{"beat": 2}', "bank": b"{}"}
    assert mailbox.statuses("s10") == {}


def test_no_more_is_read_than_may_be(mailbox) -> None:
    for size in (0, 5 * MIB):
        put(mailbox, "s1/shop/bank/m.json", bytes(size))
        assert len(mailbox.manifest("s1", "shop", "bank", "m")) == min(size, LARGEST + 1)
        put(mailbox, "s1/shop/status.json", bytes(size))
        assert len(mailbox.status("s1", "shop")) == min(size, LARGEST_STATUS + 1)


@pytest.mark.parametrize("change", ["none", "empty", "cut", "longer", "one bit"])
def test_content_that_is_not_the_manifests(mailbox, made, tmp_path, change: str) -> None:
    manifest, sealed = made(size=20 * MIB)
    mailbox.publish(manifest, sealed)
    (name,) = (n for n in things(mailbox) if n.endswith(".arrow"))
    data = bytearray(sealed.read_bytes())
    if change == "one bit":
        data[9 * MIB] ^= 1
    changed = {"empty": b"", "cut": data[:-1], "longer": data + bytes(9 * MIB)}.get(change, data)
    if change == "none":
        manifest = replace(manifest, channel="other", sha256="0" * 64)
    else:
        put(mailbox, name, bytes(changed))
    expected = {
        "none": "has a manifest but no data",
        "empty": "has 0;",
        "cut": f"has {manifest.bytes - 1};",
        "longer": "has more;",
        "one bit": "SHA-256",
    }
    target = tmp_path / "x.parquet"
    with pytest.raises(MessageRejected, match=expected[change]), mailbox.open(manifest) as source:
        accept(manifest, source, target, True, bytes(32), Limits())
    assert not target.exists()


@pytest.mark.parametrize("way", ["stopped", "failing disk"])
def test_an_upload_that_breaks_off_leaves_nothing(address, made, monkeypatch, way) -> None:
    pieces = []

    def stop() -> None:
        pieces.append(1)
        if len(pieces) > 4:
            raise Cancelled("stopped") if way == "stopped" else OSError(5, "Input/output error")

    manifest, sealed = made(size=40 * MIB)
    mailbox = open_mailbox(address, timeout=20, stop=stop)
    if isinstance(mailbox, Folder):
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(18, "no links")))
        monkeypatch.setattr("shutil.copyfile", lambda source, target: 1 / 0)
    with pytest.raises((Cancelled, OSError, ZeroDivisionError)):
        mailbox.publish(manifest, sealed)
    monkeypatch.undo() if isinstance(mailbox, Folder) else pieces.clear()
    assert things(open_mailbox(address, timeout=20)) == set()
    if "AWS_ENDPOINT" in os.environ:
        uploads = urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT']}/bucket?uploads").read()
        assert b"<Upload>" not in uploads
    again = open_mailbox(address, timeout=20)
    again.publish(manifest, sealed)
    assert hashlib.sha256(content(again, manifest)).hexdigest() == manifest.sha256


@pytest.fixture
def connect(address, tmp_path) -> Iterator[Callable[..., duckpriv.Party]]:
    introduce(tmp_path, "bank", "shop")
    opened = []

    def start(me: str, **more) -> duckpriv.Party:
        settings = {"keyring": tmp_path / f"{me}.keys", "session": "s1", "timeout": 20, **more}
        exchange = settings.pop("exchange", address)
        opened.append(
            duckpriv.connect(tmp_path / f"{me}.duckdb", me=me, exchange=exchange, **settings)
        )
        return opened[-1]

    yield start
    for party in opened:
        party.close()


def test_two_parties(connect, tmp_path) -> None:
    for me, peer, first in (("bank", "shop", True), ("shop", "bank", False)):
        send = f"CALL exchange_send('{peer}', '{me}', 'SELECT i FROM range(100000) t(i)');"
        arrived = f"SELECT sum(i)::BIGINT AS s FROM exchange_recv('{peer}', '{peer}')"
        receive = f"CREATE TABLE got AS {arrived};"
        parts = [send, receive] if first else [receive, send]
        (tmp_path / f"{me}.sql").write_text("\n".join([*parts, "SELECT s FROM got;"]))

    def run(me: str) -> list:
        return connect(me).run(str(tmp_path / f"{me}.sql"))

    results = at_once(lambda: run("bank"), lambda: run("shop"))
    assert [[list(row.values()) for row in rows] for rows in results] == [[[4999950000]]] * 2


def test_a_second_message_on_a_channel_by_hand(connect, address) -> None:
    bank = connect("bank")
    send = "CALL exchange_send('shop', 'x', 'SELECT 1 AS i')"
    bank.con.execute(send).fetchall()
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: .*already sent"):
        bank.con.execute(send).fetchall()
    bank.close()
    if not address.startswith("dir:"):
        with pytest.raises(InvalidValue, match="through a folder only"):
            connect("shop", unprotected=True)


# Addresses, credentials


def test_without_obstore_it_is_said_what_to_install(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "duckpriv.exchange.mailbox.objects")
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InvalidValue, match=r"pip install 'duckpriv\[objectstore\]'"):
        open_mailbox("s3://bucket/x")


def test_a_file_url_is_a_folder(tmp_path) -> None:
    for url in (f"file://{tmp_path}/a%20b", f"dir:{tmp_path}/a b"):
        opened = open_mailbox(url)
        assert isinstance(opened, Folder)
        assert opened.path == tmp_path / "a b"


@pytest.mark.parametrize(
    "address",
    [
        f"s3://someone:{SECRET}@bucket/x",
        f"s3://{SECRET}@bucket",
        f"s3://KEY:with/{SECRET}@bucket/x",
        f"gs://KEY:{SECRET}/x@bucket",
        f"s3://bucket/x?secret={SECRET}",
        f"az://bucket/x#{SECRET}",
        f"s4://user:{SECRET}@bucket/x",
        f"grpc+tls://user:{SECRET}@host:1?x",
        f"file://{SECRET}@host/x",
        "s3:",
        "s3:///x",
        "gs://",
        "file://",
        "file://host/x",
        "http://[",
        "",
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(InvalidValue, match="is no exchange") as caught:
        open_mailbox(address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_errors_of_a_store_tell_no_credentials(
    scheme, keyring, made, tmp_path, monkeypatch, caplog, capfd
) -> None:
    """Nobody listens there, or a stranger does who sends them back."""
    seen = []

    def answer(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with listening.accept()[0] as client:
                    text = client.recv(1 << 16) + SECRET.encode()
                    seen.append(text)
                    client.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n")
                    client.sendall(b"Content-Length: %d\r\n\r\n" % len(text) + text)

    caplog.set_level(logging.DEBUG)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_SAS_TOKEN"):
        monkeypatch.setenv(name, f"sig={SECRET}" if "SAS" in name else SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "someone")
    for name in ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP"):
        monkeypatch.setenv(name, "true")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        for port in (1, listening.getsockname()[1]):
            for name in ("AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            account = tmp_path / "account.json"
            account.write_text(
                f'{{"gcs_base_url": "http://127.0.0.1:{port}", "disable_oauth": true,'
                f' "client_email": "", "private_key": "{SECRET}", "private_key_id": "{SECRET}"}}'
            )
            monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
            with pytest.raises(ProtocolError, match="cannot be used") as caught:
                Objects(f"{scheme}://bucket/x", 0.5).publish(*made())
            assert SECRET not in repr(caught.value)
            assert caught.value.__suppress_context__
        listening.shutdown(socket.SHUT_RDWR)
    assert seen
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())
