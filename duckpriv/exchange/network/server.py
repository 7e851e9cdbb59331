"""A party's mailbox folder, served to the peers that it trusts: Arrow Flight with mutual TLS.

TLS says who the peer is: its certificate has a name that only one trusted identity may have (see
`keys/certificate.py`). A peer publishes in its own name only, and sees only messages from or to
itself; a manifest's signature is checked before content is taken. What comes from the network is
read in `requests.py` and `manifest.py` alone.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

import pyarrow.flight as fl

from ...errors import InvalidValue, MessageRejected, ProtocolError
from ...keyring import Keyring
from ...keys import PublicIdentity
from ..mailbox.folder import Folder
from ..message.limits import Limits
from ..message.manifest import Manifest
from ..message.protection import Protection
from .gate import Gate
from .quota import Quota
from .requests import (
    CHUNK,
    EMPTY,
    SCHEMA,
    Begin,
    Download,
    GetMessage,
    GetStatus,
    ListManifests,
    ListStatuses,
    SetStatus,
    Upload,
    parse_manifest,
    parse_request,
)
from .uploads import Uploads

_Result = TypeVar("_Result")
_LOOPBACK = "127.0.0.1"


class MailboxServer:
    """Serves `folder` at (host, port) to the identities that the keyring trusts now, from when it
    is made until it is closed. Port 0 takes a free one."""

    def __init__(
        self,
        folder: Folder,
        host: str,
        port: int,
        keyring: Keyring,
        me: str,
        limits: Limits | None = None,
    ) -> None:
        """Raises InvalidValue where it cannot listen there, KeyNotFound without an identity."""
        own = keyring.identity(me)
        known = [own.public, *keyring.all_trusted()]
        self._service = _Service(folder, Protection(keyring, me), limits or Limits(), known)
        self._service.listen(own.leaf())
        try:
            self._gate = Gate(host, port, (_LOOPBACK, self._service.port))
        except OSError as error:
            self._service.shutdown()
            problem = error.strerror or type(error).__name__
            raise InvalidValue(
                f"cannot serve at {host}:{port}: {problem}; name an address of this machine "
                "(0.0.0.0 is all of them) and a port that is free"
            ) from None
        self._service.gate = self._gate
        self.port = self._gate.port
        # When Python ends, pyarrow waits for all calls: those that hang have to be cut before.
        self._cut = weakref.finalize(self, self._gate.close)

    def close(self) -> None:
        """End all calls and serve no more. A message that was uploaded in part can be continued."""
        if self._cut.alive:
            self._cut()
            self._service.shutdown()

    def __enter__(self) -> MailboxServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Service(fl.FlightServerBase):  # type: ignore[misc]
    """What the server answers. pyarrow calls each method in a thread of its own."""

    def __init__(
        self, folder: Folder, protection: Protection, limits: Limits, known: list[PublicIdentity]
    ) -> None:
        self.gate: Gate | None = None
        self._quota = Quota(folder.path, limits)
        self.uploads = Uploads(folder, self._quota)
        self._folder, self._protection, self._limits = folder, protection, limits
        self._roots = b"".join(identity.root for identity in known)
        self._names = {identity.tls_name: identity.name for identity in known}

    def listen(self, leaf: tuple[bytes, bytes]) -> None:
        """Begin, for the gate only."""
        super().__init__(
            fl.Location.for_grpc_tls(_LOOPBACK, 0),
            tls_certificates=[leaf],
            verify_client=True,
            root_certificates=self._roots,
        )

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        """Answer a small question."""
        peer, request = self._asked(context, action.body.to_pybytes())
        return _told_each(_told(lambda: self._answer(peer, request)))

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Take a part of a message, and say how many bytes are there now."""
        peer, request = self._asked(context, descriptor.command or b"")
        have = _told(lambda: self._receive(context, peer, request, reader))
        writer.write(_number(have))

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Give a part of a message."""
        peer, request = self._asked(context, ticket.ticket)
        source = _told(lambda: self._find(peer, request))
        chunks = ((EMPTY, chunk) for chunk in _told_each(_chunks(source, request)))
        return fl.GeneratorStream(SCHEMA, chunks)

    def _asked(self, context: Any, data: bytes) -> tuple[str, Any]:
        return _told(lambda: (self._peer(context), parse_request(data)))

    def _peer(self, context: Any) -> str:
        """Return the name of the trusted peer that calls."""
        shown = context.peer_identity().decode("ascii", "replace")
        peer = self._names.get(shown)
        # ipv4:127.0.0.1:PORT
        port = int(context.peer().rpartition(":")[2])
        if peer is None or self.gate is None or not self.gate.seen(port, peer):
            raise ProtocolError("this certificate is not that of an identity's run")
        return peer

    def _answer(self, peer: str, request: Any) -> Iterable[bytes]:
        match request:
            case GetMessage():
                _check_seen_by(peer, request)
                return _found(self._folder.manifest(*_place(request)))
            case ListManifests():
                return (
                    f"{place}\n".encode() + data
                    for place, data in self._folder.manifests(request.session)
                    if peer in place.split("/")[:2]
                )
            case SetStatus():
                _check_own(peer, request.sender)
                self._quota.enter(peer, request.session)
                self._folder.set_status(request.session, peer, request.status.encode())
                return ()
            case GetStatus():
                return _found(self._folder.status(request.session, request.sender))
            case ListStatuses():
                statuses = self._folder.statuses(request.session).items()
                return [f"{name}\n".encode() + status for name, status in statuses]
            case Begin():
                manifest = self._acceptable(peer, request)
                with self.uploads.of(manifest) as upload:
                    return [_number(upload.begin())]
        raise _misplaced()

    def _acceptable(self, peer: str, request: Begin | Upload) -> Manifest:
        """Return the manifest of a message that this peer may publish."""
        manifest = parse_manifest(request)
        _check_own(peer, manifest.sender)
        self._limits.check(manifest)
        self._protection.check_sender(manifest)
        return manifest

    def _receive(self, context: Any, peer: str, request: Any, reader: Any) -> int | None:
        if not isinstance(request, Upload) or reader.schema != SCHEMA:
            raise _misplaced()
        with self.uploads.of(self._acceptable(peer, request)) as upload:
            for position, chunk in self._chunks(context, reader, request.offset):
                upload.write(position, chunk)
            return upload.begin()

    def _chunks(self, context: Any, reader: Any, position: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the chunks of an upload and where they begin."""
        while True:
            try:
                chunk = reader.read_chunk()
            except StopIteration:
                return
            self._peer(context)
            if chunk.data is not None or chunk.app_metadata is None:
                raise _misplaced()
            content = memoryview(chunk.app_metadata).cast("B")
            yield position, content
            position += len(content)

    def _find(self, peer: str, request: Any) -> io.FileIO:
        if not isinstance(request, Download):
            raise _misplaced()
        _check_seen_by(peer, request)
        place = _place(request)
        data = self._folder.manifest(*place)
        manifest = None if data is None else Manifest.from_json(data)
        if manifest is None or place != manifest.place:
            raise MessageRejected(f"there is no message '{request.channel}' in this place")
        return self._folder.open(manifest)


def _check_own(peer: str, sender: str) -> None:
    if sender != peer:
        raise ProtocolError(f"{peer} may not publish in the name of {sender}")


def _check_seen_by(peer: str, request: GetMessage | Download) -> None:
    if peer not in (request.sender, request.receiver):
        raise ProtocolError(f"{peer} may only see messages from or to itself")


def _misplaced() -> MessageRejected:
    return MessageRejected("this is not what such a request has")


def _found(data: bytes | None) -> list[bytes]:
    return [] if data is None else [data]


def _number(bytes_there: int | None) -> bytes:
    return b"" if bytes_there is None else str(bytes_there).encode()


def _place(request: GetMessage | Download) -> tuple[str, str, str, str]:
    return request.session, request.sender, request.receiver, request.channel


def _chunks(source: io.FileIO, request: Download) -> Iterator[bytes]:
    with source:
        source.seek(request.offset)
        left = request.length
        while chunk := source.read(min(CHUNK, left)):
            left -= len(chunk)
            yield chunk


def _told(work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns; its errors as the client gets them.

    pyarrow would send the traceback of any other exception.
    """
    try:
        return work()
    except fl.FlightError:  # the client has gone
        raise
    except (MessageRejected, ProtocolError) as error:  # others may name a path of ours
        told: MessageRejected | ProtocolError = error
    except OSError as error:
        told = ProtocolError(
            f"the mailbox's folder fails: {error.strerror}; its owner has to see to that, and "
            "the same command goes on then"
        )
    except Exception as error:
        told = ProtocolError(f"the mailbox's server fails ({type(error).__name__})")
    raise fl.FlightServerError("refused", str(told)[:1000].encode()) from None


def _told_each(results: Iterable[bytes]) -> Iterator[bytes]:
    iterator = iter(results)
    while (result := _told(lambda: next(iterator, None))) is not None:
        yield result
