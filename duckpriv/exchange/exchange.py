"""What a party's exchange_send and exchange_recv do."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from ..columns.context import Activity, Context, ReceivedFile, Sent
from ..errors import ExchangeTimeout, InvalidValue, MessageRejected, ProtocolError
from ..names import check_channel, check_name
from .folder import Folder
from .incoming import accept
from .manifest import FORMAT, Manifest, columns_of, parameters_hash
from .outgoing import OutgoingMessage
from .protection import Protection
from .status import Heart, Watch
from .types import expected_columns

DEFAULT_TIMEOUT = 3600.0
DEFAULT_SILENCE = 120.0
_LONGEST_BEAT = 15.0
# Look again after a hundredth of the time waited so far, within these bounds (seconds).
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 1.0


def open_folder(address: str) -> Folder:
    """Return the mailbox at `address`, `dir:PATH`. Raises InvalidValue for another kind."""
    kind, _, path = address.partition(":")
    if kind != "dir" or not path:
        raise InvalidValue("the exchange has to be 'dir:' and a folder that both parties see")
    return Folder(path)


def open_exchange(
    address: str,
    context: Context,
    timeout: float = DEFAULT_TIMEOUT,
    silence: float = DEFAULT_SILENCE,
    unprotected: bool = False,
) -> FileExchange:
    """Return the exchange at `address`, `dir:PATH`, for the party of `context`.

    Messages are encrypted and signed with the identities in the keyring, unless `unprotected`.
    Raises InvalidValue for another kind of address, or where `context` lacks `me` or `session`;
    KeyNotFound where the keyring has no identity of this party.
    """
    folder = open_folder(address)
    if context.me is None:
        raise InvalidValue("an exchange needs your own name as the peers know it: me='bank'")
    session = context.need_session()
    protection = None if unprotected else Protection(context.need_keyring(), context.me)
    return FileExchange(folder, context.me, session, context, timeout, silence, protection)


class FileExchange:
    """Sends and receives one party's messages of one session through a folder."""

    def __init__(
        self,
        folder: Folder,
        me: str,
        session: str,
        context: Context,
        timeout: float,
        silence: float,
        protection: Protection | None,
    ) -> None:
        self.folder = folder
        self.me = check_name("your own name (me)", me)
        self.session = check_name("the session", session)
        if timeout <= 0 or silence <= 0:
            raise InvalidValue("timeout and silence have to be more than 0 seconds")
        self._timeout, self._silence = timeout, silence
        self.bytes_moved = 0  # sent and received, for a script's log
        self._moved: list[Manifest] = []  # not yet in the audit table
        self._heart: Heart | None = None
        self._statuses_before: dict[str, bytes] = {}
        self._context, self._protection = context, protection
        self._handles = itertools.count(1)
        self._open: dict[int, OutgoingMessage] = {}
        self._received: dict[tuple[str, str, bool], tuple[Manifest, ReceivedFile]] = {}
        self._private = tempfile.TemporaryDirectory(prefix="duckpriv-")
        self._lock = threading.Lock()

    def open(self, peer: str, channel: str, protocol: str, parameters: str) -> int:
        """Begin a message to `peer`, one or several with commas between; return its handle."""
        for name in peer.split(","):
            self._check_peer(name)
        check_channel(channel)
        with self._lock:
            # What a statement that failed has left on this channel.
            for stale in [
                h for h, m in self._open.items() if (m.peer, m.channel) == (peer, channel)
            ]:
                self._open.pop(stale).discard()
            handle = next(self._handles)
            path = Path(self._private.name) / f"{handle}.sending"
            self._open[handle] = OutgoingMessage(path, peer, channel, protocol, parameters)
        return handle

    def stage(self, handle: int, rows: pa.StructArray, sql_type: str) -> None:
        """Add rows to an open message."""
        self._open[handle].add(rows, sql_type)

    def publish(self, handle: int, rows: int, schema: pa.StructType, sql_type: str) -> Sent:
        """Finish a message and make it visible to its receiver.

        Raises ProtocolError where this session has sent other bytes on the channel already.
        """
        message = self._open[handle]
        arrow_schema = message.finish(schema, sql_type)
        if rows != message.rows:
            raise ProtocolError("the query's rows and the rows written differ; nothing was sent")
        with message.path.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        size = message.path.stat().st_size
        receivers = message.peer.split(",")
        for receiver in receivers:
            manifest = Manifest(
                format=FORMAT,
                session=self.session,
                sender=self.me,
                receiver=receiver,
                channel=message.channel,
                protocol=message.protocol,
                parameters=message.parameters,
                parameters_sha256=parameters_hash(message.protocol, message.parameters),
                columns=columns_of(arrow_schema),
                rows=rows,
                bytes=size,
                sha256=digest,
            )
            self._publish(manifest, message.path)
        self._open.pop(handle).discard()
        return Sent(rows, size * len(receivers), digest)

    def _publish(self, manifest: Manifest, content: Path) -> None:
        with self._lock:
            earlier = self.folder.manifest(
                self.session, self.me, manifest.receiver, manifest.channel
            )
            if earlier is None:
                self._publish_new(manifest, content)
            elif not self._is_same(Manifest.from_json(earlier), manifest):
                raise ProtocolError(
                    f"session '{self.session}' has already sent another message on "
                    f"'{manifest.channel}' to {manifest.receiver}; start a new session for a new "
                    "run"
                )

    def _publish_new(self, manifest: Manifest, content: Path) -> None:
        sealed = content.with_suffix(".sealed")
        try:
            if self._protection is not None:
                manifest = self._protection.protect(manifest, content, sealed)
                content = sealed
            self.folder.publish(manifest, content)
        finally:
            sealed.unlink(missing_ok=True)
        self._note(manifest)

    def _note(self, manifest: Manifest) -> None:
        self.bytes_moved += manifest.bytes
        self._moved.append(manifest)

    def moved(self) -> list[Manifest]:
        """Return what was sent and received since the last call."""
        noted, self._moved = self._moved, []
        return noted

    def _is_same(self, earlier: Manifest, manifest: Manifest) -> bool:
        if self._protection is None:
            return earlier == manifest
        return self._protection.is_same(earlier, manifest)

    def receive(
        self, peer: str, channel: str, columns: str, protocol: str, parameters: str
    ) -> ReceivedFile:
        """Wait for a message, check everything that its manifest claims, and return the
        checked copy. The same message again is the same copy.

        Where `columns` is not empty, the message has to have exactly these, without NULLs.
        Raises ExchangeTimeout, MessageRejected, or ProtocolError where the parties' protocol
        or settings differ.
        """
        self._check_peer(peer)
        check_channel(channel)
        expected = expected_columns(columns) if columns else None
        nulls = expected is None
        known = self._received.get((peer, channel, nulls))
        manifest = known[0] if known else Manifest.from_json(self._wait(peer, channel))
        self._check(manifest, peer, channel, protocol, parameters)
        if not known:
            self._check_protection(manifest)
        if expected is not None and manifest.columns != expected:
            raise MessageRejected(
                f"message '{channel}' from {peer} has other columns than expected: "
                f"{_listed(manifest.columns)} instead of {_listed(expected)}"
            )
        if known:
            return known[1]
        received = self._accept(manifest, nulls)
        self._received[peer, channel, nulls] = manifest, received
        self._note(manifest)
        return received

    def look(self, peer: str, channel: str) -> ReceivedFile:
        """Return the checked copy of a message that is there, whatever its protocol and settings.
        Raises MessageRejected, InvalidValue where there is none."""
        self._check_peer(peer)
        data = self.folder.manifest(self.session, peer, self.me, check_channel(channel))
        if data is None:
            raise InvalidValue(f"{peer} has sent no '{channel}' to {self.me} in this session")
        manifest = Manifest.from_json(data)
        self._check(manifest, peer, channel, manifest.protocol, manifest.parameters)
        self._check_protection(manifest)
        return self._accept(manifest, nulls=True)

    def _check_protection(self, manifest: Manifest) -> None:
        if self._protection is not None:
            self._protection.check(manifest)
        elif manifest.sealed is not None:
            raise MessageRejected(
                f"message '{manifest.channel}' from {manifest.sender} is encrypted, and you run "
                "unprotected"
            )

    def _accept(self, manifest: Manifest, nulls: bool) -> ReceivedFile:
        stem = f"{manifest.sender}.{manifest.channel.replace('/', '.')}"
        target = Path(self._private.name) / f"{stem}.{'any' if nulls else 'whole'}.parquet"
        with self.folder.open(manifest) as source:
            accept(manifest, source, target, nulls, self._protection)
        return ReceivedFile(target, manifest.rows)

    def received(self) -> frozenset[tuple[str, str, bool]]:
        """Return what names the private copies that are kept now."""
        return frozenset(self._received)

    def forget(self, but: frozenset[tuple[str, str, bool]]) -> None:
        """Delete private copies of received messages, but not these."""
        for key in self._received.keys() - but:
            self._received.pop(key)[1].path.unlink(missing_ok=True)

    @contextmanager
    def running(self, script: str | None) -> Iterator[None]:
        """Tell the peers that this party runs, and at the end, whether it failed. `script` is
        one that two parties cannot both run, or None."""
        self._statuses_before = self.folder.statuses(self.session)
        self._heart = Heart(min(self._silence / 8, _LONGEST_BEAT), script)
        self.folder.set_status(self.session, self.me, self._heart.status())
        state = "failed"
        try:
            yield
            state = "finished"
        finally:
            with suppress(OSError):  # what ended the run is more important
                self.folder.set_status(self.session, self.me, self._heart.status(state))
            self._heart = None

    def beat(self) -> None:
        """Give the peers a sign of life, if it is time for one."""
        if self._heart is not None and self._heart.due():
            with suppress(OSError):  # the next one may reach them
                self.folder.set_status(self.session, self.me, self._heart.status())

    def discard(self) -> None:
        """Delete messages that were begun and not published."""
        while self._open:
            self._open.popitem()[1].discard()

    def close(self) -> None:
        """Delete what is unfinished, and the private copies of received messages."""
        self.discard()
        self._private.cleanup()

    def _check_peer(self, peer: str) -> None:
        check_name("the peer", peer)
        if peer == self.me:
            raise InvalidValue(f"the peer is '{peer}', your own name; name the other party")

    def _wait(self, peer: str, channel: str) -> bytes:
        activity: Activity = self._context.activity
        started = time.monotonic()
        activity.wait_for(f"message '{channel}' from {peer}")
        script = self._heart.script if self._heart else None
        before = self._statuses_before.get(peer)
        watch = Watch(peer, channel, self._silence, before, script)
        try:
            while True:
                status = self.folder.status(self.session, peer)  # before we look for the message
                data = self.folder.manifest(self.session, peer, self.me, channel)
                if data is not None:
                    return data
                self._context.stop_if_cancelled()
                watch.look(status)
                waited = time.monotonic() - started
                if waited >= self._timeout:
                    raise ExchangeTimeout(
                        f"no message '{channel}' from {peer} within {self._timeout:g} seconds in "
                        f"session '{self.session}' at {self.folder.address}; has {peer} started "
                        "with the same session and exchange, and is its name right?"
                    )
                time.sleep(min(max(waited / 100, _SHORTEST_PAUSE), _LONGEST_PAUSE))
        finally:
            activity.wait_for(None)

    def _check(
        self, manifest: Manifest, peer: str, channel: str, protocol: str, parameters: str
    ) -> None:
        expected = {
            "session": self.session,
            "sender": peer,
            "receiver": self.me,
            "channel": channel,
        }
        for field, value in expected.items():
            found = getattr(manifest, field)
            if found != value:
                raise MessageRejected(
                    f"the message in the place of '{channel}' from {peer} is of another "
                    f"{field}: expected '{value}', found '{found}'"
                )
        if (manifest.protocol, manifest.parameters) != (protocol, parameters):
            raise ProtocolError(
                f"the parties' settings differ: {peer} runs '{manifest.protocol[:80]}' with "
                f"'{manifest.parameters[:200]}', {self.me} runs '{protocol}' with "
                f"'{parameters}'; agree on one and start a new session"
            )
        if manifest.parameters_sha256 != parameters_hash(protocol, parameters):
            raise MessageRejected(f"the manifest of '{channel}' contradicts itself")


def _listed(columns: tuple[tuple[str, str], ...]) -> str:
    return "(" + ", ".join(f"{name} {type_}" for name, type_ in columns)[:200] + ")"
