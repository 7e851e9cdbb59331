"""Large files that go past the system's memory, and where that cannot be done."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.exchange import files
from duckpriv.exchange.files import Reader, Writer

WINDOW = 1 << 14


@pytest.fixture(params=["past memory", "not at all", "not with this alignment"])
def small_windows(monkeypatch, request) -> None:
    monkeypatch.setattr(files, "_WINDOW", WINDOW)

    def refuse(*given: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    if request.param == "not at all":
        monkeypatch.setattr(
            files._Past, "__init__", lambda past, *_: setattr(past, "_descriptor", None)
        )
    if request.param == "not with this alignment":
        monkeypatch.setattr(os, "pwrite", refuse)
        monkeypatch.setattr(os, "preadv", refuse)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(st.integers(0, 3 * WINDOW), max_size=6),
    continued=st.integers(0, 6),
    offset=st.integers(0, 5 * WINDOW),
    step=st.integers(1, 3 * WINDOW),
)
def test_what_was_written_is_read(
    tmp_path: Path, small_windows, parts: list[int], continued: int, offset: int, step: int
) -> None:
    path = tmp_path / "file"
    path.unlink(missing_ok=True)
    data = os.urandom(sum(parts))
    digest, left = hashlib.sha256(), memoryview(data)
    for some in (parts[:continued], parts[continued:]):  # the second writes on
        writer = Writer(path, digest, new=not path.exists())
        for length in some:
            writer.write(left[:length])
            left = left[length:]
        writer.sync()
        writer.close()
    assert path.read_bytes() == data
    assert digest.digest() == hashlib.sha256(data).digest()
    with Reader(path, offset) as reader:
        assert reader.read() == data[offset:]
    with Reader(path, offset) as reader:
        assert b"".join(iter(lambda: reader.read(step), b"")) == data[offset:]


def test_an_error_of_the_disk_is_told(tmp_path: Path, small_windows, monkeypatch) -> None:
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = Writer(tmp_path / "file")
    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(
        writer, "_file", type("Full", (), {"write": full, "close": lambda _: None})()
    )
    with pytest.raises(OSError, match="No space left"):
        for _ in range(3):
            writer.write(bytes(WINDOW))
    writer.close()
