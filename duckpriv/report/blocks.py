"""What a section of the report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

# A table shows so many rows, and a bar chart so many bars. What is left out is counted.
MOST_ROWS = 1000
MOST_BARS = 30

# No larger number is drawn.
_LARGEST = 1e100

# A text of so many letters stands in one line of a table.
_SHORT = 24

# What stands in the place of a number that nobody may see.
SUPPRESSED = "suppressed"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind = "text"


@dataclass(frozen=True)
class Facts:
    """A few values, each with its name, and with what it means where that has to be said."""

    facts: Sequence[tuple[str, object, str]]
    kind = "facts"


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first cell of a row names it. `total` counts the rows where not all
    are here, and `name` says where all are; `about` explains the headings."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int = 0
    name: str = ""
    about: str = ""
    kind = "table"

    @property
    def classes(self) -> list[str]:
        """What each column holds: numbers, or texts that are short or long."""
        return [self._class([row[i] for row in self.rows]) for i in range(len(self.head))]

    def _class(self, cells: Sequence[object]) -> str:
        texts = [cell for cell in cells if isinstance(cell, str) and cell != SUPPRESSED]
        if not texts:
            return "number"
        return "short" if max(map(len, texts)) <= _SHORT else "long"

    @property
    def note(self) -> str:
        """What is left out."""
        if self.total <= len(self.rows):
            return ""
        shown, total = number(len(self.rows)), number(self.total)
        return f"{shown} of {total} rows are shown. All are in the table {self.name}."


@dataclass(frozen=True)
class Picture:
    """A picture as SVG, what it shows in words, and what stands below it."""

    svg: str
    alt: str
    caption: str
    kind = "picture"


Block = Text | Facts | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of the report, with a heading."""

    title: str
    blocks: Sequence[Block]


def number(value: object) -> str:
    """Return a value as the report writes it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if 1e5 <= abs(value) < 1e15 else f"{value:.5g}"
    return str(value)


def drawable(value: object) -> TypeGuard[int | float | Decimal]:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, int | float | Decimal) and abs(float(value)) < _LARGEST


def undrawn(values: Iterable[object]) -> str:
    """Say how many numbers cannot be drawn."""
    count = sum(value is not None and not drawable(value) for value in values)
    if not count:
        return ""
    said = counted(count, "number is", "numbers are")
    return f" {said} infinite or too large, and in the table only."


def counted(count: int, one: str, many: str) -> str:
    """Return '1 row' or '2 rows'."""
    return f"{number(count)} {one if count == 1 else many}"
