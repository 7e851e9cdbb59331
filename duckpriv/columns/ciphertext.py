"""Homomorphic ciphertexts as BLOBs that say what they are.

A BLOB is a header of 32 bytes and bodies of fixed width, big-endian:

    2  magic "dp"          2  scale: fractional bits of each value
    1  version (2)         2  slot bits
    1  scheme              2  bound: every |value * 2^scale| is below 2^bound
    16 key fingerprint     2  doublings: a slot holds value * 2^(scale + doublings)
                           4  count of values

Schemes: 1 is Paillier, 2 ElGamal under a joint key, 3 the latter with one party's partial
decryption behind each body, 4 Paillier with masked values, which are shares (`masking`).

Re-randomising under a joint key squares the ciphertext (`joint_elgamal`), so the slots hold twice
what they held: doublings count that, and decryption divides by it.

The bound is what was declared, never measured, so it tells nothing of the values. Operations
add up what it can grow to, so a slot cannot overflow unnoticed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..crypto.bytecolumns import from_rows, rows_of
from ..crypto.homomorphic import AdditiveKey
from ..crypto.packing import slots_in
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue, KeyMismatch
from ..keys import HomomorphicPublicKey, JointPublicKey, PaillierPublicKey

_HEADER = struct.Struct(">2sBB16sHHHHI")
HEADER_BYTES = _HEADER.size
_MAGIC, _VERSION = b"dp", 2
PARTIAL, MASKED = 3, 4
_SCHEMES = {
    PaillierPublicKey.SCHEME: "Paillier",
    JointPublicKey.SCHEME: "joint key",
    PARTIAL: "joint key, partially decrypted",
    MASKED: "Paillier, masked",
}


@dataclass(frozen=True)
class Layout:
    """What a ciphertext's header says, but for magic and version."""

    scheme: int
    fingerprint: bytes
    scale: int
    slot_bits: int
    bound: int
    count: int
    doublings: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.scale < 1 << 16:
            raise InvalidValue(f"the result's scale would be {self.scale}; 0 to 65535 goes")
        if self.bound + self.doublings > self.slot_bits - 1:
            raise InvalidValue(
                f"the result may need {self.bound + self.doublings} bits and a sign, a slot has "
                f"{self.slot_bits}; encrypt with a smaller bound or scale, or with wider slots"
            )

    def bodies(self, key: AdditiveKey) -> int:
        """Return how many bodies the values take under this key."""
        return -(-self.count // slots_in(key.bits, self.slot_bits))

    def header(self) -> bytes:
        """Return the header's bytes."""
        return _HEADER.pack(
            _MAGIC,
            _VERSION,
            self.scheme,
            self.fingerprint,
            self.scale,
            self.slot_bits,
            self.bound,
            self.doublings,
            self.count,
        )


def layout_of(blob: bytes) -> Layout:
    """Read a ciphertext's header from untrusted bytes. Raises InvalidValue."""
    if len(blob) < _HEADER.size:
        raise InvalidValue("a ciphertext is shorter than its header")
    magic, version, scheme, fingerprint, *numbers = _HEADER.unpack_from(blob)
    scale, slot_bits, bound, doublings, count = numbers
    if magic != _MAGIC:
        raise InvalidValue("this BLOB is no ciphertext of duckpriv")
    if version != _VERSION or scheme not in _SCHEMES:
        raise InvalidValue(
            f"a ciphertext has version {version} and scheme {scheme}; this duckpriv reads "
            f"version {_VERSION} and schemes 1 to {max(_SCHEMES)}"
        )
    if slot_bits < 2 or count < 1:
        raise InvalidValue("a ciphertext's header makes no sense; it is damaged")
    return Layout(scheme, fingerprint, scale, slot_bits, bound, count, doublings)


def read(blobs: Sequence[bytes], public: HomomorphicPublicKey) -> tuple[list[Layout], ByteMatrix]:
    """Check ciphertexts under one key; return their layouts and all their bodies in order.

    Raises KeyMismatch for another key; InvalidValue for a wrong length, or a body that is no
    ciphertext: a number in it is 0, out of range, or not prime to N.
    """
    layouts, matrix = _bodies(blobs, public, public.SCHEME, public.key.width)
    refuse(public.key.invalid(matrix), len(matrix), "ciphertext bodies")
    return layouts, matrix


def read_partial(
    blobs: Sequence[bytes], public: JointPublicKey
) -> tuple[list[Layout], ByteMatrix, ByteMatrix]:
    """Check partially decrypted ciphertexts as `read` does; return layouts, bodies and partial
    decryptions."""
    width = public.key.width
    layouts, matrix = _bodies(blobs, public, PARTIAL, width + public.key.half)
    bodies, partials = matrix[:, :width], matrix[:, width:]
    bad = public.key.invalid(bodies) + public.key.invalid_partials(partials)
    refuse(bad, len(matrix), "partially decrypted ciphertext bodies")
    return layouts, bodies, partials


def read_masked(
    blobs: Sequence[bytes], public: PaillierPublicKey
) -> tuple[list[Layout], ByteMatrix]:
    """Check ciphertexts of masked values as `read` does; return their layouts and bodies."""
    layouts, matrix = _bodies(blobs, public, MASKED, public.key.width)
    refuse(public.key.invalid(matrix), len(matrix), "ciphertext bodies")
    return layouts, matrix


def _bodies(
    blobs: Sequence[bytes], public: HomomorphicPublicKey, scheme: int, width: int
) -> tuple[list[Layout], ByteMatrix]:
    layouts, bodies = [], []
    for blob in blobs:
        layouts.append(_checked_layout(blob, len(blob), public, scheme, width))
        bodies.append(blob[_HEADER.size :])
    data = b"".join(bodies)
    return layouts, from_rows([data[i : i + width] for i in range(0, len(data), width)], width)


def _checked_layout(
    blob: bytes, length: int, public: HomomorphicPublicKey, scheme: int, width: int
) -> Layout:
    """Read the header of a ciphertext of so many bytes, whose bodies take `width` bytes each."""
    layout = layout_of(blob)
    refuse_other_key(layout.fingerprint, public)
    if layout.scheme != scheme:
        raise InvalidValue(
            f"a ciphertext is of scheme {_SCHEMES[layout.scheme]}, and this operation takes "
            f"{_SCHEMES[scheme]}"
        )
    if layout.doublings and not public.key.DOUBLINGS:
        raise InvalidValue("a ciphertext says that it was doubled, which none of its key's is")
    if slots_in(public.key.bits, layout.slot_bits) < 1:
        raise InvalidValue("a ciphertext's slots are wider than its key")
    if length != _HEADER.size + layout.bodies(public.key) * width:
        raise InvalidValue("a ciphertext does not have the length that its header says")
    return layout


def refuse_other_key(fingerprint: bytes, public: HomomorphicPublicKey) -> None:
    """Raise KeyMismatch unless the fingerprint is this key's."""
    if fingerprint != public.fingerprint_bytes:
        raise KeyMismatch(
            f"a ciphertext is under key {fingerprint.hex()}, and this operation works "
            f"under key {public.fingerprint_bytes.hex()}"
        )


def by_layout(
    blobs: pa.Array, public: HomomorphicPublicKey
) -> Iterator[tuple[Layout, NDArray[np.intp], ByteMatrix]]:
    """Check the headers of ciphertexts under one key; return those of each layout: which rows they
    are, and a row of bodies for each. What is in the bodies is not checked.

    Raises KeyMismatch and InvalidValue as `read` does. Where all headers are the same, which is
    usual, nothing is done for each row.
    """
    ends = np.frombuffer(blobs.buffers()[1], np.int32)[blobs.offset :][: len(blobs) + 1]
    lengths = np.diff(ends)
    if lengths.min() < _HEADER.size:
        raise InvalidValue("a ciphertext is shorter than its header")
    data = np.frombuffer(blobs.buffers()[2], np.uint8)
    length = int(lengths[0])
    if (lengths == length).all():
        whole = data[ends[0] : ends[-1]].reshape(-1, length)
        headers = whole[:, : _HEADER.size]
        if (headers == headers[0]).all():
            layout = _layout_of_row(headers[0], length, public)
            yield layout, np.arange(len(blobs)), whole[:, _HEADER.size :]
            return
    headers = data[ends[:-1, None] + np.arange(_HEADER.size)]
    kinds = np.concatenate([headers, lengths.astype(np.int32)[:, None].view(np.uint8)], axis=1)
    _, firsts, kind = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
    for number, first in enumerate(firsts.tolist()):
        rows, length = np.flatnonzero(kind.ravel() == number), int(lengths[first])
        layout = _layout_of_row(headers[first], length, public)
        starts = ends[rows].tolist()
        bodies = [data[start + _HEADER.size : start + length] for start in starts]
        yield layout, rows, np.stack(bodies)


def _layout_of_row(header: ByteMatrix, length: int, public: HomomorphicPublicKey) -> Layout:
    return _checked_layout(header.tobytes(), length, public, public.SCHEME, public.key.width)


def refuse(invalid: int, bodies: int, what: str) -> None:
    """Raise InvalidValue where there are invalid ones among so many bodies."""
    if invalid:
        raise InvalidValue(
            f"{invalid} of {bodies} {what} are not valid under the key: each number has "
            "to be more than 0, in range, and prime to N, a partial decryption also a square"
        )


def write(layouts: Sequence[Layout], bodies: ByteMatrix, key: AdditiveKey) -> pa.Array:
    """Return BLOBs from their layouts and all their bodies, or masks, in order."""
    rows, at, blobs = rows_of(bodies), 0, []
    for layout in layouts:
        count = layout.bodies(key)
        blobs.append(layout.header() + b"".join(rows[at : at + count]))
        at += count
    return pa.array(blobs, pa.binary())
