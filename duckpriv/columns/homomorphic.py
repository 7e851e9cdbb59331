"""Arithmetic on ciphertexts as SQL functions, whichever of the schemes they are of.

Every result that holds a ciphertext is re-randomised, so it can be sent. A ciphertext says under
which key it is, but counts only if that is the key that the statement names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import HomomorphicPublicKey, PaillierPublicKey
from .arrays import constant
from .ciphertext import HEADER_BYTES, MASKED, Layout, layout_of, read, write
from .context import Context
from .masking import split
from .paillier import public_named
from .plaintexts import RING, fraction_bits, packed, slots_of, to_fixed_integers, to_fixed_point

# Weights stand in 64-bit integers, with room for signed digits.
_LARGEST_WEIGHT_BOUND = 61
LAYOUT = pa.struct(
    {
        "scale": pa.int64(),
        "bound": pa.int64(),
        "slot_bits": pa.int64(),
        "count": pa.int64(),
        "doublings": pa.int64(),
        "masked": pa.bool_(),
    }
)
SHARE_SPLIT = pa.struct({"send": pa.binary(), "keep": pa.list_(pa.uint64())})


def he_layout(context: Context, cts: pa.Array) -> pa.Array:
    """Return what each ciphertext's header says of its values."""
    different: dict[bytes, int] = {}
    headers = (ct[:HEADER_BYTES] for ct in cts.to_pylist())
    places = [different.setdefault(header, len(different)) for header in headers]
    layouts = [layout_of(header) for header in different]
    rows = [{**asdict(layout), "masked": layout.scheme == MASKED} for layout in layouts]
    return pa.array([{f: row[f] for f in LAYOUT.names} for row in rows], LAYOUT).take(
        pa.array(places, pa.int64())
    )


def he_add(context: Context, a: pa.Array, b: pa.Array, key: pa.Array) -> pa.Array:
    """Add ciphertexts, value by value."""
    public = key_named(context, key)
    layouts, ca, cb = _pairs(a, b, public)
    return send(public, layouts, public.key.add(ca, cb))


def he_sub(context: Context, a: pa.Array, b: pa.Array, key: pa.Array) -> pa.Array:
    """Subtract ciphertexts, value by value."""
    public = key_named(context, key)
    layouts, ca, cb = _pairs(a, b, public)
    return send(public, layouts, public.key.add(ca, public.key.negate(cb)))


def he_add_plain(context: Context, cts: pa.Array, xs: pa.Array, key: pa.Array) -> pa.Array:
    """Add a number to every value of each ciphertext, at the ciphertext's scale."""
    public = key_named(context, key)
    layouts, bodies = read(cts.to_pylist(), public)
    plaintexts: list[int] = []
    for layout, x in zip(layouts, xs.to_pylist(), strict=True):
        (value,) = to_fixed_point(np.array([x]), layout.scale, layout.bound)
        plaintexts += packed([value] * layout.count, layout, public.key)
    sums = [replace(layout, bound=layout.bound + 1) for layout in layouts]
    return send(public, sums, public.key.add_plain(bodies, plaintexts))


def he_mul(
    context: Context,
    cts: pa.Array,
    xs: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
) -> pa.Array:
    """Multiply every value of each ciphertext by a number, fixed point as in he_dot."""
    public = key_named(context, key)
    scale, bound = fraction_bits(scales), weight_bound(bounds)
    layouts, bodies = read(cts.to_pylist(), public)
    numbers = to_fixed_point(xs.to_numpy(zero_copy_only=False), scale, bound)
    counts = [layout.bodies(public.key) for layout in layouts]
    factors = np.repeat(np.array(numbers, dtype=np.int64), counts)
    products = public.key.scale(bodies, factors)
    return send(public, [of_sum(layout, 1, scale, bound) for layout in layouts], products)


def he_dot(
    context: Context,
    lists: pa.Array,
    weights: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
) -> pa.Array:
    """Return for each row the sum of list[i] * weights[i].

    A weight w stands as round(w * 2^scale), below 2^bound in magnitude. The result's bound
    grows by that bound and the number of terms, so its header tells nothing of the weights.
    """
    public = key_named(context, key)
    layouts: list[Layout] = []
    sums: list[ByteMatrix] = []
    rows = list(zip(lists.to_pylist(), weights.to_pylist(), strict=True))
    for cts, group in _runs(rows):
        if any(len(row) != len(cts) or None in row for row in group):
            raise InvalidValue("the weights are not as many as the ciphertexts, or one is NULL")
        numbers = np.array(group, dtype=np.float64)
        more, products = _dots(public, cts, numbers, scales, bounds)
        layouts += more
        sums.append(products)
    return send(public, layouts, np.concatenate(sums))


def he_matmul(
    context: Context,
    lists: pa.Array,
    matrices: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
) -> pa.Array:
    """Return for each row, a list of ciphertexts and lists of as many weights, their sums as he_dot
    has them."""
    public = key_named(context, key)
    results = []
    for cts, rows in zip(lists, matrices, strict=True):
        sums = _dots(public, cts.values.to_pylist(), _numbers(rows.values), scales, bounds)
        results.append(send(public, *sums).to_pylist())
    return pa.array(results, pa.list_(pa.binary()))


def he_matmul_split(
    context: Context,
    lists: pa.Array,
    matrices: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    sigmas: pa.Array,
) -> pa.Array:
    """Split the sums of he_matmul as he_share_split does, re-randomised once."""
    public = public_named(context, key)
    results = []
    for cts, rows in zip(lists, matrices, strict=True):
        sums = _dots(public, cts.values.to_pylist(), _numbers(rows.values), scales, bounds)
        results.append(_split(public, *sums, sigmas).to_pylist())
    return pa.array(results, pa.list_(SHARE_SPLIT))


def _dots(
    public: HomomorphicPublicKey,
    cts: Sequence[bytes | None],
    numbers: NDArray[np.float64],
    scales: pa.Array,
    bounds: pa.Array,
) -> tuple[list[Layout], ByteMatrix]:
    """Return for each row of weights the sum of ciphertext times weight."""
    scale, bound = fraction_bits(scales), weight_bound(bounds)
    if numbers.shape[1] != len(cts):
        raise InvalidValue("the weights are not as many as the ciphertexts")
    common, bodies = read_alike(cts, public)
    fixed = to_fixed_integers(numbers.ravel(), scale, bound)
    sums = combined(public, common, bodies, fixed.reshape(numbers.shape))
    return [of_sum(common, len(cts), scale, bound)] * len(numbers), sums


def _numbers(rows: pa.Array) -> NDArray[np.float64]:
    """Return lists of one length as a matrix. Raises InvalidValue for a NULL."""
    lengths = rows.value_lengths()
    if rows.null_count or rows.flatten().null_count or len(lengths.unique()) != 1:
        raise InvalidValue("the rows do not have equally many numbers, or one is NULL")
    numbers: NDArray[np.float64] = rows.flatten().to_numpy(zero_copy_only=False)
    return numbers.reshape(len(rows), -1)


def he_weighted_sums(
    context: Context,
    lists: pa.Array,
    matrices: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    counts: pa.Array,
) -> pa.Array:
    """Return for each row, a list of n ciphertexts and n lists of k numbers, the k encrypted sums
    of ciphertext times number; of the first `counts` values, if that is not 0, and those that share
    a body with them."""
    scale, bound = fraction_bits(scales), weight_bound(bounds)
    public, first = key_named(context, key), int(constant(counts, "the number of values"))
    results = []
    for cts, rows in zip(lists, matrices, strict=True):
        numbers = _numbers(rows.values)
        if len(cts) != len(numbers):
            raise InvalidValue("a row has no ciphertext, or no numbers")
        common, bodies = read_alike(cts.values.to_pylist(), public)
        if first:
            common, bodies = _beginning(common, bodies, first, public)
        fixed = to_fixed_integers(numbers.ravel(), scale, bound)
        coefficients = np.ascontiguousarray(fixed.reshape(numbers.shape).T)
        sums = combined(public, common, bodies, coefficients)
        layouts = [of_sum(common, len(cts), scale, bound)] * len(coefficients)
        results.append(send(public, layouts, sums).to_pylist())
    return pa.array(results, pa.list_(pa.binary()))


def _beginning(
    layout: Layout, bodies: ByteMatrix, count: int, public: HomomorphicPublicKey
) -> tuple[Layout, ByteMatrix]:
    """Return the bodies with the first `count` values of each ciphertext, and their layout."""
    slots = slots_of(layout.slot_bits, public)
    before, kept = layout.bodies(public.key), -(-min(count, layout.count) // slots)
    parts = bodies.reshape(-1, before, public.key.width)[:, :kept]
    short = replace(layout, count=min(layout.count, kept * slots))
    return short, np.ascontiguousarray(parts).reshape(-1, public.key.width)


def combined(
    public: HomomorphicPublicKey,
    common: Layout,
    bodies: ByteMatrix,
    coefficients: NDArray[np.int64],
) -> ByteMatrix:
    """Return the sums of ciphertexts that have one layout, times each row of coefficients."""
    # One body of every ciphertext at a time: the slots of a body go together.
    count = common.bodies(public.key)
    parts = [public.key.combine(bodies[i::count], coefficients) for i in range(count)]
    return np.stack(parts, axis=1).reshape(-1, public.key.width)


def of_sum(layout: Layout, terms: int, scale: int, bound: int) -> Layout:
    """Return the layout of a sum of ciphertexts times weights of this scale and bound."""
    return replace(
        layout,
        scale=layout.scale + scale,
        bound=layout.bound + bound + (terms - 1).bit_length(),
    )


def he_share_split(context: Context, cts: pa.Array, key: pa.Array, sigmas: pa.Array) -> pa.Array:
    """Split every encrypted value into two shares modulo 2^64, one encrypted, to send, and one to
    keep."""
    public = public_named(context, key)
    return _split(public, *read(cts.to_pylist(), public), sigmas)


def _split(
    public: PaillierPublicKey, layouts: Sequence[Layout], bodies: ByteMatrix, sigmas: pa.Array
) -> pa.Array:
    for layout in layouts:
        if layout.bound >= RING.bit_length() - 1:
            raise InvalidValue(
                f"values may have {layout.bound} bits and a sign, and shares have 64; encrypt and "
                "multiply with a smaller scale or bound"
            )
    sent, kept = split(public, layouts, bodies, int(constant(sigmas, "sigma")))
    shares = pa.array([[v % RING for v in row] for row in kept], pa.list_(pa.uint64()))
    return pa.StructArray.from_arrays([sent, shares], fields=list(SHARE_SPLIT))


def he_pack(context: Context, lists: pa.Array, key: pa.Array, slot_bits: pa.Array) -> pa.Array:
    """Put ciphertexts of one number each into the slots of one ciphertext a list.

    By Horner's rule: the last one is shifted by a slot and the one before added, and so on.
    """
    public = key_named(context, key)
    width = constant(slot_bits, "slot_bits")
    slots = slots_of(width, public)
    layouts: list[Layout] = []
    outputs: list[ByteMatrix] = []
    for cts in lists.to_pylist():
        layout, bodies = read_alike(cts, public)
        if layout.count != 1:
            raise InvalidValue("a ciphertext to pack holds several numbers already")
        layouts.append(replace(layout, slot_bits=width, count=len(cts)))
        blocks = [bodies[start : start + slots] for start in range(0, len(cts), slots)]
        # The last block may be shorter: the others go on for their further slots.
        rows = [block[-1:] for block in blocks]
        for left in range(2, slots + 1):
            going = [i for i, block in enumerate(blocks) if left <= len(block)]
            if not going:
                break
            shifted = public.key.shift(np.concatenate([rows[i] for i in going]), width)
            added = public.key.add(shifted, np.concatenate([blocks[i][-left:][:1] for i in going]))
            for i, row in zip(going, added, strict=True):
                rows[i] = row[None, :]
        outputs += rows
    return send(public, layouts, np.concatenate(outputs))


def weight_bound(bounds: pa.Array) -> int:
    """Return the one bound of a statement's weights. Raises InvalidValue for one that does not fit
    into 64-bit integers."""
    bound = int(constant(bounds, "the bound"))
    if not 1 <= bound <= _LARGEST_WEIGHT_BOUND:
        raise InvalidValue(f"the bound of weights is {bound}; use 1 to {_LARGEST_WEIGHT_BOUND}")
    return bound


def key_named(context: Context, key: pa.Array) -> HomomorphicPublicKey:
    """Return the Paillier or joint public key of this name. Raises KeyNotFound."""
    return context.need_keyring().homomorphic_public(constant(key, "the key"))


def send(public: HomomorphicPublicKey, layouts: Sequence[Layout], bodies: ByteMatrix) -> pa.Array:
    """Return ciphertexts, re-randomised."""
    more = public.key.DOUBLINGS
    sent = [replace(layout, doublings=layout.doublings + more) for layout in layouts]
    return write(sent, public.key.rerandomise(bodies), public.key)


def read_alike(
    cts: Sequence[bytes | None], public: HomomorphicPublicKey
) -> tuple[Layout, ByteMatrix]:
    """Read ciphertexts that are to be combined; return the layout that fits all, and the bodies.

    Raises InvalidValue for none or NULL, or where scales, slots or counts differ.
    """
    if not cts or None in cts:
        raise InvalidValue("a list of ciphertexts is empty or has a NULL")
    layouts, bodies = read([ct for ct in cts if ct is not None], public)
    layout = fitting(layouts)
    return layout, _doubled(layouts, bodies, [layout.doublings] * len(layouts), public)


def _pairs(
    a: pa.Array, b: pa.Array, public: HomomorphicPublicKey
) -> tuple[list[Layout], ByteMatrix, ByteMatrix]:
    """Read ciphertexts that are to be added in pairs; return the sums' layouts, and the bodies."""
    (la, ca), (lb, cb) = (read(column.to_pylist(), public) for column in (a, b))
    both = [fitting(pair) for pair in zip(la, lb, strict=True)]
    targets = [layout.doublings for layout in both]
    sums = [replace(layout, bound=layout.bound + 1) for layout in both]
    return sums, _doubled(la, ca, targets, public), _doubled(lb, cb, targets, public)


def _doubled(
    layouts: Sequence[Layout],
    bodies: ByteMatrix,
    targets: Sequence[int],
    public: HomomorphicPublicKey,
) -> ByteMatrix:
    """Return the bodies with what they hold doubled until `targets`, one for each ciphertext."""
    missing = np.repeat(
        [target - layout.doublings for layout, target in zip(layouts, targets, strict=True)],
        [layout.bodies(public.key) for layout in layouts],
    )
    return shifted(bodies, missing, public)


def shifted(
    bodies: ByteMatrix, times: NDArray[np.int64], public: HomomorphicPublicKey
) -> ByteMatrix:
    """Return the bodies with what they hold doubled, each so many times."""
    if not times.any():
        return bodies
    bodies = bodies.copy()
    for count in np.unique(times[times > 0]).tolist():
        bodies[times == count] = public.key.shift(bodies[times == count], count)
    return bodies


def fitting(layouts: Sequence[Layout]) -> Layout:
    """Return the layout that fits all. Raises InvalidValue where scales, slots or counts differ."""
    first = layouts[0]
    for what, value in (
        ("scale", lambda x: x.scale),
        ("width of slots", lambda x: x.slot_bits),
        ("number of values", lambda x: x.count),
    ):
        _same(what, value, layouts)
    bound, doublings = (max(getattr(x, f) for x in layouts) for f in ("bound", "doublings"))
    return replace(first, bound=bound, doublings=doublings)


def _same(what: str, value: Callable[[Layout], int], layouts: Sequence[Layout]) -> None:
    found = sorted({value(layout) for layout in layouts})
    if len(found) > 1:
        raise InvalidValue(
            f"ciphertexts of another {what} cannot be combined: {found[0]} and {found[1]}"
        )


def _runs(
    rows: Sequence[tuple[list[bytes], list[float]]],
) -> list[tuple[list[bytes], list[list[float]]]]:
    """Group neighbouring rows with the same ciphertexts: they share the tables of powers."""
    runs: list[tuple[list[bytes], list[list[float]]]] = []
    for cts, weights in rows:
        if runs and runs[-1][0] == cts:
            runs[-1][1].append(weights)
        else:
            runs.append((cts, [weights]))
    return runs
