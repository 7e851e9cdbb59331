"""Messages over the network: mutual TLS, encrypted and signed, between processes on one machine.

One party serves its mailbox on the loopback, the others use it. A large relation goes both ways,
then many small messages, by single statements and in a journaled script; then three parties send to
each other at once. The baseline is Arrow Flight alone (`bare.py`), from client to server.

The goals, on two cores: 1 GiB at 100 MB/s or more, in less than 300 MiB a party; small messages at
80 a second or more.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckpriv
from benchmarks import bare
from benchmarks.row import Row
from examples.introduction import introduce

GIB = 1 << 30
COLUMNS = 8
SMALL, JOURNALED = 10_000, 1_000
# What DuckDB keeps of a table in memory; its default is 80 % of the machine's.
DUCKDB_MEMORY = "50MB"
SEND = """
SET VARIABLE i = 0;
-- part send while getvariable('i') < {number}
SET VARIABLE i = getvariable('i') + 1;
CALL exchange_send('{peer}', 'm/' || getvariable('i'), $$
    SELECT getvariable('i') AS i, 'a few bytes' AS text $$);
"""
RECEIVE = """
SET VARIABLE i = 0;
CREATE TEMP TABLE got (i INTEGER);
-- part receive while getvariable('i') < {number}
SET VARIABLE i = getvariable('i') + 1;
INSERT INTO got SELECT i FROM exchange_recv('{peer}', 'm/' || getvariable('i'));
-- part end
SELECT require(count(*) = {number}, 'all') FROM got;
"""


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def party(task: dict) -> None:
    """One process: connect, say so, wait for the start, do its steps, and tell time and memory."""
    with duckpriv.connect(**task["connect"]) as opened:
        con = opened.con
        con.execute(f"SET memory_limit = '{DUCKDB_MEMORY}'")
        print("ready", flush=True)
        sys.stdin.readline()
        ended = []
        for step in task["steps"]:
            if step.startswith("run "):
                opened.run(step.removeprefix("run "))
            elif step.startswith("repeat "):
                for i in range(SMALL):
                    con.execute(step.removeprefix("repeat ").replace("NUMBER", str(i))).fetchall()
            else:
                con.execute(step).fetchall()
            ended.append(time.time())
        print(json.dumps({"ended": ended, "peak": peak_mib()}), flush=True)
        sys.stdin.readline()  # who serves stays until all are done


def run(
    folder: Path, session: str, steps: dict[str, list[str]]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Run the parties' steps at once; return for each party how many seconds after the start each
    step ended, and its peak of memory."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"grpc+tls://localhost:{free.getsockname()[1]}"
    processes = {}
    for me, what in steps.items():
        serves = me == "bank"
        connect = {
            "database": f"{me}.duckdb",
            "me": me,
            "exchange": "dir:mailbox" if serves else address,
            "serve": address if serves else None,
            "keyring": f"{me}.keys",
            "session": session,
        }
        processes[me] = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.load",
                json.dumps({"connect": connect, "steps": what}),
            ],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
    for process in processes.values():
        assert process.stdout and process.stdout.readline() == "ready\n"
    started = time.time()
    for process in processes.values():
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    told = {me: json.loads(p.stdout.readline()) for me, p in processes.items() if p.stdout}
    for process in processes.values():
        process.communicate("end\n")
    ended = {me: [end - started for end in report["ended"]] for me, report in told.items()}
    return ended, {me: report["peak"] for me, report in told.items()}


def last(ended: dict[str, list[float]]) -> float:
    """Return when all parties have ended."""
    return max(times[-1] for times in ended.values())


def make_table(folder: Path, me: str, size: int) -> None:
    numbers = ", ".join(f"random() AS x{i}" for i in range(COLUMNS - 1))
    with duckpriv.connect(folder / f"{me}.duckdb", keyring=folder / f"{me}.keys") as opened:
        opened.con.execute(
            f"CREATE TABLE big AS SELECT i, {numbers} FROM range({size // (8 * COLUMNS)}) t(i)"
        )


def send(to: str, channel: str = "big") -> str:
    return f"CALL exchange_send('{to}', '{channel}', 'FROM big')"


def arrive(sender: str, channel: str = "big") -> str:
    return f"SELECT count(*) FROM exchange_recv('{sender}', '{channel}')"


def receive(sender: str, channel: str = "big") -> str:
    sums = ", ".join(f"sum(x{i})" for i in range(COLUMNS - 1))
    return f"SELECT count(*), sum(i), {sums} FROM exchange_recv('{sender}', '{channel}')"


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        introduce(folder, "bank", "shop", "carol")
        for me in ("bank", "shop"):
            make_table(folder, me, GIB)
        bare_there, bare_read = bare.seconds(folder, DUCKDB_MEMORY)
        *_, bare_small = bare.seconds(folder, DUCKDB_MEMORY, SMALL)
        for sender, receiver, way in (("shop", "bank", "up"), ("bank", "shop", "down")):
            steps = {sender: [send(receiver)], receiver: [arrive(sender), receive(sender)]}
            ended, peaks = run(folder, way, steps)
            there, read = ended[receiver]
            for what, took, alone in (
                ("can be queried", there, bare_there),
                ("is read", read, bare_read),
            ):
                yield Row(
                    f"1 GiB relation, {way}loaded, until it {what}",
                    GIB / 1e6 / took,
                    "MB/s",
                    GIB / 1e6 / alone,
                )
            for me, peak in peaks.items():
                yield Row(f"    {me}: peak memory", peak, "MiB")
        for sender, receiver, way in (("shop", "bank", "up"), ("bank", "shop", "down")):
            sends = f"CALL exchange_send('{receiver}', 'm/NUMBER', 'SELECT NUMBER AS i')"
            receives = f"SELECT i FROM exchange_recv('{sender}', 'm/NUMBER')"
            steps = {sender: [f"repeat {sends}"], receiver: [f"repeat {receives}"]}
            ended, _ = run(folder, f"plain-{way}", steps)
            yield Row(
                f"{SMALL:,} small messages, {way}loaded",
                SMALL / last(ended),
                "1/s",
                SMALL / bare_small,
            )
            for role, text, peer in (("send", SEND, receiver), ("receive", RECEIVE, sender)):
                script = text.format(number=JOURNALED, peer=peer)
                (folder / f"{role}-{way}.sql").write_text(script)
            steps = {sender: [f"run send-{way}.sql"], receiver: [f"run receive-{way}.sql"]}
            ended, _ = run(folder, f"small-{way}", steps)
            yield Row(
                f"{JOURNALED:,} small messages, {way}loaded, in a script",
                JOURNALED / last(ended),
                "1/s",
            )
        parties = ("bank", "shop", "carol")
        for me in parties:
            (folder / f"{me}.duckdb").unlink(missing_ok=True)
            make_table(folder, me, GIB // 8)
        each = {
            me: [send(",".join(peer for peer in parties if peer != me))]
            + [receive(peer) for peer in parties if peer != me]
            for me in parties
        }
        ended, peaks = run(folder, "three", each)
        yield Row(
            "three parties, 128 MiB to each other at once", 6 * GIB / 8 / 1e6 / last(ended), "MB/s"
        )
        yield Row("    largest peak memory", max(peaks.values()), "MiB")


if __name__ == "__main__":
    party(json.loads(sys.argv[1]))
