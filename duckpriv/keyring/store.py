"""A folder of named files of mode 600, encrypted where the keyring has a passphrase."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ..disk import home_expanded
from ..errors import KeyMismatch, KeyNotFound
from ..keyfiles import KeyFiles
from ..keys import Unfinished
from ..keys.unfinished import delete, settle
from ..names import check_key_name

_Key = TypeVar("_Key")


class KeyStore:
    """Keys by name, each in a file of that name and a suffix that tells its kind; the folder is
    made (mode 700) when needed. What a statement makes or removes can be undone.

    With a passphrase its private files are encrypted. A new keyring gets the one that is given
    here; `protect` sets, changes or removes that of another. Reading or making a private key
    raises KeyNotFound where the passphrase is missing, KeyMismatch where it is a wrong one.
    """

    def __init__(
        self, path: str | os.PathLike[str], passphrase: str | None, suffixes: Sequence[str]
    ) -> None:
        self.path = home_expanded(Path(path))
        self.files = KeyFiles(self.path, passphrase)
        self.lock = threading.RLock()
        self._suffixes = tuple(suffixes)
        self._loaded: dict[str, object] = {}  # by file name
        self._unfinished: Unfinished | None = None  # while a statement runs that may be undone

    @property
    def protected(self) -> bool:
        """Whether the keyring has a passphrase."""
        return self.files.protected

    def protect(self, passphrase: str | None) -> None:
        """Encrypt all private files under a new passphrase; None removes it. Killed in between,
        the keyring asks for this to be run again. No other process should use it meanwhile."""
        self.files.protect(passphrase)

    def names(self) -> list[str]:
        """Return the names of all keys, sorted."""
        if not self.path.is_dir():
            return []
        names = {
            file.name.partition(".")[0]
            for file in self.path.iterdir()
            if file.name.endswith(self._suffixes) and not file.name.startswith(".")
        }
        return sorted(names)

    def remove(self, name: str) -> None:
        """Delete the key or secret `name`. Raises KeyNotFound."""
        check_key_name(name)
        with self.lock:
            files = [self.path / (name + suffix) for suffix in self._suffixes]
            found = [file for file in files if file.exists()]
            if not found:
                raise self.not_found(name)
            if self._unfinished is not None:
                self._unfinished.removed.append(name)
                return
            self.delete_files([file.name for file in found])

    def begin(self, run: str, step: int) -> Unfinished:
        """From now on keys that are made can be undone, and keys to be removed stay, until `keep`
        or `undo`: by statement `step` of a run."""
        self._unfinished = Unfinished(self.path, run, step)
        return self._unfinished

    def keep(self) -> None:
        """What was made and removed since `begin` is to stay so."""
        done, self._unfinished = self._unfinished, None
        if done is not None:
            done.keep()
            for name in done.removed:
                with suppress(KeyNotFound):
                    self.remove(name)

    def leave(self) -> None:
        """Nobody knows whether the statement is finished: keep keys and marks; `settle` decides."""
        self._unfinished = None

    def undo(self) -> None:
        """Delete the keys that were made since `begin`; remove none."""
        undone, self._unfinished = self._unfinished, None
        if undone is not None:
            undone.undo()
            for file in undone.made:
                self._loaded.pop(file, None)

    def settle(self, run: str, step: int, removed: list[str]) -> None:
        """After a kill: keep what the run's statements up to `step` made and delete the rest;
        remove the keys `removed`, which the last of them removes."""
        settle(self.path, run, step)
        for name in removed:
            with suppress(KeyNotFound):
                self.remove(name)

    def delete_files(self, files: list[str]) -> None:
        """Delete key files, and forget what was read of them."""
        delete(self.path, files)
        for file in files:
            self._loaded.pop(file, None)

    def load(self, name: str, suffix: str, parse: Callable[[bytes], _Key]) -> _Key | None:
        """Return the parsed file of a key, read once; None where there is none."""
        with self.lock:
            file = check_key_name(name) + suffix
            if file not in self._loaded:
                data = self.read(name, suffix)
                if data is None:
                    return None
                self._loaded[file] = parse(data)
            return self._loaded[file]  # type: ignore[return-value]

    def keep_new(self, name: str, suffix: str, make: Callable[[], bytes]) -> None:
        """Make a key and write it. Raises KeyMismatch where the name is taken."""
        check_key_name(name)
        with self.lock:
            self.refuse_taken(name)
            if not self.write_first(name + suffix, make()):
                raise self.taken(name)

    def keep_public(self, name: str, suffix: str, content: bytes) -> None:
        """Write a peer's key, unless the same one is there. Raises KeyMismatch."""
        with self.lock:
            if not self.has(name, suffix):
                self.refuse_taken(name, but=suffix)
                self.write_first(name + suffix, content)
            if self.read(name, suffix) != content:
                raise KeyMismatch(
                    f"key '{name}' is another public key already; import this one under "
                    "another name, or remove the old one with 'duckpriv keys remove'"
                )

    def has(self, name: str, suffix: str) -> bool:
        """Whether there is a key of that name and kind."""
        return (self.path / f"{name}{suffix}").is_file()

    def refuse_taken(self, name: str, but: str = "") -> None:
        """Raise KeyMismatch where a key has that name, but for one of the suffix `but`."""
        if any(self.has(name, suffix) for suffix in self._suffixes if suffix != but):
            raise self.taken(name)

    def taken(self, name: str) -> KeyMismatch:
        """Return the error that a name is in use."""
        return KeyMismatch(
            f"the name '{name}' is taken in this keyring; choose another one (a script "
            "makes its keys from the session's name: start a new session)"
        )

    def not_found(self, name: str) -> KeyNotFound:
        """Return the error that there is no key of that name."""
        known = ", ".join(self.names()) or "none yet"
        return KeyNotFound(
            f"no key '{name}' in the keyring {self.path}; its keys: {known}. Make one with "
            "a keygen function or import a peer's with key_import"
        )

    def read(self, name: str, suffix: str) -> bytes | None:
        """Return a key's file, decrypted; None where there is none."""
        return self.files.read(check_key_name(name) + suffix)

    def write_first(self, file: str, data: bytes) -> bool:
        """Write a new file, whole; return False, and write nothing, where another process was
        first. Nobody sees it before it is whole."""
        if self._unfinished is not None:
            self.files.make_folder()
            self._unfinished.make(file)
        try:
            self.files.write(file, data)
        except FileExistsError:
            if self._unfinished is not None:
                self._unfinished.leave(file)
            return False
        return True
