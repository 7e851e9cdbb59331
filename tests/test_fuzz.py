"""Bytes that a stranger sent: only duckpriv's own errors come out, whatever they are.

Most examples are valid ones with a few changes, which get further than random bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError, Keyring
from duckpriv.columns.context import Context
from duckpriv.errors import InvalidValue, MessageRejected
from duckpriv.exchange import Manifest
from duckpriv.exchange.mailbox.status import Watch
from duckpriv.exchange.message.arrowstream import _field, read_batches
from duckpriv.keys import PublicIdentity
from tests import bombs
from tests.effort import examples
from tests.keys import fill
from tests.parsers import (
    ARROW,
    CIPHERTEXTS,
    INTERESTING,
    NUMBERS,
    STATUS,
    TEXTS,
    Parser,
    accept_stream,
    all_parsers,
    ciphertexts,
    edited,
    key_parsers,
    read_statuses,
    sealed_seed,
    use_ciphertext,
    with_fields,
)


def fuzz(few: int) -> Callable:
    return settings(
        max_examples=examples(few),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


place = st.floats(0, 1, exclude_max=True)
edit = st.one_of(
    st.tuples(st.just("set"), place, st.sampled_from(INTERESTING) | st.integers(0, 255)),
    st.tuples(st.just("bit"), place, st.integers(0, 7)),
    st.tuples(st.just("number"), place, st.sampled_from(NUMBERS)),
    st.tuples(st.just("cut"), place, place),
    st.tuples(st.just("repeat"), place, place),
    st.tuples(st.just("insert"), place, st.binary(max_size=12)),
    st.tuples(st.just("end"), place, st.just(None)),
)
edits = st.lists(edit, min_size=1, max_size=4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def changed_json(text: bytes, fields: dict, changes: list) -> bytes:
    return edited(with_fields(text, fields), changes)


def of_fields(*names: str) -> st.SearchStrategy:
    return st.dictionaries(st.sampled_from(names), json_values, max_size=3)


# Manifests, identities, statuses, requests, lists of columns: text.

FIELDS = {
    "manifest": Manifest.__annotations__,
    "identity": ("format", "name", "verifies", "receives", "certificate", "proof"),
    "payload of an invitation": ("exchange", "identity", "run", "to"),
    "request": ("do", "session", "sender", "channel", "manifest", "content", "offset", "name"),
}


@pytest.mark.parametrize("kind", FIELDS)
@fuzz(150)
@given(data=st.data(), changes=st.just([]) | edits)
def test_texts(kind: str, data, changes) -> None:
    parser = TEXTS[kind]
    start = data.draw(st.sampled_from(parser.starts))
    parser.accepts(changed_json(start, data.draw(of_fields(*FIELDS[kind])), changes))


@pytest.mark.parametrize("kind", ["invitation", "settings file"])
@fuzz(100)
@given(data=st.data(), changes=edits)
def test_what_parties_give_each_other_by_hand(kind: str, data, changes) -> None:
    parser = TEXTS[kind]
    parser.accepts(edited(data.draw(st.sampled_from(parser.starts)), changes))


@fuzz(150)
@given(
    fields=st.dictionaries(
        st.sampled_from(["script", "session", "settings", "extra"]),
        st.none()
        | st.text(max_size=20)
        | st.sampled_from(["psi/host", "../x", "psi/guest.sql"])
        | st.dictionaries(
            st.sampled_from(["kind", "scheme", "table", "id", "result", "minimum"]),
            st.text(max_size=20) | st.sampled_from(["rsa", "email; phone", "a\x1b[2J"]),
            max_size=3,
        ),
        max_size=3,
    )
)
def test_what_a_dishonest_inviter_proposes(fields) -> None:
    parser = TEXTS["payload of an invitation"]
    start = parser.starts[2]
    payload = {**json.loads(start), "run": {**json.loads(start)["run"], **fields}}
    data = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    assert parser.accepts(data) or fields


@fuzz(50)
@given(changes=edits)
def test_certificates(changes) -> None:
    parser = TEXTS["certificate"]
    parser.accepts(edited(parser.starts[0], changes))


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, '{"a":' * 100_000, "9" * 100_000, "-1e999999", "NaN", '"\\ud800"', ""),
        *("\ufeff{}", "{}" + " " * (2 << 20)),
    ],
    ids=range(9),
)
def test_texts_that_are_hard_for_a_parser_of_json(text: str) -> None:
    for data in (text.encode(), text.encode("utf-16")):
        with pytest.raises(MessageRejected):
            Manifest.from_json(data)
        with pytest.raises(InvalidValue):
            PublicIdentity.from_text(data)
        watch = Watch("bank", "data", 60, None, "psi/guest")
        watch.look(data)


@fuzz(150)
@given(
    statuses=st.lists(
        st.tuples(of_fields("state", "run", "beat", "every", "script"), st.just([]) | edits),
        max_size=3,
    ),
    silence=st.sampled_from([0.0, 1e-9, 60]),
)
def test_statuses(statuses, silence: float) -> None:
    read_statuses([changed_json(STATUS, fields, changes) for fields, changes in statuses], silence)


@fuzz(150)
@given(text=st.text(max_size=40) | st.lists(st.sampled_from(["x", " ", ",", "BLOB", "[]", "\0"])))
def test_expected_columns(text) -> None:
    TEXTS["columns"].accepts("".join(text).encode(errors="surrogatepass"))


# Public keys, their proofs, parts and shares.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def keyring(folder: Path, rsa_key, joint_key) -> Keyring:
    keyring = Keyring(folder / "keys")
    fill(keyring, rsa_key, joint_key)
    return keyring


@pytest.fixture(scope="module")
def keys(keyring: Keyring) -> dict[str, Parser]:
    return key_parsers(keyring)


@pytest.mark.parametrize("kind", ["rsa", "paillier", "joint", "share", "proof", "seed", "import"])
@fuzz(40)
@given(changes=edits)
def test_public_keys(keys, kind: str, changes) -> None:
    keys[kind].accepts(edited(keys[kind].starts[0], changes))


@pytest.mark.parametrize("kind", ["rsa", "paillier", "joint", "share", "seed", "import"])
@fuzz(40)
@given(data=st.binary(max_size=200))
def test_public_keys_of_random_bytes(keys, kind: str, data: bytes) -> None:
    for candidate in (data, keys[kind].starts[0][:5] + data):
        assert not keys[kind].accepts(candidate)


def test_public_keys_that_are_padded_or_huge(keys) -> None:
    """The same numbers in more bytes, and keys that would take long to check."""
    for kind in ("paillier", "joint", "share"):
        good, read = keys[kind].starts[0], keys[kind].read
        width = int.from_bytes(good[5:7], "big")
        body, numbers = good[7:], []
        while len(body) >= width and len(numbers) < (2 if kind != "paillier" else 99):
            numbers, body = [*numbers, body[:width]], body[width:]
        for wide in (width + 1, 0xFFFF):
            padded = b"".join(number.rjust(wide, b"\0") for number in numbers)
            with pytest.raises(DuckprivError):
                read(good[:5] + wide.to_bytes(2, "big") + padded + body)
        for wide in (0, 1, 0xFFFF):
            with pytest.raises(DuckprivError):
                read(good[:5] + wide.to_bytes(2, "big") + b"\xff" * wide * len(numbers) + body)


# Ciphertexts.


@pytest.fixture(scope="module")
def good(keyring: Keyring) -> tuple[Context, dict[str, bytes]]:
    context = Context(keyring)
    return context, ciphertexts(context)


@pytest.mark.parametrize("kind", CIPHERTEXTS)
@fuzz(25)
@given(
    changes=edits,
    header=st.lists(st.tuples(st.integers(0, 31), st.integers(0, 255)), max_size=3),
)
def test_ciphertexts(good, kind: str, changes, header) -> None:
    context, valid = good
    data = bytearray(valid[kind] if header else edited(valid[kind], changes))
    for at, byte in header:
        data[at] = byte
    use_ciphertext(context, valid, kind, bytes(data))


@fuzz(40)
@given(changes=edits)
def test_sealed_seeds(keyring, changes) -> None:
    parser = sealed_seed(keyring)
    parser.accepts(edited(parser.starts[0], changes))


# Arrow streams, and messages.


@pytest.mark.parametrize("name", ARROW)
@fuzz(70)
@given(st.just([]) | edits, st.booleans(), st.booleans())
def test_arrow_streams(folder: Path, name: str, changes, nulls: bool, follows: bool) -> None:
    with suppress(MessageRejected):
        accept_stream(folder, name, edited(ARROW[name], changes), nulls, follows)


def test_every_parser_accepts_its_examples(folder: Path, keyring: Keyring) -> None:
    """What is changed in fuzzing is valid before; but a key of another kind than is asked for, and
    a compressed message."""
    refused = {
        name
        for name, parser in all_parsers(folder, keyring).items()
        if not all(parser.accepts(start) for start in parser.starts)
    }
    assert refused == {"import key", "stream, zstd"}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in /proc")
def test_what_is_small_stays_small(tmp_path: Path) -> None:
    bombs.write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bombs", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    found = {report["name"]: report for report in map(json.loads, done.stdout.splitlines())}
    assert found.keys() == bombs.BOMBS.keys()
    for name, report in found.items():
        assert report["outcome"].startswith("DUCKPRIV_MESSAGE_REJECTED"), report
        # What reading takes is in proportion to what was sent.
        sent = (tmp_path / f"{name}.arrow").stat().st_size
        assert report["mb"] < 50 + 40 * (sent >> 20), report
        assert report["seconds"] < 20, report
        assert report["left"] == [], report
    assert "more in its columns" in found["one region of the message as 64 columns"]["outcome"]


def test_a_first_message_of_unknown_type_is_not_taken_for_a_schema() -> None:
    """pyarrow does not verify its header then: reading that as a schema ended the process."""
    data = ARROW["numbers"]
    metadata = data[8:]  # behind 0xffffffff and a length
    root = int.from_bytes(metadata[:4], "little")
    kind, header = (8 + _field(metadata, root, index) for index in (1, 2))
    for offset in (0, 1, 2**31 - 1, 2**32 - 1):
        changed = bytearray(data)
        changed[kind] = 99
        changed[header : header + 4] = offset.to_bytes(4, "little")
        with pytest.raises((pa.ArrowException, OSError)):
            read_batches(pa.BufferReader(bytes(changed)))
