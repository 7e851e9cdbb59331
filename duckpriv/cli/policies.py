"""duckpriv policies: what the owner of the tables allows, and what was released."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import duckdb
from rich.console import Console
from rich.table import Table

from ..database import open_database
from ..engine import sql_folder
from ..policies import read_policies
from ..visible import visible
from .group import cli
from .options import cell, database_option, need_database

CREATE = (sql_folder() / "shared" / "create_policies.sql").read_text("utf-8")


@cli.group()
def policies() -> None:
    """Make and list the policies of your tables, and list what was released."""


@policies.command("init")
@database_option
def policies_init(db: str) -> None:
    """Make an empty table duckpriv_policies: from then on, only what its rows allow is released."""
    need_database(db)
    with open_database(db) as con:
        made = CREATE.replace("IF NOT EXISTS ", "")
        con.execute(made)
    click.echo("made duckpriv_policies; nothing is allowed until you insert rows into it")


@policies.command("list")
@database_option
def policies_list(db: str) -> None:
    """List the policies, with what they have been used for."""
    need_database(db)
    found = read_policies(Path(db))
    if found is None:
        click.echo("there is no table duckpriv_policies here, so everything is allowed")
    else:
        Console().print(policy_table([rule.cells for rule in found]))


@policies.command("releases")
@database_option
def policies_releases(db: str) -> None:
    """List what was released: the table duckpriv_releases."""
    need_database(db)
    with closing(open_database(db, read_only=True)) as con:
        try:
            rows = con.execute(
                "SELECT strftime(released_at, '%Y-%m-%d %H:%M') || ' UTC, session ' || session "
                "|| ', ' || script || ', to ' || peer || ', of ' || coalesce(table_name, '?') "
                "|| ' (' || array_to_string(uses, ', ') || '): ' || what "
                "FROM (SELECT *, [c.column_name || ': ' || c.use FOR c IN columns] AS uses "
                "FROM duckpriv_releases) ORDER BY number"
            ).fetchall()
        except duckdb.CatalogException:
            rows = []
    for (line,) in rows:
        click.echo(visible(line))
    if not rows:
        click.echo("no release is noted here")


def policy_table(rows: list[tuple[str, ...]]) -> Table:
    """Return policies as a table to print."""
    names = ("table", "column", "peer", "use", "minimum", "releases", "epsilon")
    table = Table(*names, box=None)
    for row in rows:
        table.add_row(*map(cell, row))
    return table
