"""Run all parties of a protocol in processes of their own, with the time of each by step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.row import Row
from examples.introduction import introduce


def make(folder: Path, me: str, rows: int, features: int, label: bool) -> None:
    """Write a party's database with random features, and perhaps a random label."""
    labels = ", random() < 0.5 AS y" if label else ""
    numbers = ", ".join(f"sqrt(-2 * ln(1 - random())) AS {me}{i}" for i in range(features))
    with duckdb.connect(str(folder / f"{me}.duckdb")) as con:
        con.execute(f"CREATE TABLE t AS SELECT i AS id{labels}, {numbers} FROM range({rows}) t(i)")


def run(name: str, folder: Path, scripts: dict[str, list[str]]) -> Iterator[Row]:
    """Run `scripts` (party: script and settings); yield times, bytes and memory."""
    root = str(Path(__file__).parent.parent)
    if not any((folder / f"{me}.keys").exists() for me in scripts):
        introduce(folder, *scripts)
    started = time.perf_counter()
    parties = {
        me: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stepped", script, f"{me}.duckdb", me, *settings],
            cwd=folder,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
        )
        for me, (script, *settings) in scripts.items()
    }
    outputs = {me: party.communicate()[0] for me, party in parties.items()}
    if any(party.returncode for party in parties.values()):
        raise RuntimeError("a party failed")
    yield Row(name, time.perf_counter() - started, "s")
    for me, output in outputs.items():
        measured = json.loads(output)
        for part, seconds in measured["split"].items():
            yield Row(f"    {me}, in all: {part}", seconds, "s")
        for step, seconds in sorted(measured["seconds"].items(), key=lambda item: -item[1]):
            if step and seconds >= 0.1:
                yield Row(f"    {me}: {step}", seconds, "s")
        yield Row(f"    {me}: peak memory", measured["peak MiB"], "MiB")
    manifests = (json.loads(f.read_bytes()) for f in folder.glob("mailbox/*/*/*/*.json"))
    yield Row("    all messages", sum(m["bytes"] for m in manifests) / 1e6, "MB")
