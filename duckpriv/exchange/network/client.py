"""A mailbox that another party serves (`server.py`), used from here: Arrow Flight, mutual TLS.

Nothing that comes back is trusted: it is a chunk of content, which the receiver checks against
its manifest, a manifest, which is read as one, or a number. Calls are short; one that fails without
a reason of the server's own is tried again, and a transfer goes on where it was.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

from ...errors import MessageRejected, ProtocolError, from_text
from ...keyring import Keyring
from ...keys.certificate import MAILBOX_NAME
from ..mailbox.files import open_file
from ..mailbox.mailbox import is_name, is_place
from ..message.incoming import Chunks
from ..message.manifest import LARGEST, Manifest
from ..message.outgoing import Content
from .patience import Patience
from .requests import (
    CHUNK,
    PART,
    SCHEMA,
    Begin,
    Download,
    GetMessage,
    GetStatus,
    ListManifests,
    ListStatuses,
    Request,
    SetStatus,
    Upload,
    encode,
)

# A call that hangs is given up after so many seconds, and tried again over a new connection.
_CALL_SECONDS, _TRANSFER_SECONDS = 20.0, 60.0
_STATUS_SECONDS = 10.0  # with all that is tried again: a status is soon out of date
_LARGEST_ANSWER = 64 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", max(CHUNK, LARGEST) + (1 << 16)),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # The time for a handshake, too.
    ("grpc.min_reconnect_backoff_ms", 5000),
    # A connection that died without a word is noticed.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Clients in one process shall not share a connection: it has a certificate.
    ("grpc.use_local_subchannel_pool", 1),
]


class RemoteMailbox:
    """The mailbox at (host, port). Each operation is tried for `timeout` seconds; `stop` is called
    now and then meanwhile, and may raise."""

    def __init__(
        self,
        host: str,
        port: int,
        keyring: Keyring,
        me: str,
        timeout: float,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises KeyNotFound without an identity. Connects at first use."""
        own = keyring.identity(me)
        self._leaf = own.leaf()
        known = [own.public, *keyring.all_trusted()]
        self._roots = b"".join(identity.root for identity in known)
        self._host, self._port, self._timeout, self._stop = host, port, timeout, stop
        self._client = self._dial()

    @property
    def address(self) -> str:
        """The address as one writes it."""
        return f"grpc+tls://{self._host}:{self._port}"

    def publish(self, manifest: Manifest, content: Content) -> None:
        """Upload a message; return when the mailbox has it whole."""
        length = content.stat().st_size if isinstance(content, Path) else len(content)
        if length != manifest.bytes:
            raise ProtocolError("the content has another length than its manifest says")
        text, patience = manifest.to_json().decode(), self._patience()
        if length > CHUNK:
            have = self._begin(text, patience)
        else:
            have = self._send(text, content, 0, patience)
        before = -1
        while have != length:
            if have is None or have <= before:  # after a restart it hashes what it has
                patience.pause("it takes nothing")
            if have is None:
                have = self._begin(text, patience)
                continue
            if have > length:
                raise ProtocolError("the mailbox says that it has more than was sent")
            before = have
            patience.moved(have)
            have = self._send(text, content, have, patience)

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""
        return _only(self._ask(GetMessage(session, sender, receiver, channel)), LARGEST)

    def open(self, manifest: Manifest) -> Chunks:
        """Return a message's content, downloaded while it is read."""
        return Chunks(self._download(manifest))

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place and bytes of every manifest of a session from or to this party."""
        for answer in self._ask(ListManifests(session)):
            place, _, data = answer.partition(b"\n")
            yield _place(place), data

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status. This is not tried for long."""
        patience = self._patience(min(self._timeout, _STATUS_SECONDS))
        self._ask(SetStatus(session, sender, status.decode()), patience)

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""
        return _only(self._ask(GetStatus(session, sender)))

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""
        answers = (answer.partition(b"\n") for answer in self._ask(ListStatuses(session)))
        return {_name(name): status for name, _, status in answers}

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _dial(self) -> Any:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return fl.FlightClient(
            fl.Location.for_grpc_tls(host, self._port),
            tls_root_certs=self._roots,
            cert_chain=self._leaf[0],
            private_key=self._leaf[1],
            # Not the address but any trusted identity's mailbox: TLS checks the certificate.
            override_hostname=MAILBOX_NAME,
            generic_options=_OPTIONS,
        )

    def _patience(self, seconds: float | None = None) -> Patience:
        address = (self._host, self._port)
        return Patience(address, self._roots, seconds or self._timeout, self._stop)

    def _ask(self, request: Request, patience: Patience | None = None) -> list[bytes]:
        """Return the answers to a request."""
        action = fl.Action("ask", encode(request))
        patience = patience or self._patience()
        while True:
            options = fl.FlightCallOptions(timeout=patience.left(_CALL_SECONDS))
            answers, length = [], 0
            try:
                for answer in self._client.do_action(action, options):
                    answers.append(answer.body.to_pybytes())
                    length += len(answers[-1]) + 100
                    if length > _LARGEST_ANSWER:
                        raise ProtocolError("the mailbox answers more than can be")
                return answers
            except (pa.ArrowException, OSError) as error:
                self._bear(error, patience)

    def _bear(self, error: Exception, patience: Patience) -> None:
        """Wait a little where a call that failed may work when it is tried again. Raises the error
        that the server has told, or what `Patience` raises."""
        if isinstance(error, OSError) and error.errno is not None:
            raise error  # of our own disk; pyarrow's have no number
        told = getattr(error, "extra_info", b"").decode("utf-8", "replace")
        known = from_text(told)
        if known is not None:
            raise known from None
        if isinstance(error, NotImplementedError):
            raise ProtocolError(f"what answers at {self.address} is no mailbox") from None
        if isinstance(error, fl.FlightUnavailableError):
            patience.look()
            self._client = self._dial()  # gRPC would wait before it tries again
        elif isinstance(error, fl.FlightTimedOutError):
            self._client = self._dial()  # the connection may be dead
            patience.pause("it does not answer")
        else:
            patience.pause(f"calls fail ({type(error).__name__})")

    def _begin(self, text: str, patience: Patience) -> int | None:
        """Return how many bytes of a message the mailbox has, if it knows already."""
        return _number(_only(self._ask(Begin(text), patience)))

    def _download(self, manifest: Manifest) -> Generator[memoryview, None, None]:
        """Yield a message's content, part by part; where one breaks off, go on where it was."""
        patience, offset, before = self._patience(), 0, -1
        while before < offset < manifest.bytes:  # else the mailbox has no more
            before, end = offset, min(offset + PART, manifest.bytes)
            ticket = fl.Ticket(encode(Download(*manifest.place, offset, end - offset)))
            options = fl.FlightCallOptions(timeout=patience.left(_TRANSFER_SECONDS))
            stream, failed = None, None
            try:
                stream = self._client.do_get(ticket, options)
                if stream.schema != SCHEMA:
                    raise MessageRejected("the mailbox sends what is no content")
                for chunk in stream:
                    content = memoryview(chunk.app_metadata or b"").cast("B")
                    patience.left(0)
                    if offset + len(content) > end:
                        raise MessageRejected("the mailbox sends more than was asked for")
                    if content:
                        offset += len(content)
                        patience.moved(offset)
                        yield content
                stream = None
            except (pa.ArrowException, OSError) as error:
                failed = error
            finally:
                if stream is not None:
                    stream.cancel()
            if failed is not None:
                self._bear(failed, patience)
                before = -1

    def _send(self, text: str, content: Content, offset: int, patience: Patience) -> int | None:
        """Send what comes from `offset` on, for a while; return as `_begin` does."""
        try:
            return self._send_part(text, content, offset, patience.left(_TRANSFER_SECONDS))
        except (pa.ArrowException, OSError) as error:
            self._bear(error, patience)
            return self._begin(text, patience)

    def _send_part(self, text: str, content: Content, offset: int, seconds: float) -> int | None:
        until = time.monotonic() + seconds / 2  # what is under way at the end of a call is lost
        descriptor = fl.FlightDescriptor.for_command(encode(Upload(text, offset)))
        options = fl.FlightCallOptions(timeout=seconds)
        with open_file(content) if isinstance(content, Path) else io.BytesIO(content) as source:
            source.seek(offset)
            writer, reader = self._client.do_put(descriptor, SCHEMA, options)
            try:
                while time.monotonic() < until and (chunk := source.read(CHUNK)):
                    self._stop()
                    writer.write_metadata(chunk)
                writer.done_writing()
                answer = reader.read()
                writer.close()
            except BaseException:
                # Else pyarrow does, and writes to standard error that the connection is broken.
                with suppress(pa.ArrowException, OSError):
                    writer.close()
                raise
        return _number(None if answer is None else answer.to_pybytes())


def _only(answers: list[bytes], most: int = _LARGEST_ANSWER) -> bytes | None:
    if len(answers) > 1 or any(len(answer) > most for answer in answers):
        raise ProtocolError("the mailbox answers more than was asked for")
    return answers[0] if answers else None


def _number(answer: bytes | None) -> int | None:
    answer = answer or b""
    if len(answer) > 20 or not (answer or b"0").isdigit():
        raise ProtocolError("the mailbox does not say how much it has of a message")
    return int(answer) if answer else None


def _name(data: bytes) -> str:
    if not is_name(name := data.decode(errors="replace")):
        raise ProtocolError("the mailbox names a party as none can be named")
    return name


def _place(data: bytes) -> str:
    """Return SENDER/RECEIVER/CHANNEL, which the mailbox has sent."""
    if not is_place(place := data.decode(errors="replace")):
        raise ProtocolError("the mailbox lists a message in a place that none can have")
    return place
