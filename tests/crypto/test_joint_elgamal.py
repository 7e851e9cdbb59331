"""ElGamal under a joint key against plain integers and Python's pow."""

from __future__ import annotations

import hashlib
import secrets

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv.crypto import joint_elgamal as joint
from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.moduli import RSA_2048, check_modulus
from duckpriv.crypto.paillier import PrivateKey as Paillier
from tests.effort import examples

N, HALF = RSA_2048, 256
X = [secrets.randbits(256), secrets.randbits(256)]
SHARES = [joint.public_share(x, N) for x in X]
KEY = joint.PublicKey(N, joint.combined(SHARES, N))
plaintexts = st.integers(-(2**2040), 2**2040) | st.sampled_from([0, 1, -1, 2**2040])


def decrypt(ciphertexts, key=KEY, secret=X) -> list[int]:
    return key.decrypt(ciphertexts, [key.partial(ciphertexts, x) for x in secret])


def test_the_challenge_number_is_the_published_one() -> None:
    # RSA-2048 of the RSA Factoring Challenge: 617 decimal digits, here by their SHA-256, taken
    # from four independent copies (a VDF library, a coin's parameters, a proof system's tests, a
    # blog of 2006 that quotes RSA Laboratories' page).
    digits = str(N)
    assert len(digits) == 617
    assert (
        hashlib.sha256(digits.encode()).hexdigest()
        == "b3c2468add10e2a0c4a251d9d2bac4ba04d4b3527156ceead43a1305e03f1fc0"
    )
    assert check_modulus(N) is None


@settings(max_examples=examples(6), deadline=None)
@given(st.lists(plaintexts, min_size=1, max_size=4), plaintexts)
def test_decryption_and_arithmetic_agree_with_integers(values: list[int], other: int) -> None:
    c = KEY.encrypt(values)
    d = KEY.encrypt([other] * len(values))
    assert decrypt(c) == values

    def centred(x: int) -> int:
        return (x + N // 2) % N - N // 2

    assert decrypt(KEY.add(c, d)) == [centred(x + other) for x in values]
    assert decrypt(KEY.negate(c)) == [centred(-x) for x in values]
    assert decrypt(KEY.add_plain(c, [other] * len(values))) == [centred(x + other) for x in values]
    assert decrypt(KEY.shift(c, 70)) == [centred(x << 70) for x in values]
    assert decrypt(KEY.rerandomise(c)) == [centred(2 * x) for x in values]


@settings(max_examples=examples(4), deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.randoms(use_true_random=False))
def test_sums_of_products_agree_with_integers(rows: int, outputs: int, random) -> None:
    values = [random.randrange(-(2**40), 2**40) for _ in range(rows)]
    weights = [[random.randrange(-(2**27), 2**27) for _ in range(rows)] for _ in range(outputs)]
    sums = KEY.combine(KEY.encrypt(values), np.array(weights, dtype=np.int64))
    assert decrypt(sums) == [
        sum(w * v for w, v in zip(row, values, strict=True)) for row in weights
    ]


def test_a_ciphertext_is_what_the_paper_says() -> None:
    """(g^r, h^(N r) * (1 + N)^m), checked with the secrets and Python's pow."""
    for m, row in zip([5, -3], rows_of(KEY.encrypt([5, -3])), strict=True):
        c1, c2 = int.from_bytes(row[:HALF], "big"), int.from_bytes(row[HALF:], "big")
        h_r = pow(c1, 2 * sum(X), N)
        assert c2 == pow(h_r, N, N * N) * (1 + m * N) % (N * N)


def test_every_encryption_is_another() -> None:
    rows = rows_of(KEY.encrypt([7] * 40))
    assert len({row[:HALF] for row in rows}) == len({row[HALF:] for row in rows}) == 40


@pytest.mark.parametrize("secret", [X[:1], X[1:], [X[0], X[0]], [X[0], X[1] + 1], [*X, 5]])
def test_wrong_or_missing_parts_of_the_key_do_not_decrypt(secret: list[int]) -> None:
    with pytest.raises(ValueError, match="do not belong"):
        decrypt(KEY.encrypt([1]), secret=secret)


def test_no_c1_opens_the_key_share() -> None:
    """What a peer could send as c1 to see x: elements of small order, and those of order N,
    which give x at once where partial decryptions work modulo N^2."""
    for c1 in (1, N - 1):
        crafted = from_rows([c1.to_bytes(HALF, "big") + (1).to_bytes(2 * HALF, "big")], 3 * HALF)
        assert int.from_bytes(KEY.partial(crafted, X[0]).tobytes(), "big") == 1
    too_large = from_rows([(N + 1).to_bytes(HALF, "big") + b"\x01" * 2 * HALF], 3 * HALF)
    assert KEY.invalid(too_large) == 1


def test_what_is_no_ciphertext_is_counted() -> None:
    good = rows_of(KEY.encrypt([1]))[0]
    zero = bytes(HALF)
    rows = [good, zero + good[HALF:], good[:HALF] + bytes(2 * HALF), N.to_bytes(HALF, "big") * 3]
    assert KEY.invalid(from_rows(rows, 3 * HALF)) == 4  # the last one counts twice
    small = Paillier.generate(2048)
    key = joint.PublicKey(small.public.modulus, 4)
    bad = small.p.to_bytes(HALF, "big") + (small.p * 7).to_bytes(2 * HALF, "big")
    assert key.invalid(from_rows([bad], 3 * HALF)) == 2


def test_a_proof_holds_for_its_share_and_context_only() -> None:
    proof = joint.prove(X[0], N, b"context")
    assert joint.check_proof(proof, SHARES[0], N, b"context")
    flipped = bytes([proof[0] ^ 1]) + proof[1:]
    for wrong in (
        (proof, SHARES[1], N, b"context"),
        (proof, SHARES[0], N, b"other"),
        (proof, N - SHARES[0], N, b"context"),
        (flipped, SHARES[0], N, b"context"),
        (proof[:-1], SHARES[0], N, b"context"),
        (proof[:-1] + bytes([proof[-1] ^ 1]), SHARES[0], N, b"context"),
        (b"", SHARES[0], N, b"context"),
        (bytes(len(proof)), 1, N, b"context"),
    ):
        assert not joint.check_proof(*wrong)


def test_proofs_of_one_share_differ() -> None:
    assert joint.prove(X[0], N, b"") != joint.prove(X[0], N, b"")


NO_SQUARE = next(x for x in range(2, 100) if gmpy2.jacobi(x, N) == -1)


@pytest.mark.parametrize("share", [0, 1, N - 1, N, N + 4, NO_SQUARE])
def test_shares_outside_the_group_are_refused(share: int) -> None:
    assert joint.check_share(share, N) is not None
