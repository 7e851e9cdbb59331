"""Named keys in files of mode 600.

A keyring is a folder. `NAME.private.pem` is a private key (PKCS #8), `NAME.public.pem` a
peer's imported public key (SubjectPublicKeyInfo), `NAME.secret` 32 random bytes of a session.
Private keys and secrets are read here and handed to the column functions; they
never become a SQL value.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .crypto import paillier, rsabssa
from .errors import DuckprivError, InvalidValue, KeyMismatch, KeyNotFound
from .keys import (
    KeyInfo,
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
from .names import check_key_name

_PRIVATE, _PUBLIC, _SECRET = ".private.pem", ".public.pem", ".secret"
_PAILLIER_PRIVATE, _PAILLIER_PUBLIC = ".paillier.private.pem", ".paillier.public"
_SUFFIXES = (_PAILLIER_PRIVATE, _PAILLIER_PUBLIC, _PRIVATE, _PUBLIC, _SECRET)


class Keyring:
    """The keys of one party in the folder `path`, which is made (mode 700) when needed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._lock = threading.RLock()
        self._private: dict[str, RsaPrivateKey] = {}
        self._public: dict[str, RsaPublicKey] = {}
        self._secrets: dict[str, bytes] = {}
        self._paillier_private: dict[str, PaillierPrivateKey] = {}
        self._paillier_public: dict[str, PaillierPublicKey] = {}

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

    def generate_paillier(self, name: str, bits: int) -> KeyInfo:
        """Make a Paillier key pair. Raises InvalidValue for a size outside 2048 to 8192 or
        no multiple of 8, KeyMismatch where the name is taken."""
        check_key_name(name)
        low, high = paillier.SMALLEST_MODULUS_BITS, paillier.LARGEST_MODULUS_BITS
        if not low <= bits <= high or bits % 8:
            raise InvalidValue(
                f"a Paillier key of {bits} bits is refused; use a multiple of 8 from "
                f"{low} to {high}"
            )
        with self._lock:
            self._refuse_taken(name)
            key = paillier.PrivateKey.generate(bits)
            self._write(name + _PAILLIER_PRIVATE, factors_pem(key.p, key.q))
            self._paillier_private[name] = PaillierPrivateKey(key)
        return self.info(name)

    def import_paillier_private(self, name: str, p: int, q: int) -> KeyInfo:
        """Keep the Paillier private key p * q under `name`. Raises InvalidValue for a bad
        modulus, KeyMismatch where the name is taken."""
        check_key_name(name)
        problem = paillier.check_modulus(p * q)
        if problem is not None:
            raise InvalidValue(f"the Paillier key is refused: {problem}")
        with self._lock:
            self._refuse_taken(name)
            self._write(name + _PAILLIER_PRIVATE, factors_pem(p, q))
        return self.info(name)

    def paillier_private(self, name: str) -> PaillierPrivateKey:
        """Return the Paillier private key `name`. Raises KeyNotFound."""
        with self._lock:
            if name not in self._paillier_private:
                data = self._read(name, _PAILLIER_PRIVATE)
                if data is None:
                    if self._has(f"{name}{_PAILLIER_PUBLIC}"):
                        raise KeyNotFound(
                            f"key '{name}' is a peer's public key; decrypting needs the private "
                            "key, which only the party that made it has"
                        )
                    raise self._not_found(name)
                self._paillier_private[name] = PaillierPrivateKey(
                    paillier.PrivateKey(*factors_from_pem(name, data))
                )
            return self._paillier_private[name]

    def paillier_public(self, name: str) -> PaillierPublicKey:
        """Return the Paillier public key `name`, or the public half of the private key `name`.
        Raises KeyNotFound."""
        with self._lock:
            if name not in self._paillier_public:
                data = self._read(name, _PAILLIER_PUBLIC)
                if data is None:
                    if not self._has(f"{name}{_PAILLIER_PRIVATE}"):
                        raise self._not_found(name)
                    self._paillier_public[name] = self.paillier_private(name).public
                else:
                    self._paillier_public[name] = PaillierPublicKey.from_bytes(data)
            return self._paillier_public[name]

    def paillier_by_fingerprint(self, fingerprint: bytes) -> PaillierPublicKey:
        """Return the Paillier public key that ciphertexts name. Raises KeyNotFound."""
        with self._lock:
            for key in self._paillier_public.values():
                if key.fingerprint_bytes == fingerprint:
                    return key
            for info in self.list():
                if (
                    info.kind.startswith("Paillier")
                    and self.paillier_public(info.name).fingerprint_bytes == fingerprint
                ):
                    return self.paillier_public(info.name)
        raise KeyNotFound(
            f"the keyring {self.path} has no key {fingerprint.hex()}, under which a ciphertext is; "
            "import the peer's with key_import"
        )

    def import_public(self, name: str, data: bytes) -> KeyInfo:
        """Keep a peer's public key under `name`: RSA (DER) or Paillier. The same key again
        changes nothing; another one under a name in use raises KeyMismatch, a bad one
        InvalidValue."""
        check_key_name(name)
        if data.startswith(PaillierPublicKey.MAGIC):
            return self._import_paillier(name, PaillierPublicKey.from_bytes(data))
        key = RsaPublicKey.from_der(data)
        with self._lock:
            if self._keep_public(name, _PUBLIC, public_pem(key)):
                self._public[name] = key
        return self.info(name)

    def _import_paillier(self, name: str, key: PaillierPublicKey) -> KeyInfo:
        with self._lock:
            if self._keep_public(name, _PAILLIER_PUBLIC, key.encoded):
                self._paillier_public[name] = key
        return self.info(name)

    def _keep_public(self, name: str, suffix: str, content: bytes) -> bool:
        """Write a peer's key; return False where the same one is there. Raises KeyMismatch."""
        present = self._read(name, suffix)
        if present is None:
            self._refuse_taken(name)
            self._write(name + suffix, content)
        elif present != content:
            raise KeyMismatch(
                f"key '{name}' is another public key already; import this one under "
                "another name, or remove the old one with 'duckpriv keys remove'"
            )
        return present is None

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
                self._private[name] = RsaPrivateKey(private_from_pem(name, data))
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
            self._public[name] = RsaPublicKey.from_der(public_der(loaded))
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
        if self._has(name + _PAILLIER_PRIVATE) or self._has(name + _PAILLIER_PUBLIC):
            paillier_key = self.paillier_public(name)
            whose = "private" if self._has(name + _PAILLIER_PRIVATE) else "public"
            return KeyInfo(
                name, f"Paillier {whose} key", paillier_key.key.bits, paillier_key.fingerprint
            )
        public = self.rsa_public(name)
        kind = "RSA private key" if self._has(name + _PRIVATE) else "RSA public key"
        return KeyInfo(name, kind, public.modulus.bit_length(), public.fingerprint)

    def list(self) -> list[KeyInfo]:
        """Describe everything in the keyring, by name."""
        if not self.path.is_dir():
            return []
        names = {
            file.name.partition(".")[0]
            for file in self.path.iterdir()
            if file.name.endswith(_SUFFIXES) and not file.name.startswith(".")
        }
        return [self._info_or_damaged(name) for name in sorted(names)]

    def remove(self, name: str) -> None:
        """Delete the key or secret `name`. Raises KeyNotFound."""
        check_key_name(name)
        with self._lock:
            files = [self.path / (name + suffix) for suffix in _SUFFIXES]
            found = [file for file in files if file.exists()]
            if not found:
                raise self._not_found(name)
            for file in found:
                file.unlink()
            for cached in (
                self._private,
                self._public,
                self._secrets,
                self._paillier_private,
                self._paillier_public,
            ):
                cached.pop(name, None)

    def _info_or_damaged(self, name: str) -> KeyInfo:
        try:
            return self.info(name)
        except DuckprivError:
            return KeyInfo(name, "damaged", None, None)

    def _has(self, file: str) -> bool:
        return (self.path / file).is_file()

    def _refuse_taken(self, name: str) -> None:
        if any(self._has(name + suffix) for suffix in _SUFFIXES):
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
