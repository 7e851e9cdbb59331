"""Messages that come in pieces, and may have been cut off: what a mailbox's server has of them.

The content of an unfinished message lies beside its place, in a partial file that is named by the
message's SHA-256. So an upload continues after a broken connection, and after a restart of the
server. Several uploads of one message at a time are harmless: each brings the same bytes, and who
is behind only repeats what is there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import MessageRejected, ProtocolError
from .files import Writer, sync
from .folder import Folder
from .manifest import Manifest
from .requests import CHUNK

# What lies there after a restart is hashed again, for this long in a call.
_HASHING_SECONDS = 1.0


class Upload:
    """An unfinished message of one sender. Safe for several threads."""

    def __init__(
        self, folder: Folder, manifest: Manifest, partial: Path, placing: threading.Lock
    ) -> None:
        self.manifest = manifest
        self.users = 0
        self._folder, self._partial, self._placing = folder, partial, placing
        self._lock = threading.Lock()
        self._digest, self._length = hashlib.sha256(), 0
        self._writer: Writer | None = None
        self._resumed = self._hashing = partial.exists()

    def begin(self) -> int | None:
        """Return how many bytes are there, or None while these are still hashed: ask again.

        Where all are there, the message is published. Raises ProtocolError where another message
        is in its place.
        """
        with self._lock:
            if self._folder.has(self.manifest):
                return self.manifest.bytes
            if self._hashing and not self._hash_for_a_while():
                return None
            missing = self.manifest.bytes - self._length
            if shutil.disk_usage(self._partial.parent).free < missing:
                raise ProtocolError(f"the mailbox has no room for {self.manifest.what}")
            self._finish_if_whole()
            return self._length

    def write(self, position: int, chunk: memoryview) -> None:
        """Take the bytes that begin at `position`. The last ones publish the message.

        Raises MessageRejected where they are too many, or together are not the message's content.
        """
        with self._lock:
            if position + len(chunk) > self.manifest.bytes:
                raise MessageRejected(f"{self.manifest.what} has more bytes than its manifest says")
            if self._hashing or self._length < position or self._folder.has(self.manifest):
                return  # what is missing, begin() tells
            with self._counting():
                if self._writer is None:
                    if not self._length:
                        self._partial.touch()
                    if self._partial.stat().st_size < self._length:
                        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
                    os.truncate(self._partial, self._length)  # a crash may have left more
                    self._writer = Writer(self._partial, self._digest, new=False)
                self._length += self._writer.write(chunk[self._length - position :])
            self._finish_if_whole()

    def rest(self) -> None:
        """Write what is in memory, and leave no file open: nobody uploads now."""
        with self._lock:
            self._close()

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Where writing fails, nobody knows what is there: hash it again."""
        try:
            yield
        except BaseException:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._digest, self._length = hashlib.sha256(), 0
            self._hashing = self._partial.exists()
            raise

    def _close(self) -> None:
        if self._writer is not None:
            with self._counting():
                self._writer.flush()
            self._writer.close()
            self._writer = None

    def _hash_for_a_while(self) -> bool:
        """Go on hashing what an earlier server has received; return whether that is all."""
        until = time.monotonic() + _HASHING_SECONDS
        with self._partial.open("rb") as source:
            source.seek(self._length)
            while chunk := source.read(min(CHUNK, self.manifest.bytes - self._length)):
                if time.monotonic() > until:
                    return False
                self._digest.update(chunk)
                self._length += len(chunk)
        self._hashing = False
        return True

    def _finish_if_whole(self) -> None:
        if self._length < self.manifest.bytes:
            return
        self._close()
        if self._digest.hexdigest() != self.manifest.sha256:
            self._partial.unlink(missing_ok=True)
            self._digest, self._length = hashlib.sha256(), 0
            if self._resumed:  # a crash may have left something else than was received
                self._resumed = False
                return
            raise _altered(self.manifest)
        if not self.manifest.bytes:
            self._partial.touch()
        with self._counting():
            sync(self._partial)  # it may take long, and others shall not wait for it
        with self._placing:
            if not self._folder.has(self.manifest):
                self._folder.place(self.manifest, self._partial)
        self._partial.unlink(missing_ok=True)


class Uploads:
    """The unfinished messages in a folder."""

    def __init__(self, folder: Folder, most: int = 256) -> None:
        self._folder, self._most = folder, most
        self._lock, self._placing = threading.Lock(), threading.Lock()
        self._known: OrderedDict[Path, Upload] = OrderedDict()

    @contextmanager
    def of(self, manifest: Manifest) -> Iterator[Upload]:
        """Lend the upload of the message with this manifest."""
        partial = self._folder.partial(manifest, manifest.sha256)
        with self._lock:
            upload = self._known.get(partial)
            if upload is None or (upload.manifest != manifest and not upload.users):
                upload = Upload(self._folder, manifest, partial, self._placing)
            elif upload.manifest != manifest:
                raise ProtocolError("the same content is being sent with another manifest")
            self._known[partial] = upload
            self._known.move_to_end(partial)
            upload.users += 1
            self._forget()
        try:
            yield upload
        finally:
            try:
                if upload.users == 1:
                    upload.rest()
            finally:
                with self._lock:
                    upload.users -= 1

    def publish(self, manifest: Manifest, content: bytes) -> None:
        """Publish a message that came whole. Raises MessageRejected where it is not what its
        manifest says, ProtocolError where another one is in its place."""
        if len(content) != manifest.bytes:
            raise MessageRejected(f"{manifest.what} does not have the bytes that its manifest says")
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise MessageRejected(
                f"{manifest.what} does not have the SHA-256 that its manifest says"
            )
        with self._placing:
            self._folder.publish(manifest, content)

    def _forget(self) -> None:
        """Drop what was not used for longest; its content stays, and is hashed again if needed."""
        for partial in list(self._known):
            if len(self._known) <= self._most:
                return
            if not self._known[partial].users:
                del self._known[partial]


def _altered(manifest: Manifest) -> MessageRejected:
    return MessageRejected(
        f"{manifest.what} does not have the SHA-256 that its manifest says; it was altered"
    )
