"""Messages in a folder that both parties see: `dir:PATH`.

PATH/SESSION/SENDER/RECEIVER/CHANNEL.arrow is the content, CHANNEL.json its manifest
(a '/' in the channel is a '.' in the file's name). Both are written under a temporary name
and renamed, the manifest last: a message is there when its manifest is.
PATH/SESSION/SENDER/status.json says whether that party runs.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ...disk import at, home_expanded
from ...errors import InvalidValue, MessageRejected
from ..message.manifest import LARGEST, Manifest
from ..message.outgoing import Content
from .files import NoFileError, open_file, sync
from .mailbox import already_sent, is_name, is_place
from .status import LARGEST_STATUS

_STATUS = "status.json"
_MOST_STATUSES = 1000


class Folder:
    """A mailbox folder; it is made when the first message is sent."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = home_expanded(Path(path))
        if not self._nearest().is_dir():
            raise InvalidValue(
                f"the exchange {self.path} cannot be a folder, since {self._nearest()} is a file; "
                "name a folder, which is made when there is none"
            )

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.path)

    def need_writable(self) -> None:
        """Raise InvalidValue where this party may not write there."""
        if not os.access(self._nearest(), os.W_OK | os.X_OK):
            raise InvalidValue(
                f"you may not write into {self._nearest()}, where messages to the peers are to go; "
                "see who may, or name another folder that all parties see"
            )

    def _nearest(self) -> Path:
        """Return the folder, or of those that it is to be in the one that is there."""
        paths = (self.path, *self.path.parents)
        return next((path for path in paths if path.exists()), Path())

    def publish(self, manifest: Manifest, content: Content) -> None:
        """Make the message with this manifest and content visible to its receiver; the same one
        again changes nothing. Raises ProtocolError where another one is in its place."""
        if isinstance(content, Path) and self.has(manifest):
            return
        partial = self.partial(manifest, secrets.token_hex(8))
        self.make(*manifest.place[:3])
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
        return self._files_of(manifest)[0].with_name(f".{stem}.partial")

    def make(self, session: str, sender: str, receiver: str) -> None:
        """Make the folder of the messages from one party to another."""
        self._make(self.path / session / sender / receiver)

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
            # Last: from now on the message is there; or another process of ours was first.
            if not _appears(own, description) and not self.has(manifest):
                raise _no_file(manifest.sender, manifest.channel)
        finally:
            own.unlink(missing_ok=True)
        # The new names are on disk only when the folder is; not all file systems can say so.
        with suppress(OSError):
            sync(data.parent)

    def has(self, manifest: Manifest) -> bool:
        """Whether the message is there. Raises ProtocolError where another one is in its place."""
        found = self.manifest(*manifest.place)
        if found is not None and found != manifest.to_json():
            raise already_sent(*manifest.place)
        return found is not None

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""
        try:
            return _read_small(self._files(session, sender, receiver, channel)[1], LARGEST)
        except NoFileError:
            raise _no_file(sender, channel) from None

    def open(self, manifest: Manifest) -> io.FileIO:
        """Return a message's content. Raises MessageRejected where there is none."""
        try:
            return open_file(self._files_of(manifest)[0])
        except (FileNotFoundError, NoFileError):
            raise MessageRejected(f"{manifest.what} has a manifest but no data") from None

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place and bytes of every manifest of a session, oldest first."""
        root = self.path / session
        found = []
        for file in root.glob("*/*/[!.]*.json"):
            place = file.relative_to(root).with_suffix("").as_posix()
            with suppress(OSError):  # it may be gone
                if is_place(place):
                    found.append((file.lstat().st_mtime_ns, place, file))
        for _, place, file in sorted(found):
            data: bytes | None = b""  # of what is no file: no message
            with suppress(NoFileError):
                data = _read_small(file, LARGEST)
            if data is not None:
                yield place, data

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status."""
        folder = self.path / session / sender
        self._make(folder)
        partial = folder / f".{secrets.token_hex(8)}.partial"
        with at(partial), partial.open("xb") as target:
            target.write(status)
        partial.replace(folder / _STATUS)

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""
        try:
            return _read_small(self.path / session / sender / _STATUS, LARGEST_STATUS)
        except NoFileError:
            return None

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""
        found = {}
        files = (self.path / session).glob(f"*/{_STATUS}")
        for name in (file.parent.name for file in islice(files, _MOST_STATUSES)):
            if is_name(name) and (status := self.status(session, name)) is not None:
                found[name] = status
        return found

    def _make(self, folder: Path) -> None:
        """Make a folder below the mailbox. Raises InvalidValue where somebody has put a link in
        its place, which may lead elsewhere."""
        if folder.resolve() != self.path.resolve() / folder.relative_to(self.path):
            raise InvalidValue(
                f"{folder} is a link, or in one, and a mailbox has none; see who made it, and "
                "remove it"
            )
        folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _files_of(self, manifest: Manifest) -> tuple[Path, Path]:
        return self._files(*manifest.place)

    def _files(self, session: str, sender: str, receiver: str, channel: str) -> tuple[Path, Path]:
        folder, name = self.path / session / sender / receiver, channel.replace("/", ".")
        return folder / f"{name}.arrow", folder / f"{name}.json"


def _no_file(sender: str, channel: str) -> MessageRejected:
    return MessageRejected(
        f"in the place of message '{channel}' from {sender} there is a link, a pipe or a folder; "
        "see who else can write into the mailbox, and start a new session"
    )


def _write_synced(path: Path, data: bytes) -> None:
    with at(path), path.open("xb") as target:
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


def _read_small(path: Path, most: int) -> bytes | None:
    """Return a file's bytes, one more than `most` at most; None where there is none. Raises
    NoFileError."""
    try:
        source = open_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with at(path), source:
        return io.BufferedReader(source).read(most + 1)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
