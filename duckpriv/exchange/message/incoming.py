"""A received message: checked whole, then kept as a private Parquet copy that DuckDB scans.

The file in the mailbox may change under our hands, and DuckDB has no Arrow IPC reader of its
own. So the message is read once, from beginning to end: its bytes are counted and hashed,
decrypted, checked batch by batch, and written as Parquet; only that is ever read again, and only
if all was right.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pat

from ...crypto.sealing import Unsealer
from ...disk import at, utf8_path
from ...errors import MessageRejected
from .arrowstream import CompressedError, read_batches
from .limits import Limits
from .manifest import Manifest, columns_of
from .types import depth, is_allowed

# Content as it comes; read with `readinto`, closed by who opened it.
Stream: TypeAlias = io.RawIOBase | io.BufferedIOBase
_CHUNK = 1 << 20
_GROUP_ROWS, _GROUP_BYTES, _LONG_ROW = 1 << 16, 1 << 20, 1 << 17


class Chunks(io.RawIOBase):
    """Content that comes in chunks from an iterator, which is closed with it."""

    def __init__(self, chunks: Generator[bytes | memoryview, None, None]) -> None:
        super().__init__()
        self._chunks, self._pending = chunks, memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next; 0 bytes are the end."""
        if not self._pending:
            self._pending = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def close(self) -> None:
        """Ask for no more."""
        self._chunks.close()
        super().close()


def accept(
    manifest: Manifest,
    source: Stream,
    target: Path,
    nulls: bool,
    key: bytes | None,
    limits: Limits,
) -> None:
    """Check the message that `source` reads against its manifest and write it to `target`.

    `key` is the content key of a sealed message. Raises MessageRejected and leaves no target where
    the length, the digest, the Arrow structure, the columns or the number of rows differ, or
    where there is a NULL and `nulls` does not allow it.
    """
    target.unlink(missing_ok=True)
    content = _Content(manifest, source, key, limits)
    try:
        try:
            with at(target):
                _to_parquet(manifest, content, target, nulls)
        except CompressedError:
            raise MessageRejected(f"{manifest.what} is compressed, which is not allowed") from None
        except MessageRejected:
            content.check_end()  # that it was altered says more
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of our own disk, or the mailbox's
            content.check_end()
            raise MessageRejected(
                f"{manifest.what} is not a well-formed Arrow IPC stream "
                f"({type(error).__name__}); ask for it again in a new session"
            ) from None
        content.check_end()
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Content:
    """What is read from: counts, hashes and decrypts."""

    closed = False

    def __init__(
        self, manifest: Manifest, source: Stream, key: bytes | None, limits: Limits
    ) -> None:
        self._manifest, self._source, self._largest = manifest, source, limits.batch_bytes
        self.nesting = limits.nesting
        self._digest, self._length = hashlib.sha256(), 0
        self._readinto = self._take
        if key is not None:
            self._readinto = Unsealer(key, self._take, manifest.bytes + 1).readinto

    def read(self, length: int) -> pa.Buffer:
        """Return as many bytes, or fewer at the end."""
        if length > self._manifest.bytes:
            raise ValueError("a part of the stream is longer than the stream")
        if length > self._largest:
            raise MessageRejected(
                f"{self._manifest.what} has a part of {length} bytes, more than the limit of "
                f"{self._largest}; ask the sender for shorter rows, or raise the limit batch_bytes"
            )
        # Arrow keeps its memory for the next one: fresh memory would take longer than decryption.
        buffer = pa.allocate_buffer(length)
        filled = 0
        with memoryview(buffer).cast("B") as target:
            while filled < length and (count := self._readinto(target[filled:])):
                filled += count
        return buffer.slice(0, filled)

    def _take(self, target: memoryview) -> int:
        """Fill a buffer; return how many bytes that were, fewer at the end."""
        # One byte more than expected is enough to know that there is more.
        target = target[: self._manifest.bytes + 1 - self._length]
        filled = 0
        while filled < len(target) and (count := self._source.readinto(target[filled:])):
            filled += count
        self._length += filled
        self._digest.update(target[:filled])
        return filled

    def close(self) -> None:
        """The source is closed by who opened it."""

    def check_end(self) -> None:
        """Raise MessageRejected unless exactly the manifest's bytes were there."""
        while self._take(memoryview(bytearray(_CHUNK))):
            pass
        if self._length != self._manifest.bytes:
            found = "more" if self._length > self._manifest.bytes else str(self._length)
            raise MessageRejected(
                f"{self._manifest.what} should have {self._manifest.bytes} bytes and has {found};"
                " it was cut off, altered or is still being copied"
            )
        if self._digest.hexdigest() != self._manifest.sha256:
            raise MessageRejected(
                f"{self._manifest.what} does not have the SHA-256 that its manifest says; it was "
                "altered"
            )


def _to_parquet(manifest: Manifest, content: _Content, target: Path, nulls: bool) -> None:
    with pa.PythonFile(content, "r") as source, pa.OSFile(utf8_path(target), "wb") as file:
        schema, batches = read_batches(source)
        schema = schema.remove_metadata()
        _check_schema(manifest, schema, content.nesting)
        with pq.ParquetWriter(
            file,
            schema,
            compression="none",
            use_dictionary=False,
            # By them DuckDB leaves out groups without the rows that a query wants.
            write_statistics=[f.name for f in schema if pat.is_integer(f.type)],
        ) as writer:
            for table in _grouped(_checked(manifest, batches, nulls), schema):
                writer.write_table(table)
        if source.read(1):
            raise MessageRejected(f"{manifest.what} has something behind its rows")


def _grouped(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of small batches together: one by one, many would take memory each. Long rows
    come one by one: Parquet takes ten times as long for several lists of 100,000 numbers together,
    and a query that wants one of them reads the others, too."""
    pending: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in (piece for whole in batches for piece in _pieces(whole)):
        pending.append(batch.replace_schema_metadata(None))
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(pending, schema)
            pending.clear()
            rows = size = 0
    if pending:
        yield pa.Table.from_batches(pending, schema)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    step = 1 if batch.nbytes >= len(batch) * _LONG_ROW else len(batch)
    for first in range(0, len(batch), step):
        yield batch.slice(first, step)


def _check_schema(manifest: Manifest, schema: pa.Schema, nesting: int) -> None:
    if columns_of(schema) != manifest.columns:
        raise MessageRejected(f"{manifest.what} does not have the columns that its manifest says")
    if max((depth(field.type) for field in schema), default=0) > nesting:
        raise MessageRejected(
            f"{manifest.what} has more than {nesting} lists and structs within each other (the "
            "limit nesting)"
        )
    names = [name.lower() for name, _ in manifest.columns]
    if len(set(names)) != len(names) or not all(is_allowed(field.type) for field in schema):
        raise MessageRejected(
            f"{manifest.what} has columns of one name, or of a type that no message may have"
        )
    if not names:
        raise MessageRejected(f"{manifest.what} has no columns")


def _checked(
    manifest: Manifest, batches: Iterator[pa.RecordBatch], nulls: bool
) -> Iterator[pa.RecordBatch]:
    rows = size = 0
    for batch in batches:
        batch.validate(full=True)
        if not len(batch):
            raise MessageRejected(f"{manifest.what} has an empty batch")
        # Columns may be the same bytes of the message, so that little becomes much.
        size += batch.nbytes
        if size > manifest.bytes:
            raise MessageRejected(f"{manifest.what} has more in its columns than it has bytes")
        if not nulls and any(column.null_count for column in batch.columns):
            raise MessageRejected(f"{manifest.what} has NULLs where none may be")
        rows += len(batch)
        if rows > manifest.rows:
            break
        yield batch
    if rows != manifest.rows:
        raise MessageRejected(
            f"{manifest.what} has {'more' if rows > manifest.rows else rows} rows; its manifest "
            f"says {manifest.rows}"
        )
