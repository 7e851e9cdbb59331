"""The manifest of a message: what it claims to be, checked before a row is used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from ...crypto.sealing import WRAPPED_BYTES
from ...errors import InvalidValue, MessageRejected
from ...names import check_channel, check_name
from .types import type_name
from .untrusted import parse_json

FORMAT = "duckpriv-message/3"
LARGEST = 1 << 20

Bytes: TypeAlias = bytes  # within the class, `bytes` is a field


@dataclass(frozen=True)
class Sealed:
    """How a message is protected, in hex: see `protection.py`."""

    sender: str  # fingerprints of identities
    receiver: str
    key: str  # the wrapped content key
    signature: str


# In hex digits.
_SEALED = {
    "sender": 64,
    "receiver": 64,
    "key": 2 * WRAPPED_BYTES,
    "signature": 128,
}


@dataclass(frozen=True)
class Manifest:
    """What a message says of itself. `columns` are (name, type) pairs."""

    format: str
    session: str
    sender: str
    receiver: str
    channel: str
    protocol: str
    parameters: str
    parameters_sha256: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    bytes: int
    sha256: str
    sealed: Sealed | None = None

    @property
    def what(self) -> str:
        """The message, as texts name it."""
        return f"message '{self.channel}' from {self.sender}"

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Session, sender, receiver and channel: only one message has all of these."""
        return self.session, self.sender, self.receiver, self.channel

    def to_json(self) -> Bytes:
        """Return the manifest as JSON text."""
        return json.dumps(self.fields(), indent=1, ensure_ascii=False).encode()

    def fields(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**vars(self), "sealed": None if self.sealed is None else vars(self.sealed)}

    @classmethod
    def from_json(cls, data: Bytes) -> Manifest:
        """Read a manifest from untrusted bytes. Raises MessageRejected."""
        if len(data) > LARGEST:
            raise MessageRejected(f"the manifest is larger than {LARGEST} bytes")
        try:
            fields = parse_json(data)
        except ValueError:
            raise MessageRejected("the manifest is not JSON; the message is damaged") from None
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise MessageRejected(
                f"the manifest is not of format {FORMAT}; is the peer's duckpriv of another "
                "version?"
            )
        if set(fields) != set(cls.__annotations__):
            raise MessageRejected("the manifest does not have exactly the fields of its format")
        for name, value in fields.items():
            if not _well_formed(name, value):
                raise MessageRejected(f"the manifest's field '{name}' is malformed")
        try:
            for name in ("session", "sender", "receiver"):
                check_name(name, fields[name])
            check_channel(fields["channel"])
        except InvalidValue:
            raise MessageRejected("the manifest has names that no party may have") from None
        fields["columns"] = tuple((name, type_) for name, type_ in fields["columns"])
        if fields["sealed"] is not None:
            fields["sealed"] = Sealed(**fields["sealed"])
        return cls(**fields)


def _well_formed(name: str, value: Any) -> bool:
    if name == "columns":
        return isinstance(value, list) and all(
            isinstance(pair, list) and len(pair) == 2 and all(_printable(text) for text in pair)
            for pair in value
        )
    if name == "sealed":
        return value is None or (
            isinstance(value, dict)
            and set(value) == set(_SEALED)
            and all(_is_hex(value[field], length) for field, length in _SEALED.items())
        )
    if name in ("rows", "bytes"):
        return type(value) is int and 0 <= value < 2**63
    if name in ("sha256", "parameters_sha256"):
        return _is_hex(value, 64)
    return _printable(value)


def _is_hex(value: Any, length: int) -> bool:
    return isinstance(value, str) and len(value) == length and set(value) <= set("0123456789abcdef")


def _printable(value: Any) -> bool:
    """Whether it is a text that can be shown: no control characters, no lone surrogates."""
    return isinstance(value, str) and len(value) <= 4096 and value.isprintable()


def columns_of(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """Return a schema's columns as manifests write them."""
    return tuple((field.name, type_name(field.type)) for field in schema)


def listed(columns: tuple[tuple[str, str], ...]) -> str:
    """Return columns as an error's text has them."""
    return "(" + ", ".join(f"{name} {type_}" for name, type_ in columns)[:200] + ")"


def parameters_hash(protocol: str, parameters: str) -> str:
    """Return the SHA-256 by which parties compare a protocol's parameters, in hex."""
    return hashlib.sha256(json.dumps([protocol, parameters]).encode()).hexdigest()
