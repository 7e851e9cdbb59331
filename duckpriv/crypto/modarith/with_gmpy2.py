"""Modular arithmetic with gmpy2: portable, always tested."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from numpy.typing import NDArray

from ..bytecolumns import from_integers, to_integers
from ..parallel import ByteMatrix, map_rows


def multiply(a: ByteMatrix, b: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return a * b mod `modulus`, row by row."""
    n = gmpy2.mpz(modulus)
    products = (x * y % n for x, y in zip(to_integers(a), to_integers(b), strict=True))
    return from_integers(products, a.shape[1])


def products(
    blocks: Sequence[ByteMatrix],
    columns: slice,
    chosen: NDArray[np.int64],
    bounds: NDArray[np.int64],
    modulus: int,
) -> ByteMatrix:
    """Return the product of the numbers chosen[start:stop] for each row of `bounds`: see
    `grouped.group_products`."""
    n, rows = gmpy2.mpz(modulus), len(blocks[0])
    results = []
    for start, stop in bounds.tolist():
        product = gmpy2.mpz(1)
        for at in chosen[start:stop].tolist():
            data = blocks[at // rows][at % rows, columns].tobytes()
            value = gmpy2.mpz.from_bytes(data, "big")
            if value >= n:
                raise ValueError("a value is not below the modulus")
            product = product * value % n
        results.append(product)
    return from_integers(results, columns.stop - columns.start)


def power_public(x: ByteMatrix, exponent: int, modulus: int) -> ByteMatrix:
    """Return x^exponent mod `modulus` of every row, for an exponent that is no secret."""

    def part(rows: ByteMatrix) -> ByteMatrix:
        powers = gmpy2.powmod_base_list(to_integers(rows), exponent, modulus)
        return from_integers(powers, x.shape[1])

    return map_rows(part, x)


def inverse(x: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return the inverse of every row mod `modulus`.

    Montgomery's trick: one inversion and three multiplications a row (Cohen, A Course in
    Computational Algebraic Number Theory, algorithm 10.3.4). Raises ZeroDivisionError where
    a row has none.
    """
    n = gmpy2.mpz(modulus)
    values = to_integers(x)
    products = [gmpy2.mpz(1)]
    for value in values:
        products.append(products[-1] * value % n)
    running = gmpy2.invert(products[-1], n)
    inverses = [gmpy2.mpz(0)] * len(values)
    for i in range(len(values) - 1, -1, -1):
        inverses[i] = running * products[i] % n
        running = running * values[i] % n
    return from_integers(inverses, x.shape[1])


def private_numbers(pkcs8: bytes) -> rsa.RSAPrivateNumbers:
    """Return the numbers of an RSA private key (DER, PKCS #8, unencrypted)."""
    key = load_der_private_key(pkcs8, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("not an RSA private key")
    return key.private_numbers()


class RsaPrivateOperation:
    """x^d mod N through the CRT, for machines without libcrypto.

    `powmod_sec` is constant-time in exponent and base, but GMP's reductions and products
    around it are not; so the base is first multiplied by r^e, r fresh and random, and the
    result by 1/r (Kocher 1996, section 10): what is not constant-time works on values that
    nobody else knows.
    """

    def __init__(self, pkcs8: bytes) -> None:
        numbers = private_numbers(pkcs8)
        self._n = gmpy2.mpz(numbers.public_numbers.n)
        self._e = gmpy2.mpz(numbers.public_numbers.e)
        self._p, self._q = gmpy2.mpz(numbers.p), gmpy2.mpz(numbers.q)
        self._dp, self._dq = gmpy2.mpz(numbers.dmp1), gmpy2.mpz(numbers.dmq1)
        self._q_inverse = gmpy2.mpz(numbers.iqmp)

    def __call__(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row."""
        return map_rows(self._part, x)

    def _part(self, x: ByteMatrix) -> ByteMatrix:
        return from_integers((self._power(value) for value in to_integers(x)), x.shape[1])

    def _power(self, x: gmpy2.mpz) -> gmpy2.mpz:
        r = gmpy2.mpz(secrets.randbelow(int(self._n) - 1) + 1)
        blinded = x * gmpy2.powmod(r, self._e, self._n) % self._n
        mod_p = gmpy2.powmod_sec(blinded % self._p, self._dp, self._p)
        mod_q = gmpy2.powmod_sec(blinded % self._q, self._dq, self._q)
        lifted = mod_q + (mod_p - mod_q) * self._q_inverse % self._p * self._q
        if gmpy2.powmod(lifted, self._e, self._n) != blinded:
            raise ArithmeticError("an RSA private-key operation failed its check")
        return lifted * gmpy2.invert(r, self._n) % self._n
