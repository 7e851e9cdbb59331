"""What a script will send, before it sends anything: read from the script itself.

Channels and receivers stand in its `exchange_send` statements; columns and their types in the
counterparts' `exchange_recv`; what a message reveals in the table of the README beside the script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .engine import sql_folder
from .scripts import Script, bundled, load

_SEND = re.compile(r"\bexchange_send\s*\(\s*([^,]+?)\s*,\s*(.+?),\s*(?:\$\$|'|getvariable)", re.S)
_RECEIVE = re.compile(
    r"\bexchange_recv(?:_all)?\s*\([^,]+,\s*'([^']+)'(?:(?!exchange_recv).)*?"
    r"columns\s*:=\s*'([^']*)'",
    re.S,
)
_LITERAL = re.compile(r"'([^']*)'(\s*\|\|.*)?$", re.S)
_VARIABLE = re.compile(r"getvariable\('(\w+)'\)$")


@dataclass(frozen=True)
class Announced:
    """A message that a script sends. `channel` ends with N where there are several, numbered."""

    channel: str
    receiver: str
    part: str
    columns: str
    reveals: str


def announced(script: Script, values: dict[str, object]) -> list[Announced]:
    """Return every message that `script` sends with these values of its variables, in order."""
    folder = script.name.partition("/")[0] if script.name in bundled() else None
    columns = _columns(folder) if folder else {}
    reveals = _reveals(folder) if folder else {}
    found = []
    for part in script.parts:
        when = ("while " if part.repeats else "if ") + part.condition if part.condition else ""
        for statement in part.statements:
            for receiver, expression in _SEND.findall(statement.sql):
                channel = shown_channel(expression)
                found.append(
                    Announced(
                        channel,
                        _receiver(receiver, values),
                        when,
                        columns.get(channel, reveals.get(channel, ("", ""))[0]),
                        reveals.get(channel, ("", "not described"))[1],
                    )
                )
    return found


def shown_channel(expression: str) -> str:
    """Return a channel as people read it: 'lr/residual-N' for 'lr/residual-' || …"""
    literal = _LITERAL.match(expression.strip())
    if literal is None:
        return "(decided while running)"
    return literal[1] + ("N" if literal[2] else "")


def _receiver(expression: str, values: dict[str, object]) -> str:
    variable = _VARIABLE.match(expression)
    if variable is None:
        return expression.strip("'")
    return str(values.get(variable[1]) or variable[1])


@cache
def _columns(folder: str) -> dict[str, str]:
    """Return the columns that the folder's scripts accept on each channel."""
    found = {}
    for name in bundled():
        if name.startswith(f"{folder}/"):
            for statement in load(name).statements:
                for channel, columns in _RECEIVE.findall(statement.sql):
                    shown = channel + "N" if channel.endswith("-") else channel
                    found[shown] = columns
    return found


@cache
def _reveals(folder: str) -> dict[str, tuple[str, str]]:
    """Return columns and what the receiver learns for each channel in the README's table."""
    found = {}
    head: list[str] = []
    for line in (sql_folder() / folder / "README.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "channel" in cells and "what the receiver learns" in cells:
            head = cells
        elif head and len(cells) == len(head):
            row = dict(zip(head, cells, strict=True))
            for channel in re.findall(r"`([^`]+)`", row["channel"]):
                found[channel] = (row["columns"], row["what the receiver learns"])
        else:
            head = []
    return found
