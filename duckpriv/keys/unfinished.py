"""Keys that a statement makes or removes, until the statement is committed.

A key file has a mark beside it from before it is there until the journal says that its statement is
finished. So a party that is killed finds out which keys nobody can have seen, and makes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..names import partials_of

_PREFIX = ".unfinished-"


class Unfinished:
    """The keys of one statement, number `step` of the run `run`, in the folder `folder`."""

    def __init__(self, folder: Path, run: str, step: int) -> None:
        self._folder, self._mark = folder, f"{_PREFIX}{run}-{step}-"
        self.made: list[str] = []  # file names
        self.removed: list[str] = []  # key names

    def make(self, file: str) -> None:
        """Mark `file`, which is to be written."""
        mark = os.open(self._folder / (self._mark + file), os.O_WRONLY | os.O_CREAT, 0o600)
        os.fsync(mark)
        os.close(mark)
        self.made.append(file)

    def leave(self, file: str) -> None:
        """Another process was first to write `file`."""
        self.made.remove(file)
        (self._folder / (self._mark + file)).unlink()

    def keep(self) -> None:
        """The statement is committed: delete the marks."""
        for file in self.made:
            (self._folder / (self._mark + file)).unlink(missing_ok=True)

    def undo(self) -> None:
        """The statement failed: delete the keys, then the marks."""
        delete(self._folder, self.made)
        self.keep()


def settle(folder: Path, run: str, step: int) -> None:
    """After a kill: keep the keys of the run's statements up to `step`, delete later ones."""
    for mark in folder.glob(f"{_PREFIX}{run}-*"):
        number, _, file = mark.name.removeprefix(f"{_PREFIX}{run}-").partition("-")
        if not (number.isdecimal() and int(number) <= step):
            delete(folder, [file])
        mark.unlink()


def delete(folder: Path, files: Iterable[str]) -> None:
    """Delete key files that are there, and what a kill has left while they were written."""
    for file in files:
        for found in (folder / file, *folder.glob(partials_of(file))):
            found.unlink(missing_ok=True)
