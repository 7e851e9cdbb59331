"""A mailbox folder that one party serves and others use from afar."""

import os

# gRPC writes every failed handshake to standard error, unless this is set before it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
