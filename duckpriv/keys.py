"""Keys as Python objects, and how public keys are written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .crypto import modarith, paillier, rsabssa
from .errors import InvalidValue, KeyMismatch


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

    @cached_property
    def operation(self) -> modarith.RsaPrivateOperation:
        """x -> x^d mod N on byte matrices."""
        pkcs8 = self._key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return modarith.rsa_private_operation(pkcs8)


@dataclass(frozen=True)
class KeyInfo:
    """What may be told of a key: never its private part."""

    name: str
    kind: str
    bits: int | None
    fingerprint: str | None


@dataclass(frozen=True)
class PaillierPublicKey:
    """A Paillier public key that passed `paillier.check_modulus` and proved itself."""

    key: paillier.PublicKey
    proof: bytes

    # There is no standard encoding: magic, version 1, scheme 1, then N and the proof.
    MAGIC = b"dpk\x01\x01"

    @property
    def encoded(self) -> bytes:
        """The key as a BLOB."""
        n = self.key.modulus.to_bytes(self.key.width // 2, "big")
        return self.MAGIC + len(n).to_bytes(2, "big") + n + self.proof

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoding, in hex."""
        return hashlib.sha256(self.encoded).hexdigest()

    @cached_property
    def fingerprint_bytes(self) -> bytes:
        """The first 16 bytes of the fingerprint, as ciphertexts name their key."""
        return bytes.fromhex(self.fingerprint)[:16]

    @classmethod
    def from_bytes(cls, data: bytes) -> PaillierPublicKey:
        """Read `encoded` from untrusted bytes. Raises InvalidValue, saying what is wrong."""
        start = len(cls.MAGIC) + 2
        width = int.from_bytes(data[len(cls.MAGIC) : start], "big")
        if (
            not data.startswith(cls.MAGIC)
            or len(data) != start + (1 + paillier.PROOF_ROOTS) * width
        ):
            raise InvalidValue("the Paillier public key is damaged, or of another version")
        modulus = int.from_bytes(data[start : start + width], "big")
        problem = paillier.check_modulus(modulus)
        if problem is not None:
            raise InvalidValue(f"the Paillier public key is refused: {problem}")
        key, proof = paillier.PublicKey(modulus), data[start + width :]
        if not key.check_proof(proof):
            raise InvalidValue(
                "the Paillier public key is refused: its proof that N is prime to phi(N) fails"
            )
        return cls(key, proof)


class PaillierPrivateKey:
    """A Paillier private key with its public half."""

    def __init__(self, key: paillier.PrivateKey) -> None:
        self.key = key
        self.public = PaillierPublicKey(key.public, key.proof())


def factors_pem(p: int, q: int) -> bytes:
    """Return p and q as an RSA private key in PEM: a well-known form for two primes."""
    e = rsabssa.PUBLIC_EXPONENT
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(e, p * q),
    )
    return numbers.private_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def factors_from_pem(name: str, data: bytes) -> tuple[int, int]:
    """Return p and q. Raises as private_from_pem does."""
    numbers = private_from_pem(name, data).private_numbers()
    return numbers.p, numbers.q


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
