"""Ctrl-C, as another thread than the main one notices it.

Python gives it to the main thread alone, which then often waits for the others: asyncio for the
thread of `asyncio.to_thread`, a pool for its workers. What asks the system for the signal in Python
would take it from whoever has it. `faulthandler` has a handler that only writes, to a pipe of ours
here, and lets the one before go on as if it were not there.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from contextlib import suppress
from types import TracebackType

# Windows has no such handler.
_CAN_LISTEN = hasattr(faulthandler, "register")


class _Pipe:
    """Who listens in this process, and how often Ctrl-C was pressed meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.listeners = self.presses = 0
        self._ends: tuple[int, int] | None = None

    def begin(self) -> None:
        self.listeners += 1
        if self.listeners == 1:
            self._ends = os.pipe()
            for end in self._ends:
                os.set_blocking(end, False)
            faulthandler.register(signal.SIGINT, self._ends[1], all_threads=False, chain=True)

    def end(self) -> None:
        self.listeners -= 1
        if self.listeners == 0 and self._ends is not None:
            faulthandler.unregister(signal.SIGINT)
            for end in self._ends:
                os.close(end)
            self._ends = None

    def look(self) -> int:
        """Return how often it was pressed so far."""
        if self._ends is not None:
            with suppress(BlockingIOError):
                if os.read(self._ends[0], 1 << 16):
                    self.presses += 1
        return self.presses


_PIPE = _Pipe()


class CtrlC:
    """Listens until it is closed, if it is made in another thread than the main one, and Ctrl-C is
    to end something in this process."""

    def __init__(self) -> None:
        self._listens = (
            _CAN_LISTEN
            and threading.current_thread() is not threading.main_thread()
            and callable(signal.getsignal(signal.SIGINT))
        )
        if self._listens:
            with _PIPE.lock:
                _PIPE.begin()
                self._before = _PIPE.look()

    def pressed(self) -> bool:
        """Whether Ctrl-C was pressed since this was made."""
        if not self._listens:
            return False
        with _PIPE.lock:
            return _PIPE.look() > self._before

    def close(self) -> None:
        """Listen no more."""
        if self._listens:
            self._listens = False
            with _PIPE.lock:
                _PIPE.end()

    def __enter__(self) -> CtrlC:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
