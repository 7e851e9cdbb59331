"""Draw the messages of the protocols from the tables in their READMEs, for `make docs`, into docs/.

What a message reveals stands below its arrow, in colour where it is anything."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
_WIDTH, _TOP = 900, 110.0
_LETTER = 6.2  # the width of one, below an arrow
_BLUE, _GREEN, _GREY = ("#e8f0f8", "#1f4e79"), ("#eef7ea", "#3b6e22"), ("#f6f6f6", "#707b85")


@dataclass(frozen=True)
class Picture:
    """What is drawn: of the README's table, the messages on these channels.

    `roles` says which parties stand for a word of the table: the sender, and the receivers.
    """

    name: str
    readme: str
    parties: dict[str, str]  # with what each has
    ends: dict[str, str]  # what each has in the end
    roles: dict[str, tuple[str, ...]]
    channels: str = ""
    without: str = "$^"  # messages that this is found in are left out


@dataclass(frozen=True)
class Message:
    """A row of a table."""

    channel: str
    sender: str
    receiver: str
    reveals: str
    when: str  # only then it is sent


_HOST, _GUEST = ("host",), ("guest",)
_TWO = {"host": _HOST, "guest": _GUEST, "both": ("host", "guest")}
_SECOND = {**_TWO, "who encrypts": _HOST, "the other": _GUEST, "who counts": _GUEST}

PICTURES = (
    Picture(
        "private_id",
        "private_id",
        {"host": "bank.duckdb", "guest": "shop.duckdb"},
        {"host": "a random id for every row", "guest": "a random id for every row"},
        _TWO,
    ),
    Picture(
        "psi_size",
        "psi_size",
        {"host": "lists of ids", "guest": "lists of ids, and it counts"},
        {"host": "the numbers of common ids", "guest": "the numbers of common ids"},
        {**_TWO, "who counts": _GUEST, "the other": _HOST},
    ),
    Picture(
        "aggregate",
        "aggregate",
        {"host": "groups and numbers; here it encrypts", "guest": "groups and numbers"},
        {"host": "the table by group", "guest": "the table by group"},
        _SECOND,
    ),
    Picture(
        "lift",
        "lift",
        {"host": "outcomes; here it encrypts", "guest": "treatment and control"},
        {"host": "lift by segment", "guest": "lift by segment"},
        {**_SECOND, "who has the arm": _GUEST},
    ),
    Picture(
        "scorecard",
        "scorecard",
        {"host": "the label", "guest": "columns, cut into bins"},
        {"host": "nothing new", "guest": "positives in each bin"},
        _TWO,
    ),
    Picture(
        "moments",
        "moments",
        {"host": "columns, perhaps a label", "guest": "columns"},
        {"host": "shares of all sums of products", "guest": "shares of all sums of products"},
        _TWO,
        channels="moments/",
        without="where both lack rows|set id=",
    ),
    Picture(
        "moments_regression",
        "moments",
        {"host": "shares of the moments", "guest": "shares of the moments"},
        {"host": "weights of its columns", "guest": "weights of its columns"},
        _TWO,
        channels="regression/",
    ),
    Picture(
        "lr_helper",
        "lr_helper",
        {"host": "label, features", "guest": "features", "helper": "no data"},
        {"host": "weights, or shares of them", "guest": "weights, or shares", "helper": "nothing"},
        {
            **{name: (name,) for name in ("host", "guest", "helper")},
            "each": ("host", "guest"),
            "all": ("host", "guest", "helper"),
            "other service parties": ("host", "guest"),
            "each other": ("host", "guest"),
        },
        without="`open`|who asks|open-x",
    ),
    Picture(
        "matmul",
        "matmul",
        {"left": "a matrix X; here it encrypts", "right": "a matrix W"},
        {"left": "a share of X·W, or X·W", "right": "a share of X·W, or X·W"},
        {
            "left": ("left",),
            "right": ("right",),
            "who encrypts": ("left",),
            "the other": ("right",),
        },
        without="right encrypts",
    ),
)


def cells(row: str) -> list[str]:
    """Return the cells of a table's row."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def messages(text: str) -> Iterator[Message]:
    """Give the messages in the tables of a README."""
    names: list[str] = []
    for line in text.splitlines():
        row = cells(line) if line.startswith("|") else []
        if "channel" in row:
            names = row
        elif not row:
            names = []
        elif names and row[0] and not row[0].startswith("---"):
            found = dict(zip(names, row, strict=True))
            way, _, when = found.get("from → to", "both").partition(";")[0].partition(", ")
            sender, _, receiver = way.partition(" → ")
            reveals = found["what the receiver learns"].replace("**", "").replace("`", "")
            channel = found["channel"].replace("`", "")
            yield Message(channel, sender, receiver or sender, reveals, when)


def drawn(picture: Picture) -> list[Message]:
    """Return the messages of a picture. Raises ValueError where there are none."""
    text = (ROOT / "sql" / picture.readme / "README.md").read_text()
    found = [
        message
        for message in messages(text)
        if message.channel.startswith(picture.channels)
        and not re.search(picture.without, " ".join(vars(message).values()))
    ]
    if not found:
        raise ValueError(f"{picture.name} has no messages")
    return found


def _box(x: float, y: float, width: float, colours: tuple[str, str], lines: list[str]) -> str:
    fill, stroke = colours
    texts = "".join(
        f'<text x="{x + width / 2}" y="{y + 22 + 20 * i}" text-anchor="middle"'
        f"{weight}>{escape(line)}</text>"
        for i, (line, weight) in enumerate(
            zip(lines, (' font-weight="bold"', ' font-size="13"'), strict=False)
        )
    )
    height = 14 + 20 * len(lines)
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8"'
    return f'{rect} fill="{fill}" stroke="{stroke}"/>{texts}'


def _arrow(
    message: Message, at: dict[str, float], picture: Picture, y: float
) -> tuple[str, float, float]:
    """Return an arrow, and from where to where it goes."""
    senders, receivers = picture.roles[message.sender], picture.roles[message.receiver]
    if senders == receivers and len(senders) == 1:  # "the other" of this one
        receivers = tuple(party for party in at if party not in senders)
    places = sorted(at[party] for party in {*senders, *receivers})
    left, right = places[0], places[-1]
    heads = [at[party] for party in receivers]
    first = ' marker-start="url(#tip)"' if left in heads else ""
    last = ' marker-end="url(#tip)"' if right in heads else ""
    dashes = ' stroke-dasharray="7 4"' if message.when else ""
    line = f'<line x1="{left + 1}" y1="{y}" x2="{right - 1}" y2="{y}" stroke="#1f4e79"'
    return f'{line} stroke-width="2"{dashes}{first}{last}/>', left, right


def svg(picture: Picture) -> str:
    """Return a picture."""
    parties = list(picture.parties)
    width = 240 if len(parties) == 2 else 216
    # A third party stands beside the second: most messages go between the first two.
    left = dict(zip(parties, (20, 640) if len(parties) == 2 else (10, 450, 674), strict=True))
    at = {party: x + width / 2 for party, x in left.items()}
    colours = dict(zip(parties, (_BLUE, _GREEN, _GREY), strict=False))
    body, y = [], _TOP
    for message in drawn(picture):
        when = f" ({message.when})" if message.when else ""
        name = escape(message.channel + when.replace("`", ""))
        nothing = message.reveals.startswith(("nothing", "a public key"))
        colour = "#707b85" if nothing else "#9a4a00"
        arrow, begin, end = _arrow(message, at, picture, y + 8)
        middle = (begin + end) / 2
        body.append(
            f'{arrow}<text x="{middle}" y="{y}" text-anchor="middle" class="on">{name}</text>'
        )
        y += 24
        for line in textwrap.wrap(message.reveals, int((end - begin) / _LETTER)):
            body.append(
                f'<text x="{middle}" y="{y}" text-anchor="middle" font-size="12" class="on" '
                f'fill="{colour}">{escape(line)}</text>'
            )
            y += 15
        y += 15
    for party in parties:
        body.append(_box(left[party], y, width, colours[party], [picture.ends[party]]))
    lanes = "".join(
        f'<line x1="{x}" y1="68" x2="{x}" y2="{y}" stroke="#9aa7b3" stroke-width="2" '
        'stroke-dasharray="4 4"/>'
        for x in at.values()
    )
    heads = "".join(
        _box(left[party], 14, width, colours[party], [party, about])
        for party, about in picture.parties.items()
    )
    height = y + 48
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="14">\n'
        "<style>.on { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }</style>\n"
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" '
        'fill="#1f4e79"/></marker></defs>\n' + "\n".join([lanes, heads, *body]) + "\n</svg>\n"
    )


def main() -> None:
    """Write all pictures."""
    for picture in PICTURES:
        (ROOT / "docs" / f"{picture.name}.svg").write_text(svg(picture))


if __name__ == "__main__":
    main()
