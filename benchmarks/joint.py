"""Training under a joint key: an epoch of 30,000 rows, 13 features at one and 10 at the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.row import Row

ROWS, BATCH = 30_000, 10_000
FEATURES = {"host": 13, "guest": 10}


def rows() -> Iterator[Row]:
    name = "joint key, epoch of 30,000 × (13 + 10), batch 10,000"
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        for me, count in FEATURES.items():
            label = ", random() < 0.5 AS y" if me == "host" else ""
            numbers = ", ".join(f"sqrt(-2 * ln(1 - random())) AS {me}{i}" for i in range(count))
            with duckdb.connect(str(folder / f"{me}.duckdb")) as con:
                con.execute(
                    f"CREATE TABLE t AS SELECT i AS id{label}, {numbers} FROM range({ROWS}) t(i)"
                )
        started = time.perf_counter()
        host = _party(folder, "host", "guest", "label=y")
        guest = _party(folder, "guest", "host")
        outputs = [party.communicate()[0] for party in (host, guest)]
        if host.returncode or guest.returncode:
            raise RuntimeError("a party failed")
        yield Row(name, time.perf_counter() - started, "s")
        for me, output in zip(FEATURES, outputs, strict=True):
            for step, seconds in sorted(json.loads(output).items(), key=lambda item: -item[1]):
                if seconds >= 0.1:
                    yield Row(f"    {me}: {step}", seconds, "s")
        manifests = (json.loads(f.read_bytes()) for f in folder.glob("mailbox/*/*/*/*.json"))
        yield Row("    all messages", sum(m["bytes"] for m in manifests) / 1e6, "MB")


def _party(folder: Path, me: str, peer: str, *settings: str) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "benchmarks.stepped", f"lr_joint_key/{me}", f"{me}.duckdb", me),
        *("bench", f"peer={peer}", "table=t", "id=id", f"batch={BATCH}"),
        *(f"iterations={ROWS // BATCH}", "loss_every=3", *settings),
    ]
    root = str(Path(__file__).parent.parent)
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )
