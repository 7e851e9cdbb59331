"""The one place that chooses who computes.

First the back ends of the compiled kernel (`KERNELS`, by what they need of the processor); then
`libcrypto`, OpenSSL, with gmpy2 for public exponents; `gmpy2` is always there. All are
constant-time where an exponent is secret. `DUCKPRIV_MODARITH` forces one of them; otherwise the
first that can run does.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

from ...errors import InvalidValue
from . import libcrypto

# The fastest first.
KERNELS = {"ifma": "AVX-512 IFMA", "avx512": "AVX-512", "avx2": "AVX2 with FMA"}
_ALL = (*KERNELS, "libcrypto", "gmpy2")


def kernel_module(name: str) -> ModuleType:
    """Return a back end of the kernel. Raises ImportError where it was not compiled."""
    return import_module(f"duckpriv.crypto._modarith.{name}")


def _missing(name: str) -> str:
    """Return why an implementation cannot run here, or ''."""
    if name == "gmpy2":
        return ""
    if name == "libcrypto":
        return "" if libcrypto.available() else "no libcrypto of OpenSSL 3 was found"
    try:
        runs = kernel_module(name).available()
    except ImportError:
        return "it was not compiled when duckpriv was installed"
    return "" if runs else f"this processor, or its operating system, has no {KERNELS[name]}"


def implementations() -> dict[str, str]:
    """Return every implementation, with '' or why it cannot run here."""
    return {name: _missing(name) for name in _ALL}


@cache
def implementation() -> str:
    """Return who computes: the name of a back end of the kernel, 'libcrypto' or 'gmpy2'."""
    wanted = os.environ.get("DUCKPRIV_MODARITH", "")
    if not wanted:
        return next(name for name in _ALL if not _missing(name))
    if wanted not in _ALL:
        raise InvalidValue(f"DUCKPRIV_MODARITH is {wanted!a}; use {', '.join(_ALL)}")
    if missing := _missing(wanted):
        raise InvalidValue(f"DUCKPRIV_MODARITH is {wanted}, but {missing}")
    return wanted


def by_kernel() -> bool:
    """Whether the compiled kernel computes."""
    return implementation() in KERNELS
