"""The policies in a party's database, to be shown: scripts obey them by sql/shared/policy.sql."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from .columns.context import Context
from .engine import install, literal, quoted
from .errors import InvalidValue
from .scripts import Script

_USES = re.compile(r"'(match|group|measure|train|score)'")


@dataclass(frozen=True)
class Rule:
    """A row of duckpriv_policies; `here` if it is about the table that was asked for."""

    use: str
    peer: str
    here: bool
    cells: tuple[str, ...]


def read_policies(database: Path, table: str = "") -> list[Rule] | None:
    """Return the policies in a database file, each with what it was used for; None where there are
    none. Raises InvalidValue where they cannot be read."""
    try:
        with duckdb.connect() as con:
            install(con, Context(None))
            own = quoted(database.stem)
            con.execute(f"ATTACH {literal(str(database))} AS {own} (READ_ONLY)")
            con.execute(f"USE {own}")
            con.execute("SET search_path = current_setting('search_path') || ',duckpriv.main'")
            return _read(con, table)
    except duckdb.Error as error:
        problem = str(error).split("\n")[0]
        raise InvalidValue(f"the policies in {database} cannot be shown: {problem}") from None


def uses_of(script: Script) -> set[str]:
    """Return the uses of columns that a script asks for."""
    return {
        use
        for statement in script.statements
        if statement.sets_variable == "policy"
        for use in _USES.findall(statement.sql)
    }


def _read(con: duckdb.DuckDBPyConnection, table: str) -> list[Rule] | None:
    con.execute("SET VARIABLE policies = duckpriv_policies_query()")
    con.execute("SET VARIABLE releases = duckpriv_releases_query()")
    found = con.execute(
        "SELECT count(*) FROM duckpriv_relations() WHERE parts[3] = 'duckpriv_policies'"
    ).fetchall()
    if found == [(0,)]:
        return None
    rows = con.execute(
        "SELECT use, peer, coalesce(tbl = duckpriv_table_named($1), false), written, column_name, "
        "minimum, budget, epsilon, released, spent "
        "FROM duckpriv_policy_rules(getvariable('policies'), getvariable('releases')) "
        "ORDER BY rule",
        [table],
    ).fetchall()
    return [
        Rule(
            str(use),
            str(peer),
            here,
            (
                *(str(written), str(column), str(peer), str(use)),
                "" if minimum is None else f"{minimum:,}",
                f"{released:,}" if budget is None else f"{released:,} of {budget:,}",
                "" if epsilon is None else f"{round(spent, 6)} of {epsilon}",
            ),
        )
        for use, peer, here, written, column, minimum, budget, epsilon, released, spent in rows
    ]
