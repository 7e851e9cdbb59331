"""What a training did in each step, and the weights that it found."""

from __future__ import annotations

import duckdb

from ..engine import quoted
from . import pictures
from .blocks import Block, Section, Text, counted, drawable, number, undrawn
from .tables import columns, query, read

_INTERCEPT = "(intercept)"


def steps(con: duckdb.DuckDBPyConnection, log: str) -> Section:
    """Return the section about the steps in the table `log`."""
    rows = query(
        con, f"SELECT iteration, loss, gradient_norm FROM {quoted(log)} ORDER BY iteration"
    )
    last = rows[-1][0] if rows else 0
    blocks: list[Block] = [Text(f"The training took {counted(len(rows), 'step', 'steps')}.")]
    losses = [(step, float(loss)) for step, loss, _ in rows if drawable(loss)]
    norms = [(step, float(norm)) for step, _, norm in rows if drawable(norm)]
    if losses:
        where, loss = losses[-1]
        said = f"The last loss is {number(loss)}, of step {number(where)}"
        said += ", the last step." if where == last else f"; the last step is {number(last)}."
        blocks.append(
            pictures.curve(
                losses,
                "Loss",
                last,
                f"{said} The loss says how far the predictions are from the labels: lower is "
                "better, and a curve that still falls at its end could be trained longer. It is "
                "measured before the step changes the weights."
                + undrawn(loss for _, loss, _ in rows),
            )
        )
    elif any(loss is not None for _, loss, _ in rows):
        blocks.append(Text(undrawn(loss for _, loss, _ in rows).strip()))
    elif rows:
        blocks.append(
            Text(
                "This party has no loss. The label's owner alone sees it, and only of trainings "
                "that compute it (setting loss_every of lr_joint_key, loss of lr_helper)."
            )
        )
    if norms:
        blocks.append(
            pictures.curve(
                norms,
                "Norm of the gradient",
                last,
                "How much this party's weights would still change (the length of its own part of "
                "the gradient). It falls as the weights settle."
                + undrawn(norm for *_, norm in rows),
                log=True,
            )
        )
    names = ("iteration", "loss", "gradient_norm", "seconds", "bytes")
    headings = ("step", "loss", "gradient norm", "seconds", "bytes exchanged")
    head = dict(zip(headings, names, strict=True))
    blocks.append(read(con, log, "Steps of the training", head, "ORDER BY iteration"))
    return Section("Training", blocks)


def weights(con: duckdb.DuckDBPyConnection, model: str) -> Section:
    """Return the section about the weights in the table `model`."""
    blocks: list[Block] = [
        Text(
            "These are the weights of this party's own columns. A weight is how much the score "
            "changes if the column grows by one standard deviation (its usual spread), so weights "
            "can be compared with each other. “In its own unit” is the change if the column "
            "grows by 1. The intercept is the score where all columns have their mean."
        )
    ]
    if "training" in columns(con, model):
        found = query(con, f"SELECT DISTINCT training FROM {quoted(model)} ORDER BY 1 LIMIT 10")
        blocks.append(Text(f"Training: {', '.join(str(name) for (name,) in found)}."))
    values = query(con, f"SELECT feature, weight FROM {quoted(model)}")
    drawn = pictures.bars(
        [(str(name), weight) for name, weight in values if name != _INTERCEPT],
        "Weights",
        "columns",
        "Blue raises the score, red lowers it. The intercept is in the table only.",
    )
    if not drawn and values:
        blocks.append(Text("This party knows no weights of its columns: none are revealed to it."))
    head = {"column": "feature", "weight": "weight", "in its own unit": "weight_original"}
    return Section("Weights", [*blocks, *drawn, read(con, model, "Weights", head)])
