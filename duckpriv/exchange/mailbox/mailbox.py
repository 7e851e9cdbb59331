"""What carries messages, as those who send and receive see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ...errors import InvalidValue, ProtocolError
from ...names import check_channel, check_name
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


def already_sent(session: str, sender: str, receiver: str, channel: str) -> ProtocolError:
    """Return the error of a second message in the place of one that was sent."""
    return ProtocolError(
        f"session '{session}' has already sent a message on '{channel}' to {receiver}, and a "
        "second one could tell more than the protocol does; start a new session for a new run"
    )


def is_name(name: str) -> bool:
    """Whether a party can be called so."""
    try:
        check_name("the party", name)
    except InvalidValue:
        return False
    return True


def is_place(place: str) -> bool:
    """Whether a message can stand at SENDER/RECEIVER/CHANNEL, with '.' for '/' in the channel."""
    sender, _, rest = place.partition("/")
    receiver, _, channel = rest.partition("/")
    try:
        check_channel(channel.replace(".", "/") if "/" not in channel else None)
    except InvalidValue:
        return False
    return is_name(sender) and is_name(receiver)
