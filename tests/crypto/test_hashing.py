from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duckpriv.crypto.hashing import expand_message_xof, labelled

# RFC 9380, appendix K.6 (SHAKE256), the vectors of 32 bytes.
DST = "QUUX-V01-CS02-with-expander-SHAKE256"
VECTORS = {
    b"": "2ffc05c48ed32b95d72e807f6eab9f7530dd1c2f013914c8fed38c5ccc15ad76",
    b"abc": "b39e493867e2767216792abce1f2676c197c0692aed061560ead251821808e07",
}


@pytest.mark.parametrize("message", VECTORS)
def test_expand_message_xof_gives_the_vectors_of_rfc_9380(message: bytes) -> None:
    assert expand_message_xof(message, DST, 32).hex() == VECTORS[message]


@pytest.mark.parametrize("length", [0, 65536])
def test_expand_message_xof_refuses_lengths_out_of_range(length: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        expand_message_xof(b"", "tag", length)


@given(st.lists(st.binary(), max_size=4), st.lists(st.binary(), max_size=4))
def test_labelled_is_injective(a: list[bytes], b: list[bytes]) -> None:
    assert (labelled("x", *a) == labelled("x", *b)) == (a == b)
    assert labelled("x", *a) != labelled("y", *a)
