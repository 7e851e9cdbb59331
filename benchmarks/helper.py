"""Training with a helper: an epoch of 30,000 × (13 + 10), and of 1,000,000 × (20 + 20)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import parties
from benchmarks.row import Row


def rows() -> Iterator[Row]:
    yield from epoch(30_000, 13, 10, 1_000)
    yield from epoch(1_000_000, 20, 20, 10_000)


def epoch(count: int, at_host: int, at_guest: int, batch: int) -> Iterator[Row]:
    common = ["table=t", "id=id", f"batch={batch}", f"iterations={count // batch}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parties.make(folder, "host", count, at_host, label=True)
        parties.make(folder, "guest", count, at_guest, label=False)
        yield from parties.run(
            f"helper, epoch of {count:,} × ({at_host} + {at_guest}), batch {batch:,}",
            folder,
            {
                "host": ["lr_helper/host", "bench", "label=y", *common],
                "guest": ["lr_helper/guest", "bench", *common],
                "helper": ["lr_helper/helper", "bench"],
            },
        )
