"""Column functions on a cluster: rows a second and core with one and with two workers, what 1e9 ids
take by that, and the memory of a worker with one file and with eight.

    python -m benchmarks.scale ray      # pip install 'duckpriv[ray]'
    python -m benchmarks.scale spark    # pip install 'duckpriv[spark]', and Java
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckpriv
from duckpriv.integrations.partitions import run_partitions
from duckpriv.integrations.workers import ColumnFunction, column_function

IDS, FILES, LIST = 200_000, 4, 4096
BILLION = 1_000_000_000
MORE = 8
FUNCTIONS = ("oprf_token", "oprf_blind", "oprf_evaluate", "oprf_finalize")
Runs = Callable[..., Any]


@contextmanager
def on_ray(workers: int) -> Iterator[Runs]:
    import ray

    from duckpriv.integrations import ray as integration

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    yield integration.run_partitions
    ray.shutdown()


@contextmanager
def on_spark(workers: int) -> Iterator[Runs]:
    from pyspark.sql import SparkSession

    from duckpriv.integrations import spark as integration

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{workers}]")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    yield lambda *args, **how: integration.run_partitions(session, *args, **how)
    session.stop()


CLUSTERS = {"ray": on_ray, "spark": on_spark}


def functions(keyring: duckpriv.Keyring) -> dict[str, ColumnFunction]:
    own = {"key": "own", "session": "bench"}
    peer = {"key": "peer", "session": "bench", "me": "shop"}
    return {
        name: column_function(
            name, keyring, **(own if name in ("oprf_token", "oprf_evaluate") else peer)
        )
        for name in FUNCTIONS
    }


def write_inputs(folder: Path, keyring: duckpriv.Keyring, ids: int, files: int) -> None:
    """The input of each function, in a folder of its name."""
    with duckpriv.connect(keyring=keyring.path, session="bench", me="shop") as party:
        con = party.con
        con.execute(
            "CREATE TEMP TABLE ids AS SELECT i % $2 AS file, i // $2 AS seq, "
            "'person-' || i || '@example.com' AS id FROM range($1) t(i)",
            [ids, files],
        )
        con.execute("CREATE TEMP TABLE blinded AS SELECT *, oprf_blind(id, 'peer') AS b FROM ids")
        con.execute(
            "CREATE TEMP TABLE lists AS SELECT file, list(id ORDER BY seq) AS ids, "
            f"list(b ORDER BY seq) AS blinded FROM blinded GROUP BY file, seq // {LIST}"
        )
        con.execute(
            "CREATE TEMP TABLE answers AS SELECT file, ids, blinded, e.evaluated AS evaluated, "
            "e.proof AS proof FROM (SELECT *, oprf_evaluate(blinded, 'own') AS e FROM lists)"
        )
        inputs = {
            "oprf_token": "SELECT id FROM ids",
            "oprf_blind": "SELECT id FROM ids",
            "oprf_evaluate": "SELECT blinded FROM lists",
            "oprf_finalize": "SELECT ids, blinded, evaluated, proof FROM answers",
        }
        for name, query in inputs.items():
            (folder / name).mkdir(parents=True)
            for file in range(files):
                con.execute(
                    f"COPY ({query} WHERE file = {file}) TO '{folder}/{name}/part-{file}.parquet' "
                    "(FORMAT parquet)"
                )


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_itself(folder: Path, name: str) -> tuple[float, float]:
    """The memory, in MiB at most, and the processor's time, in seconds, of a process that does
    nothing but give a folder's files to a function."""
    code = "import sys; from benchmarks.scale import alone; alone(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), name],
        check=True,
        capture_output=True,
        text=True,
    )
    memory, seconds = json.loads(done.stdout)
    return memory, seconds


def alone(folder: str, name: str) -> None:
    keyring = duckpriv.Keyring(Path(folder).parent / "keys")
    source = f"{folder}/{name}/*.parquet"
    began = time.process_time()
    run_partitions(source, f"{folder}/{name}-out", functions(keyring)[name], progress=False)
    # Not ru_maxrss: that begins with what the process had that started this one.
    status = Path("/proc/self/status").read_text()
    memory = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    print(json.dumps([memory, time.process_time() - began]))


def main(cluster: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keyring = duckpriv.Keyring(folder / "keys")
        keyring.oprf.generate("own")
        keyring.import_public("peer", keyring.oprf.public("own").encoded, "oprf")
        write_inputs(folder / "in", keyring, IDS, FILES)
        write_inputs(folder / "few", keyring, 100, 2)
        ready = functions(keyring)
        rates: dict[str, list[float]] = {name: [] for name in FUNCTIONS}
        for workers in (1, 2):
            with CLUSTERS[cluster](workers) as run:
                for name in FUNCTIONS:
                    out = folder / f"out-{workers}"
                    # Workers start, and load Python's modules, with the first files.
                    run(f"{folder}/few/{name}/*.parquet", out / f"few-{name}", ready[name])
                    source = f"{folder}/in/{name}/*.parquet"
                    took = seconds_of(lambda: run(source, out / name, ready[name]))  # noqa: B023
                    rates[name].append(IDS / took / workers)
        with duckpriv.connect(keyring=keyring.path, session="bench", me="shop") as party:
            here = seconds_of(
                lambda: party.con.execute(
                    "CREATE TABLE t AS SELECT oprf_token(id, 'own') AS token FROM "
                    f"read_parquet('{folder}/in/oprf_token/*.parquet')"
                )
            )
        print(f"{IDS:,} ids in {FILES} files, {cluster}; rows a second and core:")
        for name, (one, two) in rates.items():
            hours = BILLION / two / 3600
            print(
                f"{name:14} 1 worker {one:9,.0f}   2 workers {two:9,.0f}   "
                f"1e9 ids: {hours:6.1f} core-hours"
            )
        print(f"DuckDB alone, all cores: oprf_token {IDS / here:,.0f} rows a second")
        for files in (1, MORE):
            place = folder / f"files-{files}"
            write_inputs(place, keyring, files * IDS, files)
            print(f"{files * IDS:,} ids in files of {IDS:,}, one process:")
            for name in FUNCTIONS:
                memory, seconds = by_itself(place, name)
                hours = seconds / files / IDS * BILLION / 3600
                print(
                    f"{name:14} {memory:5,.0f} MiB at most   {seconds / files / IDS * 1e6:5.1f} "
                    f"core-µs an id   1e9 ids: {hours:6.1f} core-hours"
                )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ray")
