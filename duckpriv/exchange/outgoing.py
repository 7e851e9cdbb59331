"""A message being written: rows come in as DuckDB makes them, and leave as an Arrow IPC stream,
sealed where messages are protected."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..crypto.sealing import Sealer
from ..errors import ProtocolError
from .types import to_message

_BATCH_ROWS = 1 << 16
_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class Written:
    """What was written: the rows' schema, how many, and length and SHA-256 of the file."""

    schema: pa.Schema
    rows: int
    bytes: int
    sha256: str


class OutgoingMessage:
    """Collects rows in batches and streams them to the file `path`, encrypted with `key` where it
    is not None. Safe for DuckDB's threads."""

    def __init__(
        self,
        path: Path,
        receivers: tuple[str, ...],
        channel: str,
        protocol: str,
        parameters: str,
        key: bytes | None,
    ) -> None:
        self.path, self.key = path, key
        self.receivers, self.channel = receivers, channel
        self.protocol, self.parameters = protocol, parameters
        self._rows = 0
        self._lock = threading.Lock()
        self._pending: list[pa.RecordBatch] = []
        self._file: _File | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    def add(self, rows: pa.StructArray, sql_type: str) -> None:
        """Take some rows."""
        batch = to_message(rows, sql_type)
        with self._lock:
            self._rows += len(batch)
            self._pending.append(batch)
            if (
                sum(len(pending) for pending in self._pending) >= _BATCH_ROWS
                or sum(pending.nbytes for pending in self._pending) >= _BATCH_BYTES
            ):
                self._flush(batch.schema)

    def finish(self, rows: int, type_: pa.StructType, sql_type: str) -> Written:
        """Write what is pending and close the file, which is then safe on disk. Raises
        ProtocolError where the query had other than `rows` rows."""
        schema = to_message(pa.array([], type_), sql_type).schema
        with self._lock:
            if rows != self._rows:
                raise ProtocolError("the query's rows and the rows written differ; nothing is sent")
            self._flush(schema)
            assert self._writer is not None and self._file is not None
            self._writer.close()
            size, digest = self._file.finish()
            self._writer = self._file = None
        return Written(schema, rows, size, digest)

    def discard(self) -> None:
        """Delete what was written."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._writer = self._file = None
            self._pending.clear()
            self.path.unlink(missing_ok=True)

    def _flush(self, schema: pa.Schema) -> None:
        if self._writer is None:
            self._file = _File(self.path, self.key)
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), schema)
        if self._pending:
            table = pa.Table.from_batches(self._pending, schema).combine_chunks()
            self._writer.write_table(table)
            self._pending.clear()


class _File:
    """What Arrow writes to: seals, hashes and writes."""

    closed = False

    def __init__(self, path: Path, key: bytes | None) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._digest, self._length = hashlib.sha256(), 0
        self._sealer = None if key is None else Sealer(key, self._put)

    def write(self, data: Any) -> int:
        return self._put(data) if self._sealer is None else self._sealer.write(data)

    def _put(self, data: Any) -> int:
        with memoryview(data) as given:
            left = given.cast("B")
            self._digest.update(left)
            self._length += (length := len(left))
            while left:  # an unbuffered file may take less than it is given
                left = left[self._file.write(left) :]
        return length

    def flush(self) -> None:
        """Nothing is kept back that could be written."""

    def finish(self) -> tuple[int, str]:
        """Close the file, durably; return its length and SHA-256."""
        if self._sealer is not None:
            self._sealer.finish()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._length, self._digest.hexdigest()

    def close(self) -> None:
        self._file.close()
