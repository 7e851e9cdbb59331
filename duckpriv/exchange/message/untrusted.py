"""JSON that a peer or a carrier wrote."""

from __future__ import annotations

import json
from typing import Any

# A 64-bit integer with its sign.
_LONGEST_INTEGER = 20


def parse_json(data: bytes) -> Any:
    """Return the value that untrusted bytes hold. Raises ValueError where they are no JSON, or hold
    what no message has: NaN, infinities, integers of more than 64 bits, or values nested deeply."""
    try:
        return json.loads(data, parse_int=_integer, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError("an integer of more than 64 bits")
    return int(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
