"""Named keys in files of mode 600.

A keyring is a folder. `NAME.private.pem` is a private key (PKCS #8), `NAME.public.pem` a
peer's imported public key (SubjectPublicKeyInfo), `NAME.secret` 32 random bytes of a session.
Private keys and secrets are read here and handed to the column functions; they
never become a SQL value.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .crypto import modarith, rsabssa
from .errors import DuckprivError, InvalidValue, KeyMismatch, KeyNotFound
from .names import check_key_name

_PRIVATE, _PUBLIC, _SECRET = ".private.pem", ".public.pem", ".secret"


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
        return cls(numbers.n, _public_der(key))


class RsaPrivateKey:
    """An RSA private key: its public half and the operation x^d mod N."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        public = key.public_key()
        self.public = RsaPublicKey.from_der(_public_der(public))
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


class Keyring:
    """The keys of one party in the folder `path`, which is made (mode 700) when needed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._lock = threading.RLock()
        self._private: dict[str, RsaPrivateKey] = {}
        self._public: dict[str, RsaPublicKey] = {}
        self._secrets: dict[str, bytes] = {}

    def generate_rsa(self, name: str, bits: int) -> KeyInfo:
        """Make an RSA key pair with e = 65537. Raises InvalidValue for a size outside
        2048 to 8192 or no multiple of 8, KeyMismatch where the name is taken."""
        check_key_name(name)
        low, high = rsabssa.SMALLEST_MODULUS_BITS, rsabssa.LARGEST_MODULUS_BITS
        if not low <= bits <= high or bits % 8:
            raise InvalidValue(
                f"an RSA key of {bits} bits is refused; use a multiple of 8 from {low} to {high}"
            )
        with self._lock:
            self._refuse_taken(name)
            key = rsa.generate_private_key(rsabssa.PUBLIC_EXPONENT, bits)
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            self._write(name + _PRIVATE, pem)
            self._private[name] = RsaPrivateKey(key)
        return self.info(name)

    def import_public(self, name: str, der: bytes) -> KeyInfo:
        """Keep a peer's public key under `name`. The same key again changes nothing;
        another one under a name in use raises KeyMismatch, a bad one InvalidValue."""
        check_key_name(name)
        key = RsaPublicKey.from_der(der)
        with self._lock:
            if self._has(name + _PRIVATE):
                self._refuse_taken(name)
            if self._has(name + _PUBLIC):
                if self.rsa_public(name) != key:
                    raise KeyMismatch(
                        f"key '{name}' is another public key already; import this one under "
                        "another name, or remove the old one with 'duckpriv keys remove'"
                    )
            else:
                self._write(name + _PUBLIC, _public_pem(key))
                self._public[name] = key
        return self.info(name)

    def rsa_private(self, name: str) -> RsaPrivateKey:
        """Return the private key `name`. Raises KeyNotFound."""
        with self._lock:
            if name not in self._private:
                data = self._read(name, _PRIVATE)
                if data is None:
                    if self._has(f"{name}{_PUBLIC}"):
                        raise KeyNotFound(
                            f"key '{name}' is a peer's public key; this function needs a "
                            "private key, which only the party that made it has"
                        )
                    raise self._not_found(name)
                try:
                    key = serialization.load_pem_private_key(data, None)
                except (ValueError, TypeError, UnsupportedAlgorithm):
                    raise InvalidValue(f"the file of key '{name}' is damaged") from None
                if not isinstance(key, rsa.RSAPrivateKey):
                    raise KeyMismatch(f"key '{name}' is not an RSA key")
                self._private[name] = RsaPrivateKey(key)
            return self._private[name]

    def rsa_public(self, name: str) -> RsaPublicKey:
        """Return the public key `name`, or the public half of the private key `name`.
        Raises KeyNotFound."""
        with self._lock:
            if name in self._public:
                return self._public[name]
            data = self._read(name, _PUBLIC)
            if data is None:
                if self._has(f"{name}{_PRIVATE}"):
                    return self.rsa_private(name).public
                raise self._not_found(name)
            try:
                loaded = serialization.load_pem_public_key(data)
            except (ValueError, UnsupportedAlgorithm):
                raise InvalidValue(f"the file of key '{name}' is damaged") from None
            self._public[name] = RsaPublicKey.from_der(_public_der(loaded))
            return self._public[name]

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`, drawn at first use."""
        check_key_name(name)
        with self._lock:
            if name not in self._secrets:
                data = self._read(name, _SECRET)
                if data is None:
                    data = secrets.token_bytes(32)
                    self._write(name + _SECRET, data)
                elif len(data) != 32:
                    raise InvalidValue(f"the file of secret '{name}' is damaged")
                self._secrets[name] = data
            return self._secrets[name]

    def info(self, name: str) -> KeyInfo:
        """Describe the key or secret `name`. Raises KeyNotFound."""
        if self._has(name + _SECRET):
            return KeyInfo(name, "session secret", None, None)
        public = self.rsa_public(name)
        kind = "RSA private key" if self._has(name + _PRIVATE) else "RSA public key"
        return KeyInfo(name, kind, public.modulus.bit_length(), public.fingerprint)

    def list(self) -> list[KeyInfo]:
        """Describe everything in the keyring, by name."""
        if not self.path.is_dir():
            return []
        names = {
            file.name.removesuffix(suffix)
            for file in self.path.iterdir()
            for suffix in (_PRIVATE, _PUBLIC, _SECRET)
            if file.name.endswith(suffix)
        }
        return [self._info_or_damaged(name) for name in sorted(names)]

    def remove(self, name: str) -> None:
        """Delete the key or secret `name`. Raises KeyNotFound."""
        check_key_name(name)
        with self._lock:
            files = [self.path / (name + suffix) for suffix in (_PRIVATE, _PUBLIC, _SECRET)]
            found = [file for file in files if file.exists()]
            if not found:
                raise self._not_found(name)
            for file in found:
                file.unlink()
            for cached in (self._private, self._public, self._secrets):
                cached.pop(name, None)

    def _info_or_damaged(self, name: str) -> KeyInfo:
        try:
            return self.info(name)
        except DuckprivError:
            return KeyInfo(name, "damaged", None, None)

    def _has(self, file: str) -> bool:
        return (self.path / file).is_file()

    def _refuse_taken(self, name: str) -> None:
        if any(self._has(name + suffix) for suffix in (_PRIVATE, _PUBLIC, _SECRET)):
            raise KeyMismatch(
                f"the name '{name}' is taken in this keyring; choose another one (a script "
                "makes its keys from the session's name: start a new session)"
            )

    def _not_found(self, name: str) -> KeyNotFound:
        known = ", ".join(info.name for info in self.list()) or "none yet"
        return KeyNotFound(
            f"no key '{name}' in the keyring {self.path}; its keys: {known}. Make one with "
            "rsa_keygen or import a peer's with key_import"
        )

    def _read(self, name: str, suffix: str) -> bytes | None:
        check_key_name(name)
        try:
            return (self.path / (name + suffix)).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, file: str, data: bytes) -> None:
        """Write a new file of mode 600, whole or not at all."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self.path / f".{secrets.token_hex(8)}.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as output:
                output.write(data)
                output.flush()
                os.fsync(output.fileno())
            os.link(partial, self.path / file)  # fails where another process was first
        except FileExistsError:
            raise KeyMismatch(
                f"'{file}' was just made in this keyring by another process; run again"
            ) from None
        finally:
            partial.unlink()


def _public_der(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidValue("the public key is not an RSA key")
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _public_pem(key: RsaPublicKey) -> bytes:
    loaded = serialization.load_der_public_key(key.der)
    return loaded.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
