"""Who computes on the curve: the kernel's back end that `modarith` chose, else plain C, else
libsodium. All are constant-time."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ...errors import InvalidValue
from ..modarith import implementation
from . import libsodium


@cache
def engine() -> Any:
    """Return a module with the functions of `_ristretto/module.c`."""
    for name in (implementation(), "portable"):
        try:
            kernel = import_module(f"duckpriv.crypto._ristretto.{name}")
        except ImportError:
            continue
        if kernel.available():
            return kernel
    if not libsodium.available():
        raise InvalidValue(
            "nothing here computes on ristretto255: install duckpriv where a C compiler is, or a"
            " wheel of it, or install libsodium 1.0.18 or newer"
        )
    return libsodium


def engine_name() -> str:
    """Return who computes, or why nobody does."""
    try:
        name: str = engine().__name__.rpartition(".")[2]
    except InvalidValue as missing:
        return missing.message
    return name
