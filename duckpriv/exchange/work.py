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

from .. import stopping
from ..ctrlc import CtrlC
from ..errors import STOPPED, Cancelled

_Result = TypeVar("_Result")
# How long one look waits, and after how long without one the work is to stop. DuckDB notices
# interrupt() between two looks.
LOOK_SECONDS = 0.1
_FORGOTTEN_SECONDS = 1.0


class Work(Generic[_Result]):
    """Begins `function` at once. `stop` is called now and then by it and by whoever waits, and may
    raise; `waits` is called while somebody waits."""

    def __init__(
        self,
        function: Callable[[], _Result],
        stop: Callable[[], None],
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._function, self._stop, self._waits = function, stop, waits
        self._result: list[_Result] = []
        self._error: BaseException | None = None
        self._left = False
        self._looked = time.monotonic()
        self._ended = threading.Event()
        self._ctrl_c = CtrlC()
        copied = contextvars.copy_context()
        self._thread = threading.Thread(
            target=copied.run, args=(self._run,), name="duckpriv-work", daemon=True
        )
        self._thread.start()

    @property
    def forgotten(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._left or time.monotonic() - self._looked > _FORGOTTEN_SECONDS

    @property
    def ended(self) -> bool:
        """Whether there is a result, or an error."""
        return self._ended.is_set()

    def look(self, seconds: float = LOOK_SECONDS) -> bool:
        """Wait a moment; return whether it has ended. Raises what `stop` does."""
        try:
            self._looked = time.monotonic()
            if not self._ended.wait(seconds):
                self._stop()
                if self._ctrl_c.pressed():
                    raise Cancelled(STOPPED)
                self._waits()
        except BaseException:  # Ctrl-C too
            self._left = True
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
        if self.forgotten:
            raise Cancelled("nobody waits for this any more")
        self._stop()
