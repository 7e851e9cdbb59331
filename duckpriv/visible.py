"""Text that somebody else may have written, made safe to show.

A peer's settings, the name of a file, or a value of a table may hold control characters: sequences
that move a terminal's cursor, set its title or hide what follows, and marks that turn the order of
letters around. `visible` shows them as escapes.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPED = ("Zl", "Zp")  # and all of C: controls, formats, surrogates, private and unassigned
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Scripts from Hebrew on, and emoji, write words with joiners; in Latin ones nobody could see them.
_JOINED = re.compile(
    "(?<=[^\x00-\u058f\u2000-\u206f])[\u200c\u200d](?=[^\x00-\u058f\u2000-\u206f])"
)
_LONGEST = 3000


def visible(text: str, most: int | None = _LONGEST) -> str:
    """Return `text` in one line, with control and format characters as escapes such as \\x1b, and
    with what is beyond `most` characters left out of its middle; None leaves out nothing."""
    if most is None:
        most = 10 * len(text)  # the longest escape
    # A little more than is shown: what is cut off need not be looked at.
    if len(text) > 2 * most:
        text = f"{text[:most]}{text[-most:]}"
    if text.isascii() and text.isprintable():
        return _cut(text, most)
    joiners = {match.start() for match in _JOINED.finditer(text)}
    return _cut("".join(c if i in joiners else _shown(c) for i, c in enumerate(text)), most)


def visible_lines(text: str) -> str:
    """Return `visible` of each line, all but the first indented: none can pass for another
    message."""
    first, *rest = text.split("\n")[: _LONGEST // 100]
    return "\n".join([visible(first), *(f"    {visible(line)}" for line in rest)])


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if not category.startswith("C") and category not in _ESCAPED:
        return character
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str, most: int) -> str:
    """Leave out the middle: who wrote the text says at its end what to do."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 1]}…{text[len(text) - end :]}"
