"""A received message: checked whole, then kept as a private Parquet copy that DuckDB scans.

The file in the mailbox may change under our hands, and DuckDB has no Arrow IPC reader of its
own. So the bytes are first copied and hashed, then the copy is checked and written as
Parquet; only that is ever read again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import MessageRejected
from .manifest import Manifest, columns_of
from .protection import Protection
from .types import is_allowed

_CHUNK = 1 << 20


def accept(
    manifest: Manifest, source: BinaryIO, target: Path, nulls: bool, protection: Protection | None
) -> None:
    """Check the message in `source` against its manifest and write it to `target`.

    With `protection` it is sealed, and its manifest's signature was checked. Raises
    MessageRejected and leaves no target where the length, the digest, the Arrow
    structure, the columns or the number of rows differ, or where there is a NULL and `nulls`
    does not allow it.
    """
    copy = target.with_suffix(".arrow")
    try:
        _copy_checked(manifest, source, copy)
        if protection is not None:
            sealed = copy.replace(copy.with_suffix(".sealed"))
            try:
                protection.open(manifest, sealed, copy)
            finally:
                sealed.unlink()
        try:
            rows = _to_parquet(manifest, copy, target, nulls)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise MessageRejected(
                f"{_name(manifest)} is not a well-formed Arrow IPC file ({type(error).__name__}); "
                "ask for it again in a new session"
            ) from None
        if rows != manifest.rows:
            raise MessageRejected(
                f"{_name(manifest)} has {rows} rows; its manifest says {manifest.rows}"
            )
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        copy.unlink(missing_ok=True)


def _name(manifest: Manifest) -> str:
    return f"message '{manifest.channel}' from {manifest.sender}"


def _copy_checked(manifest: Manifest, source: BinaryIO, copy: Path) -> None:
    digest, length = hashlib.sha256(), 0
    with copy.open("xb") as writer:
        # One byte more than expected is enough to know that there is more.
        while chunk := source.read(min(_CHUNK, manifest.bytes + 1 - length)):
            length += len(chunk)
            digest.update(chunk)
            writer.write(chunk)
    if length != manifest.bytes:
        found = "more" if length > manifest.bytes else str(length)
        raise MessageRejected(
            f"{_name(manifest)} should have {manifest.bytes} bytes and has {found}; it was cut "
            "off, altered or is still being copied"
        )
    if digest.hexdigest() != manifest.sha256:
        raise MessageRejected(
            f"{_name(manifest)} does not have the SHA-256 that its manifest says; it was altered"
        )


def _to_parquet(manifest: Manifest, copy: Path, target: Path, nulls: bool) -> int:
    rows = 0
    with pa.memory_map(str(copy)) as source, pa.ipc.open_file(source) as reader:
        schema = reader.schema.remove_metadata()
        if columns_of(schema) != manifest.columns:
            raise MessageRejected(
                f"{_name(manifest)} does not have the columns that its manifest says"
            )
        names = [name.lower() for name, _ in manifest.columns]
        if len(set(names)) != len(names) or not all(is_allowed(field.type) for field in schema):
            raise MessageRejected(
                f"{_name(manifest)} has columns of one name, or of a type that no message may have"
            )
        with pq.ParquetWriter(
            target, schema, compression="none", use_dictionary=False, write_statistics=False
        ) as writer:
            for i in range(reader.num_record_batches):
                batch = reader.get_batch(i)
                batch.validate(full=True)
                # Batches are slices of the file, unless their buffers were compressed.
                if batch.get_total_buffer_size() > manifest.bytes:
                    raise MessageRejected(f"{_name(manifest)} is compressed, which is not allowed")
                if not nulls and any(column.null_count for column in batch.columns):
                    raise MessageRejected(f"{_name(manifest)} has NULLs where none may be")
                rows += len(batch)
                writer.write_batch(batch.replace_schema_metadata(None))
    return rows
