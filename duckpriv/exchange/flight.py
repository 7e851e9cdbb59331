"""Arrow Flight (gRPC) as pyarrow has it, told to be quiet and to keep its memory."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# gRPC writes every failed handshake to standard error, unless this is set before it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import pyarrow.flight as fl

__all__ = ["fl"]

# mallopt(3): what is freed at the heap's top goes back to the system from so much on, and parts
# from so much on stand outside the heap. gRPC takes some MiB for each chunk; with the defaults each
# comes fresh from the system, page by page, which takes longer than to encrypt it.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT, _OUTSIDE = 16 << 20, 8 << 20

with suppress(OSError, AttributeError):  # another C library has other habits
    _libc = ctypes.CDLL("libc.so.6")
    _libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    _libc.mallopt(_M_MMAP_THRESHOLD, _OUTSIDE)
