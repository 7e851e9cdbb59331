"""Between Arrow arrays and byte matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

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
    wrong = len(blobs) - (pc.sum(pc.equal(lengths, width)).as_py() or 0)
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


def plain(array: pa.Array) -> pa.Array:
    """Return an array with the type that DuckDB gives such values where the connection has none of
    the settings arrow_…. Raises InvalidValue for a list view: pyarrow 26 loses values of some."""
    type_ = _plain_type(array.type)
    if type_ == array.type:
        return array
    try:
        return array.cast(type_)
    except pa.ArrowInvalid:  # 2 GiB of text or lists and more
        return array


@lru_cache(maxsize=256)
def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pat.is_large_string(type_) or pat.is_string_view(type_) or isinstance(type_, pa.JsonType):
        return pa.string()
    if pat.is_large_binary(type_) or pat.is_binary_view(type_):
        return pa.binary()
    if isinstance(type_, pa.Bool8Type):
        return pa.bool_()
    if pat.is_decimal32(type_) or pat.is_decimal64(type_):
        return pa.decimal128(type_.precision, type_.scale)
    if pat.is_list_view(type_) or pat.is_large_list_view(type_):
        raise InvalidValue(
            "the setting arrow_output_list_view does not work here; "
            "SET arrow_output_list_view = false"
        )
    if pat.is_list(type_) or pat.is_large_list(type_):
        return pa.list_(type_.value_field.with_type(_plain_type(type_.value_type)))
    if pat.is_fixed_size_list(type_):
        return pa.list_(type_.value_field.with_type(_plain_type(type_.value_type)), type_.list_size)
    if pat.is_struct(type_):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in type_])
    return type_


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
