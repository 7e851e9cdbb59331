"""Messages that are written and wait for their statement's commit, or for their delivery."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import ProtocolError
from ..message.manifest import Manifest
from ..message.outgoing import Content
from .mailbox import Mailbox

# Small messages stay in memory; where a journal holds them, they stand in its table.
SMALL = 8 << 10
_NAME = re.compile(r"[0-9a-f]{32}\.message")


def new_name() -> str:
    """Return the name of a new file of content."""
    return f"{secrets.token_hex(16)}.message"


def own_files(folder: Path) -> dict[str, Path]:
    """Return the files in a folder that are named as an outbox names its own, by name."""
    if not folder.is_dir():
        return {}
    ours = (file for file in folder.iterdir() if _NAME.fullmatch(file.name))
    return {file.name: file for file in ours if file.is_file() and not file.is_symlink()}


def clear(folder: Path) -> None:
    """Delete what an outbox left in its folder, and then the folder where nothing else is in it."""
    for file in own_files(folder).values():
        file.unlink(missing_ok=True)
    remove_empty(folder)


def remove_empty(folder: Path) -> None:
    """Delete a run's folder, and the one of all runs, where nothing is in them."""
    with suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()


@dataclass(frozen=True)
class Staged:
    """A message that was written and not yet handed to the carrier."""

    manifest: Manifest
    content: Content

    def delete(self) -> None:
        """Delete a file that is not needed any more; several messages may share it."""
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)


class Outbox:
    """Hands messages to `mailbox`: at once, or, while a journal holds them back, by `deliver`."""

    def __init__(
        self, mailbox: Mailbox, private: Path, check_own: Callable[[Manifest], None]
    ) -> None:
        """`check_own` raises where a manifest is not this party's own."""
        self._mailbox, self._private, self._check_own = mailbox, private, check_own
        self._held_in: Path | None = None
        self.staged: list[Staged] = []  # not yet committed
        self._committed: list[Staged] = []  # not yet delivered

    @property
    def folder(self) -> Path:
        """Where content is to be written."""
        return self._held_in or self._private

    @property
    def holds(self) -> bool:
        """Whether finished messages wait for a commit."""
        return self._held_in is not None

    @property
    def waits(self) -> bool:
        """Whether committed messages are to be delivered."""
        return bool(self._committed)

    @contextmanager
    def holding(self, folder: Path | None) -> Iterator[None]:
        """Keep finished messages in `folder` (None: a private one) until they are committed and
        delivered."""
        self._held_in = folder or self._private / "outbox"
        self._held_in.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield
        finally:
            if folder is not None:  # something may wait there for the next run
                remove_empty(folder)
            self._held_in = None

    def take(self, messages: list[Staged]) -> None:
        """Hold finished messages, or deliver them where no journal does; these are deleted then,
        whatever comes."""
        if self._held_in is not None:
            self.staged += messages
            return
        try:
            for message in messages:
                self._mailbox.publish(message.manifest, message.content)
        finally:
            for message in messages:
                message.delete()

    def held(self) -> list[str]:
        """Return the messages that are finished and not committed, to be written down."""
        return [
            json.dumps(
                {"manifest": m.manifest.to_json().decode(), "file": m.content.name}
                if isinstance(m.content, Path)
                else {"manifest": m.manifest.to_json().decode(), "content": m.content.hex()}
            )
            for m in self.staged
        ]

    def commit(self) -> None:
        """What was held is written down for good: from now on it is to be delivered."""
        self._committed += self.staged
        self.staged.clear()

    def leave(self) -> None:
        """Nobody knows whether what was held is written down: keep the files, forget the rest. The
        next run finds out."""
        self.staged.clear()

    def deliver(self) -> None:
        """Hand committed messages to the carrier, and delete them here."""
        while self._committed:
            message = self._committed[0]
            self._mailbox.publish(message.manifest, message.content)
            self._committed.pop(0)
            if all(other.content != message.content for other in self._committed):
                message.delete()

    def deliver_again(self, held: list[str]) -> None:
        """Deliver messages that an earlier run has written down last; delete what else of ours is
        in the outbox. Raises ProtocolError, before any is delivered, where one is neither here nor
        in the mailbox, is not what was written down, or is not this party's own."""
        assert self._held_in is not None
        files = own_files(self._held_in)
        self._committed.clear()
        for message in map(json.loads, held):
            manifest = Manifest.from_json(message["manifest"].encode())
            self._check_own(manifest)
            content: Content | None = files.get(message.get("file"))
            if "content" in message:
                content = bytes.fromhex(message["content"])
            if content is not None:
                _check_content(manifest, content)
                self._committed.append(Staged(manifest, content))
            elif not self._has(manifest):  # its file is deleted once it is delivered
                raise ProtocolError(
                    f"message '{manifest.channel}' to {manifest.receiver} is neither in the "
                    "mailbox nor in the outbox any more; start a new session"
                )
        self.deliver()
        for file in files.values():
            file.unlink(missing_ok=True)

    def _has(self, manifest: Manifest) -> bool:
        return self._mailbox.manifest(*manifest.place) == manifest.to_json()

    def discard(self) -> list[Manifest]:
        """Delete messages that are not committed; return their manifests."""
        discarded, self.staged = self.staged, []
        for message in discarded:
            message.delete()
        return [message.manifest for message in discarded]


def _check_content(manifest: Manifest, content: Content) -> None:
    """Raise ProtocolError where the content is not what the manifest says."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.sha256:
        raise ProtocolError(
            f"message '{manifest.channel}' to {manifest.receiver} was altered in the outbox; "
            "nothing was delivered: start a new session"
        )
