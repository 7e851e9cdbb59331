"""Keys that several parties hold together: each party's part, what it publishes, the public key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import ClassVar

from ..crypto import joint_elgamal, moduli, paillier
from ..crypto.hashing import sha256
from ..errors import InvalidValue
from .fingerprint import Fingerprinted
from .paillier import PaillierPrivateKey, PaillierPublicKey


@dataclass(frozen=True)
class JointPublicKey(Fingerprinted):
    """A key that several parties hold together: N and h."""

    key: joint_elgamal.PublicKey

    # Magic, version 1, scheme 2, then N and h.
    MAGIC: ClassVar[bytes] = b"dpk\x01\x02"
    SCHEME: ClassVar[int] = 2

    @property
    def encoded(self) -> bytes:
        """The key as a BLOB."""
        return self.MAGIC + _numbers(self.key.half, self.key.modulus, self.key.h)

    @classmethod
    def from_bytes(cls, data: bytes) -> JointPublicKey:
        """Read `encoded` from untrusted bytes. Raises InvalidValue, saying what is wrong."""
        if not data.startswith(cls.MAGIC):
            raise InvalidValue("the joint public key is damaged, or of another version")
        (modulus, h), rest = _read_numbers(data[len(cls.MAGIC) :])
        if rest:
            raise InvalidValue("the joint public key is damaged")
        problem = moduli.check_modulus(modulus) or joint_elgamal.check_share(h, modulus)
        if problem is not None:
            raise InvalidValue(f"the joint public key is refused: {problem}")
        return cls(joint_elgamal.PublicKey(modulus, h))


@dataclass(frozen=True)
class JointModulus(Fingerprinted):
    """A modulus for joint keys, whose maker forgot the factors, with a Paillier key's checks."""

    key: PaillierPublicKey

    MAGIC: ClassVar[bytes] = b"dpk\x01\x05"

    @classmethod
    def generate(cls, bits: int) -> JointModulus:
        """Make a modulus, and forget its factors."""
        return cls(PaillierPrivateKey(paillier.PrivateKey.generate(bits)).public)

    @property
    def encoded(self) -> bytes:
        """The modulus and its proof as a BLOB: no Paillier key, though it is one but for that."""
        return self.MAGIC + self.key.encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> JointModulus:
        """Read `encoded` from untrusted bytes. Raises InvalidValue, saying what is wrong."""
        if not data.startswith(cls.MAGIC):
            raise InvalidValue("this is no modulus for joint keys, or one of another version")
        return cls(PaillierPublicKey.from_bytes(data[len(cls.MAGIC) :]))


@dataclass(frozen=True)
class KeyShare:
    """What a party publishes of its part of a joint key: h_P, a proof that it knows x_P, and
    the nonce that opens its commitment. All are bound to the part's name."""

    modulus: int
    h: int
    proof: bytes
    nonce: bytes

    MAGIC: ClassVar[bytes] = b"dpk\x01\x03"
    NONCE_BYTES: ClassVar[int] = 32

    @property
    def encoded(self) -> bytes:
        """The share as a BLOB."""
        width = (self.modulus.bit_length() + 7) // 8
        return self.MAGIC + _numbers(width, self.modulus, self.h) + self.proof + self.nonce

    def commitment(self, name: str) -> bytes:
        """Return the hash that is sent before any share is shown: 32 bytes."""
        return sha256("duckpriv/joint-key/commitment/v1", name.encode(), self.encoded)

    @staticmethod
    def context(name: str) -> bytes:
        """Return what the proof is bound to."""
        return sha256("duckpriv/joint-key/proof-context/v1", name.encode())

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> KeyShare:
        """Read `encoded` from untrusted bytes and check its proof. Raises InvalidValue."""
        if not data.startswith(cls.MAGIC):
            raise InvalidValue("the key share is damaged, or of another version")
        (modulus, h), rest = _read_numbers(data[len(cls.MAGIC) :])
        if len(rest) != joint_elgamal.PROOF_BYTES + cls.NONCE_BYTES:
            raise InvalidValue("the key share is damaged")
        share = cls(modulus, h, rest[: -cls.NONCE_BYTES], rest[-cls.NONCE_BYTES :])
        problem = moduli.check_modulus(modulus) or joint_elgamal.check_share(h, modulus)
        if problem is not None:
            raise InvalidValue(f"the key share is refused: {problem}")
        if not joint_elgamal.check_proof(share.proof, h, modulus, cls.context(name)):
            raise InvalidValue(
                f"the key share is refused: its proof of knowledge for '{name}' does not hold"
            )
        return share


@dataclass(frozen=True)
class KeyPart:
    """A party's own part of a joint key: the secret x_P, with what it publishes."""

    x: int
    share: KeyShare

    MAGIC: ClassVar[bytes] = b"dpk\x01\x04"

    @classmethod
    def generate(cls, name: str, modulus: int) -> KeyPart:
        """Draw x_P, and prove it under `name`."""
        x = secrets.randbits(8 * joint_elgamal.EXPONENT_BYTES)
        proof = joint_elgamal.prove(x, modulus, KeyShare.context(name))
        h = joint_elgamal.public_share(x, modulus)
        return cls(x, KeyShare(modulus, h, proof, secrets.token_bytes(KeyShare.NONCE_BYTES)))

    @property
    def encoded(self) -> bytes:
        """The part as it stands in its file: secret."""
        return (
            self.MAGIC + self.x.to_bytes(joint_elgamal.EXPONENT_BYTES, "big") + self.share.encoded
        )

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> KeyPart:
        """Read `encoded`. Raises InvalidValue where the file is damaged."""
        start = len(cls.MAGIC) + joint_elgamal.EXPONENT_BYTES
        if not data.startswith(cls.MAGIC):
            raise InvalidValue(f"the file of key '{name}' is damaged")
        return cls(
            int.from_bytes(data[len(cls.MAGIC) : start], "big"),
            KeyShare.from_bytes(data[start:], name),
        )


def _numbers(width: int, *numbers: int) -> bytes:
    return width.to_bytes(2, "big") + b"".join(number.to_bytes(width, "big") for number in numbers)


def _read_numbers(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Return the two numbers of `_numbers` and what follows them. Raises InvalidValue."""
    width = int.from_bytes(data[:2], "big")
    if len(data) < 2 + 2 * width:
        raise InvalidValue("the key is shorter than it says")
    if data[2:3] == b"\0":  # one key has one writing, as it has one fingerprint
        raise InvalidValue("the key is written longer than it is")
    first, second = data[2 : 2 + width], data[2 + width : 2 + 2 * width]
    return (int.from_bytes(first, "big"), int.from_bytes(second, "big")), data[2 + 2 * width :]
