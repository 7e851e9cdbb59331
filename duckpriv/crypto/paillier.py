"""Paillier's cryptosystem (1999) with g = 1 + N, on columns of plaintexts.

Enc(m) = (1 + m * N) * h_s^r mod N^2, the randomness as Damgard, Jurik and Nielsen (2010, section
4.2) have it: h_s = h^N with h = -x^2 for a random x, and r of half the modulus's length. That h_s^r
cannot be told from a random N-th power is their assumption; it lets a table of h_s's powers
replace an exponentiation of full length. Whoever encrypts draws an x of its own, so nobody has to
trust a base that the key's owner made.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from functools import lru_cache

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.asymmetric import rsa
from numpy.typing import NDArray

from . import modarith
from .bytecolumns import from_integers, from_rows, to_integers
from .hashing import hash_to_number
from .homomorphic import plain
from .modarith.exponentiation import FixedBase, fixed_base, multi_power, power_each
from .modarith.secret_power import secret_power
from .moduli import not_units
from .parallel import ByteMatrix

# Eight roots make the chance of a false proof 2^-128 (see moduli.SMALLEST_FACTOR).
PROOF_ROOTS = 8


@lru_cache(maxsize=4)
def _randomness(modulus: int) -> FixedBase:
    """Return the powers of this process's h_s for N: 21 MB at 2048 bits."""
    x = secrets.randbelow(modulus - 2) + 2
    h = (modulus - x * x) % modulus
    square = modulus * modulus
    h_s = int(gmpy2.powmod(h, modulus, square))
    return fixed_base(square, h_s, (modulus.bit_length() // 2 + 7) // 8)


class PublicKey:
    """N, and arithmetic modulo N^2."""

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self.bits = modulus.bit_length()
        self.square = modulus * modulus
        self.width = 2 * ((self.bits + 7) // 8)

    def encrypt(self, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return a fresh encryption of each integer modulo N: (rows, width)."""
        return self.rerandomise_times(from_rows([self._plain(m) for m in plaintexts], self.width))

    def rerandomise_times(self, factors: ByteMatrix) -> ByteMatrix:
        """Return each row times a fresh encryption of 0."""
        table = _randomness(self.modulus)
        size = len(factors) * table.exponent_bytes
        exponents = np.frombuffer(secrets.token_bytes(size), dtype=np.uint8)
        return table.powers_times(exponents.reshape(len(factors), table.exponent_bytes), factors)

    def add(self, a: ByteMatrix, b: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the sums, not re-randomised."""
        return modarith.multiply(a, b, self.square)

    def negate(self, a: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the negatives, not re-randomised."""
        return modarith.inverse(a, self.square)

    def add_plain(self, a: ByteMatrix, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return encryptions of the sums with plaintexts, not re-randomised."""
        return self.add(a, from_rows([self._plain(m) for m in plaintexts], self.width))

    def shift(self, a: ByteMatrix, bits: int) -> ByteMatrix:
        """Return encryptions of the values times 2^bits, not re-randomised."""
        return modarith.power_public(a, 1 << bits, self.square)

    def combine(self, a: ByteMatrix, coefficients: NDArray[np.int64]) -> ByteMatrix:
        """Return for each row o of `coefficients` (outputs, rows) an encryption of the sum of
        coefficients[o, r] * a[r], not re-randomised."""
        return multi_power(self.square, a, coefficients)

    def scale(self, a: ByteMatrix, factors: NDArray[np.int64]) -> ByteMatrix:
        """Return encryptions of a[r] times factors[r], not re-randomised."""
        return power_each(a, factors, self.square)

    def invalid(self, a: ByteMatrix) -> int:
        """Count the rows that are no ciphertexts: 0, not below N^2, or not prime to N."""
        return not_units(to_integers(a), self.square, self.modulus)

    def _plain(self, m: int) -> bytes:
        return plain(m, self.modulus, self.square, self.width)

    def check_proof(self, proof: bytes) -> bool:
        """Whether `proof` shows that N is prime to phi(N)."""
        width = self.width // 2
        if len(proof) != PROOF_ROOTS * width:
            return False
        roots = [int.from_bytes(proof[i : i + width], "big") for i in range(0, len(proof), width)]
        return all(
            0 < root < self.modulus and gmpy2.powmod(root, self.modulus, self.modulus) == challenge
            for root, challenge in zip(roots, self._challenges(), strict=True)
        )

    def _challenges(self) -> list[gmpy2.mpz]:
        n, tag = self.modulus.to_bytes(self.width // 2, "big"), "duckpriv/paillier-key-proof/v1"
        return [hash_to_number(n + bytes([i]), tag, self.modulus) for i in range(PROOF_ROOTS)]


class PrivateKey:
    """The factors of N; decrypts through the CRT (Paillier 1999, section 7)."""

    def __init__(self, p: int, q: int) -> None:
        self.p, self.q = p, q
        self.public = PublicKey(p * q)
        self._halves = [_Half(p, p * q), _Half(q, p * q)]
        self._p_inverse = int(gmpy2.invert(p, q))

    @classmethod
    def generate(cls, bits: int) -> PrivateKey:
        """Make a key whose primes are both 3 mod 4, as Damgard, Jurik and Nielsen ask."""
        while True:
            numbers = rsa.generate_private_key(65537, bits).private_numbers()
            p, q = numbers.p, numbers.q
            if p % 4 == q % 4 == 3 and math.gcd(p * q, (p - 1) * (q - 1)) == 1:
                return cls(p, q)

    def decrypt(self, ciphertexts: ByteMatrix) -> list[int]:
        """Return the plaintexts, as integers from -N/2 to N/2.

        Exponentiations with p - 1 and q - 1 are constant-time. What is around them is not,
        so each ciphertext is first multiplied by an encryption of 0.
        """
        n = self.public.modulus
        if len(ciphertexts) == 0:
            return []
        blinded = self.public.rerandomise_times(ciphertexts)
        mod_p, mod_q = (half.plaintexts(blinded) for half in self._halves)
        plaintexts = []
        for a, b in zip(mod_p, mod_q, strict=True):
            m = a + self.p * ((b - a) * self._p_inverse % self.q)
            plaintexts.append(int(m - n if m > n // 2 else m))
        return plaintexts

    def proof(self) -> bytes:
        """Return the N-th roots that `PublicKey.check_proof` checks."""
        n = self.public.modulus
        d = int(gmpy2.invert(n, (self.p - 1) * (self.q - 1)))
        width = self.public.width // 2
        challenges = from_integers(self.public._challenges(), width)
        return secret_power(challenges, d, n).tobytes()


class _Half:
    """Decryption modulo one prime."""

    def __init__(self, prime: int, n: int) -> None:
        self._prime = gmpy2.mpz(prime)
        self._square = prime * prime
        self._width = (self._square.bit_length() + 7) // 8
        # L((1 + N)^(p - 1) mod p^2)^-1 mod p
        power = gmpy2.powmod_sec(1 + n, prime - 1, self._square)
        self._factor = gmpy2.invert((power - 1) // prime, prime)

    def plaintexts(self, ciphertexts: ByteMatrix) -> list[gmpy2.mpz]:
        reduced = from_integers((c % self._square for c in to_integers(ciphertexts)), self._width)
        powers = secret_power(reduced, int(self._prime) - 1, self._square)
        return [
            (power - 1) // self._prime * self._factor % self._prime for power in to_integers(powers)
        ]
