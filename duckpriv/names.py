"""The alphabets of names that reach file names and messages."""

from __future__ import annotations

import glob
import re
import secrets

from .errors import InvalidValue

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
LONGEST = 64


def check_name(what: str, name: object, longest: int = LONGEST) -> str:
    """Return `name` if it is a safe name of a party, session or key.

    Lower case only, so that no file system takes two names for one. Raises InvalidValue.
    """
    if isinstance(name, str) and len(name) <= longest and _NAME.fullmatch(name):
        return name
    raise InvalidValue(
        f"{what} is not a name that can be used here; use 1 to {longest} of a-z, 0-9, '-' "
        "and '_', beginning with a letter or digit"
    )


def check_key_name(name: object) -> str:
    """Return `name` if it is a safe key name; it may contain the names of a session and a party."""
    return check_name("the key name", name, longest=2 * LONGEST + 32)


def check_channel(channel: object) -> str:
    """Return `channel` if it is safe: names joined by '/'. Raises InvalidValue."""
    if isinstance(channel, str):
        parts = channel.split("/")
        if len(channel) <= LONGEST and all(_NAME.fullmatch(part) for part in parts):
            return channel
    raise InvalidValue(
        "the channel is not a safe name; use names of a-z, 0-9, '-' and '_' joined by "
        f"'/', such as 'psi/key', at most {LONGEST} characters in all"
    )


def partial_of(file: str) -> str:
    """Return a name for a file `file` while it is written; `partials_of` finds it later."""
    return f".{file}.{secrets.token_hex(8)}.partial"


def partials_of(file: str) -> str:
    """Return the pattern of all names that `partial_of` gives for `file`."""
    return f".{glob.escape(file)}.{'?' * 16}.partial"
