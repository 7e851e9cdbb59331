"""Files in a folder where others may write as well."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from ...disk import at

# A name may stand for a link that leads elsewhere, or for a pipe, at which one would wait for ever.
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class NoFileError(OSError):
    """A link, a pipe, a folder or a device stands where a file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "this is no file", str(path))


def open_file(path: Path, flags: int = os.O_RDONLY) -> io.FileIO:
    """Return an ordinary file, unbuffered. Raises NoFileError for anything else, OSError."""
    try:
        descriptor = os.open(path, flags | _CAREFULLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NoFileError(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoFileError(path)
    return io.FileIO(descriptor, "r+" if flags & os.O_RDWR else "r")


def sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are safe on disk."""
    descriptor = os.open(path, os.O_RDONLY | _CAREFULLY)
    try:
        with at(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
