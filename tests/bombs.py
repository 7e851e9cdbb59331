"""Messages that are small and would become large, or never end.

Run as a program, with a folder: it accepts each message that `write` put there, in a process of
its own whose memory is limited, and prints what became of each as a line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from duckpriv.errors import DuckprivError
from duckpriv.exchange import Manifest
from duckpriv.exchange.message.arrowstream import read_batches
from duckpriv.exchange.message.incoming import accept
from duckpriv.exchange.message.limits import Limits
from duckpriv.exchange.message.manifest import FORMAT, columns_of

LIMIT = 5 << 29  # of address space, beyond what the libraries take
ROWS = 12_345  # stands nowhere else in the bytes
HUGE = 1 << 40


def ipc(batch: pa.RecordBatch, times: int = 1, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(times):
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def column(array: pa.Array, metadata: dict[str, str] | None = None) -> pa.RecordBatch:
    schema = pa.schema([pa.field("x", array.type)], metadata)
    return pa.RecordBatch.from_arrays([array], schema=schema)


def claiming(data: bytes, rows: int = HUGE) -> bytes:
    """Let a message of ROWS rows say that it has more."""
    return data.replace(ROWS.to_bytes(8, "little"), rows.to_bytes(8, "little"))


def zeros(size: int) -> pa.Array:
    return pa.array(np.zeros(size // 8, np.int64))


def nested_type(depth: int) -> pa.DataType:
    type_: pa.DataType = pa.int64()
    for _ in range(depth):
        type_ = pa.struct([("a", type_)])
    return type_


def overlapping() -> bytes:
    """Many columns that all are the same bytes of the message."""
    columns, rows = 64, 1 << 13
    arrays = [pa.array(np.zeros(rows, np.int64)) for _ in range(columns)]
    data = ipc(pa.RecordBatch.from_arrays(arrays, [f"c{i}" for i in range(columns)]))
    size = 8 * rows

    def place(i: int) -> bytes:  # as the metadata has it: no bitmap, and the values
        return b"".join(n.to_bytes(8, "little") for n in (i * size, 0, i * size, size))

    for i in range(1, columns):
        assert place(i) in data
        data = data.replace(place(i), place(0))
    # Only the first column's bytes are sent.
    start = data.index(b"\xff\xff\xff\xff", 4)
    body = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
    head = data[:body].replace((columns * size).to_bytes(8, "little"), size.to_bytes(8, "little"))
    return head + data[body : body + size] + data[body + columns * size :]


def deep_schema() -> bytes:
    return pa.schema([("x", nested_type(1000))]).serialize().to_pybytes()


def ree() -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array([1]))


def dictionary() -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(ROWS, np.int8)), pa.array(["x" * 1_000_000])
    )


def text_schema(data: bytes) -> tuple[tuple[str, str], ...]:
    """The columns that a manifest has to name for its data to be looked at."""
    try:
        schema, _ = read_batches(pa.BufferReader(data))
        return columns_of(schema.remove_metadata())
    except (pa.ArrowException, OSError, ValueError, RecursionError):
        return (("x", "int64"),)


EMPTY_STRUCTS = pa.array([{}] * ROWS, pa.struct([]))
BOMBS: dict[str, Callable[[], bytes]] = {
    "zstd": lambda: ipc(column(zeros(1 << 29)), compression="zstd"),
    "lz4": lambda: ipc(column(zeros(1 << 29)), compression="lz4"),
    "zstd, many batches": lambda: ipc(column(zeros(1 << 24)), 20, compression="zstd"),
    "compressed and said to be 2^40 bytes": lambda: ipc(
        column(zeros(8 * ROWS)), compression="zstd"
    ).replace((8 * ROWS).to_bytes(8, "little"), HUGE.to_bytes(8, "little")),
    "dictionary": lambda: ipc(column(dictionary())),
    "zstd dictionary": lambda: ipc(
        column(pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), zeros(1 << 29))),
        compression="zstd",
    ),
    "run ends": lambda: ipc(column(ree())),
    "nested 50 deep": lambda: ipc(column(pa.array([None], nested_type(50)))),
    "nested 1000 deep": deep_schema,
    "10,000 columns": lambda: ipc(
        pa.RecordBatch.from_arrays([pa.array([1])] * 10_000, [f"c{i}" for i in range(10_000)])
    ),
    "huge metadata": lambda: ipc(column(pa.array([1]), {"k": "v" * (1 << 24)})),
    "nulls claiming 2^40 rows": lambda: claiming(ipc(column(pa.nulls(ROWS)))),
    "integers claiming 2^40 rows": lambda: claiming(ipc(column(zeros(8 * ROWS)))),
    "nothing but NULLs claiming 2^40 rows": lambda: claiming(
        ipc(column(pa.nulls(ROWS, pa.int64())))
    ),
    "empty texts claiming 2^40 rows": lambda: claiming(ipc(column(pa.array([""] * ROWS)))),
    "binary(0) claiming 2^40 rows": lambda: claiming(
        ipc(column(pa.array([b""] * ROWS, pa.binary(0))))
    ),
    "empty lists of fixed size claiming 2^40 rows": lambda: claiming(
        ipc(column(pa.array([[]] * ROWS, pa.list_(pa.int64(), 0))))
    ),
    "empty structs claiming 2^40 rows": lambda: claiming(ipc(column(EMPTY_STRUCTS))),
    "a list of 2^40 empty structs": lambda: claiming(
        ipc(column(pa.LargeListArray.from_arrays([0, ROWS], EMPTY_STRUCTS)))
    ),
    "no columns, claiming 2^40 rows": lambda: claiming(ipc(column(zeros(8 * ROWS)).select([]))),
    "one region of the message as 64 columns": overlapping,
}


def manifest_of(data: bytes, rows: int, columns: tuple[tuple[str, str], ...]) -> Manifest:
    return Manifest(
        format=FORMAT,
        session="s1",
        sender="bank",
        receiver="shop",
        channel="data",
        protocol="",
        parameters="",
        parameters_sha256="0" * 64,
        columns=columns,
        rows=rows,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def write(folder: Path) -> None:
    for name, make in BOMBS.items():
        data = make()
        (folder / f"{name}.arrow").write_bytes(data)
        claims = manifest_of(data, HUGE, text_schema(data))
        (folder / f"{name}.json").write_bytes(claims.to_json())


def peak(reset: bool = False) -> int:
    """The most memory that this process had, in kB. ru_maxrss would begin with the parent's."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def main(folder: Path) -> None:
    limit = LIMIT + mmap.PAGESIZE * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    for name in sys.argv[2:] or BOMBS:
        before = peak(reset=True)
        started = time.monotonic()
        try:
            manifest = Manifest.from_json((folder / f"{name}.json").read_bytes())
            with (folder / f"{name}.arrow").open("rb") as source:
                accept(manifest, source, folder / "target", True, None, Limits())
            outcome = "accepted"
        except DuckprivError as error:
            outcome = str(error)
        except BaseException as error:
            outcome = f"not ours: {type(error).__name__} {error}"
        grown = peak() - before
        left = sorted(p.name for p in folder.glob("target*"))
        seconds = time.monotonic() - started
        report = {"name": name, "outcome": outcome, "mb": grown >> 10, "seconds": seconds}
        print(json.dumps({**report, "left": left}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
