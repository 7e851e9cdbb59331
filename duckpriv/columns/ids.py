"""Record identifiers: one text form for equal ids, and random ids."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from ..errors import InvalidValue
from .arrays import constant, to_blobs
from .context import Context

_ALLOWED_TYPE = re.compile(
    r"(VARCHAR|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UUID|DATE|BLOB|ENUM\(.*\)|\"NULL\")(\[\])?",
    re.DOTALL,
)


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _trimmed(text: str) -> str:
    return _nfc(text).strip()


def _lower(text: str) -> str:
    # Full Unicode case folding can leave NFC, so normalise again (Unicode 3.13, D145).
    return _nfc(_trimmed(text).casefold())


def _phone(text: str) -> str:
    digits = "".join(str(unicodedata.decimal(c)) for c in text if unicodedata.decimal(c, -1) >= 0)
    return digits.removeprefix("00")


# What `kind` may be. All but raw turn an id of which nothing is left into "no id".
KINDS: dict[str, Callable[[str], str]] = {
    "raw": _nfc,
    "trimmed": _trimmed,
    "lower": _lower,
    "email": _lower,
    "phone": _phone,
}


def psi_id(context: Context, values: pa.Array, sql_types: pa.Array, kinds: pa.Array) -> pa.Array:
    """Return the text that stands for an id in matching.

    `values` holds each id as a JSON list of one element, `sql_types` its SQL type. A list id
    becomes a JSON array of its parts' texts. NULL stands for "no id": a NULL, a list with a
    NULL, or a text that its normaliser leaves empty. Raises InvalidValue for another type
    or kind.
    """
    kind = _known(constant(kinds, "kind"))
    sql_type = constant(sql_types, "the type of an id")
    if not _ALLOWED_TYPE.fullmatch(sql_type):
        raise InvalidValue(
            f"an id of type {sql_type[:60]} cannot be matched; ids are VARCHAR, integers, UUID, "
            "DATE, BLOB or a list of one of these; cast it to VARCHAR, in the same way at "
            "both parties"
        )
    in_one = ",".join([encoded[1:-1] for encoded in values.to_pylist()])
    return _texts(json.loads(f"[{in_one}]"), kind)


def id_texts(ids: pa.Array, kind: str) -> pa.Array:
    """Return what `psi_id` does, of an Arrow column that did not come from DuckDB. Raises
    InvalidValue for a type whose text DuckDB may write otherwise, or an unknown kind."""
    _known(kind)
    type_ = ids.type.value_type if pat.is_list(ids.type) else ids.type
    if not (
        pat.is_string(type_)
        or pat.is_integer(type_)
        or pat.is_date32(type_)
        or pat.is_null(type_)
        or isinstance(type_, pa.UuidType)
    ):
        raise InvalidValue(
            f"an id of the Arrow type {str(ids.type)[:60]} cannot be matched here; ids are "
            "strings, integers, date32, uuid or a list of one of these; cast it, in the same way "
            "at both parties"
        )
    return _texts(ids.to_pylist(), kind)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise InvalidValue(f"unknown kind of id; the kinds are {', '.join(KINDS)}")
    return kind


def _texts(values: list[object], kind: str) -> pa.Array:
    normalise = KINDS[kind]
    return pa.array([_text(value, normalise, kind) for value in values], pa.string())


def _text(value: object, normalise: Callable[[str], str], kind: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):
        parts = [_text(part, normalise, kind) for part in value]
        return None if not parts or None in parts else json.dumps(parts, ensure_ascii=False)
    text = normalise(value if isinstance(value, str) else str(value))
    return text if text or kind == "raw" else None


def random_id(context: Context, rows: pa.Array) -> pa.Array:
    """Return a fresh random UUID (RFC 9562, version 4) for each row, as 16 bytes from the
    operating system's generator."""
    ids = np.frombuffer(os.urandom(16 * len(rows)), dtype=np.uint8).reshape(-1, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x40
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return to_blobs(ids)
