"""Named keys in files of mode 600.

A keyring is a folder. `NAME.private.pem` is an RSA private key (PKCS #8), `NAME.public.pem` a
peer's imported public key (SubjectPublicKeyInfo), `NAME.secret` 32 random bytes of a session; the
other files hold Paillier and joint keys. `journal.private` is a secret that no function can name:
it shows which rows of a run's journal this party wrote (`journal.py`). Private keys and secrets are
read here and handed to the column functions; they never become a SQL value. With a passphrase their
files are encrypted (`keyfiles.py`).
"""

from __future__ import annotations

import builtins
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .crypto import joint_elgamal, moduli, paillier, rsabssa
from .disk import home_expanded
from .errors import DuckprivError, InvalidValue, KeyMismatch, KeyNotFound
from .keyfiles import KeyFiles
from .keys import (
    HomomorphicPublicKey,
    Identity,
    JointModulus,
    JointPublicKey,
    KeyInfo,
    KeyPart,
    KeyShare,
    OprfPrivateKey,
    OprfPublicKey,
    PaillierPrivateKey,
    PaillierPublicKey,
    PublicIdentity,
    RsaPrivateKey,
    RsaPublicKey,
    SeedPart,
    Unfinished,
    factors_from_pem,
    factors_pem,
    private_from_pem,
    public_der,
    public_pem,
    read_fingerprint,
)
from .keys.unfinished import delete, settle
from .names import check_key_name, check_name

_PRIVATE, _PUBLIC, _SECRET = ".private.pem", ".public.pem", ".secret"
_PAILLIER_PRIVATE, _PAILLIER_PUBLIC = ".paillier.private.pem", ".paillier.public"
_JOINT_PART, _JOINT_PUBLIC = ".joint.private", ".joint.public"
_JOINT_MODULUS = ".joint.modulus"
_SEED_PART = ".seed.private"
_OPRF_PRIVATE, _OPRF_PUBLIC = ".oprf.private", ".oprf.public"
_IDENTITY, _TRUSTED = ".identity.private", ".identity.public"
_SUFFIXES = (
    _PAILLIER_PRIVATE,
    _PAILLIER_PUBLIC,
    _JOINT_PART,
    _JOINT_PUBLIC,
    _JOINT_MODULUS,
    _SEED_PART,
    _OPRF_PRIVATE,
    _OPRF_PUBLIC,
    _IDENTITY,
    _TRUSTED,
    _PRIVATE,
    _PUBLIC,
    _SECRET,
)
_JOURNAL = "journal.private"  # no key: none of the suffixes
# The modulus whose factors nobody has published, by name.
PUBLIC_MODULUS = "rsa-2048"
KINDS = ("rsa", "oprf", "paillier", "joint", "modulus")
_Key = TypeVar("_Key")


class Keyring:
    """The keys of one party in the folder `path`, which is made (mode 700) when needed.

    With a passphrase its private files are encrypted. A new keyring gets the one that is given
    here; `protect` sets, changes or removes that of another. Reading or making a private key
    raises KeyNotFound where the passphrase is missing, KeyMismatch where it is a wrong one.
    """

    def __init__(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        self.path = home_expanded(Path(path))
        self._files = KeyFiles(self.path, passphrase)
        self._lock = threading.RLock()
        self._loaded: dict[str, object] = {}  # by file name
        self._unfinished: Unfinished | None = None  # while a statement runs that may be undone

    @property
    def protected(self) -> bool:
        """Whether the keyring has a passphrase."""
        return self._files.protected

    def protect(self, passphrase: str | None) -> None:
        """Encrypt all private files under a new passphrase; None removes it. Killed in between,
        the keyring asks for this to be run again. No other process should use it meanwhile."""
        self._files.protect(passphrase)

    def generate_rsa(self, name: str, bits: int) -> KeyInfo:
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

        return self._keep_new(name, _PRIVATE, make)

    def generate_paillier(self, name: str, bits: int) -> KeyInfo:
        """Make a Paillier key pair. Raises InvalidValue for a size outside 2048 to 8192 or
        no multiple of 8, KeyMismatch where the name is taken."""
        check_modulus_bits(bits)

        def make() -> bytes:
            key = paillier.PrivateKey.generate(bits)
            return factors_pem(key.p, key.q)

        return self._keep_new(name, _PAILLIER_PRIVATE, make)

    def import_paillier_private(self, name: str, p: int, q: int) -> KeyInfo:
        """Keep the Paillier private key p * q under `name`. Raises InvalidValue for a bad
        modulus, KeyMismatch where the name is taken."""
        problem = moduli.check_modulus(p * q)
        if problem is not None:
            raise InvalidValue(f"the Paillier key is refused: {problem}")
        return self._keep_new(name, _PAILLIER_PRIVATE, lambda: factors_pem(p, q))

    def generate_joint(self, name: str, modulus: str) -> KeyInfo:
        """Make this party's part of a joint key, modulo the public RSA-2048 number or the modulus
        that was imported under the name `modulus`. Raises KeyNotFound where there is none,
        KeyMismatch where the name is taken."""
        number = (
            moduli.RSA_2048
            if modulus == PUBLIC_MODULUS
            else self.joint_modulus(modulus).key.key.modulus
        )
        return self._keep_new(name, _JOINT_PART, lambda: KeyPart.generate(name, number).encoded)

    def joint_modulus(self, name: str) -> JointModulus:
        """Return the modulus for joint keys that was imported as `name`. Raises KeyNotFound."""
        modulus = self._load(name, _JOINT_MODULUS, JointModulus.from_bytes)
        if modulus is None:
            raise self._not_found(name)
        return modulus

    def joint_part(self, name: str) -> KeyPart:
        """Return this party's part of the joint key `name`. Raises KeyNotFound."""
        part = self._load(name, _JOINT_PART, lambda data: KeyPart.from_bytes(data, name))
        if part is None:
            if self._has(name, _JOINT_PUBLIC):
                raise KeyNotFound(
                    f"key '{name}' is a joint public key; decrypting needs a part of the private "
                    "key, which only the parties that made it have"
                )
            raise self._not_found(name)
        return part

    def join(self, name: str, peer_name: str, commitment: bytes, share: bytes) -> KeyInfo:
        """Make the joint public key of the own part `name` and a peer's share of the part that
        it calls `peer_name`.

        Raises InvalidValue where the share is damaged or does not prove itself; KeyMismatch where
        it does not open the commitment, has another modulus, or `name` was joined with another.
        """
        check_key_name(peer_name)
        own = self.joint_part(name).share
        other = KeyShare.from_bytes(share, peer_name)
        if not secrets.compare_digest(other.commitment(peer_name), commitment):
            raise KeyMismatch(
                f"the key share of '{peer_name}' is not the one it committed to; nothing was joined"
            )
        if other.modulus != own.modulus:
            raise KeyMismatch("the two parts of the joint key have different moduli")
        if peer_name == name or other.h == own.h:
            raise KeyMismatch("this is your own key share; a joint key needs the peer's")
        h = joint_elgamal.combined([own.h, other.h], own.modulus)
        if joint_elgamal.check_share(h, own.modulus) is not None:
            raise KeyMismatch("the two key shares cancel each other; nothing was joined")
        public = JointPublicKey(joint_elgamal.PublicKey(own.modulus, h))
        with self._lock:
            self._write_first(name + _JOINT_PUBLIC, public.encoded)
            if self._read(name, _JOINT_PUBLIC) != public.encoded:
                raise KeyMismatch(f"'{name}' is part of another joint key already")
        return self.info(name)

    def joint_public(self, name: str) -> JointPublicKey:
        """Return the joint public key `name`. Raises KeyNotFound."""
        key = self._load(name, _JOINT_PUBLIC, JointPublicKey.from_bytes)
        if key is None:
            if self._has(name, _JOINT_PART):
                raise KeyNotFound(
                    f"'{name}' is your part of a joint key and was not joined with the peer's "
                    "yet; use joint_combine"
                )
            raise self._not_found(name)
        return key

    def paillier_private(self, name: str) -> PaillierPrivateKey:
        """Return the Paillier private key `name`. Raises KeyNotFound."""

        def parse(data: bytes) -> PaillierPrivateKey:
            return PaillierPrivateKey(paillier.PrivateKey(*factors_from_pem(name, data)))

        key = self._load(name, _PAILLIER_PRIVATE, parse)
        if key is None:
            if self._has(name, _PAILLIER_PUBLIC):
                raise KeyNotFound(
                    f"key '{name}' is a peer's public key; decrypting needs the private "
                    "key, which only the party that made it has"
                )
            raise self._not_found(name)
        return key

    def paillier_public(self, name: str) -> PaillierPublicKey:
        """Return the Paillier public key `name`, or the public half of the private key `name`.
        Raises KeyNotFound."""
        key = self._load(name, _PAILLIER_PUBLIC, PaillierPublicKey.from_bytes)
        if key is None:
            if not self._has(name, _PAILLIER_PRIVATE):
                raise self._not_found(name)
            return self.paillier_private(name).public
        return key

    def homomorphic_public(self, name: str) -> HomomorphicPublicKey:
        """Return the Paillier or joint public key `name`. Raises KeyNotFound."""
        joint = self._has(name, _JOINT_PUBLIC) or self._has(name, _JOINT_PART)
        return self.joint_public(name) if joint else self.paillier_public(name)

    def import_public(self, name: str, data: bytes, kind: str) -> KeyInfo:
        """Keep a peer's public key under `name`: an 'rsa' key (DER), an 'oprf', 'paillier' or
        'joint' key, or a 'modulus' for joint keys. The same key again changes nothing; another one
        under a name in use raises KeyMismatch, one that is bad or of another kind InvalidValue."""
        if kind == "rsa":
            return self._keep_public(name, _PUBLIC, public_pem(RsaPublicKey.from_der(data)))
        if kind == "oprf":
            return self._keep_public(name, _OPRF_PUBLIC, OprfPublicKey.from_bytes(data).encoded)
        if kind == "paillier":
            return self._keep_public(
                name, _PAILLIER_PUBLIC, PaillierPublicKey.from_bytes(data).encoded
            )
        if kind == "joint":
            return self._keep_public(name, _JOINT_PUBLIC, JointPublicKey.from_bytes(data).encoded)
        if kind == "modulus":
            return self._keep_public(name, _JOINT_MODULUS, JointModulus.from_bytes(data).encoded)
        raise InvalidValue(f"the kind of a key is one of {', '.join(KINDS)}")

    def rsa_private(self, name: str) -> RsaPrivateKey:
        """Return the private key `name`. Raises KeyNotFound."""
        key = self._load(name, _PRIVATE, lambda data: RsaPrivateKey(private_from_pem(name, data)))
        if key is None:
            raise self._no_private(name, _PUBLIC)
        return key

    def rsa_public(self, name: str) -> RsaPublicKey:
        """Return the public key `name`, or the public half of the private key `name`.
        Raises KeyNotFound."""

        def parse(data: bytes) -> RsaPublicKey:
            try:
                loaded = serialization.load_pem_public_key(data)
            except (ValueError, UnsupportedAlgorithm):
                raise InvalidValue(f"the file of key '{name}' is damaged") from None
            return RsaPublicKey.from_der(public_der(loaded))

        key = self._load(name, _PUBLIC, parse)
        if key is None:
            if not self._has(name, _PRIVATE):
                raise self._not_found(name)
            return self.rsa_private(name).public
        return key

    def generate_oprf(self, name: str) -> KeyInfo:
        """Make a key pair of the OPRF. Raises KeyMismatch where the name is taken."""
        return self._keep_new(name, _OPRF_PRIVATE, lambda: OprfPrivateKey.generate().scalar)

    def oprf_private(self, name: str) -> OprfPrivateKey:
        """Return the OPRF's private key `name`. Raises KeyNotFound."""
        key = self._load(name, _OPRF_PRIVATE, lambda data: OprfPrivateKey.from_bytes(data, name))
        if key is None:
            raise self._no_private(name, _OPRF_PUBLIC)
        return key

    def oprf_public(self, name: str) -> OprfPublicKey:
        """Return the OPRF's public key `name`, or the public half of the private key `name`.
        Raises KeyNotFound."""
        key = self._load(name, _OPRF_PUBLIC, OprfPublicKey.from_bytes)
        if key is None:
            if not self._has(name, _OPRF_PRIVATE):
                raise self._not_found(name)
            return self.oprf_private(name).public
        return key

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`, drawn at first use."""

        def parse(data: bytes) -> bytes:
            if len(data) != 32:
                raise InvalidValue(f"the file of secret '{name}' is damaged")
            return data

        with self._lock:
            known = self._load(name, _SECRET, parse)
            if known is None:
                drawn = secrets.token_bytes(32)
                self._write_first(name + _SECRET, drawn)
                known = self._load(name, _SECRET, parse)
            if known is None:
                raise self._not_found(name)  # somebody has just removed it
            return known

    def journal_secret(self) -> bytes:
        """Return the 32 random bytes that authenticate the journals of runs, drawn at first use."""
        with self._lock:
            known = self._files.read(_JOURNAL)
            if known is None:
                with suppress(FileExistsError):  # another process was first
                    self._files.write(_JOURNAL, secrets.token_bytes(32))
                known = self._files.read(_JOURNAL)
        if known is None or len(known) != 32:
            raise InvalidValue(f"the file {_JOURNAL} of the keyring {self.path} is damaged")
        return known

    def generate_seed_part(self, name: str) -> KeyInfo:
        """Make this party's part of a seed. Raises KeyMismatch where the name is taken."""
        return self._keep_new(name, _SEED_PART, lambda: SeedPart.generate().encoded)

    def seed_part(self, name: str) -> SeedPart:
        """Return this party's part of a seed. Raises KeyNotFound."""
        part = self._load(name, _SEED_PART, lambda data: SeedPart.from_bytes(data, name))
        if part is None:
            raise self._not_found(name)
        return part

    def create_identity(self, me: str) -> PublicIdentity:
        """Make the identity of this party, called `me`. Raises KeyMismatch where it has one."""
        check_name("your own name (me)", me)
        try:
            self._keep_new(_identity(me), _IDENTITY, lambda: Identity.generate(me).encoded)
        except KeyMismatch:
            if not self._has(_identity(me), _IDENTITY):
                raise
            raise KeyMismatch(
                f"'{me}' has an identity in the keyring {self.path} already; peers trust it. "
                f"'duckpriv keys remove {_identity(me)}' deletes it, and then all have to trust "
                "the new one"
            ) from None
        return self.identity(me).public

    def identity(self, me: str) -> Identity:
        """Return the identity of this party. Raises KeyNotFound."""
        name = _identity(check_name("your own name (me)", me))
        found = self._load(name, _IDENTITY, lambda data: Identity.from_bytes(data, me))
        if found is None:
            raise KeyNotFound(
                f"'{me}' has no identity in the keyring {self.path}; make one with 'duckpriv "
                f"identity create {me}', and let the peers trust it. For a trial without "
                "encryption and signatures: --unprotected, or unprotected=True"
            )
        return found

    def trust(self, identity: PublicIdentity, fingerprint: str) -> None:
        """Trust a peer's identity whose fingerprint the peer has told in another way. Raises
        InvalidValue where that has not the form of one, KeyMismatch where it is another one, or
        the peer's name stands for another identity."""
        told = read_fingerprint(fingerprint, identity.name)
        if not secrets.compare_digest(told.encode(), identity.fingerprint.encode()):
            raise KeyMismatch(
                f"the identity of '{identity.name}' has fingerprint {identity.fingerprint}, not "
                "the one you gave; ask the peer for both again"
            )
        name, content = _identity(identity.name), identity.text.encode()
        if self._read(name, _TRUSTED) not in (None, content):
            raise KeyMismatch(
                f"you trust another identity of '{identity.name}'; if the peer says that it has "
                f"made a new one: 'duckpriv keys remove {name}', and trust this one then"
            )
        self._keep_public(name, _TRUSTED, content)

    def trusted(self, peer: str) -> PublicIdentity:
        """Return the trusted identity of a peer. Raises KeyNotFound."""
        name = _identity(check_name("the peer", peer))
        found = self._load(name, _TRUSTED, PublicIdentity.from_text)
        if found is None:
            raise KeyNotFound(
                f"you trust no identity of '{peer}' in the keyring {self.path}; get the line that "
                f"'duckpriv identity show' prints at {peer}, compare the fingerprint with {peer} "
                "by telephone or in person, and give it to 'duckpriv identity trust'"
            )
        return found

    def all_trusted(self) -> builtins.list[PublicIdentity]:
        """Return every trusted identity, by name."""
        files = sorted(file.name for file in self.path.glob(_identity("*") + _TRUSTED))
        return [self.trusted(name[len(_identity("")) : -len(_TRUSTED)]) for name in files]

    def known_secret(self, name: str) -> bytes:
        """Return the 32 bytes of a secret that was kept. Raises KeyNotFound."""
        if not self._has(name, _SECRET):
            raise self._not_found(name)
        return self.secret(name)

    def keep_secret(self, name: str, secret: bytes) -> KeyInfo:
        """Keep 32 bytes under a new name. The same ones again change nothing; others raise
        KeyMismatch."""
        if not self._has(name, _SECRET):
            with self._lock:
                self._refuse_taken(name, but=_SECRET)  # another process may just have kept it
                self._write_first(name + _SECRET, secret)
        if not secrets.compare_digest(self.secret(name), secret):
            raise self._taken(name)
        return self.info(name)

    def info(self, name: str) -> KeyInfo:
        """Describe the key or secret `name`. Raises KeyNotFound."""
        if self._has(name, _SECRET):
            return KeyInfo(name, "session secret", None, None)
        if self._has(name, _PAILLIER_PRIVATE) or self._has(name, _PAILLIER_PUBLIC):
            paillier_key = self.paillier_public(name)
            whose = "private" if self._has(name, _PAILLIER_PRIVATE) else "public"
            return KeyInfo(
                name, f"Paillier {whose} key", paillier_key.key.bits, paillier_key.fingerprint
            )
        if self._has(name, _JOINT_PUBLIC):
            joint = self.joint_public(name)
            kind = "joint key" if self._has(name, _JOINT_PART) else "joint public key"
            return KeyInfo(name, kind, joint.key.bits, joint.fingerprint)
        if self._has(name, _JOINT_PART):
            bits = self.joint_part(name).share.modulus.bit_length()
            return KeyInfo(name, "part of a joint key", bits, None)
        if self._has(name, _JOINT_MODULUS):
            modulus = self.joint_modulus(name)
            return KeyInfo(
                name, "modulus for joint keys", modulus.key.key.bits, modulus.fingerprint
            )
        if self._has(name, _OPRF_PRIVATE) or self._has(name, _OPRF_PUBLIC):
            whose = "private" if self._has(name, _OPRF_PRIVATE) else "public"
            return KeyInfo(name, f"OPRF {whose} key", None, self.oprf_public(name).fingerprint)
        if self._has(name, _SEED_PART):
            return KeyInfo(name, "part of a seed", None, None)
        if self._has(name, _IDENTITY):
            own = self.identity(name.removeprefix(_identity(""))).public
            return KeyInfo(name, "own identity", None, own.fingerprint)
        if self._has(name, _TRUSTED):
            peer = self.trusted(name.removeprefix(_identity("")))
            return KeyInfo(name, "trusted identity", None, peer.fingerprint)
        public = self.rsa_public(name)
        kind = "RSA private key" if self._has(name, _PRIVATE) else "RSA public key"
        return KeyInfo(name, kind, public.modulus.bit_length(), public.fingerprint)

    def list(self) -> builtins.list[KeyInfo]:
        """Describe everything in the keyring, by name."""
        names = self._names()
        if names:
            self._files.unlock()  # else all private keys would be listed as damaged
        return [self._info_or_damaged(name) for name in names]

    def _names(self) -> builtins.list[str]:
        if not self.path.is_dir():
            return []
        names = {
            file.name.partition(".")[0]
            for file in self.path.iterdir()
            if file.name.endswith(_SUFFIXES) and not file.name.startswith(".")
        }
        return sorted(names)

    def remove(self, name: str) -> None:
        """Delete the key or secret `name`. Raises KeyNotFound."""
        check_key_name(name)
        with self._lock:
            files = [self.path / (name + suffix) for suffix in _SUFFIXES]
            found = [file for file in files if file.exists()]
            if not found:
                raise self._not_found(name)
            if self._unfinished is not None:
                self._unfinished.removed.append(name)
                return
            self.delete_files([file.name for file in found])

    def begin(self, run: str, step: int) -> Unfinished:
        """From now on keys that are made can be undone, and keys to be removed stay, until `keep`
        or `undo`: by statement `step` of a run."""
        self._unfinished = Unfinished(self.path, run, step)
        return self._unfinished

    def keep(self) -> None:
        """What was made and removed since `begin` is to stay so."""
        done, self._unfinished = self._unfinished, None
        if done is not None:
            done.keep()
            for name in done.removed:
                with suppress(KeyNotFound):
                    self.remove(name)

    def leave(self) -> None:
        """Nobody knows whether the statement is finished: keep keys and marks; `settle` decides."""
        self._unfinished = None

    def undo(self) -> None:
        """Delete the keys that were made since `begin`; remove none."""
        undone, self._unfinished = self._unfinished, None
        if undone is not None:
            undone.undo()
            for file in undone.made:
                self._loaded.pop(file, None)

    def settle(self, run: str, step: int, removed: builtins.list[str]) -> None:
        """After a kill: keep what the run's statements up to `step` made and delete the rest;
        remove the keys `removed`, which the last of them removes."""
        settle(self.path, run, step)
        for name in removed:
            with suppress(KeyNotFound):
                self.remove(name)

    def delete_files(self, files: builtins.list[str]) -> None:
        """Delete key files, and forget what was read of them."""
        delete(self.path, files)
        for file in files:
            self._loaded.pop(file, None)

    def _load(self, name: str, suffix: str, parse: Callable[[bytes], _Key]) -> _Key | None:
        """Return the parsed file of a key, read once; None where there is none."""
        with self._lock:
            file = check_key_name(name) + suffix
            if file not in self._loaded:
                data = self._read(name, suffix)
                if data is None:
                    return None
                self._loaded[file] = parse(data)
            return self._loaded[file]  # type: ignore[return-value]

    def _keep_new(self, name: str, suffix: str, make: Callable[[], bytes]) -> KeyInfo:
        """Make a key and write it. Raises KeyMismatch where the name is taken."""
        check_key_name(name)
        with self._lock:
            self._refuse_taken(name)
            if not self._write_first(name + suffix, make()):
                raise self._taken(name)
        return self.info(name)

    def _keep_public(self, name: str, suffix: str, content: bytes) -> KeyInfo:
        """Write a peer's key, unless the same one is there. Raises KeyMismatch."""
        with self._lock:
            if not self._has(name, suffix):
                self._refuse_taken(name, but=suffix)
                self._write_first(name + suffix, content)
            if self._read(name, suffix) != content:
                raise KeyMismatch(
                    f"key '{name}' is another public key already; import this one under "
                    "another name, or remove the old one with 'duckpriv keys remove'"
                )
        return self.info(name)

    def _info_or_damaged(self, name: str) -> KeyInfo:
        try:
            return self.info(name)
        except DuckprivError:
            return KeyInfo(name, "damaged", None, None)

    def _has(self, name: str, suffix: str) -> bool:
        return (self.path / f"{name}{suffix}").is_file()

    def _refuse_taken(self, name: str, but: str = "") -> None:
        if any(self._has(name, suffix) for suffix in _SUFFIXES if suffix != but):
            raise self._taken(name)

    def _taken(self, name: str) -> KeyMismatch:
        return KeyMismatch(
            f"the name '{name}' is taken in this keyring; choose another one (a script "
            "makes its keys from the session's name: start a new session)"
        )

    def _no_private(self, name: str, public: str) -> KeyNotFound:
        if self._has(name, public):
            return KeyNotFound(
                f"key '{name}' is a peer's public key; this function needs a "
                "private key, which only the party that made it has"
            )
        return self._not_found(name)

    def _not_found(self, name: str) -> KeyNotFound:
        known = ", ".join(self._names()) or "none yet"
        return KeyNotFound(
            f"no key '{name}' in the keyring {self.path}; its keys: {known}. Make one with "
            "a keygen function or import a peer's with key_import"
        )

    def _read(self, name: str, suffix: str) -> bytes | None:
        return self._files.read(check_key_name(name) + suffix)

    def _write_first(self, file: str, data: bytes) -> bool:
        """Write a new file, whole; return False, and write nothing, where another process was
        first. Nobody sees it before it is whole."""
        if self._unfinished is not None:
            self._files.make_folder()
            self._unfinished.make(file)
        try:
            self._files.write(file, data)
        except FileExistsError:
            if self._unfinished is not None:
                self._unfinished.leave(file)
            return False
        return True


def check_modulus_bits(bits: int) -> None:
    """Raise InvalidValue for a size of modulus that is not made here."""
    low, high = moduli.SMALLEST_BITS, moduli.LARGEST_BITS
    if not low <= bits <= high or bits % 8:
        raise InvalidValue(
            f"a modulus of {bits} bits is refused; use a multiple of 8 from {low} to {high}"
        )


def _identity(name: str) -> str:
    """Return the key name of a party's identity."""
    return f"identity-{name}"
