"""What the two additively homomorphic schemes have in common: keys that work on columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .parallel import ByteMatrix


class AdditiveKey(Protocol):
    """A public key; plaintexts are integers modulo N. Ciphertexts are rows of `width` bytes.

    Only `encrypt` and `rerandomise` give results that may be sent: the others do not re-randomise.
    """

    DOUBLINGS: int  # how often `rerandomise` doubles the plaintext
    modulus: int
    bits: int
    width: int

    def encrypt(self, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return a fresh encryption of each integer modulo N."""

    def rerandomise(self, a: ByteMatrix) -> ByteMatrix:
        """Return ciphertexts that tell nothing of `a` but the plaintexts, times 2^DOUBLINGS,
        whoever made them."""

    def add(self, a: ByteMatrix, b: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the sums."""

    def negate(self, a: ByteMatrix) -> ByteMatrix:
        """Return encryptions of the negatives."""

    def add_plain(self, a: ByteMatrix, plaintexts: Sequence[int]) -> ByteMatrix:
        """Return encryptions of the sums with plaintexts."""

    def shift(self, a: ByteMatrix, bits: int) -> ByteMatrix:
        """Return encryptions of the values times 2^bits."""

    def combine(self, a: ByteMatrix, coefficients: NDArray[np.int64]) -> ByteMatrix:
        """Return for each row o of `coefficients` (outputs, rows) an encryption of the sum of
        coefficients[o, r] * a[r]."""

    def sums(
        self,
        blocks: Sequence[ByteMatrix],
        offset: int,
        chosen: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> ByteMatrix:
        """Return for each i an encryption of the sum of the rows chosen[starts[i]:starts[i + 1]],
        at least one.

        A ciphertext stands `offset` bytes behind the beginning of a row; rows are counted through
        all blocks, which have equally many. Raises ValueError where a number is not in range; the
        others are prime to N if and only if the sum is no invalid ciphertext.
        """

    def scale(self, a: ByteMatrix, factors: NDArray[np.int64]) -> ByteMatrix:
        """Return encryptions of a[r] times factors[r]."""

    def invalid(self, a: ByteMatrix) -> int:
        """Count the rows that are no ciphertexts."""


def plain(m: int, modulus: int, square: int, width: int) -> bytes:
    """Return (1 + N)^m modulo N^2, which is `square`, in `width` bytes.

    A sign is often a secret (of a residual: the label), and m modulo N is long where m is
    negative. So that is not computed, and both signs are written at one length, with a byte more.
    """
    if abs(m) >= modulus:
        m %= modulus
    value = 1 + m * modulus
    value = (value, value + square)[m < 0]
    return (value + (1 << 8 * width)).to_bytes(width + 1, "big")[1:]
