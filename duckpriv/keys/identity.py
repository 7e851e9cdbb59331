"""Who a party is: a key to sign with (Ed25519, RFC 8032), one to be written to (X25519), and the
certificate by which it is known in TLS (`certificate.py`)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ..crypto.hashing import labelled, sha256
from ..errors import InvalidValue
from ..names import check_name
from . import certificate

FORMAT = "duckpriv-identity/2"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_LARGEST = 4096
_BINARY = ("verifies", "receives", "certificate", "proof")


@dataclass(frozen=True)
class PublicIdentity:
    """What the others know of a party: its name, public keys and certificate (DER), with a
    signature by itself."""

    name: str
    verifies: bytes
    receives: bytes
    certificate: bytes
    proof: bytes

    @property
    def text(self) -> str:
        """The identity as a line of text, to be given to the others."""
        binary = {field: getattr(self, field).hex() for field in _BINARY}
        return json.dumps({"format": FORMAT, "name": self.name, **binary})

    @classmethod
    def from_text(cls, text: str | bytes) -> PublicIdentity:
        """Read `text`, which is untrusted. Raises InvalidValue."""
        if len(text) > _LARGEST:
            raise InvalidValue("this is no identity: it is too long")
        try:
            fields = json.loads(text)
            if not isinstance(fields, dict) or set(fields) != {"format", "name", *_BINARY}:
                raise ValueError
            if fields["format"] != FORMAT:
                raise ValueError
            name = check_name("the party's name", fields["name"])
            verifies, receives, authority, proof = (bytes.fromhex(fields[f]) for f in _BINARY)
            if (len(verifies), len(receives), len(proof)) != (32, 32, _SIGNATURE_BYTES):
                raise ValueError
            certificate.check_authority(authority, certificate.tls_name(name, verifies))
        except (ValueError, TypeError, RecursionError):
            raise InvalidValue(
                "this is no identity; it has to be the line that 'duckpriv identity show' prints, "
                "in a duckpriv of the same version"
            ) from None
        identity = cls(name, verifies, receives, authority, proof)
        if not identity.verify(proof, identity._signed):
            raise InvalidValue("this identity is damaged, or not signed by its own key")
        return identity

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, keys and certificate, in hex: what people compare."""
        return sha256("duckpriv/identity/fingerprint/v2", self._signed).hex()

    @property
    def tls_name(self) -> str:
        """The DNS name that only this party can show in TLS."""
        return certificate.tls_name(self.name, self.verifies)

    @property
    def root(self) -> bytes:
        """The certificate (PEM) that one accepts in TLS to accept this party."""
        return certificate.to_pem(self.certificate)

    @property
    def _signed(self) -> bytes:
        covered = (self.name.encode(), self.verifies, self.receives, self.certificate)
        return labelled("duckpriv/identity/v2", *covered)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether this party signed `data`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.verifies).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, repr=False)
class Identity:
    """A party's own identity: its private keys, and the certificate of the third (DER), which is
    kept since making it anew would give another fingerprint."""

    name: str
    signs: bytes
    receives: bytes
    certifies: bytes
    certificate: bytes

    @classmethod
    def generate(cls, name: str) -> Identity:
        """Draw the keys."""
        signs, receives = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES)
        dns_name = certificate.tls_name(name, _verifies(signs))
        return cls(name, signs, receives, *certificate.generate_authority(dns_name))

    @property
    def encoded(self) -> bytes:
        """The keys and the certificate as they stand in their file: secret."""
        return self.signs + self.receives + self.certifies + self.certificate

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Identity:
        """Read `encoded`. Raises InvalidValue where the file is damaged."""
        signs, receives, certifies = (data[i * _KEY_BYTES : (i + 1) * _KEY_BYTES] for i in range(3))
        authority = data[3 * _KEY_BYTES :]
        try:
            if len(signs) != _KEY_BYTES:
                raise ValueError
            certificate.check_authority(authority, certificate.tls_name(name, _verifies(signs)))
            certificate.check_key(certifies, authority)
        except ValueError:
            raise InvalidValue(
                f"the file of the identity of '{name}' is damaged, or an earlier duckpriv made "
                f"it; delete it with 'duckpriv keys remove identity-{name}' and make a new one"
            ) from None
        return cls(name, signs, receives, certifies, authority)

    @property
    def public(self) -> PublicIdentity:
        """What the others may know."""
        receives = X25519PrivateKey.from_private_bytes(self.receives).public_key()
        unsigned = PublicIdentity(
            self.name,
            _verifies(self.signs),
            receives.public_bytes_raw(),
            self.certificate,
            b"",
        )
        return replace(unsigned, proof=self.sign(unsigned._signed))

    def sign(self, data: bytes) -> bytes:
        """Sign `data`."""
        return Ed25519PrivateKey.from_private_bytes(self.signs).sign(data)

    def leaf(self) -> tuple[bytes, bytes]:
        """Return a new certificate for a run and its private key, both PEM."""
        dns_name = certificate.tls_name(self.name, _verifies(self.signs))
        return certificate.issue(self.certifies, self.certificate, dns_name)


def _verifies(signs: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(signs).public_key().public_bytes_raw()
