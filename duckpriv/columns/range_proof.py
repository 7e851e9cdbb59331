"""Proofs that the values of Paillier ciphertexts are in a range, as SQL functions.

Who computes with another's ciphertexts masks the result by `sigma` bits more than it can have. A
key's owner that encrypts larger values than it says would read what the mask does not cover. So it
proves that they are not: for 40 random subsets of its ciphertexts, which the other chooses, it
opens the sum of their values, each behind a mask of its own that it has sent before. To open is to
give the plaintext t and the N-th root r of the ciphertext c = (1 + t N) r^N.

Soundness: let a value v be 2 * 2^b or larger in magnitude, or not packed as it should be. Of two
subsets that differ by v alone, at most one has a sum below 2^b. So at least half of all subsets
fail, and 40 random ones all pass with probability 2^-40 at most. (A range proof with binary
challenges: Brickell, Chaum, Damgard, van de Graaf, CRYPTO 1987; for many values at once, as in
Cramer and Damgard, "On the amortized complexity of zero-knowledge protocols", CRYPTO 2009.)

Zero knowledge: a mask is `sigma` bits longer than the sum of all values. r is uniform, as that of
the mask's ciphertext is.
"""

from __future__ import annotations

import secrets

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto import modarith
from ..crypto.bytecolumns import from_integers, to_integers
from ..crypto.hashing import sha256
from ..crypto.homomorphic import plain
from ..crypto.packing import slots_in, unpack
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import PaillierPublicKey
from .arrays import constant
from .ciphertext import Layout, layout_of, read, write
from .context import Context
from .homomorphic import combined, read_alike
from .plaintexts import bound_bits, packed, slots_of

SUBSETS = 40
BLOBS = pa.list_(pa.binary())


def range_masks(
    context: Context,
    like: pa.Array,
    bounds: pa.Array,
    key: pa.Array,
) -> pa.Array:
    """Return encrypted masks, below 2^bound, for ciphertexts like this one."""
    public = _public(context, key)
    bound = bound_bits(bounds)
    rows = []
    for ct in like.to_pylist():
        layout = layout_of(ct)
        slots_of(layout.slot_bits, public)
        plaintexts = [
            plaintext
            for _ in range(SUBSETS)
            for plaintext in packed(
                [secrets.randbits(bound) for _ in range(layout.count)], layout, public.key
            )
        ]
        bodies = public.key.encrypt(plaintexts)
        rows.append(write([layout] * SUBSETS, bodies, public.key).to_pylist())
    return pa.array(rows, BLOBS)


def range_products(
    context: Context,
    products: pa.Array,
    lists: pa.Array,
    numbers: pa.Array,
    challenges: pa.Array,
    key: pa.Array,
) -> pa.Array:
    """Return each product times the ciphertexts of its subset. Not re-randomised: both parties
    compute the same, and neither sends it."""
    public = _public(context, key)
    challenge = str(constant(challenges, "the challenge"))
    rows = []
    for before, cts, places in zip(products, lists, numbers, strict=True):
        if cts.values.null_count or before.values.null_count or len(before) != SUBSETS:
            raise InvalidValue(f"there are not {SUBSETS} products, or a row has no ciphertext")
        layout, bodies = read_alike(cts.values.to_pylist(), public)
        layouts, factors = read(before.values.to_pylist(), public)
        if any(_packing(other) != _packing(layout) for other in layouts):
            raise InvalidValue("the masks are not packed as the rows")
        chosen = _subsets(challenge, places.values.to_pylist())
        sums = combined(public, layout, bodies, chosen)
        bodies = public.key.add(factors, sums)
        rows.append(write([layout] * SUBSETS, bodies, public.key).to_pylist())
    return pa.array(rows, BLOBS)


def range_open(context: Context, products: pa.Array, key: pa.Array) -> pa.Array:
    """Return plaintext and root of each ciphertext."""
    private = context.need_keyring().paillier_private(constant(key, "the key"))
    n, half = private.public.key.modulus, private.public.key.width // 2
    rows = []
    for cts in products.to_pylist():
        _, bodies = read(cts, private.public)
        plaintexts = [m % n for m in private.key.decrypt(bodies)]
        roots = private.key.roots(bodies)
        opened = np.concatenate([from_integers(plaintexts, half), roots], axis=1)
        rows.append([row.tobytes() for row in opened.reshape(len(cts), -1)])
    return pa.array(rows, BLOBS)


def range_check(
    context: Context, products: pa.Array, opened: pa.Array, bounds: pa.Array, key: pa.Array
) -> pa.Array:
    """Return true where each product is opened, and its values are below 2^bound. Raises
    InvalidValue where not."""
    public = _public(context, key)
    bound = bound_bits(bounds)
    for cts, proofs in zip(products.to_pylist(), opened.to_pylist(), strict=True):
        layouts, bodies = read(cts, public)
        width = layouts[0].bodies(public.key) * public.key.width
        if len(proofs) != SUBSETS or any(p is None or len(p) != width for p in proofs):
            raise InvalidValue("the proof of a range does not have the length that it should")
        parts = np.frombuffer(b"".join(proofs), np.uint8).reshape(len(bodies), -1)
        half = public.key.width // 2
        plaintexts = to_integers(parts[:, :half])
        if not np.array_equal(_encrypted(public, plaintexts, parts[:, half:]), bodies):
            raise InvalidValue("the proof of a range opens another ciphertext")
        count = layouts[0].bodies(public.key)
        for i, layout in enumerate(layouts):
            _check_values(layout, plaintexts[i * count : (i + 1) * count], bound, public)
    return pa.array([True] * len(products), pa.bool_())


def _encrypted(public: PaillierPublicKey, plaintexts: list[int], roots: ByteMatrix) -> ByteMatrix:
    """Return (1 + t N) r^N."""
    n, square, width = public.key.modulus, public.key.square, public.key.width
    if any(t >= n for t in plaintexts) or any(not 0 < r < n for r in to_integers(roots)):
        raise InvalidValue("the proof of a range has a number that is not below N")
    wide = from_integers(to_integers(roots), width)
    powers = modarith.power_public(wide, n, square)
    factors = np.frombuffer(
        b"".join(plain(t, n, square, width) for t in plaintexts), np.uint8
    ).reshape(-1, width)
    return modarith.multiply(powers, factors, square)


def _check_values(
    layout: Layout, plaintexts: list[int], bound: int, public: PaillierPublicKey
) -> None:
    n = public.key.modulus
    signed = [t - n if t > n // 2 else t for t in plaintexts]
    slots = slots_in(public.key.bits, layout.slot_bits)
    try:
        values = unpack(signed, layout.slot_bits, slots, layout.count)
    except ValueError:
        values = [1 << bound]
    if any(abs(value) >> bound for value in values):
        raise InvalidValue("the peer's encrypted numbers are larger than agreed")


def _subsets(challenge: str, rows: list[int]) -> NDArray[np.int64]:
    """Return for each subset and row whether it is in."""
    digests = b"".join(
        sha256("duckpriv/range-proof/v1", challenge.encode(), str(row).encode())[: SUBSETS // 8]
        for row in rows
    )
    bits = np.unpackbits(np.frombuffer(digests, np.uint8).reshape(len(rows), -1), axis=1)
    return np.ascontiguousarray(bits.T.astype(np.int64))


def _packing(layout: Layout) -> tuple[int, int]:
    return layout.slot_bits, layout.count


def _public(context: Context, key: pa.Array) -> PaillierPublicKey:
    return context.need_keyring().paillier_public(constant(key, "the key"))
