"""Between Arrow arrays and byte matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue


def constant(array: pa.Array, what: str) -> Any:
    """Return the one value of a column that has to be constant. Raises InvalidValue."""
    first = array[0].as_py()
    if len(array) > 1 and not pc.all(pc.equal(array, first)).as_py():
        raise InvalidValue(f"{what} has to be the same for all rows of a statement")
    return first


def to_matrix(blobs: pa.Array, width: int, what: str) -> ByteMatrix:
    """Return a BLOB column as a byte matrix. Raises InvalidValue unless all rows have
    `width` bytes."""
    lengths = pc.binary_length(blobs)
    wrong = len(blobs) - pc.sum(pc.equal(lengths, width)).as_py()
    if wrong:
        raise InvalidValue(
            f"{what}: {wrong} of {len(blobs)} values have the wrong length; "
            f"each needs {width} bytes under this key"
        )
    data = b"".join(blobs.to_pylist())
    return np.frombuffer(data, dtype=np.uint8).reshape(len(blobs), width)


def to_blobs(matrix: ByteMatrix) -> pa.Array:
    """Return a byte matrix as a BLOB column."""
    rows, width = matrix.shape
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), rows, [None, pa.py_buffer(np.ascontiguousarray(matrix))]
    )
    return fixed.cast(pa.binary())


def without_nulls(
    function: Callable[..., pa.Array], columns: tuple[pa.Array, ...], result: pa.DataType
) -> pa.Array:
    """Call `function` on the rows where no column is NULL, and put NULL in the others."""
    if not any(column.null_count for column in columns):
        return function(*columns) if len(columns[0]) else pa.nulls(0, result)
    valid = pc.is_valid(columns[0])
    for column in columns[1:]:
        valid = pc.and_(valid, pc.is_valid(column))
    if not pc.any(valid).as_py():
        return pa.nulls(len(valid), result)
    values = function(*(column.filter(valid) for column in columns))
    # The n-th valid row takes the n-th value; take() of a NULL index gives NULL.
    ranks = pc.subtract(pc.cumulative_sum(valid.cast(pa.int64())), 1)
    return values.take(pc.if_else(valid, ranks, pa.scalar(None, pa.int64())))
