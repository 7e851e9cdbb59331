"""RSA blind signatures, RFC 9474, on columns of messages.

The variant is RSABSSA-SHA384-PSSZERO-Deterministic (section 5): SHA-384, MGF1 with SHA-384,
salt length 0, identity preparation. A signature is then a deterministic function of the
message under the private key, unpredictable without it, which private matching builds on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import gmpy2
import numpy as np

from . import modarith
from .bytecolumns import from_integers, rows_of, to_integers
from .columnhashing import pss_encode
from .hashing import hash_to_bytes, hash_to_number
from .parallel import ByteMatrix

PUBLIC_EXPONENT = 65537
SMALLEST_MODULUS_BITS = 2048
LARGEST_MODULUS_BITS = 8192
PROOF_ROOTS = 8
# The product of all primes below 10,000: one gcd finds any small factor.
_SMALL_PRIMES = gmpy2.primorial(10_000)


def check_public_key(modulus: int, exponent: int) -> str | None:
    """Say what is wrong with a public key that a peer sent, or None if nothing is.

    Cheap checks against a degenerate key. `key_proof` shows what they cannot: that x -> x^e
    is a permutation modulo N.
    """
    bits = modulus.bit_length()
    if not SMALLEST_MODULUS_BITS <= bits <= LARGEST_MODULUS_BITS:
        return (
            f"the modulus has {bits} bits; expected {SMALLEST_MODULUS_BITS} "
            f"to {LARGEST_MODULUS_BITS}"
        )
    if bits % 8:
        return f"the modulus has {bits} bits, which is no multiple of 8"
    if modulus % 2 == 0:
        return "the modulus is even"
    if exponent != PUBLIC_EXPONENT:
        return f"the public exponent is not {PUBLIC_EXPONENT}"
    if gmpy2.gcd(modulus, _SMALL_PRIMES) != 1:
        return "the modulus has a small prime factor"
    if gmpy2.is_prime(modulus) or gmpy2.is_power(modulus):
        return "the modulus is a prime or a perfect power"
    return None


def key_proof(private_operation: modarith.RsaPrivateOperation, modulus: int) -> bytes:
    """Prove that e is prime to phi(N): the e-th roots of PROOF_ROOTS hashes of the key.

    Were e a divisor of phi(N), r^e would be uniform only within a coset, and a blinded value
    would tell its signer in which coset the message lies. Then at most one number in e has an e-th
    root, so a proof for a bad N exists with probability at most e^-8 = 2^-128
    (Goldberg, Reyzin, Sagga, Baldimtsi 2019, section 3.2; e is a prime).
    """
    return private_operation(_proof_challenges(modulus)).tobytes()


def check_key_proof(proof: bytes, modulus: int) -> bool:
    """Whether `proof` is the `key_proof` of this modulus."""
    width = modulus.bit_length() // 8
    if len(proof) != PROOF_ROOTS * width:
        return False
    roots = np.frombuffer(proof, dtype=np.uint8).reshape(PROOF_ROOTS, width)
    if any(int.from_bytes(root, "big") >= modulus for root in rows_of(roots)):
        return False
    powers = modarith.power_public(roots, PUBLIC_EXPONENT, modulus)
    return bool(np.array_equal(powers, _proof_challenges(modulus)))


def _proof_challenges(modulus: int) -> ByteMatrix:
    width = modulus.bit_length() // 8
    key = modulus.to_bytes(width, "big")
    tag = "duckpriv/rsa-key-proof/v1"
    values = [hash_to_number(key + bytes([i]), tag, modulus) for i in range(PROOF_ROOTS)]
    return from_integers(values, width)


def encode(messages: Sequence[bytes], modulus: int) -> ByteMatrix:
    """Return the encoded messages, as Blind prepares them (RFC 9474, 4.2): (rows, width)."""
    return pss_encode(messages, modulus.bit_length() - 1)


def blinding_factors(messages: Sequence[bytes], secret: bytes, modulus: int) -> ByteMatrix:
    """Return r for each message: a pseudo-random function of it, uniform in [0, N).

    RFC 9474 draws r at random and keeps it; here it is derived again at Finalize from the
    session's secret (32 bytes), so that no secret needs a column. The modulus enters the
    derivation: another key means other factors.
    """
    width = modulus.bit_length() // 8
    prefix = secret + hashlib.sha256(modulus.to_bytes(width, "big")).digest()
    n = gmpy2.mpz(modulus)
    uniform = hash_to_bytes(prefix, messages, "duckpriv/rsa-blind/v1", modulus)
    return from_integers((x % n for x in to_integers(uniform)), width)


def blind(encoded: ByteMatrix, factors: ByteMatrix, modulus: int) -> ByteMatrix:
    """Blind (RFC 9474, 4.2): m * r^e mod N for each row."""
    hidden = modarith.power_public(factors, PUBLIC_EXPONENT, modulus)
    return modarith.multiply(encoded, hidden, modulus)


def out_of_range(values: ByteMatrix, modulus: int) -> int:
    """Count the rows x that are not 1 < x < N - 1.

    0, 1 and N - 1 are refused besides what RFC 9474, 4.3 refuses: their signatures are
    themselves, so nobody who blinds honestly sends them.
    """
    return sum(not 1 < int.from_bytes(row, "big") < modulus - 1 for row in rows_of(values))


def sign(values: ByteMatrix, private_operation: modarith.RsaPrivateOperation) -> ByteMatrix:
    """BlindSign (RFC 9474, 4.3): x^d mod N for each row, with the result checked against the
    public exponent by the implementation. Raises ArithmeticError when the check fails."""
    return private_operation(values)


def unblind(signed: ByteMatrix, factors: ByteMatrix, modulus: int) -> ByteMatrix:
    """The first half of Finalize (RFC 9474, 4.4): z / r mod N for each row."""
    return modarith.multiply(signed, modarith.inverse(factors, modulus), modulus)


def invalid_signatures(signatures: ByteMatrix, encoded: ByteMatrix, modulus: int) -> int:
    """Count the rows whose signature does not verify (RSASSA-PSS-VERIFY, RFC 8017, 8.1.2).

    With a salt of length 0 the encoding is a function of the message, so comparing it whole
    is the verification.
    """
    opened = modarith.power_public(signatures, PUBLIC_EXPONENT, modulus)
    return int(np.any(opened != encoded, axis=1).sum())
