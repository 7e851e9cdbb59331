"""Each back end of the compiled kernel against Python's pow: all limb counts, lanes and edge
values."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.modarith import choice, kernel
from tests.effort import THOROUGH, some

pytestmark = pytest.mark.usefixtures("backend")

# Lengths that are used, and those around a limb more or less (52 bits, in fives).
BITS = [64, 515, 517, 1036, 1041, 1536, 2048, 2081, 4096, 512, 1024, 1035, 1037, 1040, 2077, 3072]
BITS += [6144, 8192, 12288, 16384]


def width_of(n: int) -> int:
    return (n.bit_length() + 7) // 8


def matrix(values, n: int):
    return from_rows([value.to_bytes(width_of(n), "big") for value in values], width_of(n))


def integers(rows) -> list[int]:
    return [int.from_bytes(row, "big") for row in rows_of(rows)]


def moduli(bits: int) -> list[int]:
    """The smallest odd number of so many bits, the largest, and one between."""
    middle = random.Random(bits).getrandbits(bits) | 1 << (bits - 1) | 1
    return [(1 << (bits - 1)) + 1, middle, (1 << bits) - 1]


def table_of(n: int, base: int, count: int) -> kernel.FixedBases:
    return kernel.FixedBases(n, matrix([pow(base, 256**i, n) for i in range(count)], n))


def values_below(n: int, count: int) -> list[int]:
    """Edge values first, then random ones."""
    source = random.Random(n + count)
    edges = [0, 1, n - 1, 2, n - 2, n // 2, (1 << 52) % n, (n - (1 << 52)) % n]
    return (edges + [source.randrange(n) for _ in range(count)])[:count]


every_modulus = pytest.mark.parametrize("bits", some(BITS, 9))


@every_modulus
def test_products_and_powers(bits: int) -> None:
    for n in moduli(bits):
        x = values_below(n, 20 if bits <= 4096 else 9)
        y = x[::-1]
        products = kernel.multiply(matrix(x, n), matrix(y, n), n)
        assert integers(products) == [a * b % n for a, b in zip(x, y, strict=True)]
        squares = kernel.multiply(matrix(x, n), matrix(x, n), n)
        assert integers(squares) == [a * a % n for a in x]
        for e in (0, 1, 2, 65537, 1 << 70):
            assert integers(kernel.power_public(matrix(x, n), e, n)) == [pow(a, e, n) for a in x]
        for e in (0, 1, 15, 16, 2**64 - 1, 2**64, random.Random(bits).getrandbits(200)):
            assert integers(kernel.secret_power(matrix(x, n), e, n)) == [pow(a, e, n) for a in x]


@pytest.mark.parametrize("count", range(1, 18))
def test_every_number_of_lanes(count: int) -> None:
    n = moduli(1024)[1]
    x = values_below(n, count)
    units = [a for a in values_below(n, 3 * count) if math.gcd(a, n) == 1][:count]
    assert len(units) == count
    exponents = np.array(values_below(2**62, count), dtype=np.int64)
    assert integers(kernel.multiply(matrix(x, n), matrix(x[::-1], n), n)) == [
        a * b % n for a, b in zip(x, x[::-1], strict=True)
    ]
    assert integers(kernel.secret_power(matrix(x, n), 12345, n)) == [pow(a, 12345, n) for a in x]
    assert integers(kernel.power_public(matrix(x, n), 65537, n)) == [pow(a, 65537, n) for a in x]
    assert integers(kernel.inverse(matrix(units, n), n)) == [pow(a, -1, n) for a in units]
    assert integers(kernel.power_each(matrix(x, n), exponents, n)) == [
        pow(a, e, n) for a, e in zip(x, exponents.tolist(), strict=True)
    ]
    table = table_of(n, 3, 9)
    short = from_rows([e.to_bytes(9, "little") for e in exponents.tolist()], 9)
    assert integers(table.powers_times(short, matrix(x, n))) == [
        pow(3, e, n) * a % n for a, e in zip(x, exponents.tolist(), strict=True)
    ]


@every_modulus
def test_inverses_and_tables(bits: int) -> None:
    for n in moduli(bits):
        units = [a for a in values_below(n, 40) if math.gcd(a, n) == 1]
        assert integers(kernel.inverse(matrix(units, n), n)) == [pow(a, -1, n) for a in units]
        table = table_of(n, n - 2, 2)
        exponents = from_rows([bytes([i, 255 - i]) for i in range(len(units))], 2)
        expected = [pow(n - 2, i + 256 * (255 - i), n) * a % n for i, a in enumerate(units)]
        assert integers(table.powers_times(exponents, matrix(units, n))) == expected


@every_modulus
def test_products_of_chosen_rows(bits: int) -> None:
    """In lanes that end together and others, from several blocks, with other bytes around."""
    for n in moduli(bits):
        values, source = values_below(n, 24), random.Random(bits)
        width = width_of(n)
        rows = np.full((24, width + 5), 0xFF, np.uint8)
        rows[:, 2 : 2 + width] = matrix(values, n)
        blocks = [np.ascontiguousarray(rows[i : i + 8]) for i in range(0, 24, 8)]
        lengths = [1, 2, 3, 40 if bits <= 4096 else 4, 1, 1, 2, 7, 9, 5, 2]
        chosen = [source.randrange(24) for _ in range(sum(lengths))]
        ends = np.cumsum(lengths)
        bounds = np.stack([ends - lengths, ends], axis=1)
        found = kernel.products(blocks, slice(2, 2 + width), np.array(chosen), bounds, n)
        assert integers(found) == [
            math.prod(values[row] for row in chosen[start:stop]) % n
            for start, stop in bounds.tolist()
        ]


@every_modulus
@pytest.mark.parametrize(("outputs", "rows"), [(1, 1), (3, 40), (30, 2)])
def test_products_of_powers(bits: int, outputs: int, rows: int) -> None:
    n = moduli(bits)[1]
    bases = [a for a in values_below(n, 3 * rows + 8) if math.gcd(a, n) == 1][:rows]
    exponents = np.random.default_rng(bits).integers(-(2**30), 2**30, (outputs, len(bases)))
    exponents[0, 0] = 2**61
    expected = [
        math.prod(pow(b, e, n) for b, e in zip(bases, row, strict=True)) % n
        for row in exponents.tolist()
    ]
    assert integers(kernel.multi_power(n, matrix(bases, n), exponents)) == expected


@pytest.mark.parametrize("bits", [2048, 3072, 4096] if THOROUGH else [2048])
def test_rsa(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    numbers = key.private_numbers()
    n = numbers.public_numbers.n
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    x = values_below(n, 19) + [numbers.p, numbers.q, n - numbers.p]
    powers = kernel.RsaPrivateOperation(der)(matrix(x, n))
    assert integers(powers) == [pow(a, numbers.d, n) for a in x]


def root_below_quarter(n: int, bits: int) -> int:
    """Return a square root of n modulo 2^bits, below 2^(bits - 2): n is 1 modulo 8."""
    root = 1
    for length in range(3, bits + 1):  # one bit more at a time
        if (root * root - n) >> (length - 1) & 1:
            root += 1 << (length - 2)
    root %= 1 << bits
    half = 1 << (bits - 1)
    return min(root, 2 * half - root, (root + half) % (2 * half), (half - root) % (2 * half))


@pytest.mark.parametrize("limbs", some([10, 12, 15, 16, 20, 40, 60, 80, 100, 320], 7))
@pytest.mark.parametrize("top", [0, 1])
def test_sums_at_their_bounds(backend, limbs: int, top: int) -> None:
    """N as large as so many limbs allow, all ones, and factors of all ones just below 4 N: every
    product and every sum is as large as it gets. A root of N modulo R makes all limbs of q ones,
    too. What comes out is below 2 N, in limbs of 52 bits."""
    module = choice.kernel_module(backend)
    if limbs % module.TILE:
        pytest.skip("this back end has no numbers of so many limbs")
    bits = 52 * limbs - 4
    n, r = 2**bits - (7 if top else 1), 2 ** (52 * limbs)
    assert n % 8 == (1 if top else 7)
    width = 52 * limbs // 8
    numbers = (n, r % n, r * r % n)
    modulus = module.Modulus(*(number.to_bytes(width, "big") for number in numbers), limbs)
    factors = [4 * n - 1, 2 * n - 1, n, r // 4 - 1, 1, 0]
    if top:
        factors.append(root_below_quarter(n, 52 * limbs))
        assert factors[-1] ** 2 % r == n
    pieces = np.zeros((len(factors), modulus.stride), np.uint64)
    for piece, factor in zip(pieces, factors, strict=True):
        piece[:limbs] = [factor >> 52 * i & (2**52 - 1) for i in range(limbs)]
    powers = np.empty((len(factors), 5, modulus.stride), np.uint64)
    modulus.multiples(powers, pieces, 5)
    assert powers[:, :, :limbs].max() < 2**52
    for factor, row in zip(factors, powers, strict=True):
        for exponent, limb_row in enumerate(row.tolist(), 1):
            power = sum(limb << 52 * i for i, limb in enumerate(limb_row[:limbs]))
            assert power * r ** (exponent - 1) % n == factor**exponent % n
            assert exponent == 1 or power < 2 * n


def test_rsa_with_primes_of_ones() -> None:
    """Primes just below powers of two, and values that are just below multiples of them."""
    p, q = 2**1024 - 105, 2**1024 - 179  # primes
    n, exponent = p * q, pow(65537, -1, (p - 1) * (q - 1))
    digits = [kernel._digits(exponent % (prime - 1), 1024) for prime in (p, q)]
    prepared = [kernel._modulus(prime, 128) for prime in (p, q)]
    r = 1 << 52 * kernel._limbs(p, 128)
    inverse = (pow(q, -1, p) * r % p).to_bytes(128, "big")
    key = kernel._module().Rsa(*prepared, *digits, inverse, n.to_bytes(256, "big"))
    x = [n - 1, n - p, n - q, p - 1, p, q, (q - 1) * p, r - 1, 2**2047, 2**2048 - 2**1100 - 1]
    x = [value % n for value in x]
    out = np.empty((len(x), 256), np.uint8)
    key.power(out, matrix(x, n))
    assert integers(out) == [pow(value, exponent, n) for value in x]


def test_rounding_of_other_floating_point_work_stays() -> None:
    """A back end may set how the processor rounds: for its own work only."""
    n = moduli(1024)[1]
    kernel.multiply(matrix([5] * 9, n), matrix([7] * 9, n), n)
    table_of(n, 3, 1)
    tenth, third = np.float64("0.1"), np.float64(1) / np.float64("3")
    assert tenth * 3 == np.nextafter(np.float64("0.3"), 1)  # down, it would be 0.3
    assert -third * 3 == -1


def test_values_that_are_not_below_the_modulus_are_refused() -> None:
    n = moduli(1024)[1]
    good = matrix([1] * 9, n)
    table = table_of(n, 3, 1)
    key = rsa.generate_private_key(65537, 2048)
    for value in (n, n + 1, 2**1024 - 1):
        bad = matrix([1] * 8 + [value], n)
        for call in (
            lambda bad=bad: kernel.multiply(bad, good, n),
            lambda bad=bad: kernel.multiply(good, bad, n),
            lambda bad=bad: kernel.power_public(bad, 65537, n),
            lambda bad=bad: kernel.secret_power(bad, 3, n),
            lambda bad=bad: kernel.power_each(bad, np.ones(9, np.int64), n),
            lambda bad=bad: kernel.inverse(bad, n),
            lambda bad=bad: kernel.multi_power(n, bad, np.ones((1, 9), np.int64)),
            lambda bad=bad: kernel.products(
                [bad], slice(0, 128), np.array([1, 8]), np.array([[0, 1], [1, 2]]), n
            ),
            lambda bad=bad: table.powers_times(np.zeros((9, 1), np.uint8), bad),
        ):
            with pytest.raises(ValueError, match="not below the modulus"):
                call()
    big = key.public_key().public_numbers().n
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match="not below the modulus"):
        kernel.RsaPrivateOperation(der)(matrix([1, big], big))


def test_wrong_buffers_are_refused() -> None:
    """The extension itself checks lengths and ranges: nothing is read or written beyond them."""
    n = moduli(1024)[1]
    module, modulus = kernel._module(), kernel._modulus(n, 128)
    row, piece = np.zeros((1, 128), np.uint8), np.zeros((1, modulus.stride), np.uint64)
    other, digit, start = np.zeros((1, 127), np.uint8), np.zeros(1, np.int16), np.zeros(1, np.int64)
    two = np.array([0, 1])
    for call in (
        lambda: modulus.multiply(row, row, other),
        lambda: modulus.multiply(other, row, row),
        lambda: modulus.power(row, other, b"\x01", False),
        lambda: modulus.power(row, row, b"\x10", False),
        lambda: modulus.power_sparse(other, row, b"\x01"),
        lambda: modulus.prefix(row, other),
        lambda: modulus.unwind(row, row, row, other),
        lambda: modulus.pieces(row, row),
        lambda: modulus.multiples(piece, piece, 2),
        lambda: modulus.multiples(piece, piece, 0),
        lambda: modulus.buckets(row, piece, piece, digit + 2, start, 1, 1),
        lambda: modulus.buckets(row, piece, piece, digit, start + 1, 1, 1),
        lambda: modulus.buckets(row, piece, piece, digit, start - 1, 1, 1),
        lambda: modulus.buckets(row, piece, piece, digit, start, 2, 1),
        lambda: modulus.straus(row, piece, piece, digit, 2, 1, 2, 1),
        lambda: modulus.straus(row, piece, piece, digit - 2, 1, 1, 2, 1),
        lambda: modulus.straus(row, piece[:0], piece[:0], digit[:0], 1 << 62, 2, 1, 1),
        lambda: modulus.buckets(row, piece[:0], piece[:0], digit[:0], start, 1 << 62, 1),
        lambda: modulus.products(row, start, two, (other,), 1, 127, 0),
        lambda: modulus.products(row, start, two, (row,), 1, 128, 1),
        lambda: modulus.products(row, start, two, (row,), 1, 128, 129),
        lambda: modulus.products(row, start, two, (row, row[:0]), 1, 128, 0),
        lambda: modulus.products(row, start, two, (row,), 2, 128, 0),
        lambda: modulus.products(row, start, two, (row,), 0, 128, 0),
        lambda: modulus.products(row, start, two, (), 1, 128, 0),
        lambda: modulus.products(row, start + 1, two, (row,), 1, 128, 0),
        lambda: modulus.products(row, start - 1, two, (row,), 1, 128, 0),
        lambda: modulus.products(row, start, two + 1, (row,), 1, 128, 0),
        lambda: modulus.products(row, start, two - 1, (row,), 1, 128, 0),
        lambda: modulus.products(row, start, two * 0, (row,), 1, 128, 0),
        lambda: modulus.products(row, start, start, (row,), 1, 128, 0),
        lambda: modulus.products(other, start, two, (row,), 1, 128, 0),
        lambda: module.Table(modulus, other),
        lambda: module.Table(modulus, row[:0]),
        lambda: module.Modulus(b"\x02", b"\x01", b"\x01", 10),
        lambda: module.Modulus(b"\x03", b"\x01", b"\x01", 325),
        lambda: module.Modulus(b"\xff" * 65, bytes(65), bytes(65), 10),  # R is not above 16 N
        lambda: module.Modulus(b"\x03", b"\x03", b"\x01", 10),
        lambda: module.Modulus(bytes(200) + b"\x03", bytes(201), bytes(201), 10),
        lambda: module.Rsa(modulus, modulus, b"\x01", b"\x01\x01", bytes(128), bytes(256)),
        lambda: module.Rsa(modulus, modulus, b"\x01", b"\x01", bytes(128), bytes(257)),
        lambda: module.Rsa(modulus, modulus, b"\x10", b"\x01", bytes(128), bytes(256)),
        lambda: module.Rsa(modulus, modulus, b"\x01", b"\xff", bytes(128), bytes(256)),
        lambda: module.Rsa(modulus, modulus, b"\x01", b"\x01", b"\xff" * 128, bytes(256)),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        modulus.multiply(row, row)
    with pytest.raises((BufferError, TypeError)):
        modulus.multiply(bytes(128), row, row)
    for blocks, offset in (([row], 0), ((row, 1), 0), ((row,), "0")):
        with pytest.raises((SystemError, TypeError)):
            modulus.products(row, start, two, blocks, 1, 128, offset)
    with pytest.raises(OverflowError):
        modulus.products(row, start, two, (row,), 1, 128, -1)
