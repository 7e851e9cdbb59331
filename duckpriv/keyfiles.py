"""The files of a keyring: written whole, for their owner only, and encrypted where there is a
passphrase.

A keyring with a passphrase has the file `passphrase.json`: a salt, and a value that only the key
from the passphrase opens. Every private file is then sealed with that key (ChaCha20-Poly1305, a
random nonce each), bound to its own name, so that files cannot be exchanged; public files stay
readable. The cost of guessing is part of the format, so a damaged file cannot ask for gigabytes.

Setting, changing and removing a passphrase rewrites one file after the other. Meanwhile
`passphrase.json` says "changing", and holds the key before, sealed with the new one: whoever is
killed in between goes on from there with `Keyring.protect`.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .crypto import agreement, passphrase
from .crypto.hashing import labelled
from .disk import at
from .errors import InvalidValue, KeyMismatch, KeyNotFound
from .names import partial_of, partials_of

LOCK = "passphrase.json"
_FORMAT = "duckpriv-passphrase/1"
_WHOLE, _CHANGING = "whole", "changing"
_LARGEST_LOCK = 4096
_PRIVATE = (".private.pem", ".private", ".secret")
# Before what is sealed; 32 random bytes do not begin like this.
_MAGIC = b"duckpriv-sealed/1\n"
_AGAIN = "run 'duckpriv keys protect' again"


@dataclass(frozen=True, repr=False)
class _Lock:
    """What `passphrase.json` says, opened. `before` is the key of files not yet rewritten."""

    salt: bytes
    key: bytes
    changing: bool = False
    before: bytes = b""

    @classmethod
    def make(cls, phrase: bytes) -> _Lock:
        salt = secrets.token_bytes(passphrase.SALT_BYTES)
        return cls(salt, passphrase.derive(phrase, salt))

    @property
    def encoded(self) -> bytes:
        state = _CHANGING if self.changing else _WHOLE
        fields = {
            "format": _FORMAT,
            "state": state,
            "salt": self.salt.hex(),
            "opens": agreement.seal(self.key, self.before, _about_lock(state)).hex(),
        }
        return json.dumps(fields, indent=1).encode()

    @classmethod
    def open(cls, data: bytes, phrase: bytes) -> _Lock:
        """Open `encoded`. Raises InvalidValue where it is damaged, KeyMismatch for another
        passphrase."""
        salt, state, opens = _parsed(data)
        key = passphrase.derive(phrase, salt)
        try:
            before = agreement.unseal(key, opens, _about_lock(state))
        except ValueError:
            hint = "; its change was interrupted, and the new one counts" * (state == _CHANGING)
            raise KeyMismatch(
                f"the passphrase is not that of this keyring (or its {LOCK} was altered){hint}"
            ) from None
        return cls(salt, key, state == _CHANGING, before)


def _parsed(data: bytes) -> tuple[bytes, str, bytes]:
    """Return salt, state and sealed value. Raises InvalidValue."""
    try:
        fields = json.loads(data) if len(data) <= _LARGEST_LOCK else None
        if not isinstance(fields, dict) or set(fields) != {"format", "state", "salt", "opens"}:
            raise ValueError
        salt, opens = bytes.fromhex(fields["salt"]), bytes.fromhex(fields["opens"])
        if fields["format"] != _FORMAT or fields["state"] not in (_WHOLE, _CHANGING):
            raise ValueError
        if len(salt) != passphrase.SALT_BYTES:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise InvalidValue(
            f"the keyring's {LOCK} is damaged, or of another version; restore it from a copy"
        ) from None
    return salt, fields["state"], opens


def _about_lock(state: str) -> bytes:
    return labelled("duckpriv/keyring-lock/v1", state.encode())


def _about_file(file: str) -> bytes:
    return labelled("duckpriv/keyring-file/v1", file.encode())


def is_private(file: str) -> bool:
    """Whether a file of this name holds a secret."""
    return file.endswith(_PRIVATE)


class KeyFiles:
    """The files of the keyring in the folder `path`, which is made (mode 700) when needed."""

    def __init__(self, path: Path, phrase: str | None) -> None:
        self.path = path
        self._phrase = None if phrase is None else passphrase.normalised(phrase)
        self._mutex = threading.RLock()
        self._opened: tuple[bytes, _Lock] | None = None  # the file's bytes, and what they hold

    @property
    def protected(self) -> bool:
        """Whether private files are encrypted."""
        return (self.path / LOCK).exists()

    def make_folder(self) -> None:
        """Make the folder where there is none. Raises InvalidValue where a file is in its place."""
        with self._disk():
            if self.path.exists() and not self.path.is_dir():
                raise InvalidValue(
                    f"the keyring {self.path} is a file; name a folder, which is made when there "
                    "is none"
                )
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def unlock(self) -> None:
        """Raise KeyNotFound where a passphrase is needed and was not given, KeyMismatch where it
        is another one."""
        self._key()

    def read(self, file: str) -> bytes | None:
        """Return what a file holds, or None where there is none.

        Raises KeyNotFound or KeyMismatch where a passphrase is missing or wrong, InvalidValue
        where a private file was altered or can be read by others.
        """
        with self._disk():
            data = self._bytes(file)
        if data is None or not is_private(file):
            return data
        key = self._key()
        if key is not None:
            return _unsealed(file, data, [key])
        if data.startswith(_MAGIC):
            raise InvalidValue(
                f"'{file}' is encrypted and the keyring has no {LOCK}; restore it from a copy"
            )
        return data

    def write(self, file: str, data: bytes) -> None:
        """Write a new file, whole or not at all. Raises FileExistsError where there is one."""
        with self._disk():
            self.make_folder()
            if is_private(file):
                with self._mutex:
                    if self._phrase is not None and not self.protected:
                        self._refuse_plain()
                        # Where another process was first its lock counts.
                        with suppress(FileExistsError):
                            self._put_lock(_Lock.make(self._phrase), new=True)
                    key = self._key()
                data = data if key is None else _sealed(file, data, key)
            self._put(file, data, new=True)

    def protect(self, phrase: str | None) -> None:
        """Encrypt all private files with the key of `phrase`; None leaves them plain.

        What was interrupted is finished first. Raises what `read` does, before any change.
        """
        chosen = None if phrase is None else passphrase.normalised(phrase)
        with self._mutex, self._disk():
            self.make_folder()
            for partial in self.path.glob(".*.partial"):  # of a process that was killed
                partial.unlink()
            before = self._lock()
            keys = [key for key in (before.key, before.before) if key] if before else []
            contents = self._private_contents(keys)
            if before is not None and before.changing:
                self._seal_all(contents, before)
            if chosen is not None:
                lock = _Lock.make(chosen)
                until_now = b"" if before is None else before.key
                self._put_lock(replace(lock, changing=True, before=until_now))
                self._seal_all(contents, lock)
            elif before is not None:
                self._put_lock(replace(before, changing=True, before=b""))
                for file, content in contents.items():
                    self._put(file, content)
                (self.path / LOCK).unlink()
                self._sync_folder()
            self._phrase = chosen

    def _seal_all(self, contents: dict[str, bytes], lock: _Lock) -> None:
        """Seal all private files with the key of `lock`; then nothing is left to do."""
        for file, content in contents.items():
            self._put(file, _sealed(file, content, lock.key))
        self._put_lock(replace(lock, changing=False, before=b""))

    def _put_lock(self, lock: _Lock, new: bool = False) -> None:
        data = lock.encoded
        self._put(LOCK, data, new)
        self._opened = (data, lock)

    def _private_contents(self, keys: list[bytes]) -> dict[str, bytes]:
        """Return all private files in the clear: those that are sealed have one of the keys."""
        contents = {}
        for name in sorted(self._private_files()):
            data = self._bytes(name)
            if data is not None:
                sealed = data.startswith(_MAGIC)
                contents[name] = _unsealed(name, data, keys) if sealed else data
        return contents

    def _key(self) -> bytes | None:
        """Return the key of private files, None where the keyring has no passphrase."""
        lock = self._lock()
        if lock is None and self._phrase is not None:
            self._refuse_plain()
            lock = self._lock()  # another process may just have made it
        if lock is None:
            return None
        if lock.changing:
            raise InvalidValue(
                f"setting the passphrase of the keyring {self.path} was interrupted; {_AGAIN}"
            )
        return lock.key

    def _lock(self) -> _Lock | None:
        """Open `passphrase.json`; deriving the key takes its time, so only when it has changed."""
        with self._mutex:
            data = self._bytes(LOCK)
            if data is None:
                return None
            if self._opened is None or self._opened[0] != data:
                if self._phrase is None:
                    raise KeyNotFound(
                        f"the keyring {self.path} is protected by a passphrase; set "
                        "DUCKPRIV_PASSPHRASE, or run on a terminal to be asked; in Python: "
                        "passphrase=… of connect, register or Keyring"
                    )
                self._opened = (data, _Lock.open(data, self._phrase))
            return self._opened[1]

    def _refuse_plain(self) -> None:
        """With a passphrase given, a keyring of plain private files is not what was meant; nor
        may somebody who can write there pass off keys of their own."""
        # In this order: another process that makes the keyring writes its lock first.
        if self._private_files() and not self.protected:
            raise InvalidValue(
                f"a passphrase was given, and the private keys in {self.path} are not encrypted; "
                "'duckpriv keys protect' encrypts them"
            )

    def _private_files(self) -> list[str]:
        if not self.path.is_dir():
            return []
        names = [file.name for file in self.path.iterdir()]
        return [name for name in names if is_private(name) and not name.startswith(".")]

    def _bytes(self, file: str) -> bytes | None:
        try:
            with (self.path / file).open("rb") as reader:
                if is_private(file):
                    _refuse_open_to_others(self.path / file, os.fstat(reader.fileno()))
                return reader.read()
        except FileNotFoundError:
            return None

    def _disk(self) -> AbstractContextManager[None]:
        """Say in an OSError which folder it is about, and that another may be named."""
        return at(self.path, "--keyring or DUCKPRIV_KEYRING names another folder for keys")

    def _put(self, file: str, data: bytes, new: bool = False) -> None:
        """Write a file of mode 600, whole or not at all. Raises FileExistsError where it has to be
        new and is not."""
        partial = self.path / partial_of(file)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as output:
                output.write(data)
                output.flush()
                os.fsync(output.fileno())
            if new:
                os.link(partial, self.path / file)  # fails where another process was first
                for left in self.path.glob(partials_of(file)):  # ours, and of who was killed
                    left.unlink(missing_ok=True)
            else:
                partial.replace(self.path / file)
            self._sync_folder()
        except FileNotFoundError:  # another process was first, and took ours for a remnant
            raise FileExistsError(file) from None
        finally:
            partial.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        """Let what was renamed survive a power failure, in its order."""
        if os.name != "posix":  # elsewhere a folder cannot be opened
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sealed(file: str, data: bytes, key: bytes) -> bytes:
    return _MAGIC + agreement.seal(key, data, _about_file(file))


def _unsealed(file: str, data: bytes, keys: list[bytes]) -> bytes:
    """Raises InvalidValue where no key opens it."""
    if not data.startswith(_MAGIC):
        raise InvalidValue(
            f"'{file}' is not encrypted, and the keyring has a passphrase; if it is yours, {_AGAIN}"
        )
    for key in keys:
        try:
            return agreement.unseal(key, data[len(_MAGIC) :], _about_file(file))
        except ValueError:
            continue
    raise InvalidValue(
        f"'{file}' was altered, or is another file under its name; restore it, or delete it with "
        "'duckpriv keys remove'"
    )


def _refuse_open_to_others(path: Path, status: os.stat_result) -> None:
    """Refuse as OpenSSH does: a file of one's own that others may read, write or execute."""
    if os.name == "posix" and status.st_uid == os.getuid() and status.st_mode & 0o077:
        raise InvalidValue(
            f"others may open {path} (mode {stat.S_IMODE(status.st_mode):o}), which holds a "
            f"secret; if nobody has: chmod 600 {path}"
        )
