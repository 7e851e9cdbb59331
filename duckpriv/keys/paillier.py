"""Paillier keys, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..crypto import moduli, paillier, rsabssa
from ..errors import InvalidValue
from .fingerprint import Fingerprinted
from .rsa import private_from_pem


@dataclass(frozen=True)
class PaillierPublicKey(Fingerprinted):
    """A Paillier public key that passed `moduli.check_modulus` and proved itself."""

    key: paillier.PublicKey
    proof: bytes

    # There is no standard encoding: magic, version 1, scheme 1, then N and the proof.
    MAGIC: ClassVar[bytes] = b"dpk\x01\x01"
    SCHEME: ClassVar[int] = 1

    @property
    def encoded(self) -> bytes:
        """The key as a BLOB."""
        n = self.key.modulus.to_bytes(self.key.width // 2, "big")
        return self.MAGIC + len(n).to_bytes(2, "big") + n + self.proof

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
        problem = moduli.check_modulus(modulus)
        if problem is not None:
            raise InvalidValue(f"the Paillier public key is refused: {problem}")
        if data[start] == 0:  # one key has one writing, as it has one fingerprint
            raise InvalidValue("the Paillier public key is written longer than it is")
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
