"""Keys of the oblivious pseudo-random function, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from ..crypto import oprf, ristretto
from ..crypto.bytecolumns import from_rows
from ..errors import InvalidValue
from .fingerprint import Fingerprinted


@dataclass(frozen=True)
class OprfPublicKey(Fingerprinted):
    """The public key: an element of ristretto255 that is not the identity."""

    element: bytes

    MAGIC: ClassVar[bytes] = b"dpk\x01\x06"

    @property
    def encoded(self) -> bytes:
        """The key as a BLOB."""
        return self.MAGIC + self.element

    @classmethod
    def from_bytes(cls, data: bytes) -> OprfPublicKey:
        """Read `encoded` from untrusted bytes. Raises InvalidValue, saying what is wrong."""
        element = data[len(cls.MAGIC) :]
        if not data.startswith(cls.MAGIC) or len(element) != oprf.ELEMENT_BYTES:
            raise InvalidValue("the OPRF public key is damaged, or of another version")
        if ristretto.invalid(from_rows([element], oprf.ELEMENT_BYTES)):
            raise InvalidValue("the OPRF public key is refused: it is no element of ristretto255")
        return cls(element)


@dataclass(frozen=True)
class OprfPrivateKey:
    """A private key: a scalar that is not 0, of 32 bytes."""

    scalar: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> OprfPrivateKey:
        """Draw a key."""
        return cls(oprf.random_scalar())

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> OprfPrivateKey:
        """Read the file of key `name`. Raises InvalidValue where it is damaged."""
        fits = len(data) == oprf.SCALAR_BYTES
        if not fits or not 0 < int.from_bytes(data, "little") < ristretto.ORDER:
            raise InvalidValue(f"the file of key '{name}' is damaged")
        return cls(data)

    @cached_property
    def public(self) -> OprfPublicKey:
        """Its public half."""
        return OprfPublicKey(oprf.public_key(self.scalar))
