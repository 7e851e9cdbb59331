"""RSA keys, and how they are written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..crypto import modarith, rsabssa
from ..errors import InvalidValue, KeyMismatch


def public_der(key: object) -> bytes:
    """Return an RSA public key as DER SubjectPublicKeyInfo. Raises InvalidValue for another."""
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidValue("the public key is not an RSA key")
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_pem(key: RsaPublicKey) -> bytes:
    """Return an RSA public key in PEM."""
    loaded = serialization.load_der_public_key(key.der)
    return loaded.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@dataclass(frozen=True)
class RsaPublicKey:
    """An RSA public key that passed `rsabssa.check_public_key`."""

    modulus: int
    der: bytes

    @property
    def width(self) -> int:
        """The length of a value modulo N, in bytes."""
        return self.modulus.bit_length() // 8

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo, in hex."""
        return hashlib.sha256(self.der).hexdigest()

    @classmethod
    def from_der(cls, der: bytes) -> RsaPublicKey:
        """Read a DER SubjectPublicKeyInfo. Raises InvalidValue, saying what is wrong."""
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidValue(
                "the public key is not a readable DER SubjectPublicKeyInfo; ask for it again"
            ) from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidValue("the public key is not an RSA key")
        numbers = key.public_numbers()
        problem = rsabssa.check_public_key(numbers.n, numbers.e)
        if problem is not None:
            raise InvalidValue(f"the RSA public key is refused: {problem}")
        return cls(numbers.n, public_der(key))


class RsaPrivateKey:
    """An RSA private key: its public half and the operation x^d mod N."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        public = key.public_key()
        self.public = RsaPublicKey.from_der(public_der(public))
        self._key = key

    @property
    def pkcs8(self) -> bytes:
        """The key as a DER PKCS #8 document, unencrypted."""
        return self._key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @cached_property
    def operation(self) -> modarith.RsaPrivateOperation:
        """x -> x^d mod N on byte matrices."""
        return modarith.rsa_private_operation(self.pkcs8)


def private_from_pem(name: str, data: bytes) -> rsa.RSAPrivateKey:
    """Read the file of key `name`. Raises InvalidValue where it is damaged, KeyMismatch where
    it holds another kind of key."""
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue(f"the file of key '{name}' is damaged") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyMismatch(f"key '{name}' is not an RSA key")
    return key
