"""Modular arithmetic by the compiled kernel (`duckpriv/crypto/_modarith`): columns of numbers,
several at a time in the lanes of registers. It releases the GIL; `map_rows` gives each core its
part of a column.

Every operation raises ValueError for a row that is not below the modulus.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from ..bytecolumns import from_integers, to_integers
from ..parallel import ByteMatrix, cores, map_rows
from .choice import implementation, kernel_module
from .digits import signed_digits
from .with_gmpy2 import private_numbers

_LIMB_BITS, _WINDOW = 52, 4
# An exponent with so few ones is raised to by squaring and multiplying.
_SPARSE = 4
_MOST_TABLES = 1 << 28  # bytes


def _module() -> ModuleType:
    return kernel_module(implementation())


def side_by_side() -> int:
    """Return how many numbers are computed side by side."""
    lanes: int = _module().LANES
    return lanes


def _limbs(modulus: int, width: int) -> int:
    """Return how many limbs the kernel takes for rows of `width` bytes: R is above 16 N."""
    bits = max(modulus.bit_length() + 4, 8 * width)
    tile: int = _module().TILE
    return max(-(-bits // (_LIMB_BITS * tile)) * tile, int(_module().SMALLEST_LIMBS))


def _modulus(modulus: int, width: int) -> Any:
    """Return the kernel's modulus for rows of `width` bytes."""
    limbs = _limbs(modulus, width)
    r = pow(2, _LIMB_BITS * limbs, modulus)
    numbers = (modulus, r, r * r % modulus)
    return _module().Modulus(*(number.to_bytes(width, "big") for number in numbers), limbs)


# For public moduli only: the cache keeps them.
_public = lru_cache(maxsize=32)(_modulus)


def _on_rows(
    operation: Callable[..., None], x: ByteMatrix, *others: ByteMatrix, also: tuple[Any, ...] = ()
) -> ByteMatrix:
    """Call `operation(out, x, *others, *also)` on slices of the columns; `out` is like `x`."""

    def part(x: ByteMatrix, *others: ByteMatrix) -> ByteMatrix:
        out = np.empty(x.shape, np.uint8)
        operation(out, x, *others, *also)
        return out

    columns = (np.ascontiguousarray(column) for column in (x, *others))
    return map_rows(part, *columns, smallest=side_by_side())


def multiply(a: ByteMatrix, b: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return a * b mod `modulus`, row by row."""
    return _on_rows(_public(modulus, a.shape[1]).multiply, a, b)


def products(
    blocks: Sequence[ByteMatrix],
    columns: slice,
    chosen: NDArray[np.int64],
    bounds: NDArray[np.int64],
    modulus: int,
) -> ByteMatrix:
    """Return the product of the numbers chosen[start:stop] for each row of `bounds`: see
    `grouped.group_products`."""
    rows, stride = blocks[0].shape
    out = np.empty((len(bounds), columns.stop - columns.start), np.uint8)
    prepared = _public(modulus, out.shape[1])
    prepared.products(out, chosen, bounds, tuple(blocks), rows, stride, columns.start)
    return out


def power_public(x: ByteMatrix, exponent: int, modulus: int) -> ByteMatrix:
    """Return x^exponent mod `modulus` of every row, for an exponent that is no secret."""
    prepared = _public(modulus, x.shape[1])
    if exponent.bit_count() > _SPARSE:
        return _power(prepared, x, exponent)
    data = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    return _on_rows(prepared.power_sparse, x, also=(data,))


def secret_power(x: ByteMatrix, exponent: int, modulus: int) -> ByteMatrix:
    """Return x^exponent mod `modulus` of every row, constant-time but for the exponent's length
    in steps of 64 bits."""
    return _power(_modulus(modulus, x.shape[1]), x, exponent)


def _power(prepared: Any, x: ByteMatrix, exponent: int) -> ByteMatrix:
    digits = _digits(exponent, -(-exponent.bit_length() // 64) * 64)
    return _on_rows(prepared.power, x, also=(digits, False))


def _digits(exponent: int, bits: int) -> bytes:
    """Return the digits of 4 bits, most significant first, of a number of `bits` bits."""
    data = np.frombuffer(exponent.to_bytes((bits + 7) // 8, "big"), np.uint8)
    return np.stack([data >> _WINDOW, data & 15], axis=1).tobytes()


def power_each(x: ByteMatrix, exponents: NDArray[np.int64], modulus: int) -> ByteMatrix:
    """Return row^exponent mod `modulus` of every row with its own exponent, 0 or more."""
    prepared = _public(modulus, x.shape[1])
    windows = max(-(-int(exponents.max(initial=0)).bit_length() // _WINDOW), 1)
    shifts = np.arange(_WINDOW * (windows - 1), -1, -_WINDOW)
    digits = (exponents[:, None] >> shifts & 15).astype(np.uint8)
    return _on_rows(prepared.power, x, digits, also=(True,))


def inverse(x: ByteMatrix, modulus: int) -> ByteMatrix:
    """Return the inverse of every row mod `modulus`, by Montgomery's trick in each lane.

    Raises ZeroDivisionError where a row has none.
    """
    prepared, lanes = _public(modulus, x.shape[1]), side_by_side()

    def part(x: ByteMatrix) -> ByteMatrix:
        prefixes, out = np.empty(x.shape, np.uint8), np.empty(x.shape, np.uint8)
        prepared.prefix(prefixes, x)
        # The last product of each lane, lane by lane.
        rows = len(x)
        last = [i + (rows - 1 - i) // lanes * lanes for i in range(min(rows, lanes))]
        totals = [int(gmpy2.invert(total, modulus)) for total in to_integers(prefixes[last])]
        inverses = from_integers((gmpy2.mpz(total) for total in totals), x.shape[1])
        prepared.unwind(out, x, prefixes, inverses)
        return out

    if len(x) == 0:
        return x
    return map_rows(part, np.ascontiguousarray(x), smallest=4 * lanes)


class FixedBases:
    """Products of powers of fixed bases, from a table that takes 256 numbers for each."""

    def __init__(self, modulus: int, bases: ByteMatrix) -> None:
        self.count = len(bases)
        self._table = _module().Table(_public(modulus, bases.shape[1]), np.ascontiguousarray(bases))

    def powers_times(self, exponents: ByteMatrix, factors: ByteMatrix) -> ByteMatrix:
        """See `exponentiation.FixedBases`."""
        return _on_rows(
            lambda out, factors, exponents: self._table.powers_times(out, exponents, factors),
            *(factors, exponents),
        )


def multi_power(modulus: int, bases: ByteMatrix, exponents: NDArray[np.int64]) -> ByteMatrix:
    """Return for each row o of `exponents` the product over r of bases[r]^exponents[o, r]: see
    `exponentiation.multi_power`. There is at least one output and one row."""
    outputs, rows = exponents.shape
    prepared = _public(modulus, bases.shape[1])
    bits = max(int(np.abs(exponents).max()).bit_length(), 1)
    straus, window, chunks = _cheapest(outputs, rows, bits, 8 * prepared.stride)
    digits = signed_digits(exponents, window).astype(np.int16)
    positive = negative = _pieces(prepared, bases)
    if (digits < 0).any():
        negative = _pieces(prepared, inverse(bases, modulus))
    largest = 1 << (window - 1)
    if straus:
        return _straus(prepared, bases.shape[1], positive, negative, digits, window, largest)
    return _buckets(modulus, bases.shape[1], positive, negative, digits, window, chunks)


def _cheapest(outputs: int, rows: int, bits: int, size: int) -> tuple[bool, int, int]:
    """Return whether Straus's method needs fewer multiplications, the best window, and into
    how many chunks to cut the rows so that all lanes have work. Numbers take `size` bytes."""
    costs, lanes = [], side_by_side()

    def rounds(tasks: int) -> int:
        return math.ceil(math.ceil(tasks / lanes) / cores())

    for window in range(2, 14):
        windows = math.ceil((bits + 1) / window)
        half = 1 << (window - 1)
        tables = 2 * rounds(rows) * half
        if 2 * rows * half * size <= _MOST_TABLES:
            costs.append((tables + rounds(outputs) * (bits + windows * rows), True, window, 1))
        for chunks in (1, 2, 4, 8, 16, 32):
            if chunks <= rows:
                buckets = rounds(outputs * windows * chunks) * (math.ceil(rows / chunks) + 2 * half)
                costs.append((buckets + rounds(outputs) * (bits + chunks), False, window, chunks))
    _, straus, window, chunks = min(costs)
    return straus, window, chunks


def _pieces(prepared: Any, rows: ByteMatrix) -> NDArray[np.uint64]:
    """Return rows in Montgomery form, as the kernel reads them where lanes differ."""

    def part(rows: ByteMatrix) -> Any:
        out = np.empty((len(rows), prepared.stride), np.uint64)
        prepared.pieces(out, rows)
        return out

    pieces: Any = map_rows(part, np.ascontiguousarray(rows), smallest=side_by_side())
    return pieces  # type: ignore[no-any-return]


def _straus(
    prepared: Any,
    width: int,
    positive: NDArray[np.uint64],
    negative: NDArray[np.uint64],
    digits: NDArray[np.int16],
    window: int,
    largest: int,
) -> ByteMatrix:
    windows, _, rows = digits.shape

    def multiples(pieces: Any) -> Any:
        out = np.empty((len(pieces), largest, prepared.stride), np.uint64)
        prepared.multiples(out, pieces, largest)
        return out

    above: Any = map_rows(multiples, positive, smallest=side_by_side())  # type: ignore[arg-type]
    below: Any = above
    if negative is not positive:
        below = map_rows(multiples, negative, smallest=side_by_side())  # type: ignore[arg-type]

    def part(digits: Any) -> ByteMatrix:
        out = np.empty((len(digits), width), np.uint8)
        ordered = np.ascontiguousarray(digits.transpose(1, 0, 2))
        prepared.straus(out, above, below, ordered, rows, windows, window, largest)
        return out

    return map_rows(part, digits.transpose(1, 0, 2), smallest=side_by_side())  # type: ignore[arg-type]


def _buckets(
    modulus: int,
    width: int,
    positive: NDArray[np.uint64],
    negative: NDArray[np.uint64],
    digits: NDArray[np.int16],
    window: int,
    chunks: int,
) -> ByteMatrix:
    """A task for each chunk, window and output; then their products, by Horner's rule."""
    windows, outputs, rows = digits.shape
    length = -(-rows // chunks)
    starts = [min(i * length, rows - length) for i in range(chunks)]
    cut = np.zeros((chunks, windows, outputs, length), np.int16)
    done = 0
    for i, start in enumerate(starts):  # the last chunk may begin with rows that are done
        skipped = done - start
        cut[i, :, :, skipped:] = digits[:, :, done : start + length]
        done = max(done, start + length)
    tasks = cut.reshape(-1, length)
    first = np.repeat(np.array(starts, np.int64), windows * outputs)
    prepared = _public(modulus, width)

    def part(tasks: Any, first: Any) -> ByteMatrix:
        out = np.empty((len(tasks), width), np.uint8)
        prepared.buckets(out, positive, negative, tasks, first, length, 1 << (window - 1))
        return out

    sums = map_rows(part, tasks, first, smallest=side_by_side())  # type: ignore[arg-type]
    by_chunk = sums.reshape(chunks, windows * outputs, width)
    total = by_chunk[0]
    for other in by_chunk[1:]:
        total = multiply(total, other, modulus)
    by_window = total.reshape(windows, outputs, width)
    result: ByteMatrix = by_window[-1]
    for lower in by_window[-2::-1]:
        result = multiply(power_public(result, 1 << window, modulus), lower, modulus)
    return result


class UnequalPrimes(Exception):
    """The primes of an RSA key differ in length."""


class RsaPrivateOperation:
    """x^d mod N for one key, through the CRT. Raises UnequalPrimes for a key whose primes differ
    in length, which no usual key's do."""

    def __init__(self, pkcs8: bytes) -> None:
        numbers = private_numbers(pkcs8)
        p, q, bits = numbers.p, numbers.q, numbers.p.bit_length()
        if q.bit_length() != bits:
            raise UnequalPrimes
        width = (bits + 7) // 8
        # R / q mod p: the kernel multiplies by it and divides by R.
        q_inverse = (numbers.iqmp << _LIMB_BITS * _limbs(p, width)) % p
        self._n, self._e = numbers.public_numbers.n, numbers.public_numbers.e
        self._key = _module().Rsa(
            _modulus(p, width),
            _modulus(q, width),
            _digits(numbers.dmp1, bits),
            _digits(numbers.dmq1, bits),
            q_inverse.to_bytes(width, "big"),
            self._n.to_bytes((self._n.bit_length() + 7) // 8, "big"),
        )

    def __call__(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row."""
        results = _on_rows(self._key.power, x)
        if not np.array_equal(power_public(results, self._e, self._n), x):
            raise ArithmeticError("an RSA private-key operation failed its check")
        return results
