"""Paillier keys, encryption and decryption as SQL functions."""

from __future__ import annotations

import pyarrow as pa

from ..errors import InvalidValue
from ..keys import PaillierPublicKey
from .arrays import constant
from .ciphertext import MASKED, Layout, layout_of, read
from .context import Context
from .keygen import keygen
from .masking import masked_values
from .plaintexts import RING, encrypt_lists, encrypt_numbers, single, to_numbers, unpacked


def paillier_keygen(context: Context, names: pa.Array, bits: pa.Array) -> pa.Array:
    """Make one Paillier key pair a row in the keyring; return what may be told of it."""
    keyring = context.need_keyring()
    return keygen(keyring, keyring.paillier.generate, names, bits)


def paillier_public_key(context: Context, names: pa.Array) -> pa.Array:
    """Return each public key with its proof, to be read by key_import."""
    keyring = context.need_keyring()
    return pa.array([keyring.paillier.public(n).encoded for n in names.to_pylist()], pa.binary())


def paillier_encrypt(
    context: Context, xs: pa.Array, key: pa.Array, scales: pa.Array, bounds: pa.Array
) -> pa.Array:
    """Encrypt each number by itself."""
    public = public_named(context, key)
    return encrypt_numbers(public, xs, scales, bounds)


def paillier_encrypt_list(
    context: Context,
    lists: pa.Array,
    key: pa.Array,
    scales: pa.Array,
    bounds: pa.Array,
    slot_bits: pa.Array,
) -> pa.Array:
    """Encrypt each list of numbers, packed."""
    public = public_named(context, key)
    return encrypt_lists(public, lists, scales, bounds, slot_bits)


def paillier_decrypt(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt ciphertexts of one number each."""
    return single(to_numbers(*decrypted(context, cts, key)), "paillier_decrypt_list")


def paillier_decrypt_list(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt ciphertexts to lists of numbers."""
    return pa.array(to_numbers(*decrypted(context, cts, key)), pa.list_(pa.float64()))


def paillier_decrypt_share(context: Context, cts: pa.Array, key: pa.Array) -> pa.Array:
    """Decrypt what he_share_split made to shares, or numbers: each value modulo 2^64."""
    shares = [[value % RING for value in row] for row in shares_in(context, cts, key)]
    return pa.array(shares, pa.list_(pa.uint64()))


def shares_in(context: Context, cts: pa.Array, key: pa.Array) -> list[list[int]]:
    """Return what masked ciphertexts hold, as shares; of others the values."""
    blobs = cts.to_pylist()
    if not any(layout_of(ct).scheme == MASKED for ct in blobs):
        return decrypted(context, cts, key)[1]
    private = context.need_keyring().paillier.private(constant(key, "the key"))
    return masked_values(private, blobs)


def public_named(context: Context, key: pa.Array) -> PaillierPublicKey:
    """Return the Paillier public key of this name. Raises KeyNotFound."""
    return context.need_keyring().paillier.public(constant(key, "the key"))


def decrypted(
    context: Context, cts: pa.Array, key: pa.Array
) -> tuple[list[Layout], list[list[int]]]:
    """Return what ciphertexts hold. Raises InvalidValue for what is beyond a bound."""
    private = context.need_keyring().paillier.private(constant(key, "the key"))
    layouts, bodies = read(cts.to_pylist(), private.public)
    values = unpacked(layouts, private.key.decrypt(bodies), private.public.key)
    for layout, row in zip(layouts, values, strict=True):
        if any(abs(value) >> layout.bound for value in row):
            raise InvalidValue("a decrypted value is beyond its ciphertext's bound")
    return layouts, values
