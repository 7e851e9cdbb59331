"""Tables by group, and the lift of an experiment."""

from __future__ import annotations

import duckdb

from ..engine import quoted
from . import pictures
from .blocks import (
    MOST_BARS,
    MOST_ROWS,
    SUPPRESSED,
    Block,
    Section,
    Table,
    Text,
    counted,
    drawable,
    number,
)
from .tables import columns, query, size

# Of so many measures the means are drawn.
_MOST_MEASURES = 5
_SUFFIXES = ("_count", "_sum", "_avg", "_var", "_suppressed")


def aggregates(con: duckdb.DuckDBPyConnection, name: str) -> Section:
    """Return the section about the table `name`, which duckpriv run aggregate made."""
    names = list(columns(con, name))
    place = names.index("rows")
    with_totals = names[place - 1 : place] == ["total"]
    groups = names[: place - with_totals]
    measures = [column.removesuffix("_sum") for column in names[place + 3 :: len(_SUFFIXES)]]
    totals = quoted("total") if with_totals else "false"
    ((lines, hidden),) = query(
        con,
        f"SELECT count(*), count(*) FILTER (suppressed) FROM {quoted(name)} WHERE NOT {totals}",
    )
    blocks: list[Block] = [
        Text(
            "Counts and sums over the rows that both parties have, by group. Groups with fewer "
            "rows than the agreed minimum are suppressed: nobody sees their numbers."
        ),
        Text(
            f"{counted(lines, 'group', 'groups')}, of which {number(hidden)} "
            f"{'is' if hidden == 1 else 'are'} suppressed. Suppressed groups are not drawn."
        ),
    ]
    parts = [f"{quoted(column)}::VARCHAR" for column in groups]
    labels = f"[{', '.join(parts)}]"

    def drawn(column: str, title: str, caption: str) -> list[Block]:
        values = query(
            con,
            f"SELECT {labels}, {quoted(column)} FROM {quoted(name)} "
            f"WHERE NOT {totals} AND {quoted(column)} IS NOT NULL",
        )
        named = [(" / ".join(map(_group, label)) or "all rows", v) for label, v in values]
        return [*pictures.bars(named, title, "groups that are shown", caption)]

    blocks += drawn("rows", "Rows by group", "How many common rows each group has.")
    for measure in measures[:_MOST_MEASURES]:
        caption = f"The mean of {measure} in each group, over the rows that have a number."
        blocks += drawn(f"{measure}_avg", f"Mean of {measure}", caption)
    if len(measures) > _MOST_MEASURES:
        blocks.append(
            Text(
                f"The means of {_MOST_MEASURES} of {len(measures)} measures are drawn. All are in "
                "the table."
            )
        )
    return Section("Aggregates", [*blocks, _lines(con, name, groups, with_totals, measures)])


def _lines(
    con: duckdb.DuckDBPyConnection,
    name: str,
    groups: list[str],
    with_totals: bool,
    measures: list[str],
) -> Table:
    """Return the table, with what is suppressed said so, and totals as such."""
    shown = [f"{m}{suffix}" for m in measures for suffix in ("_count", "_sum", "_avg", "_var")]
    selected = [
        *(f"{quoted(column)}::VARCHAR" for column in groups),
        "total" if with_totals else "false",
        *("rows", "suppressed"),
        *(quoted(column) for column in shown),
        *(quoted(f"{measure}_suppressed") for measure in measures),
    ]
    found = query(con, f"SELECT {', '.join(selected)} FROM {quoted(name)} LIMIT {MOST_ROWS}")
    summed = _summed(con, name, groups) if with_totals else set[str]()
    width, rows = len(groups), []
    for line in found:
        label, (total, count, hidden), rest = (
            line[:width],
            line[width : width + 3],
            line[width + 3 :],
        )
        numbers, flags = rest[: len(shown)], rest[len(shown) :]
        cells: list[object] = [
            "all" if total and column in summed else _group(value)
            for column, value in zip(groups, label, strict=True)
        ]
        cells.append(SUPPRESSED if hidden else count)
        for i, value in enumerate(numbers):
            cells.append(SUPPRESSED if flags[i // 4] else value)
        rows.append(cells)
    headings = ("count", "sum", "mean", "variance")
    head = [*groups, "rows", *(f"{m}: {heading}" for m in measures for heading in headings)]
    about = "“all” marks totals over all groups of a column." if with_totals else ""
    return Table("Aggregates by group", head, rows, size(con, name), name, about)


def _summed(con: duckdb.DuckDBPyConnection, name: str, groups: list[str]) -> set[str]:
    """Return the columns over whose groups there are totals: those that have no group in any of
    these lines."""
    counts = query(
        con,
        f"SELECT {', '.join(['count(*)', *(f'count({quoted(g)})' for g in groups)])} "
        f"FROM {quoted(name)} WHERE total",
    )[0][1:]
    return {group for group, count in zip(groups, counts, strict=True) if count == 0}


def _group(value: object) -> str:
    return "(no value)" if value is None else str(value)


def lift(con: duckdb.DuckDBPyConnection, name: str) -> Section:
    """Return the section about the table `name`, which duckpriv run lift made."""
    names = list(columns(con, name))
    segments = names[: names.index("outcome")]
    with_all = segments[-1:] == ["all_segments"]
    segments = segments[: len(segments) - with_all]
    blocks: list[Block] = [
        Text(
            "An experiment showed something to the treatment and not to the control. The lift is "
            "how much more of an outcome a person of the treatment has: 0.1 is 10 % more. The "
            "interval says how certain that is: if it holds 0, it may be chance. The p value is "
            "how likely so large a difference would be without any effect."
        )
    ]
    parts = ", ".join(f"{quoted(segment)}::VARCHAR" for segment in segments)
    everyone = "all_segments" if with_all else "false"
    found = query(
        con,
        f"SELECT outcome, CASE WHEN {everyone} THEN ['all segments'] ELSE [{parts}] END, "
        "suppressed, persons_treatment, persons_control, mean_treatment, mean_control, "
        "lift, lift_low, lift_high, p_value, incremental "
        f"FROM {quoted(name)} LIMIT {MOST_ROWS}",
    )
    lines = [
        (outcome, " / ".join(map(_group, segment)) or "everyone", hidden, *numbers)
        for outcome, segment, hidden, *numbers in found
    ]
    for outcome in dict.fromkeys(line[0] for line in lines):
        its = [(line[1], *line[7:10]) for line in lines if line[0] == outcome]
        known = [line for line in its if all(map(drawable, line[1:]))]
        drawn = known[:MOST_BARS]
        if drawn:
            caption = f"The lift of {outcome}, with its confidence interval."
            if len(drawn) < len(its):
                caption += (
                    f" {len(drawn)} of {number(len(its))} lines are drawn; the others are in the "
                    "table, as far as they are shown."
                )
            title = f"Lift of {outcome}"
            blocks.append(pictures.intervals(drawn, title, caption))
    rows = [(line[1], line[0], *([SUPPRESSED] * 9 if line[2] else line[3:])) for line in lines]
    head = (
        "segment",
        "outcome",
        "persons, treatment",
        "persons, control",
        "mean, treatment",
        "mean, control",
        "lift",
        "lift from",
        "lift to",
        "p value",
        "more in all",
    )
    about = (
        "Segments below the agreed minimum are suppressed. “More in all” is the difference of the "
        "means times the persons of the treatment."
    )
    table = Table("Lift by segment and outcome", head, rows, size(con, name), name, about)
    return Section("Lift", [*blocks, table])
