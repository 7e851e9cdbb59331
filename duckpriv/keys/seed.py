"""Parts of seeds that parties agree on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import ClassVar

from ..crypto import agreement
from ..crypto.hashing import labelled, sha256
from ..errors import InvalidValue

_NONCE_BYTES = 32


@dataclass(frozen=True)
class SeedPart:
    """A party's part of a seed: an X25519 private key, and the nonce that opens its commitment."""

    private: bytes
    nonce: bytes

    MAGIC: ClassVar[bytes] = b"dps\x01"

    @classmethod
    def generate(cls) -> SeedPart:
        """Draw a part."""
        return cls(agreement.generate(), secrets.token_bytes(_NONCE_BYTES))

    @property
    def encoded(self) -> bytes:
        """The part as it stands in its file: secret."""
        return self.private + self.nonce

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> SeedPart:
        """Read `encoded`. Raises InvalidValue where the file is damaged."""
        if len(data) != agreement.KEY_BYTES + _NONCE_BYTES:
            raise InvalidValue(f"the file of key '{name}' is damaged")
        return cls(data[: agreement.KEY_BYTES], data[agreement.KEY_BYTES :])

    @property
    def public(self) -> bytes:
        """What the peer gets: the public key, and the nonce."""
        return self.MAGIC + agreement.public(self.private) + self.nonce

    @staticmethod
    def commitment(name: str, public: bytes) -> bytes:
        """Return the hash that is sent before any part is shown: 32 bytes."""
        return sha256("duckpriv/seed/commitment/v1", name.encode(), public)

    def agree(self, name: str, peer_name: str, peer_public: bytes) -> bytes:
        """Return the seed that this part and the peer's make. Raises InvalidValue."""
        start = len(self.MAGIC)
        if not peer_public.startswith(self.MAGIC) or len(peer_public) != len(self.public):
            raise InvalidValue("the peer's part of the seed is damaged, or of another version")
        parts = sorted([(name, self.public), (peer_name, peer_public)])
        transcript = labelled("parts", *(x for n, p in parts for x in (n.encode(), p)))
        key = peer_public[start : start + agreement.KEY_BYTES]
        try:
            return agreement.agree(self.private, key, transcript)
        except ValueError:
            raise InvalidValue("the peer's part of the seed is no usable public key") from None
