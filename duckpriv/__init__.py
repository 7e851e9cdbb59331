"""duckpriv: private data collaboration as SQL on DuckDB."""

from .errors import (
    Cancelled,
    DuckprivError,
    ExchangeTimeout,
    InvalidValue,
    KeyMismatch,
    KeyNotFound,
    MessageRejected,
    NotAccepted,
    ProtocolError,
)
from .keyring import Keyring
from .party import Party, connect, register
from .result import Message, Result

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "DuckprivError",
    "ExchangeTimeout",
    "InvalidValue",
    "KeyMismatch",
    "KeyNotFound",
    "Keyring",
    "Message",
    "MessageRejected",
    "NotAccepted",
    "Party",
    "ProtocolError",
    "Result",
    "connect",
    "register",
]
