"""Homomorphic ciphertexts as BLOBs that say what they are.

A BLOB is a header of 30 bytes and bodies of fixed width, big-endian:

    2  magic "dp"          2  scale: fractional bits of each value
    1  version (1)         2  slot bits
    1  scheme (1)          2  bound: every |value * 2^scale| is below 2^bound
    16 key fingerprint     4  count of values

The bound is what was declared, never measured, so it tells nothing of the values. Operations
add up what it can grow to, so a slot cannot overflow unnoticed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..crypto.bytecolumns import from_rows, rows_of
from ..crypto.packing import slots_in
from ..crypto.paillier import PublicKey
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue, KeyMismatch

_HEADER = struct.Struct(">2sBB16sHHHI")
_MAGIC, _VERSION, _PAILLIER = b"dp", 1, 1


@dataclass(frozen=True)
class Layout:
    """What a ciphertext's header says, but for magic, version and scheme."""

    fingerprint: bytes
    scale: int
    slot_bits: int
    bound: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.scale < 1 << 16:
            raise InvalidValue(f"the result's scale would be {self.scale}; at most 65535 goes")
        if self.bound > self.slot_bits - 1:
            raise InvalidValue(
                f"the result may need {self.bound} bits and a sign, and a slot has "
                f"{self.slot_bits}; encrypt with a smaller bound or scale, or with wider slots"
            )

    def bodies(self, key: PublicKey) -> int:
        """Return how many bodies the values take under this key."""
        return -(-self.count // slots_in(key.bits, self.slot_bits))

    def header(self) -> bytes:
        """Return the header's bytes."""
        return _HEADER.pack(
            _MAGIC,
            _VERSION,
            _PAILLIER,
            self.fingerprint,
            self.scale,
            self.slot_bits,
            self.bound,
            self.count,
        )


def layout_of(blob: bytes) -> Layout:
    """Read a ciphertext's header from untrusted bytes. Raises InvalidValue."""
    if len(blob) < _HEADER.size:
        raise InvalidValue("a ciphertext is shorter than its header")
    magic, version, scheme, fingerprint, scale, slot_bits, bound, count = _HEADER.unpack_from(blob)
    if magic != _MAGIC:
        raise InvalidValue("this BLOB is no ciphertext of duckpriv")
    if (version, scheme) != (_VERSION, _PAILLIER):
        raise InvalidValue(
            f"a ciphertext has version {version} and scheme {scheme}; this duckpriv reads "
            f"version {_VERSION} and scheme {_PAILLIER} (Paillier)"
        )
    if slot_bits < 2 or count < 1:
        raise InvalidValue("a ciphertext's header makes no sense; it is damaged")
    return Layout(fingerprint, scale, slot_bits, bound, count)


def read(
    blobs: Sequence[bytes], key: PublicKey, fingerprint: bytes
) -> tuple[list[Layout], ByteMatrix]:
    """Check ciphertexts under one key; return their layouts and all their bodies in order.

    Raises KeyMismatch for another key; InvalidValue for a wrong length, or a body that is 0,
    not below N^2, or not prime to N.
    """
    layouts, bodies = [], []
    for blob in blobs:
        layout = layout_of(blob)
        if layout.fingerprint != fingerprint:
            raise KeyMismatch(
                f"a ciphertext is under key {layout.fingerprint.hex()}, and this operation works "
                f"under key {fingerprint.hex()}"
            )
        if slots_in(key.bits, layout.slot_bits) < 1:
            raise InvalidValue("a ciphertext's slots are wider than its key")
        if len(blob) != _HEADER.size + layout.bodies(key) * key.width:
            raise InvalidValue("a ciphertext does not have the length that its header says")
        layouts.append(layout)
        bodies.append(blob[_HEADER.size :])
    data = b"".join(bodies)
    matrix = from_rows([data[i : i + key.width] for i in range(0, len(data), key.width)], key.width)
    invalid = key.invalid(matrix)
    if invalid:
        raise InvalidValue(
            f"{invalid} of {len(matrix)} ciphertext bodies are not valid under the key: each has "
            "to be more than 0, less than N^2 and prime to N"
        )
    return layouts, matrix


def write(layouts: Sequence[Layout], bodies: ByteMatrix, key: PublicKey) -> pa.Array:
    """Return ciphertexts from their layouts and all their bodies in order."""
    rows, at, blobs = rows_of(bodies), 0, []
    for layout in layouts:
        count = layout.bodies(key)
        blobs.append(layout.header() + b"".join(rows[at : at + count]))
        at += count
    return pa.array(blobs, pa.binary())
