"""Memory of the blinding step on 1,000,000 ids: the guest up to message 2."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckpriv
from benchmarks.row import Row
from examples.introduction import introduce

IDS = 1_000_000


def guest(folder: Path) -> None:
    """Run in a process of its own; print seconds and peak memory as JSON."""
    with duckpriv.connect(
        folder / "shop.duckdb",
        me="shop",
        exchange=f"dir:{folder / 'mailbox'}",
        keyring=folder / "shop.keys",
        session="bench",
        timeout=0.1,
    ) as party:
        party.con.execute(
            "CREATE TABLE people AS SELECT 'user' || i || '@example.com' AS email "
            f"FROM range({IDS}) t(i)"
        ).fetchall()
        started = time.perf_counter()
        try:
            party.run("psi/guest", peer="bank", table="people", id="email", scheme="rsa")
        except duckpriv.ExchangeTimeout as ended:
            assert "psi/signed" in ended.message  # the host does not answer here
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        introduce(folder, "bank", "shop")
        with duckpriv.connect(
            me="bank",
            exchange=f"dir:{folder / 'mailbox'}",
            keyring=folder / "bank.keys",
            session="bench",
        ) as host:
            for statement in (
                "CALL rsa_keygen('k', bits := 2048)",
                "SET VARIABLE duckpriv_protocol = 'psi/1'",
                "SET VARIABLE duckpriv_parameters = 'kind=raw columns=1 scheme=rsa'",
                "CALL exchange_send('shop', 'psi/key', "
                "$$ SELECT rsa_public_key('k') AS key, rsa_key_proof('k') AS proof $$)",
            ):
                host.con.execute(statement).fetchall()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", name],
            check=True,
            stdout=subprocess.PIPE,
        )
    measured = json.loads(done.stdout)
    yield Row(
        f"psi, blinding {IDS:,} ids, RSA-2048, peak memory (bar: 1,024)",
        measured["peak"] / 2**20,
        "MiB",
    )
    yield Row(f"psi, blinding {IDS:,} ids, RSA-2048", measured["seconds"] / IDS * 1e6, "µs/element")


if __name__ == "__main__":
    guest(Path(sys.argv[1]))
