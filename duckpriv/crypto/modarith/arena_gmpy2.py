"""Residues of one modulus with gmpy2; see `arena.py` for what an arena is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gmpy2

Residue = Any  # a gmpy2.mpz


class Gmpy2Modulus:
    """A modulus for gmpy2."""

    def __init__(self, modulus: int) -> None:
        self.modulus = gmpy2.mpz(modulus)
        self.width = (modulus.bit_length() + 7) // 8

    def arena(self) -> Gmpy2Arena:
        """Return a new arena."""
        return Gmpy2Arena(self)


class Gmpy2Arena:
    """Residues are plain integers; there is nothing to free."""

    def __init__(self, owner: Gmpy2Modulus) -> None:
        self._modulus, self._width = owner.modulus, owner.width

    def new(self) -> Residue:
        """Return a place for a result."""
        return gmpy2.mpz(0)

    def load(self, data: bytes) -> Residue:
        """Return the residue of a big-endian number."""
        return gmpy2.mpz.from_bytes(data, "big")

    def store(self, residue: Residue) -> bytes:
        """Return a residue as a big-endian number of the modulus's width."""
        data: bytes = residue.to_bytes(self._width, "big")
        return data

    def multiply(self, place: Residue, a: Residue, b: Residue) -> Residue:
        """Return a * b."""
        return a * b % self._modulus

    def product(self, place: Residue, factors: Sequence[Residue]) -> Residue:
        """Return place * factors[0] * factors[1] * …"""
        modulus = self._modulus
        for factor in factors:
            place = place * factor % modulus
        return place

    def close(self) -> None:
        """Nothing to free."""
