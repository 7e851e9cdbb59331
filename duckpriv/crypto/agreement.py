"""Secrets that two parties agree on: X25519 (RFC 7748) with HKDF-SHA256 (RFC 5869), and sealing
under them with ChaCha20-Poly1305 (RFC 8439)."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .hashing import labelled

KEY_BYTES = 32
_NONCE_BYTES = 12


def generate() -> bytes:
    """Return a new X25519 private key."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public(private: bytes) -> bytes:
    """Return the public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, peer_public: bytes, transcript: bytes) -> bytes:
    """Return the 32 bytes that both parties get. Raises ValueError for a public key of small
    order (RFC 7748, section 6.1)."""
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(peer_public))
    return derive(shared, "duckpriv/agreed-seed/v1", transcript)


def derive(secret: bytes, label: str, context: bytes = b"") -> bytes:
    """Return 32 bytes derived from a secret for one use."""
    kdf = HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=labelled(label, context))
    return kdf.derive(secret)


def seal(secret: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt under a secret that both have, bound to `context`."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    key = derive(secret, "duckpriv/seal/v1")
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, context)


def unseal(secret: bytes, sealed: bytes, context: bytes) -> bytes:
    """Decrypt. Raises ValueError where it was altered, or is of another context or secret."""
    key = derive(secret, "duckpriv/seal/v1")
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise ValueError("the sealed secret was altered, or is another party's") from None
