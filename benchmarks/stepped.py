"""Run a party of a protocol; print where its time went, and its peak of memory.

The time is sampled ten times a second: waiting for a message, or a step by the words before the
colon of its title.
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
        sampler = Sampler(party.activity)
        party.run(script, observer=sampler, **settings)  # type: ignore[arg-type]
        sampler.tick()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": sampler.seconds, "peak MiB": peak}))


if __name__ == "__main__":
    main()
