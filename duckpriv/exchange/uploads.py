"""Messages whose content comes in pieces: what a mailbox's server has of them.

The content of an unfinished message lies beside its place, in a partial file that is named by the
message's SHA-256. So an upload continues after a broken connection, and after a restart of the
server. Several uploads of one message at a time are harmless: each brings the same bytes.

A message's manifest is made when its content is whole. Content that comes while its sender still
makes it is named by its sender, and belongs to no message until a manifest that names it comes. It
is encrypted with a key that only that manifest has, so without one nobody can read it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MessageRejected, ProtocolError
from .folder import Folder
from .manifest import Manifest
from .partial import Partial
from .quota import Quota

# Content without a manifest: how many a sender may have, and for how long.
_MOST_EARLY, _EARLY_SECONDS = 4, 600.0
# Of manifests that are kept in memory, in all: one may have a megabyte of columns.
_MOST_COLUMNS = 1 << 14


class Upload:
    """An unfinished message of one sender. Safe for several threads."""

    def __init__(
        self,
        folder: Folder,
        manifest: Manifest,
        partial: Path,
        placing: threading.Lock,
        quota: Quota,
    ) -> None:
        self.manifest, self._quota = manifest, quota
        self.users = 0
        self._folder, self._path, self._placing = folder, partial, placing
        self._lock = threading.Lock()
        self._resumed = partial.exists()
        self._partial = Partial(partial)

    def adopt(self, early: Partial) -> None:
        """Go on with content that came before the manifest, where that is of use."""
        with self._lock:
            there = self._partial.length or self._path.exists()
            if early.length and not there:
                with suppress(OSError, ProtocolError):  # somebody has deleted it; or no room
                    self._check_room(early.length)
                    early.move(self._path)
                    self._partial, self._resumed = early, True
                    return
        early.remove(ended=True)

    def begin(self) -> int | None:
        """Return how many bytes are there, or None while these are still hashed: ask again.

        Where all are there, the message is published. Raises ProtocolError where another message
        is in its place.
        """
        with self._lock:
            if self._is_published():
                return self.manifest.bytes
            if not self._partial.known():
                return None
            self._check_room(self._partial.length)
            self._finish_if_whole()
            return self._partial.length

    def write(self, position: int, chunk: memoryview) -> None:
        """Take the bytes that begin at `position`. The last ones publish the message.

        Raises MessageRejected where they are too many, or together are not the message's content.
        """
        with self._lock:
            if position + len(chunk) > self.manifest.bytes:
                raise MessageRejected(f"{self.manifest.what} has more bytes than its manifest says")
            if self._folder.has(self.manifest):
                return
            new = position + len(chunk) - self._partial.length
            if 0 < new <= len(chunk):
                self._take(0, new)
            self._partial.write(position, chunk)  # what is missing, begin() tells
            self._finish_if_whole()

    def rest(self) -> None:
        """Write what is in memory, and leave no file open: nobody uploads now."""
        self._partial.rest()

    def _check_room(self, there: int) -> None:
        """Raise ProtocolError where the rest would be too much: before it is sent."""
        missing = max(0, self.manifest.bytes - there)
        self._quota.check(self.manifest.sender, self.manifest.session, missing)

    def _take(self, messages: int, size: int) -> None:
        manifest = self.manifest
        self._quota.take(manifest.sender, manifest.session, manifest.receiver, messages, size)

    def _is_published(self) -> bool:
        try:
            published = self._folder.has(self.manifest)
        except ProtocolError:
            self._partial.remove()
            raise
        if published:
            self._partial.remove()
        return published

    def _finish_if_whole(self) -> None:
        if self._partial.length < self.manifest.bytes:
            return
        if self._partial.finish() != self.manifest.sha256:
            self._partial.remove()
            if self._resumed:  # a crash may have left something else than was received
                self._resumed = False
                return
            raise _altered(self.manifest)
        self._take(0, len(self.manifest.to_json()))
        with self._placing:
            if not self._folder.has(self.manifest):
                self._folder.place(self.manifest, self._path)
        self._path.unlink(missing_ok=True)


class Uploads:
    """The unfinished messages in a folder, and the content that came before its manifest."""

    def __init__(self, folder: Folder, quota: Quota, most: int = 256) -> None:
        self._folder, self._quota, self._most = folder, quota, most
        self._lock, self._placing = threading.Lock(), threading.Lock()
        self._known: OrderedDict[Path, Upload] = OrderedDict()
        # By sender; then by session, receiver and name.
        self._early: dict[str, OrderedDict[tuple[str, str, str], Partial]] = {}
        folder.forget_early(_EARLY_SECONDS)  # of a server that was killed

    @contextmanager
    def of(self, manifest: Manifest, early: str = "") -> Iterator[Upload]:
        """Lend the upload of the message with this manifest; content that came before under the
        name `early` is taken for its own."""
        path = self._folder.partial(manifest, manifest.sha256)
        session, sender, receiver, _ = manifest.place
        with self._lock:
            content = self._early.get(sender, OrderedDict()).pop((session, receiver, early), None)
            begun = path in self._known
        try:
            # Counting may take a while: the others go on meanwhile.
            if not (begun or path.exists() or self._folder.has(manifest)):
                self._quota.take(sender, session, receiver, 1, 0)
            self._folder.make(session, sender, receiver)
        except BaseException:
            if content is not None:
                content.remove(ended=True)
            raise
        with self._lock:
            upload = self._known.get(path)
            if upload is None or (upload.manifest != manifest and not upload.users):
                upload = Upload(self._folder, manifest, path, self._placing, self._quota)
            elif upload.manifest != manifest:
                raise ProtocolError("the same content is being sent with another manifest")
            self._known[path] = upload
            self._known.move_to_end(path)
            upload.users += 1
            self._forget()
        try:
            if content is not None:
                upload.adopt(content)
            yield upload
        finally:
            try:
                if upload.users == 1:
                    upload.rest()
            finally:
                with self._lock:
                    upload.users -= 1

    @contextmanager
    def early(self, session: str, sender: str, receiver: str, name: str) -> Iterator[Partial]:
        """Lend the content that its sender has named so, which is kept until a manifest names it,
        or for a while."""
        path = self._folder.early_path(session, sender, receiver, name)
        self._folder.forget_early(_EARLY_SECONDS)
        key = session, receiver, name
        with self._lock:
            begun = key in self._early.get(sender, ())
        if not begun:
            self._quota.take(sender, session, receiver, 1, 0)
            self._folder.make(session, sender, receiver)
        with self._lock:
            own = self._early.setdefault(sender, OrderedDict())
            own[key] = partial = own.pop(key, None) or Partial(path)
            too_much = [own.popitem(last=False)[1] for _ in range(len(own) - _MOST_EARLY)]
        for other in too_much:
            other.remove(ended=True)
        try:
            yield partial
        finally:
            partial.rest()

    def take_early(self, session: str, sender: str, receiver: str, size: int) -> None:
        """Count bytes of content without a manifest. Raises ProtocolError where they are too many,
        or the disk has no room."""
        self._quota.take(sender, session, receiver, 0, size)

    def publish(self, manifest: Manifest, content: bytes) -> None:
        """Publish a message that came whole. Raises MessageRejected where it is not what its
        manifest says, ProtocolError where another one is in its place."""
        if len(content) != manifest.bytes:
            raise MessageRejected(f"{manifest.what} does not have the bytes that its manifest says")
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise _altered(manifest)
        session, sender, receiver, _ = manifest.place
        size = len(content) + len(manifest.to_json())
        if not self._folder.has(manifest):
            self._quota.take(sender, session, receiver, 1, size)
        with self._placing:
            self._folder.publish(manifest, content)

    def close(self) -> None:
        """Delete what no manifest has named."""
        with self._lock:
            left = [partial for own in self._early.values() for partial in own.values()]
            self._early.clear()
        for partial in left:
            partial.remove(ended=True)

    def _forget(self) -> None:
        """Drop what was not used for longest; its content stays, and is hashed again if needed."""
        columns = sum(len(upload.manifest.columns) for upload in self._known.values())
        for partial, upload in list(self._known.items()):
            if len(self._known) <= self._most and columns <= _MOST_COLUMNS:
                return
            if not upload.users:
                del self._known[partial]
                columns -= len(upload.manifest.columns)


def _altered(manifest: Manifest) -> MessageRejected:
    return MessageRejected(
        f"{manifest.what} does not have the SHA-256 that its manifest says; it was altered"
    )
