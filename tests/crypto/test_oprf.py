"""The OPRF against the RFC's vectors and libsodium; and proofs that do not hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv.crypto import oprf, ristretto
from duckpriv.crypto.bytecolumns import from_rows
from duckpriv.crypto.parallel import ByteMatrix
from duckpriv.errors import InvalidValue

RFC = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9497.json").read_text())
PRIVATE, PUBLIC = bytes.fromhex(RFC["private"]), bytes.fromhex(RFC["public"])


def rows(texts: list[str]) -> ByteMatrix:
    return from_rows([bytes.fromhex(text) for text in texts], 32)


def random_scalars(count: int) -> ByteMatrix:
    return from_rows([oprf.random_scalar() for _ in range(count)], 32)


def test_the_rfcs_key() -> None:
    seed, info = bytes.fromhex(RFC["seed"]), bytes.fromhex(RFC["info"])
    assert oprf.derive_key(seed, info) == PRIVATE
    assert oprf.public_key(PRIVATE) == PUBLIC


@pytest.mark.parametrize("vector", RFC["vectors"], ids=["one", "another", "batch of two"])
def test_the_rfcs_vectors(vector: dict) -> None:
    inputs = [bytes.fromhex(text) for text in vector["inputs"]]
    blinds = rows(vector["blinds"])
    blinded = oprf.blind(inputs, blinds)
    assert np.array_equal(blinded, rows(vector["blinded"]))
    evaluated = oprf.evaluate(blinded, PRIVATE)
    assert np.array_equal(evaluated, rows(vector["evaluated"]))
    nonce = bytes.fromhex(vector["nonce"])
    assert oprf.prove(blinded, evaluated, PRIVATE, nonce).hex() == vector["proof"]
    assert oprf.proves(bytes.fromhex(vector["proof"]), blinded, evaluated, PUBLIC)
    got = oprf.outputs(inputs, oprf.unblind(evaluated, blinds))
    assert [row.tobytes().hex() for row in got] == vector["outputs"]
    assert np.array_equal(oprf.outputs(inputs, oprf.elements(inputs, PRIVATE)), got)


@settings(max_examples=20, deadline=None)
@given(inputs=st.lists(st.binary(max_size=200), min_size=1, max_size=40))
def test_both_ways_give_the_same(inputs: list[bytes]) -> None:
    private = oprf.random_scalar()
    blinds = random_scalars(len(inputs))
    blinded = oprf.blind(inputs, blinds)
    evaluated = oprf.evaluate(blinded, private)
    proof = oprf.prove(blinded, evaluated, private)
    assert oprf.proves(proof, blinded, evaluated, oprf.public_key(private))
    got = oprf.outputs(inputs, oprf.unblind(evaluated, blinds))
    assert np.array_equal(got, oprf.outputs(inputs, oprf.elements(inputs, private)))


def batch(count: int) -> tuple[ByteMatrix, ByteMatrix]:
    blinded = oprf.blind([bytes([i]) for i in range(count)], random_scalars(count))
    return blinded.copy(), oprf.evaluate(blinded, PRIVATE).copy()


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_another_key_for_one_element_is_seen(count: int) -> None:
    blinded, evaluated = batch(count)
    other = evaluated.copy()
    other[count - 1] = oprf.evaluate(blinded[count - 1 :], oprf.random_scalar())[0]
    assert not oprf.proves(oprf.prove(blinded, other, PRIVATE), blinded, other, PUBLIC)
    assert not oprf.proves(oprf.prove(blinded, evaluated, PRIVATE), blinded, other, PUBLIC)


def test_elements_in_another_order_are_seen() -> None:
    blinded, evaluated = batch(4)
    proof = oprf.prove(blinded, evaluated, PRIVATE)
    assert not oprf.proves(proof, blinded, np.ascontiguousarray(evaluated[::-1]), PUBLIC)
    assert not oprf.proves(proof, blinded[:3], evaluated[:3], PUBLIC)


@pytest.mark.parametrize("count", [3, 50])
def test_no_weight_can_be_known_before_all_elements_are(count: int) -> None:
    """Errors whose weighted sum is 0 cannot be looked for one element after the other (Wagner's
    generalised birthday problem): another element anywhere changes all weights."""
    blinded, evaluated = batch(count)
    weights = oprf._weights(PUBLIC, blinded, evaluated)
    for changed in (blinded, evaluated):
        kept = changed[-1].copy()
        changed[-1] = oprf.blind([b"other"], random_scalars(1))[0]
        assert not np.any(np.all(oprf._weights(PUBLIC, blinded, evaluated) == weights, axis=1))
        changed[-1] = kept


def test_proofs_that_are_none() -> None:
    blinded, evaluated = batch(3)
    proof = oprf.prove(blinded, evaluated, PRIVATE)
    order = ristretto.ORDER.to_bytes(32, "little")
    s = int.from_bytes(proof[32:], "little")
    for wrong in (
        b"",
        proof[:-1],
        proof + b"\0",
        bytes(64),
        proof[32:] + proof[:32],
        proof[:32] + (s + ristretto.ORDER).to_bytes(32, "little"),
        order + proof[32:],
    ):
        assert not oprf.proves(wrong, blinded, evaluated, PUBLIC)
    assert not oprf.proves(proof, blinded, evaluated, oprf.public_key(oprf.random_scalar()))


@pytest.mark.parametrize("wrong", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_what_is_no_element_is_refused(wrong: bytes) -> None:
    blinded, evaluated = batch(3)
    blinded[1] = np.frombuffer(wrong, np.uint8)
    with pytest.raises(InvalidValue):
        oprf.evaluate(blinded, PRIVATE)
    with pytest.raises(InvalidValue):
        oprf.proves(bytes(64), blinded, evaluated, PUBLIC)


def test_two_proofs_of_one_batch_differ() -> None:
    blinded, evaluated = batch(2)
    first, second = (oprf.prove(blinded, evaluated, PRIVATE) for _ in range(2))
    assert first != second
