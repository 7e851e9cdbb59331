"""Encrypted values split into two shares.

Who computes under another's Paillier key answers with values behind masks. Each plaintext, with all
its slots, gets a mask that is uniform modulo N: so the key's owner sees a uniform number, whatever
it had encrypted before.

The mask M and the masked plaintext v + M are cut into digits of a slot's width, the last one as
long as it is. Where a slot is `sigma` bits wider than the values that it may hold (made positive by
adding 2^bound), a digit of v + M is the value plus the digit of M, but with probability 2^-sigma:
no carry, and no reduction modulo N. So the digits are shares of the values. An owner that has
encrypted larger values than it says makes them wrong, and learns nothing by it. Nor does who
answers with something else: whatever the owner decrypts has digits, so that it ends with no error
that depends on what it had encrypted.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from ..crypto.packing import digits, pack, slots_in
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import PaillierPrivateKey, PaillierPublicKey
from .ciphertext import MASKED, Layout, read_masked, write

SMALLEST_SIGMA = 40


def split(
    public: PaillierPublicKey, layouts: Sequence[Layout], bodies: ByteMatrix, sigma: int
) -> tuple[pa.Array, list[list[int]]]:
    """Return ciphertexts of masked values, to send, and the other shares of the values, to keep."""
    if not SMALLEST_SIGMA <= sigma <= 256:
        raise InvalidValue(f"sigma is {sigma}; use {SMALLEST_SIGMA} to 256 bits")
    key = public.key
    sent, kept, plaintexts = [], [], []
    for layout in layouts:
        if layout.bound + 1 + sigma > layout.slot_bits:
            raise InvalidValue(
                f"values of {layout.bound} bits and a sign need {sigma} bits more for a mask, and "
                f"a slot has {layout.slot_bits}; encrypt with a smaller bound or scale, or with "
                "wider slots"
            )
        slots = slots_in(key.bits, layout.slot_bits)
        masks = [secrets.randbelow(key.modulus) for _ in range(layout.bodies(key))]
        positive = pack([1 << layout.bound] * layout.count, layout.slot_bits, slots)
        plaintexts += [mask + more for mask, more in zip(masks, positive, strict=True)]
        parts = digits(masks, layout.slot_bits, slots, layout.count)
        kept.append([-(part + (1 << layout.bound)) for part in parts])
        sent.append(replace(layout, scheme=MASKED, bound=layout.slot_bits - 1))
    answers = key.rerandomise(key.add_plain(bodies, plaintexts))
    return write(sent, answers, key), kept


def masked_values(private: PaillierPrivateKey, cts: Sequence[bytes]) -> list[list[int]]:
    """Return the key owner's shares of the values of each ciphertext."""
    key = private.public.key
    layouts, bodies = read_masked(cts, private.public)
    plaintexts = [m % key.modulus for m in private.key.decrypt(bodies)]
    results, at = [], 0
    for layout in layouts:
        own = plaintexts[at : at + layout.bodies(key)]
        at += len(own)
        slots = slots_in(key.bits, layout.slot_bits)
        results.append(digits(own, layout.slot_bits, slots, layout.count))
    return results
