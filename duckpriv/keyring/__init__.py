"""Named keys in files of mode 600.

A keyring is a folder, and a key a file of its name with a suffix that tells its kind; each kind has
a module here. Private keys and secrets are read here and handed to the column functions; they never
become a SQL value. With a passphrase their files are encrypted (`keyfiles.py`).
"""

from __future__ import annotations

import builtins
import os

from ..errors import DuckprivError, InvalidValue
from ..keys import HomomorphicPublicKey, KeyInfo
from .identities import IDENTITY, TRUSTED, Identities
from .joint import PUBLIC_MODULUS, JointKeys
from .pairs import OprfKeys, PaillierKeys, RsaKeys, check_modulus_bits
from .secrets import SECRET, Secrets
from .seeds import SeedParts

__all__ = ["PUBLIC_MODULUS", "Keyring", "check_modulus_bits"]

_SUFFIXES = (
    *(*PaillierKeys.SUFFIXES, *JointKeys.SUFFIXES, *OprfKeys.SUFFIXES, *SeedParts.SUFFIXES),
    *(*RsaKeys.SUFFIXES, IDENTITY, TRUSTED, SECRET),
)


class Keyring(Identities, Secrets):
    """The keys of one party in the folder `path`, which is made (mode 700) when needed.

    Identities and secrets are its own; keys of other kinds are behind `rsa`, `oprf`, `paillier`,
    `joint` and `seeds`. About the passphrase, see `KeyStore`.
    """

    def __init__(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        super().__init__(path, passphrase, _SUFFIXES)
        self.rsa = RsaKeys(self)
        self.oprf = OprfKeys(self)
        self.paillier = PaillierKeys(self)
        self.joint = JointKeys(self)
        self.seeds = SeedParts(self)

    def homomorphic_public(self, name: str) -> HomomorphicPublicKey:
        """Return the Paillier or joint public key `name`. Raises KeyNotFound."""
        return self.joint.public(name) if self.joint.has(name) else self.paillier.public(name)

    def import_public(self, name: str, data: bytes, kind: str) -> KeyInfo:
        """Keep a peer's public key under `name`: an 'rsa' key (DER), an 'oprf', 'paillier' or
        'joint' key, or a 'modulus' for joint keys. The same key again changes nothing; another one
        under a name in use raises KeyMismatch, one that is bad or of another kind InvalidValue."""
        imports = {
            "rsa": self.rsa.import_public,
            "oprf": self.oprf.import_public,
            "paillier": self.paillier.import_public,
            "joint": self.joint.import_public,
            "modulus": self.joint.import_modulus,
        }
        if kind not in imports:
            raise InvalidValue(f"the kind of a key is one of {', '.join(imports)}")
        imports[kind](name, data)
        return self.info(name)

    def info(self, name: str) -> KeyInfo:
        """Describe the key or secret `name`. Raises KeyNotFound."""
        if self.has(name, SECRET):
            return KeyInfo(name, "session secret", None, None)
        if self.has(name, IDENTITY):
            own = self.identity(self.whose_identity(name)).public
            return KeyInfo(name, "own identity", None, own.fingerprint)
        if self.has(name, TRUSTED):
            peer = self.trusted(self.whose_identity(name))
            return KeyInfo(name, "trusted identity", None, peer.fingerprint)
        for kind in (self.paillier, self.joint, self.oprf, self.seeds, self.rsa):
            if (known := kind.info(name)) is not None:
                return known
        raise self.not_found(name)

    def list(self) -> builtins.list[KeyInfo]:
        """Describe everything in the keyring, by name."""
        names = self.names()
        if names:
            self.files.unlock()  # else all private keys would be listed as damaged
        return [self._info_or_damaged(name) for name in names]

    def _info_or_damaged(self, name: str) -> KeyInfo:
        try:
            return self.info(name)
        except DuckprivError:
            return KeyInfo(name, "damaged", None, None)
