"""What carries messages, as those who send and receive see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..message.incoming import Stream
from ..message.manifest import Manifest
from ..message.outgoing import Content


class Mailbox(Protocol):
    """A place for the messages and the statuses of sessions, here or at another party."""

    @property
    def address(self) -> str:
        """Where it is, for texts."""

    def publish(self, manifest: Manifest, content: Content) -> None:
        """Return when the message is durably there. The identical one again changes nothing."""

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""

    def open(self, manifest: Manifest) -> Stream:
        """Return a message's content, to be read once, in bounded memory, and closed. It may be
        anything: neither length nor digest is checked. Raises MessageRejected where there is none.
        """

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place (SENDER/RECEIVER/CHANNEL with '.' for '/') and bytes of every manifest of a
        session that one may see, oldest first."""

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status."""

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""

    def close(self) -> None:
        """Give back what it holds open."""
