"""Numbers as DOUBLE, by which nothing of them is lost."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa

from ..errors import InvalidValue
from .arrays import constant
from .context import Context

_INTEGER = re.compile(r"U?(BIG|HUGE)INT")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)


def exact_double(
    context: Context, texts: pa.Array, sql_types: pa.Array, whats: pa.Array
) -> pa.Array:
    """Return numbers, given as DuckDB's text of them, as DOUBLEs.

    Raises InvalidValue for a type that is none of numbers, and for a number that is not exact.
    """
    sql_type, what = constant(sql_types, "the type"), constant(whats, "the name")
    if not _is_number(sql_type):
        raise InvalidValue(
            f"{what} has type {sql_type[:60]}, which is no number; cast it to one, or leave it out"
        )
    return _doubles(texts, sql_type, what)


def exact_doubles(
    context: Context, lists: pa.Array, sql_types: pa.Array, whats: pa.Array
) -> pa.Array:
    """Return lists of numbers in the same way."""
    sql_type, what = constant(sql_types, "the type"), constant(whats, "the name")
    element = _LIST.fullmatch(sql_type)
    if element is None or not _is_number(element[1]):
        raise InvalidValue(
            f"{what} has type {sql_type[:60]}, which is no list of numbers; cast it to DOUBLE[]"
        )
    offsets = np.concatenate(([0], np.cumsum(lists.value_lengths().fill_null(0).to_numpy())))
    values = _doubles(lists.flatten(), element[1], what)
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), values, mask=lists.is_null() if lists.null_count else None
    )


def _is_number(sql_type: str) -> bool:
    return bool(_INTEGER.fullmatch(sql_type) or _DECIMAL.fullmatch(sql_type))


def _doubles(texts: pa.Array, sql_type: str, what: str) -> pa.Array:
    numbers = texts.cast(pa.float64())
    decimal = _DECIMAL.fullmatch(sql_type)
    # Integers below 2^53 are exact, and so are decimals of 15 digits in the sense below.
    limit = 10.0 ** (15 - int(decimal[2])) if decimal else 2.0**53
    exact = _holds_digits if decimal else _is_integer
    for row in np.flatnonzero(np.abs(numbers.fill_null(0).to_numpy()) >= limit):
        if not exact(numbers[row].as_py(), texts[row].as_py()):
            raise InvalidValue(
                f"{what} of type {sql_type} has a number that is not exact as a DOUBLE (an integer "
                "beyond 2^53, or a DECIMAL of more than 15 digits); split it, round it, or "
                "subtract or divide by something first"
            )
    return numbers


def _is_integer(number: float, text: str) -> bool:
    return int(number) == int(text)


def _holds_digits(number: float, text: str) -> bool:
    """Whether the number's shortest text has the same digits. No DOUBLE is 0.1; but what reads as
    0.1 is as exact as it can be."""
    return Decimal(repr(number)) == Decimal(text)
