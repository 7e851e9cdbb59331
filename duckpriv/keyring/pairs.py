"""Key pairs: one's own, and the public keys of peers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..crypto import moduli, paillier, rsabssa
from ..errors import InvalidValue, KeyNotFound
from ..keys import (
    KeyInfo,
    OprfPrivateKey,
    OprfPublicKey,
    PaillierPrivateKey,
    PaillierPublicKey,
    RsaPrivateKey,
    RsaPublicKey,
    factors_from_pem,
    factors_pem,
    private_from_pem,
    public_der,
    public_pem,
)
from .store import KeyStore


class _Fingerprinted(Protocol):
    @property
    def fingerprint(self) -> str: ...


_Private = TypeVar("_Private")
_Public = TypeVar("_Public", bound=_Fingerprinted)


class KeyPairs(ABC, Generic[_Private, _Public]):
    """The keys of one kind in a keyring."""

    TITLE: ClassVar[str]
    SUFFIXES: ClassVar[tuple[str, str]]  # of a private key's file, and of a public key's

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._private, self._public = self.SUFFIXES

    def private(self, name: str) -> _Private:
        """Return the private key `name`. Raises KeyNotFound."""
        key = self._store.load(name, self._private, lambda data: self._read_private(name, data))
        if key is None:
            if self._store.has(name, self._public):
                raise KeyNotFound(
                    f"key '{name}' is a peer's public key; this function needs a "
                    "private key, which only the party that made it has"
                )
            raise self._store.not_found(name)
        return key

    def public(self, name: str) -> _Public:
        """Return the public key `name`, or the public half of the private key `name`. Raises
        KeyNotFound."""
        key = self._store.load(name, self._public, lambda data: self._read_public(name, data))
        if key is None:
            if not self._store.has(name, self._private):
                raise self._store.not_found(name)
            return self._half(self.private(name))
        return key

    def import_public(self, name: str, data: bytes) -> None:
        """Keep a peer's public key, which is checked. Raises InvalidValue, KeyMismatch."""
        self._store.keep_public(name, self._public, self._checked(data))

    def info(self, name: str) -> KeyInfo | None:
        """Describe the key; None where there is none."""
        whose = "private" if self._store.has(name, self._private) else "public"
        if whose == "public" and not self._store.has(name, self._public):
            return None
        key = self.public(name)
        return KeyInfo(name, f"{self.TITLE} {whose} key", self._bits(key), key.fingerprint)

    @abstractmethod
    def _read_private(self, name: str, data: bytes) -> _Private: ...

    @abstractmethod
    def _read_public(self, name: str, data: bytes) -> _Public: ...

    @abstractmethod
    def _half(self, key: _Private) -> _Public: ...

    @abstractmethod
    def _checked(self, data: bytes) -> bytes:
        """Return what is written of a peer's public key."""

    @abstractmethod
    def _bits(self, key: _Public) -> int | None: ...


class RsaKeys(KeyPairs[RsaPrivateKey, RsaPublicKey]):
    """RSA keys: PKCS #8 and SubjectPublicKeyInfo in PEM; a peer's come as DER."""

    TITLE, SUFFIXES = "RSA", (".private.pem", ".public.pem")

    def generate(self, name: str, bits: int) -> None:
        """Make an RSA key pair with e = 65537. Raises InvalidValue for a size outside
        2048 to 8192 or no multiple of 8, KeyMismatch where the name is taken."""
        low, high = rsabssa.SMALLEST_MODULUS_BITS, rsabssa.LARGEST_MODULUS_BITS
        if not low <= bits <= high or bits % 8:
            raise InvalidValue(
                f"an RSA key of {bits} bits is refused; use a multiple of 8 from {low} to {high}"
            )

        def make() -> bytes:
            return rsa.generate_private_key(rsabssa.PUBLIC_EXPONENT, bits).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )

        self._store.keep_new(name, self._private, make)

    def _read_private(self, name: str, data: bytes) -> RsaPrivateKey:
        return RsaPrivateKey(private_from_pem(name, data))

    def _read_public(self, name: str, data: bytes) -> RsaPublicKey:
        try:
            loaded = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidValue(f"the file of key '{name}' is damaged") from None
        return RsaPublicKey.from_der(public_der(loaded))

    def _half(self, key: RsaPrivateKey) -> RsaPublicKey:
        return key.public

    def _checked(self, data: bytes) -> bytes:
        return public_pem(RsaPublicKey.from_der(data))

    def _bits(self, key: RsaPublicKey) -> int:
        return key.modulus.bit_length()


class OprfKeys(KeyPairs[OprfPrivateKey, OprfPublicKey]):
    """Keys of the oblivious pseudo-random function."""

    TITLE, SUFFIXES = "OPRF", (".oprf.private", ".oprf.public")

    def generate(self, name: str) -> None:
        """Make a key pair. Raises KeyMismatch where the name is taken."""
        self._store.keep_new(name, self._private, lambda: OprfPrivateKey.generate().scalar)

    def _read_private(self, name: str, data: bytes) -> OprfPrivateKey:
        return OprfPrivateKey.from_bytes(data, name)

    def _read_public(self, name: str, data: bytes) -> OprfPublicKey:
        return OprfPublicKey.from_bytes(data)

    def _half(self, key: OprfPrivateKey) -> OprfPublicKey:
        return key.public

    def _checked(self, data: bytes) -> bytes:
        return OprfPublicKey.from_bytes(data).encoded

    def _bits(self, key: OprfPublicKey) -> None:
        return None


class PaillierKeys(KeyPairs[PaillierPrivateKey, PaillierPublicKey]):
    """Paillier keys: the two primes in the form of an RSA key, and a public key with its proof."""

    TITLE, SUFFIXES = "Paillier", (".paillier.private.pem", ".paillier.public")

    def generate(self, name: str, bits: int) -> None:
        """Make a Paillier key pair. Raises InvalidValue for a size outside 2048 to 8192 or
        no multiple of 8, KeyMismatch where the name is taken."""
        check_modulus_bits(bits)

        def make() -> bytes:
            key = paillier.PrivateKey.generate(bits)
            return factors_pem(key.p, key.q)

        self._store.keep_new(name, self._private, make)

    def import_private(self, name: str, p: int, q: int) -> None:
        """Keep the private key p * q. Raises InvalidValue for a bad modulus, KeyMismatch where the
        name is taken."""
        problem = moduli.check_modulus(p * q)
        if problem is not None:
            raise InvalidValue(f"the Paillier key is refused: {problem}")
        self._store.keep_new(name, self._private, lambda: factors_pem(p, q))

    def _read_private(self, name: str, data: bytes) -> PaillierPrivateKey:
        return PaillierPrivateKey(paillier.PrivateKey(*factors_from_pem(name, data)))

    def _read_public(self, name: str, data: bytes) -> PaillierPublicKey:
        return PaillierPublicKey.from_bytes(data)

    def _half(self, key: PaillierPrivateKey) -> PaillierPublicKey:
        return key.public

    def _checked(self, data: bytes) -> bytes:
        return PaillierPublicKey.from_bytes(data).encoded

    def _bits(self, key: PaillierPublicKey) -> int:
        return key.key.bits


def check_modulus_bits(bits: int) -> None:
    """Raise InvalidValue for a size of modulus that is not made here."""
    low, high = moduli.SMALLEST_BITS, moduli.LARGEST_BITS
    if not low <= bits <= high or bits % 8:
        raise InvalidValue(
            f"a modulus of {bits} bits is refused; use a multiple of 8 from {low} to {high}"
        )
