"""Bytes that a stranger sent: only duckpriv's own errors come out, whatever they are.

Most examples are valid ones with a few changes, which get further than random bytes.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest import mock

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv import DuckprivError, Keyring
from duckpriv.columns import homomorphic, joint, paillier
from duckpriv.columns.context import Context
from duckpriv.columns.seeds import seed_open, seed_seal
from duckpriv.crypto import rsabssa
from duckpriv.errors import ExchangeTimeout, InvalidValue, MessageRejected, ProtocolError
from duckpriv.exchange import Manifest, incoming
from duckpriv.exchange.arrowstream import _field, read_batches
from duckpriv.exchange.limits import Limits
from duckpriv.exchange.status import Heart, Watch
from duckpriv.exchange.types import expected_columns
from duckpriv.keys import (
    Identity,
    JointPublicKey,
    KeyShare,
    PaillierPublicKey,
    PublicIdentity,
    RsaPublicKey,
)
from tests import bombs
from tests.conftest import give_keys
from tests.effort import examples


def fuzz(few: int) -> Callable:
    return settings(
        max_examples=examples(few),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


INTERESTING = [0, 1, 2, 127, 128, 255]
NUMBERS = [0, 1, -1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1]
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


def edited(data: bytes, changes: list) -> bytes:
    """Apply changes at relative places."""
    for kind, where, what in changes:
        at = int(where * len(data))
        if kind == "set":
            data = data[:at] + bytes([what]) + data[at + 1 :]
        elif kind == "bit":
            data = data[:at] + bytes(b ^ 1 << what for b in data[at : at + 1]) + data[at + 1 :]
        elif kind == "number":
            at -= at % 4  # where numbers stand
            width = 4 if -(2**31) <= what < 2**31 else 8
            data = data[:at] + what.to_bytes(width, "little", signed=True) + data[at + width :]
        elif kind == "cut":
            data = data[:at] + data[at + int(what * 64) :]
        elif kind == "repeat":
            data = data[:at] + data[at : at + int(what * 64)] + data[at:]
        elif kind == "insert":
            data = data[:at] + what + data[at:]
        else:
            data = data[:at]
    return data


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def changed_json(text: bytes, fields: dict, changes: list) -> bytes:
    return edited(json.dumps({**json.loads(text), **fields}).encode(), changes)


def of_fields(*names: str) -> st.SearchStrategy:
    return st.dictionaries(st.sampled_from(names), json_values, max_size=3)


# Manifests, identities, statuses, lists of columns: text.

PLAIN = bombs.manifest_of(b"", 3, (("x", "int64"), ("y", "string")))
SEALED = {"sender": 64, "receiver": 64, "key": 160, "recognised": 64, "signature": 128}
MANIFESTS = [
    PLAIN.to_json(),
    json.dumps(
        {**json.loads(PLAIN.to_json()), "sealed": {k: "a" * n for k, n in SEALED.items()}}
    ).encode(),
]


@fuzz(150)
@given(
    start=st.sampled_from(MANIFESTS),
    fields=of_fields(*Manifest.__annotations__),
    changes=st.just([]) | edits,
)
def test_manifests(start: bytes, fields, changes) -> None:
    data = changed_json(start, fields, changes)
    try:
        read = Manifest.from_json(data)
    except MessageRejected:
        return
    assert Manifest.from_json(read.to_json()) == read


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


IDENTITY = Identity.generate("bank").public.text.encode()


@fuzz(150)
@given(
    fields=of_fields("format", "name", "verifies", "receives", "proof"),
    changes=st.just([]) | edits,
)
def test_identities(fields, changes) -> None:
    data = changed_json(IDENTITY, fields, changes)
    for text in (data, data.decode(errors="surrogateescape")):
        with suppress(InvalidValue):
            assert PublicIdentity.from_text(text).text == IDENTITY.decode()


@fuzz(150)
@given(
    statuses=st.lists(
        st.tuples(of_fields("state", "run", "beat", "every", "script"), st.just([]) | edits),
        max_size=3,
    ),
    silence=st.sampled_from([0.0, 1e-9, 60]),
)
def test_statuses(statuses, silence: float) -> None:
    watch = Watch("bank", "data", silence, None, "psi/guest")
    for fields, changes in statuses:
        data = changed_json(Heart(1, "psi/host").status(), fields, changes)
        try:
            watch.look(data)
            watch.look(data)
        except (ProtocolError, ExchangeTimeout) as error:
            assert len(str(error)) < 1000


@fuzz(150)
@given(text=st.text(max_size=40) | st.lists(st.sampled_from(["x", " ", ",", "BLOB", "[]", "\0"])))
def test_expected_columns(text) -> None:
    with suppress(InvalidValue):
        expected_columns("".join(text))


# Public keys, their proofs, parts and shares.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def keyring(folder: Path, rsa_key, joint_key) -> Keyring:
    with duckpriv.connect(keyring=folder / "keys") as party:
        return give_keys(party, rsa_key, joint_key).keyring


@pytest.fixture(scope="module")
def keys(keyring: Keyring) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    rsa = keyring.rsa_private("mine")
    modulus = rsa.public.modulus
    proof = rsabssa.key_proof(rsa.operation, modulus)
    part = keyring.seed_part("seed1")
    share = keyring.joint_part("part1").share
    return {
        "rsa": (rsa.public.der, RsaPublicKey.from_der),
        "paillier": (keyring.paillier_public("paillier").encoded, PaillierPublicKey.from_bytes),
        "joint": (keyring.joint_public("part1").encoded, JointPublicKey.from_bytes),
        "share": (share.encoded, lambda data: KeyShare.from_bytes(data, "part1")),
        "proof": (proof, lambda data: rsabssa.check_key_proof(data, modulus)),
        "seed": (
            keyring.seed_part("seed2").public,
            lambda data: part.agree("seed1", "seed2", data),
        ),
        "import": (
            keyring.paillier_public("paillier").encoded,
            lambda data: keyring.import_public("host", data, "rsa"),
        ),
    }


@pytest.mark.parametrize("kind", ["rsa", "paillier", "joint", "share", "proof", "seed", "import"])
@fuzz(40)
@given(changes=edits)
def test_public_keys(keys, kind: str, changes) -> None:
    good, read = keys[kind]
    data = edited(good, changes)
    try:
        found = read(data)
    except DuckprivError:
        return
    if kind in ("paillier", "joint", "share") and data != good:
        # Another writing of a key would be another key by its fingerprint.
        assert found.encoded == data


@pytest.mark.parametrize("kind", ["rsa", "paillier", "joint", "share", "seed", "import"])
@fuzz(40)
@given(data=st.binary(max_size=200))
def test_public_keys_of_random_bytes(keys, kind: str, data: bytes) -> None:
    good, read = keys[kind]
    for candidate in (data, good[:5] + data):
        with pytest.raises(DuckprivError):
            read(candidate)


def test_public_keys_that_are_padded_or_huge(keys) -> None:
    """The same numbers in more bytes, and keys that would take long to check."""
    for kind in ("paillier", "joint", "share"):
        good, read = keys[kind]
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
def ciphertexts(keyring: Keyring) -> tuple[Context, dict[str, bytes]]:
    context = Context(keyring)
    column = pa.array([[1.0, 2.0]])
    scale, bound, slots = pa.array([4]), pa.array([10]), pa.array([64])
    made = {
        "paillier": paillier.paillier_encrypt_list(
            context, column, pa.array(["paillier"]), scale, bound, slots
        ),
        "joint": joint.joint_encrypt_list(
            context, column, pa.array(["part1"]), scale, bound, slots
        ),
    }
    masked = joint.joint_mask(context, made["joint"], pa.array(["part1"]))
    made["mask"] = masked.field("mask")
    made["partial"] = joint.partial_decrypt(context, masked.field("ct"), pa.array(["part1"]))
    return context, {name: array[0].as_py() for name, array in made.items()}


@pytest.mark.parametrize("kind", ["paillier", "joint", "partial", "mask"])
@fuzz(25)
@given(
    changes=edits,
    header=st.lists(st.tuples(st.integers(0, 31), st.integers(0, 255)), max_size=3),
)
def test_ciphertexts(ciphertexts, kind: str, changes, header) -> None:
    context, good = ciphertexts
    data = bytearray(good[kind] if header else edited(good[kind], changes))
    for at, byte in header:
        data[at] = byte
    bad, same = pa.array([bytes(data)], pa.binary()), pa.array([good[kind]], pa.binary())
    name = pa.array(["paillier" if kind == "paillier" else "part2"])
    no_mask = pa.array([b""], pa.binary())
    uses: list[Callable[[], object]] = [
        lambda: homomorphic.he_layout(context, bad),
        lambda: homomorphic.he_add(context, bad, same, name),
        lambda: homomorphic.he_sub(context, same, bad, name),
        lambda: homomorphic.he_add_plain(context, bad, pa.array([1.5]), name),
        lambda: homomorphic.he_mul(
            context, bad, pa.array([3.0]), name, pa.array([2]), pa.array([8])
        ),
    ]
    if kind == "paillier":
        uses.append(lambda: paillier.paillier_decrypt_list(context, bad, name))
        uses.append(lambda: paillier.paillier_decrypt_share(context, bad, name))
    else:
        uses.append(lambda: joint.partial_decrypt(context, bad, name))
        uses.append(lambda: joint.joint_decrypt_list(context, bad, name, no_mask))
        partial = pa.array([good["partial"]], pa.binary())
        masks = bad if kind == "mask" else pa.array([good["mask"]], pa.binary())
        chosen = bad if kind == "partial" else partial
        uses.append(lambda: joint.joint_decrypt_list(context, chosen, name, masks))
    for use in uses:
        with suppress(DuckprivError):
            use()


@fuzz(40)
@given(changes=edits)
def test_sealed_seeds(keyring, changes) -> None:
    context, name = Context(keyring), pa.array(["seed"])
    sealed = seed_seal(context, name, name)[0].as_py()
    with suppress(DuckprivError):
        seed_open(context, name, name, pa.array([edited(sealed, changes)], pa.binary()))


# Arrow streams.

EVERY_TYPE = """
SELECT i::TINYINT AS t, i::DOUBLE AS d, i % 2 = 0 AS yes, 'é' || i AS text, ('x' || i)::BLOB AS b,
       (i || '.25')::DECIMAL(10, 2) AS money, DATE '2024-01-01' AS day, TIME '10:00:01' AS clock,
       TIMESTAMPTZ '2024-01-01 10:00:00+00' AS instant, [i, NULL] AS list,
       {'a': i, 'b': ['x']} AS struct, [1, 2]::INTEGER[2] AS pair,
       CASE WHEN i > 1 THEN i END AS hole
FROM range(5) t(i)
"""


def arrow_streams() -> dict[str, bytes]:
    with duckdb.connect() as con:
        table = con.sql(EVERY_TYPE).to_arrow_table()
    (every,) = table.to_batches()
    uuid = pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([b"0123456789abcdef"] * 2, pa.binary(16))
    )
    numbers = pa.RecordBatch.from_arrays([pa.array(np.arange(40))], ["x"])
    large = pa.RecordBatch.from_arrays(
        [pa.array(["a", "b"], pa.large_string()), pa.array([[1], []], pa.large_list(pa.int8()))],
        ["x", "y"],
    )
    return {
        "every": bombs.ipc(every),
        "uuid": bombs.ipc(bombs.column(uuid), times=2),
        "numbers": bombs.ipc(numbers, times=3),
        "large": bombs.ipc(large),
        "zstd": bombs.ipc(numbers, compression="zstd"),
        "nulls": bombs.ipc(bombs.column(pa.array([1, None, 3]))),
    }


ARROW = arrow_streams()
COLUMNS = {name: bombs.text_schema(data) for name, data in ARROW.items()}


def rows_in(data: bytes) -> int:
    return pa.ipc.open_stream(data).read_all().num_rows


@pytest.mark.parametrize("name", ARROW)
@fuzz(70)
@given(st.just([]) | edits, st.booleans(), st.booleans(), st.sampled_from([0, incoming._AT_ONCE]))
def test_arrow_streams(
    folder: Path, name: str, changes, nulls: bool, follows: bool, at_once: int
) -> None:
    data = edited(ARROW[name], changes)
    # A sender can write a manifest that fits what it has damaged.
    columns = bombs.text_schema(data) if follows else COLUMNS[name]
    manifest = bombs.manifest_of(data, rows_in(ARROW[name]), columns)
    target = folder / "copy.parquet"
    target.write_bytes(b"of a message before")
    try:
        with mock.patch.object(incoming, "_AT_ONCE", at_once):  # 0: in pieces, as large ones
            incoming.accept(manifest, io.BytesIO(data), target, nulls, None, Limits())
    except MessageRejected:
        assert not target.exists()
        return
    try:
        with duckdb.connect() as con:
            rows = con.execute("SELECT count(*) FROM read_parquet($1)", [str(target)]).fetchall()
            assert rows == [(manifest.rows,)]
            # DuckDB refuses times that it cannot express.
            with suppress(duckdb.ConversionException):
                con.read_parquet(str(target)).to_arrow_table()
    finally:
        target.unlink()


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
