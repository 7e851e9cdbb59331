"""Keys as Python objects, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from .fingerprint import read_fingerprint
from .identity import Identity, PublicIdentity
from .joint import JointModulus, JointPublicKey, KeyPart, KeyShare
from .oprf import OprfPrivateKey, OprfPublicKey
from .paillier import PaillierPrivateKey, PaillierPublicKey, factors_from_pem, factors_pem
from .rsa import RsaPrivateKey, RsaPublicKey, private_from_pem, public_der, public_pem
from .seed import SeedPart
from .unfinished import Unfinished

__all__ = [
    "HomomorphicPublicKey",
    "Identity",
    "JointModulus",
    "JointPublicKey",
    "KeyInfo",
    "KeyPart",
    "KeyShare",
    "OprfPrivateKey",
    "OprfPublicKey",
    "PaillierPrivateKey",
    "PaillierPublicKey",
    "PublicIdentity",
    "RsaPrivateKey",
    "RsaPublicKey",
    "SeedPart",
    "Unfinished",
    "factors_from_pem",
    "factors_pem",
    "private_from_pem",
    "public_der",
    "public_pem",
    "read_fingerprint",
]

HomomorphicPublicKey = PaillierPublicKey | JointPublicKey


@dataclass(frozen=True)
class KeyInfo:
    """What may be told of a key: never its private part."""

    name: str
    kind: str
    bits: int | None
    fingerprint: str | None
