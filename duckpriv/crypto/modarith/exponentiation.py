"""Products of powers: of one base with many exponents, and of many bases.

The exponents here are randomness that is used once, or a party's own numbers on its own machine:
time and memory access depend on them. For private keys there is `secret_power`.
"""

from __future__ import annotations

import math
from typing import Protocol

import gmpy2
import numpy as np
from numpy.typing import NDArray

from ..bytecolumns import from_integers, from_rows, rows_of, to_integers
from ..parallel import ByteMatrix, cores, map_rows
from . import inverse, kernel
from .arena import Arena, Residue, prepare
from .choice import by_kernel, implementation
from .digits import signed_digits

WINDOW = 8


class FixedBases(Protocol):
    """Products of powers of fixed bases, with exponents of a byte each, from a table of all powers:
    one multiplication for each base. The table takes 256 residues for each.
    """

    count: int

    def powers_times(self, exponents: ByteMatrix, factors: ByteMatrix) -> ByteMatrix:
        """Return for each row its factor times the product over i of bases[i]^exponents[i].

        `exponents` is (rows, count); `factors` (rows, width).
        """


def fixed_bases(modulus: int, bases: ByteMatrix) -> FixedBases:
    """Return products of powers of `bases`, (count, width)."""
    if by_kernel():
        return kernel.FixedBases(modulus, bases)
    return _FixedBases(modulus, bases)


def fixed_base(modulus: int, base: int, exponent_bytes: int) -> FixedBases:
    """Return the powers of one base, for little-endian exponents of so many bytes: those of its
    window powers (Brickell, Gordon, McCurley, Wilson 1992, with all multiples stored)."""
    powers = [gmpy2.mpz(base)]
    for _ in range(exponent_bytes - 1):
        powers.append(gmpy2.powmod(powers[-1], 1 << WINDOW, modulus))
    return fixed_bases(modulus, from_integers(powers, (modulus.bit_length() + 7) // 8))


class _FixedBases:
    """On residues of an arena."""

    def __init__(self, number: int, bases: ByteMatrix) -> None:
        self.count = len(bases)
        self._modulus = modulus = prepare(number)
        self._arena = arena = modulus.arena()
        self._table: list[list[Residue]] = []
        for base in rows_of(bases):
            row = [arena.load(b"\x01"), arena.load(base)]
            for _ in range(2, 1 << WINDOW):
                row.append(arena.multiply(arena.new(), row[-1], row[1]))
            self._table.append(row)

    def powers_times(self, exponents: ByteMatrix, factors: ByteMatrix) -> ByteMatrix:
        """See `FixedBases`."""

        def part(digits: ByteMatrix, factors: ByteMatrix) -> ByteMatrix:
            arena = self._modulus.arena()
            rows = []
            for exponent, factor in zip(rows_of(digits), rows_of(factors), strict=True):
                entries = [
                    row[digit] for row, digit in zip(self._table, exponent, strict=True) if digit
                ]
                result = arena.product(arena.load(factor), entries)
                rows.append(arena.store(result))
                arena.close()
            return from_rows(rows, self._modulus.width)

        return map_rows(part, exponents, factors, smallest=4)


def power_each(bases: ByteMatrix, exponents: NDArray[np.int64], number: int) -> ByteMatrix:
    """Return base^exponent modulo `number` for each row, with exponents that may be negative.

    All bases are inverted, so that the time does not tell how many exponents are negative. Raises
    ZeroDivisionError where a base has no inverse.
    """
    below = exponents < 0
    bases = np.where(below[:, None], inverse(bases, number), bases)
    exponents = np.abs(exponents)
    if by_kernel():
        return kernel.power_each(bases, exponents, number)
    if implementation() == "gmpy2":
        pairs = zip(to_integers(bases), exponents.tolist(), strict=True)
        powers = (gmpy2.powmod(base, exponent, number) for base, exponent in pairs)
        return from_integers(powers, bases.shape[1])
    from .arena_libcrypto import LibcryptoModulus

    prepared = LibcryptoModulus(number)

    def part(rows: ByteMatrix, exponents: ByteMatrix) -> ByteMatrix:
        arena = prepared.arena()
        pairs = zip(rows_of(rows), exponents.view(np.int64).ravel().tolist(), strict=True)
        return from_rows([arena.power(row, exponent) for row, exponent in pairs], prepared.width)

    each = exponents.view(np.uint8).reshape(len(exponents), 8)
    return map_rows(part, bases, each, smallest=4)


def multi_power(number: int, bases: ByteMatrix, exponents: NDArray[np.int64]) -> ByteMatrix:
    """Return for each row o of `exponents` the product over r of bases[r]^exponents[o, r].

    `number` is the modulus; `bases` is (rows, width), `exponents` (outputs, rows), signed, below
    2^62 in magnitude. By signed buckets (Pippenger 1976; Bernstein, Doumen, Lange, Oosterwijk
    2012, section 4) or, for few bases and many outputs, by shared tables (Straus 1964). Negative
    digits take the bases' inverses. Raises ZeroDivisionError where one has none.
    """
    outputs, rows = exponents.shape
    if outputs == 0 or rows == 0:
        one = (1).to_bytes(bases.shape[1], "big")
        return from_rows([one] * outputs, bases.shape[1])
    if by_kernel():
        return kernel.multi_power(number, bases, exponents)
    modulus = prepare(number)
    bits = max(int(np.abs(exponents).max()).bit_length(), 1)
    straus, window = _cheapest(outputs, rows, bits)
    owner = modulus.arena()
    positive = [owner.load(row) for row in rows_of(bases)]
    digits = signed_digits(exponents, window)
    negative = positive
    if (digits < 0).any():
        negative = [owner.load(row) for row in rows_of(inverse(bases, number))]
    if straus:
        tables = [_multiples(owner, base, 1 << (window - 1)) for base in positive]
        inverses = [_multiples(owner, base, 1 << (window - 1)) for base in negative]

        def one_output(arena: Arena, o: int) -> Residue:
            return _straus(arena, tables, inverses, digits[:, o, :], window)

    else:

        def one_output(arena: Arena, o: int) -> Residue:
            return _pippenger(arena, positive, negative, digits[:, o, :], window)

    def part(numbers: ByteMatrix) -> ByteMatrix:
        results = []
        for o in numbers.view(np.int64).ravel():
            arena = modulus.arena()
            results.append(arena.store(one_output(arena, int(o))))
            arena.close()
        return from_rows(results, modulus.width)

    which = np.arange(outputs, dtype=np.int64).view(np.uint8).reshape(outputs, 8)
    return map_rows(part, which, smallest=1)


def _cheapest(outputs: int, rows: int, bits: int) -> tuple[bool, int]:
    """Return whether Straus's method needs fewer multiplications, and the best window."""
    share = -(-outputs // cores())
    costs = []
    for window in range(2, 16):
        windows = math.ceil((bits + 1) / window)
        half = 1 << (window - 1)
        costs.append((2 * rows * half + share * (bits + windows * rows), True, window))
        costs.append((share * (bits + windows * (rows + 2 * half)), False, window))
    _, straus, window = min(costs)
    return straus, window


def _multiples(arena: Arena, base: Residue, count: int) -> list[Residue]:
    """Return base^1 .. base^count."""
    powers = [base]
    for _ in range(1, count):
        powers.append(arena.multiply(arena.new(), powers[-1], base))
    return powers


def _straus(
    arena: Arena,
    tables: list[list[Residue]],
    inverses: list[list[Residue]],
    digits: NDArray[np.int64],
    window: int,
) -> Residue:
    result = arena.load(b"\x01")
    for row in reversed(digits.tolist()):
        for _ in range(window):
            result = arena.multiply(result, result, result)
        entries = [
            tables[base][digit - 1] if digit > 0 else inverses[base][-digit - 1]
            for base, digit in enumerate(row)
            if digit
        ]
        result = arena.product(result, entries)
    return result


def _pippenger(
    arena: Arena,
    positive: list[Residue],
    negative: list[Residue],
    digits: NDArray[np.int64],
    window: int,
) -> Residue:
    result = arena.load(b"\x01")
    for row in reversed(digits.tolist()):
        for _ in range(window):
            result = arena.multiply(result, result, result)
        terms: dict[int, list[Residue]] = {}
        for base, digit in enumerate(row):
            if digit:
                term = positive[base] if digit > 0 else negative[base]
                terms.setdefault(abs(digit), []).append(term)
        # The product of bucket^size over all sizes: the running product of the buckets from
        # the largest size down is taken once for each size.
        running = arena.load(b"\x01")
        for size in range(max(terms, default=0), 0, -1):
            running = arena.product(running, terms.get(size, ()))
            result = arena.multiply(result, result, running)
    return result
