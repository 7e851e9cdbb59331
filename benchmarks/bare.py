"""What Arrow Flight alone takes for what `load.py` measures: mutual TLS, and a Parquet file of what
comes. Nothing is encrypted to its receiver, signed, compared with what was promised, or synced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.flight as fl
import pyarrow.parquet as pq

from duckpriv import Keyring
from duckpriv.keys.certificate import MAILBOX_NAME

_BATCH_ROWS = 1 << 16


class _Server(fl.FlightServerBase):  # type: ignore[misc]
    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        path = Path(descriptor.command.decode())
        partial = path.with_suffix(".partial")
        plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        with pq.ParquetWriter(partial, reader.schema, **plain) as file:
            for chunk in reader:
                file.write_batch(chunk.data)
        partial.replace(path)


def receive(memory: str, small: int) -> None:
    """Serve; query the table that comes, or `small` messages."""
    keyring = Keyring("bank.keys")
    server = _Server(
        fl.Location.for_grpc_tls("127.0.0.1", 0),
        tls_certificates=[keyring.identity("bank").leaf()],
        verify_client=True,
        root_certificates=keyring.trusted("shop").root,
    )
    print(server.port, flush=True)
    ended = []
    with duckdb.connect(config={"memory_limit": memory}) as con:

        def query(what: str, name: str) -> None:
            while not Path(name).exists():
                time.sleep(0.001)
            con.execute(f"SELECT {what} FROM read_parquet('{name}')").fetchall()
            ended.append(time.time())

        if small:
            for i in range(small):
                query("i", f"{i}.bare")
        else:
            query("count(*)", "big.bare")
            query("sum(columns(*))", "big.bare")
    print(json.dumps(ended), flush=True)
    server.shutdown()


def send(port: int, memory: str, small: int) -> None:
    """Send the table `big`, or `small` messages of a row, each a statement of its own."""
    keyring = Keyring("shop.keys")
    leaf = keyring.identity("shop").leaf()
    client = fl.FlightClient(
        fl.Location.for_grpc_tls("127.0.0.1", port),
        tls_root_certs=keyring.trusted("bank").root,
        cert_chain=leaf[0],
        private_key=leaf[1],
        override_hostname=MAILBOX_NAME,
    )

    def put(name: str, sql: str) -> None:
        reader = con.sql(sql).to_arrow_reader(_BATCH_ROWS)
        writer, _ = client.do_put(fl.FlightDescriptor.for_command(name), reader.schema)
        with writer:
            for batch in reader:
                writer.write_batch(batch)

    with duckdb.connect("shop.duckdb", config={"memory_limit": memory}) as con:
        print("ready", flush=True)
        sys.stdin.readline()
        if small:
            for i in range(small):
                put(f"{i}.bare", f"SELECT {i} AS i")
        else:
            put("big.bare", "FROM big")


def seconds(folder: Path, memory: str, small: int = 0) -> list[float]:
    """Run both parties in `folder`; return how many seconds after the start the receiver could
    query and had read the table, or had read each of `small` messages."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare", *map(str, arguments)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )

    receiver = start("receive", memory, small)
    assert receiver.stdout
    sender = start("send", receiver.stdout.readline().strip(), memory, small)
    assert sender.stdout and sender.stdin
    sender.stdout.readline()
    started = time.time()
    sender.communicate("go\n")
    if sender.returncode:
        receiver.kill()
        raise SystemExit("the baseline failed")
    ended = json.loads(receiver.communicate()[0])
    for file in folder.glob("*.bare"):
        file.unlink()
    return [end - started for end in ended]


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], int(sys.argv[3]))
    else:
        send(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
