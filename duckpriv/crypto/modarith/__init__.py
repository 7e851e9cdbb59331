"""Modular arithmetic on byte matrices, by whom `choice.py` says.

Rows have to be below the modulus; the kernel raises ValueError for others, and gmpy2 reduces them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..parallel import ByteMatrix
from . import kernel, libcrypto, with_gmpy2
from .choice import by_kernel, implementation, implementations

__all__ = [
    "RsaPrivateOperation",
    "implementation",
    "implementations",
    "inverse",
    "multiply",
    "power_public",
    "rsa_private_operation",
]


class RsaPrivateOperation(Protocol):
    """x -> x^d mod N on every row, constant-time in the key and in x.

    Each result is checked against the public exponent before it is returned, so that a
    computing fault in one half of the CRT does not give the factors away (Boneh, DeMillo,
    Lipton 1997). Raises ArithmeticError where no right result can be had.
    """

    def __call__(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row of `x`, (rows, width of N)."""


class _Columns(Protocol):
    multiply: Callable[[ByteMatrix, ByteMatrix, int], ByteMatrix]
    power_public: Callable[[ByteMatrix, int, int], ByteMatrix]
    inverse: Callable[[ByteMatrix, int], ByteMatrix]


def _columns() -> _Columns:
    return kernel if by_kernel() else with_gmpy2


def multiply(a: ByteMatrix, b: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return a * b mod `modulus`, row by row."""
    return _columns().multiply(a, b, modulus)


def power_public(x: ByteMatrix, exponent: int, modulus: int) -> ByteMatrix:
    """Return x^exponent mod `modulus` of every row, for an exponent that is no secret."""
    return _columns().power_public(x, exponent, modulus)


def inverse(x: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return the inverse of every row mod `modulus`.

    Raises ZeroDivisionError where a row has none.
    """
    return _columns().inverse(x, modulus)


def rsa_private_operation(pkcs8: bytes) -> RsaPrivateOperation:
    """Return the private-key operation of an RSA key (DER, PKCS #8, unencrypted)."""
    if by_kernel():
        try:
            return kernel.RsaPrivateOperation(pkcs8)
        except kernel.UnequalPrimes:
            pass
    if implementation() != "gmpy2" and libcrypto.available():
        return libcrypto.RsaPrivateOperation(pkcs8)
    return with_gmpy2.RsaPrivateOperation(pkcs8)
