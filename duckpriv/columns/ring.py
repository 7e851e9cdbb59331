"""Vectors and matrices over the ring Z_2^64 as SQL functions: UBIGINT[], a matrix row by row.

Arithmetic is modulo 2^64. Numbers are fixed point in two's complement. With additive shares, what
is linear every party computes on its own share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from ..crypto.hashing import labelled
from ..errors import InvalidValue
from .arrays import constant
from .context import Context
from .plaintexts import fraction_bits

Vector = NDArray[np.uint64]
VECTOR = pa.list_(pa.uint64())
ACTIVATION = pa.struct({"value": VECTOR, "loss": VECTOR, "score": VECTOR})
KINDS = ("logistic", "identity", "exp")
# Scores have twice the scale, and whole bits too.
_MOST_SCORE_SCALE = 30
# Random elements in one call: 2 GiB of them.
MOST_RANDOM = 1 << 28


def ring_encode(context: Context, lists: pa.Array, scales: pa.Array) -> pa.Array:
    """Return round(x * 2^scale) modulo 2^64 of every number."""
    scale = fraction_bits(scales)
    if lists.flatten().null_count:
        raise InvalidValue("a vector has a NULL")
    # All rows together: a table may have many short ones.
    encoded = encode(lists.flatten().to_numpy(zero_copy_only=False), scale)
    ends = np.append(0, np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False)))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(encoded, pa.uint64()))


def ring_decode(context: Context, lists: pa.Array, scales: pa.Array) -> pa.Array:
    """Return the numbers that ring elements stand for."""
    scale = fraction_bits(scales)
    decoded = [decode(vector(xs), scale) for xs in elements(lists)]
    return pa.array(decoded, pa.list_(pa.float64()))


def ring_random(context: Context, seeds: pa.Array, labels: pa.Array, counts: pa.Array) -> pa.Array:
    """Return uniform elements that the holders of one seed have in common: SHAKE256 of seed and
    label."""
    keyring = context.need_keyring()
    rows = []
    columns = (seeds.to_pylist(), labels.to_pylist(), counts.to_pylist())
    if min(columns[2]) < 0 or sum(columns[2]) > MOST_RANDOM:
        raise InvalidValue(
            f"the count of random elements is negative, or they are more than {MOST_RANDOM:,} at "
            "once; use smaller batches"
        )
    for seed, label, count in zip(*columns, strict=True):
        message = labelled("duckpriv/ring-random/v1", keyring.known_secret(seed), label.encode())
        rows.append(np.frombuffer(hashlib.shake_256(message).digest(8 * count), dtype="<u8"))
    return pa.array(rows, VECTOR)


def ring_add(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return a + b."""
    return _each(np.add, *_same_length(a, b))


def ring_sub(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return a - b."""
    return _each(np.subtract, *_same_length(a, b))


def ring_mul(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return the products, element by element."""
    return _each(np.multiply, *_same_length(a, b))


def ring_sum(context: Context, lists: pa.Array) -> pa.Array:
    """Return the sum of the vectors of each list."""
    sums = []
    for vectors in lists:
        rows = [vector(value) for value in elements(vectors.values)]
        if len({len(row) for row in rows}) != 1:
            raise InvalidValue("there is no vector to add, or they differ in length")
        sums.append(np.sum(rows, axis=0, dtype=np.uint64))
    return pa.array(sums, VECTOR)


def ring_scale(context: Context, a: pa.Array, factors: pa.Array) -> pa.Array:
    """Return a times an integer, which may be negative."""
    rows = zip(elements(a), factors.to_pylist(), strict=True)
    return pa.array([vector(v) * np.uint64(k % (1 << 64)) for v, k in rows], VECTOR)


def ring_matvec(context: Context, matrices: pa.Array, vectors: pa.Array) -> pa.Array:
    """Return X·v: X has as many columns as v has elements."""

    def product(x: Vector, v: Vector) -> Vector:
        if len(v) == 0 or len(x) % len(v):
            raise InvalidValue("the matrix does not have a whole number of rows of the vector")
        result: Vector = x.reshape(-1, len(v)) @ v
        return result

    return _each(product, matrices, vectors)


def ring_vecmat(context: Context, vectors: pa.Array, matrices: pa.Array) -> pa.Array:
    """Return v·X: X has as many rows as v has elements."""

    def product(v: Vector, x: Vector) -> Vector:
        if len(v) == 0 or len(x) % len(v):
            raise InvalidValue("the matrix does not have a row for each element of the vector")
        result: Vector = v @ x.reshape(len(v), -1)
        return result

    return _each(product, vectors, matrices)


def ring_shift(context: Context, a: pa.Array, bits: pa.Array) -> pa.Array:
    """Return the elements, numbers from 0 to 2^64 - 1, without their last bits."""
    count = _shift(bits, 63)
    return _each(lambda v: v >> count, a)


def share_truncate(
    context: Context,
    opened: pa.Array,
    shifted: pa.Array,
    tops: pa.Array,
    bits: pa.Array,
    leads: pa.Array,
) -> pa.Array:
    """Return shares of floor(x / 2^bits), or 1 more, from the opened c = x + 2^62 + r.

    r is uniform in Z_2^64, so c says nothing of x. The dealer shared r >> bits (`shifted`) and
    the highest bit of r (`tops`). With x' = x + 2^62 in [0, 2^63), x' + r passes 2^64 if and only
    if the highest bit of r is 1 and that of c is 0 (Escudero, Ghosh, Keller, Rachuri and Scholl
    2020, section 5.1), which is linear in the shared bit. So, for any |x| < 2^62,

        x' >> bits = (c >> bits) - (r >> bits) + wrapped * 2^(64 - bits), or 1 less

    (the borrow of the bits that were cut off). One party leads: it adds what is public. So the
    error is less than one unit of the result's scale, and never a wrapped number, as cutting off
    each share by itself gives with probability |x| / 2^63 (Mohassel and Zhang 2017, theorem 1): a
    sum over 1,000 rows at scale 40 has |x| near 2^53, one wrapped number in a thousand.
    """
    count = _shift(bits, 62)
    lead = bool(constant(leads, "whether this party leads"))

    def truncate(c: Vector, r: Vector, top: Vector) -> Vector:
        if not len(c) == len(r) == len(top):
            raise InvalidValue("the vectors of a truncation do not have one length")
        low = (c >> np.uint64(63)) == 0
        result = np.where(low, top << (np.uint64(64) - count), np.uint64(0)) - r
        if lead:
            result += (c >> count) - np.full(len(c), 1 << 62 - int(count), np.uint64)
        return result

    return _each(truncate, opened, shifted, tops)


def helper_activation(
    context: Context, zs: pa.Array, kinds: pa.Array, scales: pa.Array, with_loss: pa.Array
) -> pa.Array:
    """Return activation, loss terms and scores of a batch's scores, which have twice the scale.

    The loss is that of a label y less y·z: softplus(z), z²/2, or exp(z). Loss terms (at twice the
    scale) and scores (at the scale) are divided by the number of rows, so that their sums are
    means, which fit into the ring. Without loss these two are empty.
    """
    kind, scale = constant(kinds, "the kind of model"), constant(scales, "the scale")
    loss_too = bool(constant(with_loss, "whether the loss is wanted"))
    if kind not in KINDS:
        raise InvalidValue(f"the kind of model is one of {', '.join(KINDS)}")
    if not 0 <= scale <= _MOST_SCORE_SCALE:
        raise InvalidValue(f"the scale is {scale}; use 0 to {_MOST_SCORE_SCALE} fractional bits")
    values, losses, scores = [], [], []
    for row in elements(zs):
        z = decode(vector(row), 2 * scale)
        with np.errstate(over="ignore"):
            if kind == "logistic":
                value, loss = 1 / (1 + np.exp(-np.clip(z, -700, 700))), np.logaddexp(0, z)
            elif kind == "identity":
                value, loss = z, z * z / 2
            else:
                value = loss = np.exp(z)
        rows = max(len(z), 1)
        if (np.abs(value) >= 2.0 ** (62 - scale)).any():
            raise InvalidValue(
                f"a prediction, {kind} of a score, is 2^{62 - scale} or more: the training "
                "diverges, or a row is far from all others; use a smaller learning_rate, or take "
                "the logarithm of columns with few large numbers"
            )
        if loss_too and loss.sum() / rows >= 2.0 ** (61 - 2 * scale):
            raise InvalidValue(
                f"the mean loss of a batch is 2^{61 - 2 * scale} or more: the training diverges, "
                "or the label is too large; use a smaller learning_rate, or divide the label"
            )
        values.append(encode(value, scale))
        losses.append(encode(loss / rows if loss_too else np.zeros(0), 2 * scale))
        scores.append(encode(z / rows if loss_too else np.zeros(0), scale))
    arrays = [pa.array(column, VECTOR) for column in (values, losses, scores)]
    return pa.StructArray.from_arrays(arrays, fields=list(ACTIVATION))


def encode(xs: NDArray[np.float64], scale: int) -> Vector:
    """Return round(x * 2^scale) modulo 2^64. Raises InvalidValue for what does not fit."""
    if not np.isfinite(xs).all():
        raise InvalidValue("NaN or an infinity cannot be shared; fill such numbers in")
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(xs, scale))
    if (np.abs(scaled) >= 2.0**62).any():
        raise InvalidValue(
            f"a number is too large for the ring: with scale {scale}, magnitudes have to be below "
            f"2^{62 - scale}; use a smaller scale, or divide the numbers"
        )
    return scaled.astype(np.int64).view(np.uint64)


def decode(elements: Vector, scale: int) -> NDArray[np.float64]:
    """Return the numbers that ring elements stand for."""
    numbers: NDArray[np.float64] = np.ldexp(elements.view(np.int64).astype(np.float64), -scale)
    return numbers


def elements(column: pa.Array) -> pa.Array:
    """Return a column of vectors as such. Raises InvalidValue for other numbers: a cast would round
    them. Here and not in a macro, which would repeat its argument: three nested calls had 27."""
    if column.type == VECTOR:
        return column
    type_ = column.type
    if pat.is_list(type_) or pat.is_fixed_size_list(type_):
        of = type_.value_type
        if pat.is_integer(of) or pat.is_null(of) or (pat.is_decimal(of) and of.scale == 0):
            with suppress(pa.ArrowInvalid):
                return column.cast(VECTOR)
    raise InvalidValue(
        "a list of shares has whole numbers from 0 to 2^64 - 1; ring_encode makes them of numbers"
    )


def vector(row: pa.ListScalar) -> Vector:
    """Return one row of a column that `elements` gave. Raises InvalidValue for a NULL in it."""
    if row.values.null_count:
        raise InvalidValue("a vector has a NULL")
    numbers: Vector = row.values.to_numpy(zero_copy_only=False)
    return numbers


def _each(function: Callable[..., Vector], *columns: pa.Array) -> pa.Array:
    """Apply a function of vectors to each row."""
    vectors = zip(*map(elements, columns), strict=True)
    return pa.array([function(*map(vector, row)) for row in vectors], VECTOR)


def _same_length(a: pa.Array, b: pa.Array) -> tuple[pa.Array, pa.Array]:
    if not elements(a).value_lengths().equals(elements(b).value_lengths()):
        raise InvalidValue("two vectors do not have the same length")
    return a, b


def _shift(bits: pa.Array, most: int) -> np.uint64:
    count = constant(bits, "the number of bits")
    if not 1 <= count <= most:
        raise InvalidValue(f"cannot cut off {count} bits; use 1 to {most}")
    return np.uint64(count)
