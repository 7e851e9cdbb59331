"""How large a message may be for those who take it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MessageRejected
from .manifest import Manifest


@dataclass(frozen=True)
class Limits:
    """What a party accepts from others, before it receives a byte of content."""

    message_bytes: int = 64 << 30
    rows: int = 1 << 40
    columns: int = 4096
    nesting: int = 8  # lists and structs within each other
    batch_bytes: int = 512 << 20  # of one Arrow batch, which has to fit in memory

    def check(self, manifest: Manifest) -> None:
        """Raise MessageRejected where a message says that it exceeds them."""
        depth = max((_nesting(type_) for _, type_ in manifest.columns), default=0)
        for what, found, most in (
            ("bytes", manifest.bytes, self.message_bytes),
            ("rows", manifest.rows, self.rows),
            ("columns", len(manifest.columns), self.columns),
            ("lists and structs within each other", depth, self.nesting),
        ):
            if found > most:
                raise MessageRejected(
                    f"message '{manifest.channel}' from {manifest.sender} has {found:,} {what}; "
                    f"at most {most:,} are accepted"
                )


def _nesting(type_: str) -> int:
    """Return how deep a type, as manifests write it, is nested: `list<…>`, `struct<…>` or `…[]`.
    Names of fields with '<' count too, so it may be an overestimate."""
    deepest = depth = 0
    for character in type_:
        depth += (character == "<") - (character == ">")
        deepest = max(deepest, depth)
    return deepest + type_.count("[]")
