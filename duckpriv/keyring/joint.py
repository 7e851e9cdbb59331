"""Joint keys: one's own part, the public key that all parts make, and moduli."""

from __future__ import annotations

import secrets

from ..crypto import joint_elgamal, moduli
from ..errors import KeyMismatch, KeyNotFound
from ..keys import JointModulus, JointPublicKey, KeyInfo, KeyPart, KeyShare
from ..names import check_key_name
from .store import KeyStore

_PART, _PUBLIC, _MODULUS = ".joint.private", ".joint.public", ".joint.modulus"
# The modulus whose factors nobody has published, by name.
PUBLIC_MODULUS = "rsa-2048"


class JointKeys:
    """The joint keys of a keyring."""

    SUFFIXES = (_PART, _PUBLIC, _MODULUS)

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def has(self, name: str) -> bool:
        """Whether there is a joint key, or a part of one, of that name."""
        return self._store.has(name, _PUBLIC) or self._store.has(name, _PART)

    def generate(self, name: str, modulus: str) -> None:
        """Make this party's part of a joint key, modulo the public RSA-2048 number or the modulus
        that was imported under the name `modulus`. Raises KeyNotFound where there is none,
        KeyMismatch where the name is taken."""
        number = (
            moduli.RSA_2048 if modulus == PUBLIC_MODULUS else self.modulus(modulus).key.key.modulus
        )
        self._store.keep_new(name, _PART, lambda: KeyPart.generate(name, number).encoded)

    def modulus(self, name: str) -> JointModulus:
        """Return the modulus for joint keys that was imported as `name`. Raises KeyNotFound."""
        modulus = self._store.load(name, _MODULUS, JointModulus.from_bytes)
        if modulus is None:
            raise self._store.not_found(name)
        return modulus

    def part(self, name: str) -> KeyPart:
        """Return this party's part of the joint key `name`. Raises KeyNotFound."""
        part = self._store.load(name, _PART, lambda data: KeyPart.from_bytes(data, name))
        if part is None:
            if self._store.has(name, _PUBLIC):
                raise KeyNotFound(
                    f"key '{name}' is a joint public key; decrypting needs a part of the private "
                    "key, which only the parties that made it have"
                )
            raise self._store.not_found(name)
        return part

    def join(self, name: str, peer_name: str, commitment: bytes, share: bytes) -> None:
        """Make the joint public key of the own part `name` and a peer's share of the part that
        it calls `peer_name`.

        Raises InvalidValue where the share is damaged or does not prove itself; KeyMismatch where
        it does not open the commitment, has another modulus, or `name` was joined with another.
        """
        check_key_name(peer_name)
        own = self.part(name).share
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
        with self._store.lock:
            self._store.write_first(name + _PUBLIC, public.encoded)
            if self._store.read(name, _PUBLIC) != public.encoded:
                raise KeyMismatch(f"'{name}' is part of another joint key already")

    def public(self, name: str) -> JointPublicKey:
        """Return the joint public key `name`. Raises KeyNotFound."""
        key = self._store.load(name, _PUBLIC, JointPublicKey.from_bytes)
        if key is None:
            if self._store.has(name, _PART):
                raise KeyNotFound(
                    f"'{name}' is your part of a joint key and was not joined with the peer's "
                    "yet; use joint_combine"
                )
            raise self._store.not_found(name)
        return key

    def import_public(self, name: str, data: bytes) -> None:
        """Keep a joint public key that others made."""
        self._store.keep_public(name, _PUBLIC, JointPublicKey.from_bytes(data).encoded)

    def import_modulus(self, name: str, data: bytes) -> None:
        """Keep a modulus for joint keys."""
        self._store.keep_public(name, _MODULUS, JointModulus.from_bytes(data).encoded)

    def info(self, name: str) -> KeyInfo | None:
        """Describe the key; None where there is none."""
        if self._store.has(name, _PUBLIC):
            key = self.public(name)
            kind = "joint key" if self._store.has(name, _PART) else "joint public key"
            return KeyInfo(name, kind, key.key.bits, key.fingerprint)
        if self._store.has(name, _PART):
            bits = self.part(name).share.modulus.bit_length()
            return KeyInfo(name, "part of a joint key", bits, None)
        if self._store.has(name, _MODULUS):
            modulus = self.modulus(name)
            bits = modulus.key.key.bits
            return KeyInfo(name, "modulus for joint keys", bits, modulus.fingerprint)
        return None
