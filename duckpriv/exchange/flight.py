"""Arrow Flight (gRPC) as pyarrow has it, told to be quiet.

gRPC writes every failed handshake to standard error, unless this is set before it is loaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import pyarrow.flight as fl

__all__ = ["fl"]
