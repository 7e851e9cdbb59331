"""Private matching by clusters: two parties, each with its own files and its own cluster.

DuckDB writes ids as Parquet files, the cluster blinds, evaluates and finalizes them file by file,
and DuckDB sends and receives the results as messages of many parts (`sql/`). Here both parties run
on this machine, and the "cluster" is this process, Ray or Spark:

    python -m examples.scale.match            # this process
    python -m examples.scale.match ray        # pip install 'duckpriv[ray]'
    python -m examples.scale.match spark      # pip install 'duckpriv[spark]', and Java
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

import duckpriv
from duckpriv.integrations.partitions import run_partitions
from duckpriv.integrations.workers import column_function

FOLDER = Path("scale")
SQL = Path(__file__).parent / "sql"
SESSION = "scale"
IDS = 20_000
ROWS = 6_000  # ids a file: in earnest, a million
Cluster = Callable[..., Any]


def cluster_named(name: str) -> Cluster:
    """Return what runs a column function on many files."""
    if name == "ray":
        import ray

        from duckpriv.integrations import ray as on_ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        return on_ray.run_partitions
    if name == "spark":
        from pyspark.sql import SparkSession

        from duckpriv.integrations import spark as on_spark

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        spark = SparkSession.builder.master("local[2]").getOrCreate()
        return lambda *args, **how: on_spark.run_partitions(spark, *args, **how)
    return run_partitions


def files_of(me: str, *folders: str) -> Path:
    """Make a party's folders."""
    for folder in folders:
        (FOLDER / me / folder).mkdir(parents=True, exist_ok=True)
    return FOLDER / me


def connect(me: str) -> duckpriv.Party:
    """Open a party. Between two companies: with identities, and over the network."""
    return duckpriv.connect(
        FOLDER / f"{me}.duckdb",
        me=me,
        exchange=f"dir:{FOLDER / 'mailbox'}",
        keyring=FOLDER / f"{me}.keys",
        session=SESSION,
        unprotected=True,
    )


def host(cluster: Cluster) -> None:
    """The bank's side."""
    files = files_of("bank", "ids", "blinded", "evaluated", "tokens", "buckets", "alignment")
    its = {"table": "customers", "id": "email", "kind": "email", "folder": str(files), "rows": ROWS}
    with connect("bank") as bank:
        bank.run(str(SQL / "host_begin.sql"), peer="shop", **its)
        key = {"key": f"scale-{SESSION}-bank", "session": SESSION}
        evaluate = column_function("oprf_evaluate", bank.keyring, **key)
        cluster(f"{files}/blinded/*.parquet", files / "evaluated", evaluate)
        token = column_function("oprf_token", bank.keyring, columns=["psi_id"], **key)
        cluster(f"{files}/ids/*.parquet", files / "tokens", token)
        print("bank:", bank.run(str(SQL / "host_answer.sql"), peer="shop", **its))


def guest(cluster: Cluster) -> None:
    """The shop's side."""
    files = files_of(
        *("shop", "ids", "blinded", "answered", "tokens"),
        *("named", "buckets", "alignment", "unmatched"),
    )
    its = {"table": "clients", "id": "mail", "kind": "email", "folder": str(files)}
    with connect("shop") as shop:
        shop.run(str(SQL / "guest_begin.sql"), peer="bank", rows=ROWS, **its)
        key = {"key": f"scale-{SESSION}-of-bank", "session": SESSION, "me": "shop"}
        blind = column_function("oprf_blind", shop.keyring, columns=["psi_id"], **key)
        cluster(f"{files}/ids/*.parquet", files / "blinded", blind)
        shop.run(str(SQL / "guest_send.sql"), peer="bank", **its)
        finalize = column_function("oprf_finalize", shop.keyring, **key)
        cluster(f"{files}/answered/*.parquet", files / "tokens", finalize)
        its = {"kind": "email", "folder": str(files)}
        print("shop:", shop.run(str(SQL / "guest_match.sql"), peer="bank", **its))


def main() -> None:
    """Make two tables, match them, and compare with the plain join."""
    cluster = cluster_named(sys.argv[1] if len(sys.argv) > 1 else "here")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    half = IDS // 2
    for me, table, column, first in (
        ("bank", "customers", "email", 0),
        ("shop", "clients", "mail", half),
    ):
        with duckdb.connect(str(FOLDER / f"{me}.duckdb")) as con:
            con.execute(
                f"CREATE TABLE {table} AS SELECT 'P' || i || '@example.com' AS {column} "
                f"FROM range({first}, {first + IDS}) t(i)"
            )
    failed: list[BaseException] = []

    def run(party: Callable[[Cluster], None]) -> None:
        try:
            party(cluster)
        except BaseException as error:
            failed.append(error)

    parties = [threading.Thread(target=run, args=(party,)) for party in (host, guest)]
    for party in parties:
        party.start()
    for party in parties:
        party.join()
    if failed:
        raise failed[0]
    with duckdb.connect() as con:
        both = con.execute(
            f"SELECT count(*), count(*) FILTER (b.psi_id = s.psi_id) "
            f"FROM read_parquet('{FOLDER}/bank/alignment/*.parquet') b "
            f"JOIN read_parquet('{FOLDER}/shop/alignment/*.parquet') s USING (pid)"
        ).fetchall()
    if both != [(half, half)]:
        sys.exit("the private result differs from the plain join: this is a bug")
    print(f"{half:,} common ids: the same as the plain join.")


if __name__ == "__main__":
    main()
