"""What clients ask of a mailbox's server: small JSON objects, and what they mean.

A request is `{"do": WHAT, …}` with exactly the fields of its kind. It comes from the network:
`parse_request` is the only reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias, get_args

import pyarrow as pa

from ...errors import InvalidValue, MessageRejected
from ...names import check_channel, check_name
from ..mailbox.status import LARGEST_STATUS
from ..message.manifest import LARGEST, Manifest
from ..message.untrusted import parse_json

# Content goes in chunks, and a call moves a part at most: progress is counted in parts.
CHUNK = 256 << 10
PART = 64 << 20
# Chunks are the application's metadata of a stream without columns: nothing of Arrow's own format
# has to be read from the network. Results of actions are plain bytes too.
SCHEMA = pa.schema([])
EMPTY = pa.RecordBatch.from_arrays([], schema=SCHEMA)
# The manifest is a text in JSON within JSON, which can at most double it.
_LARGEST = 2 * LARGEST + 4096


@dataclass(frozen=True)
class GetMessage:
    """Answered by a message's manifest, or by nothing where there is no message."""

    do: ClassVar = "message"
    session: str
    sender: str
    receiver: str
    channel: str


@dataclass(frozen=True)
class ListManifests:
    """Answered by place, line feed and manifest of every message to or from the client."""

    do: ClassVar = "manifests"
    session: str


@dataclass(frozen=True)
class SetStatus:
    """Replaces the client's own status."""

    do: ClassVar = "set status"
    session: str
    sender: str
    status: str


@dataclass(frozen=True)
class GetStatus:
    """Answered by a party's status, or by nothing."""

    do: ClassVar = "status"
    session: str
    sender: str


@dataclass(frozen=True)
class ListStatuses:
    """Answered by name, line feed and status of every party that has one."""

    do: ClassVar = "statuses"
    session: str


@dataclass(frozen=True)
class Begin:
    """Answered by how far the upload of this message is: see `uploads.py`."""

    do: ClassVar = "begin"
    manifest: str


@dataclass(frozen=True)
class Upload:
    """The descriptor of a stream of chunks that begin at `offset`; answered as Begin is."""

    do: ClassVar = "upload"
    manifest: str
    offset: int


@dataclass(frozen=True)
class Download:
    """The ticket of a stream of chunks: at most `length` bytes of a message from `offset` on."""

    do: ClassVar = "download"
    session: str
    sender: str
    receiver: str
    channel: str
    offset: int
    length: int


Request: TypeAlias = (
    GetMessage | ListManifests | SetStatus | GetStatus | ListStatuses | Begin | Upload | Download
)
_KINDS: dict[str, type[Request]] = {kind.do: kind for kind in get_args(Request)}


def encode(request: Request) -> bytes:
    """Return a request as it is sent."""
    return json.dumps({"do": request.do, **vars(request)}).encode()


def parse_request(data: bytes) -> Request:
    """Read a request from untrusted bytes. Raises MessageRejected."""
    if len(data) > _LARGEST:
        raise MessageRejected("the request is too long")
    try:
        body = parse_json(data)
        kind = _KINDS[body.pop("do")]
        if set(body) != {field.name for field in fields(kind)}:
            raise ValueError
        for name, value in body.items():
            _check(name, value)
    except (ValueError, TypeError, KeyError, AttributeError, InvalidValue):
        raise MessageRejected(
            "the request is malformed; is the peer's duckpriv of another version?"
        ) from None
    return kind(**body)


def parse_manifest(request: Begin | Upload) -> Manifest:
    """Read the manifest of a message that comes. Raises MessageRejected."""
    try:
        return Manifest.from_json(request.manifest.encode())
    except UnicodeEncodeError:
        raise MessageRejected("the manifest is malformed") from None


def _check(name: str, value: object) -> None:
    if name in ("session", "sender", "receiver"):
        check_name(name, value)
    elif name == "channel":
        check_channel(value)
    elif name in ("offset", "length"):
        if type(value) is not int or not 0 <= value < 2**63:
            raise ValueError
    elif not isinstance(value, str) or (name == "status" and len(value) > LARGEST_STATUS):
        raise ValueError
