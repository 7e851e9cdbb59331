"""duckpriv runs, and duckpriv serve."""

from __future__ import annotations

import threading
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from ..database import open_database
from ..exchange import Limits
from ..exchange import serve as serve_mailbox
from ..journal import discard, settings_of, told_state
from ..journal import runs as all_runs
from ..visible import visible
from .group import cli
from .options import (
    cell,
    database_option,
    exchange_option,
    keyring_option,
    limit_option,
    need_database,
    open_keyring,
)


@cli.command("serve")
@click.option("--me", required=True, help="Your own name, as the peers know it.")
@exchange_option
@click.option(
    "--at",
    required=True,
    metavar="ADDRESS",
    help="Where to listen: grpc+tls://HOST:PORT, such as grpc+tls://0.0.0.0:7443.",
)
@keyring_option
@limit_option
def serve_command(me: str, exchange: str, at: str, keyring: Path, limits: Limits) -> None:
    """Serve your mailbox folder to the peers that you trust, for all sessions, until Ctrl-C."""
    with serve_mailbox(exchange, at, open_keyring(keyring), me, limits) as server:
        click.echo(f"serving {exchange} at port {server.port}; Ctrl-C ends it", err=True)
        threading.Event().wait()


@cli.group()
def runs() -> None:
    """List the runs in your database, and discard those that will not go on."""


@runs.command("list")
@database_option
def runs_list(db: str) -> None:
    """List the runs of scripts: session, script, state, times and settings."""
    need_database(db)
    with open_database(db, read_only=True) as con:
        found = all_runs(con)
    # A session is whole: it is what 'runs discard' takes.
    table = Table(Column("session", no_wrap=True), box=None)
    for head in ("script", "state", "began (UTC)", "ended", "settings"):
        table.add_column(head, overflow="fold", no_wrap=head == "state")
    for run in found:
        ended = "" if run["ended_at"] is None else f"{run['ended_at']:%Y-%m-%d %H:%M}"
        began = f"{run['began_at']:%Y-%m-%d %H:%M}"
        given = ", ".join(f"{name}={value}" for name, value in settings_of(run).items() if value)
        cells = (run["session"], run["script"], told_state(run), began, ended, given)
        table.add_row(*map(cell, cells))
    if found:
        Console().print(table)
    else:
        click.echo("no runs are noted here")


@runs.command("discard")
@click.argument("session")
@database_option
@keyring_option
@click.confirmation_option(prompt="A discarded run cannot go on. Discard it?")
def runs_discard(session: str, db: str, keyring: Path) -> None:
    """Delete working tables, keys and waiting messages of SESSION's runs that did not finish.

    Keys are deleted only of runs that were made with this keyring.
    """
    need_database(db)
    with open_database(db) as con:
        scripts = discard(con, open_keyring(keyring), session)
    names = visible(", ".join(scripts))
    click.echo(f"discarded: {names}" if scripts else "there is nothing to discard")
