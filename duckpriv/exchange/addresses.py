"""Where a mailbox is, as one writes it: `dir:PATH` or `file:///PATH`, `s3://BUCKET/PREFIX` (or
`gs:`, `az:`), or `grpc+tls://HOST:PORT`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit
from urllib.request import url2pathname

from ..errors import InvalidValue
from ..keyring import Keyring
from .mailbox.folder import Folder
from .mailbox.mailbox import Mailbox
from .message.limits import Limits

if TYPE_CHECKING:
    from .network.server import MailboxServer

DEFAULT_TIMEOUT = 3600.0
_STORES = ("s3", "gs", "az")
_EXCHANGE = (
    "no exchange; it is 'dir:' and a folder that all parties see, s3:, gs: or az: with "
    "//BUCKET/PREFIX and no more, or grpc+tls://HOST:PORT where a peer serves its mailbox"
)
_SERVED = "no address to serve at; it is grpc+tls://HOST:PORT, such as grpc+tls://0.0.0.0:7443"


def open_mailbox(
    address: str,
    keyring: Keyring | None = None,
    me: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    stop: Callable[[], None] = lambda: None,
) -> Mailbox:
    """Return the mailbox at `address`, in the network as the party `me`.

    Raises InvalidValue for another kind, or where `me`, `keyring` or obstore is missing and needed.
    """
    if (folder := _folder(address)) is not None:
        return folder
    parts = _split(address)
    if parts.scheme in _STORES and parts.netloc and not _more(parts) and "@" not in address:
        from .mailbox.objects import Objects  # an optional dependency

        return Objects(address, timeout, stop)
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
    folder = _folder(exchange)
    if folder is None:
        raise InvalidValue("what you serve has to be a folder: 'dir:' and its path")
    from .network.server import MailboxServer

    return MailboxServer(folder, *network_address(address, _SERVED), keyring, me, limits)


def network_address(address: str, wanted: str) -> tuple[str, int]:
    """Return host and port of `grpc+tls://HOST:PORT`. Raises InvalidValue that says what is
    `wanted`."""
    parts = _split(address)
    try:
        bare = not (parts.path or _more(parts))
        if parts.scheme == "grpc+tls" and parts.hostname and parts.port and bare:
            return parts.hostname, parts.port
    except ValueError:  # of the port
        pass
    shown = re.sub("//.*@|[?#].*", "…", str(address))  # there may be a password in it
    raise InvalidValue(f"'{shown}' is {wanted}")


def _folder(address: str) -> Folder | None:
    """Return the folder at `dir:PATH` or `file:///PATH`, None for another address."""
    kind, _, path = str(address).partition(":")
    if kind == "dir" and path:
        return Folder(path)
    parts = _split(address)
    if parts.scheme == "file" and parts.path and not parts.netloc and not _more(parts):
        return Folder(url2pathname(parts.path))
    return None


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(str(address))
    except ValueError:
        return urlsplit("")


def _more(parts: SplitResult) -> bool:
    """Whether an address has what none takes: a user, a password, a query, a fragment."""
    return any((parts.username, parts.password, parts.query, parts.fragment))
