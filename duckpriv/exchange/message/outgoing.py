"""A message being written: rows come in as DuckDB makes them, and leave as an Arrow IPC stream,
sealed where messages are protected."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from ...crypto.sealing import Sealer
from ...disk import at
from ...errors import InvalidValue, NotAccepted, ProtocolError
from .manifest import columns_of, listed
from .types import expected_columns, message_schema, to_message

_BATCH_ROWS = 1 << 16
_BATCH_BYTES = 8 << 20


# Content is a file, or, where it is small, the bytes.
Content: TypeAlias = Path | bytes


@dataclass(frozen=True)
class Written:
    """What was written: the rows' schema, how many, and content with its length and SHA-256."""

    schema: pa.Schema
    rows: int
    content: Content
    bytes: int
    sha256: str


class OutgoingMessage:
    """Collects rows in batches and streams them, encrypted with `key` where it is not None, to the
    file `path` once they are more than `small` bytes. Where `columns` is not empty, they have to
    have exactly these. Safe for DuckDB's threads."""

    def __init__(
        self,
        path: Path,
        receivers: tuple[str, ...],
        channel: str,
        protocol: str,
        parameters: str,
        columns: str,
        key: bytes | None,
        small: int,
    ) -> None:
        self._columns = expected_columns(columns) if columns else None
        self.key, self.receivers, self.channel = key, receivers, channel
        self.protocol, self.parameters = protocol, parameters
        self._sql_type = ""  # of the rows
        self._type: pa.StructType | None = None
        self._sink = _Sink(path, key, small)
        self._rows = self._pending_rows = self._pending_bytes = 0
        self._pending: list[pa.StructArray] = []
        self._collecting, self._writing = threading.Lock(), threading.Lock()
        self._writer: pa.RecordBatchStreamWriter | None = None

    def set_type(self, sql_type: str, type_: pa.StructType) -> None:
        """Say which type the rows have, in SQL (DuckDB's typeof) and in Arrow. Errors come later:
        DuckDB takes no notice of them while it plans."""
        self._sql_type, self._type = sql_type, type_

    def _check(self, schema: pa.Schema) -> None:
        columns = columns_of(schema)
        if self._columns not in (None, columns):
            raise NotAccepted(
                f"message '{self.channel}' would have other columns than were shown before the "
                f"run: {listed(columns)} instead of {listed(self._columns or ())}; a query with "
                "a view or table of yours may have others"
            )

    def add(self, rows: pa.StructArray) -> None:
        """Take some rows. Raises InvalidValue where they can be no message, NotAccepted where they
        have other columns than were accepted; then nothing has been written."""
        full: list[pa.StructArray] = []
        with self._collecting:
            if not self._rows:
                self._check(message_schema(self._sql_type, rows.type))
            self._rows += len(rows)
            self._pending.append(rows)
            self._pending_rows += len(rows)
            self._pending_bytes += rows.nbytes
            if self._pending_rows >= _BATCH_ROWS or self._pending_bytes >= _BATCH_BYTES:
                full, self._pending = self._pending, full
                self._pending_rows = self._pending_bytes = 0
        if full:  # other threads go on collecting meanwhile
            self._write(to_message(pa.concat_arrays(full), self._sql_type))

    def finish(self, rows: int) -> Written:
        """Write what is pending; a file is then safe on disk. Raises ProtocolError where the query
        had other than `rows` rows, and as `add` does."""
        if rows != self._rows:
            raise ProtocolError("the query's rows and the rows written differ; nothing is sent")
        if self._type is None:
            raise InvalidValue(
                "a query without rows cannot be sent while DuckDB's optimizer is off; turn it on "
                "with PRAGMA enable_optimizer"
            )
        last = pa.concat_arrays(self._pending or [pa.nulls(0, self._type)])
        self._pending = []
        batch = to_message(last, self._sql_type)
        self._check(batch.schema)
        self._write(batch)
        assert self._writer is not None
        self._writer.close()
        content, size, digest = self._sink.finish()
        return Written(batch.schema, rows, content, size, digest)

    def discard(self) -> None:
        """Delete what was written."""
        with self._collecting, self._writing:
            self._writer = None
            self._pending.clear()
            self._sink.discard()

    def _write(self, batch: pa.RecordBatch) -> None:
        with self._writing:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), batch.schema)
            if len(batch):
                # Long rows: a batch has to fit into the receiver's memory.
                rows = max(1, len(batch) * 2 * _BATCH_BYTES // max(batch.nbytes, 1))
                table = pa.Table.from_batches([batch])
                self._writer.write_table(table, max_chunksize=rows)


class _Sink:
    """What Arrow writes to: seals, hashes, and keeps in memory or writes to a file."""

    closed = False

    def __init__(self, path: Path, key: bytes | None, small: int) -> None:
        self._path, self._small = path, small
        self._memory = bytearray()
        self._file: io.BufferedWriter | None = None
        self._digest, self._length = hashlib.sha256(), 0
        self._sealer = None if key is None else Sealer(key, self._put)

    def write(self, data: Any) -> int:
        return self._put(data) if self._sealer is None else self._sealer.write(data)

    def _put(self, data: Any) -> int:
        with memoryview(data).cast("B") as given, at(self._path):
            self._length += len(given)
            self._digest.update(given)
            if self._file is None and self._length <= self._small:
                self._memory += given
                return len(given)
            if self._file is None:
                # In a folder of our own; the mode is that of a file in the mailbox.
                self._file = self._path.open("xb")
                self._file.write(self._memory)
            return self._file.write(given)

    def flush(self) -> None:
        """Nothing is kept back that could be written."""

    def finish(self) -> tuple[Content, int, str]:
        """Return content, length and SHA-256."""
        if self._sealer is not None:
            self._sealer.finish()
        if self._file is not None:
            with at(self._path), self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        content = bytes(self._memory) if self._file is None else self._path
        return content, self._length, self._digest.hexdigest()

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of what it could not write
                self._file.close()
        self._path.unlink(missing_ok=True)
