"""How much a message may be, before anything of it is used, and a peer may have in a mailbox."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import MessageRejected
from .manifest import Manifest

_WHAT = {"nesting": "lists and structs within each other"}


@dataclass(frozen=True)
class Limits:
    """The largest message that is accepted. `batch_bytes` is what has to fit into memory at once:
    a batch of rows, so at least a row. Of a mailbox that is served, `peer_…` is what one peer may
    have in it, over all sessions, and `free_bytes` what stays free on its disk."""

    bytes: int = 64 << 30
    rows: int = 1 << 40
    columns: int = 4096
    nesting: int = 8
    batch_bytes: int = 512 << 20
    peer_sessions: int = 1000
    peer_messages: int = 1_000_000
    peer_bytes: int = 256 << 30
    free_bytes: int = 1 << 30

    def check(self, manifest: Manifest) -> None:
        """Raise MessageRejected where the manifest goes beyond a limit."""
        found = {
            "bytes": manifest.bytes,
            "rows": manifest.rows,
            "columns": len(manifest.columns),
            "nesting": max((_nesting(type_) for _, type_ in manifest.columns), default=0),
        }
        for name, value in found.items():
            if value > (limit := getattr(self, name)):
                raise MessageRejected(
                    f"{manifest.what} has {value:,} "
                    f"{_WHAT.get(name, name)}; at most {limit:,} are accepted (the limit {name})"
                )
        if manifest.rows > 8 * manifest.bytes:  # every row takes a bit at least
            raise MessageRejected(
                f"{manifest.what} claims {manifest.rows:,} rows in {manifest.bytes:,} bytes"
            )


def _nesting(type_: str) -> int:
    """Return how deep lists and structs are nested in a type as manifests write it."""
    depth = deepest = type_.count("[]")
    for character in type_:
        depth += (character == "<") - (character == ">")
        deepest = max(deepest, depth)
    return deepest
