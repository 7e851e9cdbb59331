"""Additively homomorphic ElGamal under a key that several parties hold together.

The scheme of Damgard and Jurik (2003, "A Length-Flexible Threshold Cryptosystem with
Applications", section 4, s = 1), over an N whose factors no party knows. g = a^2 mod N with a
hashed from N; party P has a secret x_P and publishes h_P = g^(x_P) mod N; the joint key is
h = (product of all h_P)^2 mod N. (The square removes a sign that a party could have put into
its h_P.)

    Enc(m) = (g^r mod N, (h^r mod N)^N * (1 + N)^m mod N^2)

A partial decryption is c1^(2 x_P) mod N. c1 is a number modulo N, and not modulo N^2, so it has
no part in the subgroup of order N: whatever c1 a peer chooses, c1^(2 x_P) is a power in Z_N^*. (In
the variant that works modulo N^2 throughout, c1 = 1 + N would give x_P away at once.)

Re-randomising multiplies by (g^r, (h^r)^N), and g is a square. A peer that puts a number of Jacobi
symbol -1 into c1 or c2 would find the symbol again in what comes back, and see which rows were
replaced. So `rerandomise` squares first, which doubles the plaintext and leaves nothing outside the
squares. There decisional Diffie-Hellman and composite residuosity hold what is hidden.

Exponents have 256 bits. That g^x and h^r with short exponents cannot be told from random squares
is the short-exponent discrete logarithm assumption (van Oorschot and Wiener 1996; Koshiba and
Kurosawa 2004) in a group of unknown order; that (1 + N)^m hides among N-th residues is decisional
composite residuosity.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import gmpy2
import numpy as np
from numpy.typing import NDArray

from . import modarith
from .bytecolumns import from_integers, from_rows, to_integers
from .hashing import hash_to_number, sha256
from .homomorphic import plain
from .modarith.exponentiation import FixedBases, fixed_base, multi_power, power_each
from .modarith.grouped import group_products
from .modarith.secret_power import secret_power
from .moduli import not_units
from .parallel import ByteMatrix

EXPONENT_BYTES = 32
_CHALLENGE_BYTES = 16
# k is 128 bits longer than challenge * x, so response and challenge tell nothing of x.
_NONCE_BYTES = EXPONENT_BYTES + _CHALLENGE_BYTES + 16
PROOF_BYTES = _CHALLENGE_BYTES + _NONCE_BYTES + 1


@lru_cache(maxsize=8)
def generator(modulus: int) -> int:
    """Return g, a square modulo N whose root is hashed from N."""
    width = (modulus.bit_length() + 7) // 8
    n = modulus.to_bytes(width, "big")
    root = hash_to_number(n, "duckpriv/joint-elgamal/generator/v1", modulus)
    return int(root * root % modulus)


def public_share(x: int, modulus: int) -> int:
    """Return h_P = g^x mod N, constant-time in x."""
    return int(gmpy2.powmod_sec(generator(modulus), x, modulus))


def check_share(share: int, modulus: int) -> str | None:
    """Say what is wrong with an h_P (or h) that a peer sent, or None if nothing is."""
    if not 1 < share < modulus - 1 or gmpy2.gcd(share, modulus) != 1:
        return "it is not prime to N, or 0, 1, N - 1 or more"
    if gmpy2.jacobi(share, modulus) != 1:
        return "it is no square modulo N"
    return None


def combined(shares: Sequence[int], modulus: int) -> int:
    """Return h, the square of the product of all h_P."""
    product = gmpy2.mpz(1)
    for share in shares:
        product = product * share % modulus
    return int(product * product % modulus)


def prove(x: int, modulus: int, context: bytes) -> bytes:
    """Prove knowledge of x with h_P = g^x, bound to `context`.

    Schnorr's proof made non-interactive with a hash, in a group of unknown order: the nonce is so
    long that k + c * x hides x (Girault 1991; Poupard and Stern 1998; soundness under the strong
    RSA assumption: Damgard and Fujisaki 2002).
    """
    k = secrets.randbits(8 * _NONCE_BYTES)
    first = int(gmpy2.powmod_sec(generator(modulus), k, modulus))
    challenge = _challenge(modulus, public_share(x, modulus), first, context)
    response = k + int.from_bytes(challenge, "big") * x
    return challenge + response.to_bytes(_NONCE_BYTES + 1, "big")


def check_proof(proof: bytes, share: int, modulus: int, context: bytes) -> bool:
    """Whether `proof` shows knowledge of x with share = g^x."""
    if len(proof) != PROOF_BYTES or check_share(share, modulus) is not None:
        return False
    challenge, response = proof[:_CHALLENGE_BYTES], proof[_CHALLENGE_BYTES:]
    power = gmpy2.powmod(generator(modulus), int.from_bytes(response, "big"), modulus)
    back = gmpy2.powmod(share, -int.from_bytes(challenge, "big"), modulus)
    first = int(power * back % modulus)
    return secrets.compare_digest(challenge, _challenge(modulus, share, first, context))


def _challenge(modulus: int, share: int, first: int, context: bytes) -> bytes:
    width = (modulus.bit_length() + 7) // 8
    numbers = (x.to_bytes(width, "big") for x in (modulus, generator(modulus), share, first))
    return sha256("duckpriv/joint-elgamal/proof/v1", *numbers, context)[:_CHALLENGE_BYTES]


@dataclass(frozen=True)
class _Tables:
    """Powers of g modulo N and of h^N modulo N^2: 8 MB at 2048 bits."""

    g: FixedBases
    h: FixedBases


@lru_cache(maxsize=4)
def _tables(modulus: int, h: int) -> _Tables:
    square = modulus * modulus
    power = int(gmpy2.powmod(h, modulus, square))
    return _Tables(
        fixed_base(modulus, generator(modulus), EXPONENT_BYTES),
        fixed_base(square, power, EXPONENT_BYTES),
    )


class PublicKey:
    """N and h. A ciphertext is c1 (the width of N), then c2 (twice that)."""

    DOUBLINGS = 1

    def __init__(self, modulus: int, h: int) -> None:
        self.modulus, self.h = modulus, h
        self.bits = modulus.bit_length()
        self.square = modulus * modulus
        self.half = (self.bits + 7) // 8
        self.width = 3 * self.half

    def encrypt(self, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return a fresh encryption of each integer modulo N: (rows, width)."""
        return self._times_random(from_rows([self._plain(m) for m in plaintexts], self.width))

    def rerandomise(self, a: ByteMatrix) -> ByteMatrix:
        """Return encryptions of twice the plaintexts that tell nothing else of `a`."""
        return self._times_random(self.add(a, a))

    def _times_random(self, factors: ByteMatrix) -> ByteMatrix:
        tables = _tables(self.modulus, self.h)
        random = np.frombuffer(secrets.token_bytes(len(factors) * EXPONENT_BYTES), dtype=np.uint8)
        exponents = random.reshape(len(factors), EXPONENT_BYTES)
        first, second = self._parts(factors)
        return self._joined(
            tables.g.powers_times(exponents, first), tables.h.powers_times(exponents, second)
        )

    def add(self, a: ByteMatrix, b: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the sums, not re-randomised."""
        (a1, a2), (b1, b2) = self._parts(a), self._parts(b)
        return self._joined(
            modarith.multiply(a1, b1, self.modulus), modarith.multiply(a2, b2, self.square)
        )

    def negate(self, a: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the negatives, not re-randomised."""
        first, second = self._parts(a)
        return self._joined(
            modarith.inverse(first, self.modulus), modarith.inverse(second, self.square)
        )

    def add_plain(self, a: ByteMatrix, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return encryptions of the sums with plaintexts, not re-randomised."""
        return self.add(a, from_rows([self._plain(m) for m in plaintexts], self.width))

    def shift(self, a: ByteMatrix, bits: int) -> ByteMatrix:
        """Return encryptions of the values times 2^bits, not re-randomised."""
        first, second = self._parts(a)
        return self._joined(
            modarith.power_public(first, 1 << bits, self.modulus),
            modarith.power_public(second, 1 << bits, self.square),
        )

    def combine(self, a: ByteMatrix, coefficients: NDArray[np.int64]) -> ByteMatrix:
        """Return for each row o of `coefficients` (outputs, rows) an encryption of the sum of
        coefficients[o, r] * a[r], not re-randomised."""
        first, second = self._parts(a)
        return self._joined(
            multi_power(self.modulus, first, coefficients),
            multi_power(self.square, second, coefficients),
        )

    def sums(
        self,
        blocks: Sequence[ByteMatrix],
        offset: int,
        chosen: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> ByteMatrix:
        """Return encryptions of the sums of chosen rows, not re-randomised: see `AdditiveKey`."""
        first = slice(offset, offset + self.half)
        second = slice(first.stop, offset + self.width)
        return self._joined(
            group_products(blocks, first, chosen, starts, self.modulus),
            group_products(blocks, second, chosen, starts, self.square),
        )

    def scale(self, a: ByteMatrix, factors: NDArray[np.int64]) -> ByteMatrix:
        """Return encryptions of a[r] times factors[r], not re-randomised."""
        first, second = self._parts(a)
        return self._joined(
            power_each(first, factors, self.modulus), power_each(second, factors, self.square)
        )

    def invalid(self, a: ByteMatrix) -> int:
        """Count the rows that are no ciphertexts: a number in them is 0, out of range, or not
        prime to N."""
        first, second = self._parts(a)
        bad = not_units(to_integers(first), self.modulus, self.modulus)
        return bad + not_units(to_integers(second), self.square, self.modulus)

    def invalid_partials(self, partials: ByteMatrix) -> int:
        """Count the rows that are no partial decryptions: no units, or no squares."""
        numbers = to_integers(partials)
        bad = not_units(numbers, self.modulus, self.modulus)
        return bad or sum(gmpy2.jacobi(number, self.modulus) != 1 for number in numbers)

    def partial(self, ciphertexts: ByteMatrix, x: int) -> ByteMatrix:
        """Return c1^(2x) mod N of each row, constant-time in x: (rows, half)."""
        first, _ = self._parts(ciphertexts)
        return secret_power(np.ascontiguousarray(first), 2 * x, self.modulus)

    def decrypt(self, ciphertexts: ByteMatrix, partials: Sequence[ByteMatrix]) -> list[int]:
        """Return the plaintexts, from -N/2 to N/2, with every party's partial decryptions.

        Raises ValueError where a partial decryption is missing, another's, or wrong.
        """
        if len(ciphertexts) == 0:
            return []
        n, square = gmpy2.mpz(self.modulus), self.square
        product = partials[0]
        for other in partials[1:]:
            product = modarith.multiply(product, other, self.modulus)
        lifted = from_integers(to_integers(product), 2 * self.half)
        hiding = modarith.inverse(secret_power(lifted, self.modulus, square), square)
        _, second = self._parts(ciphertexts)
        plaintexts = []
        for value in to_integers(modarith.multiply(second, hiding, square)):
            m, rest = gmpy2.f_divmod(value - 1, n)
            if rest:
                raise ValueError("the partial decryptions do not belong to the ciphertext")
            plaintexts.append(int(m - n if m > n // 2 else m))
        return plaintexts

    def _plain(self, m: int) -> bytes:
        return (1).to_bytes(self.half, "big") + plain(m, self.modulus, self.square, 2 * self.half)

    def _parts(self, a: ByteMatrix) -> tuple[ByteMatrix, ByteMatrix]:
        return a[:, : self.half], a[:, self.half :]

    def _joined(self, first: ByteMatrix, second: ByteMatrix) -> ByteMatrix:
        return np.concatenate([first, second], axis=1)
