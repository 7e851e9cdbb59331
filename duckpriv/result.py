"""What a run of a script gives back: the rows of its last query, and what it did."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import NamedTuple

from .visible import visible

# The rows of a query: a dictionary each, by column name.
Rows = list[dict[str, object]]

_MOST_ROWS = 20
_LONGEST = 60  # characters of a value


class Message(NamedTuple):
    """A message that was sent to a peer, or received from one."""

    channel: str
    peer: str
    rows: int
    bytes: int


class Result(Rows):
    """The rows of a script's last query, as a list of dictionaries; a notebook shows it as tables.

    `sent` and `received` are the messages of the run, also those of before it was interrupted;
    `seconds` is how long this call took, and `next_step` what a bundled script suggests to do next.
    """

    def __init__(
        self,
        rows: Iterable[dict[str, object]] = (),
        *,
        script: str = "",
        sent: Iterable[Message] = (),
        received: Iterable[Message] = (),
        seconds: float = 0.0,
        next_step: str = "",
    ) -> None:
        super().__init__(rows)
        self.script = script
        self.sent, self.received = list(sent), list(received)
        self.seconds = seconds
        self.next_step = next_step

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{_escaped(self.script)}</b>: finished in {self.seconds:,.1f} s</p>"]
        if self:
            parts.append(_table(list(self[0]), [list(row.values()) for row in self[:_MOST_ROWS]]))
        if len(self) > _MOST_ROWS:
            parts.append(f"<p>… {len(self) - _MOST_ROWS:,} more rows</p>")
        moved = [
            *(["sent to", *line] for line in _by_channel(self.sent)),
            *(["received from", *line] for line in _by_channel(self.received)),
        ]
        if moved:
            parts.append(_table(["", "peer", "channel", "messages", "rows", "bytes"], moved))
        if self.next_step:
            parts.append(f"<p><b>Next:</b> {_escaped(self.next_step)}</p>")
        return "\n".join(parts)


def _by_channel(messages: Iterable[Message]) -> list[list[object]]:
    """Return a line for each channel and peer; those of a training's steps are one: 'lr/loss-N'."""
    found: dict[tuple[str, str], list[Message]] = {}
    for message in messages:
        found.setdefault((message.peer, re.sub(r"\d+$", "N", message.channel)), []).append(message)
    return [
        [
            peer,
            channel if len(those) > 1 else those[0].channel,
            *(len(those), sum(m.rows for m in those), sum(m.bytes for m in those)),
        ]
        for (peer, channel), those in found.items()
    ]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    def line(tag: str, values: Iterable[object]) -> str:
        cells = (f"<{tag}>{_escaped(_text(value), _LONGEST)}</{tag}>" for value in values)
        return f"<tr>{''.join(cells)}</tr>"

    body = line("th", head) + "".join(line("td", row) for row in rows)
    # Nor is a text between two $ of anybody's to be set as mathematics.
    return f'<table class="tex2jax_ignore mathjax_ignore">{body}</table>'


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if type(value) is int else str(value)


def _escaped(text: str, most: int | None = None) -> str:
    """Return a text for HTML, whatever it says to a browser."""
    return html.escape(visible(text, most))
