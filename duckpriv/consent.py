"""What a script will send, before it sends anything: read from the script itself.

Channels and receivers stand in its `exchange_send` statements; columns and their types in the
counterparts' `exchange_recv`; what a message reveals in the table of the README beside the script.
What the text does not show is listed as decided while running. Macros that stand in the user's own
database are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .calls import Argument, Call, Token, calls
from .engine import sql_folder
from .scripts import Script, bundled, load

# The macro, and the function below it that begins a message.
SENDS = ("exchange_send", "duckpriv_udf_exchange_begin")
RECEIVES = ("exchange_recv", "exchange_recv_all")
UNKNOWN = "(decided while running)"


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
        # A condition is SQL as well.
        for sql in (part.condition or "", *(statement.sql for statement in part.statements)):
            for call in calls(sql, SENDS):
                channel = UNKNOWN if call.quoted else channel_of(call)
                found.append(
                    Announced(
                        channel,
                        UNKNOWN if call.quoted else _receiver(call, values),
                        when,
                        columns.get(channel, reveals.get(channel, ("", ""))[0]),
                        reveals.get(channel, ("", "not described"))[1],
                    )
                )
    return found


def channel_of(call: Call) -> str:
    """Return the channel of a call as people read it: 'lr/residual-N' for 'lr/residual-' || …"""
    shown = ""
    operands = list(_operands(call.argument(1, "channel")))
    for operand in operands:
        literal, variable = _literal(operand), _variable(operand)
        if literal is None and (variable is None or operand is operands[0]):
            return UNKNOWN
        shown += "N" if literal is None else literal
    return shown or UNKNOWN


def _receiver(call: Call, values: dict[str, object]) -> str:
    argument = call.argument(0, "peer")
    variable = _variable(argument)
    if variable is not None:
        return str(values.get(variable) or variable)
    return _literal(argument) or UNKNOWN


def _literal(argument: Argument) -> str | None:
    """Return the value of a text, None for anything else."""
    return argument[0].value if len(argument) == 1 and argument[0].kind == "text" else None


def _variable(argument: Argument) -> str | None:
    """Return the name in getvariable('name'), None for anything else."""
    if len(argument) != 4 or argument[2].kind != "text":
        return None
    around = (*argument[:2], argument[3])
    reads = (Token("word", "getvariable"), Token("sign", "("), Token("sign", ")"))
    return argument[2].value if around == reads else None


def _operands(argument: Argument) -> Iterator[Argument]:
    """Split an expression at its || signs."""
    start = 0
    for i, token in enumerate((*argument, Token("sign", "||"))):
        if token == Token("sign", "||"):
            yield argument[start:i]
            start = i + 1


@cache
def _columns(folder: str) -> dict[str, str]:
    """Return the columns that the folder's scripts accept on each channel."""
    found = {}
    for name in bundled():
        if name.startswith(f"{folder}/"):
            for statement in load(name).statements:
                for call in calls(statement.sql, RECEIVES):
                    columns = _literal(call.argument(2, "columns"))
                    if columns:
                        found[channel_of(call)] = columns
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
