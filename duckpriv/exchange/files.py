"""Large files that are written or read once, from beginning to end, without filling memory.

The system keeps in memory what was written or read, gigabytes of it, and to find room for that can
take longer than the disk. So what is behind is written out and let go, where that can be done.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

_WINDOW = 16 << 20


def let_go(descriptor: int, start: int, end: int, written: bool) -> int:
    """Let the bytes from `start` to `end` go from memory, if they are many; return up to where that
    is done. What was `written` goes to the disk first."""
    if end - start < _WINDOW or not hasattr(os, "posix_fadvise"):
        return start
    if written:
        os.fdatasync(descriptor)
    os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
    return end


class Writer:
    """A new file, written once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._position = self._gone = 0

    def write(self, data: Any) -> int:
        """Write all of a buffer; return its length."""
        with memoryview(data) as given:
            left = given.cast("B")
            length = len(left)
            while left:  # an unbuffered file may take less than it is given
                left = left[self._file.write(left) :]
        self._position += length
        self._gone = let_go(self._file.fileno(), self._gone, self._position, written=True)
        return length

    def sync(self) -> None:
        """Return when all is safe on disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Reader(io.FileIO):
    """A file that is read once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._gone = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        data = super().read(-1 if size is None else size) or b""
        self._gone = let_go(self.fileno(), self._gone, self.tell(), written=False)
        return data
