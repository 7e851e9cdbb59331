"""Who a party is: a key to sign with (Ed25519, RFC 8032) and one to be written to (X25519)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ..crypto.hashing import labelled, sha256
from ..errors import InvalidValue
from ..names import check_name

FORMAT = "duckpriv-identity/1"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_LARGEST = 4096


@dataclass(frozen=True)
class PublicIdentity:
    """What the others know of a party: its name and public keys, with a signature by itself."""

    name: str
    verifies: bytes
    receives: bytes
    proof: bytes

    @property
    def text(self) -> str:
        """The identity as a line of text, to be given to the others."""
        keys = {"verifies": self.verifies.hex(), "receives": self.receives.hex()}
        return json.dumps({"format": FORMAT, "name": self.name, **keys, "proof": self.proof.hex()})

    @classmethod
    def from_text(cls, text: str | bytes) -> PublicIdentity:
        """Read `text`, which is untrusted. Raises InvalidValue."""
        if len(text) > _LARGEST:
            raise InvalidValue("this is no identity: it is too long")
        try:
            fields = json.loads(text)
            if not isinstance(fields, dict) or set(fields) != {
                *("format", "name", "verifies", "receives", "proof")
            }:
                raise ValueError
            if fields["format"] != FORMAT:
                raise ValueError
            name = check_name("the party's name", fields["name"])
            verifies, receives, proof = (
                bytes.fromhex(fields[field]) for field in ("verifies", "receives", "proof")
            )
            if (len(verifies), len(receives), len(proof)) != (32, 32, _SIGNATURE_BYTES):
                raise ValueError
        except (ValueError, TypeError, RecursionError):
            raise InvalidValue(
                "this is no identity; it has to be the line that 'duckpriv identity show' prints"
            ) from None
        identity = cls(name, verifies, receives, proof)
        if not identity.verify(proof, identity._signed):
            raise InvalidValue("this identity is damaged, or not signed by its own key")
        return identity

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name and keys, in hex: what people compare."""
        return sha256("duckpriv/identity/fingerprint/v1", self._signed).hex()

    @property
    def _signed(self) -> bytes:
        return labelled("duckpriv/identity/v1", self.name.encode(), self.verifies, self.receives)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether this party signed `data`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.verifies).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, repr=False)
class Identity:
    """A party's own identity: its private keys."""

    name: str
    signs: bytes
    receives: bytes

    @classmethod
    def generate(cls, name: str) -> Identity:
        """Draw the keys."""
        return cls(name, secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES))

    @property
    def encoded(self) -> bytes:
        """The keys as they stand in their file: secret."""
        return self.signs + self.receives

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Identity:
        """Read `encoded`. Raises InvalidValue where the file is damaged."""
        if len(data) != 2 * _KEY_BYTES:
            raise InvalidValue(f"the file of the identity of '{name}' is damaged")
        return cls(name, data[:_KEY_BYTES], data[_KEY_BYTES:])

    @property
    def public(self) -> PublicIdentity:
        """What the others may know."""
        signer = Ed25519PrivateKey.from_private_bytes(self.signs)
        verifies = signer.public_key().public_bytes_raw()
        receiver = X25519PrivateKey.from_private_bytes(self.receives).public_key()
        unsigned = PublicIdentity(self.name, verifies, receiver.public_bytes_raw(), b"")
        return PublicIdentity(self.name, verifies, unsigned.receives, signer.sign(unsigned._signed))

    def sign(self, data: bytes) -> bytes:
        """Sign `data`."""
        return Ed25519PrivateKey.from_private_bytes(self.signs).sign(data)
