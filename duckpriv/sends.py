"""What an `exchange_send` in a text may send, and for what an `exchange_recv` may ask: the
peers, the channel and, of what is sent, the columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from .calls import Argument, Call, Token, calls

SENDS = ("exchange_send",)
RECEIVES = ("exchange_recv", "exchange_recv_all")
# What stands for N has one way to write each; all of a text are too short for a row's value.
_NUMBER = "(?:0|[1-9][0-9]*)"
MOST_DIGITS = 9


@dataclass(frozen=True)
class Pattern:
    """A text whose parts are known before but for numbers: None stands for one; all of them have
    at most 9 digits. As people read it, that is N: 'lr/residual-N'."""

    parts: tuple[str | None, ...]

    def __str__(self) -> str:
        return "".join("N" if part is None else part for part in self.parts)

    def matches(self, text: str) -> bool:
        """Whether `text` is one of these."""
        if len(text) - sum(len(part or "") for part in self.parts) > MOST_DIGITS:
            return False
        if None not in self.parts:
            return str(self) == text
        parts = (_NUMBER if part is None else re.escape(part) for part in self.parts)
        return re.fullmatch("".join(parts), text) is not None


@dataclass(frozen=True)
class Receive:
    """A message that may be asked for: of these peers, or of some of them, on such a channel. What
    is None may be anything."""

    peers: tuple[str, ...] | None
    channel: Pattern | None

    def allows(self, peers: tuple[str, ...], channel: str) -> bool:
        """Whether it may be a message of, or to, `peers` on `channel`."""
        return (self.peers is None or {*peers} <= {*self.peers}) and (
            self.channel is None or self.channel.matches(channel)
        )


@dataclass(frozen=True)
class Send(Receive):
    """A message that may be sent: to these peers, or to some of them, on such a channel.

    `columns` are as `exchange_recv` has them, or empty: any. `settings` are the forms that
    protocol and parameters may have, with a space between. What is None may be anything.
    """

    columns: str = ""
    settings: tuple[Pattern, ...] | None = None


def receives(sql: str) -> list[Call]:
    """Return the calls that receive. Those in a query that stands in an `exchange_send` stand in
    the statement too; those in other texts are `quoted`."""
    found = calls(sql, RECEIVES)
    shown = [call for call in found if not call.quoted]
    for send in calls(sql, SENDS):
        query = None if send.quoted else literal(send.argument(2, "query"))
        shown += [call for call in calls(query or "", RECEIVES) if not call.quoted]
    return shown + [replace(call, quoted=True) for call in found[len(shown) :]]


@lru_cache(maxsize=256)  # a script's step runs the same statements again and again
def typed(sql: str) -> tuple[tuple[Send, ...], tuple[Receive, ...]]:
    """Return what a statement sends, and for what it asks, that somebody wrote by hand: each call
    that stands in it, but not those within its texts. What it computes may be anything."""
    return (
        tuple(Send(*_typed(call)) for call in calls(sql, SENDS) if _stands(call)),
        tuple(Receive(*_typed(call)) for call in receives(sql) if _stands(call)),
    )


def _stands(call: Call) -> bool:
    return not call.quoted and bool(call.arguments or call.named)


def _typed(call: Call) -> tuple[tuple[str, ...] | None, Pattern | None]:
    peer, channel = literal(peers_of(call)), literal(call.argument(1, "channel"))
    return (
        None if peer is None else tuple(peer.split(",")),
        None if channel is None else Pattern((channel,)),
    )


def peers_of(call: Call) -> Argument:
    """Return the argument that names the peers."""
    return call.argument(0, "peers" if call.name == "exchange_recv_all" else "peer")


def channel_of(call: Call, values: Mapping[str, object]) -> Pattern | None:
    """Return the channel of a call in a script with these values, None where it is not told."""
    return pattern_of(call.argument(1, "channel"), values)


def pattern_of(argument: Argument, values: Mapping[str, object]) -> Pattern | None:
    """Return what an expression of texts and || may give: variables in `values` have that value,
    all else is a number. None where no text stands there."""
    parts: list[str | None] = []
    for operand in _operands(argument):
        name = variable(operand) or ""
        part = as_text(values[name]) if name in values else literal(operand)
        if part != "" and (part is not None or not parts or parts[-1] is not None):
            parts.append(part)  # numbers that follow one another are one
    return None if None in parts and len(parts) == 1 else Pattern(tuple(parts))


def as_text(value: object) -> str:
    """Return a variable's value as DuckDB's || has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def literal(argument: Argument) -> str | None:
    """Return the value of a text, None for anything else."""
    return argument[0].value if len(argument) == 1 and argument[0].kind == "text" else None


def variable(argument: Argument) -> str | None:
    """Return the name in getvariable('name'), None for anything else."""
    if len(argument) != 4 or argument[2].kind != "text":
        return None
    around = (*argument[:2], argument[3])
    reads = (Token("word", "getvariable"), Token("sign", "("), Token("sign", ")"))
    return argument[2].value if around == reads else None


def _operands(argument: Argument) -> Iterator[Argument]:
    """Split an expression at the || signs that are not within parentheses."""
    start = depth = 0
    for i, token in enumerate(argument):
        if token.kind == "sign":
            depth += (token.value in "([{") - (token.value in ")]}")
            if depth == 0 and token.value == "||":
                yield argument[start:i]
                start = i + 1
    yield argument[start:]
