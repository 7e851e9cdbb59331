"""Messages in an object store that all parties use: `s3://BUCKET/PREFIX`, `gs://…` or `az://…`.

PREFIX/SESSION/SENDER/RECEIVER/CHANNEL.json is the manifest of a message, and the object beside it
with the digest in its name its content (a '/' in the channel is a '.' in the name).
PREFIX/SESSION/SENDER/status.json says whether that party runs. A message is there when its manifest
is. That comes last, and the store takes it only where there is none yet. Content may be written
again: under its digest, that changes nothing. An upload that breaks off leaves nothing to be seen.

Credentials are those of the environment, as obstore reads them. What an error of the store says may
have some in it, so what goes wrong is told in words of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import InvalidValue, MessageRejected, ProtocolError
from ..message.incoming import Chunks
from ..message.manifest import LARGEST, Manifest
from ..message.outgoing import Content
from .mailbox import already_sent, is_name, is_place
from .status import LARGEST_STATUS

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import from_url
except ImportError:
    raise InvalidValue(
        "an exchange in an object store needs obstore: pip install 'duckpriv[objectstore]'"
    ) from None

if TYPE_CHECKING:
    from obstore import GetOptions

_Result = TypeVar("_Result")
# Content is read and written in pieces of so many bytes, the smallest that S3 takes, and so many of
# them are written at once. A store takes at most 10,000 for an object.
_PIECE, _AT_ONCE, _MOST_PIECES = 5 << 20, 2, 9_000
_RETRY_SECONDS = 120.0
_MOST_STATUSES = 1000
# What an error of a store may tell: neither addresses nor headers.
_TELLING = re.compile(r"status code: (\d{3}(?: [A-Za-z]+)*)|<Code>([A-Za-z]{1,40})</Code>")


class Objects:
    """The mailbox at `address`. `stop` is called now and then, and may raise."""

    def __init__(
        self, address: str, timeout: float, stop: Callable[[], None] = lambda: None
    ) -> None:
        self.address, self._stop = address, stop
        seconds = min(timeout, _RETRY_SECONDS)
        try:
            # Without client_options: obstore would read none from the environment then.
            self._store: Any = from_url(
                address,
                retry_config={"max_retries": 10, "retry_timeout": timedelta(seconds=seconds)},
            )
        except (BaseError, ValueError) as error:
            raise self._failed(error) from None

    def publish(self, manifest: Manifest, content: Content) -> None:
        """Return when the message is there. The identical one again changes nothing. Raises
        ProtocolError where another one is in its place."""
        if self._has(manifest):
            return
        data = self._pieces(content) if isinstance(content, Path) else content
        size = max(_PIECE, manifest.bytes // _MOST_PIECES)
        self._try(
            lambda: obstore.put(
                self._store, _content(manifest), data, chunk_size=size, max_concurrency=_AT_ONCE
            )
        )
        try:
            text = manifest.to_json()
            self._try(lambda: obstore.put(self._store, _named(manifest), text, mode="create"))
        except AlreadyExistsError:
            if not self._has(manifest):
                raise already_sent(*manifest.place) from None

    def manifest(self, session: str, sender: str, receiver: str, channel: str) -> bytes | None:
        """Return the bytes of a message's manifest, or None while there is no message."""
        return self._small(_file(session, sender, receiver, channel), LARGEST)

    def open(self, manifest: Manifest) -> Chunks:
        """Return a message's content, read piece by piece. Raises MessageRejected where there is
        none."""
        name = _content(manifest)
        try:
            size: int = self._try(lambda: obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            raise MessageRejected(f"{manifest.what} has a manifest but no data") from None
        most = min(size, manifest.bytes + 1)  # to see that there is more is enough
        return Chunks(self._read(name, start, most) for start in range(0, most, _PIECE))

    def manifests(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Yield place and bytes of every manifest of a session, oldest first."""
        found = []
        for item in self._try(lambda: list(obstore.list(self._store, session).collect())):
            place = item["path"].removeprefix(f"{session}/").removesuffix(".json")
            if item["path"] == f"{session}/{place}.json" and is_place(place):
                found.append((item["last_modified"], place))
        for _, place in sorted(found):
            if (data := self._small(f"{session}/{place}.json", LARGEST)) is not None:
                yield place, data

    def set_status(self, session: str, sender: str, status: bytes) -> None:
        """Replace a party's status."""
        self._try(lambda: obstore.put(self._store, f"{session}/{sender}/status.json", status))

    def status(self, session: str, sender: str) -> bytes | None:
        """Return a party's status, or None where there is none."""
        return self._small(f"{session}/{sender}/status.json", LARGEST_STATUS)

    def statuses(self, session: str) -> dict[str, bytes]:
        """Return the status of every party that has one."""
        listed = self._try(lambda: obstore.list_with_delimiter(self._store, session))
        names = (path.removeprefix(f"{session}/") for path in listed["common_prefixes"])
        parties = [name for name in names if is_name(name)][:_MOST_STATUSES]
        found = {name: self.status(session, name) for name in parties}
        return {name: status for name, status in found.items() if status is not None}

    def close(self) -> None:
        """Do nothing: no connection has to be ended."""

    def _has(self, manifest: Manifest) -> bool:
        """Whether the message is there. Raises ProtocolError where another one is in its place."""
        found = self.manifest(*manifest.place)
        if found is not None and found != manifest.to_json():
            raise already_sent(*manifest.place)
        return found is not None

    def _pieces(self, content: Path) -> Iterator[bytes]:
        with content.open("rb") as source:
            while piece := source.read(_PIECE):
                self._stop()
                yield piece

    def _small(self, name: str, most: int) -> bytes | None:
        """Return an object's bytes, one more than `most` at most; None where there is none."""
        try:
            return self._try(lambda: _taken(obstore.get(self._store, name), most + 1))
        except FileNotFoundError:
            return None

    def _read(self, name: str, start: int, end: int) -> bytes:
        self._stop()
        length = min(_PIECE, end - start)
        options: GetOptions = {"range": (start, start + length)}
        return self._try(lambda: _taken(obstore.get(self._store, name, options=options), length))

    def _try(self, call: Callable[[], _Result]) -> _Result:
        """Return what a call returns. Raises FileNotFoundError, AlreadyExistsError, and
        ProtocolError for what else the store says."""
        self._stop()
        try:
            return call()
        except (AlreadyExistsError, FileNotFoundError):
            raise
        except BaseError as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> ProtocolError:
        told = {type(error).__name__: None}  # in the order in which they come, each once
        told |= {code or name: None for code, name in _TELLING.findall(str(error))}
        return ProtocolError(
            f"the object store at {self.address} cannot be used ({', '.join(told)}); is the "
            "address right, are there credentials for it in the environment, and may they read and "
            "write there? The same command goes on then"
        )


def _taken(found: Any, most: int) -> bytes:
    """Return what a store answers, `most` bytes at most, whatever it says of the length."""
    data = bytearray()
    for chunk in found.stream(min_chunk_size=1 << 16):
        data += memoryview(chunk)[: most - len(data)]
        if len(data) == most:
            break
    return bytes(data)


def _file(session: str, sender: str, receiver: str, channel: str, digest: str = "") -> str:
    stem = f"{session}/{sender}/{receiver}/{channel.replace('/', '.')}"
    return f"{stem}.{digest}.arrow" if digest else f"{stem}.json"


def _named(manifest: Manifest) -> str:
    return _file(*manifest.place)


def _content(manifest: Manifest) -> str:
    return _file(*manifest.place, manifest.sha256)
