"""Files in folders where others may write as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duckpriv.exchange.mailbox.files import NoFileError, open_file, sync


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND | os.O_CREAT])
def test_what_is_no_file_is_not_opened(tmp_path: Path, flags: int) -> None:
    (tmp_path / "file").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(NoFileError):
            open_file(tmp_path / name, flags)
    assert (tmp_path / "file").read_bytes() == b"secret"


def test_files_are_read_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
        file.write(b"a long text")
    with open_file(path, os.O_RDWR | os.O_APPEND) as file:
        file.truncate(6)
        file.write(b"word")
    sync(path)
    sync(tmp_path)
    with open_file(path) as file:
        file.seek(2)
        assert file.read() == b"longword"
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "none")
