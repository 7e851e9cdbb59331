"""What a script will send, and for what it will ask, before it does anything: read from the script
itself, shown, and then the only things that the exchange lets out.

Channels and peers stand in its `exchange_send` and `exchange_recv`; columns and their types in the
counterparts' `exchange_recv`; what a message reveals in the table of the README beside the script.
A peer that the script computes is one of the parties that its settings name, or of those that a
line of the script says. What nobody can
tell before is listed so, and refused when it comes to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from .calls import Call, Token, calls, tokens
from .engine import sql_folder
from .scripts import PARTIES, Script, Statement, bundled, load
from .sends import (
    RECEIVES,
    SENDS,
    Pattern,
    Receive,
    Send,
    as_text,
    channel_of,
    literal,
    pattern_of,
    peers_of,
    receives,
    variable,
)

UNKNOWN = "(decided while running: refused)"
ANY_COLUMNS = "(not known before: any)"
NOT_DESCRIBED = "not described"
_NOTHING = Pattern(("",))


@dataclass(frozen=True)
class Announced:
    """A message that a script sends. In `channel` N stands for a number."""

    channel: str
    receiver: str
    part: str
    columns: str
    reveals: str


class Consent:
    """What `script` may send at party `me`, with these values of its variables."""

    def __init__(self, script: Script, values: dict[str, object], me: str | None = None) -> None:
        self._script, self._values = script, values
        self._parties = self._named([(setting,) for setting in PARTIES], me)
        self._computed = {name: self._named(of, me) for name, of in script.peers.items()}
        known = script.name in bundled()
        folder, _, role = script.name.partition("/")
        self._columns = _columns(folder, role.startswith("predict")) if known else {}
        self._reveals = _reveals(folder) if known else {}
        protocols, parameters = map(self._set, ("duckpriv_protocol", "duckpriv_parameters"))
        self._settings = tuple(
            Pattern((*one.parts, " ", *other.parts))
            for one in [*protocols, _NOTHING]
            for other in [*parameters, _NOTHING]
        )
        # What goes along with messages, readable for who carries them.
        self.settings = [
            f"{one} {other}".strip()
            for one in protocols or [_NOTHING]
            for other in parameters or [_NOTHING]
            if protocols or parameters
        ]
        self._found: dict[str, list[Send]] = {}  # by a statement's text
        self._asked: dict[str, list[Receive]] = {}

    @property
    def messages(self) -> list[Announced]:
        """Every message, in order, as it is shown."""
        found = []
        for part in self._script.parts:
            when = ("while " if part.repeats else "if ") + part.condition if part.condition else ""
            for statement in part.statements:
                for send in self._read(statement):
                    channel = UNKNOWN if send.channel is None else str(send.channel)
                    to = UNKNOWN if send.peers is None else ", ".join(send.peers)
                    reveals = self._reveals.get(channel, NOT_DESCRIBED)
                    found.append(Announced(channel, to, when, send.columns or ANY_COLUMNS, reveals))
        return found

    def sends(self, statement: Statement) -> list[Send]:
        """Return what a statement may send."""
        return [send for send in self._read(statement) if send.peers and send.channel]

    @property
    def waits(self) -> dict[str, list[str]]:
        """The channels of every message that it waits for, by their senders, as they are shown."""
        found: dict[str, list[str]] = {}
        for statement in self._script.statements:
            for receive in self._asks(statement):
                peers = UNKNOWN if receive.peers is None else ", ".join(receive.peers)
                channel = UNKNOWN if receive.channel is None else str(receive.channel)
                if channel not in found.setdefault(peers, []):
                    found[peers].append(channel)
        return found

    def receives(self, statement: Statement) -> list[Receive]:
        """Return for what a statement may ask."""
        return [one for one in self._asks(statement) if one.peers and one.channel]

    def _asks(self, statement: Statement) -> list[Receive]:
        if statement.sql not in self._asked:
            self._asked[statement.sql] = [
                Receive(self._peers(call), None if call.quoted else channel_of(call, self._values))
                for call in receives(statement.sql)
            ]
        return self._asked[statement.sql]

    def _read(self, statement: Statement) -> list[Send]:
        """Return what a statement sends; receivers or channel None where that is not known."""
        if statement.sql not in self._found:
            found = self._found[statement.sql] = []
            for call in calls(statement.sql, SENDS):
                channel = None if call.quoted else channel_of(call, self._values)
                columns = self._columns.get(str(channel), "")
                found.append(Send(self._peers(call), channel, columns, self._settings))
        return self._found[statement.sql]

    def _peers(self, call: Call) -> tuple[str, ...] | None:
        argument = peers_of(call)
        if call.quoted or not argument:
            return None
        name = variable(argument) or ""
        fixed = self._values[name] if name in self._values else literal(argument)
        if fixed is None:
            return self._computed.get(name, self._parties) or None
        return tuple(_names(fixed)) or None

    def _named(self, settings: Sequence[tuple[str, ...]], me: str | None) -> tuple[str, ...]:
        """Return the parties that settings name, without `me`: of each tuple those of the first
        setting that is given."""
        found: dict[str, None] = {}
        for alternatives in settings:
            given = (_names(self._values.get(setting)) for setting in alternatives)
            found |= dict.fromkeys(next(filter(None, given), []))
        return tuple(name for name in found if name != me)

    def _set(self, name: str) -> list[Pattern]:
        """Return what the script sets a variable to, where that is told."""
        found = []
        for statement in self._script.statements:
            if (statement.sets_variable or "").lower() == name:
                code = [t for t in tokens(statement.sql) if t.kind != "comment"]
                behind = (t for t in code[4:] if t != Token("sign", ";"))  # SET VARIABLE name =
                if form := pattern_of(tuple(behind), self._values):
                    found.append(form)
        return found


def _names(value: object) -> list[str]:
    """Return the parties that a setting names, with commas between."""
    return [] if value is None else [n for n in map(str.strip, as_text(value).split(",")) if n]


@cache
def _columns(folder: str, predicts: bool) -> dict[str, str]:
    """Return the columns that the folder's scripts of training, or of prediction, accept on each
    channel."""
    found = {}
    for name in bundled():
        if name.startswith(f"{folder}/") and name.startswith(f"{folder}/predict") == predicts:
            for statement in load(name).statements:
                for call in calls(statement.sql, RECEIVES):
                    columns = literal(call.argument(2, "columns"))
                    if columns:
                        found[str(channel_of(call, {}))] = columns
    return found


@cache
def _reveals(folder: str) -> dict[str, str]:
    """Return what the receiver learns on each channel, from the README's table."""
    found = {}
    head: list[str] = []
    for line in (sql_folder() / folder / "README.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "channel" in cells and "what the receiver learns" in cells:
            head = cells
        elif head and len(cells) == len(head):
            row = dict(zip(head, cells, strict=True))
            for channel in re.findall(r"`([^`]+)`", row["channel"]):
                found[channel] = row["what the receiver learns"]
        else:
            head = []
    return found
