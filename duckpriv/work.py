"""Work in a thread of its own, so that whoever waits for it can stop waiting at any time.

A call to a mailbox may hang, and Python cannot end it. So its caller looks in now and then; when
that does not come any more, the work stops where it next can.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from . import stopping
from .ctrlc import CtrlC
from .errors import STOPPED, Cancelled

_Result = TypeVar("_Result")
# How long one look waits (DuckDB notices interrupt() between two of them), and after how long
# without one the work is to stop.
LOOK_SECONDS = 0.1
_FORGOTTEN_SECONDS = 1.0


class Work(Generic[_Result]):
    """Begins `function` at once. `stop` is called now and then by it and by whoever waits, and may
    raise; `waits` is called while somebody waits. `left` says whether nobody does any more, as far
    as was noticed."""

    def __init__(
        self,
        function: Callable[[], _Result],
        stop: Callable[[], None],
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._function, self._stop, self._waits = function, stop, waits
        self._result: list[_Result] = []
        self._error: BaseException | None = None
        self.left = False
        self._alone, self._counted = 0.0, time.monotonic()
        self._ended = threading.Event()
        self._ctrl_c = CtrlC()
        copied = contextvars.copy_context()
        self._thread = threading.Thread(
            target=copied.run, args=(self._run,), name="duckpriv-work", daemon=True
        )
        self._thread.start()

    def forgotten(self) -> bool:
        """Whether nobody waits for it any more. A call counts no more than the time of a look:
        where the process was stopped or busy, who waits could not look either."""
        now = time.monotonic()
        self._alone += min(now - self._counted, LOOK_SECONDS)
        self._counted = now
        self.left |= self._alone > _FORGOTTEN_SECONDS
        return self.left

    @property
    def ended(self) -> bool:
        """Whether there is a result, or an error."""
        return self._ended.is_set()

    def look(self, seconds: float = LOOK_SECONDS) -> bool:
        """Wait a moment; return whether it has ended. Raises what `stop` does."""
        try:
            self._alone = 0.0
            if not self._ended.wait(seconds):
                self._stop()
                if self._ctrl_c.pressed():
                    raise Cancelled(STOPPED)
                self._waits()
        except BaseException:  # Ctrl-C too
            self.left = True
            raise
        return self.ended

    def result(self) -> _Result:
        """Wait until it has ended; return its result. Raises its error, and what `stop` does."""
        while not self.look():
            pass
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            with stopping.by(self._check):
                self._result.append(self._function())
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()
            self._ctrl_c.close()

    def _check(self) -> None:
        if self.forgotten():
            raise Cancelled("nobody waits for this any more")
        self._stop()
