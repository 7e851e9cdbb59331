"""Reading an Arrow IPC stream that a stranger wrote.

pyarrow's reader decompresses a batch before anyone could look at it. So each batch's metadata is
looked at first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

# Places in the tables of Arrow's Message.fbs.
_MESSAGE_HEADER, _BATCH_COMPRESSION = 2, 3


class CompressedError(Exception):
    """A batch is compressed."""


def read_batches(source: pa.NativeFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema and, one by one, the batches of a stream.

    Raises a pyarrow exception, here or while reading on, where the stream is not well-formed;
    CompressedError at a compressed batch. Whether the batches are valid has to be checked.
    """
    messages = pa.ipc.MessageReader.open_stream(source)
    try:
        first = messages.read_next_message()
    except StopIteration:
        raise pa.ArrowInvalid("no schema") from None
    if first.type != "schema":  # read_schema would take it for one, and crash
        raise pa.ArrowInvalid("no schema")
    schema = pa.ipc.read_schema(first)

    def batches() -> Iterator[pa.RecordBatch]:
        for message in messages:
            if message.type != "record batch":
                raise pa.ArrowInvalid("a message that is no record batch")
            if _is_compressed(message.metadata.to_pybytes()):
                raise CompressedError
            yield pa.ipc.read_record_batch(message, schema)

    return schema, batches()


def _is_compressed(metadata: bytes) -> bool:
    """Whether a record batch's metadata, a FlatBuffer that pyarrow has verified, says how its body
    is compressed."""
    try:
        (root,) = struct.unpack_from("<I", metadata)
        header = _field(metadata, root, _MESSAGE_HEADER)
        if header is None:
            raise pa.ArrowInvalid("a message without a header")
        (offset,) = struct.unpack_from("<I", metadata, header)
        return _field(metadata, header + offset, _BATCH_COMPRESSION) is not None
    except struct.error:
        raise pa.ArrowInvalid("a message's metadata is damaged") from None


def _field(data: bytes, table: int, index: int) -> int | None:
    """Return where a field of a FlatBuffers table stands, None where it is left out."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, vtable)
    place = 4 + 2 * index
    if place + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + place)
    return table + offset if offset else None
