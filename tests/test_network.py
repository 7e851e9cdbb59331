"""A mailbox over the network: what peers, strangers, and bad connections can do to it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.flight as fl
import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv import (
    ExchangeTimeout,
    InvalidValue,
    Keyring,
    MessageRejected,
    ProtocolError,
)
from duckpriv.errors import Cancelled, DuckprivError
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.exchange.mailbox.mailbox import Mailbox
from duckpriv.exchange.message.limits import Limits
from duckpriv.exchange.message.manifest import Manifest
from duckpriv.exchange.message.outgoing import Content
from duckpriv.exchange.network import client as client_module
from duckpriv.exchange.network import requests
from duckpriv.exchange.network.client import RemoteMailbox
from duckpriv.exchange.network.gate import Gate
from duckpriv.exchange.network.server import MailboxServer
from duckpriv.exchange.network.uploads import Upload
from duckpriv.keys import Identity
from duckpriv.keys.certificate import MAILBOX_NAME
from examples.introduction import introduce
from tests.network import Proxy, free_port, leaf, message, sign
from tests.parties import at_once

NAMES = ("bank", "shop", "eve")
MIB = 1 << 20


@pytest.fixture(scope="module")
def keyrings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Keyring]:
    """Those of three who trust each other, and a stranger's who trusts the bank."""
    folder = tmp_path_factory.mktemp("keyrings")
    introduce(folder, *NAMES)
    found = {name: Keyring(folder / f"{name}.keys") for name in (*NAMES, "stranger")}
    found["stranger"].create_identity("stranger")
    bank = found["bank"].identity("bank").public
    found["stranger"].trust(bank, bank.fingerprint)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mailbox")


@pytest.fixture
def serve(folder, keyrings) -> Iterator[Callable[..., MailboxServer]]:
    opened = []

    def start(port: int = 0, **more) -> MailboxServer:
        opened.append(MailboxServer(folder, "127.0.0.1", port, keyrings["bank"], "bank", **more))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


@pytest.fixture
def server(serve) -> MailboxServer:
    return serve()


@pytest.fixture
def join(keyrings) -> Iterator[Callable[..., RemoteMailbox]]:
    opened = []

    def connect(name: str, port: int, timeout: float = 10, **more) -> RemoteMailbox:
        keyring = more.pop("keyring", None) or keyrings[name]
        opened.append(RemoteMailbox("127.0.0.1", port, keyring, name, timeout, **more))
        return opened[-1]

    yield connect
    for mailbox in opened:
        mailbox.close()


@pytest.fixture
def shop(server, join) -> RemoteMailbox:
    return join("shop", server.port)


def content(mailbox: Mailbox, manifest: Manifest) -> bytes:
    with mailbox.open(manifest) as source:
        return source.read()


def no_message(folder: Folder) -> bool:
    return not list(folder.path.rglob("*.json")) + list(folder.path.rglob("*.arrow"))


def test_a_message_goes_to_the_mailbox_and_to_its_receiver(
    server, shop, join, keyrings, folder, tmp_path
) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "eve", "a/b", 3 * MIB + 5)
    place = ("s1", "shop", "eve", "a/b")
    assert shop.manifest(*place) is None
    shop.publish(manifest, sealed)
    eve = join("eve", server.port)
    for mailbox in (shop, eve, folder):
        assert mailbox.manifest(*place) == manifest.to_json()
        assert content(mailbox, manifest) == sealed.read_bytes()
        assert list(mailbox.manifests("s1")) == [("shop/eve/a.b", manifest.to_json())]
    assert not list(folder.path.rglob(".*"))


def test_statuses(server, shop, join, folder) -> None:
    assert (shop.status("s1", "shop"), shop.statuses("s1")) == (None, {})
    for status in (b'{"beat": 1}', b'{"beat": 2}'):
        shop.set_status("s1", "shop", status)
        assert shop.status("s1", "shop") == folder.status("s1", "shop") == status
    folder.set_status("s1", "bank", b"{}")
    assert join("eve", server.port).statuses("s1") == {"shop": b'{"beat": 2}', "bank": b"{}"}


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB])
def test_content_of_every_size(shop, keyrings, tmp_path, monkeypatch, size: int) -> None:
    for module in ("client", "patience"):
        monkeypatch.setattr(f"duckpriv.exchange.network.{module}.PART", 2 * MIB)
    manifest, _ = message(keyrings["shop"], tmp_path, "shop", "bank")
    data = tmp_path / "data"
    data.write_bytes(b"x" * size)
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    manifest = sign(keyrings["shop"], replace(manifest, bytes=size, rows=0, sha256=digest))
    shop.publish(manifest, data)
    assert content(shop, manifest) == data.read_bytes()


def test_the_same_message_again_and_at_once(server, join, keyrings, folder, tmp_path) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=20 * MIB)
    clients = [join("shop", server.port) for _ in range(4)]
    assert at_once(*(lambda c=c: c.publish(manifest, sealed) for c in clients)) == [None] * 4
    clients[0].publish(manifest, sealed)
    assert content(folder, manifest) == sealed.read_bytes()
    assert not list(folder.path.rglob(".*"))


@pytest.mark.parametrize("size", [1000, MIB])
def test_another_message_in_the_place_of_one_is_refused(
    shop, keyrings, folder, tmp_path, size: int
) -> None:
    first, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=size)
    shop.publish(first, sealed)
    shop.publish(first, sealed)
    second, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=size)
    with pytest.raises(ProtocolError, match="already sent a message|another message"):
        shop.publish(second, sealed)
    assert folder.manifest("s1", "shop", "bank", "data") == first.to_json()


def test_small_messages_go_in_one_call(shop, join, server, keyrings, folder, tmp_path) -> None:
    """They are checked as others are."""
    calls = []
    begin = shop._begin
    shop._begin = lambda *given: calls.append(given) or begin(*given)
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank")
    good = sealed.read_bytes()
    shop.publish(manifest, good)
    assert not calls
    assert content(folder, manifest) == good
    assert join("bank", server.port).manifest("s1", "shop", "bank", "data") == manifest.to_json()
    other, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", "other")
    with pytest.raises(MessageRejected, match="SHA-256"):
        shop.publish(other, good)
    with pytest.raises(MessageRejected, match="more bytes than"):
        upload_anyway(shop, other.to_json().decode(), bytes(manifest.bytes + 1))
    with pytest.raises(ProtocolError, match="may not publish in the name of"):
        join("bank", server.port).publish(other, sealed.read_bytes())
    assert folder.manifest("s1", "shop", "bank", "other") is None


def test_a_digest_is_no_path(shop, keyrings, folder, tmp_path) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=MIB)
    bad = sign(keyrings["shop"], replace(manifest, sha256="./../../../planted".ljust(64, "x")))
    with pytest.raises(MessageRejected, match="'sha256' is malformed"):
        shop.publish(bad, sealed)
    assert not list(tmp_path.rglob("*planted*"))


def test_a_large_message_takes_little_memory(shop, keyrings, tmp_path) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=96 * MIB)
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    before = resident()
    watcher.start()
    shop.publish(manifest, sealed)
    digest = hashlib.sha256()
    with shop.open(manifest) as source:
        while chunk := source.read(MIB):
            digest.update(chunk)
    done.set()
    watcher.join()
    assert digest.hexdigest() == manifest.sha256
    assert peak - before < 64 * MIB


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("silent", [False, True])
def test_transfers_continue_where_the_connection_broke(
    server, join, keyrings, tmp_path, monkeypatch, silent: bool
) -> None:
    monkeypatch.setattr(client_module, "_CALL_SECONDS", 0.8)
    monkeypatch.setattr(client_module, "_TRANSFER_SECONDS", 0.8)
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=24 * MIB)
    for use in (
        lambda mailbox: mailbox.publish(manifest, sealed),
        lambda mailbox: content(mailbox, manifest),
    ):
        proxy = Proxy(server.port, after=10 * MIB, broken=1 if silent else 2, silent=silent)
        got = use(join("shop", proxy.port, 20))
        assert got in (None, sealed.read_bytes())
        assert proxy.connections > 1
        assert proxy.moved < 24 * MIB + 2 * 8 * MIB  # what was under way is lost
        proxy.close()
    assert content(Folder(tmp_path / "mailbox"), manifest) == sealed.read_bytes()


def test_an_upload_continues_after_a_restart_of_the_server(
    serve, join, keyrings, folder, tmp_path
) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=24 * MIB)
    first = serve()
    proxy = Proxy(first.port, after=12 * MIB, broken=1, silent=True)
    shop = join("shop", proxy.port, 30)

    def restart() -> None:
        while not sum(file.stat().st_size for file in folder.path.rglob(".*.partial")) > 8 * MIB:
            time.sleep(0.01)
        first.close()
        proxy.target = serve().port

    assert at_once(lambda: shop.publish(manifest, sealed), restart) == [None, None]
    assert proxy.moved < 24 * MIB + 8 * MIB
    assert content(folder, manifest) == sealed.read_bytes()


def test_a_partial_file_that_a_crash_has_damaged_is_sent_again(
    shop, keyrings, folder, tmp_path
) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=3 * MIB)
    folder.make(*manifest.place[:3])
    folder.partial(manifest, manifest.sha256).write_bytes(bytes(2 * MIB))
    shop.publish(manifest, sealed)
    assert content(folder, manifest) == sealed.read_bytes()


def test_a_partial_file_that_is_removed_or_cut_while_it_comes(
    server, shop, keyrings, folder, tmp_path
) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=5 * MIB)
    text, start = manifest.to_json().decode(), tmp_path / "start"
    partial = folder.partial(manifest, manifest.sha256)
    for damage in (partial.unlink, lambda: os.truncate(partial, MIB)):
        start.write_bytes(sealed.read_bytes()[: 3 * MIB])
        upload_anyway(shop, text, start)
        damage()
        with pytest.raises(ProtocolError, match="the mailbox's folder fails"):
            upload_anyway(shop, text, sealed, offset=3 * MIB)
        assert no_message(folder)
    shop.publish(manifest, sealed)
    assert content(folder, manifest) == sealed.read_bytes()


def test_a_full_disk_and_then_room(shop, keyrings, folder, tmp_path, monkeypatch) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=24 * MIB)
    whole = Upload._open

    def full(upload: Upload) -> io.FileIO:
        if upload._length >= 8 * MIB:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(upload)

    with monkeypatch.context() as patch:
        patch.setattr(Upload, "_open", full)
        with pytest.raises(ProtocolError, match="folder fails: No space left on device"):
            shop.publish(manifest, sealed)
        assert no_message(folder)
    shop.publish(manifest, sealed)
    assert content(folder, manifest) == sealed.read_bytes()


def test_the_client_may_start_first(serve, join) -> None:
    port = free_port()
    shop = join("shop", port)
    threading.Timer(0.7, lambda: serve(port)).start()
    assert shop.statuses("s1") == {}


def test_nobody_there(join) -> None:
    port = free_port()
    with pytest.raises(ExchangeTimeout, match=f"127.0.0.1:{port} .*Connection refused.*firewall"):
        join("shop", port, 0.5).status("s1", "bank")


def test_two_servers_cannot_have_one_port(server, serve) -> None:
    with pytest.raises(InvalidValue, match="cannot serve at 127.0.0.1:.*in use"):
        serve(server.port)


def test_a_client_that_was_stopped(join) -> None:
    port = free_port()
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise Cancelled("stopped")

    started = time.monotonic()
    with pytest.raises(Cancelled):
        join("shop", port, 60, stop=stop).status("s1", "bank")
    assert time.monotonic() - started < 5


def test_an_upload_that_was_stopped(server, join, keyrings, folder, tmp_path) -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise Cancelled("stopped")

    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=24 * MIB)
    with pytest.raises(Cancelled):
        join("shop", server.port, stop=stop).publish(manifest, sealed)
    assert no_message(folder)
    join("shop", server.port).publish(manifest, sealed)
    assert content(folder, manifest) == sealed.read_bytes()


HANGS = """
import sys, time
from pathlib import Path
import duckdb
import pyarrow.flight as fl
from duckpriv import Keyring
from duckpriv.exchange.network import requests
from duckpriv.exchange.network.client import RemoteMailbox
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.exchange.network.server import MailboxServer

keyrings, folder, text = sys.argv[1:]
bank, shop = (Keyring(Path(keyrings) / f"{name}.keys") for name in ("bank", "shop"))
server = MailboxServer(Folder(folder), "127.0.0.1", 0, bank, "bank")
mailbox = RemoteMailbox("127.0.0.1", server.port, shop, "shop", 5)
descriptor = fl.FlightDescriptor.for_command(requests.encode(requests.Upload(text, 0)))
writer, reader = mailbox._client.do_put(descriptor, requests.SCHEMA)
writer.write_metadata(b"x")
assert mailbox.statuses("s1") == {}
sys.exit(7)
"""


def test_a_process_ends_although_its_server_was_not_closed(keyrings, tmp_path) -> None:
    text = message(keyrings["shop"], tmp_path, "shop", "bank")[0].to_json().decode()
    command = [sys.executable, "-c", HANGS, str(keyrings["shop"].path.parent), str(tmp_path), text]
    assert subprocess.run(command, timeout=20).returncode == 7


# Certificates


def test_strangers_are_refused(server, join, serve, keyrings, tmp_path) -> None:
    with pytest.raises(MessageRejected, match="does not take your certificate"):
        join("stranger", server.port, 60).statuses("s1")
    lonely = Keyring(tmp_path / "lonely")
    lonely.create_identity("shop")
    with pytest.raises(MessageRejected, match="an identity that you trust"):
        join("shop", server.port, 60, keyring=lonely).statuses("s1")


@pytest.mark.parametrize("who", ["shop", "bank"])
def test_expired_certificates(serve, join, monkeypatch, who: str) -> None:
    own = Identity.leaf

    def expired(identity: Identity) -> tuple[bytes, bytes]:
        return leaf(identity, days=(-9, -2)) if identity.name == who else own(identity)

    monkeypatch.setattr(Identity, "leaf", expired)
    text = "does not take .* clocks right" if who == "shop" else "trust .certificate has expired"
    with pytest.raises(MessageRejected, match=text):
        join("shop", serve().port, 60).statuses("s1")


def test_a_certificate_authority_that_has_expired(serve, join, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("duckpriv.keys.certificate._AUTHORITY_DAYS", -0.5)
        introduce(tmp_path, "old", "new")
    old, new = (Keyring(tmp_path / f"{name}.keys") for name in ("old", "new"))
    with (
        MailboxServer(Folder(tmp_path / "m"), "127.0.0.1", 0, old, "old") as server,
        pytest.raises(MessageRejected, match="certificate has expired"),
    ):
        join("new", server.port, 60, keyring=new).statuses("s1")


def names_of(shop: str, eve: str) -> dict[str, tuple[list[x509.GeneralName], str]]:
    """How eve could try to be the shop."""
    dns, uri, mail = x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name
    return {
        "DNS": ([dns(shop)], ""),
        "both": ([dns(eve), dns(shop)], ""),
        "wildcard": ([dns("*.duckpriv.invalid")], ""),
        "NUL": ([dns(f"{shop}\0.{eve}")], ""),
        "subdomain": ([dns(f"{shop}.{eve}")], ""),
        "no name of its own": ([dns(MAILBOX_NAME)], ""),
        "URI": ([uri(shop)], ""),
        "mail": ([mail(shop)], ""),
        "URI first": ([uri(shop), dns(eve)], ""),
        "common name": ([], shop),
        "common name beside others": ([x509.RegisteredID(x509.NameOID.TITLE)], shop),
        "other kind": (
            [x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.TITLE, shop)]))],
            shop,
        ),
    }


@pytest.mark.parametrize("trick", names_of("a", "b"))
def test_a_trusted_peer_cannot_be_another_one(
    server, join, keyrings, folder, tmp_path, monkeypatch, trick: str
) -> None:
    public = {name: keyrings[name].identity(name).public.tls_name for name in ("shop", "eve")}
    names, common_name = names_of(**public)[trick]
    forged = leaf(keyrings["eve"].identity("eve"), names, common_name=common_name)
    monkeypatch.setattr(Identity, "leaf", lambda identity: forged)
    eve = join("eve", server.port, 10)
    with pytest.raises((MessageRejected, ProtocolError), match="certificate"):
        eve.set_status("s1", "shop", b"{}")
    assert folder.statuses("s1") == {}


def test_a_trusted_peer_cannot_serve_as_another_one(serve, keyrings, join, monkeypatch) -> None:
    shop = keyrings["shop"].identity("shop").public
    own, eve = Identity.leaf, keyrings["eve"].identity("eve")
    forged = leaf(eve, [x509.DNSName(shop.tls_name), x509.DNSName(MAILBOX_NAME)])
    monkeypatch.setattr(Identity, "leaf", lambda i: forged if i.name == "bank" else own(i))
    port = serve().port
    with pytest.raises(MessageRejected, match="trust .permitted subtree violation"):
        join("shop", port, 60).statuses("s1")
    certificate, key = own(keyrings["shop"].identity("shop"))
    direct = fl.FlightClient(
        ("127.0.0.1", port),
        tls_root_certs=shop.root + eve.public.root,
        cert_chain=certificate,
        private_key=key,
        override_hostname=shop.tls_name,
    )
    with pytest.raises(fl.FlightUnavailableError), direct:
        list(direct.do_action(fl.Action("ask", b""), fl.FlightCallOptions(timeout=5)))


# Who may do what


def test_what_a_peer_may_not_do(server, shop, join, keyrings, folder, tmp_path) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank")
    shop.publish(manifest, sealed)
    other, _ = message(keyrings["bank"], tmp_path, "bank", "shop")
    eve = join("eve", server.port)
    before = snapshot(tmp_path)
    for forbidden in (
        lambda: eve.manifest("s1", "shop", "bank", "data"),
        lambda: content(eve, manifest),
        lambda: eve.publish(manifest, sealed),
        lambda: eve.publish(other, sealed),
        lambda: eve.set_status("s1", "shop", b"{}"),
        lambda: eve.set_status("s1", "bank", b"{}"),
    ):
        with pytest.raises(ProtocolError, match="eve may "):
            forbidden()
    assert list(eve.manifests("s1")) == []
    assert eve.manifest("s1", "eve", "bank", "data") is None
    with pytest.raises(MessageRejected, match="no message"):
        content(eve, replace(manifest, receiver="eve"))
    assert snapshot(tmp_path) == before


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sealed": None}, "neither encrypted nor signed"),
        ({"rows": 4}, "not signed by shop"),
        ({"receiver": "eve"}, "not signed by shop"),
        ({"bytes": (64 << 30) + 1}, "68,719,476,737 bytes; at most"),
        ({"rows": (1 << 40) + 1}, "rows; at most"),
        ({"columns": tuple((f"c{i}", "int8") for i in range(4097))}, "4,097 columns"),
        ({"columns": (("x", "int8" + "[]" * 9),)}, "9 lists and structs"),
        ({"columns": (("x", "struct<a: " * 9 + "int8" + ">" * 9),)}, "9 lists and structs"),
        ({"channel": "../../x"}, "names that no party may have"),
        ({"session": "../x"}, "names that no party may have"),
        ({"sha256": "../x"}, "malformed"),
        ({"protocol": "\x1b"}, "'protocol' is malformed"),
    ],
)
def test_a_manifest_is_refused_before_content_is_taken(
    shop, keyrings, folder, tmp_path, change, problem: str
) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank")
    before = snapshot(tmp_path)
    with pytest.raises(MessageRejected, match=problem):
        shop._begin(replace(manifest, **change).to_json().decode(), shop._patience())
    with pytest.raises(MessageRejected, match=problem):
        upload_anyway(shop, replace(manifest, **change).to_json().decode(), sealed)
    assert snapshot(tmp_path) == before


def upload_anyway(mailbox: RemoteMailbox, text: str, content: Content, offset: int = 0) -> None:
    """Send without asking first; raise what the server says."""
    try:
        mailbox._send_part(text, content, offset, 5)
    except fl.FlightError as error:
        mailbox._bear(error, mailbox._patience())


def test_content_that_is_not_the_manifests(shop, keyrings, folder, tmp_path) -> None:
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=MIB)
    text, good = manifest.to_json().decode(), sealed.read_bytes()
    wrong = tmp_path / "wrong"
    for data, problem in (
        (good + b"x", "more bytes than"),
        (b"x" * len(good), "does not have the SHA-256"),
    ):
        wrong.write_bytes(data)
        with pytest.raises(MessageRejected, match=problem):
            upload_anyway(shop, text, wrong)
        assert no_message(folder)
    wrong.with_name("shop.data.sealed.longer").write_bytes(good + b"x")
    with pytest.raises(ProtocolError, match="another length"):
        shop.publish(manifest, wrong.with_name("shop.data.sealed.longer"))
    wrong.write_bytes(good[: MIB // 2])
    upload_anyway(shop, text, wrong)  # cut
    upload_anyway(shop, text, wrong, offset=MIB // 4)  # nothing new
    assert no_message(folder)
    shop.publish(manifest, sealed)
    assert content(folder, manifest) == good


def test_a_mailbox_with_smaller_limits(serve, join, keyrings, folder, tmp_path) -> None:
    port = serve(limits=Limits(bytes=999)).port
    with pytest.raises(MessageRejected, match="bytes; at most 999 are accepted"):
        join("shop", port).publish(*message(keyrings["shop"], tmp_path, "shop", "bank"))
    assert no_message(folder)


def test_errors_of_the_folder_are_told_without_details(
    shop, keyrings, folder, tmp_path, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "/home/secret")

    monkeypatch.setattr(Folder, "set_status", fail)
    with pytest.raises(ProtocolError, match="No space left on device") as caught:
        shop.set_status("s1", "shop", b"{}")
    assert "secret" not in str(caught.value)
    monkeypatch.setattr(Folder, "status", lambda *_: 1 / 0)
    with pytest.raises(ProtocolError, match="fails .ZeroDivisionError.") as caught:
        shop.status("s1", "shop")
    monkeypatch.undo()
    (tmp_path / "elsewhere").mkdir()
    (folder.path / "s2").mkdir(parents=True)
    (folder.path / "s2" / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProtocolError, match="fails .InvalidValue.") as caught:
        shop.set_status("s2", "shop", b"{}")
    assert str(tmp_path) not in str(caught.value)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil_usage(free=10))
    with pytest.raises(ProtocolError, match="no room"):
        shop.publish(*message(keyrings["shop"], tmp_path, "shop", "bank", size=MIB))


def shutil_usage(free: int):
    from shutil import _ntuple_diskusage

    return _ntuple_diskusage(100, 90, free)


@pytest.fixture
def parties(tmp_path) -> Iterator[Callable[[], tuple[duckpriv.Party, duckpriv.Party, Proxy]]]:
    """A bank that serves, a shop that uses its mailbox, and what counts the bytes between them."""
    introduce(tmp_path, "bank", "shop")
    with contextlib.ExitStack() as opened:

        def connect(me: str, exchange: str, **more):
            keyring, database = tmp_path / f"{me}.keys", tmp_path / f"{me}.duckdb"
            return opened.enter_context(
                duckpriv.connect(
                    database, me=me, keyring=keyring, session="s1", exchange=exchange, **more
                )
            )

        address = f"grpc+tls://localhost:{free_port()}"
        bank = connect("bank", f"dir:{tmp_path}/mailbox", serve=address)
        proxy = Proxy(int(address.rpartition(":")[2]))
        opened.callback(proxy.close)
        yield lambda: (bank, connect("shop", f"grpc+tls://localhost:{proxy.port}"), proxy)


def test_a_query_that_fails_sends_nothing(parties, folder) -> None:
    bank, shop, proxy = parties()
    last = 3_000_000
    query = f"SELECT if(i = {last}, error('broken'), i) AS i FROM range({last + 1}) t(i)"
    shop.con.execute("SET threads = 1")
    with pytest.raises(duckdb.Error, match="broken"):
        shop.con.execute(f"CALL exchange_send('bank', 'big', $$ {query} $$)").fetchall()
    assert proxy.moved < MIB
    assert not list(folder.path.rglob("*big*")) + list(folder.path.rglob(".*"))
    shop.con.execute("CALL exchange_send('bank', 'big', 'SELECT 1 AS i FROM range(1000000)')")
    count = "SELECT count(*), sum(i)::INTEGER FROM exchange_recv('shop', 'big')"
    assert bank.con.execute(count).fetchall() == [(1_000_000, 1_000_000)]


def test_a_finished_run_needs_no_mailbox(parties, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "_STATUS_SECONDS", 0.3)
    script = tmp_path / "small.sql"
    script.write_text("CALL exchange_send('bank', 'x', 'SELECT 1 AS i'); SELECT 2 AS y;")
    bank, shop, _ = parties()
    with shop:
        found = shop.run(str(script))
    bank.close()
    _, shop, _ = parties()
    assert shop.run(str(script)) == found == [{"y": 2}]


# Requests


VALID = [
    requests.GetMessage("s1", "bank", "shop", "a/b"),
    requests.ListManifests("s1"),
    requests.SetStatus("s1", "shop", "{}"),
    requests.GetStatus("s1", "shop"),
    requests.ListStatuses("s1"),
    requests.Begin("{}"),
    requests.Upload("{}", 5),
    requests.Download("s1", "bank", "shop", "a/b", 0, 5),
]
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("../x")
json_values = st.recursive(
    values, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@pytest.mark.parametrize("request_", VALID)
def test_requests_survive_their_own_json(request_) -> None:
    assert requests.parse_request(requests.encode(request_)) == request_


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_request_are_refused(data: bytes) -> None:
    with pytest.raises(MessageRejected):
        requests.parse_request(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_mutated_requests(valid, choice) -> None:
    body = json.loads(requests.encode(valid))
    field = choice.draw(st.sampled_from(sorted(body)))
    change = choice.draw(st.sampled_from(["drop", "set", "add", "bytes"]))
    if change == "drop":
        del body[field]
    elif change == "set":
        body[field] = choice.draw(json_values)
    elif change == "add":
        body[choice.draw(st.text(max_size=5))] = choice.draw(json_values)
    data = bytearray(json.dumps(body).encode())
    if change == "bytes":
        data[choice.draw(st.integers(0, len(data) - 1))] = choice.draw(st.integers(0, 255))
    try:
        parsed = requests.parse_request(bytes(data))
    except MessageRejected:
        return
    assert requests.parse_request(requests.encode(parsed)) == parsed
    for name in ("session", "sender", "receiver", "channel"):
        assert ".." not in getattr(parsed, name, "")
    if isinstance(parsed, requests.Begin | requests.Upload):
        with pytest.raises(MessageRejected):
            requests.parse_manifest(parsed)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"[" * 100_000, b"{}", b'{"do": []}', b" " * (3 << 20), b"1" * 5000],
)
def test_requests_that_are_none(shop, data: bytes, tmp_path) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(MessageRejected):
        requests.parse_request(data)
    for use in (ask, put, get):
        with pytest.raises(fl.FlightServerError) as caught:
            use(shop._client, data)
        assert b"DUCKPRIV_MESSAGE_REJECTED" in caught.value.extra_info
    assert snapshot(tmp_path) == before


def ask(client: fl.FlightClient, data: bytes) -> None:
    list(client.do_action(fl.Action("ask", data), fl.FlightCallOptions(timeout=5)))


def put(client: fl.FlightClient, data: bytes, schema=requests.SCHEMA) -> None:
    descriptor = fl.FlightDescriptor.for_command(data)
    writer, reader = client.do_put(descriptor, schema, fl.FlightCallOptions(timeout=5))
    writer.done_writing()
    reader.read()
    writer.close()


def get(client: fl.FlightClient, data: bytes) -> None:
    client.do_get(fl.Ticket(data), fl.FlightCallOptions(timeout=5)).read_all()


def test_requests_in_the_wrong_place(shop) -> None:
    for use, wrong in ((ask, VALID[6]), (ask, VALID[7]), (put, VALID[0]), (get, VALID[1])):
        with pytest.raises(fl.FlightServerError) as caught:
            use(shop._client, requests.encode(wrong))
        assert b"DUCKPRIV_MESSAGE_REJECTED: this is not what" in caught.value.extra_info


@pytest.mark.parametrize(
    ("session", "sender", "receiver", "channel"),
    [
        ("../s", "bank", "shop", "data"),
        ("..", "bank", "shop", "data"),
        ("s1", "../../shop", "shop", "data"),
        ("s1", "/etc", "shop", "passwd"),
        ("s1", "bank", "shop", "../../../etc/passwd"),
        ("s1", "bank", "shop", "a\0b"),
        ("s1", "bank", "shop", "status.json"),
        ("S1", "bank", "shop", "data"),
    ],
)
def test_names_cannot_lead_elsewhere(shop, session, sender, receiver, channel) -> None:
    refused = []
    for use in (
        lambda: shop.manifest(session, sender, receiver, channel),
        lambda: shop.status(session, sender),
        lambda: shop.set_status(session, sender, b"{}"),
    ):
        try:
            use()
        except (MessageRejected, ProtocolError) as error:
            refused.append(error.message.split(";")[0])
    bad_place = (session, sender) != ("s1", "bank")
    assert refused[0] == "the request is malformed"
    assert len(refused) == (3 if bad_place else 2)  # bank's status may be read


# Peers that are slow or silent


def test_a_server_that_never_answers(join) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ExchangeTimeout, match="could not be used for 1 seconds"):
            join("shop", silent.getsockname()[1], 1).status("s1", "bank")
        assert time.monotonic() - started < 3


class Malicious(fl.FlightServerBase):
    """A trusted peer that serves what it should not."""

    def __init__(self, identity: Identity, roots: bytes) -> None:
        super().__init__(
            fl.Location.for_grpc_tls("127.0.0.1", 0),
            tls_certificates=[identity.leaf()],
            verify_client=True,
            root_certificates=roots,
        )

    def do_action(self, context, action):
        what = json.loads(action.body.to_pybytes())
        if what["do"] == "status":
            while not context.is_cancelled():
                time.sleep(0.05)
            return
        if what["do"] == "statuses":
            yield b"../../etc\nx"
        if what["do"] == "manifests":
            yield b"../x/../y\n"
        if what["do"] == "message":
            yield bytes(5 * MIB)
        if what["do"] == "begin":
            yield {"begin": b"-1", "more": b"2000000", "never": b"5"}[
                json.loads(what["manifest"])["channel"].replace("data", "begin")
            ]
        if what["do"] == "set status":
            raise fl.FlightServerError("x", b"DUCKPRIV_PROTOCOL: \x1b[31mred\x00\n")

    def do_put(self, context, descriptor, reader, writer):
        for _ in reader:
            pass

    def do_get(self, context, ticket):
        channel = json.loads(ticket.ticket)["channel"]

        def chunks():
            while not context.is_cancelled():
                yield requests.EMPTY, bytes(MIB + 100 if channel == "much" else channel == "slow")
                time.sleep(0.05)

        return fl.GeneratorStream(requests.SCHEMA, chunks())


def test_a_server_that_is_slow_or_malicious(join, keyrings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "_CALL_SECONDS", 0.4)
    monkeypatch.setattr(client_module, "_TRANSFER_SECONDS", 0.4)
    bank, shop = (keyrings[name].identity(name) for name in ("bank", "shop"))
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=MIB)
    with Malicious(bank, shop.public.root) as server:
        mailbox = join("shop", server.port, 0.7)
        started = time.monotonic()
        for use in (
            lambda: mailbox.status("s1", "bank"),
            lambda: content(mailbox, replace(manifest, channel="slow")),
            lambda: content(mailbox, replace(manifest, channel="nothing")),
            lambda: mailbox.manifest("s1", "bank", "shop", "data"),
        ):
            with pytest.raises(ExchangeTimeout, match="could not be used for 0.7 seconds"):
                use()
        assert time.monotonic() - started < 8
        with pytest.raises(MessageRejected, match="more than was asked for"):
            content(mailbox, replace(manifest, channel="much"))
        with pytest.raises(ProtocolError, match="as none can be named"):
            mailbox.statuses("s1")
        with pytest.raises(ProtocolError, match="named|place that none can have"):
            list(mailbox.manifests("s1"))
        with pytest.raises(ProtocolError, match="how much it has"):
            mailbox.publish(manifest, sealed)
        with pytest.raises(ProtocolError, match="more than was sent"):
            mailbox.publish(replace(manifest, channel="more"), sealed)
        with pytest.raises(ExchangeTimeout):
            mailbox.publish(replace(manifest, channel="never"), sealed)
        with pytest.raises(ProtocolError) as caught:
            mailbox.set_status("s1", "shop", b"{}")
        assert caught.value.message.isprintable()


def tls(port: int, identity: Identity, folder: Path, roots: bytes) -> ssl.SSLSocket:
    """Connect as a trusted peer, on the level of TLS."""
    certificate, key = identity.leaf()
    (folder / "leaf.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots.decode())
    context.load_cert_chain(folder / "leaf.pem")
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), 5)
    return context.wrap_socket(plain, server_hostname=MAILBOX_NAME)


def test_clients_that_hang_stop_neither_others_nor_the_server(
    serve, join, keyrings, folder, tmp_path
) -> None:
    server = serve()
    shop, bank = (keyrings[name].identity(name) for name in ("shop", "bank"))
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    dumb = [tls(server.port, shop, tmp_path, bank.public.root) for _ in range(5)]
    manifest, sealed = message(keyrings["shop"], tmp_path, "shop", "bank", size=MIB)
    hanging = join("shop", server.port)
    text = manifest.to_json().decode()
    assert hanging._begin(text, hanging._patience()) == 0
    streams = []
    for _ in range(5):
        descriptor = fl.FlightDescriptor.for_command(requests.encode(requests.Upload(text, 0)))
        writer, reader = hanging._client.do_put(descriptor, requests.SCHEMA)
        writer.write_metadata(sealed.read_bytes()[:1])
        streams.append((writer, reader))
    other, other_sealed = message(keyrings["eve"], tmp_path, "eve", "bank")
    join("eve", server.port).publish(other, other_sealed)
    join("shop", server.port).publish(manifest, sealed)  # which five uploads have begun
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < 2
    for end in (*silent, *dumb):
        end.close()


@pytest.fixture
def gate(server) -> Iterator[Callable[..., Gate]]:
    opened = []

    def start(**more) -> Gate:
        gate = Gate("127.0.0.1", 0, ("127.0.0.1", server._service.port), **more)
        server._service.gate = gate
        opened.append(gate)
        return gate

    yield start
    for one in opened:
        one.close()


def closed_within(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_strangers_do_not_keep_a_place(gate, join, keyrings, tmp_path) -> None:
    door = gate(strangers=3, greeting=0.8)
    known = join("shop", door.port)
    known.statuses("s1")
    waiting = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(2)]
    shop, bank = (keyrings[name].identity(name) for name in ("shop", "bank"))
    waiting.append(tls(door.port, shop, tmp_path, bank.public.root))
    with socket.create_connection(("127.0.0.1", door.port)) as fourth:
        assert closed_within(fourth, 0.4)
    assert known.statuses("s1") == {}  # who was here before is served
    assert all(closed_within(connection, 3) for connection in waiting)
    assert join("eve", door.port).statuses("s1") == {}
    for connection in waiting:
        connection.close()


def test_a_connection_over_which_nothing_goes_is_cut_and_comes_back(gate, join) -> None:
    door = gate(idle=0.3)
    shop = join("shop", door.port)
    assert shop.statuses("s1") == {}
    first = set(door._open)
    time.sleep(1)
    assert not door._open
    assert shop.statuses("s1") == {}
    assert set(door._open) != first


def test_a_peer_has_only_some_connections(gate, join) -> None:
    door = gate(connections=3)
    mailboxes = [join("shop", door.port) for _ in range(6)]
    for mailbox in mailboxes:
        assert mailbox.statuses("s1") == {}
    join("eve", door.port).statuses("s1")
    deadline = time.monotonic() + 3
    while len(door._open) != 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sorted(c.peer for c in door._open.values()) == ["eve", "shop", "shop", "shop"]
    assert mailboxes[0].statuses("s1") == {}


def test_a_huge_request_is_cut_off_before_it_is_in_memory(gate, join, keyrings) -> None:
    door = gate(most_unseen=8 * MIB)
    shop = join("shop", door.port)
    before = resident()
    huge = bytes(64 * MIB)
    with pytest.raises(fl.FlightError):
        ask(shop._client, huge)
    assert resident() - before < 64 * MIB + 3 * 64 * MIB  # the client's own copies
    assert shop.statuses("s1") == {}


def test_the_inner_server_serves_nobody_who_did_not_come_through_the_gate(server, join) -> None:
    with pytest.raises(ProtocolError, match="certificate"):
        join("shop", server._service.port).statuses("s1")


def test_the_types_are_mailboxes(shop, folder) -> None:
    mailboxes: list[Mailbox] = [shop, folder]
    assert [m.address.split(":")[0] for m in mailboxes] == ["grpc+tls", str(folder.path)]
    assert issubclass(MessageRejected, DuckprivError)
