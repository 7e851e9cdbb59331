"""What the command line shows while a script runs."""

from __future__ import annotations

import textwrap
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.text import Text

from .columns.context import Activity
from .scripts import Statement
from .visible import visible

# Functions whose rows say nothing about how far the work is.
_EXCHANGE = frozenset(
    {"exchange_begin", "exchange_typed", "exchange_stage", "exchange_publish"}
    | {"exchange_source", "require"}
)


class Progress:
    """One line on standard error: the step, rows done, rate and time left, or what the
    party waits for. On a terminal it is redrawn; elsewhere a line is written every ten seconds, and
    while the party waits, ever more rarely.
    """

    def __init__(self, console: Console, activity: Activity) -> None:
        self._console = console
        self._activity = activity
        self._status: Status | None = None
        self._title = "starting"
        self._started = self._last_line = time.monotonic()

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
        # Short enough that the figures behind it fit into the line.
        self._title = textwrap.shorten(statement.title, 44, placeholder=" …")
        self._started = self._last_line = time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Some time has passed."""
        if self._status is not None:
            self._status.update(Text(visible(f"{self._title}{self._detail()}")))
        elif self._activity.waiting_for is not None:
            self._last_line = time.monotonic()
            if (waits := self._activity.wait_to_tell()) is not None:
                self._print(f"{self._title} · {waits}")
        elif time.monotonic() - self._last_line >= 10:
            self._last_line = time.monotonic()
            self._print(f"{self._title}{self._detail()}")

    def _print(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, markup=False)

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
