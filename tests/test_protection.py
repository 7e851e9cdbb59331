"""Messages that are encrypted and signed: what the carrier, or a stranger, can do to them."""

from __future__ import annotations

import io
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import InvalidValue, KeyMismatch, KeyNotFound, Keyring
from duckpriv.crypto import sealing
from duckpriv.keys import Identity, PublicIdentity
from examples.introduction import introduce
from tests.parties import match

SECRET = "a-row-that-nobody-may-read"


@pytest.fixture
def parties(connect, tmp_path: Path) -> dict:
    introduce(tmp_path, "bank", "shop", "eve")
    return {name: connect(name, unprotected=False, timeout=0.3) for name in ("bank", "shop", "eve")}


def send(party, peer: str, channel: str = "data", text: str = SECRET):
    query = f"SELECT '{text}' AS text, i FROM range(10) t(i)"
    return party.con.execute("CALL exchange_send($1, $2, $3)", [peer, channel, query]).fetchall()


def receive(party, peer: str, channel: str = "data"):
    return party.con.execute(f"FROM exchange_recv('{peer}', '{channel}')").fetchall()


def files(mailbox: Path, session="s1", sender="bank", receiver="shop", channel="data"):
    folder = mailbox / session / sender / receiver
    return folder / f"{channel}.arrow", folder / f"{channel}.json"


@pytest.fixture
def mailbox(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


def test_a_message_arrives_and_nobody_else_can_read_it(parties, mailbox) -> None:
    send(parties["bank"], "shop")
    assert receive(parties["shop"], "bank") == [(SECRET, i) for i in range(10)]
    for file in mailbox.rglob("*.*"):
        assert SECRET.encode() not in file.read_bytes()


def test_several_receivers_get_messages_of_their_own(parties, mailbox) -> None:
    send(parties["bank"], "shop,eve")
    assert receive(parties["shop"], "bank") == receive(parties["eve"], "bank")
    manifests = [json.loads(files(mailbox, receiver=to)[1].read_text()) for to in ("shop", "eve")]
    assert manifests[0]["sealed"]["key"] != manifests[1]["sealed"]["key"]


def test_a_second_message_is_refused(connect, parties, mailbox) -> None:
    send(parties["bank"], "shop")
    before = files(mailbox)[0].read_bytes()
    for party in (parties["bank"], connect("bank", unprotected=False)):
        with pytest.raises(duckdb.Error, match="already sent a message"):
            send(party, "shop")
    assert files(mailbox)[0].read_bytes() == before


CHANGES = {
    "session": "s2",
    "sender": "eve",
    "receiver": "eve",
    "channel": "other",
    "protocol": "psi/2",
    "parameters": "x=1",
    "columns": [["text", "string"], ["j", "int64"]],
    "rows": 11,
}


@pytest.mark.parametrize("field", [*CHANGES, "sealed", "parameters_sha256"])
def test_a_manifest_that_was_altered_is_refused(parties, mailbox, field: str) -> None:
    send(parties["bank"], "shop")
    _, manifest = files(mailbox)
    fields = json.loads(manifest.read_text())
    fields[field] = CHANGES.get(field)
    if field == "parameters_sha256":
        fields[field] = "0" * 64
    manifest.write_text(json.dumps(fields))
    with pytest.raises(duckdb.Error, match="DUCKPRIV_(MESSAGE_REJECTED|PROTOCOL|KEY)"):
        receive(parties["shop"], "bank")


@pytest.mark.parametrize("field", ["sender", "receiver", "key", "signature"])
def test_protection_that_was_altered_is_refused(parties, mailbox, field: str) -> None:
    send(parties["bank"], "shop")
    _, manifest = files(mailbox)
    fields = json.loads(manifest.read_text())
    value = fields["sealed"][field]
    fields["sealed"][field] = ("1" if value[0] == "0" else "0") + value[1:]
    manifest.write_text(json.dumps(fields))
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED"):
        receive(parties["shop"], "bank")


def test_content_that_was_altered_or_exchanged_is_refused(parties, mailbox) -> None:
    send(parties["bank"], "shop")
    send(parties["bank"], "shop", channel="other", text="x" * len(SECRET))
    data, _ = files(mailbox)
    shutil.copy(files(mailbox, channel="other")[0], data)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED"):
        receive(parties["shop"], "bank")


@pytest.mark.parametrize(
    ("session", "sender", "receiver", "channel"),
    [
        ("s2", "bank", "shop", "data"),
        ("s1", "eve", "shop", "data"),
        ("s1", "bank", "eve", "data"),
        ("s1", "bank", "shop", "other"),
    ],
)
def test_a_message_that_was_moved_is_refused(
    connect, parties, mailbox, session, sender, receiver, channel
) -> None:
    """Also with a manifest that was made to fit its new place."""
    send(parties["bank"], "shop")
    place = {"session": session, "sender": sender, "receiver": receiver, "channel": channel}
    data, manifest = files(mailbox, **place)
    data.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(files(mailbox)[0], data)
    original = json.loads(files(mailbox)[1].read_text())
    reader = connect(receiver, unprotected=False, timeout=0.3, session=session)
    for fields in (original, original | place):
        manifest.write_text(json.dumps(fields))
        with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED"):
            receive(reader, sender, channel)


def test_a_stranger_who_can_write_the_mailbox_cannot_speak_for_a_party(
    connect, parties, mailbox, tmp_path
) -> None:
    Keyring(tmp_path / "forger.keys").create_identity("bank")
    shop = parties["shop"].keyring.identity("shop").public
    Keyring(tmp_path / "forger.keys").trust(shop, shop.fingerprint)
    send(connect("bank", unprotected=False, keyring=tmp_path / "forger.keys"), "shop")
    with pytest.raises(duckdb.Error, match="MESSAGE_REJECTED.* and you trust"):
        receive(parties["shop"], "bank")


@pytest.mark.parametrize("unprotected", ["bank", "shop"])
def test_one_party_without_protection(connect, parties, unprotected: str) -> None:
    trial = connect(unprotected, unprotected=True, timeout=0.3)
    send(trial if unprotected == "bank" else parties["bank"], "shop")
    with pytest.raises(duckdb.Error, match="MESSAGE_REJECTED.*unprotected"):
        receive(trial if unprotected == "shop" else parties["shop"], "bank")


def test_without_identity_or_trust_it_is_said_what_to_do(connect, parties, tmp_path) -> None:
    with pytest.raises(KeyNotFound, match="duckpriv identity create new"):
        connect("new", unprotected=False)
    parties["bank"].keyring.remove("identity-shop")
    with pytest.raises(duckdb.Error, match="you trust no identity of 'shop'"):
        send(parties["bank"], "shop")


def test_trust_takes_the_fingerprint_and_keeps_the_first_identity(tmp_path) -> None:
    keyring = Keyring(tmp_path / "k")
    one, two = (Identity.generate("bank").public for _ in range(2))
    with pytest.raises(KeyMismatch, match="not the one you gave"):
        keyring.trust(one, two.fingerprint)
    groups = [one.fingerprint[i : i + 4] for i in range(0, 64, 4)]
    keyring.trust(one, " ".join(groups).upper())
    keyring.trust(one, one.fingerprint)
    with pytest.raises(KeyMismatch, match="another"):
        keyring.trust(two, two.fingerprint)
    assert keyring.trusted("bank") == one
    with pytest.raises(KeyMismatch, match="has an identity"):
        keyring.create_identity("me")
        keyring.create_identity("me")
    assert {info.kind for info in keyring.list()} == {"own identity", "trusted identity"}
    assert Identity.generate("x").signs.hex() not in repr(Identity.generate("x"))


@given(st.binary(max_size=300) | st.from_regex(r"\{.*\}", fullmatch=True).map(str.encode))
def test_any_bytes_as_an_identity_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        PublicIdentity.from_text(data)


@pytest.mark.parametrize("field", ["name", "verifies", "receives", "certificate", "proof"])
def test_an_identity_that_was_altered_is_refused(field: str) -> None:
    fields = json.loads(Identity.generate("bank").public.text)
    fields[field] = "shop" if field == "name" else Identity.generate("x").public.proof.hex()[:64]
    with pytest.raises(InvalidValue):
        PublicIdentity.from_text(json.dumps(fields))


SIZES = [0, 1, sealing.CHUNK - 1, sealing.CHUNK, sealing.CHUNK + 1, 2 * sealing.CHUNK]


def sealed(key: bytes, data: bytes) -> bytes:
    target = io.BytesIO()
    sealer = sealing.Sealer(key, target.write)
    for start in range(0, len(data), 700_001):
        sealer.write(data[start : start + 700_001])
    sealer.finish()
    return target.getvalue()


def unsealed(key: bytes, data: bytes) -> bytes:
    unsealer = sealing.Unsealer(key, io.BytesIO(data).readinto, len(data) + 1)
    opened, part = b"", bytearray(333_333)
    while count := unsealer.readinto(memoryview(part)):
        opened += part[:count]
    return opened


@pytest.mark.parametrize("size", SIZES)
def test_sealing_of_every_size_around_a_chunk(size: int) -> None:
    key, data = bytes(range(32)), bytes(i % 251 for i in range(size))
    closed = sealed(key, data)
    assert unsealed(key, closed) == data
    chunk = sealing.CHUNK + sealing.TAG_BYTES
    for wrong in (closed[:-1], closed + b"x", closed[:chunk], closed[chunk:], closed * 2, b""):
        if wrong != closed:
            with pytest.raises(ValueError, match="altered"):
                unsealed(key, wrong)
    if size > sealing.CHUNK:
        swapped = closed[chunk : 2 * chunk] + closed[:chunk] + closed[2 * chunk :]
        with pytest.raises(ValueError, match="altered"):
            unsealed(key, swapped)
    with pytest.raises(ValueError, match="altered"):
        unsealed(bytes(32), closed)


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=100), st.data())
def test_no_bit_of_sealed_data_can_change(data: bytes, choice) -> None:
    closed = bytearray(sealed(bytes(32), data))
    bit = choice.draw(st.integers(0, 8 * len(closed) - 1))
    closed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="altered"):
        unsealed(bytes(32), bytes(closed))


def test_private_matching_with_identities_in_two_processes(tmp_path: Path) -> None:
    introduce(tmp_path, "bank", "shop")
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        host, guest = (
            pool.submit(match, role, str(tmp_path), ids, unprotected=False).result
            for role, ids in (("host", ["a", "b", "c"]), ("guest", ["b", "c", "d"]))
        )
        assert [row[0] for row in sorted(guest()["alignment"])] == ["b", "c"]
        assert len(host()["alignment"]) == 3
