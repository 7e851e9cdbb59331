"""An arena: residues of one modulus, and their product, whoever computes it.

`arena.multiply(place, a, b)` returns the product; with libcrypto it is written into `place`,
a residue from `arena.new()` of the same arena. So algorithms are written as
`x = arena.multiply(x, x, y)`, with x their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from .arena_gmpy2 import Gmpy2Modulus
from .choice import implementation

Residue = Any


class Arena(Protocol):
    """See the module. Not for several threads, but residues of other arenas may be read."""

    def new(self) -> Residue:
        """Return a place for a result."""

    def load(self, data: bytes) -> Residue:
        """Return the residue of a big-endian number."""

    def store(self, residue: Residue) -> bytes:
        """Return a residue as a big-endian number of the modulus's width."""

    def multiply(self, place: Residue, a: Residue, b: Residue) -> Residue:
        """Return a * b; `place` may be a or b."""

    def product(self, place: Residue, factors: Sequence[Residue]) -> Residue:
        """Return place * factors[0] * factors[1] * …, with little overhead for each."""

    def close(self) -> None:
        """Free the residues."""


class Modulus(Protocol):
    """An odd modulus, prepared for multiplication."""

    width: int

    def arena(self) -> Arena:
        """Return a new arena."""


@lru_cache(maxsize=16)
def prepare(modulus: int) -> Modulus:
    """Return a public modulus for libcrypto or gmpy2, whichever runs here."""
    if implementation() == "libcrypto":
        from .arena_libcrypto import LibcryptoModulus

        return LibcryptoModulus(modulus)
    return Gmpy2Modulus(modulus)
