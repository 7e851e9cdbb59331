"""Powers with one secret exponent, constant-time."""

from __future__ import annotations

import gmpy2

from ..bytecolumns import from_integers, from_rows, rows_of, to_integers
from ..parallel import ByteMatrix, map_rows
from . import kernel
from .choice import by_kernel, implementation


def secret_power(x: ByteMatrix, exponent: int, modulus: int) -> ByteMatrix:
    """Return x^exponent mod `modulus`, odd, of every row, each less than the modulus.

    By the kernel, OpenSSL's `BN_mod_exp_mont_consttime`, or GMP's `mpz_powm_sec`.
    """
    if by_kernel():
        return kernel.secret_power(x, exponent, modulus)
    if implementation() == "gmpy2":

        def part(rows: ByteMatrix) -> ByteMatrix:
            powers = (gmpy2.powmod_sec(value, exponent, modulus) for value in to_integers(rows))
            return from_integers(powers, x.shape[1])

    else:
        from .arena_libcrypto import LibcryptoModulus

        prepared = LibcryptoModulus(modulus)

        def part(rows: ByteMatrix) -> ByteMatrix:
            arena = prepared.arena()
            secret = arena.raw(exponent)
            return from_rows([arena.power_secret(row, secret) for row in rows_of(rows)], x.shape[1])

    return map_rows(part, x, smallest=4)
