"""Content that is uploaded while it is made, before there is a manifest of it.

What fails here is no error: with its manifest, the rest is uploaded from where the mailbox has it.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import DuckprivError

_CALL_SECONDS = 20.0  # then it ends, and another one begins when there is more
_CHUNKS = 8  # in memory
_NAP = 0.1
# The query waits so long for a network that is slower, and DuckDB does not notice what ends it
# meanwhile. Then the rest goes with the manifest.
_FULL_SECONDS = 0.5


def name_of(content: Path) -> str:
    """Return the name of a file's content at the mailbox; it is as random as the file's."""
    return hashlib.sha256(content.name.encode()).hexdigest()[:32]


class EarlyUpload:
    """Uploads in a thread of its own. `call(offset)` is a call within which `write_metadata` sends
    chunks; at its end the mailbox has them. `stop` is called now and then, and may raise."""

    def __init__(
        self, call: Callable[[int], AbstractContextManager[Any]], stop: Callable[[], None]
    ) -> None:
        self._call, self._stop = call, stop
        self._queue: queue.Queue[bytes | None] = queue.Queue(_CHUNKS)
        self._thread: threading.Thread | None = None
        self._given_up = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what comes next; wait a little where much is under way. One chunk alone is not worth
        a call. Raises what `stop` does."""
        if self._given_up:
            return
        self._put(bytes(data))
        if self._thread is None and self._queue.qsize() > 1:
            self._thread = threading.Thread(target=self._run, name="duckpriv-early", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Return when the mailbox has what it takes. Raises what `stop` does."""
        if self._thread is not None:
            self._put(None)
            while self._thread.is_alive():
                self._stop()
                self._thread.join(_NAP)

    def give_up(self) -> None:
        """Send no more, and do not wait."""
        self._given_up = True
        with suppress(queue.Full):  # then the thread does not wait either
            self._queue.put_nowait(None)

    def _put(self, chunk: bytes | None) -> None:
        until = time.monotonic() + _FULL_SECONDS
        while not self._given_up:
            self._stop()
            with suppress(queue.Full):
                self._queue.put(chunk, timeout=_NAP)
                return
            if chunk is not None and time.monotonic() > until:
                self.give_up()

    def _run(self) -> None:
        sent = 0
        chunk: bytes | None = b""
        try:
            while chunk is not None:
                if chunk := self._queue.get():
                    until = time.monotonic() + _CALL_SECONDS
                    with self._call(sent) as writer:
                        while chunk:
                            writer.write_metadata(chunk)
                            sent += len(chunk)
                            chunk = self._next(until)
        except (pa.ArrowException, OSError, DuckprivError):
            pass
        finally:
            self._given_up = True

    def _next(self, until: float) -> bytes | None:
        """Return the next chunk; nothing where none comes in time; None at the end."""
        if self._given_up:
            return None
        with suppress(queue.Empty):
            if (left := until - time.monotonic()) > 0:
                return self._queue.get(timeout=left)
        return b""
