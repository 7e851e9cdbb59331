"""Run a party of a protocol; print where its time went, and its peak of memory.

Twice: exactly, into arithmetic (our functions), messages (writing, checking and reading them),
waiting for messages, and SQL (all the rest: DuckDB itself, and what leads to it and back); and
sampled ten times a second, into waiting and steps by the words before the colon of their titles.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter

import duckpriv
from duckpriv.columns.context import Activity
from duckpriv.scripts import Statement

# Names for steps; others go by the words before their colon.
STEPS = {
    "residuals: encrypt ours": "encrypt",
    "loss: encrypt ours, if it is to be computed in this step": "encrypt",
    "residuals: add ours, and 0 for rows that we have no record of": "combine",
}


class Clock(Activity):
    """Adds up the time of functions and of waiting over a whole run."""

    def __init__(self) -> None:
        super().__init__()
        self.arithmetic = self.messages = self.waiting = 0.0
        self.started = time.perf_counter()

    def done(self, function: str, rows: int, seconds: float) -> None:
        super().done(function, rows, seconds)
        if function.startswith("exchange_"):
            self.messages += seconds
        else:
            self.arithmetic += seconds

    def wait_for(self, what: str | None) -> None:
        if what is None and self.waiting_for is not None:
            self.waiting += time.monotonic() - self.waiting_since
        super().wait_for(what)

    def split(self) -> dict[str, float]:
        whole = time.perf_counter() - self.started
        return {
            "arithmetic": self.arithmetic,
            "messages": self.messages - self.waiting,
            "waiting for messages": self.waiting,
            "SQL": whole - self.arithmetic - self.messages,
        }


class Sampler:
    """Counts tenths of seconds by step."""

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self.seconds: Counter[str] = Counter()
        self.step, self.last = "", time.perf_counter()

    def start(self, statement: Statement) -> None:
        self.tick()
        title = statement.title.partition(": ")[2] or statement.title
        self.step = STEPS.get(title, title.partition(":")[0] if ":" in title else "other SQL")

    def tick(self) -> None:
        now = time.perf_counter()
        waits = self.activity.waiting_for is not None
        self.seconds["waiting" if waits else self.step] += now - self.last
        self.last = now


def main() -> None:
    script, database, me, session = sys.argv[1:5]
    settings = dict(setting.split("=", 1) for setting in sys.argv[5:])
    with duckpriv.connect(
        database, me=me, exchange="dir:mailbox", keyring=f"{me}.keys", session=session
    ) as party:
        clock = party._context.activity = Clock()
        sampler = Sampler(clock)
        party.run(script, observer=sampler, **settings)  # type: ignore[arg-type]
        sampler.tick()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"split": clock.split(), "seconds": sampler.seconds, "peak MiB": peak}))


if __name__ == "__main__":
    main()
