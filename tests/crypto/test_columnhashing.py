"""Hashes of whole columns, in C and by hashlib, against hashlib and published vectors."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.crypto import columnhashing
from duckpriv.crypto.bytecolumns import rows_of
from duckpriv.crypto.columnhashing import pss_encode, pss_encode_one, shake256
from tests.effort import examples

MESSAGES = st.lists(st.binary(max_size=300), max_size=20)
fixed = settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=["compiled", "hashlib"])
def by(request, monkeypatch) -> str:
    """The test runs once with each implementation that is here."""
    if request.param == "hashlib":
        monkeypatch.setattr(columnhashing, "_compiled", lambda: None)
    elif columnhashing._compiled() is None:
        pytest.skip("not compiled")
    return request.param


@given(MESSAGES, st.binary(max_size=150), st.binary(max_size=150), st.integers(1, 500))
@fixed
def test_shake256(by, messages, before, after, length) -> None:
    found = rows_of(shake256(before, messages, after, length))
    assert found == [hashlib.shake_256(before + m + after).digest(length) for m in messages]


@given(MESSAGES, st.sampled_from([512, 1023, 1024, 2046, 2047, 2048, 3071, 8191]))
@fixed
def test_pss_encode(by, messages, bits) -> None:
    assert rows_of(pss_encode(messages, bits)) == [pss_encode_one(m, bits) for m in messages]


def test_vectors(by) -> None:
    """FIPS 202: SHAKE256 of nothing, and of 200 bytes 0xa3 (NIST's example values)."""
    empty, long = rows_of(shake256(b"", [b"", b"\xa3" * 200], b"", 16))
    assert empty.hex() == "46b9dd2b0ba88d13233b3feb743eeb24"
    assert long.hex() == "cd8a920ed141aa0407a22d59288652e9"


@pytest.mark.parametrize("size", range(0, 260, 13))
def test_messages_around_the_ends_of_blocks(by, size: int) -> None:
    messages = [bytes(n) for n in range(size, size + 13)]
    assert rows_of(pss_encode(messages, 2047)) == [pss_encode_one(m, 2047) for m in messages]
    found = rows_of(shake256(b"", messages, b"", 137))
    assert found == [hashlib.shake_256(m).digest(137) for m in messages]


def test_many_rows_on_all_cores(by) -> None:
    messages = [str(i).encode() * (i % 9) for i in range(3000)]
    assert rows_of(shake256(b"a", messages, b"b", 9)) == [
        hashlib.shake_256(b"a" + m + b"b").digest(9) for m in messages
    ]


def test_a_modulus_that_is_too_short(by) -> None:
    with pytest.raises(ValueError, match="too short"):
        pss_encode([b""], 392)


@pytest.mark.parametrize(
    "out, ends, text",
    [
        (np.zeros(10, np.uint8), [1, 0], "one behind the other"),
        (np.zeros(10, np.uint8), [1, 4], "one behind the other"),
        (np.zeros(10, np.uint8), [-1, 1], "one behind the other"),
        (np.zeros(9, np.uint8), [1, 2], "do not fit"),
    ],
)
def test_buffers_that_do_not_fit(out, ends, text) -> None:
    compiled = columnhashing._compiled()
    if compiled is None:
        pytest.skip("not compiled")
    with pytest.raises(ValueError, match=text):
        compiled.shake256(out, 5, b"", b"abc", np.array(ends, np.int64), b"")
