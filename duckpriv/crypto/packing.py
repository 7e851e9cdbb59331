"""Signed integers in the slots of one plaintext.

Slot i of a plaintext holds a signed integer v_i as v_i * 2^(i * slot_bits); the plaintext is
the sum, modulo N. Sums of plaintexts and products with integers act on all slots at once, as
long as every |v_i| stays below 2^(slot_bits - 1).
"""

from __future__ import annotations

from collections.abc import Sequence


def slots_in(modulus_bits: int, slot_bits: int) -> int:
    """Return how many slots fit: the packed sum has to stay below N / 2 in magnitude."""
    return (modulus_bits - 2) // slot_bits


def pack(values: Sequence[int], slot_bits: int, slots: int) -> list[int]:
    """Return one integer for each `slots` values, the last one perhaps with fewer."""
    packed = []
    for start in range(0, len(values), slots):
        total = 0
        for value in reversed(values[start : start + slots]):
            total = (total << slot_bits) + value
        packed.append(total)
    return packed


def digits(packed: Sequence[int], slot_bits: int, slots: int, count: int) -> list[int]:
    """Return the `count` digits of non-negative numbers in base 2^slot_bits, lowest first: `slots`
    of each number, the last one of them as long as it is."""
    values: list[int] = []
    for total in packed:
        rest = total
        for _ in range(min(slots, count - len(values)) - 1):
            values.append(rest & ((1 << slot_bits) - 1))
            rest >>= slot_bits
        values.append(rest)
    return values


def unpack(packed: Sequence[int], slot_bits: int, slots: int, count: int) -> list[int]:
    """Return the `count` values of `pack`. Raises ValueError where something is left over: a slot
    has overflowed, or the plaintext has another layout."""
    values: list[int] = []
    half, mask = 1 << (slot_bits - 1), (1 << slot_bits) - 1
    for total in packed:
        rest = total
        for _ in range(min(slots, count - len(values))):
            value = ((rest + half) & mask) - half
            rest = (rest - value) >> slot_bits
            values.append(value)
        if rest:
            raise ValueError("a slot has overflowed")
    return values
