"""The errors of duckpriv. Each class has a stable code that begins its text.

DuckDB passes on only the text of an exception raised inside a function, so
the code in the text is what survives; `from_text` turns it back into the
class. A text says what was expected, what was found and what to do, and
never holds a row's value or a secret. It may quote a peer, so it is made
visible where it is made: a line that is safe on every terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from .disk import explained
from .visible import visible, visible_lines

_Error = TypeVar("_Error", bound=BaseException)


class DuckprivError(Exception):
    """The root of all duckpriv errors; `code` is stable across releases."""

    code = "ERROR"

    def __init__(self, message: str) -> None:
        self.message = visible(message)
        super().__init__(f"DUCKPRIV_{self.code}: {self.message}")

    def __reduce__(self) -> tuple[type[DuckprivError], tuple[str]]:
        return type(self), (self.message,)


class KeyNotFound(DuckprivError):
    """No key of this name, or not of the kind that the function needs."""

    code = "KEY_NOT_FOUND"


class KeyMismatch(DuckprivError):
    """The name stands for another key, or two values belong to different keys."""

    code = "KEY_MISMATCH"


class InvalidValue(DuckprivError):
    """An argument, setting, key or cryptographic value outside its allowed range."""

    code = "INVALID_VALUE"


class MessageRejected(DuckprivError):
    """A received message that is malformed, altered, or not the expected one."""

    code = "MESSAGE_REJECTED"


class NotAccepted(DuckprivError):
    """Something would be sent that was not shown before, or that the statement does not say."""

    code = "NOT_ACCEPTED"


class ProtocolError(DuckprivError):
    """A step that the protocol does not allow here, or parties that disagree."""

    code = "PROTOCOL"


class ExchangeTimeout(DuckprivError):
    """The peer's message did not come in time."""

    code = "EXCHANGE_TIMEOUT"


class Cancelled(DuckprivError):
    """The user stopped the work while a function was running or waiting."""

    code = "CANCELLED"


# What it says.
STOPPED = "stopped; the statement was not finished and nothing of it was kept"


_CLASSES = {
    cls.code: cls
    for cls in (
        KeyNotFound,
        KeyMismatch,
        InvalidValue,
        MessageRejected,
        NotAccepted,
        ProtocolError,
        ExchangeTimeout,
        Cancelled,
    )
}
_CODE = re.compile(r"DUCKPRIV_([A-Z_]+): (.*)", re.DOTALL)


def from_text(text: str) -> DuckprivError | None:
    """Return the error that `text` (a DuckDB exception's) carries, or None."""
    match = _CODE.search(_without_json(text))
    if match is None:
        return None
    # Behind it DuckDB writes where in the query it was, and 1.5 where in Python.
    message = match[2].split("\n\n")[0]
    return _CLASSES.get(match[1], DuckprivError)(message.strip())


def _without_json(text: str) -> str:
    """Return the message of what DuckDB writes with SET errors_as_json = true."""
    start = text.find('{"exception_type"')
    if start < 0:
        return text
    try:
        return str(json.loads(text[start:])["exception_message"])
    except (ValueError, KeyError):  # a text that looks like it
        return text


def translated(error: _Error) -> DuckprivError | _Error:
    """Return the error that DuckDB's exception `error` carries, or, where it is DuckDB's own, that
    with a text that is safe to show: it may quote a value that a peer has sent."""
    text = str(error)
    return from_text(text) or type(error)(visible_lines(text))


def unexpected(function: str, error: Exception) -> DuckprivError:
    """Return what is told of an exception that nobody expected: its text may hold a value, so only
    its type and place."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "an unknown place"
    if trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return DuckprivError(
        f"{function} failed with {type(error).__name__} at {place}; please report this"
    )


@contextmanager
def disk_errors_explained() -> Iterator[None]:
    """Raise an OSError as a DuckprivError that says which file or folder it is, and what to do."""
    try:
        yield
    except OSError as error:
        raise DuckprivError(explained(error)) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt also where it comes while DuckDB works for the main
    thread, which raises a RuntimeError instead."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error
