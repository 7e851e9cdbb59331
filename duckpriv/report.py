"""A report as one HTML file: a training's log and model, how good scores are, correlations, and
what columns tell of a label."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from .database import open_database
from .disk import utf8_path
from .engine import extend_search_path, literal, quoted
from .errors import InvalidValue
from .party import connect
from .visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .2rem .8rem; text-align: right }
td:first-child, th:first-child { text-align: left }
th { border-bottom: 1px solid #888 }
figure { display: inline-block; margin: 0 1rem 1rem 0 }
svg { max-width: 100%; height: auto }
"""
Rows = list[tuple[Any, ...]]
# Up to so many columns the numbers stand in the picture of correlations.
_MOST_WRITTEN = 15


def write_report(
    database: Path,
    target: Path,
    scored: str | None,
    score: str,
    label: str,
    model: str = "model",
    log: str = "training_log",
    correlation: str = "correlation",
    scorecard: str = "scorecard",
) -> None:
    """Write the report on `database` to `target`.

    Shows the tables `log` and `model` of a training where they are, and for the table or view
    `scored`, with a probability in column `score` and 0 or 1 in `label`, the metrics and curves;
    also the matrix and the variance inflation factors of `moments/correlation`, and the weights of
    evidence of `scorecard`.
    Raises InvalidValue where there is nothing to show, or matplotlib is missing; DuckDB's own error
    for a table or column that is not there.
    """
    with _opened(database) as con:
        there = [
            con.execute("SELECT has_table($1)", [name]).fetchall()[0][0]
            for name in (log, model, correlation, f"{scorecard}_woe")
        ]
        parts: list[str] = []
        if scored is not None:
            parts += _scored(con, scored, score, label)
        if there[0]:
            parts += _training(con, log)
        if there[1]:
            rows = con.execute(
                f"SELECT feature, weight, weight_original FROM {quoted(model)}"
            ).fetchall()
            parts += ["<h2>Model</h2>", _table(("feature", "weight", "in its own unit"), rows)]
            parts.append(
                "<p>weight is for standardised features: the step in the score for one standard "
                "deviation.</p>"
            )
        if there[2]:
            parts += _correlations(con, correlation)
        if there[3]:
            parts += _evidence(con, scorecard)
    if not parts:
        raise InvalidValue(
            f"there is nothing to report: no tables {log}, {model}, {correlation} and "
            f"{scorecard}_woe, and no --scored TABLE"
        )
    title = _escaped(Path(utf8_path(database)).stem)
    target.write_text(
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1>{''.join(parts)}</html>",
        encoding="utf-8",
    )


@contextmanager
def _opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that reads `database` with duckpriv's functions, and locks and writes
    nothing there."""
    with open_database(database, read_only=True) as con:
        ((name,),) = con.execute("SELECT current_database()").fetchall()
    name = "report" if name in ("memory", "duckpriv") else name
    with connect() as party:
        party.con.execute(f"ATTACH {literal(utf8_path(database))} AS {quoted(name)} (READ_ONLY)")
        party.con.execute(f"USE {quoted(name)}")
        extend_search_path(party.con)
        yield party.con


def _scored(con: duckdb.DuckDBPyConnection, scored: str, score: str, label: str) -> list[str]:
    names = [scored, score, label]
    columns = f"SELECT column_name FROM table_columns({literal(scored)})"
    there = [row[0] for row in con.execute(columns).fetchall()]
    for name in (score, label):
        found = f"FROM ({columns}) WHERE duckpriv_folded(column_name) = "
        if not con.execute(f"{found} duckpriv_folded(plain_name($1))", [name]).fetchall():
            raise InvalidValue(
                f"{scored} has no column '{name}'; --score and --label name two of its columns: "
                f"{', '.join(there)}"
            )

    def query(text: str) -> Rows:
        return con.execute(text.format("$1, score := $2, label := $3"), names).fetchall()

    values = query("SELECT auc({0}), ks({0}), log_loss({0})")[0]
    counts = query("FROM confusion({0})")[0]
    curve = [(1.0, 0.0, 0.0), *query("FROM roc({0})")]
    bins = query("SELECT mean_score, positive_rate, rows FROM calibration({0})")

    def draw_roc(axes: Axes) -> None:
        axes.plot([x for _, _, x in curve], [y for _, y, _ in curve])
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="dashed")
        axes.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")

    def draw_calibration(axes: Axes) -> None:
        axes.plot([x for x, _, _ in bins], [y for _, y, _ in bins], marker="o")
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="dashed")
        axes.set(title="Calibration", xlabel="mean score", ylabel="share of positives")
        axes.set(xlim=(0, 1), ylim=(0, 1))

    positives, false_positives, missed, negatives, accuracy, precision, recall = counts
    return [
        f"<h2>Scores in {_escaped(scored)}</h2>",
        _table(("rows", "AUC", "KS", "log loss"), [(sum(counts[:4]), *values)]),
        _picture(draw_roc),
        _picture(draw_calibration),
        "<h3>At threshold 0.5</h3>",
        _table(
            ("", "label 1", "label 0"),
            [("score ≥ 0.5", positives, false_positives), ("score < 0.5", missed, negatives)],
        ),
        _table(("accuracy", "precision", "recall"), [(accuracy, precision, recall)]),
    ]


def _training(con: duckdb.DuckDBPyConnection, log: str) -> list[str]:
    columns = ("iteration", "loss", "gradient_norm", "seconds", "bytes")
    rows = con.execute(f"SELECT {', '.join(columns)} FROM {quoted(log)} ORDER BY 1").fetchall()

    def curve(title: str, column: int, **settings: Any) -> list[str]:
        """Return a picture of a column against the iteration; none where the column is empty."""
        points = [(row[0], row[column]) for row in rows if row[column] is not None]

        def draw(axes: Axes) -> None:
            axes.plot([x for x, _ in points], [y for _, y in points], marker=".")
            axes.set(title=title, xlabel="iteration", **settings)

        return [_picture(draw)] if points else []

    pictures = [*curve("Loss", 1), *curve("Norm of the party's own gradient", 2, yscale="log")]
    return ["<h2>Training</h2>", *pictures, _table(columns, rows)]


def _correlations(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    names = con.execute(
        f"SELECT any_value(feature) FROM {quoted(name)} GROUP BY position ORDER BY position"
    ).fetchall()
    rows = con.execute(
        f"SELECT correlation FROM {quoted(name)} ORDER BY position, other_position"
    ).fetchall()
    features, size = [visible(feature) for (feature,) in names], len(names)
    matrix = np.array(rows, dtype=float).reshape(size, size)

    def draw(axes: Axes) -> None:
        # One rectangle for each number, the first row on top; grey where there is none.
        axes.set_facecolor("lightgrey")
        mesh = axes.pcolormesh(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.invert_yaxis()
        places = np.arange(size) + 0.5
        axes.set_xticks(places, features, rotation=90, parse_math=False)
        axes.set_yticks(places, features, parse_math=False)
        axes.set(title="Correlations", aspect="equal")
        if size <= _MOST_WRITTEN:
            for (i, j), r in np.ndenumerate(matrix):
                if np.isfinite(r):
                    colour = "white" if abs(r) > 0.6 else "black"
                    text = f"{round(r, 2) + 0.0:.2f}"  # no -0.00
                    axes.text(j + 0.5, i + 0.5, text, color=colour, ha="center", va="center")
        axes.figure.colorbar(mesh, shrink=0.8)

    side = min(4 + 0.35 * size, 30)
    parts = ["<h2>Correlations</h2>", _picture(draw, (side, 0.85 * side))]
    if con.execute("SELECT has_table($1)", [f"{name}_vif"]).fetchall()[0][0]:
        factors = con.execute(
            f"SELECT feature, vif FROM {quoted(f'{name}_vif')} ORDER BY position"
        ).fetchall()
        parts += [
            _table(("feature", "variance inflation factor"), factors),
            "<p>By so much the variance of a column's weight is larger than if the others were "
            "uncorrelated; above 5 or 10, others say nearly the same as the column.</p>",
        ]
    return parts


def _evidence(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    values = con.execute(
        f"SELECT feature, iv FROM {quoted(f'{name}_information_value')} "
        "ORDER BY iv DESC NULLS LAST, feature"
    ).fetchall()
    known = [(visible(feature), iv) for feature, iv in values if iv is not None]

    def draw(axes: Axes) -> None:
        features, ivs = zip(*known, strict=True)
        axes.barh(range(len(known)), ivs)
        axes.set_yticks(range(len(known)), features, parse_math=False)
        axes.invert_yaxis()
        axes.set(title="Information value")

    bins = con.execute(
        "SELECT feature, description, rows, positives, woe, w.iv "
        f"FROM {quoted(f'{name}_woe')} w JOIN {quoted(f'{name}_information_value')} i "
        "USING (feature) ORDER BY i.iv DESC NULLS LAST, feature, bin"
    ).fetchall()
    picture = [_picture(draw, (4.6, min(1.2 + 0.3 * len(known), 30)))] if known else []
    head = ("column", "bin", "rows", "of label 1", "weight of evidence", "information value")
    return ["<h2>What columns tell of the label</h2>", *picture, _table(head, bins)]


def _picture(draw: Any, size: tuple[float, float] = (4.6, 3.6)) -> str:
    """Return what `draw` puts on a pair of axes of so many inches, as SVG."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InvalidValue(
            "the report's pictures need matplotlib: pip install 'duckpriv[report]'"
        ) from None
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots())
    output = io.StringIO()
    figure.savefig(output, format="svg", metadata={"Date": None})
    text = output.getvalue()
    return f"<figure>{text[text.index('<svg') :]}</figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cells(tag: str, values: Sequence[Any]) -> str:
        return "".join(f"<{tag}>{_escaped(_text(value))}</{tag}>" for value in values)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
