"""Encrypted values that become two shares: what the key's owner sees is uniform modulo N."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import InvalidValue
from duckpriv.columns.ciphertext import MASKED, Layout, read, read_masked, write
from duckpriv.columns.masking import masked_values, split
from duckpriv.crypto import paillier
from duckpriv.crypto.packing import pack, slots_in
from duckpriv.keys import PaillierPrivateKey
from tests.effort import examples


@pytest.fixture(scope="module")
def private() -> PaillierPrivateKey:
    return PaillierPrivateKey(paillier.PrivateKey.generate(2048))


def layout(private: PaillierPrivateKey, slot_bits: int, bound: int, count: int) -> Layout:
    public = private.public
    return Layout(public.SCHEME, public.fingerprint_bytes, 20, slot_bits, bound, count)


def encrypted(private: PaillierPrivateKey, values: list[int], one: Layout):
    key = private.public.key
    return key.encrypt(pack(values, one.slot_bits, slots_in(key.bits, one.slot_bits)))


@given(st.integers(1, 300), st.integers(40, 100), st.integers(0, 30), st.integers(1, 20), st.data())
@settings(max_examples=examples(40), deadline=None)
def test_shares_add_up(private, bound, sigma, more, count, data) -> None:
    """For values up to the bound, and slots with just the room that is asked for."""
    limit = 2**bound - 1
    value = st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0])
    values = data.draw(st.lists(value, min_size=count, max_size=count))
    one = layout(private, bound + 1 + sigma + more, bound, count)
    bodies = encrypted(private, values, one)
    sent, (kept,) = split(private.public, [one], bodies, sigma)
    (theirs,) = masked_values(private, sent.to_pylist())
    assert [a + b for a, b in zip(kept, theirs, strict=True)] == values


@pytest.mark.parametrize("value", [0, 2**20 - 1, -(2**2040), 2**2040 + 2**700])
def test_the_owner_sees_uniform_numbers(private, value) -> None:
    """Also one that encrypts other numbers than its ciphertexts' headers say."""
    key, one = private.public.key, layout(private, 200, 20, 5)
    bodies = key.encrypt([value] * 400)
    sent, kept = split(private.public, [one] * 400, bodies, 64)
    layouts, answers = read_masked(sent.to_pylist(), private.public)
    assert {(a.scheme, a.bound, a.count) for a in layouts} == {(MASKED, 199, 5)}
    n = key.modulus
    parts = np.sort([m % n / n for m in private.key.decrypt(answers)])
    # Kolmogorov and Smirnov: beyond this by chance once in ten million runs
    assert np.abs(parts - (np.arange(400) + 0.5) / 400).max() < 2.9 / np.sqrt(400)
    assert len({tuple(row) for row in kept}) == 400


def test_what_has_no_room_is_refused(private) -> None:
    one = layout(private, 84, 20, 1)
    bodies = encrypted(private, [1], one)
    with pytest.raises(InvalidValue, match="need 64 bits more for a mask"):
        split(private.public, [one], bodies, 64)
    with pytest.raises(InvalidValue, match="sigma is 39"):
        split(private.public, [one], bodies, 39)


def test_masked_ciphertexts_are_for_nothing_else(private) -> None:
    one = layout(private, 85, 20, 1)
    bodies = encrypted(private, [1], one)
    sent, _ = split(private.public, [one], bodies, 64)
    with pytest.raises(InvalidValue, match="is of scheme Paillier, masked, and this operation"):
        read(sent.to_pylist(), private.public)
    with pytest.raises(InvalidValue, match="is of scheme Paillier, and this operation takes"):
        masked_values(private, write([one], bodies, private.public.key).to_pylist())
