"""Which types a message may have, and how DuckDB's columns become them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import duckdb
import pyarrow as pa
import pyarrow.types as pat
from duckdb.sqltypes import DuckDBPyType

from ...errors import InvalidValue
from ...parser import inner_types, struct_fields

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
    lambda type_: pat.is_time(type_) and type_.unit != "ns",
    lambda type_: pat.is_timestamp(type_) and not (type_.unit == "ns" and type_.tz),
)
# DuckDB's types whose values all arrive, by DuckDB's names, and lists, arrays and structs of them.
# A UUID or an ENUM can go as a column of its own. Any other would lose something on the way: Arrow
# shows a HUGEINT as a DECIMAL, and a TIMETZ without its offset, and DuckDB 1.5 reads a TIME_NS or
# TIMESTAMPTZ_NS without its nanoseconds.
_KEPT = frozenset(
    (
        *("boolean", "tinyint", "smallint", "integer", "bigint"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "float", "double", "decimal"),
        *("varchar", "blob", "date", "time", "timestamp", "timestamp_s"),
        *("timestamp_ms", "timestamp_ns", "timestamp with time zone"),
    )
)
# How an expected column is written in SQL, and what the manifest then has to say.
_EXPECTED = {
    "BLOB": "binary",
    "VARCHAR": "string",
    "UUID": "uuid",
    "BOOLEAN": "bool",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UBIGINT": "uint64",
    "DOUBLE": "double",
}


def is_allowed(type_: pa.DataType) -> bool:
    """Whether a message may have a column of this type: plain types, UUIDs, and lists and
    structs of them. Every value takes room, so that a few bytes cannot claim to be 2^40 rows."""
    if type_ == pa.uuid():
        return True
    if pat.is_list(type_) or pat.is_large_list(type_):
        return is_allowed(type_.value_type)
    if pat.is_fixed_size_list(type_):
        return type_.list_size > 0 and is_allowed(type_.value_type)
    if pat.is_struct(type_):
        return type_.num_fields > 0 and all(is_allowed(field.type) for field in type_)
    if pat.is_fixed_size_binary(type_) and type_.byte_width == 0:
        return False
    return any(check(type_) for check in _PLAIN)


def depth(type_: pa.DataType) -> int:
    """Return how deep lists and structs are nested in a type."""
    inner = [type_.field(i).type for i in range(type_.num_fields)]
    return 1 + max(map(depth, inner), default=0) if inner else 0


def type_name(type_: pa.DataType) -> str:
    """Return the type as manifests and listings write it."""
    if pat.is_list(type_):
        return f"{type_name(type_.value_type)}[]"
    return "uuid" if type_ == pa.uuid() else str(type_)


def expected_columns(text: str) -> tuple[tuple[str, str], ...]:
    """Return the columns of `exchange_recv(…, columns := text)` as manifests write them.

    Raises InvalidValue.
    """
    columns = []
    for column in text.split(","):
        name, _, sql_type = column.strip().partition(" ")
        element = sql_type.removesuffix("[]")
        if element not in _EXPECTED:
            raise InvalidValue(
                "columns takes names with types, such as 'token BLOB, pid UUID'; the types are "
                + ", ".join(_EXPECTED)
                + " and lists of them, such as UBIGINT[]"
            )
        columns.append((name, _EXPECTED[element] + sql_type.removeprefix(element)))
    return tuple(columns)


def to_message(rows: pa.StructArray, sql_type: str) -> pa.RecordBatch:
    """Return the columns of a message from DuckDB's row structs.

    `sql_type` is DuckDB's `typeof(row)`: Arrow shows a UUID column as text, so the UUIDs are
    found there. An ENUM goes as its text. Raises InvalidValue for a type, or a value, that no
    message may have.
    """
    casts, schema = _plan(sql_type, rows.type)
    columns = [cast(column) for cast, column in zip(casts, rows.flatten(), strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def message_schema(sql_type: str, type_: pa.StructType) -> pa.Schema:
    """Return the schema of a message whose rows have this type, in SQL and in Arrow. Raises
    InvalidValue where they can be none."""
    return _plan(sql_type, type_)[1]


@lru_cache(maxsize=64)
def _plan(
    sql_type: str, type_: pa.StructType
) -> tuple[list[Callable[[pa.Array], pa.Array]], pa.Schema]:
    """Return for each column how a message has it, and the schema. Raises InvalidValue."""
    casts: list[Callable[[pa.Array], pa.Array]] = []
    fields = []
    for (name, declared), field in zip(_fields(sql_type), type_, strict=True):
        found, cast = field.type, _as_it_is
        if declared.id == "uuid":
            found, cast = pa.uuid(), _uuids
        elif declared.id == "enum":
            found, cast = found.value_type, _decoded
        elif not _is_kept(declared) or not is_allowed(found):
            raise InvalidValue(
                f"column '{name}' has type {declared}, which a message cannot have; cast it in "
                "the query, for example to BIGINT or VARCHAR"
            )
        elif _has_unsafe(found):
            found = _in_microseconds(found)
            cast = partial(_checked, name, str(declared), found)
        casts.append(cast)
        fields.append(pa.field(name, found))
    return casts, pa.schema(fields)


def _is_kept(type_: DuckDBPyType) -> bool:
    if type_.id in ("list", "array", "struct"):
        return all(_is_kept(inner) for _, inner in inner_types(type_))
    return type_.id in _KEPT


def _as_it_is(column: pa.Array) -> pa.Array:
    return column


def _decoded(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type)


def _has_unsafe(type_: pa.DataType) -> bool:
    """Whether DuckDB has values of this type that Arrow or Parquet have not: a TIME of 24:00:00,
    and a TIMESTAMP_S that is infinite, since Parquet has no seconds."""
    if pat.is_time(type_) or type_ == pa.timestamp("s"):
        return True
    return any(_has_unsafe(type_.field(i).type) for i in range(type_.num_fields))


def _in_microseconds(type_: pa.DataType) -> pa.DataType:
    """Return the type with microseconds for seconds."""
    if type_ == pa.timestamp("s"):
        return pa.timestamp("us")
    if pat.is_fixed_size_list(type_):
        return pa.list_(_in_microseconds(type_.value_type), type_.list_size)
    if pat.is_list(type_):
        return pa.list_(_in_microseconds(type_.value_type))
    if pat.is_struct(type_):
        return pa.struct([(field.name, _in_microseconds(field.type)) for field in type_])
    return type_


def _checked(name: str, declared: str, type_: pa.DataType, column: pa.Array) -> pa.Array:
    """Return the column with this type. Raises InvalidValue where a value has no place in it."""
    try:
        cast = column.cast(type_)
        cast.validate(full=True)
    except pa.ArrowInvalid:
        raise InvalidValue(
            f"column '{name}' of type {declared} has a value that a message cannot have: the TIME "
            "24:00:00, or a TIMESTAMP_S that is infinite; cast it in the query, for example to "
            "VARCHAR or TIMESTAMP"
        ) from None
    return cast


@lru_cache(maxsize=64)
def _fields(sql_type: str) -> tuple[tuple[str, DuckDBPyType], ...]:
    """Return names and types of a STRUCT's fields. Raises InvalidValue where no table could
    have them as columns."""
    try:
        fields = tuple(struct_fields(sql_type))
    except duckdb.Error:  # 1.5 has structs whose fields have no names
        raise InvalidValue(
            "a struct has fields without names, as row(1, 2) makes; name them: {'a': 1, 'b': 2}"
        ) from None
    if len({name.lower() for name, _ in fields}) != len(fields):
        raise InvalidValue("two columns of the query have the same name; rename one with AS")
    if not all(name.isprintable() for name, _ in fields):
        raise InvalidValue("a column's name has control characters; rename it with AS")
    return fields


def _uuids(column: pa.Array) -> pa.Array:
    if column.type == pa.uuid():  # with SET arrow_lossless_conversion
        return column
    storage = [
        None if text is None else bytes.fromhex(text.replace("-", ""))
        for text in column.to_pylist()
    ]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(storage, pa.binary(16)))
