"""The report as a whole: which sections there are, and the page that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from ..database import open_database
from ..disk import utf8_path
from ..engine import extend_search_path, literal, quoted
from ..errors import InvalidValue
from ..journal import runs as all_runs
from ..party import connect
from ..visible import visible
from .aggregates import aggregates, lift
from .blocks import Block, Section, number
from .features import correlations, evidence
from .matching import is_matching, matching
from .pictures import MISSING
from .provenance import heading, maker, provenance
from .scores import scores
from .tables import columns, exists
from .training import steps, weights


@dataclass(frozen=True)
class Kind:
    """A result that a script leaves: the option that names it and its usual name, which is also
    that of the option's value; the table that has to be there, and its columns."""

    option: str
    usual: str
    about: str
    columns: tuple[str, ...]
    suffix: str = ""
    section: Callable[[duckdb.DuckDBPyConnection, str], Section] | None = None


KINDS = (
    Kind("alignment", "alignment", "A matching's table.", ("id", "pid")),
    Kind(
        "psi-size",
        "psi_size",
        "A table of how many ids two lists have in common.",
        ("host_list", "guest_list", "host_ids", "guest_ids", "both_ids"),
    ),
    Kind(
        "aggregate",
        "aggregate",
        "A table of counts and sums by group.",
        ("rows", "suppressed"),
        section=aggregates,
    ),
    Kind(
        "lift",
        "lift",
        "A table of an experiment's lift.",
        ("outcome", "suppressed", "persons_treatment", "lift", "lift_low", "p_value"),
        section=lift,
    ),
    Kind(
        "log",
        "training_log",
        "A training's table of steps.",
        ("iteration", "loss", "gradient_norm", "seconds", "bytes"),
        section=steps,
    ),
    Kind(
        "model",
        "model",
        "A training's table of weights.",
        ("feature", "weight", "weight_original"),
        section=weights,
    ),
    Kind(
        "correlation",
        "correlation",
        "A table of correlations.",
        ("position", "feature", "other_position", "other", "correlation"),
        section=correlations,
    ),
    Kind(
        "scorecard",
        "scorecard",
        "The name of a scorecard's tables.",
        ("feature", "bin", "description", "rows", "positives", "woe"),
        suffix="_woe",
        section=evidence,
    ),
)


def write_report(
    database: Path,
    target: Path,
    scored: str | None = None,
    score: str = "score",
    label: str = "label",
    **names: str | None,
) -> None:
    """Write the report on `database` to `target`.

    It has a section for each result of KINDS that is there under its usual name, or the one in
    `names`; for the table or view `scored`, with a probability in column `score` and 0 or 1 in
    `label`; and for where all that comes from.
    Raises InvalidValue where there is nothing to show, where a table that was named is not there or
    not of its kind, or where a library is missing; DuckDB's own error for a table `scored` that is
    not there.
    """
    with _opened(database) as con:
        notes: list[str] = []
        found = {
            kind.option: name
            for kind in KINDS
            if (name := _found(con, kind, names.get(kind.option.replace("-", "_")), notes))
        }
        runs = all_runs(con)
        title = Path(utf8_path(database)).stem
        sections: list[Section] = []
        matched = [run for run in runs if is_matching(run)]
        if matched or found.keys() & {"alignment", "psi-size"}:
            sections.append(matching(con, matched, found.get("alignment"), found.get("psi-size")))
        for kind in KINDS:
            if kind.section and kind.option in found:
                section = kind.section(con, found[kind.option])
                made = maker(runs, found[kind.option], "log" if kind.option == "log" else "result")
                sections.append(Section(section.title, [*made, *section.blocks]))
        if scored is not None:
            sections.append(scores(con, scored, score, label))
        sections += provenance(con, runs)
    if not sections:
        usual = ", ".join(f"{kind.usual}{kind.suffix}" for kind in KINDS)
        raise InvalidValue(
            f"there is nothing to report: no runs are noted, there is none of the tables {usual}, "
            "and no --scored TABLE"
        )
    target.write_text(_page(title, [heading(title, runs, notes), *sections]), encoding="utf-8")


def _found(
    con: duckdb.DuckDBPyConnection, kind: Kind, given: str | None, notes: list[str]
) -> str | None:
    """Return the name of a result, None where it has the usual one and is not there."""
    name = kind.usual if given is None else given
    table = f"{name}{kind.suffix}"
    if not exists(con, table):
        if given is not None:
            raise InvalidValue(f"there is no table {table}, which --{kind.option} asks for")
        return None
    lacking = [column for column in kind.columns if column not in columns(con, table)]
    if not lacking:
        return name
    problem = f"the table {table} lacks the columns {', '.join(lacking)} of such a result"
    if given is not None:
        raise InvalidValue(f"{problem}; --{kind.option} names another one")
    notes.append(f"T{problem[1:]}, so it is not shown; --{kind.option} names another one.")
    return None


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


def _page(title: str, sections: list[Section]) -> str:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup, escape
    except ModuleNotFoundError:
        raise InvalidValue(MISSING) from None

    def shown(value: Any) -> Any:
        return value if isinstance(value, Markup) else visible(number(value))

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # whatever a name says to HTML
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groups"] = _groups
    environment.filters["picture"] = lambda svg, alt: Markup(
        svg.replace("<svg", f'<svg role="img" aria-label="{escape(visible(alt))}"', 1)
    )
    return environment.get_template("page.html").render(title=title, sections=sections)


def _groups(blocks: Sequence[Block]) -> list[tuple[str, list[Block]]]:
    """Return the blocks with those of one kind together, as they follow each other."""
    return [(kind, list(some)) for kind, some in groupby(blocks, lambda block: block.kind)]
