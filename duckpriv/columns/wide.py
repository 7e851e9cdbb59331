"""Shares in the ring Z_2^128, and products of shared numbers, as SQL functions.

Vectors are BLOBs of 16 bytes for each element, little-endian.

The ring is that wide so that products of shared fixed-point numbers can be rounded by each party on
its own share: share >> f at one party, -(-share >> f) at the other gives x / 2^f, off by less than
one unit, but with probability |x| / 2^127 (SecureML: Mohassel and Zhang, IEEE S&P 2017, theorem 1).
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import HomomorphicPublicKey
from .arrays import constant
from .ciphertext import Layout, read, write
from .context import Context
from .homomorphic import read_alike
from .masking import split
from .paillier import public_named, shares_in
from .plaintexts import fraction_bits, slots_of, to_fixed_integers

BITS = 128
RING = 1 << BITS
SPLIT = pa.struct({"send": pa.binary(), "keep": pa.binary()})
SHARES = pa.struct({"keep": pa.binary(), "send": pa.binary()})
PRODUCT = pa.struct({"send": pa.list_(pa.binary()), "keep": pa.binary()})
# Arrow has no UHUGEINT: it goes to DuckDB and back as text.
TEXTS = pa.list_(pa.string())
_WIDTH = BITS // 8
# A factor of the ring in parts that stand in 64-bit integers.
LIMB, LIMBS = 43, 3
# Bits of half a number of `integer_moments`, and how many rows it takes.
_HALF, _MOST_ROWS = 19, 1 << 15
# Bits by which the slot of a product is wider than the product.
SIGMA = 64
MOST_ELEMENTS = 1 << 20

Elements = NDArray[np.object_]


def he_share_split_wide(
    context: Context, cts: pa.Array, key: pa.Array, sigmas: pa.Array
) -> pa.Array:
    """Split every encrypted value into two shares modulo 2^128, one encrypted, to send, and one to
    keep."""
    public = public_named(context, key)
    sigma = int(constant(sigmas, "sigma"))
    sent, kept = split(public, *read(cts.to_pylist(), public), sigma)
    return pa.StructArray.from_arrays([sent, vectors_of(kept)], fields=list(SPLIT))


def paillier_decrypt_share_wide(context: Context, lists: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt lists of ciphertexts to shares: all values, one behind the other."""
    rows = []
    for cts in lists:
        if cts.values.null_count:
            raise InvalidValue("a list of ciphertexts has a NULL")
        rows.append(chain.from_iterable(shares_in(context, cts.values, key)))
    return vectors_of(rows)


def wide_encode(context: Context, lists: pa.Array) -> pa.Array:
    """Return elements as a vector."""
    return vectors_of([list(map(int, texts)) for texts in lists.to_pylist()])


def wide_decode(context: Context, vectors: pa.Array) -> pa.Array:
    """Return the elements of a vector."""
    return pa.array([[str(x) for x in elements_of(v)] for v in vectors.to_pylist()], TEXTS)


def wide_add(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return a + b, element by element."""
    return _each(a, b, operator.add)


def wide_sub(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return a - b, element by element."""
    return _each(a, b, operator.sub)


def wide_split(context: Context, lists: pa.Array) -> pa.Array:
    """Split integers into a uniform vector to send and the rest to keep."""
    kept, sent = [], []
    for texts in lists.to_pylist():
        sent.append(random_elements(len(texts)))
        kept.append(np.array([int(text) for text in texts], dtype=object) - sent[-1])
    return pa.StructArray.from_arrays([vectors_of(kept), vectors_of(sent)], fields=list(SHARES))


def integer_moments(context: Context, lists: pa.Array, scales: pa.Array) -> pa.Array:
    """Return for each list of rows the sums of products of each two columns, as integers: k x k,
    row by row. Numbers stand as round(x * 2^scale), below 2^38 in magnitude."""
    scale = fraction_bits(scales)
    results = []
    for rows in lists:
        if not 0 < len(rows) <= _MOST_ROWS or len({len(row) for row in rows}) != 1:
            raise InvalidValue(f"give 1 to {_MOST_ROWS} rows with equally many numbers")
        numbers = rows.values.flatten().to_numpy(zero_copy_only=False)
        fixed = to_fixed_integers(numbers, scale, 2 * _HALF)
        fixed = fixed.reshape(len(rows), -1)
        # Sums of 2^15 products of halves are exact in float64.
        high, low = fixed >> _HALF, fixed & ((1 << _HALF) - 1)
        h, m = high.astype(np.float64), low.astype(np.float64)
        mixed = (h.T @ m).astype(np.int64).astype(object)
        squares = ((h.T @ h).astype(np.int64).astype(object) << 2 * _HALF) + (m.T @ m).astype(
            np.int64
        ).astype(object)
        sums = squares + ((mixed + mixed.T) << _HALF)
        results.append([str(x) for x in sums.flat])
    return pa.array(results, TEXTS)


def wide_random(context: Context, counts: pa.Array) -> pa.Array:
    """Return vectors of uniform elements."""
    rows = []
    for count in counts.to_pylist():
        if not 0 <= count <= MOST_ELEMENTS:
            raise InvalidValue(f"a vector of {count} elements; 0 to {MOST_ELEMENTS} go")
        rows.append(random_elements(count))
    return vectors_of(rows)


def wide_mul(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Return a * b, element by element."""
    return _each(a, b, operator.mul)


def wide_truncate(context: Context, vectors: pa.Array, bits: pa.Array, leads: pa.Array) -> pa.Array:
    """Return shares of what is left of the numbers without their last bits."""
    count, lead = int(constant(bits, "bits")), bool(constant(leads, "whether this party leads"))
    if not 0 <= count < BITS:
        raise InvalidValue(f"{count} bits cannot be taken off; 0 to {BITS - 1} go")
    return vectors_of(truncated(elements_of(v), count, lead) for v in vectors.to_pylist())


def wide_encrypt(context: Context, vectors: pa.Array, key: pa.Array, slots: pa.Array) -> pa.Array:
    """Encrypt each element of a vector, as an integer from 0 to 2^128."""
    public = public_named(context, key)
    slot_bits = int(constant(slots, "slot_bits"))
    slots_of(slot_bits, public)
    layout = Layout(public.SCHEME, public.fingerprint_bytes, 0, slot_bits, BITS, 1)
    rows = []
    for vector in vectors.to_pylist():
        elements = elements_of(vector).tolist()
        bodies = public.key.encrypt(elements)
        rows.append(write([layout] * len(elements), bodies, public.key).to_pylist())
    return pa.array(rows, pa.list_(pa.binary()))


def product_split(
    context: Context, us: pa.Array, ts: pa.Array, u: pa.Array, t: pa.Array, key: pa.Array
) -> pa.Array:
    """Return shares of u_1 t_2 + t_1 u_2, element by element: `send` encrypted, `keep` in the
    clear. u_1 and t_1 come encrypted, u_2 and t_2 are this party's."""
    public = public_named(context, key)
    sent, kept = [], []
    for *lists, own_u, own_t in zip(us, ts, u.to_pylist(), t.to_pylist(), strict=True):
        factors = [elements_of(own_t), elements_of(own_u)]
        sums: ByteMatrix | None = None
        for cts, times in zip(lists, factors, strict=True):
            layout, bodies = read_alike(cts.values.to_pylist(), public)
            if len(bodies) != len(times) or (layout.scale, layout.bound) != (0, BITS):
                raise InvalidValue("the peer's masks are not as many as ours, or have other bounds")
            for shifted, limb in zip(
                shifted_by_limbs(bodies, public), limbs_of(times), strict=True
            ):
                part = public.key.scale(shifted, limb)
                sums = part if sums is None else public.key.add(sums, part)
        assert sums is not None
        layouts = [replace(layout, bound=2 * BITS)] * len(sums)
        answers, shares = split(public, layouts, sums, SIGMA)
        sent.append(answers.to_pylist())
        kept.append(chain.from_iterable(shares))
    arrays = [pa.array(sent, pa.list_(pa.binary())), vectors_of(kept)]
    return pa.StructArray.from_arrays(arrays, fields=list(PRODUCT))


def truncated(elements: Elements, bits: int, lead: bool) -> Elements:
    """Shares of the numbers without their last bits."""
    sign = 1 if lead else -1
    truncated: Elements = sign * ((sign * elements % RING) >> bits)
    return truncated


def elements_of(vector: bytes) -> Elements:
    """Return the elements of a vector. Raises InvalidValue for another length."""
    if len(vector) % _WIDTH:
        raise InvalidValue(f"a vector of {len(vector)} bytes does not have {_WIDTH} an element")
    halves = np.frombuffer(vector, "<u8").astype(object)
    elements: Elements = halves[0::2] + (halves[1::2] << 64)
    return elements


def vectors_of(rows: Iterable[Iterable[int]]) -> pa.Array:
    """Return a vector of each row, modulo 2^128."""
    vectors = [b"".join([(int(x) % RING).to_bytes(_WIDTH, "little") for x in row]) for row in rows]
    return pa.array(vectors, pa.binary())


def random_elements(count: int) -> Elements:
    """Return uniform elements."""
    return elements_of(secrets.token_bytes(count * _WIDTH))


def limbs_of(elements: Elements) -> list[NDArray[np.int64]]:
    """Return factors in parts of LIMB bits, the lowest first."""
    # Signed: half as many bits, on average, as they would have below 2^128.
    factors = np.where(elements >= RING // 2, elements - RING, elements)
    low = [(factors >> (LIMB * i)) & ((1 << LIMB) - 1) for i in range(LIMBS - 1)]
    return [part.astype(np.int64) for part in (*low, factors >> (LIMB * (LIMBS - 1)))]


def shifted_by_limbs(bodies: ByteMatrix, public: HomomorphicPublicKey) -> list[ByteMatrix]:
    """Return encryptions of the values times 2^(LIMB * i), for each limb i."""
    shifted = [bodies]
    for _ in range(LIMBS - 1):
        shifted.append(public.key.shift(shifted[-1], LIMB))
    return shifted


def _each(
    a: pa.Array, b: pa.Array, operation: Callable[[Elements, Elements], Elements]
) -> pa.Array:
    rows = []
    for pair in zip(a.to_pylist(), b.to_pylist(), strict=True):
        left, right = map(elements_of, pair)
        if len(left) != len(right):
            raise InvalidValue(f"vectors of {len(left)} and {len(right)} elements do not fit")
        rows.append(operation(left, right))
    return vectors_of(rows)
