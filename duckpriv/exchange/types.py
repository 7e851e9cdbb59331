"""Which Arrow types a message may have, and how DuckDB's columns become them."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.types as pat

from ..errors import InvalidValue

_PLAIN = (
    pat.is_boolean,
    pat.is_integer,
    pat.is_floating,
    pat.is_string,
    pat.is_large_string,
    pat.is_binary,
    pat.is_large_binary,
    pat.is_fixed_size_binary,
    pat.is_decimal128,
    pat.is_date,
    pat.is_time,
    pat.is_timestamp,
)


def is_allowed(type_: pa.DataType) -> bool:
    """Whether a message may have a column of this type: plain types, UUIDs, and lists and
    structs of them."""
    if type_ == pa.uuid():
        return True
    if pat.is_list(type_) or pat.is_large_list(type_) or pat.is_fixed_size_list(type_):
        return is_allowed(type_.value_type)
    if pat.is_struct(type_):
        return all(is_allowed(field.type) for field in type_)
    return any(check(type_) for check in _PLAIN)


def type_name(type_: pa.DataType) -> str:
    """Return the type as manifests and listings write it."""
    return "uuid" if type_ == pa.uuid() else str(type_)


def to_message(rows: pa.StructArray, sql_type: str) -> pa.RecordBatch:
    """Return the columns of a message from DuckDB's row structs.

    `sql_type` is DuckDB's `typeof(row)`: Arrow shows a UUID column as text, so the UUIDs are
    found there. An ENUM goes as its text. Raises InvalidValue for a type that no
    message may have.
    """
    sql_types = dict(duckdb.sqltype(sql_type).children)
    columns = []
    for field, column in zip(rows.type, rows.flatten(), strict=True):
        if pat.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if str(sql_types.get(field.name)) == "UUID" and column.type != pa.uuid():
            column = _uuids(column)
        if not is_allowed(column.type):
            raise InvalidValue(
                f"column '{field.name}' has type {sql_types.get(field.name)}, which a message "
                "cannot have; cast it in the query, for example to VARCHAR"
            )
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=[field.name for field in rows.type])


def _uuids(texts: pa.StringArray) -> pa.Array:
    storage = [
        None if text is None else bytes.fromhex(text.replace("-", "")) for text in texts.to_pylist()
    ]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(storage, pa.binary(16)))
