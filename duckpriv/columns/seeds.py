"""Seeds that parties agree on, and what is chosen by them, as SQL functions."""

from __future__ import annotations

import hashlib
import secrets

import pyarrow as pa
import pyarrow.compute as pc

from ..crypto import agreement
from ..crypto.hashing import labelled, sha256
from ..errors import InvalidValue, KeyMismatch, ProtocolError
from ..keys import SeedPart
from .arrays import constant
from .context import Context
from .keygen import keygen


def seed_keygen(context: Context, names: pa.Array) -> pa.Array:
    """Make this party's part of one seed a row; return what may be told of it."""
    keyring = context.need_keyring()
    return keygen(keyring, keyring.seeds.generate, names)


def seed_commitment(context: Context, names: pa.Array) -> pa.Array:
    """Return the commitment to each own part."""
    keyring = context.need_keyring()
    commitments = [
        SeedPart.commitment(name, keyring.seeds.part(name).public) for name in names.to_pylist()
    ]
    return pa.array(commitments, pa.binary())


def seed_part(context: Context, names: pa.Array) -> pa.Array:
    """Return what the peer gets of each own part."""
    keyring = context.need_keyring()
    return pa.array([keyring.seeds.part(name).public for name in names.to_pylist()], pa.binary())


def agreed_seed(
    context: Context,
    names: pa.Array,
    own_names: pa.Array,
    peer_names: pa.Array,
    commitments: pa.Array,
    parts: pa.Array,
) -> pa.Array:
    """Check a peer's part against its commitment and keep the seed that both make; return its
    name."""
    keyring = context.need_keyring()
    columns = (column.to_pylist() for column in (names, own_names, peer_names, commitments, parts))
    for name, own, peer, commitment, part in zip(*columns, strict=True):
        if not secrets.compare_digest(SeedPart.commitment(peer, part), commitment):
            raise KeyMismatch(
                f"the part of the seed of '{peer}' is not the one it committed to; nothing was kept"
            )
        keyring.keep_secret(name, keyring.seeds.part(own).agree(own, peer, part))
    return names


def seed_combine(context: Context, names: pa.Array, lists: pa.Array) -> pa.Array:
    """Keep a seed made of several; return its name."""
    keyring = context.need_keyring()
    for name, seeds in zip(names.to_pylist(), lists.to_pylist(), strict=True):
        known = [keyring.known_secret(seed) for seed in seeds]
        keyring.keep_secret(name, sha256("duckpriv/seed/combined/v1", *known))
    return names


def seed_seal(context: Context, names: pa.Array, under: pa.Array) -> pa.Array:
    """Return each seed, encrypted under another one that the receiver has too."""
    keyring = context.need_keyring()
    sealed = [
        agreement.seal(keyring.known_secret(key), keyring.known_secret(name), name.encode())
        for name, key in zip(names.to_pylist(), under.to_pylist(), strict=True)
    ]
    return pa.array(sealed, pa.binary())


def seed_open(context: Context, names: pa.Array, under: pa.Array, sealed: pa.Array) -> pa.Array:
    """Decrypt seeds and keep them; return their names."""
    keyring = context.need_keyring()
    columns = (names.to_pylist(), under.to_pylist(), sealed.to_pylist())
    for name, key, data in zip(*columns, strict=True):
        try:
            seed = agreement.unseal(keyring.known_secret(key), data, name.encode())
        except ValueError as error:
            raise ProtocolError(f"{error}; nothing was kept") from None
        keyring.keep_secret(name, seed)
    return names


def batch_key(context: Context, values: pa.Array, seeds: pa.Array, epochs: pa.Array) -> pa.Array:
    """Return 16 bytes for each value, a pseudo-random function of seed, epoch and value (keyed
    BLAKE2b, RFC 7693): rows sorted by it are in an order that only holders of the seed know."""
    key = context.need_keyring().known_secret(constant(seeds, "the seed"))
    if pc.min(epochs).as_py() < 0:
        raise InvalidValue("the epoch is negative; count passes over the rows from 0")
    keys = [
        hashlib.blake2b(
            labelled("duckpriv/batch/v1", epoch.to_bytes(8, "big"), value.encode()),
            key=key,
            digest_size=16,
        ).digest()
        for value, epoch in zip(values.to_pylist(), epochs.to_pylist(), strict=True)
    ]
    return pa.array(keys, pa.binary())
