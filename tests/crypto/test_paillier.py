"""Paillier against phe (python-paillier) and against plain integers."""

from __future__ import annotations

import numpy as np
import phe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import InvalidValue
from duckpriv.crypto import moduli, paillier
from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.packing import pack, slots_in, unpack
from duckpriv.keys import PaillierPrivateKey, PaillierPublicKey
from tests.effort import takes_long


@pytest.fixture(scope="module", params=[2048, 3072])
def key(request) -> paillier.PrivateKey:
    return paillier.PrivateKey.generate(request.param)


@pytest.fixture(scope="module")
def key2048() -> paillier.PrivateKey:
    return paillier.PrivateKey.generate(2048)


def oracle(key: paillier.PrivateKey) -> phe.PaillierPrivateKey:
    return phe.PaillierPrivateKey(phe.PaillierPublicKey(key.public.modulus), key.p, key.q)


plaintexts = st.integers(-(2**2040), 2**2040) | st.sampled_from([0, 1, -1, 2**2040])


@takes_long
@settings(max_examples=10, deadline=None)
@given(values=st.lists(plaintexts, min_size=1, max_size=5))
def test_phe_decrypts_what_we_encrypt_and_we_what_phe_does(key, values) -> None:
    theirs, n = oracle(key), key.public.modulus
    for value, row in zip(values, rows_of(key.public.encrypt(values)), strict=True):
        assert theirs.raw_decrypt(int.from_bytes(row, "big")) == value % n
    rows = [theirs.public_key.raw_encrypt(value % n) for value in values]
    matrix = from_rows([row.to_bytes(key.public.width, "big") for row in rows], key.public.width)
    assert key.decrypt(matrix) == values


def test_the_owner_encrypts_as_others_do(key, monkeypatch) -> None:
    """Byte for byte, with the same random numbers."""
    rng = np.random.default_rng(0)
    for values in ([0, 1, -1, 2**2000, -(2**2000)], []):
        drawn = rng.bytes(10_000)
        monkeypatch.setattr(paillier.secrets, "token_bytes", lambda size, d=drawn: d[:size])
        others = paillier.PublicKey(key.public.modulus)
        assert rows_of(key.public.encrypt(values)) == rows_of(others.encrypt(values))


small = st.integers(-(2**500), 2**500)


@settings(max_examples=15, deadline=None)
@given(a=st.lists(small, min_size=1, max_size=8), data=st.data())
def test_operations_are_those_on_plaintexts(key2048, a, data) -> None:
    key = key2048
    public = key.public
    b = data.draw(st.lists(small, min_size=len(a), max_size=len(a)))
    ca, cb = public.encrypt(a), public.encrypt(b)
    assert key.decrypt(public.add(ca, cb)) == [x + y for x, y in zip(a, b, strict=True)]
    assert key.decrypt(public.negate(ca)) == [-x for x in a]
    assert key.decrypt(public.add_plain(ca, b)) == [x + y for x, y in zip(a, b, strict=True)]
    weight = st.integers(-(2**40), 2**40)
    rows = data.draw(
        st.lists(st.lists(weight, min_size=len(a), max_size=len(a)), min_size=1, max_size=3)
    )
    combined = public.combine(ca, np.array(rows, dtype=np.int64))
    expected = [sum(w * x for w, x in zip(row, a, strict=True)) for row in rows]
    assert key.decrypt(public.rerandomise(combined)) == expected


def test_the_same_plaintext_never_gives_the_same_bytes(key2048) -> None:
    public = key2048.public
    rows = rows_of(public.encrypt([7] * 200))
    assert len(set(rows)) == 200
    again = rows_of(public.rerandomise(from_rows(rows[:1] * 200, public.width)))
    assert len(set(again)) == 200
    assert key2048.decrypt(from_rows(again, public.width)) == [7] * 200


def test_answers_have_fresh_bytes_for_every_base(key2048, monkeypatch) -> None:
    """280 bytes: 192 bits more than N has, as the leftover hash lemma needs."""
    drawn = []
    token_bytes = paillier.secrets.token_bytes
    monkeypatch.setattr(
        paillier.secrets, "token_bytes", lambda size: drawn.append(size) or token_bytes(size)
    )
    key2048.public.rerandomise(key2048.public.encrypt([1, 2, 3]))
    assert drawn == [3 * 128, 3 * 280]
    table = paillier._full_randomness(key2048.public.modulus)
    assert table.count == 280


def test_a_key_whose_proof_does_not_hold_is_refused(key2048) -> None:
    good = PaillierPrivateKey(key2048).public.encoded
    assert PaillierPublicKey.from_bytes(good).key.modulus == key2048.public.modulus
    with pytest.raises(InvalidValue, match="its proof"):
        PaillierPublicKey.from_bytes(good[:-1] + bytes([good[-1] ^ 1]))


def test_what_is_no_ciphertext_is_counted(key2048) -> None:
    public = key2048.public
    good = public.encrypt([1])
    bad = [0, public.square, key2048.p, key2048.q * 5, public.modulus]
    rows = [x.to_bytes(public.width + 1, "big")[1:] for x in bad]
    assert public.invalid(from_rows(rows, public.width)) == len(bad)
    assert public.invalid(good) == 0


def test_the_proof_holds_for_its_key_only(key2048, key) -> None:
    proof = key2048.proof()
    assert key2048.public.check_proof(proof)
    assert not key.public.check_proof(key2048.proof()) or key is key2048
    for wrong in (b"", proof[:-1], bytes(len(proof)), proof[256:] + proof[:256]):
        assert not key2048.public.check_proof(wrong)


@pytest.mark.parametrize(
    ("modulus", "problem"),
    [
        (2**1024 - 105, "1024 bits"),
        (2**2048 - 2, "even"),
        (3 * (2**2047 // 3 + 2), "small prime factor"),
        ((2**1024 - 105) ** 2, "perfect power"),
    ],
)
def test_degenerate_moduli(modulus: int, problem: str) -> None:
    assert problem in (moduli.check_modulus(modulus) or "")


def test_slots_at_the_usual_sizes() -> None:
    assert slots_in(2048, 96) == 21
    assert slots_in(3072, 96) == 31


@given(bits=st.integers(2, 100), slots=st.integers(1, 40), data=st.data())
def test_unpacking_is_the_inverse_of_packing(bits: int, slots: int, data) -> None:
    half = 1 << (bits - 1)
    values = data.draw(st.lists(st.integers(-half + 1, half - 1), max_size=60))
    packed = pack(values, bits, slots)
    assert len(packed) == -(-len(values) // slots)
    assert unpack(packed, bits, slots, len(values)) == values


def test_an_overflowing_slot_is_found() -> None:
    with pytest.raises(ValueError, match="overflowed"):
        unpack([1 << 20], 8, 2, 2)


def test_packed_values_are_computed_on_together(key2048) -> None:
    public, bits = key2048.public, 96
    slots = slots_in(2048, bits)
    a, b = list(range(-30, 30)), [5 * x * x for x in range(60)]
    ca, cb = (public.encrypt(pack(x, bits, slots)) for x in (a, b))
    total = key2048.decrypt(public.add(public.combine(ca, np.eye(3, dtype=np.int64) * -7), cb))
    assert unpack(total, bits, slots, 60) == [-7 * x + y for x, y in zip(a, b, strict=True)]
