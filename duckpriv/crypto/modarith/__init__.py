"""Modular arithmetic on byte matrices, and the one place that chooses who computes it.

Operations with public exponents run on gmpy2. The RSA private-key operation must be
constant-time: it runs on OpenSSL's libcrypto where that is found, else on
gmpy2's `powmod_sec` with blinding. `DUCKPRIV_MODARITH=libcrypto|gmpy2` forces one of them.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Protocol

from ...errors import InvalidValue
from ..parallel import ByteMatrix
from . import libcrypto, with_gmpy2
from .with_gmpy2 import inverse, multiply, power_public

__all__ = [
    "RsaPrivateOperation",
    "implementation",
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


@cache
def implementation() -> str:
    """Return who computes private-key operations: 'libcrypto' or 'gmpy2'."""
    wanted = os.environ.get("DUCKPRIV_MODARITH", "")
    if wanted not in ("", "libcrypto", "gmpy2"):
        raise InvalidValue(f"DUCKPRIV_MODARITH is {wanted!a}; use libcrypto or gmpy2")
    if wanted == "libcrypto" and not libcrypto.available():
        raise InvalidValue("DUCKPRIV_MODARITH is libcrypto, but no libcrypto was found")
    if wanted:
        return wanted
    return "libcrypto" if libcrypto.available() else "gmpy2"


def rsa_private_operation(pkcs8: bytes) -> RsaPrivateOperation:
    """Return the private-key operation of an RSA key (DER, PKCS #8, unencrypted)."""
    if implementation() == "libcrypto":
        return libcrypto.RsaPrivateOperation(pkcs8)
    return with_gmpy2.RsaPrivateOperation(pkcs8)
