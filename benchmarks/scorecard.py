"""Weight of evidence of many columns: core time for each row and column."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import moments, parties
from benchmarks.row import Row

# DUCKPRIV_BENCH_ROWS: fewer rows, on a machine with little time.
ROWS = int(os.environ.get("DUCKPRIV_BENCH_ROWS", "100000"))
COLUMNS, BINS = 50, 10


def rows() -> Iterator[Row]:
    """From the alignment, with nine of ten rows in common, to the information values."""
    both = ["table=t", "peer={peer}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parties.make(folder, "host", ROWS, 0, label=True)
        parties.make(folder, "guest", ROWS, COLUMNS, label=False)
        moments.align(folder, ROWS)
        accept = "accept_disclosure=yes"
        before = cores()
        found = list(
            parties.run(
                f"scorecard of {ROWS:,} × {COLUMNS} × {BINS} bins",
                folder,
                {
                    me: [script, "bench", *(word.format(peer=peer) for word in both), *more]
                    for me, peer, script, more in (
                        ("host", "guest", "scorecard/host", ["label=y", accept]),
                        ("guest", "host", "scorecard/guest", [f"bins={BINS}"]),
                    )
                },
            )
        )
    each = (cores() - before) / ROWS / COLUMNS * 1e6
    yield Row("scorecard, both parties from start to end, for each row and column", each, "core-µs")
    yield from found


def cores() -> float:
    """Seconds of cores that processes which have ended have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
