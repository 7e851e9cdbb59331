"""Content that comes in pieces and may be cut off: the first bytes of a message's, in a file."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import Writer, open_file, sync
from .requests import CHUNK

# What lies there after a restart is hashed again, for this long in a call.
_HASHING_SECONDS = 1.0


class Partial:
    """What there is of one content, and its SHA-256. Safe for several threads, which bring the same
    bytes: who is behind only repeats what is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._digest, self.length = hashlib.sha256(), 0
        self._writer: Writer | None = None
        self._hashing = path.exists()
        self._ended = False

    def known(self) -> bool:
        """Whether all that lies there is counted and hashed; goes on with that for a while."""
        with self._lock:
            return not self._hashing or self._hash_for_a_while()

    def write(self, position: int, chunk: memoryview) -> None:
        """Take the bytes that begin at `position`, unless some before them are missing, or it has
        ended."""
        with self._lock:
            if self._ended or self._hashing or self.length < position:
                return
            with self._counting():
                if self._writer is None:
                    self._cut()
                    self._writer = Writer(self._path, self._digest, new=False)
                self.length += self._writer.write(chunk[self.length - position :])

    def rest(self) -> None:
        """Write what is in memory, and leave no file open."""
        with self._lock:
            self._close()

    def finish(self) -> str:
        """Return the SHA-256 of what is there, which is then safe on disk, and ended."""
        with self._lock:
            self._close()
            with self._counting():
                self._cut()  # where there were no bytes, there is no file
                sync(self._path)  # it may take long, and others shall not wait for it
            self._ended = True
            return self._digest.hexdigest()

    def move(self, path: Path) -> None:
        """Give the file another name."""
        with self._lock:
            self._close()
            self._path.replace(path)
            self._path = path

    def remove(self, ended: bool = False) -> None:
        """Delete what is there; begin anew, unless it has ended."""
        with self._lock:
            self._ended = ended
            self._forget()
            self._path.unlink(missing_ok=True)
            self._hashing = False

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Where writing fails, nobody knows what is there: hash it again."""
        try:
            yield
        except BaseException:
            self._forget()
            self._hashing = self._path.exists()
            raise

    def _cut(self) -> None:
        """Leave what was counted in the file, which is made if there is none: a crash may have left
        more. Raises OSError where there is less."""
        flags = os.O_RDWR | (0 if self.length else os.O_CREAT)
        with os.fdopen(open_file(self._path, flags), "r+b", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < self.length:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            file.truncate(self.length)

    def _forget(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._digest, self.length = hashlib.sha256(), 0

    def _close(self) -> None:
        if self._writer is not None:
            with self._counting():
                self._writer.flush()
            self._writer.close()
            self._writer = None

    def _hash_for_a_while(self) -> bool:
        """Go on hashing what an earlier server has received; return whether that is all."""
        until = time.monotonic() + _HASHING_SECONDS
        with os.fdopen(open_file(self._path, os.O_RDONLY), "rb") as source:
            source.seek(self.length)
            while chunk := source.read(CHUNK):
                if time.monotonic() > until:
                    return False
                self._digest.update(chunk)
                self.length += len(chunk)
        self._hashing = False
        return True
