"""What reads bytes that a stranger sent, with valid examples to change: for fuzzing.

Whatever the bytes are, a parser accepts them, and then they say what was read, or raises one of
duckpriv's errors. Anything else is a fault; see `test_fuzz.py` and `tests/endurance`.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from duckpriv import DuckprivError, Keyring, invitation, settingsfile
from duckpriv.columns import homomorphic, joint, paillier
from duckpriv.columns.context import Context
from duckpriv.columns.seeds import seed_open, seed_seal
from duckpriv.crypto import rsabssa, sealing
from duckpriv.errors import (
    ExchangeTimeout,
    InvalidValue,
    MessageRejected,
    ProtocolError,
)
from duckpriv.exchange import Manifest
from duckpriv.exchange.mailbox.status import Heart, Watch
from duckpriv.exchange.message import incoming
from duckpriv.exchange.message.limits import Limits
from duckpriv.exchange.message.protection import Protection
from duckpriv.exchange.message.types import expected_columns
from duckpriv.exchange.network import requests
from duckpriv.invitation import Invitation, Proposal
from duckpriv.keys import (
    Identity,
    JointPublicKey,
    KeyShare,
    PaillierPublicKey,
    PublicIdentity,
    RsaPublicKey,
)
from duckpriv.keys.certificate import check_authority
from duckpriv.scripts import bundled
from duckpriv.visible import visible
from tests import bombs


@dataclass(frozen=True)
class Parser:
    """`read` takes bytes, of which `starts` are valid ones. It raises what it refuses with, or
    AssertionError where it has accepted what it may not."""

    starts: list[bytes]
    read: Callable[[bytes], object]
    refuses: type[Exception] = DuckprivError

    def accepts(self, data: bytes) -> bool:
        """Whether these bytes are accepted. Raises anything that is a fault."""
        try:
            self.read(data)
        except self.refuses:
            return False
        return True


# Changes to bytes.

INTERESTING = [0, 1, 2, 127, 128, 255]
NUMBERS = [0, 1, -1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1]


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


def with_fields(text: bytes, fields: dict) -> bytes:
    """Return an object in JSON with other values of some fields."""
    return json.dumps({**json.loads(text), **fields}).encode()


# Manifests, identities, statuses, requests, lists of columns: text.

PLAIN = bombs.manifest_of(b"", 3, (("x", "int64"), ("y", "string")))
SEALED = {"sender": 64, "receiver": 64, "key": 160, "signature": 128}
MANIFESTS = [
    PLAIN.to_json(),
    with_fields(PLAIN.to_json(), {"sealed": {k: "a" * n for k, n in SEALED.items()}}),
]


def read_manifest(data: bytes) -> None:
    read = Manifest.from_json(data)
    assert Manifest.from_json(read.to_json()) == read


OWN = Identity.generate("bank")
IDENTITY = OWN.public.text.encode()


def read_identity(data: bytes) -> None:
    for text in (data, data.decode(errors="surrogateescape")):
        with suppress(InvalidValue):
            assert PublicIdentity.from_text(text).text == IDENTITY.decode()


def read_certificate(data: bytes) -> None:
    check_authority(data, OWN.public.tls_name)
    assert data == OWN.certificate


PROPOSALS = [
    Proposal("psi/guest", "s1", {"kind": "email", "scheme": "rsa"}),
    Proposal("lift/guest", "s1", {"first_day": "2026-03-01"}),
]
INVITATIONS = [
    Invitation(OWN.public, "shop"),
    Invitation(OWN.public, "shop", "grpc+tls://bank.example:7443"),
    *(Invitation(OWN.public, "shop", "dir:/mnt/mail box", one) for one in PROPOSALS),
]


def read_invitation(data: bytes) -> None:
    """Accept only what is written here, and signed."""
    read = Invitation.from_text(data)
    assert read in INVITATIONS
    assert read.signed(OWN) == "".join(data.decode().split())


def read_payload(data: bytes) -> None:
    """Sign what a dishonest inviter has made up. What is accepted is within an invitation's bounds,
    and can be shown as it is."""
    read = Invitation.from_text(invitation._line(data, OWN.sign(invitation._covered(data))))
    assert read._payload == data
    texts = [read.to, read.exchange or ""]
    if read.proposal is not None:
        texts += [read.proposal.session, *read.proposal.settings.values()]
        assert read.proposal.script in bundled()
        assert read.proposal.settings.keys() <= invitation.AGREED
    assert all(text == visible(text) for text in texts)


SETTINGS = [
    b'me = "bank"\ndatabase = "bank.duckdb"\nexchange = "dir:mailbox"\n\n[peers.shop]\n\n'
    b'[peers.shop.runs."psi/host"]\nsession = "s1"\nset = { kind = "email", bits = 3072 }\n',
]


def read_settings(data: bytes) -> None:
    read = settingsfile.parsed(data.decode(errors="replace"), Path(settingsfile.FILE))
    assert settingsfile.parsed(read.text, read.path) == read


STATUS = Heart(1, "psi/host").status()


def read_statuses(statuses: list[bytes], silence: float) -> None:
    watch = Watch("bank", "data", silence, None, "psi/guest")
    for data in statuses:
        try:
            watch.look(data)
            watch.look(data)
        except (ProtocolError, ExchangeTimeout) as error:
            assert len(str(error)) < 1000


NAMES = {"session": "s1", "sender": "bank", "receiver": "shop"}
REQUESTS = [
    requests.encode(request)
    for request in (
        requests.GetMessage(**NAMES, channel="psi/key"),
        requests.ListManifests("s1"),
        requests.SetStatus("s1", "bank", STATUS.decode()),
        requests.GetStatus("s1", "bank"),
        requests.ListStatuses("s1"),
        requests.Begin(PLAIN.to_json().decode()),
        requests.Upload(PLAIN.to_json().decode(), 1 << 20),
        requests.Download(**NAMES, channel="psi/key", offset=0, length=64 << 20),
    )
]


def read_request(data: bytes) -> None:
    request = requests.parse_request(data)
    assert requests.parse_request(requests.encode(request)) == request
    if isinstance(request, requests.Begin | requests.Upload):
        requests.parse_manifest(request)


TEXTS = {
    "manifest": Parser(MANIFESTS, read_manifest, MessageRejected),
    "identity": Parser([IDENTITY], read_identity, InvalidValue),
    "invitation": Parser(
        [one.signed(OWN).encode() for one in INVITATIONS], read_invitation, InvalidValue
    ),
    "payload of an invitation": Parser(
        [one._payload for one in INVITATIONS], read_payload, InvalidValue
    ),
    "settings file": Parser(SETTINGS, read_settings, InvalidValue),
    "certificate": Parser([OWN.certificate], read_certificate, ValueError),
    "status": Parser([STATUS], lambda data: read_statuses([data], 1e-9)),
    "request": Parser(REQUESTS, read_request, MessageRejected),
    "columns": Parser(
        [b"token BLOB, pid UUID", b"y VARCHAR[], z UBIGINT[], n INTEGER, x DOUBLE"],
        lambda data: expected_columns(data.decode(errors="replace")),
        InvalidValue,
    ),
}


# Public keys, their proofs, parts and shares. `keyring` has the keys of `keys.fill`.


def key_parsers(keyring: Keyring) -> dict[str, Parser]:
    rsa = keyring.rsa.private("mine")
    modulus = rsa.public.modulus
    part = keyring.seeds.part("seed1")

    def only_itself(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
        def reads(data: bytes) -> None:
            # Another writing of a key would be another key by its fingerprint.
            assert read(data).encoded == data

        return reads

    proof = rsabssa.key_proof(rsa.operation, modulus)

    def read_proof(data: bytes) -> None:
        assert rsabssa.check_key_proof(data, modulus) == (data == proof)

    paillier_key = keyring.paillier.public("paillier").encoded
    return {
        "rsa": Parser([rsa.public.der], RsaPublicKey.from_der),
        "paillier": Parser([paillier_key], only_itself(PaillierPublicKey.from_bytes)),
        "joint": Parser(
            [keyring.joint.public("part1").encoded], only_itself(JointPublicKey.from_bytes)
        ),
        "share": Parser(
            [keyring.joint.part("part1").share.encoded],
            only_itself(lambda data: KeyShare.from_bytes(data, "part1")),
        ),
        "proof": Parser([proof], read_proof),
        "seed": Parser(
            [keyring.seeds.part("seed2").public], lambda data: part.agree("seed1", "seed2", data)
        ),
        "import": Parser([paillier_key], lambda data: keyring.import_public("host", data, "rsa")),
    }


# Ciphertexts.

CIPHERTEXTS = ("paillier", "joint", "partial", "mask")


def ciphertexts(context: Context) -> dict[str, bytes]:
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
    return {name: array[0].as_py() for name, array in made.items()}


def use_ciphertext(context: Context, good: dict[str, bytes], kind: str, data: bytes) -> None:
    """Use bytes as a ciphertext in every function that takes one."""
    bad, same = pa.array([data], pa.binary()), pa.array([good[kind]], pa.binary())
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


def sealed_seed(keyring: Keyring) -> Parser:
    context, name = Context(keyring), pa.array(["seed"])
    sealed = seed_seal(context, name, name)[0].as_py()
    return Parser(
        [sealed], lambda data: seed_open(context, name, name, pa.array([data], pa.binary()))
    )


# Arrow streams, and messages.

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


ROWS = {name: rows_in(data) for name, data in ARROW.items()}


def accept_stream(folder: Path, name: str, data: bytes, nulls: bool, follows: bool) -> None:
    """Accept bytes as a message. With `follows`, its manifest fits what was damaged, as a sender
    can write it."""
    columns = bombs.text_schema(data) if follows else COLUMNS[name]
    manifest = bombs.manifest_of(data, ROWS[name], columns)
    target = folder / "copy.parquet"
    target.write_bytes(b"of a message before")
    try:
        incoming.accept(manifest, io.BytesIO(data), target, nulls, None, Limits())
    except MessageRejected:
        assert not target.exists()
        raise
    try:
        with duckdb.connect() as con:
            rows = con.execute("SELECT count(*) FROM read_parquet($1)", [str(target)]).fetchall()
            assert rows == [(manifest.rows,)]
            # DuckDB refuses times that it cannot express.
            with suppress(duckdb.ConversionException):
                con.read_parquet(str(target)).to_arrow_table()
    finally:
        target.unlink()


def _stream(folder: Path, name: str) -> Parser:
    def read(data: bytes) -> None:
        choice = zlib.crc32(data)  # the same for the same bytes
        accept_stream(folder, name, data, bool(choice & 1), bool(choice & 2))

    return Parser([ARROW[name]], read, MessageRejected)


def _messages(folder: Path) -> dict[str, Parser]:
    """What comes from a trusted peer by a carrier who may be anybody: nothing altered passes."""
    ours, theirs = (Keyring(folder / f"{name}.keys") for name in ("ours", "theirs"))
    for name, keyring, other in (("bank", theirs, ours), ("shop", ours, theirs)):
        identity = keyring.create_identity(name)
        other.trust(identity, identity.fingerprint)
    key, stream = sealing.new_key(), ARROW["numbers"]
    sealed = io.BytesIO()
    sealer = sealing.Sealer(key, sealed.write)
    sealer.write(stream)
    sealer.finish()
    content = sealed.getvalue()
    manifest = bombs.manifest_of(content, ROWS["numbers"], COLUMNS["numbers"])
    signed = Protection(theirs, "bank").protect(manifest, key)
    at_receiver = Protection(ours, "shop")

    def read_signed(data: bytes) -> None:
        read = Manifest.from_json(data)
        at_receiver.check(read)
        assert at_receiver.content_key(read) == key
        assert read == signed

    def read_sealed(data: bytes) -> None:
        # Also where its digest is that of the manifest.
        fits = bombs.manifest_of(data, manifest.rows, manifest.columns)
        with_sealed = replace(fits, sealed=signed.sealed)
        target = folder / "sealed.parquet"
        incoming.accept(with_sealed, io.BytesIO(data), target, True, key, Limits())
        target.unlink()
        assert data == content

    return {
        "signed manifest": Parser([signed.to_json()], read_signed),
        "sealed content": Parser([content], read_sealed, MessageRejected),
    }


def all_parsers(folder: Path, keyring: Keyring) -> dict[str, Parser]:
    """Every parser; `keyring` has the keys of `keys.fill`, and `folder` is for what they write."""
    context = Context(keyring)
    good = ciphertexts(context)

    def using(kind: str) -> Callable[[bytes], None]:
        return lambda data: use_ciphertext(context, good, kind, data)

    return {
        **TEXTS,
        **{f"{name} key": parser for name, parser in key_parsers(keyring).items()},
        **{f"{kind} ciphertext": Parser([good[kind]], using(kind)) for kind in CIPHERTEXTS},
        "sealed seed": sealed_seed(keyring),
        **{f"stream, {name}": _stream(folder, name) for name in ARROW},
        **_messages(folder),
    }
