"""RSA blind signatures against the RFC's vectors and the cryptography package."""

from __future__ import annotations

import json
from pathlib import Path

import gmpy2
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv.crypto import modarith, rsabssa
from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.columnhashing import pss_encode_one

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9474.json").read_text())
COMMON = VECTORS["common"]
BY_NAME = {vector["name"]: vector for vector in VECTORS["vectors"]}
SECRET = bytes(range(32))


def number(name: str) -> int:
    return int(COMMON[name], 16)


def rfc_key() -> rsa.RSAPrivateKey:
    p, q, d = number("p"), number("q"), number("d")
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(number("e"), number("n")),
    ).private_key()


def operation(key: rsa.RSAPrivateKey) -> modarith.RsaPrivateOperation:
    return modarith.rsa_private_operation(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def row(data: bytes):
    return from_rows([data], len(data))


@pytest.mark.parametrize("name", BY_NAME)
def test_the_vectors_of_rfc_9474(name: str) -> None:
    vector, n = BY_NAME[name], number("n")
    width = n.bit_length() // 8
    r = pow(number("inv"), -1, n).to_bytes(width, "big")
    salt = bytes.fromhex(vector["salt"])
    encoded = pss_encode_one(bytes.fromhex(COMMON["msg"]), n.bit_length() - 1, salt)
    if "encoded_msg" in vector:
        assert encoded.hex() == vector["encoded_msg"]
    blinded = rsabssa.blind(row(encoded), row(r), n)
    assert blinded.tobytes().hex() == vector["blinded_msg"]
    signed = rsabssa.sign(blinded, operation(rfc_key()))
    if "blind_sig" in vector:
        assert signed.tobytes().hex() == vector["blind_sig"]
    signature = rsabssa.unblind(signed, row(r), n)
    assert signature.tobytes().hex() == vector["sig"]
    assert rsabssa.invalid_signatures(signature, row(encoded), n) == 0


@settings(max_examples=15, deadline=None)
@given(messages=st.lists(st.binary(max_size=200), min_size=1, max_size=20))
def test_signatures_verify_as_rsa_pss(messages: list[bytes], rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    factors = rsabssa.blinding_factors(messages, SECRET, n)
    encoded = rsabssa.encode(messages, n)
    blinded = rsabssa.blind(encoded, factors, n)
    signatures = rsabssa.unblind(rsabssa.sign(blinded, operation(rsa_key)), factors, n)
    assert rsabssa.invalid_signatures(signatures, encoded, n) == 0
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), salt_length=0)
    for message, signature in zip(messages, rows_of(signatures), strict=True):
        rsa_key.public_key().verify(signature, message, pss, hashes.SHA384())


def test_every_changed_signature_is_counted_as_invalid(rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    messages = [b"a", b"b", b"c"]
    encoded = rsabssa.encode(messages, n)
    signatures = rsabssa.sign(encoded, operation(rsa_key)).copy()
    signatures[1, -1] ^= 1
    assert rsabssa.invalid_signatures(signatures, encoded, n) == 1
    assert rsabssa.invalid_signatures(signatures[::-1].copy(), encoded, n) == 3


def test_blinding_factors_depend_on_message_secret_and_key(rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    other = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    one = rsabssa.blinding_factors([b"a", b"b"], SECRET, n)
    assert np.array_equal(one, rsabssa.blinding_factors([b"a", b"b"], SECRET, n))
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one[0], rsabssa.blinding_factors([b"a"], bytes(32), n)[0])
    assert not np.array_equal(one[0], rsabssa.blinding_factors([b"a"], SECRET, other)[0])


def test_the_range_of_blinded_values(rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    for allowed in (2, n - 2):
        assert rsabssa.out_of_range(row(allowed.to_bytes(256, "big")), n) == 0
    for refused in (0, 1, n - 1, n, n + 2, 2**2048 - 1):
        assert rsabssa.out_of_range(row(refused.to_bytes(256, "big")), n) == 1


P1024 = (1 << 1024) - 105  # a prime


@pytest.mark.parametrize(
    ("modulus", "exponent", "problem"),
    [
        (2**1024 - 1, 65537, "1024 bits"),
        (2**9000 - 1, 65537, "9000 bits"),
        (2**2050 - 1, 65537, "no multiple of 8"),
        (2**2048 - 2, 65537, "even"),
        (2**2048 - 1, 65537, "small prime factor"),
        (P1024 * P1024, 65537, "perfect power"),
    ],
)
def test_degenerate_public_keys(modulus: int, exponent: int, problem: str) -> None:
    assert problem in (rsabssa.check_public_key(modulus, exponent) or "")


def test_only_the_usual_exponent_is_taken(rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    assert rsabssa.check_public_key(n, 65537) is None
    for exponent in (1, 3, 17, 65536, 65539, 2**2000 + 1):
        assert "exponent" in (rsabssa.check_public_key(n, exponent) or "")


@pytest.mark.parametrize("bits", [2048, 3072])
def test_the_largest_and_shortest_messages_encode(bits: int) -> None:
    for message in (b"", b"x" * 100_000):
        encoded = pss_encode_one(message, bits - 1)
        assert len(encoded) == bits // 8
        assert encoded[0] < 0x80
        assert encoded[-1] == 0xBC


def test_a_proof_of_the_key_is_accepted_for_this_key_only(rsa_key: rsa.RSAPrivateKey) -> None:
    n = rsa_key.public_key().public_numbers().n
    proof = rsabssa.key_proof(operation(rsa_key), n)
    assert rsabssa.check_key_proof(proof, n)
    other = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    assert not rsabssa.check_key_proof(proof, other)
    for wrong in (b"", proof[:-1], proof + b"x", proof[256:] + proof[:256], bytes(2048)):
        assert not rsabssa.check_key_proof(wrong, n)
    # s + N has the same power, and is not the canonical root.
    first = int.from_bytes(proof[:256], "big") + n
    if first < 2**2048:
        assert not rsabssa.check_key_proof(first.to_bytes(256, "big") + proof[256:], n)


def test_a_key_under_which_blinding_would_not_hide_has_no_proof() -> None:
    """A modulus whose prime p has p = 1 mod e: x^((p - 1) / e) mod p tells the coset of x."""
    e = rsabssa.PUBLIC_EXPONENT
    k = 3 * 2**1005
    while not gmpy2.is_prime(2 * e * k + 1):
        k += 1
    p = 2 * e * k + 1
    n = p * int(gmpy2.next_prime(3 * 2 ** (2046 - p.bit_length())))
    assert n.bit_length() == 2048
    assert rsabssa.check_public_key(n, e) is None  # the cheap checks do not see it

    def coset(row: bytes) -> int:
        return pow(int.from_bytes(row, "big"), (p - 1) // e, p)

    # A blinded value gives its message away:
    message = rsabssa.encode([b"ann"], n)
    blinded = rsabssa.blind(message, rsabssa.blinding_factors([b"ann"], SECRET, n), n)
    assert coset(blinded.tobytes()) == coset(message.tobytes())
    assert coset(blinded.tobytes()) != coset(rsabssa.encode([b"bob"], n).tobytes())
    # The numbers whose e-th roots the proof has to show have none.
    assert all(coset(challenge) != 1 for challenge in rows_of(rsabssa._proof_challenges(n)))
