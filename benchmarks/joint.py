"""Training under a joint key: an epoch of 30,000 rows, 13 features at one and 10 at the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import parties
from benchmarks.row import Row

ROWS, BATCH = 30_000, 10_000
COMMON = ["table=t", "id=id", f"batch={BATCH}", f"iterations={ROWS // BATCH}", "loss_every=3"]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parties.make(folder, "host", ROWS, 13, label=True)
        parties.make(folder, "guest", ROWS, 10, label=False)
        yield from parties.run(
            "joint key, epoch of 30,000 × (13 + 10), batch 10,000",
            folder,
            {
                "host": ["lr_joint_key/host", "bench", "peer=guest", "label=y", *COMMON],
                "guest": ["lr_joint_key/guest", "bench", "peer=host", *COMMON],
            },
        )
