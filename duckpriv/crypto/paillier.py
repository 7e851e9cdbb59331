"""Paillier's cryptosystem (1999) with g = 1 + N, on columns of plaintexts.

Enc(m) = (1 + m * N) * u mod N^2, with u an N-th residue. There are two ways to draw u.

Who encrypts hides from those that do not have the factors of N. u is h_s^r as Damgard, Jurik and
Nielsen (2010, section 4.2) have it: h_s = h^N with h = -x^2 for a random x, and r of half the
modulus's length. That h_s^r cannot be told from a random N-th residue is their assumption.

Who computes with ciphertexts hides from the key's owner as well, who knows the factors, may have
chosen them, and may have put anything into the ciphertexts. Powers of one base are not enough: if
p - 1 has a factor l, one base in l has a trivial character of order l, and an owner whose p - 1 and
q - 1 are smooth takes discrete logarithms, solves for r, which is shorter than the group, and reads
the other's factors. So there u is the product over t of u_t^(b_t), with N-th residues u_t that are
uniform and independent, drawn once a process, and fresh bytes b_t (Boyko, Peinado, Venkatesan
1998). With 8 T >= |N| + 192 bits in the b_t that is within 2^-76 of uniform among all N-th
residues, for every N that passes `check_modulus` and `check_proof`, with the u_t known or not, by
the leftover hash lemma (Impagliazzo and Zuckerman 1989). For random b and b', the product of
u_t^(b_t - b'_t) is 1 with probability at most g^r / |G|, where g is the greatest common divisor of
the b_t - b'_t, and r < 128 the number of primes in N; g > 1 has probability about 2^-T. So no
character of any order survives in what is answered, and nothing need be known of phi(N) but that N
is prime to it, which makes the N-th residues as many as the units modulo N.
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
from .modarith.exponentiation import (
    FixedBases,
    fixed_base,
    fixed_bases,
    multi_power,
    power_each,
)
from .modarith.grouped import group_products
from .modarith.secret_power import secret_power
from .moduli import not_units
from .parallel import ByteMatrix

# Eight roots make the chance of a false proof 2^-128 (see moduli.SMALLEST_FACTOR).
PROOF_ROOTS = 8


# By how many bits the randomness of an answer is longer than N.
_MARGIN_BITS = 192


@lru_cache(maxsize=8)
def _h_s(modulus: int) -> int:
    """Return this process's h_s for N."""
    x = secrets.randbelow(modulus - 2) + 2
    h = (modulus - x * x) % modulus
    return int(gmpy2.powmod(h, modulus, modulus * modulus))


@lru_cache(maxsize=8)
def _short_randomness(modulus: int, square: int) -> FixedBases:
    """Return the powers of h_s for N, modulo a square: 21 MB at 2048 bits."""
    return fixed_base(square, _h_s(modulus) % square, (modulus.bit_length() // 2 + 7) // 8)


@lru_cache(maxsize=2)
def _full_randomness(modulus: int) -> FixedBases:
    """Return products of powers of this process's u_t for N: 46 MB at 2048 bits."""
    width = 2 * ((modulus.bit_length() + 7) // 8)
    count = (modulus.bit_length() + _MARGIN_BITS + 7) // 8
    roots = from_integers((_random_unit(modulus) for _ in range(count)), width)
    return fixed_bases(modulus**2, secret_power(roots, modulus, modulus**2))


def _random_unit(modulus: int) -> gmpy2.mpz:
    while True:
        x = gmpy2.mpz(secrets.randbelow(modulus))
        if gmpy2.gcd(x, modulus) == 1:
            return x


def _times_random(table: FixedBases, factors: ByteMatrix) -> ByteMatrix:
    return table.powers_times(_random_exponents(table, len(factors)), factors)


def _random_exponents(table: FixedBases, rows: int) -> ByteMatrix:
    random = np.frombuffer(secrets.token_bytes(rows * table.count), dtype=np.uint8)
    return random.reshape(rows, table.count)


class PublicKey:
    """N, and arithmetic modulo N^2."""

    DOUBLINGS = 0

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self.bits = modulus.bit_length()
        self.square = modulus * modulus
        self.width = 2 * ((self.bits + 7) // 8)

    def encrypt(self, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return a fresh encryption of each integer modulo N: (rows, width). What it is of is
        hidden from all but the key's owner."""
        return self.blind(from_rows([self._plain(m) for m in plaintexts], self.width))

    def blind(self, factors: ByteMatrix) -> ByteMatrix:
        """Return each row times a fresh encryption of 0, which others than the key's owner cannot
        tell from a new encryption."""
        return _times_random(_short_randomness(self.modulus, self.square), factors)

    def rerandomise(self, a: ByteMatrix) -> ByteMatrix:
        """Return each row times an encryption of 0 that is uniform for the key's owner, too: only
        the plaintext is left of what went in."""
        return _times_random(_full_randomness(self.modulus), a)

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

    def sums(
        self,
        blocks: Sequence[ByteMatrix],
        offset: int,
        chosen: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> ByteMatrix:
        """Return encryptions of the sums of chosen rows, not re-randomised: see `AdditiveKey`."""
        columns = slice(offset, offset + self.width)
        return group_products(blocks, columns, chosen, starts, self.square)

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


class _OwnersKey(PublicKey):
    """The public key at its owner, who takes the powers of h_s modulo p^2 and q^2: half the work,
    and the same result."""

    def __init__(self, p: int, q: int) -> None:
        super().__init__(p * q)
        self._squares = gmpy2.mpz(p * p), gmpy2.mpz(q * q)
        self._inverse = gmpy2.invert(*self._squares)

    def blind(self, factors: ByteMatrix) -> ByteMatrix:
        tables = [_short_randomness(self.modulus, int(square)) for square in self._squares]
        exponents = _random_exponents(tables[0], len(factors))
        powers = []
        for table, square in zip(tables, self._squares, strict=True):
            ones = from_integers([1] * len(factors), (square.bit_length() + 7) // 8)
            powers.append(to_integers(table.powers_times(exponents, ones)))
        p, q = self._squares
        joined = (u + p * ((v - u) * self._inverse % q) for u, v in zip(*powers, strict=True))
        return modarith.multiply(from_integers(joined, self.width), factors, self.square)


class PrivateKey:
    """The factors of N; decrypts through the CRT (Paillier 1999, section 7)."""

    def __init__(self, p: int, q: int) -> None:
        self.p, self.q = p, q
        self.public: PublicKey = _OwnersKey(p, q)
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
        blinded = self.public.blind(ciphertexts)
        mod_p, mod_q = (half.plaintexts(blinded) for half in self._halves)
        plaintexts = []
        for a, b in zip(mod_p, mod_q, strict=True):
            m = a + self.p * ((b - a) * self._p_inverse % self.q)
            plaintexts.append(int(m - n if m > n // 2 else m))
        return plaintexts

    def proof(self) -> bytes:
        """Return the N-th roots that `PublicKey.check_proof` checks."""
        n = self.public.modulus
        challenges = from_integers(self.public._challenges(), self.public.width // 2)
        d = int(gmpy2.invert(n, (self.p - 1) * (self.q - 1)))
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
