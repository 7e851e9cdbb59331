"""Joint moments and a regression from them, beside an epoch of training under a joint key."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb

from benchmarks import joint, parties
from benchmarks.row import Row


def rows() -> Iterator[Row]:
    epoch = list(joint.rows())
    yield from epoch
    for first, row in enumerate(trained(30_000, 13, 10)):
        yield row if first else replace(row, baseline=epoch[0].value)


def trained(
    count: int, at_host: int, at_guest: int, bits: int = 3072, sigma: int = 64
) -> Iterator[Row]:
    """From the alignment, with nine of ten rows in common, to the weights."""
    both, size = ["table=t", f"sigma={sigma}"], f"bits={bits}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parties.make(folder, "host", count, at_host, label=True)
        parties.make(folder, "guest", count, at_guest, label=False)
        align(folder, count)
        sums = list(
            parties.run(
                f"moments of {count:,} × ({at_host} + {at_guest})",
                folder,
                {
                    "host": ["moments/host", "bench", *both, "peer=guest", "label=y"],
                    "guest": ["moments/guest", "bench", *both, size, "peer=host"],
                },
            )
        )
        solved = list(
            parties.run(
                "regression",
                folder,
                {
                    "host": ["moments/regression_host", "solve", "peer=guest"],
                    "guest": ["moments/regression_guest", "solve", size, "peer=host"],
                },
            )
        )
    name = f"moments, a model of {count:,} × ({at_host} + {at_guest}) from the alignment"
    yield Row(name, sums[0].value + solved[0].value, "s")
    yield from sums[:-1]
    yield from solved


def align(folder: Path, count: int) -> None:
    """What private matching leaves: the guest has nine of ten rows."""
    pid = "md5(id::VARCHAR)::UUID AS pid"
    for me, queries in (
        ("host", [f"CREATE TABLE alignment AS SELECT id, {pid} FROM t"]),
        (
            "guest",
            [
                "DELETE FROM t WHERE id % 10 = 0",
                f"CREATE TABLE alignment AS SELECT id, {pid} FROM t",
                "CREATE TABLE alignment_unmatched AS "
                f"SELECT {pid} FROM range({count}) r(id) WHERE id % 10 = 0",
            ],
        ),
    ):
        with duckdb.connect(str(folder / f"{me}.duckdb")) as con:
            for query in queries:
                con.execute(query)
