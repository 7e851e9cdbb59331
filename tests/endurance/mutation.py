"""Valid bytes with random changes."""

from __future__ import annotations

import json
import random

from tests.parsers import INTERESTING, NUMBERS, edited, with_fields

ODD = [
    *(None, True, -1, 0, 2**63, 10**400, 1e308, "", "x" * 5000, "\0", "\ud800", "../x", "é"),
    *([], {}, [[[[]]]], {"a": {"b": [1]}}, ["x", 1, None]),
]


def _change(choice: random.Random) -> tuple[str, float, object]:
    kind = choice.choice(("set", "bit", "number", "cut", "repeat", "insert", "end"))
    what: object = {
        "set": choice.choice((*INTERESTING, choice.randrange(256))),
        "bit": choice.randrange(8),
        "number": choice.choice(NUMBERS),
        "insert": choice.randbytes(choice.randrange(1, 13)),
    }.get(kind, choice.random())
    return kind, choice.random(), what


def mutated(choice: random.Random, starts: list[bytes]) -> bytes:
    """Return one of `starts` with a few changes, or two spliced, or nothing of them."""
    data = choice.choice(starts)
    way = choice.random()
    if way < 0.02:
        return choice.randbytes(choice.randrange(200))
    if data.startswith(b"{") and way < 0.4:
        names = choice.choices(list(json.loads(data)), k=choice.randint(1, 2))
        data = with_fields(data, {name: choice.choice(ODD) for name in names})
        if way < 0.25:
            return data
    elif way > 0.85:
        other = choice.choice(starts)
        data = data[: choice.randrange(len(data) + 1)] + other[choice.randrange(len(other) + 1) :]
        if way > 0.95:
            return data
    return edited(data, [_change(choice) for _ in range(choice.choice((1, 1, 2, 4, 8)))])
