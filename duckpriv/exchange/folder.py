"""Messages in a folder that both parties see: `dir:PATH`.

PATH/SESSION/SENDER/RECEIVER/CHANNEL.arrow is the content, CHANNEL.json its manifest
(a '/' in the channel is a '.' in the file's name). Both are written under a temporary name
and renamed, the manifest last: a message is there when its manifest is.
PATH/SESSION/SENDER/status.json says whether that party runs.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import InvalidValue, MessageRejected, ProtocolError
from .files import Reader
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
        description = self._files_of(manifest)[1]
        if description.exists():
            if description.read_bytes() != manifest.to_json():
                raise already_sent(manifest.session, manifest.channel, manifest.receiver)
            return
        partial = self.partial(manifest, secrets.token_hex(8))
        try:
            if isinstance(content, Path):
                _link_or_copy(content, partial)
            else:
                partial.write_bytes(content)
            self.place(manifest, partial)
        finally:
            partial.unlink(missing_ok=True)

    def partial(self, manifest: Manifest, stem: str) -> Path:
        """Return a path beside a message's files for content that is not whole yet."""
        folder = self._files_of(manifest)[0].parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f".{stem}.partial"

    def place(self, manifest: Manifest, partial: Path) -> None:
        """Make the message visible whose whole content is in `partial`, which is gone then."""
        data, description = self._files_of(manifest)
        own = self.partial(manifest, secrets.token_hex(8))
        try:
            own.write_bytes(manifest.to_json())
            for file in (partial, own):
                with file.open("rb") as written:
                    os.fsync(written.fileno())
            partial.replace(data)
            own.replace(description)  # last: from now on the message is there
        finally:
            own.unlink(missing_ok=True)
        # The new names are on disk only when the folder is; not all file systems can say so.
        with suppress(OSError):
            folder = os.open(data.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""
        try:
            with self._files(session, sender, receiver, channel)[1].open("rb") as source:
                return source.read(LARGEST + 1)
        except FileNotFoundError:
            return None

    def open(self, manifest: Manifest) -> BinaryIO:
        """Return a message's content. Raises MessageRejected where there is none."""
        try:
            return Reader(self._files_of(manifest)[0])
        except FileNotFoundError:
            raise MessageRejected(
                f"message '{manifest.channel}' from {manifest.sender} has a manifest but no data"
            ) from None

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place and bytes of every manifest of a session, oldest first."""
        root = self.path / session
        files = root.glob("*/*/[!.]*.json")
        for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
            with file.open("rb") as source:
                place = file.relative_to(root).with_suffix("").as_posix()
                yield place, source.read(LARGEST + 1)

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status."""
        folder = self.path / session / sender
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{secrets.token_hex(8)}.partial"
        partial.write_bytes(status)
        partial.replace(folder / _STATUS)

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""
        try:
            with (self.path / session / sender / _STATUS).open("rb") as source:
                return source.read(LARGEST + 1)
        except FileNotFoundError:
            return None

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""
        found = {}
        for file in (self.path / session).glob(f"*/{_STATUS}"):
            status = self.status(session, file.parent.name)
            if status is not None:
                found[file.parent.name] = status
        return found

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _files_of(self, manifest: Manifest) -> tuple[Path, Path]:
        return self._files(manifest.session, manifest.sender, manifest.receiver, manifest.channel)

    def _files(self, session: str, sender: str, receiver: str, channel: str) -> tuple[Path, Path]:
        folder, name = self.path / session / sender / receiver, channel.replace("/", ".")
        return folder / f"{name}.arrow", folder / f"{name}.json"


def already_sent(session: str, channel: str, receiver: str) -> ProtocolError:
    """Return the error of a second message in the place of one that was sent."""
    return ProtocolError(
        f"session '{session}' has already sent a message on '{channel}' to {receiver}, and a "
        "second one could tell more than the protocol does; start a new session for a new run"
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
