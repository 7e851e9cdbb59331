"""New keys, and what may be told of them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from ..keyring import Keyring

KEY_INFO = pa.struct(
    {"name": pa.string(), "kind": pa.string(), "bits": pa.int64(), "fingerprint": pa.string()}
)


def keygen(
    keyring: Keyring, generate: Callable[..., None], names: pa.Array, *settings: pa.Array
) -> pa.Array:
    """Make one key a row, by `generate(name, *settings)`; return what may be told of it."""
    infos = []
    for name, *of_row in zip(*(c.to_pylist() for c in (names, *settings)), strict=True):
        generate(name, *of_row)
        infos.append(vars(keyring.info(name)))
    return pa.array(infos, KEY_INFO)
