"""Large files that are written or read once, from beginning to end, without filling memory.

The system would keep in memory what was written or read, gigabytes of it, and to find room for that
can take longer than the disk. So they go past it (O_DIRECT), window by window, in a thread of their
own; where a file system cannot do that, as other files do.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Protocol

from ..disk import at

_WINDOW = 2 << 20


# Others may write in the same folder, so a name may stand for a link that leads elsewhere, or for a
# pipe, at which one would wait for ever.
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class NoFileError(OSError):
    """A link, a pipe, a folder or a device stands where a file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "this is no file", str(path))


def open_file(path: Path, flags: int) -> int:
    """Return the descriptor of an ordinary file. Raises NoFileError for anything else, OSError."""
    try:
        descriptor = os.open(path, flags | _CAREFULLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NoFileError(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoFileError(path)
    return descriptor


def sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are safe on disk."""
    descriptor = os.open(path, os.O_RDONLY | _CAREFULLY)
    try:
        with at(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: memoryview, /) -> None:
        """Take some bytes."""


class Writer:
    """A new file, or one that exists and is written on from its end. What was given goes to the
    disk, and into `digest`, in a thread of its own while more is made."""

    closed = False  # for Arrow

    def __init__(self, path: Path, digest: Digest | None = None, new: bool = True) -> None:
        self._path, self._digest = path, digest
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0)
        self._file = os.fdopen(open_file(path, flags), "ab", buffering=0)
        self._position = self._file.tell()
        self._filling, self._filled = mmap.mmap(-1, _WINDOW), 0
        # Made when there is a second window: most files are small.
        self._leaving: mmap.mmap | None = None
        self._past: _Past | None = None
        self._thread = ThreadPoolExecutor(1, "duckpriv-disk")
        self._under_way: Future[None] | None = None

    def write(self, data: Any) -> int:
        """Take all of a buffer; return its length. Raises OSError, here or later."""
        with memoryview(data) as given:
            left = given.cast("B")
            length = len(left)
            while left:
                if self._filled == _WINDOW:
                    self._turn()
                fits = left[: _WINDOW - self._filled]
                self._filling[self._filled : self._filled + len(fits)] = fits
                self._filled += len(fits)
                left = left[len(fits) :]
        return length

    def flush(self) -> None:
        """Return when the system has all that was given, and the digest too."""
        self._wait()
        self._put(self._filling, self._filled)
        self._filled = 0

    def sync(self) -> None:
        """Return when all is safe on disk."""
        self.flush()
        with at(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what was not flushed may be missing."""
        self._thread.shutdown()
        self._file.close()
        if self._past is not None:
            self._past.close()

    def _turn(self) -> None:
        """Let a full window go to the disk, once the one before is there."""
        self._wait()
        if self._leaving is None:
            self._leaving = mmap.mmap(-1, _WINDOW)
            if self._position % mmap.PAGESIZE == 0:
                self._past = _Past(self._path, os.O_WRONLY)
        self._under_way = self._thread.submit(self._put, self._filling, _WINDOW)
        self._filling, self._leaving = self._leaving, self._filling
        self._filled = 0

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()

    def _put(self, window: mmap.mmap, length: int) -> None:
        with memoryview(window) as whole, whole[:length] as data, at(self._path):
            if self._digest is not None:
                self._digest.update(data)
            done = 0
            if self._past is not None and length == _WINDOW:
                done = self._past.do(lambda fd: os.pwrite(fd, data, self._position))
            while done < length:  # an unbuffered file may take less than it is given
                done += self._file.write(data[done:])
        self._position += length


class Reader(io.RawIOBase):
    """A file that is read once, from `offset` on; a thread reads ahead."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        super().__init__()
        self._path = path
        self._opened = ExitStack()
        self._file = self._opened.enter_context(
            os.fdopen(open_file(path, os.O_RDONLY), "rb", buffering=0)
        )
        size = os.fstat(self._file.fileno()).st_size
        self._past: _Past | None = None
        if size > _WINDOW:
            self._past = self._opened.enter_context(closing(_Past(path, os.O_RDONLY)))
        self._thread = self._opened.enter_context(ThreadPoolExecutor(1, "duckpriv-disk"))
        self._skip = offset % mmap.PAGESIZE
        self._position = offset - self._skip
        self._window = min(_WINDOW, size + 1)
        self._reading, self._coming = (mmap.mmap(-1, self._window) for _ in range(2))
        self._pending = memoryview(b"")
        self._ahead: Future[int] | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with what comes next; return how many bytes that were, 0 at the end."""
        part = self._part(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` of the next bytes, none at the end; all of them without `size`."""
        return (self.readall() or b"") if size < 0 else bytes(self._part(size))

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
        super().close()

    def _part(self, most: int) -> memoryview:
        if not self._pending:
            length = self._fill(self._coming) if self._ahead is None else self._ahead.result()
            self._reading, self._coming = self._coming, self._reading
            self._pending = memoryview(self._reading)[self._skip : length]
            self._skip = 0
            full = length == self._window
            self._ahead = self._thread.submit(self._fill, self._coming) if full else None
        part, self._pending = self._pending[:most], self._pending[most:]
        return part

    def _fill(self, window: mmap.mmap) -> int:
        with memoryview(window) as room, at(self._path):
            length = 0
            if self._past is not None:
                length = self._past.do(lambda fd: os.preadv(fd, [room], self._position))
            self._file.seek(self._position + length)
            while length < self._window and (count := self._file.readinto(room[length:])):
                length += count
        self._position += length
        return length


class _Past:
    """A file, past the system's memory, where the file system can do that."""

    def __init__(self, path: Path, flags: int) -> None:
        self._descriptor: int | None = None
        with suppress(OSError, AttributeError):
            self._descriptor = open_file(path, flags | os.O_DIRECT)

    def do(self, work: Callable[[int], int]) -> int:
        """Return what `work` does with the file, 0 where it cannot be done so."""
        if self._descriptor is None:
            return 0
        try:
            return work(self._descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.close()  # it asks for another alignment
            return 0

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
