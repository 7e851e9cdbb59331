"""What is said of an error of the disk: which file or folder, and what to do."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# EFBIG: more than `ulimit -f` allows.
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
# How the folders begin that we make in the temporary one.
PRIVATE = "duckpriv-"
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def at(path: Path, remedy: str = "") -> Iterator[None]:
    """Let an OSError that names no file name `path`: one of writing does not. `remedy` says what
    helps, besides room and permission."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            if error.filename is None:
                error.filename = str(path)
            if remedy and remedy not in getattr(error, "__notes__", ()):
                error.add_note(remedy)
        raise


def explained(error: OSError) -> str:
    """Return what an OSError says: the problem, the file or folder, and what to do."""
    if error.errno is None:
        return f"input/output error: {error}"
    given = (error.filename, error.filename2)
    names = [os.fsdecode(name) for name in given if isinstance(name, str | bytes)]
    remedies = list(getattr(error, "__notes__", ()))
    if error.errno in _FULL:
        names = [_folder(name) for name in names[-1:]]  # of a copy only the second is written
        room = "make room there"
        if names and names[0] == _temporary():
            room += ", or set the variable TMPDIR to another folder"
        remedies.insert(0, f"{room}, and run again")
    elif error.errno in _CLOSED:
        remedies.insert(0, "see who may read and write there")
    elif _temporary() is None:
        remedies.insert(0, "set the variable TMPDIR to a folder that you may write into")
    problem = os.strerror(error.errno) if names else str(error.strerror)
    where = " and ".join(_folder(n) if Path(n).name.startswith(".") else n for n in names)
    return "; ".join([f"{problem}: {where}" if names else problem, *remedies])


def _folder(name: str) -> str:
    """Return the folder of a file, as the user knows it: not the private one that we made."""
    folder = Path(name) if Path(name).is_dir() else Path(name).parent
    temporary = _temporary()
    if temporary and folder.is_relative_to(temporary):
        below = folder.relative_to(temporary).parts
        if below and below[0].startswith(PRIVATE):
            return temporary
    return str(folder)


def _temporary() -> str | None:
    try:
        return tempfile.gettempdir()
    except OSError:  # there is none
        return None


def utf8_path(path: str | os.PathLike[str]) -> str:
    """Return a path as DuckDB and Arrow take it: in UTF-8, whatever encoding Python takes names
    of files for."""
    try:
        return os.fsencode(path).decode()
    except UnicodeError:  # they cannot name that file
        return os.fspath(path)


def python_path(path: str) -> Path:
    """Return the path that DuckDB calls `path`."""
    return Path(os.fsdecode(path.encode()))


def home_expanded(path: Path) -> Path:
    """Return a path with `~` replaced. Raises an OSError where nobody knows the home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        problem = "nobody knows your home folder; set HOME, or name a folder without ~"
        raise OSError(errno.ENOENT, problem) from None
