"""How columns go together, and what they tell of a label."""

from __future__ import annotations

import duckdb
import numpy as np

from ..engine import quoted
from . import pictures
from .blocks import Block, Section, Table, Text
from .tables import exists, query, read

# So many pairs of columns stand in the table.
_PAIRS = 20


def correlations(con: duckdb.DuckDBPyConnection, name: str) -> Section:
    """Return the section about the matrix in the table `name`, and the variance inflation factors
    beside it."""
    features = [
        str(feature)
        for (feature,) in query(
            con,
            f"SELECT any_value(feature) FROM {quoted(name)} GROUP BY position ORDER BY position",
        )
    ]
    size = len(features)
    values = query(con, f"SELECT correlation FROM {quoted(name)} ORDER BY position, other_position")
    matrix = np.array(values, dtype=float).reshape(size, size)
    pairs = query(
        con,
        f"SELECT feature, other, correlation FROM {quoted(name)} WHERE position < other_position "
        f"AND isfinite(correlation) ORDER BY abs(correlation) DESC, position, other_position "
        f"LIMIT {_PAIRS}",
    )
    picture = pictures.correlations(
        features,
        matrix,
        "Red pairs rise together, in blue ones one falls as the other rises, white ones have "
        "nothing to do with each other. Grey: a column that hardly varies.",
    )
    head = ("column", "other column", "correlation")
    blocks: list[Block] = [
        Text(
            "A correlation goes from −1 to 1 and says how two columns move together, over the "
            "rows that both parties have."
        ),
        picture,
        Table(
            "The columns' numbers in the picture",
            ("number", "column"),
            list(enumerate(features, 1)),
        ),
        Table("The strongest correlations", head, pairs, size * (size - 1) // 2, name),
    ]
    if exists(con, f"{name}_vif"):
        select = {"column": "feature", "variance inflation factor": "vif"}
        about = (
            "How much less certain a column's weight is than if the others were uncorrelated. "
            "Above 5 or 10, others say nearly the same as the column."
        )
        order = "ORDER BY position"
        blocks.append(read(con, f"{name}_vif", "Variance inflation", select, order, about))
    return Section("Correlations", blocks)


def evidence(con: duckdb.DuckDBPyConnection, name: str) -> Section:
    """Return the section about the tables of a scorecard."""
    values = query(
        con,
        f"SELECT feature, iv FROM {quoted(f'{name}_information_value')} "
        "ORDER BY iv DESC NULLS LAST, feature",
    )
    drawn = pictures.bars(
        [(str(feature), iv) for feature, iv in values],
        "Information value",
        "columns",
        "How much a column tells of the label. Rule of thumb: below 0.02 nothing, up to 0.1 "
        "little, up to 0.3 something, above that much.",
    )
    blocks: list[Block] = [
        Text(
            "Each column is cut into bins. The weight of evidence of a bin is above 0 if the label "
            "is 1 more often there than on average, and below 0 if less often. The information "
            "value adds up how far the bins of a column are from the average."
        ),
        *drawn,
    ]
    if any(iv is None for _, iv in values):
        blocks.append(Text("Columns without an information value are in the table only."))
    head = {
        "column": "feature",
        "bin": "description",
        "rows": "rows",
        "of label 1": "positives",
        "weight of evidence": "woe",
        "information value": "iv",
    }
    order = (
        f"JOIN (SELECT feature, iv AS whole FROM {quoted(f'{name}_information_value')}) "
        "USING (feature) ORDER BY whole DESC NULLS LAST, feature, bin"
    )
    return Section(
        "What columns tell of the label",
        [*blocks, read(con, f"{name}_woe", "Weight of evidence by bin", head, order)],
    )
