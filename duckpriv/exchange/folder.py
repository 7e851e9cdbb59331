"""Messages in a folder that both parties see: `dir:PATH`.

PATH/SESSION/SENDER/RECEIVER/CHANNEL.arrow is the content, CHANNEL.json its manifest
(a '/' in the channel is a '.' in the file's name). Both are written under a temporary name
and renamed, the manifest last: a message is there when its manifest is.
PATH/SESSION/SENDER/status.json says whether that party runs.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import InvalidValue, MessageRejected, ProtocolError
from .files import Reader, sync
from .manifest import LARGEST, Manifest
from .outgoing import Content

_STATUS = "status.json"


class Folder:
    """A mailbox folder; it is made when the first message is sent."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        if self.path.exists() and not self.path.is_dir():
            raise InvalidValue(f"the exchange {self.path} is not a folder")

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.path)

    def publish(self, manifest: Manifest, content: Content) -> None:
        """Make the message with this manifest and content visible to its receiver; the same one
        again changes nothing. Raises ProtocolError where another one is in its place."""
        if isinstance(content, Path) and self.has(manifest):
            return
        partial = self.partial(manifest, secrets.token_hex(8))
        try:
            if isinstance(content, Path):
                _link_or_copy(content, partial)
                sync(partial)
            else:
                _write_synced(partial, content)
            self.place(manifest, partial)
        finally:
            partial.unlink(missing_ok=True)

    def partial(self, manifest: Manifest, stem: str) -> Path:
        """Return a path beside a message's files for content that is not whole yet."""
        return self._beside(*manifest.place[:3], f".{stem}.partial")

    def early(self, session: str, sender: str, receiver: str, content: Path) -> None:
        """Nothing is to be had from it: the file needs only another name."""

    def early_path(self, session: str, sender: str, receiver: str, name: str) -> Path:
        """Return a path in the same folder for content that has no manifest yet."""
        return self._beside(session, sender, receiver, f".{name}.early")

    def forget_early(self, seconds: float) -> None:
        """Delete content that has no manifest and was not written for so long."""
        old = time.time() - seconds
        for content in self.path.glob("*/*/*/.*.early"):
            with suppress(OSError):  # others write here too
                if content.lstat().st_mtime < old:
                    content.unlink()

    def place(self, manifest: Manifest, partial: Path) -> None:
        """Make the message visible whose whole content is in `partial`, safe on disk; that is gone
        then."""
        data, description = self._files_of(manifest)
        own = data.with_name(f".{secrets.token_hex(8)}.partial")
        try:
            _write_synced(own, manifest.to_json())
            if self.has(manifest):
                return
            partial.replace(data)
            if not _appears(own, description):  # last: from now on the message is there
                self.has(manifest)  # or another process of ours was first
        finally:
            own.unlink(missing_ok=True)
        # The new names are on disk only when the folder is; not all file systems can say so.
        with suppress(OSError):
            sync(data.parent)

    def has(self, manifest: Manifest) -> bool:
        """Whether the message is there. Raises ProtocolError where another one is in its place."""
        found = self.manifest(*manifest.place)
        if found is not None and found != manifest.to_json():
            raise already_sent(manifest.session, manifest.channel, manifest.receiver)
        return found is not None

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""
        return _read_small(self._files(session, sender, receiver, channel)[1])

    def open(self, manifest: Manifest, offset: int = 0) -> Reader:
        """Return a message's content from `offset` on. Raises MessageRejected where there is
        none."""
        try:
            data = self._files_of(manifest)[0]
            if not stat.S_ISREG(data.lstat().st_mode):  # others write here: a pipe, or a link
                raise FileNotFoundError
            return Reader(data, offset)
        except FileNotFoundError:
            raise MessageRejected(f"{manifest.what} has a manifest but no data") from None

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place and bytes of every manifest of a session, oldest first."""
        root = self.path / session
        files = root.glob("*/*/[!.]*.json")
        for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
            if (data := _read_small(file)) is not None:
                yield file.relative_to(root).with_suffix("").as_posix(), data

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status."""
        folder = self.path / session / sender
        self._make(folder)
        partial = folder / f".{secrets.token_hex(8)}.partial"
        partial.write_bytes(status)
        partial.replace(folder / _STATUS)

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""
        return _read_small(self.path / session / sender / _STATUS)

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""
        found = {}
        for file in (self.path / session).glob(f"*/{_STATUS}"):
            status = self.status(session, file.parent.name)
            if status is not None:
                found[file.parent.name] = status
        return found

    def _beside(self, session: str, sender: str, receiver: str, name: str) -> Path:
        folder = self.path / session / sender / receiver
        self._make(folder)
        return folder / name

    def _make(self, folder: Path) -> None:
        """Make a folder below the mailbox. Raises InvalidValue where somebody has put a link that
        leads elsewhere in its place."""
        if not folder.resolve().is_relative_to(self.path.resolve()):
            raise InvalidValue(f"{folder} is a link that leads out of the mailbox; remove it")
        folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _files_of(self, manifest: Manifest) -> tuple[Path, Path]:
        return self._files(*manifest.place)

    def _files(self, session: str, sender: str, receiver: str, channel: str) -> tuple[Path, Path]:
        folder, name = self.path / session / sender / receiver, channel.replace("/", ".")
        return folder / f"{name}.arrow", folder / f"{name}.json"


def already_sent(session: str, channel: str, receiver: str) -> ProtocolError:
    """Return the error of a second message in the place of one that was sent."""
    return ProtocolError(
        f"session '{session}' has already sent a message on '{channel}' to {receiver}, and a "
        "second one could tell more than the protocol does; start a new session for a new run"
    )


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())


def _appears(partial: Path, target: Path) -> bool:
    """Give a file its name, and return True, unless another one has it."""
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        partial.replace(target)
    return True


def _read_small(path: Path) -> bytes | None:
    """Return a file's bytes, a little more than the largest manifest at most; None where there is
    none. Others write here: it may be a pipe, or a link, and then it is as good as none."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return None
        raise
    with os.fdopen(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return source.read(LARGEST + 1)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
