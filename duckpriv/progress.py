"""What is shown while a script runs, on a terminal and in a notebook."""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .columns.context import Activity
from .scripts import Statement
from .visible import visible

if TYPE_CHECKING:  # rich takes a while to load, and a run without a display does not need it
    from rich.console import Console
    from rich.status import Status

# Functions whose rows say nothing about how far the work is.
_EXCHANGE = frozenset(
    {"exchange_begin", "exchange_typed", "exchange_stage", "exchange_publish"}
    | {"exchange_source", "require"}
)


# How often a notebook's line is renewed; each time is a message to the browser.
_NOTEBOOK_SECONDS = 0.25


class _Step:
    """The statement that runs, in one line: its title, rows done, rate and time left, or what the
    party waits for."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._title = "starting"
        self._started = time.monotonic()

    def start(self, statement: Statement) -> None:
        """A statement begins."""
        # Short enough that the figures behind it fit into the line.
        self._title = textwrap.shorten(statement.title, 44, placeholder=" …")
        self._started = time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Some time has passed."""

    def _line(self) -> str:
        return visible(f"{self._title}{self._detail()}")

    def _detail(self) -> str:
        activity = self._activity
        waiting = activity.waiting_for
        if waiting is not None:
            return f" · waiting for {waiting}, {time.monotonic() - activity.waiting_since:.0f} s"
        elapsed = time.monotonic() - self._started
        slowest = activity.slowest(without=_EXCHANGE)
        if slowest is None or elapsed < 1:
            return ""
        function, rows = slowest
        rate = rows / elapsed
        text = f" · {function}: {rows:,} rows, {rate:,.0f}/s"
        if activity.expected_rows and rows < activity.expected_rows and rate:
            left = (activity.expected_rows - rows) / rate
            text += f", {left:,.0f} s left of {activity.expected_rows:,} rows"
        return text


class Progress(_Step):
    """The line on standard error. On a terminal it is redrawn; elsewhere a line is written every
    ten seconds, and while the party waits, ever more rarely.
    """

    def __init__(self, console: Console, activity: Activity) -> None:
        super().__init__(activity)
        self._console = console
        self._status: Status | None = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        self._activity.display = self.tick
        if self._console.is_terminal:
            dots = self._console.encoding.startswith("utf")
            self._status = self._console.status("starting", spinner="dots" if dots else "line")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._activity.display = None
        if self._status is not None:
            self._status.stop()

    def start(self, statement: Statement) -> None:
        """A statement begins."""
        self._last_line = time.monotonic()
        super().start(statement)

    def tick(self) -> None:
        """Some time has passed."""
        if self._status is not None:
            line = self._console.render_str(
                self._line(), emoji=False, markup=False, highlight=False
            )
            self._status.update(line)
        elif self._activity.waiting_for is not None:
            self._last_line = time.monotonic()
            if (waits := self._activity.wait_to_tell()) is not None:
                self._print(f"{self._title} · {waits}")
        elif time.monotonic() - self._last_line >= 10:
            self._last_line = time.monotonic()
            self._print(self._line())

    def _print(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, markup=False)


class NotebookProgress(_Step):
    """The line in a notebook's cell, which needs nothing but IPython; at the end, how it ended."""

    def __init__(self, activity: Activity, who: str, script: str) -> None:
        super().__init__(activity)
        self._who, self._script = who, script
        self._began = self._renewed = time.monotonic()
        self._shown = ""
        self._lock = threading.Lock()  # functions tell of a wait from their own threads

    def __enter__(self) -> NotebookProgress:
        from IPython.display import display

        self._shown = f"{self._who}: {self._script} is starting"
        self._handle: Any = display({"text/plain": self._shown}, raw=True, display_id=True)
        self._activity.display = self.tick
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._activity.display = None
        seconds = f"{time.monotonic() - self._began:,.1f} s"
        if kind is None:
            self._show(f"{self._script} finished in {seconds}")
        else:
            self._show(f"{self._script} ended after {seconds}, at: {self._title}")

    def tick(self) -> None:
        """Some time has passed."""
        if time.monotonic() - self._renewed >= _NOTEBOOK_SECONDS:
            self._show(self._line())

    def _show(self, line: str) -> None:
        text = visible(f"{self._who}: {line}")
        with self._lock:
            self._renewed = time.monotonic()
            if text != self._shown:
                self._shown = text
                self._handle.update({"text/plain": text}, raw=True)


def progress_of(
    activity: Activity, who: str, script: str, wanted: bool | None
) -> AbstractContextManager[Progress | NotebookProgress | None]:
    """Return the display of a run; None is `wanted` in notebooks only."""
    if wanted is False:
        return nullcontext()
    if _in_notebook():
        return NotebookProgress(activity, who, script)
    if not wanted:
        return nullcontext()
    from rich.console import Console

    return Progress(Console(stderr=True), activity)


def _in_notebook() -> bool:
    """Whether this process is a kernel: of Jupyter, VS Code, Colab and others."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
