"""A message being written: rows come in as DuckDB makes them, and leave as Arrow IPC."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa

from .types import to_message

_BATCH_ROWS = 1 << 16
_BATCH_BYTES = 8 << 20


class OutgoingMessage:
    """Collects rows in batches and streams them to `path`. Safe for DuckDB's threads."""

    def __init__(self, path: Path, peer: str, channel: str, protocol: str, parameters: str) -> None:
        self.path = path
        self.peer, self.channel = peer, channel
        self.protocol, self.parameters = protocol, parameters
        self.rows = 0
        self._lock = threading.Lock()
        self._file: pa.NativeFile | None = None
        self._writer: pa.RecordBatchFileWriter | None = None
        self._pending: list[pa.RecordBatch] = []

    def add(self, rows: pa.StructArray, sql_type: str) -> None:
        """Take some rows."""
        batch = to_message(rows, sql_type)
        with self._lock:
            self.rows += len(batch)
            self._pending.append(batch)
            if (
                sum(len(pending) for pending in self._pending) >= _BATCH_ROWS
                or sum(pending.nbytes for pending in self._pending) >= _BATCH_BYTES
            ):
                self._flush(batch.schema)

    def finish(self, type_: pa.StructType, sql_type: str) -> pa.Schema:
        """Write what is pending and close the file; return the message's schema."""
        schema = to_message(pa.array([], type_), sql_type).schema
        with self._lock:
            self._flush(schema)
            assert self._writer is not None and self._file is not None
            self._writer.close()
            self._file.close()
            self._writer = self._file = None
        return schema

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
            self._file = pa.OSFile(str(self.path), "wb")
            self._writer = pa.ipc.new_file(self._file, schema)
        if self._pending:
            table = pa.Table.from_batches(self._pending, schema).combine_chunks()
            self._writer.write_table(table)
            self._pending.clear()
