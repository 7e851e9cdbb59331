"""Keys that parties hold together, and encryption under them, as SQL functions."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ..crypto.bytecolumns import from_rows
from ..crypto.packing import slots_in
from ..errors import InvalidValue, ProtocolError
from ..keyring import check_modulus_bits
from ..keys import JointModulus, JointPublicKey
from .arrays import constant
from .ciphertext import HEADER_BYTES, PARTIAL, Layout, layout_of, read, read_partial, write
from .context import Context
from .homomorphic import send
from .keygen import keygen
from .plaintexts import encrypt_lists, encrypt_numbers, single, to_numbers, unpacked

# Bits by which a bound, and doublings, may have grown at the peer.
_GROWTH = 4
# Bits beyond a ciphertext's values that are opened with them: a wrong mask shows there.
_CHECK_BITS = 40
# A window is closed by a number of so many bits at least, however often the peer has doubled it.
_CLOSING_BITS, _MOST_DOUBLINGS = 64, 32
MASKED = pa.struct({"ct": pa.binary(), "mask": pa.binary()})


def joint_modulus(context: Context, bits: pa.Array) -> pa.Array:
    """Make one modulus a row and forget its factors."""
    moduli = []
    for size in bits.to_pylist():
        check_modulus_bits(size)
        moduli.append(JointModulus.generate(size).encoded)
    return pa.array(moduli, pa.binary())


def joint_keygen(context: Context, names: pa.Array, moduli: pa.Array) -> pa.Array:
    """Make this party's part of one joint key a row; return what may be told of it."""
    keyring = context.need_keyring()
    return keygen(keyring, keyring.joint.generate, names, moduli)


def joint_commitment(context: Context, names: pa.Array) -> pa.Array:
    """Return the commitment to each own key share."""
    keyring = context.need_keyring()
    commitments = [keyring.joint.part(name).share.commitment(name) for name in names.to_pylist()]
    return pa.array(commitments, pa.binary())


def joint_key_share(context: Context, names: pa.Array) -> pa.Array:
    """Return each own key share, which opens its commitment."""
    keyring = context.need_keyring()
    shares = [keyring.joint.part(name).share.encoded for name in names.to_pylist()]
    return pa.array(shares, pa.binary())


def joint_combine(
    context: Context,
    names: pa.Array,
    peer_names: pa.Array,
    commitments: pa.Array,
    shares: pa.Array,
) -> pa.Array:
    """Check a peer's share and make the joint public key; return its fingerprint."""
    keyring = context.need_keyring()
    columns = (column.to_pylist() for column in (names, peer_names, commitments, shares))
    fingerprints = []
    for name, *share in zip(*columns, strict=True):
        keyring.joint.join(name, *share)
        fingerprints.append(keyring.joint.public(name).fingerprint)
    return pa.array(fingerprints, pa.string())


def joint_public_key(context: Context, names: pa.Array) -> pa.Array:
    """Return each joint public key, to be read by key_import."""
    keyring = context.need_keyring()
    return pa.array([keyring.joint.public(n).encoded for n in names.to_pylist()], pa.binary())


def joint_encrypt(
    context: Context, xs: pa.Array, key: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Encrypt each number by itself."""
    return encrypt_numbers(joint_key_named(context, key), xs, scales, bounds)


def joint_encrypt_list(
    context: Context,
    lists: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    slot_bits: pa.Array,
) -> pa.Array:
    """Encrypt each list of numbers, packed."""
    return encrypt_lists(joint_key_named(context, key), lists, scales, bounds, slot_bits)


def joint_mask(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Add a uniform number modulo N to each body: what is decrypted then says nothing, but to
    who has the mask. The mask begins with the header of what was masked."""
    public = joint_key_named(context, key)
    layouts, bodies = read(cts.to_pylist(), public)
    numbers = [secrets.randbelow(public.key.modulus) for _ in range(len(bodies))]
    half = public.key.half
    rows = from_rows([number.to_bytes(half, "big") for number in numbers], half)
    masked = send(public, layouts, public.key.add_plain(bodies, numbers))
    return pa.StructArray.from_arrays(
        [masked, write(layouts, rows, public.key)], fields=list(MASKED)
    )


def partial_decrypt(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Take this party's part of the key off each ciphertext.

    What does not fit its header is not opened: a uniform number of units beyond the values' bits is
    added first. So a peer that packs more into a ciphertext than it says gets no more of it.
    """
    name = constant(key, "the key")
    public, part = joint_key_named(context, key), context.need_keyring().joint.part(name)
    layouts, bodies = read(cts.to_pylist(), public)
    if any(layout.doublings >= _MOST_DOUBLINGS for layout in layouts):
        raise InvalidValue(f"a ciphertext was doubled {_MOST_DOUBLINGS} times or more")
    closed = [number for layout in layouts for number in _closing(layout, public)]
    fresh = public.key.rerandomise(public.key.add_plain(bodies, closed))
    opened = np.concatenate([fresh, public.key.partial(fresh, part.x)], axis=1)
    more = public.key.DOUBLINGS
    sent = [replace(x, scheme=PARTIAL, doublings=x.doublings + more) for x in layouts]
    return write(sent, opened, public.key)


def joint_decrypt(context: Context, cts: pa.Array, key: pa.Array, masks: pa.Array) -> pa.Array:
    """Finish decrypting ciphertexts of one number each."""
    return single(to_numbers(*_decrypt(context, cts, key, masks)), "joint_decrypt_list")


def joint_decrypt_list(context: Context, cts: pa.Array, key: pa.Array, masks: pa.Array) -> pa.Array:
    """Finish decrypting ciphertexts to lists of numbers."""
    lists = to_numbers(*_decrypt(context, cts, key, masks))
    return pa.array(lists, pa.list_(pa.float64()))


def joint_key_named(context: Context, key: pa.Array) -> JointPublicKey:
    """Return the joint public key of this name. Raises KeyNotFound."""
    return context.need_keyring().joint.public(constant(key, "the key"))


def _decrypt(
    context: Context, cts: pa.Array, key: pa.Array, masks: pa.Array
) -> tuple[list[Layout], list[list[int]]]:
    """Return layouts and values; an empty mask is none.

    Raises ProtocolError where the peer's part does not fit, InvalidValue where a value is
    beyond the ciphertext's bound, as it is with a wrong mask.
    """
    public = joint_key_named(context, key)
    part = context.need_keyring().joint.part(constant(key, "the key"))
    layouts, bodies, partials = read_partial(cts.to_pylist(), public)
    try:
        plaintexts = public.key.decrypt(bodies, [partials, public.key.partial(bodies, part.x)])
    except ValueError:
        raise ProtocolError(
            "a partial decryption does not belong to its ciphertext and the peer's key share"
        ) from None
    values = unpacked(layouts, _unmasked(public, layouts, plaintexts, masks), public.key)
    for layout, row in zip(layouts, values, strict=True):
        if any(abs(value) >> layout.bound for value in row):
            raise InvalidValue(
                "a decrypted value is beyond its ciphertext's bound: the mask is not the one that "
                "was added"
            )
    return layouts, values


def _unmasked(
    public: JointPublicKey, layouts: Sequence[Layout], plaintexts: Sequence[int], masks: pa.Array
) -> list[int]:
    n, half = public.key.modulus, public.key.half
    results: list[int] = []
    for layout, mask in zip(layouts, masks.to_pylist(), strict=True):
        count = layout.bodies(public.key)
        own = plaintexts[len(results) : len(results) + count]
        numbers, since = [0] * count, 0
        if mask:
            sent, body = layout_of(mask), mask[HEADER_BYTES:]
            if len(body) != count * half or not _answers(layout, sent):
                raise InvalidValue(
                    "a partially decrypted ciphertext has another scale, bound or size than the "
                    "one that was masked: it is not the answer to it"
                )
            numbers = [int.from_bytes(body[i : i + half], "big") for i in range(0, len(body), half)]
            since = layout.doublings - sent.doublings
        for m, number, bits in zip(own, numbers, _windows(layout, public), strict=True):
            plain = (m - (number << since)) % n
            whole = n if bits is None else 1 << bits
            plain %= whole
            results.append(plain - whole if plain > whole // 2 else plain)
    return results


def _windows(layout: Layout, public: JointPublicKey) -> list[int | None]:
    """Return how many bits of each body are opened, None for all: those that its values may have
    and a sign, and some more."""
    slots, left, windows = slots_in(public.key.bits, layout.slot_bits), layout.count, []
    while left > 0:
        before = layout.slot_bits * (min(left, slots) - 1)
        bits = before + layout.bound + 1 + _CHECK_BITS
        room = public.key.bits - 2 - bits - _MOST_DOUBLINGS
        windows.append(bits + layout.doublings if room >= _CLOSING_BITS else None)
        left -= slots
    return windows


def _closing(layout: Layout, public: JointPublicKey) -> list[int]:
    """Return for each body a uniform multiple of what stands above its window, which is doubled
    with the body; less than N in all."""
    below = (
        0 if bits is None else secrets.randbelow((public.key.modulus >> bits + 1) - 1) << bits
        for bits in _windows(layout, public)
    )
    return list(below)


def _answers(layout: Layout, sent: Layout) -> bool:
    """Whether a layout is the masked ciphertext's, to which the peer may have added a little."""
    return (
        replace(layout, scheme=sent.scheme, bound=sent.bound, doublings=sent.doublings) == sent
        and sent.bound <= layout.bound <= sent.bound + _GROWTH
        and sent.doublings <= layout.doublings <= sent.doublings + _GROWTH
    )
