"""Which functions a SQL text calls, and with what, as far as the text itself shows it.

A small reader of SQL's tokens: DuckDB's parser does not tell where in a CALL the arguments stand.
It rather finds a call too many than one too few.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ )
  | (?P<comment> --[^\r\n]* )
  | (?P<block> /\* )
  | (?P<escaped> [eE]'(?:[^'\\]|''|\\.)*+'? )
  | (?P<text> '(?:[^']|'')*+'? )
  | (?P<dollar> \$(?:[A-Za-z_][A-Za-z0-9_]*)?\$ )
  | (?P<quoted> "(?:[^"]|"")*+"? )
  | (?P<word> [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
  | (?P<number> \d[\w.]* )
  | (?P<sign> :=|=>|\|\||. )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class Token:
    """A token, comments included. `value` is a text without its quotes, or a name's lower case."""

    kind: str
    value: str


Argument = tuple[Token, ...]


@dataclass(frozen=True)
class Call:
    """A call of `name`, without arguments where the text does not show them; `quoted` within a text
    that may be run as SQL, or be changed before."""

    name: str
    arguments: tuple[Argument, ...] = ()
    named: dict[str, Argument] = field(default_factory=dict)
    quoted: bool = False

    def argument(self, position: int, name: str) -> Argument:
        """Return an argument by position or name; an empty one where it is not known."""
        if name in self.named:
            return self.named[name]
        return self.arguments[position] if position < len(self.arguments) else ()


def tokens(sql: str) -> list[Token]:
    """Split SQL as DuckDB does. What does not end goes to the end."""
    found, at = [], 0
    while match := _TOKEN.match(sql, at):
        kind, value, at = str(match.lastgroup), match[0], match.end()
        if kind == "block":
            kind, end = "comment", _end_of_block(sql, at)
            value, at = sql[match.start() : end], end
        elif kind == "dollar":
            end = sql.find(value, at)
            kind, value, at = (
                ("text", sql[at:], len(sql))
                if end < 0
                else ("text", sql[at:end], end + len(match[0]))
            )
        elif kind == "text":
            value = value[1:].removesuffix("'").replace("''", "'")
        elif kind == "quoted":
            kind, value = "word", value[1:].removesuffix('"').replace('""', '"').lower()
        elif kind == "word":
            value = value.lower()
        if kind != "space":
            found.append(Token(kind, value))
    return found


def _end_of_block(sql: str, at: int) -> int:
    """Return where a block comment ends; they nest."""
    depth = 1
    while depth:
        edge = _BLOCK_EDGE.search(sql, at)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def named_in(sql: str, names: Collection[str]) -> bool:
    """Whether one of `names` (in lower case) stands anywhere in a text, as a word or a part of one.
    Where none does, nothing is called: what `tokens` makes of a text has no word that is not in
    it."""
    text = sql.lower()
    return any(name in text for name in names)


def calls(sql: str, names: Collection[str]) -> list[Call]:
    """Return every place where a function of `names` (in lower case) is called or named, also
    within texts, in order."""
    found: list[Call] = []
    if not named_in(sql, names):
        return found
    read = tokens(sql)
    code = [token for token in read if token.kind != "comment"]
    for i, token in enumerate(code):
        if token.kind == "word" and token.value in names:
            found.append(_call(token.value, code[i + 1 :]))
        elif token.kind == "text":
            mentioned = _mentions(token.value, names)
            inner = calls(token.value, names) if mentioned else []
            shown = [replace(call, quoted=True) for call in inner]
            found += shown + mentioned[len(shown) :]
        else:
            found += _mentions(token.value, names)
    # Which Unicode spaces end a name, and so where an E'…' begins, is a version's affair: a text
    # that depends on it may have a comment that is none.
    if "\\" in sql or not all(token.value.isascii() for token in code if token.kind == "word"):
        for token in read:
            if token.kind == "comment":
                found += _mentions(token.value, names)
    return found


def _mentions(text: str, names: Collection[str]) -> list[Call]:
    return [
        Call(word, quoted=True)
        for word in re.findall(r"[a-z0-9_]+", re.sub(r"[^ -~]", " ", text.lower()))
        if word in names
    ]


def _call(name: str, behind: list[Token]) -> Call:
    """Read the arguments behind a function's name."""
    if not behind or behind[0] != Token("sign", "("):
        return Call(name)
    depth = 0
    arguments: list[Argument] = []
    argument: list[Token] = []
    for token in behind:
        sign = token.value if token.kind == "sign" else ""
        if sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
        if depth == 0 or (depth == 1 and sign == ","):
            arguments.append(tuple(argument))
            argument = []
            if depth == 0:
                break
        elif not (depth == 1 and sign == "("):
            argument.append(token)
    else:
        return Call(name)  # the parentheses do not end
    positional: list[Argument] = []
    named: dict[str, Argument] = {}
    for one in arguments:
        if len(one) > 2 and one[0].kind == "word" and one[1].value in (":=", "=>"):
            named[one[0].value] = one[2:]
        else:
            positional.append(one)
    return Call(name, tuple(positional), named)
