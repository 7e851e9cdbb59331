"""How much of a served mailbox each peer uses, counted on the disk.

What a peer has there is counted when it first writes, by a walk through its own folders, and from
then on added up, so that no upload walks through the mailbox, and a restart forgets nothing. What
is deleted is not subtracted: a count that reaches a limit is taken anew, unless that was just done.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ProtocolError
from ...visible import visible
from ..message.limits import Limits

_RECOUNT_SECONDS = 10.0
# What is taken is on the disk by then: calls are shorter, and leave nothing in memory.
_WRITTEN_SECONDS = 90.0
_LOG = logging.getLogger("duckpriv")


class Quota:
    """What the peers may have in the mailbox folder `folder`. Safe for several threads."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)

    def enter(self, peer: str, session: str) -> None:
        """Note that `peer` takes part in a session. Raises ProtocolError where it may not."""
        self._take(peer, session, "", 0, 0)

    def check(self, peer: str, session: str, size: int) -> None:
        """Raise ProtocolError where `take` of so many bytes would."""
        self._check_room(peer, size)
        with self._account(peer) as account:
            self._check(account, peer, session, "", 0, size)

    def take(self, peer: str, session: str, receiver: str, messages: int, size: int) -> None:
        """Count messages, or begun ones, to `receiver`, and bytes. Raises ProtocolError where that
        is more than `peer` may have, and counts nothing then."""
        self._check_room(peer, size)
        self._take(peer, session, receiver, messages, size)

    def _take(self, peer: str, session: str, receiver: str, messages: int, size: int) -> None:
        with self._account(peer) as account:
            self._check(account, peer, session, receiver, messages, size)
            account.take(session, receiver, messages, size)

    def _account(self, peer: str) -> _Account:
        with self._lock:
            return self._accounts[peer]

    def _check(
        self, account: _Account, peer: str, session: str, receiver: str, messages: int, size: int
    ) -> None:
        if account.counted is None:
            account.count(self._folder, peer)
        limit = self._passed(account.use, session, receiver, messages, size)
        if limit and time.monotonic() - (account.counted or 0) >= _RECOUNT_SECONDS:
            account.count(self._folder, peer)  # the owner may have deleted something
            limit = self._passed(account.use, session, receiver, messages, size)
        if limit:
            self._warn(
                f"{peer} has reached the limit {limit} of your mailbox: delete sessions that have "
                f"ended (each is a folder in {self._folder}), or raise it with --limit {limit}=…"
            )
            raise ProtocolError(
                f"{peer} has reached the limit {limit} of this mailbox, "
                f"{getattr(self._limits, limit):,}; ask its owner to delete sessions that have "
                "ended, or to raise the limit, and go on some minutes later"
            )

    def _passed(
        self, use: _Use, session: str, receiver: str, messages: int, size: int
    ) -> str | None:
        """Return the name of the limit that would be passed."""
        limits = self._limits
        if session not in use.receivers and len(use.receivers) >= limits.peer_sessions:
            return "peer_sessions"
        if receiver and receiver not in use.receivers.get(session, set()):
            messages += 1
        if messages and use.messages + messages > limits.peer_messages:
            return "peer_messages"
        if size and use.bytes + size > limits.peer_bytes:
            return "peer_bytes"
        return None

    def _check_room(self, peer: str, size: int) -> None:
        folder = self._folder
        while not folder.exists():  # it is made with the first message
            folder = folder.parent
        if shutil.disk_usage(folder).free < size + self._limits.free_bytes:
            self._warn(
                f"the disk of your mailbox {self._folder} is nearly full: an upload of {peer} is "
                f"refused, so that {self._limits.free_bytes:,} bytes stay free (the limit "
                "free_bytes). Delete sessions that have ended: each is a folder there"
            )
            raise ProtocolError(
                "the mailbox has no room for this message: its disk is nearly full. Tell its owner"
            )

    def _warn(self, text: str) -> None:
        """Tell the owner, but not as often as a peer may try."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _RECOUNT_SECONDS
            _LOG.warning("%s", visible(text))


@dataclass
class _Use:
    """Receivers by session, messages (whole or begun, and a folder for each receiver), bytes."""

    receivers: dict[str, set[str]] = field(default_factory=dict)
    messages: int = 0
    bytes: int = 0

    def add(self, session: str, receiver: str, messages: int, size: int) -> None:
        receivers = self.receivers.setdefault(session, set())
        if receiver and receiver not in receivers:
            receivers.add(receiver)
            self.messages += 1
        self.messages += messages
        self.bytes += size

    def add_all(self, other: _Use) -> None:
        for session, receivers in other.receivers.items():
            self.receivers.setdefault(session, set()).update(receivers)
        self.messages += other.messages
        self.bytes += other.bytes


class _Account:
    """What one peer has; within `with`, it is this thread's."""

    def __init__(self) -> None:
        self.use = _Use()
        self.counted: float | None = None  # when
        # What was taken lately, and before that: it may not be on the disk yet.
        self._lately, self._before, self._turned = _Use(), _Use(), time.monotonic()
        self._lock = threading.Lock()

    def __enter__(self) -> _Account:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def take(self, session: str, receiver: str, messages: int, size: int) -> None:
        """Add to what the peer has."""
        self._turn()
        for use in (self.use, self._lately):
            use.add(session, receiver, messages, size)

    def count(self, folder: Path, peer: str) -> None:
        """Count what is on the disk, and what was taken lately: some of that twice, but nothing not
        at all. What was added up so far is too much rather than too little as well."""
        self._turn()
        use, before = _on_disk(folder, peer), self.use
        use.add_all(self._before)
        use.add_all(self._lately)
        if self.counted is not None:
            use.messages = min(use.messages, before.messages)
            use.bytes = min(use.bytes, before.bytes)
        self.use, self.counted = use, time.monotonic()

    def _turn(self) -> None:
        passed = time.monotonic() - self._turned
        if passed >= _WRITTEN_SECONDS:
            self._before = self._lately if passed < 2 * _WRITTEN_SECONDS else _Use()
            self._lately, self._turned = _Use(), time.monotonic()


def _on_disk(folder: Path, peer: str) -> _Use:
    """Count MAILBOX/SESSION/PEER/RECEIVER/FILE."""
    use = _Use()
    for session in _entries(folder):
        own = Path(session.path) / peer
        if not os.path.lexists(own):
            continue
        use.add(session.name, "", 0, 0)
        for receiver in _entries(own):
            if not receiver.is_dir(follow_symlinks=False):
                continue  # the status
            use.add(session.name, receiver.name, 0, 0)
            for file in _entries(receiver):
                with suppress(OSError):  # it may be gone
                    size = file.stat(follow_symlinks=False).st_size
                    # A message is one file, without its manifest.
                    use.add(session.name, receiver.name, not file.name.endswith(".json"), size)
    return use


def _entries(folder: str | Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # no folder, or gone
        return []
