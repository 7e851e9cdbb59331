"""Training with a helper: an epoch of 30,000 × (13 + 10), and of 1,000,000 × (20 + 20)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import parties
from benchmarks.row import Row


def rows() -> Iterator[Row]:
    yield from both(30_000, 13, 10, 1_000)
    yield from both(1_000_000, 20, 20, 10_000)


def both(count: int, at_host: int, at_guest: int, batch: int) -> Iterator[Row]:
    """The helper that sees scores, and the one that sees nothing, beside it."""
    opened = list(epoch("open", count, at_host, at_guest, batch))
    blind = list(epoch("blind", count, at_host, at_guest, batch))
    yield from opened
    yield replace(blind[0], baseline=opened[0].value)
    yield from blind[1:]


def epoch(activation: str, count: int, at_host: int, at_guest: int, batch: int) -> Iterator[Row]:
    both = [f"activation={activation}"]
    common = ["table=t", "id=id", f"batch={batch}", f"iterations={count // batch}", *both]
    if activation == "open":
        common.append("accept_disclosure=yes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parties.make(folder, "host", count, at_host, label=True)
        parties.make(folder, "guest", count, at_guest, label=False)
        yield from parties.run(
            f"helper, {activation}: epoch of {count:,} × ({at_host} + {at_guest}), batch {batch:,}",
            folder,
            {
                "host": ["lr_helper/host", "bench", "label=y", *common],
                "guest": ["lr_helper/guest", "bench", *common],
                "helper": ["lr_helper/helper", "bench", *both],
            },
        )
        ahead = folder.glob("mailbox/*/helper/host/*.arrow")
        yield Row("    of these before training", sum(f.stat().st_size for f in ahead) / 1e6, "MB")
