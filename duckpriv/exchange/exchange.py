"""What a party's exchange_send and exchange_recv do."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ..columns.context import Activity, Context, ReceivedFile, Running, Sent
from ..crypto.sealing import new_key
from ..disk import PRIVATE
from ..errors import DuckprivError, ExchangeTimeout, InvalidValue, MessageRejected, ProtocolError
from ..names import check_channel, check_name
from ..permission import Permission
from ..work import Work
from .addresses import DEFAULT_TIMEOUT, open_mailbox
from .mailbox.folder import Folder
from .mailbox.mailbox import Mailbox, already_sent
from .mailbox.outbox import SMALL, Outbox, Staged, new_name
from .mailbox.status import LONGEST_BEAT, Heart, Status, Watch
from .message.incoming import accept
from .message.limits import Limits
from .message.manifest import FORMAT, Manifest, columns_of, listed, parameters_hash
from .message.outgoing import OutgoingMessage, Written
from .message.protection import Protection
from .message.types import expected_columns

DEFAULT_SILENCE = 120.0
# Look again after a fiftieth of the time waited so far, within these bounds (seconds), and at the
# peer's status more rarely.
_SHORTEST_PAUSE, _LONGEST_PAUSE, _STATUS_PAUSE = 0.001, 1.0, 0.2
_LINGER_PAUSE = 0.2
# How long a run that failed tries to say so.
_FAREWELL_SECONDS = 0.5
# Of so many messages it is remembered that they are sent, while their statement goes on.
_MOST_PUBLISHED = 100
_Result = TypeVar("_Result")


def open_exchange(
    address: str,
    context: Context,
    timeout: float = DEFAULT_TIMEOUT,
    silence: float = DEFAULT_SILENCE,
    unprotected: bool = False,
    limits: Limits | None = None,
) -> FileExchange:
    """Return the exchange at `address`, as `open_mailbox` takes it, for the party of `context`.

    Messages are encrypted and signed with the identities in the keyring, unless `unprotected`.
    Raises InvalidValue for another kind of address, or where `context` lacks `me` or `session`;
    KeyNotFound where the keyring has no identity of this party.
    """
    keyring = context.need_keyring()
    if context.me is None:
        raise InvalidValue("an exchange needs your own name as the peers know it: me='bank'")
    session = context.need_session()
    mailbox = open_mailbox(address, keyring, context.me, timeout, context.stop_if_cancelled)
    if unprotected and not isinstance(mailbox, Folder):
        raise InvalidValue("unprotected messages go through a folder only")
    protection = None if unprotected else Protection(keyring, context.me)
    return FileExchange(
        mailbox, context.me, session, context, timeout, silence, protection, limits or Limits()
    )


class FileExchange:
    """Sends and receives one party's messages of one session through a mailbox."""

    def __init__(
        self,
        mailbox: Mailbox,
        me: str,
        session: str,
        context: Context,
        timeout: float,
        silence: float,
        protection: Protection | None,
        limits: Limits,
    ) -> None:
        self.mailbox = mailbox
        self.me = check_name("your own name (me)", me)
        self.session = check_name("the session", session)
        if timeout <= 0 or silence <= 0:
            raise InvalidValue("timeout and silence have to be more than 0 seconds")
        self._timeout, self._silence = timeout, silence
        self.bytes_moved = 0  # sent and received, for a script's log
        self.moved: list[Manifest] = []  # sent and received, and not yet in the audit table
        # The SHA-256 of what was sent and received: by sender, receiver and channel.
        self._known: dict[tuple[str, str, str], str] = {}
        self._heart: Heart | None = None
        self._statuses_before: dict[str, bytes] = {}
        self._beats = ThreadPoolExecutor(1, "duckpriv-beat")  # a mailbox far away may be slow
        self._beating: Future[None] = Future()
        self._beating.set_result(None)
        self._context, self._protection, self._limits = context, protection, limits
        self._open: dict[int, OutgoingMessage] = {}
        self._published: dict[int, Sent] = {}  # the last ones, by handle
        # What statements by hand wait for, by what they ask for.
        self._works: dict[tuple[Any, ...], Work[Any]] = {}
        # Takes `moved` over, and says whether it could; a script's journal does that itself.
        self.keep_record: Callable[[Sequence[Manifest]], bool] | None = None
        self._received: dict[tuple[str, str, bool], tuple[Manifest, ReceivedFile]] = {}
        self._read: set[tuple[str, str, bool]] = set()
        self._private = tempfile.TemporaryDirectory(prefix=PRIVATE)
        self.permission = Permission()
        self.outbox = Outbox(mailbox, Path(self._private.name), self._check_own)
        self._lock, self._recording = threading.Lock(), threading.Lock()

    def open(
        self,
        peer: str,
        channel: str,
        query: str,
        protocol: str,
        parameters: str,
        running: Running,
    ) -> int:
        """Begin a message to `peer`, one or several with commas between; return its handle.

        Raises NotAccepted where nothing lets it out (`permission.py`), ProtocolError where this
        session has sent one on the channel already.
        """
        receivers = tuple(peer.split(","))
        check_channel(channel)
        if len(set(receivers)) < len(receivers):
            raise InvalidValue("one of the receivers is named twice")
        for name in receivers:
            self._check_peer(name)
        settings = protocol, parameters
        send = self.permission.check(receivers, channel, query, settings, running)
        for name in receivers:
            if (self.me, name, channel) in self._known or self._is_in_mailbox(name, channel):
                raise already_sent(self.session, self.me, name, channel)
        key = None if self._protection is None else new_key()
        with self._lock:
            # What a statement that failed has left on this channel.
            for stale in [
                h for h, m in self._open.items() if (m.receivers, m.channel) == (receivers, channel)
            ]:
                self._open.pop(stale).discard()
            path = self.outbox.folder / new_name()
            handle = 1 + secrets.randbits(62)  # a number that no view can guess
            self._open[handle] = OutgoingMessage(
                *(path, receivers, channel, protocol, parameters, send.columns),
                *(key, SMALL),
            )
        return handle

    def _is_in_mailbox(self, receiver: str, channel: str) -> bool:
        """Whether this party had sent a message before, of which it may know nothing any more. One
        in the network says so when it is to take another one."""
        return (
            isinstance(self.mailbox, Folder)
            and self.mailbox.manifest(self.session, self.me, receiver, channel) is not None
        )

    def set_type(self, handle: int, sql_type: str, type_: pa.StructType) -> None:
        """Say which type the rows of an open message have, in SQL and in Arrow."""
        self._begun(handle).set_type(sql_type, type_)

    def stage(self, handle: int, rows: pa.StructArray) -> None:
        """Add rows to an open message."""
        self._begun(handle).add(rows)

    def _begun(self, handle: int) -> OutgoingMessage:
        message = self._open.get(handle)
        if message is None:
            raise ProtocolError(
                "the statement that runs has not begun this message, or another one has taken its "
                "place: does it send two on one channel? A channel carries one in a session"
            )
        return message

    def publish(self, handle: int, rows: int) -> Sent | None:
        """Finish a message and make it visible to its receivers: at once, or, while a journal
        holds messages back, by `deliver`. DuckDB asks once for each column of the result.

        None: ask again. It takes longer, and DuckDB is to notice meanwhile what ends a statement.
        """
        if handle in self._published:
            return self._published[handle]
        return self._looked_at(("publish", handle), lambda: self._publish(handle, rows))

    def _publish(self, handle: int, rows: int) -> Sent:
        message = self._begun(handle)
        receivers = ", ".join(message.receivers)
        self._context.activity.wait_for(
            f"{self.mailbox.address} to take message '{message.channel}' to {receivers}"
        )
        try:
            return self._finish(message, handle, rows)
        finally:
            self._context.activity.wait_for(None)

    def _finish(self, message: OutgoingMessage, handle: int, rows: int) -> Sent:
        written = message.finish(rows)
        for receiver in message.receivers:  # another message of the same statement
            if (self.me, receiver, message.channel) in self._known:
                raise already_sent(self.session, self.me, receiver, message.channel)
        self._open.pop(handle)
        staged = [
            Staged(self._manifest(message, to, written), written.content)
            for to in message.receivers
        ]
        self.outbox.take(staged)
        for one in staged:
            self._note(one.manifest)
        sent = Sent(rows, written.bytes * len(staged), written.sha256)
        while len(self._published) >= _MOST_PUBLISHED:
            self._published.pop(next(iter(self._published)))
        self._published[handle] = sent
        return sent

    def _manifest(self, message: OutgoingMessage, receiver: str, written: Written) -> Manifest:
        manifest = Manifest(
            format=FORMAT,
            session=self.session,
            sender=self.me,
            receiver=receiver,
            channel=message.channel,
            protocol=message.protocol,
            parameters=message.parameters,
            parameters_sha256=parameters_hash(message.protocol, message.parameters),
            columns=columns_of(written.schema),
            rows=written.rows,
            bytes=written.bytes,
            sha256=written.sha256,
        )
        self._limits.check(manifest)
        if self._protection is None or message.key is None:
            return manifest
        return self._protection.protect(manifest, message.key)

    def _note(self, manifest: Manifest) -> None:
        self._known[manifest.sender, manifest.receiver, manifest.channel] = manifest.sha256
        self.bytes_moved += manifest.bytes
        self.moved.append(manifest)
        self.record()

    def record(self) -> None:
        """Hand what was moved over to `keep_record`, unless a journal is to note it."""
        if self.keep_record is None or self.outbox.holds:
            return
        with self._recording:
            recorded = list(self.moved)
            if self.keep_record(recorded):
                del self.moved[: len(recorded)]

    def _looked_at(self, key: tuple[Any, ...], function: Callable[[], _Result]) -> _Result | None:
        """Begin the work of this name where it is not under way, and look at it: return its result,
        None where it takes longer. Raises its error."""
        with self._lock:
            for name, work in list(self._works.items()):
                if work.left if name == key else work.forgotten():
                    del self._works[name]
            if key not in self._works:
                self._works[key] = self._work(function)
            work = self._works[key]
        try:
            if not work.look():
                return None
            return work.result()  # type: ignore[no-any-return]
        except BaseException:
            self._works.pop(key, None)
            self._context.activity.wait_for(None)
            raise
        finally:
            if work.ended:
                self._works.pop(key, None)

    def _work(self, function: Callable[[], _Result]) -> Work[_Result]:
        return Work(function, self._context.stopper(), self._context.activity.tell_of_wait)

    def _check_own(self, manifest: Manifest) -> None:
        """Raise ProtocolError unless this party has made the manifest in this session, and signed
        it where messages are protected."""
        own = (manifest.session, manifest.sender) == (self.session, self.me)
        if own and self._protection is not None:
            try:
                self._protection.check_sender(manifest)
            except MessageRejected:
                own = False
        if not own:
            raise ProtocolError(
                f"message '{manifest.channel}' to {manifest.receiver} waits to be delivered again, "
                f"and is not one that {self.me} made and signed in this session (has it begun "
                "unprotected, or with another identity?); nothing was delivered: start a new "
                "session"
            )

    def know(self, known: dict[tuple[str, str, str], str], moved: int) -> None:
        """Take over what this session has moved before: it is not sent again, and is only received
        again as it was. `moved` are the bytes of it."""
        self._known |= known
        self.bytes_moved += moved

    def commit(self) -> None:
        """What was held is written down for good: from now on it is to be delivered."""
        self.outbox.commit()
        self.moved.clear()

    def leave(self) -> None:
        """Nobody knows whether what was held is written down: keep the files, forget the rest. The
        next run finds out."""
        self.outbox.leave()
        self.moved.clear()

    def _may_receive(
        self, peers: tuple[str, ...], channel: str, columns: str, running: Running
    ) -> None:
        """Raise NotAccepted where nothing lets the party ask for these messages: who serves the
        mailbox sees for what it is asked. What is here already may be read anew."""
        check_channel(channel)
        for peer in peers:
            self._check_peer(peer)
        here = all((peer, channel, not columns) in self._received for peer in peers)
        if running.runs or not here:
            self.permission.check_receive(peers, channel, running)

    def receive(
        self,
        peers: tuple[str, ...],
        channel: str,
        columns: str,
        settings: tuple[str, str],
        running: Running,
    ) -> list[ReceivedFile] | None:
        """Wait for a message of each peer, check everything that their manifests claim, and return
        the checked copies. The same message again is the same copy.

        Where `columns` is not empty, a message has to have exactly these, without NULLs. None: ask
        again. It takes longer, and DuckDB is to notice meanwhile what ends a statement.
        Raises ExchangeTimeout, MessageRejected, NotAccepted, or ProtocolError where the parties'
        protocol or settings differ.
        """
        key = "receive", peers, channel, columns, settings, running.number
        if key not in self._works:
            self._may_receive(peers, channel, columns, running)
        return self._looked_at(
            key, lambda: [self._receive(peer, channel, columns, *settings) for peer in peers]
        )

    def _receive(
        self, peer: str, channel: str, columns: str, protocol: str, parameters: str
    ) -> ReceivedFile:
        self._check_peer(peer)
        check_channel(channel)
        expected = expected_columns(columns) if columns else None
        nulls = expected is None
        known = self._received.get((peer, channel, nulls))
        manifest = known[0] if known else Manifest.from_json(self._wait(peer, channel))
        before = self._known.get((peer, self.me, channel))
        if before not in (None, manifest.sha256):
            raise MessageRejected(
                f"message '{channel}' from {peer} is not the one that was received before in this "
                "session; somebody has exchanged it"
            )
        self._check(manifest, peer, channel, protocol, parameters)
        if not known:
            self._check_protection(manifest)
        if expected is not None and manifest.columns != expected:
            raise MessageRejected(
                f"message '{channel}' from {peer} has other columns than expected: "
                f"{listed(manifest.columns)} instead of {listed(expected)}"
            )
        self._read.add((peer, channel, nulls))
        if known:
            return known[1]
        received = self._accept(manifest, nulls)
        self._context.stop_if_cancelled()
        self._received[peer, channel, nulls] = manifest, received
        if before is None:
            self._note(manifest)
        return received

    def look(self, peer: str, channel: str) -> ReceivedFile:
        """Return the checked copy of a message that is there, whatever its protocol and settings.
        Raises MessageRejected, InvalidValue where there is none."""
        self._check_peer(peer)
        data = self.mailbox.manifest(self.session, peer, self.me, check_channel(channel))
        if data is None:
            raise InvalidValue(
                f"{peer} has sent no '{channel}' to {self.me} in this session; 'duckpriv messages "
                "list' shows what was sent"
            )
        manifest = Manifest.from_json(data)
        self._check(manifest, peer, channel, manifest.protocol, manifest.parameters)
        self._check_protection(manifest)
        return self._accept(manifest, nulls=True)

    def _check_protection(self, manifest: Manifest) -> None:
        self._limits.check(manifest)
        if self._protection is not None:
            self._protection.check(manifest)
        elif manifest.sealed is not None:
            raise MessageRejected(f"{manifest.what} is encrypted, and you run unprotected")

    def _accept(self, manifest: Manifest, nulls: bool) -> ReceivedFile:
        # Another name each time: what was given up may still be written.
        stem = f"{manifest.sender}.{manifest.channel.replace('/', '.')}.{secrets.token_hex(4)}"
        target = Path(self._private.name) / f"{stem}.parquet"
        key = None if self._protection is None else self._protection.content_key(manifest)
        activity: Activity = self._context.activity
        activity.wait_for(f"the content of message '{manifest.channel}' from {manifest.sender}")
        try:
            with self.mailbox.open(manifest) as source:
                accept(manifest, source, target, nulls, key, self._limits)
        finally:
            activity.wait_for(None)
        return ReceivedFile(target, manifest.rows)

    def received(self) -> frozenset[tuple[str, str, bool]]:
        """Return what names the private copies that are kept now."""
        return frozenset(self._received)

    def forget(self, but: frozenset[tuple[str, str, bool]]) -> None:
        """Delete private copies of received messages, but not these, nor those that were read since
        the last call: a message may have what several rounds of a script need."""
        for key in self._received.keys() - but - self._read:
            self._received.pop(key)[1].path.unlink(missing_ok=True)
        self._read.clear()

    @contextmanager
    def running(self, script: str | None) -> Iterator[None]:
        """Tell the peers that this party runs, and at the end, whether it failed. `script` is
        one that two parties cannot both run, or None."""
        activity: Activity = self._context.activity
        activity.wait_for(self.mailbox.address)
        try:
            self._statuses_before = self._work(lambda: self.mailbox.statuses(self.session)).result()
            self._begin_beating(script)
            self._work(lambda: self._tell("running")).result()
        finally:
            activity.wait_for(None)
        state = "failed"
        try:
            yield
            state = "finished"
        finally:
            last = self._work(lambda: self._say_goodbye(state))
            if state == "finished":
                last.result()
            else:
                last.look(_FAREWELL_SECONDS)
            self._heart = None

    def _say_goodbye(self, state: str) -> None:
        self._beating.result()
        self._tell(state)

    def say_finished(self, script: str | None) -> None:
        """Tell the peers again that this party's run has finished, if they are soon reached."""
        self._begin_beating(script)
        self._tell("finished")
        self._heart = None

    def _begin_beating(self, script: str | None) -> None:
        self._heart = Heart(min(self._silence / 8, LONGEST_BEAT), script)

    def beat(self) -> None:
        """Give the peers a sign of life, if it is time for one."""
        if self._heart is not None and self._heart.due() and self._beating.done():
            self._beating = self._beats.submit(self._tell, "running")

    def _tell(self, state: str) -> None:
        if (heart := self._heart) is not None:
            with suppress(OSError, DuckprivError):  # the next one may reach them
                self.mailbox.set_status(self.session, self.me, heart.status(state))

    def linger(self, tick: Callable[[], None]) -> None:
        """Wait until the peers of this session have ended their runs, or are silent: they may
        still need messages that are served here. Calls `tick` now and then."""
        waiting = {name for *names, _ in self._known for name in names} - {self.me}
        last: dict[str, bytes | None] = {}
        changed = dict.fromkeys(waiting, time.monotonic())
        stop = self._context.stopper()
        while waiting:
            self._context.activity.wait_for(f"{', '.join(sorted(waiting))} to finish")
            stop()
            for name in list(waiting):
                status = self.mailbox.status(self.session, name)
                said = Status.from_json(status)
                seen = status if said else None  # what is no status is no sign of life
                if seen != last.get(name):
                    last[name], changed[name] = seen, time.monotonic()
                silent = time.monotonic() - changed[name] > self._silence
                if silent or (said and said.state != "running"):
                    waiting.remove(name)
            tick()
            self._context.activity.tell_of_wait()
            time.sleep(_LINGER_PAUSE)
        self._context.activity.wait_for(None)

    def deliver(self) -> None:
        """Hand committed messages to the carrier."""
        if self.outbox.waits:
            self._deliver(self.outbox.deliver)

    def deliver_again(self, held: list[str]) -> None:
        """Deliver messages that an earlier run has written down last."""
        self._deliver(lambda: self.outbox.deliver_again(held))

    def _deliver(self, function: Callable[[], None]) -> None:
        activity: Activity = self._context.activity
        activity.wait_for(f"{self.mailbox.address} to take messages")
        try:
            self._work(function).result()
        finally:
            activity.wait_for(None)

    def discard(self) -> None:
        """Delete messages that were begun, or finished and not committed; forget that they were to
        be moved."""
        while self._open:
            self._open.popitem()[1].discard()
        for manifest in self.outbox.discard():
            self._known.pop((manifest.sender, manifest.receiver, manifest.channel), None)
            with suppress(ValueError):
                self.moved.remove(manifest)

    def close(self) -> None:
        """Delete what is unfinished, and the private copies of received messages."""
        self.discard()
        self._beats.shutdown(wait=False)
        self.mailbox.close()
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
        looked = started
        try:
            while True:
                # Before we look for the message: the peer may send it, and fail then.
                looks = time.monotonic() - looked >= _STATUS_PAUSE
                status = self.mailbox.status(self.session, peer) if looks else None
                place = (self.session, peer, self.me, channel)
                if (data := self.mailbox.manifest(*place)) is not None:
                    return data
                self._context.stop_if_cancelled()
                if looks:
                    watch.look(status)
                    looked = time.monotonic()
                waited = time.monotonic() - started
                if waited >= self._timeout:
                    raise ExchangeTimeout(
                        f"no message '{channel}' from {peer} within {self._timeout:g} seconds in "
                        f"session '{self.session}' at {self.mailbox.address}; has {peer} started "
                        "with the same session and exchange, and is its name right?"
                    )
                time.sleep(min(max(waited / 50, _SHORTEST_PAUSE), _LONGEST_PAUSE))
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
