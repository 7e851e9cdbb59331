"""Messages whose content comes in pieces: what a mailbox's server has of them.

The content of an unfinished message lies beside its place, in a partial file that is named by the
message's SHA-256. So an upload continues after a broken connection, and after a restart of the
server. Several uploads of one message at a time are harmless: each brings the same bytes, and who
is behind only repeats what is there.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...disk import at
from ...errors import MessageRejected, ProtocolError
from ..mailbox.files import open_file, sync
from ..mailbox.folder import Folder
from ..message.manifest import Manifest
from .quota import Quota
from .requests import CHUNK

# Uploads that nobody brings now: a manifest may have a megabyte of columns.
_MOST_IDLE = 3
# What lies there after a restart is hashed again, for this long in a call.
_HASHING_SECONDS = 1.0


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
        self.users, self.ended = 0, False
        self._folder, self._path, self._placing = folder, partial, placing
        self._lock = threading.Lock()
        self._start()
        self._resumed = self._hashing

    def begin(self) -> int | None:
        """Return how many bytes are there, or None while these are still hashed: ask again.

        Where all are there, the message is published. Raises ProtocolError where another message
        is in its place, or the rest would be too much.
        """
        with self._lock:
            if self._is_published():
                return self.manifest.bytes
            if self._hashing and not self._hash_for_a_while():
                return None
            missing = max(0, self.manifest.bytes - self._length)
            self._quota.check(self.manifest.sender, self.manifest.session, missing)
            self._finish_if_whole()
            return self._length

    def write(self, position: int, chunk: memoryview) -> None:
        """Take the bytes that begin at `position`, unless some before them are missing: `begin`
        tells. The last ones publish the message.

        Raises MessageRejected where they are too many, or together are not the message's content.
        """
        with self._lock:
            if position + len(chunk) > self.manifest.bytes:
                raise MessageRejected(f"{self.manifest.what} has more bytes than its manifest says")
            if self._hashing or self._length < position or self._folder.has(self.manifest):
                return
            self._append(chunk[self._length - position :])
            self._finish_if_whole()

    def _append(self, data: memoryview) -> None:
        if not data:
            return
        self._take(0, len(data))
        with self._counting(), self._open() as file, at(self._path):
            done = 0
            while done < len(data):  # an unbuffered file may take less than it is given
                done += file.write(data[done:])
        self._digest.update(data)
        self._length += len(data)

    def _open(self) -> io.FileIO:
        """Return the file, which is made if there is none, with what was counted in it: a crash may
        have left more. Raises OSError where there is less."""
        flags = os.O_RDWR | os.O_APPEND | (0 if self._length else os.O_CREAT)
        file = open_file(self._path, flags)
        if os.fstat(file.fileno()).st_size < self._length:
            file.close()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        file.truncate(self._length)
        return file

    def _start(self) -> None:
        self._digest, self._length = hashlib.sha256(), 0
        self._hashing = self._path.exists()

    def _remove(self) -> None:
        self._path.unlink(missing_ok=True)
        self._start()

    def _end(self) -> None:
        self._remove()
        self.ended = True

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Where writing fails, nobody knows what is there: hash it again."""
        try:
            yield
        except BaseException:
            self._start()
            raise

    def _hash_for_a_while(self) -> bool:
        """Go on hashing what an earlier server has received; return whether that is all."""
        until = time.monotonic() + _HASHING_SECONDS
        with open_file(self._path) as source:
            source.seek(self._length)
            while chunk := source.read(CHUNK):
                if time.monotonic() > until:
                    return False
                self._digest.update(chunk)
                self._length += len(chunk)
        self._hashing = False
        return True

    def _take(self, messages: int, size: int) -> None:
        manifest = self.manifest
        self._quota.take(manifest.sender, manifest.session, manifest.receiver, messages, size)

    def _is_published(self) -> bool:
        try:
            published = self._folder.has(self.manifest)
        except ProtocolError:
            self._remove()
            raise
        if published:
            self._end()
        return published

    def _finish_if_whole(self) -> None:
        if self._length < self.manifest.bytes:
            return
        with self._counting():
            self._open().close()  # where there were no bytes, there is no file
            sync(self._path)
        if self._digest.hexdigest() != self.manifest.sha256:
            self._remove()
            if self._resumed:  # a crash may have left something else than was received
                self._resumed = False
                return
            raise MessageRejected(
                f"{self.manifest.what} does not have the SHA-256 that its manifest says; it was "
                "altered"
            )
        self._take(0, len(self.manifest.to_json()))
        with self._placing:
            if not self._folder.has(self.manifest):
                self._folder.place(self.manifest, self._path)
        self._end()


class Uploads:
    """The unfinished messages in a folder."""

    def __init__(self, folder: Folder, quota: Quota) -> None:
        self._folder, self._quota = folder, quota
        self._lock, self._placing = threading.Lock(), threading.Lock()
        self._known: OrderedDict[Path, Upload] = OrderedDict()

    @contextmanager
    def of(self, manifest: Manifest) -> Iterator[Upload]:
        """Lend the upload of the message with this manifest."""
        path = self._folder.partial(manifest, manifest.sha256)
        session, sender, receiver, _ = manifest.place
        with self._lock:
            begun = path in self._known
        # Counting may take a while: the others go on meanwhile.
        if not (begun or path.exists() or self._folder.has(manifest)):
            self._quota.take(sender, session, receiver, 1, 0)
        self._folder.make(session, sender, receiver)
        with self._lock:
            upload = self._known.get(path)
            if upload is None or (upload.manifest != manifest and not upload.users):
                upload = Upload(self._folder, manifest, path, self._placing, self._quota)
            elif upload.manifest != manifest:
                raise ProtocolError("the same content is being sent with another manifest")
            self._known[path] = upload
            self._known.move_to_end(path)
            upload.users += 1
            # Content stays where its upload is forgotten, and is hashed again if needed.
            for idle in [p for p, other in self._known.items() if not other.users][:-_MOST_IDLE]:
                del self._known[idle]
        try:
            yield upload
        finally:
            with self._lock:
                upload.users -= 1
                if upload.ended and not upload.users and self._known.get(path) is upload:
                    del self._known[path]
