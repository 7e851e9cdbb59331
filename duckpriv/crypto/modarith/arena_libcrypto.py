"""Residues of one modulus in Montgomery form, with OpenSSL's BIGNUM; see `arena.py`.

`BN_mod_mul_montgomery` (bn_mul_mont in assembly) takes as long as GMP's product and
reduction, but releases the GIL, so that the cores can share the work.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import c_char_p, c_int, c_void_p
from functools import cache

from .libcrypto import library

Residue = int  # the address of a BIGNUM

_SIGNATURES = {
    "BN_new": (c_void_p, []),
    "BN_clear_free": (None, [c_void_p]),
    "BN_CTX_new": (c_void_p, []),
    "BN_CTX_free": (None, [c_void_p]),
    "BN_MONT_CTX_new": (c_void_p, []),
    "BN_MONT_CTX_free": (None, [c_void_p]),
    "BN_MONT_CTX_set": (c_int, [c_void_p, c_void_p, c_void_p]),
    "BN_bin2bn": (c_void_p, [c_char_p, c_int, c_void_p]),
    "BN_bn2binpad": (c_int, [c_void_p, c_char_p, c_int]),
    "BN_to_montgomery": (c_int, [c_void_p] * 4),
    "BN_from_montgomery": (c_int, [c_void_p] * 4),
    "BN_mod_mul_montgomery": (c_int, [c_void_p] * 5),
    "BN_mod_exp_mont": (c_int, [c_void_p] * 6),
    "BN_mod_exp_mont_consttime": (c_int, [c_void_p] * 6),
}


@cache
def _bn() -> ctypes.CDLL:
    found = library()
    if found is None:
        raise RuntimeError("libcrypto is not available")
    for symbol, (result, arguments) in _SIGNATURES.items():
        function = getattr(found, symbol)
        function.restype, function.argtypes = result, arguments
    return found


class LibcryptoModulus:
    """An odd modulus, prepared for Montgomery's multiplication."""

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self.width = (modulus.bit_length() + 7) // 8
        self.bn = _bn()
        data = modulus.to_bytes(self.width, "big")
        self.number = self.bn.BN_bin2bn(data, self.width, None)
        self.montgomery = self.bn.BN_MONT_CTX_new()
        context = self.bn.BN_CTX_new()
        ok = self.bn.BN_MONT_CTX_set(self.montgomery, self.number, context)
        self.bn.BN_CTX_free(context)
        if ok != 1:
            raise ValueError("libcrypto: the modulus has to be odd and more than 1")

    def arena(self) -> LibcryptoArena:
        """Return a new arena."""
        return LibcryptoArena(self)

    def __del__(self) -> None:
        if getattr(self, "montgomery", None):
            self.bn.BN_MONT_CTX_free(self.montgomery)
            self.bn.BN_clear_free(self.number)


class LibcryptoArena:
    """Owns BIGNUMs and frees them together. One thread works with an arena; the residues of
    another arena may be read meanwhile."""

    def __init__(self, owner: LibcryptoModulus) -> None:
        self._owner, self._bn, self._montgomery = owner, owner.bn, owner.montgomery
        self._context = self._bn.BN_CTX_new()
        self._numbers: list[int] = []
        self._multiply = self._bn.BN_mod_mul_montgomery

    def new(self) -> Residue:
        """Return a place for a result."""
        number: int = self._bn.BN_new()
        self._numbers.append(number)
        return number

    def load(self, data: bytes) -> Residue:
        """Return the residue of a big-endian number."""
        number = self.new()
        self._bn.BN_bin2bn(data, len(data), number)
        self._bn.BN_to_montgomery(number, number, self._montgomery, self._context)
        return number

    def store(self, residue: Residue) -> bytes:
        """Return a residue as a big-endian number of the modulus's width."""
        number = self._bn.BN_new()
        output = ctypes.create_string_buffer(self._owner.width)
        self._bn.BN_from_montgomery(number, residue, self._montgomery, self._context)
        self._bn.BN_bn2binpad(number, output, self._owner.width)
        self._bn.BN_clear_free(number)
        return output.raw

    def multiply(self, place: Residue, a: Residue, b: Residue) -> Residue:
        """Put a * b into `place`, which may be a or b; return it."""
        self._multiply(place, a, b, self._montgomery, self._context)
        return place

    def product(self, place: Residue, factors: Sequence[Residue]) -> Residue:
        """Put place * factors[0] * factors[1] * … into `place`; return it."""
        multiply, montgomery, context = self._multiply, self._montgomery, self._context
        for factor in factors:
            multiply(place, place, factor, montgomery, context)
        return place

    def power_secret(self, data: bytes, exponent: Residue) -> bytes:
        """Return the power of a big-endian number; constant-time. `exponent` is a raw BIGNUM."""
        return self._power(self._bn.BN_mod_exp_mont_consttime, data, exponent)

    def power(self, data: bytes, exponent: int) -> bytes:
        """Return the power of a big-endian number; time depends on the exponent."""
        return self._power(self._bn.BN_mod_exp_mont, data, self.raw(exponent))

    def _power(self, function: Callable[..., int], data: bytes, exponent: Residue) -> bytes:
        place, output = self.new(), ctypes.create_string_buffer(self._owner.width)
        base = self.new()
        self._bn.BN_bin2bn(data, len(data), base)
        numbers = (place, base, exponent, self._owner.number)
        if function(*numbers, self._context, self._montgomery) != 1:
            raise ArithmeticError("libcrypto refused an exponentiation")
        self._bn.BN_bn2binpad(place, output, self._owner.width)
        return output.raw

    def raw(self, value: int) -> Residue:
        """Return a BIGNUM of `value` itself, for `power_secret`."""
        data = value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")
        number = self.new()
        self._bn.BN_bin2bn(data, len(data), number)
        return number

    def close(self) -> None:
        """Free all residues of this arena."""
        for number in self._numbers:
            self._bn.BN_clear_free(number)
        self._numbers.clear()

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self.close()
            self._bn.BN_CTX_free(self._context)
