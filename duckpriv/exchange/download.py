"""A message's content as it comes from a mailbox's server, part by part."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from ..errors import MessageRejected
from .patience import Patience
from .requests import CHUNK, PART


class DownloadStream(io.RawIOBase):
    """Reads `length` bytes. `start(offset, length)` begins a stream of a part, `bear(error)` waits
    after one that broke off, or raises; then it goes on where it was."""

    def __init__(
        self,
        length: int,
        start: Callable[[int, int], Any],
        bear: Callable[[Exception], None],
        patience: Patience,
    ) -> None:
        super().__init__()
        self._length, self._start, self._bear = length, start, bear
        self._patience = patience
        self._offset = self._part_end = 0
        self._size = PART
        self._stream: Any = None
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next; 0 bytes are the end."""
        if not self._pending:
            self._pending = self._next_chunk()
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        super().close()

    def _next_chunk(self) -> memoryview:
        """Return the next bytes, none at the end or where the mailbox has no more."""
        began: int | None = None  # where the stream that ended without an error had begun
        while self._offset < self._length:
            try:
                if self._stream is None:
                    self._part_end = min(self._offset + self._size, self._length)
                    began = self._offset
                    self._stream = self._start(self._offset, self._part_end - self._offset)
                self._patience.left(0)
                chunk = self._stream.read_chunk()
            except StopIteration:
                self._stream = None
                self._size = min(2 * self._size, PART)
                if began == self._offset:
                    break
                continue
            except (pa.ArrowException, OSError) as error:
                self._hang_up()
                self._size = max(self._size // 2, CHUNK)  # what is under way is lost
                self._bear(error)
                continue
            content = memoryview(chunk.app_metadata or b"").cast("B")
            if self._offset + len(content) > self._part_end:
                raise MessageRejected("the mailbox sends more than was asked for")
            self._offset += len(content)
            if content:
                self._patience.moved(self._offset)
                return content
        return memoryview(b"")

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
