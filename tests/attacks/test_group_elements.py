"""Marks in group elements: what a peer puts into a ciphertext to find it again in the answer."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from fractions import Fraction
from functools import cache

import gmpy2
import numpy as np
import pytest
from duckdb.sqltypes import BIGINT, BLOB
from scipy.stats import chisquare

from duckpriv.columns.ciphertext import HEADER_BYTES
from duckpriv.crypto import paillier
from duckpriv.crypto.bytecolumns import from_rows, to_integers
from duckpriv.keys import PaillierPrivateKey, factors_pem
from tests.attacks.evil import HiddenRows, changed
from tests.effort import THOROUGH, some, takes_long

# Below it a statistic is no accident.
UNLIKELY = 1e-9


def parts(blob: bytes, half: int) -> tuple[bytes, int, int]:
    body = blob[HEADER_BYTES:]
    numbers = (body[:half], body[half : 3 * half])
    return blob[:HEADER_BYTES], *(int.from_bytes(number, "big") for number in numbers)


def no_square(n: int) -> int:
    return next(x for x in range(2, 100) if gmpy2.jacobi(x, n) == -1)


def marked(blob: bytes, n: int, half: int) -> bytes:
    """A joint ciphertext whose numbers have Jacobi symbol -1."""
    header, c1, c2 = parts(blob, half)
    u = no_square(n)
    c1 = c1 * u % n if gmpy2.jacobi(c1, n) == 1 else c1
    c2 = c2 * u % (n * n) if gmpy2.jacobi(c2, n) == 1 else c2
    return header + c1.to_bytes(half, "big") + c2.to_bytes(2 * half, "big")


def symbols(blob: bytes, n: int, half: int) -> tuple[int, int]:
    _, c1, c2 = parts(blob, half)
    return int(gmpy2.jacobi(c1, n)), int(gmpy2.jacobi(c2, n))


@takes_long
def test_a_marked_residual_does_not_tell_which_rows_the_guest_has(tmp_path) -> None:
    """The host marks its residuals; the guest's real script keeps some rows and replaces others."""
    present = np.random.default_rng(5).random(80) < 0.7
    rows = HiddenRows(tmp_path, present, host=2, guest=3)
    seen: dict[int, tuple[int, int]] = {}

    def prepare(host) -> None:
        def key():
            return host.keyring.joint.public("lr-s1-host").key

        def mark(ct: bytes) -> bytes:
            return marked(ct, key().modulus, key().half)

        def look(ct: bytes, row: int) -> int:
            seen[row] = symbols(ct, key().modulus, key().half)
            return 0

        host.con.create_function("mark", mark, [BLOB], BLOB, side_effects=True)
        host.con.create_function("look", look, [BLOB, BIGINT], BIGINT, side_effects=True)

    encrypted = (
        "joint_encrypt(present * lr_residual(score, y) + "
        "gaussian_noise(row, getvariable('noise')), getvariable('joint'),\n"
        "                              scale := 20, bound := 32)"
    )
    answer = "-- gradient: encrypted and masked; feature 0 is the loss"
    evil = changed(
        "lr_joint_key/host",
        tmp_path,
        (encrypted, f"mark({encrypted})"),
        (answer, f"SELECT look(ct, row) FROM lr_residuals;\n{answer}"),
    )
    rows.train(evil, prepare, iterations=1, loss_every=0, noise=1)
    assert len(seen) == 80
    assert set(seen.values()) == {(1, 1)}


KEY = "'part1'"
MARKED = "mark(joint_encrypt(1, 'part1'))"
ANSWERS = {
    "he_add": f"he_add({MARKED}, {MARKED}, {KEY})",
    "he_sub": f"he_sub({MARKED}, joint_encrypt(1, 'part1'), {KEY})",
    "he_add_plain": f"he_add_plain({MARKED}, 1, {KEY})",
    "he_mul": f"he_mul({MARKED}, 3, {KEY})",
    "he_dot": f"he_dot([{MARKED}, {MARKED}], [1, 2], {KEY})",
    "he_sum": f"(SELECT he_sum({MARKED}, {KEY}))",
    "he_pack": f"he_pack([{MARKED}, {MARKED}], {KEY})",
    "joint_mask": f"joint_mask({MARKED}, {KEY}).ct",
    "partial_decrypt": f"partial_decrypt({MARKED}, {KEY})",
    "lr_residual_add": f"lr_residual_add({MARKED}, 1, {KEY})",
    "lr_residual_add, absent": f"lr_residual_add({MARKED}, 1, {KEY}, present := false)",
    "lr_residual_add, weighted": (
        f"lr_residual_add({MARKED}, 1, {KEY}, "
        "weight := mark(joint_encrypt(1, 'part1', scale := 0, bound := 1)))"
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_function_answers_with_a_mark(party, name: str) -> None:
    key = party.keyring.joint.public("part1").key
    party.con.create_function(
        "mark", lambda ct: marked(ct, key.modulus, key.half), [BLOB], BLOB, side_effects=True
    )
    assert symbols(party.con.execute(f"SELECT {MARKED}").fetchall()[0][0], key.modulus, key.half)
    for (blob,) in party.con.execute(f"SELECT {ANSWERS[name]} FROM range(6)").fetchall():
        assert symbols(blob, key.modulus, key.half) == (1, 1)


def test_every_function_that_answers_with_a_ciphertext_is_tried() -> None:
    from duckpriv.functions import FUNCTIONS

    # These work under Paillier keys only.
    others = {"he_share_split", "he_share_split_wide", "square_split", "product_split"}
    answering = {
        f.name
        for f in FUNCTIONS
        if f.randomised
        and f.kind != "table"
        and any(p.name == "key" for p in f.parameters)
        and any(p.name in ("ct", "cts", "a", "us") for p in f.parameters)
    }
    assert answering - others == {name.split(",")[0] for name in ANSWERS}


# Paillier: the key's owner knows the factors, and chooses them.


def chosen_prime(bits: int, factors: list[int]) -> int:
    """A prime p with p - 1 divisible by 4 and the factors."""
    step = 4 * int(np.prod(np.array(factors, dtype=object)))
    while True:
        high = (1 << bits) // step
        p = secrets.randbelow(high // 4) * step + 3 * high // 4 * step + 1
        if p.bit_length() == bits and gmpy2.is_prime(p):
            return p


@cache
def chosen_key() -> paillier.PrivateKey:
    """p - 1 and q - 1 have factors 4, 3, 5, 7, 11 and 257: characters of these orders."""
    factors = [3, 5, 7, 11, 257]
    while True:
        p, q = (chosen_prime(1024, factors) for _ in range(2))
        if p != q and np.gcd.reduce([p * q, (p - 1) * (q - 1)]) == 1:
            return paillier.PrivateKey(p, q)


@cache
def root_of(order: int, prime: int) -> int:
    """An element of this order modulo the prime."""
    factors = [f for f in (2, 3, 5, 7, 11) if order % f == 0]
    candidates = (gmpy2.powmod(g, (prime - 1) // order, prime) for g in range(2, 1000))
    return next(
        r for r in candidates if all(gmpy2.powmod(r, order // f, prime) != 1 for f in factors)
    )


def character(c: int, order: int, prime: int) -> int:
    """The character of this order of a number modulo the prime, as an exponent of a fixed root."""
    value, power = gmpy2.powmod(c, (prime - 1) // order, prime), gmpy2.mpz(1)
    for exponent in range(order):
        if power == value:
            return exponent
        power = power * root_of(order, prime) % prime
    raise AssertionError


@pytest.mark.parametrize("order", some([2, 3, 4, 5, 7, 11], 1))
def test_the_owner_of_a_paillier_key_reads_no_character(connect, order: int) -> None:
    """It marks a ciphertext with an N-th residue, lets the other multiply it by a private factor of
    0 or 1, and looks at the answers: all characters come equally often, whatever the factor."""
    key = chosen_key()
    owner, other = connect("owner"), connect("other")
    owner.keyring.write_first("own.paillier.private.pem", factors_pem(key.p, key.q))
    encoded = PaillierPrivateKey(key).public.encoded
    other.con.execute("SELECT key_import('theirs', $1, 'paillier')", [encoded]).fetchall()
    ((good,),) = owner.con.execute("SELECT paillier_encrypt(0, 'own')").fetchall()
    u = next(g for g in range(2, 1000) if character(g, order, key.p) == 1)
    mark = gmpy2.powmod(u, key.p * key.q, key.public.square)
    body = int.from_bytes(good[HEADER_BYTES:], "big") * mark % key.public.square
    bad = good[:HEADER_BYTES] + int(body).to_bytes(key.public.width, "big")
    for factor in (0, 1):
        answers = other.con.execute(
            f"SELECT he_mul($1, {factor}, 'theirs') FROM range(300)", [bad]
        ).fetchall()
        for prime in (key.p, key.q):
            found = Counter(
                character(int.from_bytes(blob[HEADER_BYTES:], "big") % prime, order, prime)
                for (blob,) in answers
            )
            counts = [found[i] for i in range(order)]
            assert chisquare(counts).pvalue > UNLIKELY


def test_characters_would_show_in_powers_of_one_base() -> None:
    """The test above can fail: powers of -x² leave the symbols modulo p and q equal."""
    key = chosen_key()
    rows = key.public.blind(from_rows([(1).to_bytes(key.public.width, "big")] * 200, 512))
    pairs = {
        tuple(character(int(c) % prime, 2, prime) for prime in (key.p, key.q))
        for c in to_integers(rows)
    }
    assert len(pairs) <= 2


@cache
def smooth_key() -> tuple[paillier.PrivateKey, list[int], list[int]]:
    """p - 1 and q - 1 are products of small primes: the owner can take discrete logarithms."""
    small = [int(x) for x in range(1 << 12, 1 << 13) if gmpy2.is_prime(x)]
    rng = secrets.SystemRandom()
    found = []
    while len(found) < 2:
        factors = rng.sample([x for x in small if not found or x not in found[0][1]], 78)
        p = 2 * int(np.prod(np.array(factors, dtype=object))) + 1
        while p.bit_length() < 1024:
            p = (p - 1) * 2 + 1
        if p.bit_length() == 1024 and gmpy2.is_prime(p):
            found.append((p, factors))
    (p, fp), (q, fq) = found
    return paillier.PrivateKey(p, q), fp, fq


def logarithm(c: int, prime: int, factors: list[int], root: int) -> tuple[int, int]:
    """The discrete logarithm of c modulo the product of the factors (Pohlig and Hellman 1978)."""
    x, modulus = 0, 1
    for f in factors:
        base = gmpy2.powmod(root, (prime - 1) // f, prime)
        value, power = gmpy2.powmod(c, (prime - 1) // f, prime), gmpy2.mpz(1)
        digit = 0
        while power != value:
            power, digit = power * base % prime, digit + 1
        x += modulus * ((digit - x) * pow(modulus, -1, f) % f)
        modulus *= f
    return x, modulus


def shortest(vectors: list[list[int]]) -> int:
    """The bits of the shortest vector of a reduced basis (Lenstra, Lenstra, Lovász 1982)."""

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    def orthogonal():
        stars, mus = [], []
        for v in vectors:
            star, mu = [Fraction(x) for x in v], []
            for other in stars:
                m = Fraction(dot(v, other)) / dot(other, other)
                mu.append(m)
                star = [x - m * y for x, y in zip(star, other, strict=True)]
            stars.append(star)
            mus.append(mu)
        return stars, mus

    k = 1
    while k < len(vectors):
        stars, mus = orthogonal()
        for j in range(k - 1, -1, -1):
            q = round(mus[k][j])
            vectors[k] = [x - q * y for x, y in zip(vectors[k], vectors[j], strict=True)]
            own = [*mus[j], Fraction(1)]
            mus[k] = [m - q * (own[i] if i <= j else 0) for i, m in enumerate(mus[k])]
        before = dot(stars[k - 1], stars[k - 1])
        if dot(stars[k], stars[k]) >= (Fraction(3, 4) - mus[k][k - 1] ** 2) * before:
            k += 1
        else:
            vectors[k - 1], vectors[k] = vectors[k], vectors[k - 1]
            k = max(k - 1, 1)
    return min(max(abs(x) for x in v).bit_length() for v in vectors)


@takes_long
@pytest.mark.parametrize(
    "function, short", [("rerandomise", False), *([("blind", True)] if THOROUGH else [])]
)
def test_an_owner_that_takes_logarithms_cannot_solve_for_the_randomness(function, short) -> None:
    """With p - 1 and q - 1 smooth the owner has the logarithms of three answers' randomness, A
    times r each. Where r is shorter than the group, a lattice gives r, then A, then the other's
    factors from what r leaves over. So it is with powers of one base, and not with what is
    answered."""
    key, fp, fq = smooth_key()
    one = from_rows([(1).to_bytes(512, "big")] * 3, 512)
    rows = getattr(key.public, function)(one)
    n, logs = key.public.modulus, []
    for c in to_integers(rows):
        numbers = []
        for prime, factors in ((key.p, fp), (key.q, fq)):
            root = next(
                g
                for g in range(2, 1000)
                if all(gmpy2.powmod(g, (prime - 1) // f, prime) != 1 for f in factors)
            )
            numbers.append(logarithm(int(c) % prime, prime, factors, root))
        (a, ma), (b, mb) = numbers
        logs.append((a + ma * ((b - a) * pow(ma, -1, mb) % mb)) % (ma * mb))
        modulus = ma * mb
    while (common := math.gcd(logs[0], modulus)) > 1:
        modulus //= common
    logs = [x % modulus for x in logs]
    assert modulus.bit_length() > 1500
    assert n.bit_length() >= 2047
    inverse = pow(logs[0], -1, modulus)
    basis = [
        [1, logs[1] * inverse % modulus, logs[2] * inverse % modulus],
        [0, modulus, 0],
        [0, 0, modulus],
    ]
    bits = shortest(basis)
    assert bits <= 1024 if short else bits > modulus.bit_length() * 2 // 3 - 40
