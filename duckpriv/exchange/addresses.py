"""Where a mailbox is, as one writes it: `dir:PATH`, or `grpc+tls://HOST:PORT`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import InvalidValue
from ..keyring import Keyring
from .mailbox.folder import Folder
from .mailbox.mailbox import Mailbox
from .message.limits import Limits

if TYPE_CHECKING:
    from .network.server import MailboxServer

DEFAULT_TIMEOUT = 3600.0
_EXCHANGE = (
    "no exchange; it is 'dir:' and a folder that all parties see, or grpc+tls://HOST:PORT where a "
    "peer serves its mailbox"
)
_SERVED = "no address to serve at; it is grpc+tls://HOST:PORT, such as grpc+tls://0.0.0.0:7443"


def open_mailbox(
    address: str,
    keyring: Keyring | None = None,
    me: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    stop: Callable[[], None] = lambda: None,
) -> Mailbox:
    """Return the mailbox at `address`: `dir:PATH`, or `grpc+tls://HOST:PORT` as the party `me`.

    Raises InvalidValue for another kind, or where `me` or `keyring` is missing and needed.
    """
    kind, _, path = str(address).partition(":")
    if kind == "dir" and path:
        return Folder(path)
    host, port = network_address(address, _EXCHANGE)
    if keyring is None or me is None:
        raise InvalidValue("a mailbox in the network needs your keyring and your own name (me)")
    from .network.client import (
        RemoteMailbox,  # gRPC takes a while to load, and most runs do not need it
    )

    return RemoteMailbox(host, port, keyring, me, timeout, stop)


def serve(
    exchange: str, address: str, keyring: Keyring, me: str, limits: Limits | None = None
) -> MailboxServer:
    """Serve the mailbox folder `exchange` (`dir:PATH`) at `address` to whom the keyring trusts,
    until the result is closed. Raises InvalidValue where that cannot be."""
    folder = open_mailbox(exchange) if exchange.startswith("dir:") else None
    if not isinstance(folder, Folder):
        raise InvalidValue("what you serve has to be a folder: 'dir:' and its path")
    from .network.server import MailboxServer

    return MailboxServer(folder, *network_address(address, _SERVED), keyring, me, limits)


def network_address(address: str, wanted: str) -> tuple[str, int]:
    """Return host and port of `grpc+tls://HOST:PORT`. Raises InvalidValue that says what is
    `wanted`."""
    try:
        parts = urlsplit(str(address))
        rest = (parts.username, parts.password, parts.path, parts.query, parts.fragment)
        if parts.scheme == "grpc+tls" and parts.hostname and parts.port and not any(rest):
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise InvalidValue(f"'{address}' is {wanted}")
