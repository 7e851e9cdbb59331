"""Modular arithmetic on byte matrices, and the one place that chooses who computes it.

`ifma` is the compiled kernel, for processors with AVX-512 IFMA; `libcrypto` is OpenSSL, with gmpy2
for public exponents; `gmpy2` is always there. All are constant-time where an exponent is secret.
`DUCKPRIV_MODARITH` forces one of them; otherwise the first that can run does. Rows have to be below
the modulus; the kernel raises ValueError for others, and gmpy2 reduces them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Protocol

from ...errors import InvalidValue
from ..parallel import ByteMatrix
from . import kernel, libcrypto, with_gmpy2


class RsaPrivateOperation(Protocol):
    """x -> x^d mod N on every row, constant-time in the key and in x.

    Each result is checked against the public exponent before it is returned, so that a
    computing fault in one half of the CRT does not give the factors away (Boneh, DeMillo,
    Lipton 1997). Raises ArithmeticError where no right result can be had.
    """

    def __call__(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row of `x`, (rows, width of N)."""


_AVAILABLE: dict[str, Callable[[], bool]] = {
    "ifma": kernel.available,
    "libcrypto": libcrypto.available,
    "gmpy2": lambda: True,
}
_MISSING = {
    "ifma": "the kernel was not compiled, or this processor has no AVX-512 IFMA",
    "libcrypto": "no libcrypto of OpenSSL 3 was found",
}


def implementations() -> dict[str, str]:
    """Return every implementation, with '' or why it cannot run here."""
    return {name: "" if can() else _MISSING[name] for name, can in _AVAILABLE.items()}


@cache
def implementation() -> str:
    """Return who computes: 'ifma', 'libcrypto' or 'gmpy2'."""
    wanted = os.environ.get("DUCKPRIV_MODARITH", "")
    if not wanted:
        return next(name for name, available in _AVAILABLE.items() if available())
    if wanted not in _AVAILABLE:
        raise InvalidValue(f"DUCKPRIV_MODARITH is {wanted!a}; use {', '.join(_AVAILABLE)}")
    if not _AVAILABLE[wanted]():
        raise InvalidValue(f"DUCKPRIV_MODARITH is {wanted}, but {_MISSING[wanted]}")
    return wanted


class _Columns(Protocol):
    multiply: Callable[[ByteMatrix, ByteMatrix, int], ByteMatrix]
    power_public: Callable[[ByteMatrix, int, int], ByteMatrix]
    inverse: Callable[[ByteMatrix, int], ByteMatrix]


def _columns() -> _Columns:
    return kernel if implementation() == "ifma" else with_gmpy2


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
    if implementation() == "ifma":
        try:
            return kernel.RsaPrivateOperation(pkcs8)
        except kernel.UnequalPrimes:
            pass
    if implementation() != "gmpy2" and libcrypto.available():
        return libcrypto.RsaPrivateOperation(pkcs8)
    return with_gmpy2.RsaPrivateOperation(pkcs8)
