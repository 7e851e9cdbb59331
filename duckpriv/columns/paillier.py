"""Paillier keys, encryption, decryption and homomorphic arithmetic as SQL functions.

Values are fixed point: x stands as the integer round(x * 2^scale), halves to even. Every result
that holds a ciphertext is re-randomised, so it can be sent.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.packing import pack, slots_in, unpack
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import PaillierPublicKey
from .arrays import constant
from .ciphertext import Layout, layout_of, read, write
from .context import Context
from .rsa import KEY_INFO

# Weights stand in 64-bit integers, with room for signed digits.
_LARGEST_WEIGHT_BOUND = 61
SMALLEST_SIGMA = 40
RING = 1 << 64
SHARE_SPLIT = pa.struct({"send": pa.binary(), "keep": pa.list_(pa.uint64())})


def paillier_keygen(context: Context, names: pa.Array, bits: pa.Array) -> pa.Array:
    """Make one Paillier key pair a row in the keyring; return what may be told of it."""
    keyring = context.need_keyring()
    infos = [
        vars(keyring.generate_paillier(name, size))
        for name, size in zip(names.to_pylist(), bits.to_pylist(), strict=True)
    ]
    return pa.array(infos, KEY_INFO)


def paillier_public_key(context: Context, names: pa.Array) -> pa.Array:
    """Return each public key with its proof, to be read by key_import."""
    keyring = context.need_keyring()
    return pa.array([keyring.paillier_public(n).encoded for n in names.to_pylist()], pa.binary())


def paillier_encrypt(
    context: Context, xs: pa.Array, key: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Encrypt each number by itself, in one slot of the whole plaintext."""
    public = context.need_keyring().paillier_public(constant(key, "the key"))
    scale, bound = constant(scales, "the scale"), constant(bounds, "the bound")
    layout = Layout(public.fingerprint_bytes, scale, public.key.bits - 2, bound, 1)
    values = to_fixed_point(xs.to_numpy(zero_copy_only=False), scale, bound)
    return write([layout] * len(xs), public.key.encrypt(values), public.key)


def paillier_encrypt_list(
    context: Context,
    lists: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    slot_bits: pa.Array,
) -> pa.Array:
    """Encrypt each list of numbers, packed."""
    public = context.need_keyring().paillier_public(constant(key, "the key"))
    scale, bound = constant(scales, "the scale"), constant(bounds, "the bound")
    width = constant(slot_bits, "slot_bits")
    if not 2 <= width <= public.key.bits - 2:
        raise InvalidValue(f"slot_bits is {width}; use 2 to {public.key.bits - 2} under this key")
    slots = slots_in(public.key.bits, width)
    layouts: list[Layout] = []
    plaintexts: list[int] = []
    for numbers in lists.to_pylist():
        if not numbers or None in numbers:
            raise InvalidValue("a list to encrypt is empty or has a NULL")
        layouts.append(Layout(public.fingerprint_bytes, scale, width, bound, len(numbers)))
        values = to_fixed_point(np.array(numbers, dtype=np.float64), scale, bound)
        plaintexts += pack(values, width, slots)
    return write(layouts, public.key.encrypt(plaintexts), public.key)


def paillier_decrypt(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt ciphertexts of one number each."""
    lists = _numbers(context, cts, constant(key, "the key"))
    if any(len(values) != 1 for values in lists):
        raise InvalidValue("a ciphertext holds several numbers; use paillier_decrypt_list")
    return pa.array([values[0] for values in lists], pa.float64())


def paillier_decrypt_list(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt ciphertexts to lists of numbers."""
    return pa.array(_numbers(context, cts, constant(key, "the key")), pa.list_(pa.float64()))


def he_add(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Add ciphertexts, value by value."""
    public = _key_of(context, a)
    (la, ca), (lb, cb) = (_read(column, public) for column in (a, b))
    return _send(public, _sums(la, lb), public.key.add(ca, cb))


def he_sub(context: Context, a: pa.Array, b: pa.Array) -> pa.Array:
    """Subtract ciphertexts, value by value."""
    public = _key_of(context, a)
    (la, ca), (lb, cb) = (_read(column, public) for column in (a, b))
    return _send(public, _sums(la, lb), public.key.add(ca, public.key.negate(cb)))


def he_add_plain(context: Context, cts: pa.Array, xs: pa.Array) -> pa.Array:
    """Add a number to every value of each ciphertext, at the ciphertext's scale."""
    public = _key_of(context, cts)
    layouts, bodies = _read(cts, public)
    plaintexts: list[int] = []
    for layout, x in zip(layouts, xs.to_pylist(), strict=True):
        (value,) = to_fixed_point(np.array([x]), layout.scale, layout.bound)
        slots = slots_in(public.key.bits, layout.slot_bits)
        plaintexts += pack([value] * layout.count, layout.slot_bits, slots)
    return _send(public, _sums(layouts, layouts), public.key.add_plain(bodies, plaintexts))


def he_mul(
    context: Context, cts: pa.Array, xs: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Multiply every value of each ciphertext by a number, fixed point as in he_dot."""
    return he_dot(context, _ones_each(cts), _ones_each(xs), scales, bounds)


def he_sum(context: Context, lists: pa.Array) -> pa.Array:
    """Add all ciphertexts of each list."""
    ones = [[1.0] * len(cts) for cts in lists.to_pylist()]
    zeros, bits = (pa.array([x] * len(lists), pa.int64()) for x in (0, 1))
    return he_dot(context, lists, pa.array(ones, pa.list_(pa.float64())), zeros, bits)


def he_dot(
    context: Context, lists: pa.Array, weights: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Return for each row the sum of list[i] * weights[i].

    A weight w stands as round(w * 2^scale), below 2^bound in magnitude. The result's bound
    grows by that bound and the number of terms, so its header tells nothing of the weights.
    """
    public = _key_of(context, lists.flatten())
    scale, bound = constant(scales, "the scale"), constant(bounds, "the bound")
    if not 1 <= bound <= _LARGEST_WEIGHT_BOUND:
        raise InvalidValue(f"the bound of weights is {bound}; use 1 to {_LARGEST_WEIGHT_BOUND}")
    layouts: list[Layout] = []
    outputs: list[ByteMatrix] = []
    rows = list(zip(lists.to_pylist(), weights.to_pylist(), strict=True))
    for cts, group in _runs(rows):
        if not cts or None in cts:
            raise InvalidValue("a list of ciphertexts is empty or has a NULL")
        if any(len(ws) != len(cts) or None in ws for ws in group):
            raise InvalidValue("the weights are not as many as the ciphertexts, or one is NULL")
        inner, bodies = read(cts, public.key, public.fingerprint_bytes)
        first = _common(inner)
        layout = Layout(
            first.fingerprint,
            first.scale + scale,
            first.slot_bits,
            first.bound + bound + (len(cts) - 1).bit_length(),
            first.count,
        )
        coefficients = np.array(
            [to_fixed_point(np.array(ws, dtype=np.float64), scale, bound) for ws in group],
            dtype=np.int64,
        )
        # One body of every ciphertext at a time: the slots of a body go together.
        count = first.bodies(public.key)
        parts = [public.key.combine(bodies[i::count], coefficients) for i in range(count)]
        outputs.append(np.stack(parts, axis=1).reshape(-1, public.key.width))
        layouts += [layout] * len(group)
    return _send(public, layouts, np.concatenate(outputs))


def _ones_each(column: pa.Array) -> pa.Array:
    """Return each value as a list of one."""
    return pa.ListArray.from_arrays(np.arange(len(column) + 1, dtype=np.int32), column)


def he_share_split(context: Context, cts: pa.Array, sigmas: pa.Array) -> pa.Array:
    """Split every encrypted value v into v - R, to send, and R modulo 2^64, to keep.

    R is uniform on [0, 2^(bound + sigma)), so v - R tells its receiver nothing of v but with
    probability 2^-sigma (statistical masking).
    """
    public = _key_of(context, cts)
    sigma = constant(sigmas, "sigma")
    if not SMALLEST_SIGMA <= sigma <= 256:
        raise InvalidValue(f"sigma is {sigma}; use {SMALLEST_SIGMA} to 256 bits")
    layouts, bodies = _read(cts, public)
    masked: list[Layout] = []
    kept: list[list[int]] = []
    plaintexts: list[int] = []
    for layout in layouts:
        bits = layout.bound + sigma
        masked.append(replace(layout, bound=bits + 1))
        masks = [secrets.randbits(bits) for _ in range(layout.count)]
        slots = slots_in(public.key.bits, layout.slot_bits)
        plaintexts += pack([-mask for mask in masks], layout.slot_bits, slots)
        kept.append([mask % RING for mask in masks])
    sent = _send(public, masked, public.key.add_plain(bodies, plaintexts))
    return pa.StructArray.from_arrays(
        [sent, pa.array(kept, pa.list_(pa.uint64()))], fields=list(SHARE_SPLIT)
    )


def paillier_decrypt_share(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt ciphertexts to shares: each value modulo 2^64."""
    _, values = _decrypt(context, cts, constant(key, "the key"))
    shares = [[value % RING for value in row] for row in values]
    return pa.array(shares, pa.list_(pa.uint64()))


def to_fixed_point(xs: NDArray[np.float64], scale: int, bound: int) -> list[int]:
    """Return round(x * 2^scale), halves to even. Raises InvalidValue for NaN, infinities and
    magnitudes of 2^bound or more; with scale 0 for what is no integer."""
    if not np.isfinite(xs).all():
        raise InvalidValue("NaN or an infinity cannot be encrypted or multiplied")
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(xs.astype(np.float64), scale))
    if not np.isfinite(scaled).all() or (np.abs(scaled) >= math.ldexp(1.0, bound)).any():
        raise InvalidValue(
            f"a value is too large: with scale {scale} and bound {bound}, magnitudes have to be "
            f"below 2^{bound - scale}"
        )
    if scale == 0 and (scaled != xs).any():
        raise InvalidValue("a value is no integer, and the scale is 0; give a scale")
    return [int(x) for x in scaled]


def _decrypt(context: Context, cts: pa.Array, name: str) -> tuple[list[Layout], list[list[int]]]:
    private = context.need_keyring().paillier_private(name)
    layouts, bodies = _read(cts, private.public)
    plaintexts, at = private.key.decrypt(bodies), 0
    results: list[list[int]] = []
    for layout in layouts:
        count = layout.bodies(private.public.key)
        slots = slots_in(private.public.key.bits, layout.slot_bits)
        try:
            values = unpack(plaintexts[at : at + count], layout.slot_bits, slots, layout.count)
        except ValueError:
            raise InvalidValue("a ciphertext does not hold what its header says") from None
        at += count
        results.append(values)
    return layouts, results


def _numbers(context: Context, cts: pa.Array, name: str) -> list[list[float]]:
    layouts, rows = _decrypt(context, cts, name)
    return [
        [value / (1 << layout.scale) for value in values]
        for layout, values in zip(layouts, rows, strict=True)
    ]


def _key_of(context: Context, cts: pa.Array) -> PaillierPublicKey:
    if len(cts) == 0 or not cts[0].is_valid:
        raise InvalidValue("there is no ciphertext in a list")
    return context.need_keyring().paillier_by_fingerprint(layout_of(cts[0].as_py()).fingerprint)


def _read(cts: pa.Array, public: PaillierPublicKey) -> tuple[list[Layout], ByteMatrix]:
    return read(cts.to_pylist(), public.key, public.fingerprint_bytes)


def _send(public: PaillierPublicKey, layouts: Sequence[Layout], bodies: ByteMatrix) -> pa.Array:
    return write(layouts, public.key.rerandomise_times(bodies), public.key)


def _sums(a: Sequence[Layout], b: Sequence[Layout]) -> list[Layout]:
    layouts = []
    for x, y in zip(a, b, strict=True):
        _common([x, y])
        bound = max(x.bound, y.bound) + 1
        layouts.append(Layout(x.fingerprint, x.scale, x.slot_bits, bound, x.count))
    return layouts


def _common(layouts: Sequence[Layout]) -> Layout:
    """Return the layout that fits all. Raises InvalidValue where scales, slots or counts differ."""
    first = layouts[0]
    for what, value in (
        ("scale", lambda x: x.scale),
        ("width of slots", lambda x: x.slot_bits),
        ("number of values", lambda x: x.count),
    ):
        _same(what, value, layouts)
    bound = max(layout.bound for layout in layouts)
    return Layout(first.fingerprint, first.scale, first.slot_bits, bound, first.count)


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
