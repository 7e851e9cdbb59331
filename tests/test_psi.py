"""Private matching in two processes equals the plain join, whatever the ids look like."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from duckpriv.columns.ids import KINDS
from tests.conftest import Two
from tests.effort import examples, takes_long, thorough
from tests.parties import match


def check_against_plain_join(host: dict, guest: dict, host_ids, guest_ids, kind: str) -> None:
    """Compare both parties' results with what a join of the two tables in the clear gives."""

    def normal(value: object) -> str | None:
        if value is None:
            return None
        text = KINDS[kind](str(value))
        return text if text or kind == "raw" else None

    assert "error" not in host, host
    assert "error" not in guest, guest
    host_forms = {normal(x) for x in host_ids} - {None}
    guest_forms = {normal(x) for x in guest_ids} - {None}
    # The host: every id it has, each normal form with one pid of its own.
    at_host = dict(host["alignment"])
    assert len(at_host) == len(host["alignment"])
    assert at_host.keys() == {x for x in host_ids if normal(x) is not None}
    pid_of = {normal(x): pid for x, pid in at_host.items()}
    assert all(pid_of[normal(x)] == pid for x, pid in at_host.items())
    assert len(set(pid_of.values())) == len(host_forms)
    assert host["unmatched"] == []
    # The guest: its ids that the host has too, with the host's pids, and the host's other pids.
    at_guest = dict(guest["alignment"])
    assert len(at_guest) == len(guest["alignment"])
    assert at_guest == {x: pid_of[normal(x)] for x in guest_ids if normal(x) in host_forms}
    alone = {pid for form, pid in pid_of.items() if form not in guest_forms}
    assert {pid for (pid,) in guest["unmatched"]} == alone
    # The counts.
    for result, ids, forms in (
        (host, host_ids, host_forms),
        (guest, guest_ids, guest_forms),
    ):
        missing = sum(normal(x) is None for x in ids)
        assert result["summary"] | {"matched": 0, "host_only": 0} == {
            "rows": len(ids),
            "without_id": missing,
            "distinct_ids": len(forms),
            "repeated": len(ids) - missing - len(forms),
            "matched": 0,
            "host_only": 0,
        }
    assert guest["summary"]["matched"] == len(host_forms & guest_forms)
    assert guest["summary"]["host_only"] == len(host_forms - guest_forms)
    assert "matched" not in host["summary"]


def usable(ids: list, kind: str) -> bool:
    """Scripts refuse a table that has rows but no id at all."""
    return not ids or any(x is not None and (kind == "raw" or KINDS[kind](x)) for x in ids)


# A small pool, so that parties share ids, in writings that some kinds take for one.
awkward = st.sampled_from(
    ["", " ", "a", "A", " a", "a\u00a0", "é", "e\u0301", "ß", "SS", "\u0000", "💚", "a\nb"]
    + ["'; DROP TABLE people; --", '"', "\\x41", "NULL", "42", "042", str(2**127), "-1"]
    + ["ﬁ", "Ⅷ", "\u202eabc", "a@b.example", "A@B.example ", "+49 30", "0049 30", "[1]"]
)
ids = st.lists(
    st.none() | awkward | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    max_size=25,
)


@takes_long
@settings(max_examples=examples(2), deadline=None, suppress_health_check=list(HealthCheck))
@given(host_ids=ids, guest_ids=ids, kind=st.sampled_from(sorted(KINDS)))
@example(host_ids=[], guest_ids=[], kind="raw")
@example(host_ids=["a"], guest_ids=[], kind="raw")
@example(host_ids=[], guest_ids=["a"], kind="raw")
@example(host_ids=["a", "b"], guest_ids=["c", "d"], kind="raw")
@example(host_ids=["a", "b"], guest_ids=["b", "a"], kind="raw")
@example(host_ids=[None, "a", None], guest_ids=["a", "a", "a"], kind="email")
def test_any_ids(two: Two, host_ids: list, guest_ids: list, kind: str) -> None:
    host, guest = two(
        host_ids,
        guest_ids,
        host={"timeout": 60 if usable(guest_ids, kind) else 3},
        guest={"timeout": 60 if usable(host_ids, kind) else 3},
        kind=kind,
    )
    if usable(host_ids, kind) and usable(guest_ids, kind):
        check_against_plain_join(host, guest, host_ids, guest_ids, kind)
    for result, own in ((host, host_ids), (guest, guest_ids)):
        if not usable(own, kind):
            assert result["error"] == "ProtocolError"
            assert "has an id" in result["text"]


@pytest.mark.parametrize(
    "sql_type", ["HUGEINT", "BLOB", *thorough("UBIGINT", "TINYINT", "DATE", "UUID")]
)
def test_typed_ids_at_the_host_match_their_text_at_the_guest(two: Two, sql_type: str) -> None:
    typed = {
        "HUGEINT": [2**127 - 1, -(2**127), 0],
        "UBIGINT": [2**64 - 1, 7, 0],
        "TINYINT": [-128, 127, 0],
        "DATE": ["2024-02-29", "0001-01-01", "1999-12-31"],
        "UUID": ["00112233-4455-6677-8899-aabbccddeeff", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        "BLOB": ["\\x00\\xFF", "abc"],
    }[sql_type]
    host, guest = two(typed, [str(x) for x in typed], host={"sql_type": sql_type})
    assert {pid for _, pid in host["alignment"]} == {pid for _, pid in guest["alignment"]}
    assert len(guest["alignment"]) == len(typed)


def test_3072_bits_by_default(two: Two, tmp_path) -> None:
    host, guest = two(["a", "b"], ["b"], host={"bits": 3072}, folder=tmp_path)
    check_against_plain_join(host, guest, ["a", "b"], ["b"], "raw")
    from duckpriv import Keyring
    from duckpriv.scripts import load

    assert Keyring(tmp_path / "bank.keys").info("psi-s1-bank").bits == 3072
    assert {v.name: v.default for v in load("psi/host").variables}["bits"] == "3072"


@takes_long
def test_more_rows_than_a_chunk(two: Two) -> None:
    host_ids = [f"user{i}" for i in range(2_500)]
    guest_ids = [f"user{i}" for i in range(2_000, 4_500)]
    host, guest = two(host_ids, guest_ids)
    check_against_plain_join(host, guest, host_ids, guest_ids, "raw")


def test_the_signature_behind_each_token_verifies_as_rsa_pss(two: Two, tmp_path) -> None:
    import hashlib

    import pyarrow as pa

    from duckpriv import Keyring
    from duckpriv.crypto import rsabssa
    from duckpriv.crypto.bytecolumns import rows_of
    from duckpriv.crypto.hashing import labelled

    host_ids = [f"id {i}" for i in range(20)]
    two(host_ids, host_ids[:5], folder=tmp_path)
    sent = tmp_path / "mailbox/s1/bank/shop/psi.tokens.arrow"
    tokens = set(pa.ipc.open_stream(sent.read_bytes()).read_all()["token"].to_pylist())
    key = Keyring(tmp_path / "bank.keys").rsa.private("psi-s1-bank")
    messages = [labelled("duckpriv/psi/id/v1", id_.encode()) for id_ in host_ids]
    encoded = rsabssa.encode(messages, key.public.modulus)
    public = key._key.public_key()
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), salt_length=0)
    for message, signature in zip(messages, rows_of(key.operation(encoded)), strict=True):
        public.verify(signature, message, pss, hashes.SHA384())  # the independent oracle
        tokens.remove(hashlib.sha256(labelled("duckpriv/psi/token/v1", b"s1") + signature).digest())
    assert tokens == set()


@takes_long
def test_a_session_cannot_be_run_twice_but_a_new_one_can(two: Two, tmp_path) -> None:
    two(["a"], ["a"], folder=tmp_path)
    for name in ("bank", "shop"):
        (tmp_path / f"{name}.duckdb").rename(tmp_path / f"{name}.old")
    host, _ = two(["a"], ["b"], folder=tmp_path, timeout=2)
    assert host["error"] == "KeyMismatch"
    assert "new session" in host["text"]
    for name in ("bank", "shop"):
        (tmp_path / f"{name}.duckdb").unlink()
    host, guest = two(["a", "b"], ["b"], folder=tmp_path, session="s2")
    check_against_plain_join(host, guest, ["a", "b"], ["b"], "raw")


def test_parties_with_different_settings_both_learn_which(two: Two) -> None:
    host, guest = two(["a"], ["a"], host={"kind": "email", "timeout": 3}, guest={"kind": "raw"})
    assert guest["error"] == "ProtocolError"
    assert "kind=email" in guest["text"]
    assert "kind=raw" in guest["text"]
    # The guest's failure ends the host's waiting; or it came before the host began.
    assert host["error"] in ("ProtocolError", "ExchangeTimeout")


def test_a_peer_that_never_comes_ends_in_a_timeout(two: Two, tmp_path) -> None:
    result = match("guest", str(tmp_path), ["a"], timeout=0.5)
    assert result["error"] == "ExchangeTimeout"
    assert "bank" in result["text"]
    assert "psi/key" in result["text"]
