"""Between numbers and the integers that are encrypted.

Numbers are fixed point: x stands as the integer round(x * 2^scale), halves to even.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.homomorphic import AdditiveKey
from ..crypto.packing import pack, slots_in, unpack
from ..errors import InvalidValue
from ..keys import HomomorphicPublicKey
from .arrays import constant
from .ciphertext import Layout, write

# Shares are integers modulo this.
RING = 1 << 64
# Fractional bits of what goes in: 2^1023 is the largest power of two that a DOUBLE holds.
_MOST_FRACTION = 1023


def fraction_bits(scales: pa.Array) -> int:
    """Return the one scale of a statement. Raises InvalidValue for an impossible one."""
    scale = int(constant(scales, "the scale"))
    if not 0 <= scale <= _MOST_FRACTION:
        raise InvalidValue(f"the scale is {scale}; use 0 to {_MOST_FRACTION} fractional bits")
    return scale


def bound_bits(bounds: pa.Array) -> int:
    """Return the one bound of a statement. Raises InvalidValue for one that is below 1."""
    bound = int(constant(bounds, "the bound"))
    if bound < 1:
        raise InvalidValue(f"the bound is {bound}; use 1 bit at least")
    return bound


def to_fixed_point(xs: NDArray[np.float64], scale: int, bound: int) -> list[int]:
    """Return round(x * 2^scale), halves to even. Raises InvalidValue for NaN, infinities and
    magnitudes of 2^bound or more; with scale 0 for what is no integer."""
    return [int(x) for x in _rounded(xs, scale, bound)]


def to_fixed_integers(xs: NDArray[np.float64], scale: int, bound: int) -> NDArray[np.int64]:
    """Return the same for bounds below 63 bits, in an eighth of the memory."""
    return _rounded(xs, scale, bound).astype(np.int64)


def _rounded(xs: NDArray[np.float64], scale: int, bound: int) -> NDArray[np.float64]:
    if not np.isfinite(xs).all():
        raise InvalidValue("NaN or an infinity cannot be encrypted or multiplied")
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(xs.astype(np.float64), scale))
    limit = math.ldexp(1.0, bound) if bound < 1024 else math.inf
    if not np.isfinite(scaled).all() or (np.abs(scaled) >= limit).any():
        raise InvalidValue(
            f"a value is too large: with scale {scale} and bound {bound}, magnitudes have to be "
            f"below 2^{min(bound, 1024) - scale}; use a smaller scale, or a larger bound if there "
            "is room for it"
        )
    if scale == 0 and (scaled != xs).any():
        raise InvalidValue("a value is no integer, and the scale is 0; give a scale")
    return scaled


def encrypt_numbers(
    public: HomomorphicPublicKey, xs: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Encrypt each number by itself, in one slot of the whole plaintext."""
    scale, bound = fraction_bits(scales), bound_bits(bounds)
    layout = Layout(public.SCHEME, public.fingerprint_bytes, scale, public.key.bits - 2, bound, 1)
    values = to_fixed_point(xs.to_numpy(zero_copy_only=False), scale, bound)
    return write([layout] * len(xs), public.key.encrypt(values), public.key)


def encrypt_lists(
    public: HomomorphicPublicKey,
    lists: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    slot_bits: pa.Array,
) -> pa.Array:
    """Encrypt each list of numbers, packed."""
    scale, bound = fraction_bits(scales), bound_bits(bounds)
    width = constant(slot_bits, "slot_bits")
    slots = slots_of(width, public)
    layouts: list[Layout] = []
    plaintexts: list[int] = []
    for numbers in lists.to_pylist():
        if not numbers or None in numbers:
            raise InvalidValue("a list to encrypt is empty or has a NULL")
        layouts.append(
            Layout(public.SCHEME, public.fingerprint_bytes, scale, width, bound, len(numbers))
        )
        values = to_fixed_point(np.array(numbers, dtype=np.float64), scale, bound)
        plaintexts += pack(values, width, slots)
    return write(layouts, public.key.encrypt(plaintexts), public.key)


def packed(values: Sequence[int], layout: Layout, key: AdditiveKey) -> list[int]:
    """Return the plaintexts that hold these values as a ciphertext of this layout does."""
    slots = slots_in(key.bits, layout.slot_bits)
    return pack([value << layout.doublings for value in values], layout.slot_bits, slots)


def unpacked(
    layouts: Sequence[Layout], plaintexts: Sequence[int], key: AdditiveKey
) -> list[list[int]]:
    """Return the values of every ciphertext from its plaintexts, in order.

    Raises InvalidValue where a plaintext is not what the header says, bound included.
    """
    results: list[list[int]] = []
    at = 0
    for layout in layouts:
        count = layout.bodies(key)
        slots = slots_in(key.bits, layout.slot_bits)
        try:
            values = unpack(plaintexts[at : at + count], layout.slot_bits, slots, layout.count)
        except ValueError:
            raise _wrong() from None
        if any(value & ((1 << layout.doublings) - 1) for value in values):
            raise _wrong()
        at += count
        results.append([value >> layout.doublings for value in values])
    return results


def _wrong() -> InvalidValue:
    return InvalidValue("a ciphertext does not hold what its header says")


def to_numbers(layouts: Sequence[Layout], rows: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return fixed-point values as the nearest numbers. Raises InvalidValue for one that no DOUBLE
    holds."""
    try:
        return [
            [value / (1 << layout.scale) for value in values]
            for layout, values in zip(layouts, rows, strict=True)
        ]
    except OverflowError:
        raise InvalidValue(
            "a decrypted number passes 1.8e308, the largest DOUBLE; encrypt smaller numbers, or "
            "multiply by smaller ones"
        ) from None


def single(lists: list[list[float]], other: str) -> pa.Array:
    """Return the only number of each list. Raises InvalidValue where there are several."""
    if any(len(values) != 1 for values in lists):
        raise InvalidValue(f"a ciphertext holds several numbers; use {other}")
    return pa.array([values[0] for values in lists], pa.float64())


def slots_of(slot_bits: int, public: HomomorphicPublicKey) -> int:
    """Return how many slots of this width fit. Raises InvalidValue for an impossible one."""
    if not 2 <= slot_bits <= public.key.bits - 2:
        raise InvalidValue(
            f"slot_bits is {slot_bits}; use 2 to {public.key.bits - 2} under this key"
        )
    return slots_in(public.key.bits, slot_bits)
