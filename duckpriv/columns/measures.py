"""What is summed by group under encryption: rows of measures, in the slots of one ciphertext."""

from __future__ import annotations

import pyarrow as pa

from ..errors import InvalidValue
from .arrays import constant
from .ciphertext import Layout, write
from .context import Context
from .paillier import public_named
from .plaintexts import bound_bits, slots_of

MOST_SLOTS = 1 << 20


def paillier_encrypt_measures(
    context: Context,
    lists: pa.Array,
    places: pa.Array,
    groups: pa.Array,
    key: pa.Array,
    bounds: pa.Array,
    slot_bits: pa.Array,
) -> pa.Array:
    """Encrypt rows of measures, each in the slots of its group, with zeros in all others: 1, and
    for every measure 1, the number and its square, or zeros where it is NULL."""
    public = public_named(context, key)
    count, bound = int(constant(groups, "the number of groups")), bound_bits(bounds)
    width = int(constant(slot_bits, "slot_bits"))
    slots = slots_of(width, public)
    rows = lists.to_pylist()
    measures = {len(row) for row in rows}
    if len(measures) > 1:
        raise InvalidValue("the rows do not have equally many measures")
    each = 1 + 3 * (measures.pop() if measures else 0)
    if not 1 <= count <= MOST_SLOTS // each:
        raise InvalidValue(f"{count} groups; use 1 to {MOST_SLOTS // each}")
    squares = 1 if each == 1 else 2 * bound
    layout = Layout(public.SCHEME, public.fingerprint_bytes, 0, width, squares, count * each)
    bodies = layout.bodies(public.key)
    plaintexts: list[int] = []
    for row, place in zip(rows, places.to_pylist(), strict=True):
        if not 0 <= place <= count:
            raise InvalidValue("a row's group is not among the groups")
        values = [1]
        for x in row:
            values += (0, 0, 0) if x is None else (1, x, x * x)
            if x is not None and abs(x) >> bound:
                raise InvalidValue(f"a measure is too large: it has to be below 2^{bound}")
        # The same work for rows without a group.
        parts = [0] * bodies
        for slot, value in enumerate(values, max(place - 1, 0) * each):
            parts[slot // slots] += value << (slot % slots * width)
        plaintexts += parts if place else [0] * bodies
    return write([layout] * len(rows), public.key.encrypt(plaintexts), public.key)
