"""What the command line writes ends no run: neither a character that a terminal does not have, nor
a pipe that nobody reads any more, nor a full disk."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from typing import Any

# Signs of ours where the encoding has none of them. All else becomes an escape, such as \xfc.
_PLAIN = {"…": "...", "·": "*", "→": "->", "≥": ">="}
_HANDLER = "duckpriv-plain"


class _Output(io.FileIO):
    """A stream of this process that takes everything; `failed` says why it could not go on."""

    failed: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write what can be written at once, or, when that has failed, nothing."""
        try:
            while self.failed is None:
                written: int | None = super().write(data)
                if written is not None:
                    return written
                select.select([], [self], [])  # another program has made it non-blocking
        except OSError as error:
            self.failed = error
        return memoryview(data).nbytes


class Streams:
    """Standard output and standard error, which take everything from now on."""

    def __init__(self) -> None:
        codecs.register_error(_HANDLER, _plain)
        self._outputs: list[_Output] = []
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not isinstance(stream, io.TextIOWrapper):  # closed, or another program's
                continue
            if os.name == "posix":
                stream.flush()
                output = _Output(stream.fileno(), "wb", closefd=False)
                self._outputs.append(output)
                lines = stream.line_buffering
                buffer = io.BufferedWriter(output)
                stream = io.TextIOWrapper(buffer, stream.encoding, line_buffering=lines)
                setattr(sys, name, stream)
            stream.reconfigure(errors=_HANDLER)

    def problem(self) -> str | None:
        """Return why not all was written; None where it was, or its reader has gone."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        for output in self._outputs:
            if output.failed is not None and output.failed.errno != errno.EPIPE:
                return output.failed.strerror or str(output.failed)
        return None


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text)
    return "".join(plain), error.end
