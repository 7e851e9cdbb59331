"""The report's pictures: matplotlib draws them as SVG whose texts stay texts, so that a browser can
scale, search and read them, in any script that it has letters for."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidValue
from ..visible import visible
from .blocks import MOST_BARS, Picture, counted, drawable, number, undrawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = "the report needs jinja2 and matplotlib: pip install 'duckpriv[report]'"

# Inches. A phone's page is about as wide, so that letters keep their size there.
_WIDTH, _HEIGHT = 4.0, 3.2
_BAR, _FRAME = 0.36, 0.12
_BLUE, _RED, _GREY = "#1f5a96", "#a33b20", "#6b6b6b"
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "duckpriv",  # the same report for the same data
    "text.parse_math": False,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}
# Up to so many columns, the names and the numbers stand in the picture of correlations.
_MOST_NAMED, _MOST_WRITTEN = 20, 10
# How wide a text may be, in heights of its letters: a title, or a name above a bar together with
# its number; and a name beside a row of the correlations.
_LONG, _SHORT = 26, 11


def _picture(
    draw: Callable[[Axes], None], alt: str, caption: str, height: float = _HEIGHT
) -> Picture:
    """Return what `draw` puts on a pair of axes. `alt` says it to who does not see it."""
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InvalidValue(MISSING) from None
    output = io.StringIO()
    with style.context(["default", _SETTINGS]), warnings.catch_warnings():
        # The browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(_WIDTH, height))
        draw(figure.subplots())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(output, format="svg", metadata=nothing)
    svg = output.getvalue()
    svg = svg[svg.index("<svg") :]
    # Several pictures stand in one page: groups have no names there.
    return Picture(re.sub(r'<g id="[^"]*"', "<g", svg), alt, caption)


def curve(
    points: Sequence[tuple[float, float]], title: str, last: int, caption: str, log: bool = False
) -> Picture:
    """Draw a number of each step of a training, on an axis up to the last step."""
    xs, ys = zip(*points, strict=True)

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator, NullFormatter

        axes.plot(xs, ys, color=_BLUE, marker=".", linewidth=1.5)
        axes.set(title=title, xlabel="step")
        axes.set_xlim(min(0, xs[0]), max(last, 1))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if log and min(ys) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())

    alt = f"{title} by step: {number(ys[0])} in step {xs[0]}, {number(ys[-1])} in step {xs[-1]}."
    return _picture(draw, alt, caption, 2.6)


def bars(
    values: Sequence[tuple[str, object]], title: str, what: str, caption: str
) -> list[Picture]:
    """Draw a bar for each of the largest of `values`, with its name and number; nothing where none
    can be drawn. `what` is the word for many of them."""
    known: list[tuple[str, int | float | Decimal]] = [
        (name, value) for name, value in values if drawable(value)
    ]
    drawn = sorted(known, key=lambda pair: abs(float(pair[1])), reverse=True)[:MOST_BARS]
    if not drawn:
        return []
    # Numbers between -1 and 1, which can be drawn whatever they were.
    largest = max(abs(float(value)) for _, value in drawn) or 1.0
    lengths = [float(value) / largest for _, value in drawn]

    def draw(axes: Axes) -> None:
        rows = np.arange(len(drawn)) + 0.22
        colours = [_RED if length < 0 else _BLUE for length in lengths]
        axes.barh(rows, lengths, height=0.34, color=colours)
        axes.vlines(np.zeros(len(drawn)), rows - 0.2, rows + 0.2, color=_GREY, linewidth=0.8)
        for row, (name, value) in enumerate(drawn):
            _named(axes, row, name, number(value))
        axes.set(title=_shortened(title, _LONG), xticks=[], yticks=[])
        axes.set_xlim(min(0.0, *lengths), max(0.01, *lengths))
        axes.set_ylim(len(drawn) - 0.4, -0.5)
        axes.spines[:].set_visible(False)

    first = ", ".join(f"{name} {number(value)}" for name, value in drawn[:5])
    caption += undrawn(value for _, value in values)
    alt = f"{title}, a bar chart of {counted(len(drawn), 'bar', 'bars')}. The largest: {first}."
    if len(known) > len(drawn):
        caption += f" The {len(drawn)} largest of {number(len(known))} {what} are drawn."
    return [_picture(draw, alt, caption, 0.55 + _FRAME + _BAR * len(drawn))]


def roc(
    points: Sequence[tuple[float, float]],
    auc: float,
    ks: float,
    ks_at: tuple[float, float, float],
    caption: str,
) -> Picture:
    """Draw the ROC curve through `points`; `ks_at` are score and rates where it is farthest from
    the diagonal."""
    score, true_rate, false_rate = ks_at

    def draw(axes: Axes) -> None:
        _square(axes)
        axes.plot(*zip(*points, strict=True), color=_BLUE, linewidth=1.5)
        axes.plot([false_rate] * 2, [false_rate, true_rate], color=_RED, linewidth=1.5)
        text = f"AUC {auc:.4f}\nKS {ks:.4f}\nat score {number(score)}"
        axes.text(0.97, 0.05, text, transform=axes.transAxes, ha="right", linespacing=1.4)
        axes.set(title="ROC curve", xlabel="false positive rate", ylabel="true positive rate")

    alt = f"ROC curve. AUC {auc:.4f}, KS {ks:.4f} at score {number(score)}."
    return _picture(draw, alt, caption)


def calibration(points: Sequence[tuple[float, float]], caption: str) -> Picture:
    """Draw the share of positives against the mean score."""

    def draw(axes: Axes) -> None:
        _square(axes)
        axes.plot(*zip(*points, strict=True), color=_BLUE, marker="o", linewidth=1.5)
        axes.set(title="Calibration", xlabel="mean score", ylabel="share of label 1")

    pairs = ", ".join(f"{number(share)} at {number(score)}" for score, share in points)
    return _picture(draw, f"Calibration. Share of label 1 by mean score: {pairs}.", caption)


def _square(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="dashed")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def intervals(
    values: Sequence[tuple[str, float, float, float]], title: str, caption: str
) -> Picture:
    """Draw of each name a value and the interval that it lies in."""

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=_GREY, linewidth=0.8)
        for row, (name, value, low, high) in enumerate(values):
            axes.plot([low, high], [row + 0.2] * 2, color=_BLUE, linewidth=1.5)
            axes.plot([value], [row + 0.2], color=_BLUE, marker="o", markersize=4)
            _named(axes, row, name, number(value))
        axes.set(title=_shortened(title, _LONG), ylim=(len(values) - 0.4, -0.5), yticks=[])
        axes.spines["left"].set_visible(False)

    said = "; ".join(f"{n} {number(v)}, from {number(a)} to {number(b)}" for n, v, a, b in values)
    return _picture(draw, f"{title}. {said}.", caption, 0.9 + _BAR * len(values))


def _named(axes: Axes, row: int, name: str, value: str) -> None:
    """Write name and number above what is drawn of a row."""
    across = axes.get_yaxis_transform()
    name = _shortened(name, _LONG - sum(map(_width, value)))
    axes.text(0, row - 0.16, name, transform=across, va="center")
    axes.text(1, row - 0.16, value, transform=across, va="center", ha="right")


def correlations(features: Sequence[str], matrix: np.ndarray, caption: str) -> Picture:
    """Draw a matrix of correlations, the first row on top; grey where there is none."""
    size = len(features)
    step = 1 if size <= _MOST_NAMED else 10 ** len(str(size // 10 - 1))
    places = np.arange(step - 1, size, step)
    numbers = [str(place + 1) for place in places]

    def draw(axes: Axes) -> None:
        axes.set_facecolor("lightgrey")
        shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_xticks(places, numbers, fontsize=7)
        names = [f"{_shortened(features[place], _SHORT)} {place + 1}" for place in places]
        axes.set_yticks(places, names if size <= _MOST_NAMED else numbers, fontsize=7)
        axes.set(title="Correlations")
        axes.spines[:].set_visible(False)
        if size <= _MOST_WRITTEN:
            for (i, j), r in np.ndenumerate(matrix):
                if np.isfinite(r):
                    colour = "white" if abs(r) > 0.6 else "black"
                    text = f"{round(r, 2) + 0.0:.2f}"  # no -0.00
                    axes.text(j, i, text, color=colour, ha="center", va="center", fontsize=6)
        axes.figure.colorbar(shown, orientation="horizontal", shrink=0.6, aspect=30)

    alt = f"Correlations of {size} columns with each other; the strongest are in the table below."
    return _picture(draw, alt, caption, 3.8)


def _shortened(name: str, most: float) -> str:
    """Return a name, or how it begins and ends, in so many times the height of its letters."""
    name = visible(name)
    if sum(map(_width, name)) <= most:
        return name
    end = _begun(name[::-1], most / 3)[::-1]
    return f"{_begun(name, 2 * most / 3 - 1)}…{end}"


def _begun(name: str, most: float) -> str:
    widths = accumulate(map(_width, name))
    return "".join(letter for letter, width in zip(name, widths, strict=True) if width <= most)


def _width(letter: str) -> float:
    """Return at most how wide a letter is; which font the browser takes is not known."""
    if unicodedata.combining(letter):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1
    wide = letter in "mw@%…" or unicodedata.category(letter) in ("Lu", "Lo", "So")
    return 0.9 if wide else 0.62
