"""Run the benchmarks: `make bench`, or `make bench ONLY=psi` for a part.

Prints one table and writes it to benchmarks/latest.json. Every part is a module with a
function `rows()` that yields `Row`s; a baseline is measured in the same run, on the
same cores.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.row import Row

PARTS = (
    *("kernel", "psi", "memory", "paillier", "aggregate", "joint", "helper", "moments"),
    *("scorecard", "load"),
)
LIBRARIES = ("duckpriv", "duckdb", "pyarrow", "gmpy2", "numpy", "cryptography")


def machine() -> dict[str, object]:
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    from duckpriv.crypto import modarith

    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "modular arithmetic": modarith.implementation(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def main() -> None:
    only = sys.argv[1:] or list(PARTS)
    unknown = set(only) - set(PARTS)
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(PARTS)}")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    console = Console()
    rows: list[Row] = []
    for part in only:
        for row in importlib.import_module(f"benchmarks.{part}").rows():
            console.print(f"{row.name}: {row.value:,.1f} {row.unit}", highlight=False, markup=False)
            rows.append(row)
    head = machine()
    table = Table("name", "value", "unit", "baseline", "ratio", box=None)
    for row in rows:
        base = "" if row.baseline is None else f"{row.baseline:,.1f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
        table.add_row(Text(row.name), f"{row.value:,.1f}", row.unit, base, ratio)
    console.print(f"\n{head['cpu']}, {head['cores']} cores, {head['versions']}", highlight=False)
    console.print(table)
    target = Path(__file__).with_name("latest.json")
    target.write_text(json.dumps({**head, "rows": [row.as_dict() for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
