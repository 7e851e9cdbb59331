"""A trusted peer that would fill the mailbox of the party that serves it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from duckpriv import Keyring, ProtocolError
from duckpriv.exchange.mailbox.folder import Folder
from duckpriv.exchange.message.limits import Limits
from duckpriv.exchange.network import quota as quota_module
from duckpriv.exchange.network.client import RemoteMailbox
from duckpriv.exchange.network.quota import Quota
from duckpriv.exchange.network.requests import Begin
from duckpriv.exchange.network.server import MailboxServer
from examples.introduction import introduce
from tests.network import message, sign
from tests.parties import at_once

MIB = 1 << 20
Open = Callable[..., tuple[MailboxServer, RemoteMailbox]]


@pytest.fixture(scope="module")
def keyrings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Keyring]:
    folder = tmp_path_factory.mktemp("keyrings")
    introduce(folder, "bank", "shop", "eve")
    return {name: Keyring(folder / f"{name}.keys") for name in ("bank", "shop", "eve")}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mailbox")


@pytest.fixture
def serve(folder, keyrings) -> Iterator[Open]:
    """Serve the folder with limits; return the server, and a peer's client."""
    opened: list[MailboxServer | RemoteMailbox] = []

    def start(peer: str = "shop", **limits: int) -> tuple[MailboxServer, RemoteMailbox]:
        server = MailboxServer(folder, "127.0.0.1", 0, keyrings["bank"], "bank", Limits(**limits))
        opened.append(server)
        opened.append(RemoteMailbox("127.0.0.1", server.port, keyrings[peer], peer, 20))
        return server, opened[-1]

    yield start
    for one in reversed(opened):
        one.close()


@pytest.fixture
def publish(keyrings, tmp_path) -> Callable[..., None]:
    """Publish a message of `size` bytes to `mailbox`."""

    def work(
        mailbox: RemoteMailbox,
        channel: str = "m",
        session: str = "s1",
        size: int = 100,
        sender: str = "shop",
        receiver: str = "bank",
    ) -> None:
        # The content is sealed for another place, which the mailbox cannot know.
        manifest, sealed = message(keyrings[sender], tmp_path, sender, "bank", channel, size)
        moved = replace(manifest, session=session, receiver=receiver)
        mailbox.publish(sign(keyrings[sender], moved), sealed)

    return work


@pytest.fixture(autouse=True)
def at_once_counted_anew(monkeypatch) -> None:
    monkeypatch.setattr(quota_module, "_RECOUNT_SECONDS", 0.0)


def test_sessions(serve, publish, folder, caplog) -> None:
    server, shop = serve(peer_sessions=3)
    for session in ("s1", "s2"):
        publish(shop, session=session)
    shop.set_status("s3", "shop", b"{}")
    with caplog.at_level(logging.WARNING, "duckpriv"):
        for attempt in (
            lambda: publish(shop, session="s4"),
            lambda: publish(shop, session="s4", size=MIB),
            lambda: shop.set_status("s4", "shop", b"{}"),
        ):
            with pytest.raises(ProtocolError, match="limit peer_sessions of this mailbox, 3;"):
                attempt()
    assert f"each is a folder in {folder.path}" in caplog.text
    assert not (folder.path / "s4").exists()
    publish(shop, "n", session="s1")  # those that it has go on

    server.close()  # a restart forgets nothing
    _, shop = serve(peer_sessions=3)
    with pytest.raises(ProtocolError, match="peer_sessions"):
        publish(shop, session="s4")
    shutil.rmtree(folder.path / "s1")  # what the owner is told to do
    publish(shop, session="s4")


def test_another_peer_has_limits_of_its_own(serve, publish, keyrings) -> None:
    server, shop = serve(peer_sessions=1)
    publish(shop)
    eve = RemoteMailbox("127.0.0.1", server.port, keyrings["eve"], "eve", 20)
    try:
        publish(eve, session="s2", sender="eve")
    finally:
        eve.close()


@pytest.mark.parametrize("size", [100, MIB])
def test_messages(serve, publish, folder, size: int) -> None:
    _, shop = serve(peer_messages=4)  # the folder of the receiver counts as one
    for i in range(3):
        publish(shop, f"m/{i}", size=size)
    with pytest.raises(ProtocolError, match="peer_messages of this mailbox, 4;"):
        publish(shop, "m/3", size=size)
    with pytest.raises(ProtocolError, match="peer_messages"):
        publish(shop, "m/3", size=size, receiver="eve")
    assert len(list(folder.path.rglob("*.arrow"))) == 3
    assert not (folder.path / "s1/shop/eve").exists()


def test_receivers_that_nobody_is(serve, publish, folder) -> None:
    """Folders take room as well."""
    _, shop = serve(peer_messages=10)
    with pytest.raises(ProtocolError, match="peer_messages"):
        for i in range(20):
            publish(shop, receiver=f"nobody-{i}")
    assert len(list((folder.path / "s1/shop").iterdir())) == 5


def test_bytes_of_whole_messages_and_of_begun_ones(serve, publish, folder) -> None:
    _, shop = serve(peer_bytes=3 * MIB)
    publish(shop, "a", size=MIB)
    publish(shop, "b", size=MIB)
    with pytest.raises(ProtocolError, match="limit peer_bytes of this mailbox, 3,145,728;"):
        publish(shop, "c", size=2 * MIB)  # before anything of it is sent
    assert sum(path.stat().st_size for path in folder.path.rglob("*.*")) < 2.1 * MIB
    publish(shop, "d", size=MIB // 2)


def test_many_at_once_pass_no_limit(serve, publish, folder, keyrings, tmp_path) -> None:
    _, shop = serve(peer_messages=9)
    made = [
        message(keyrings["shop"], tmp_path, "shop", "bank", f"m/{i}", (100, MIB)[i % 2])
        for i in range(16)
    ]
    results = at_once(*(lambda one=one: shop.publish(*one) for one in made))
    refused = [error for error in results if error is not None]
    assert all("peer_messages" in str(error) for error in refused)
    there = len(list(folder.path.rglob("*.arrow")) + list(folder.path.rglob("*.partial")))
    assert there <= 8
    assert len(results) - len(refused) <= 8


def test_the_same_message_again_counts_once(serve, keyrings, tmp_path) -> None:
    _, shop = serve(peer_messages=3)
    made = [
        message(keyrings["shop"], tmp_path, "shop", "bank", f"m/{i}", size)
        for i, size in enumerate((100, MIB))
    ]
    for _ in range(5):
        for manifest, sealed in made:
            shop.publish(manifest, sealed)


@pytest.mark.parametrize("size", [100, 2 * MIB])
def test_room_stays_free_on_the_disk(serve, publish, folder, monkeypatch, caplog, size) -> None:
    _, shop = serve(free_bytes=5 * MIB)
    usage = shutil._ntuple_diskusage(100, 90, 5 * MIB + 99)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ProtocolError, match="its disk is nearly full. Tell its owner"):
        publish(shop, size=size)
    assert "5,242,880 bytes stay free (the limit free_bytes)" in caplog.text
    assert not list(folder.path.rglob("*.arrow"))
    monkeypatch.undo()
    publish(shop, size=size)


def test_counting_does_not_walk_for_each_message(folder, monkeypatch) -> None:
    monkeypatch.setattr(quota_module, "_RECOUNT_SECONDS", 10.0)
    walks = []
    count = quota_module._Account.count

    def counted(self, *arguments) -> None:
        walks.append(arguments)
        count(self, *arguments)

    monkeypatch.setattr(quota_module._Account, "count", counted)
    quota = Quota(folder.path, Limits(peer_messages=100))
    for _ in range(99):
        quota.take("shop", "s1", "bank", 1, 10)
    for _ in range(50):  # nor can a peer at its limit make the owner's disk busy
        with pytest.raises(ProtocolError, match="peer_messages"):
            quota.take("shop", "s1", "bank", 1, 10)
    assert len(walks) == 1


def test_large_manifests_of_begun_messages_do_not_pile_up(serve, keyrings, tmp_path) -> None:
    """A megabyte of columns each: 260 of them took the server a gigabyte."""
    server, shop = serve()
    manifest, _ = message(keyrings["shop"], tmp_path, "shop", "bank", "m", MIB)
    columns = tuple((f"c{i}", "string") for i in range(4000))
    for i in range(12):
        begun = replace(manifest, channel=f"m-{i}", sha256=f"{i:064x}", columns=columns)
        shop._ask(Begin(sign(keyrings["shop"], begun).to_json().decode()))
    kept = server._service.uploads._known.values()
    assert sum(len(upload.manifest.columns) for upload in kept) <= 1 << 14
