"""Squares of shared symmetric matrices over Z_2^128, and linear equations, as SQL functions.

A w = b for a shared positive definite k x k matrix A is solved by squaring:
with E = I - c A, all of whose eigenvalues are in [0, 1), A^-1 = c (1 + E)(1 + E^2)(1 + E^4)… (the
Neumann series, in factors). `quadratic_begin` makes shares of E and of v = c b, and `square_step`
those of E^2 and (1 + E) v. After s steps what is missing of w in the direction of the eigenvalue
l of A is the part (1 - c l)^(2^s).

A step is one opening. Beforehand the parties get shares of U^2 and U t, for a symmetric matrix
U = U_1 + U_2 and a vector t = t_1 + t_2 of which each knows its part (Beaver's triples). Then
E - U and v - t are opened, which are uniform, and squares and products follow. One party encrypts
the rows of (U_1 | t_1) under its Paillier key, the other multiplies by the rows of U_2 and by t_2
and masks the result; since all are symmetric, U_2 U_1 and its transpose are all that is missing.

**Errors**: E has 40 fractional bits and v 42, each is off by a unit in each step. An error of E in
the direction of a small eigenvalue doubles in each step, as does the power of E: in sum that is as
if A were off by 2^-39 / c. One of v grows with it, to 2^-41 / (c l).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa

from ..crypto.packing import pack, slots_in
from ..errors import InvalidValue
from ..keys import PaillierPublicKey
from .arrays import constant
from .ciphertext import Layout, read, write
from .context import Context
from .masking import split
from .paillier import public_named
from .wide import (
    BITS,
    PRODUCT,
    SIGMA,
    Elements,
    elements_of,
    limbs_of,
    random_elements,
    shifted_by_limbs,
    truncated,
    vectors_of,
)

MATRIX_SCALE, VECTOR_SCALE = 40, 42
# Bits of the factor by which a matrix is scaled.
_FACTOR = 28
_MOST_COLUMNS = 1000


def square_masks(context: Context, sizes: pa.Array) -> pa.Array:
    """Return uniform symmetric k x k matrices, row by row, each with a uniform vector behind it."""
    rows = []
    for size in sizes.to_pylist():
        _check_size(size)
        matrix = random_elements(size * size).reshape(size, size)
        below = np.tril_indices(size, -1)
        matrix[below] = matrix.T[below]
        rows.append(chain(matrix.flat, random_elements(size)))
    return vectors_of(rows)


def square_encrypt(context: Context, masks: pa.Array, key: pa.Array) -> pa.Array:
    """Encrypt the rows of (U | t), a ciphertext each."""
    public = public_named(context, key)
    rows = []
    for elements in masks.to_pylist():
        matrix, vector = _parts(elements)
        layout = _layout(len(vector), public)
        slots = slots_in(public.key.bits, layout.slot_bits)
        plaintexts = [
            plaintext
            for row, t in zip(matrix, vector, strict=True)
            for plaintext in pack([*map(int, row), int(t)], layout.slot_bits, slots)
        ]
        bodies = public.key.encrypt(plaintexts)
        rows.append(write([layout] * len(vector), bodies, public.key).to_pylist())
    return pa.array(rows, pa.list_(pa.binary()))


def square_split(context: Context, lists: pa.Array, masks: pa.Array, key: pa.Array) -> pa.Array:
    """Return shares of U_2 U_1, with U_2 t_1 as a last column and t_2 U_1 as a last row: `send` row
    by row, encrypted, `keep` in the clear. `lists` are what `square_encrypt` made of U_1 and t_1.
    """
    public = public_named(context, key)
    sent, kept = [], []
    for cts, elements in zip(lists.to_pylist(), masks.to_pylist(), strict=True):
        matrix, vector = _parts(elements)
        expected = _layout(len(vector), public)
        layouts, bodies = read(cts, public)
        if layouts != [expected] * len(vector):
            raise InvalidValue("the masks of the peer are not for matrices of this size")
        factors = np.vstack([matrix, vector[None]])
        limbs = np.concatenate(limbs_of(factors), axis=1)
        shifted = shifted_by_limbs(bodies, public)
        count = expected.bodies(public.key)
        parts = [
            public.key.combine(np.concatenate([s[i::count] for s in shifted]), limbs)
            for i in range(count)
        ]
        products = np.stack(parts, axis=1).reshape(-1, public.key.width)
        grown = replace(expected, bound=_product_bound(len(vector)))
        answers, shares = split(public, [grown] * len(factors), products, SIGMA)
        sent.append(answers.to_pylist())
        kept.append(chain.from_iterable(shares))
    arrays = [pa.array(sent, pa.list_(pa.binary())), vectors_of(kept)]
    return pa.StructArray.from_arrays(arrays, fields=list(PRODUCT))


def square_shares(context: Context, masks: pa.Array, products: pa.Array) -> pa.Array:
    """Return this party's shares of U^2 and U t, from its parts of U and t and its share of the
    product."""
    rows = []
    for elements, product in zip(masks.to_pylist(), products.to_pylist(), strict=True):
        matrix, vector = _parts(elements)
        size = len(vector)
        crossed = elements_of(product)
        if len(crossed) != (size + 1) ** 2:
            raise InvalidValue("the shares of a product are not for matrices of this size")
        crossed = crossed.reshape(size + 1, size + 1)
        square = matrix @ matrix + crossed[:size, :size] + crossed[:size, :size].T
        times = matrix @ vector + crossed[:size, size] + crossed[size, :size]
        rows.append(chain(square.flat, times))
    return vectors_of(rows)


def quadratic_begin(
    context: Context,
    matrices: pa.Array,
    vectors: pa.Array,
    factors: pa.Array,
    penalties: pa.Array,
    units: pa.Array,
    pulls: pa.Array,
    leads: pa.Array,
) -> pa.Array:
    """Return shares of E = 1 - c (q M + p P) / unit, with 40 fractional bits, and behind it of
    v = c b / unit, with 42, from shares of M and b. P is 1 but for the first row and column, and p
    the sum of both parties' pulls. c is the inverse of the largest trace that (q M + p P) / unit
    has where M's diagonal is `unit` at most, and p penalty * unit.
    """
    lead = bool(constant(leads, "whether this party leads"))
    rows = []
    columns = (matrices, vectors, factors, penalties, units, pulls)
    for *shares, q, penalty, unit, pull in zip(*(c.to_pylist() for c in columns), strict=True):
        matrix, target = map(elements_of, shares)
        size = len(target)
        _check_size(size)
        if len(matrix) != size * size:
            raise InvalidValue("a matrix and a vector do not fit together")
        if not (q > 0 and 0 <= penalty < 1e6 and unit > 0 and 0 <= pull <= penalty * unit):
            raise InvalidValue("a factor or a unit is not more than 0, or a penalty too large")
        matrix = matrix.reshape(size, size)
        diagonal = np.arange(1, size)
        matrix[diagonal, diagonal] += round(pull / q)
        # c q / unit = factor / 2^shift, for M and for b, so that its rounding has no effect on w.
        trace = q * size + penalty * (size - 1)
        shift = max(2, math.ceil(math.log2(unit * trace / q)) + _FACTOR - MATRIX_SCALE)
        factor = round(2.0 ** (shift + MATRIX_SCALE) * q / (unit * trace))
        square = truncated(-matrix * factor, shift, lead)
        if lead:
            square[np.diag_indices(size)] += 1 << MATRIX_SCALE
        vector = truncated(target * round(factor / q), shift + MATRIX_SCALE - VECTOR_SCALE, lead)
        rows.append(chain(square.flat, vector))
    return vectors_of(rows)


def square_step(
    context: Context,
    states: pa.Array,
    opened: pa.Array,
    masks: pa.Array,
    squares: pa.Array,
    leads: pa.Array,
) -> pa.Array:
    """Return shares of E^2 and (1 + E) v from shares of E and v, both less their masks opened, the
    own parts of the masks, and shares of their squares."""
    lead = bool(constant(leads, "whether this party leads"))
    rows = []
    columns = (column.to_pylist() for column in (states, opened, masks, squares))
    for row in zip(*columns, strict=True):
        (_, v), (d, f), (u, t), (uu, ut) = map(_parts, row)
        if not len(v) == len(f) == len(t) == len(ut):
            raise InvalidValue("the matrices of a step are not of one size")
        square = d @ u + u @ d + uu
        product = d @ t + u @ f + ut
        if lead:
            square, product = square + d @ d, product + d @ f
        added = v + truncated(product, MATRIX_SCALE, lead)
        rows.append(chain(truncated(square, MATRIX_SCALE, lead).flat, added))
    return vectors_of(rows)


def square_trace(context: Context, states: pa.Array, leads: pa.Array) -> pa.Array:
    """Return shares modulo 2^64 of the trace of E, with 7 fractional bits."""
    lead = bool(constant(leads, "whether this party leads"))
    traces = [_parts(elements)[0].trace() for elements in states.to_pylist()]
    return pa.array(_short(np.array(traces, object), MATRIX_SCALE - 7, lead), pa.uint64())


def square_solution(context: Context, states: pa.Array, leads: pa.Array) -> pa.Array:
    """Return shares modulo 2^64 of v, with 20 fractional bits."""
    lead = bool(constant(leads, "whether this party leads"))
    vectors = [_parts(elements)[1] for elements in states.to_pylist()]
    return pa.array(
        [_short(vector, VECTOR_SCALE - 20, lead) for vector in vectors], pa.list_(pa.uint64())
    )


def _short(elements: Elements, bits: int, lead: bool) -> list[int]:
    return [int(x) % (1 << 64) for x in truncated(elements, bits, lead)]


def _layout(size: int, public: PaillierPublicKey) -> Layout:
    """Of a row of (U | t). A slot has room for a product, its sign, and its mask."""
    width = _product_bound(size) + 1 + SIGMA
    return Layout(public.SCHEME, public.fingerprint_bytes, 0, width, BITS, size + 1)


def _product_bound(size: int) -> int:
    return 2 * BITS - 1 + size.bit_length()


def _check_size(size: int) -> None:
    if not 1 <= size <= _MOST_COLUMNS:
        raise InvalidValue(f"a matrix has {size} columns; 1 to {_MOST_COLUMNS} go")


def _parts(vector: bytes) -> tuple[Elements, Elements]:
    """Return the matrix and the vector of k^2 + k elements."""
    elements = elements_of(vector)
    size = (math.isqrt(4 * len(elements) + 1) - 1) // 2
    if size < 1 or len(elements) != size * (size + 1):
        raise InvalidValue("this is no square matrix with a vector behind it")
    return elements[: size * size].reshape(size, size), elements[size * size :]
