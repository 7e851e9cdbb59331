"""duckpriv messages: what was sent."""

from __future__ import annotations

from pathlib import Path

import click
import duckdb
from rich.console import Console
from rich.table import Column, Table

from ..audit import COLUMNS as AUDIT_COLUMNS
from ..audit import Audit
from ..columns.context import Context
from ..database import open_database
from ..disk import utf8_path
from ..errors import DuckprivError
from ..exchange import Manifest, open_exchange, open_mailbox
from ..names import check_name
from ..visible import visible
from .group import cli
from .options import (
    MOST_ROWS,
    cell,
    database_option,
    exchange_option,
    keyring_option,
    need_database,
    open_keyring,
    session_option,
    short,
    unprotected_option,
)

_LISTED = ("from", "to", "channel", "rows", "bytes", "sealed", "columns", "SHA-256")


@cli.group()
def messages() -> None:
    """List what was sent, open a message, and show your audit table."""


@messages.command("list")
@exchange_option
@session_option
@click.option("--me", help="Show only this party's messages; your own name, in the network.")
@keyring_option
def messages_list(exchange: str, session: str, me: str | None, keyring: Path) -> None:
    """List what was sent in a session: channel, rows, columns, bytes, SHA-256.

    Everything is read from the manifests; no message is opened.
    """
    mailbox = open_mailbox(exchange, open_keyring(keyring), me)
    check_name("the session", session)
    table = Table(
        *(Column(head, overflow="fold") for head in _LISTED),
        box=None,
    )
    for place, data in mailbox.manifests(session):
        try:
            message = Manifest.from_json(data)
        except DuckprivError as error:
            click.echo(f"{visible(place)}: {error}", err=True)
            continue
        if me is None or me in (message.sender, message.receiver):
            shown = (
                message.sender,
                message.receiver,
                message.channel,
                f"{message.rows:,}",
                f"{message.bytes:,}",
                "yes" if message.sealed else "no",
                ", ".join(f"{name} {type_}" for name, type_ in message.columns),
                message.sha256[:16],
            )
            table.add_row(*map(cell, shown))
    if table.row_count:
        Console().print(table)
    else:
        click.echo(f"no messages of session '{session}' in {mailbox.address}")


@messages.command("show")
@click.argument("channel")
@click.option("--me", required=True, help="Your own name.")
@click.option("--peer", required=True, help="Who sent it to you.")
@exchange_option
@session_option
@keyring_option
@unprotected_option
@click.option("--rows", default=MOST_ROWS, show_default=True, help="How many rows to show.")
def messages_show(
    channel: str,
    me: str,
    peer: str,
    exchange: str,
    session: str,
    keyring: Path,
    unprotected: bool,
    rows: int,
) -> None:
    """Check and open the message on CHANNEL that a peer sent to you, and show its first rows."""
    context = Context(open_keyring(keyring), me, session)
    opened = open_exchange(exchange, context, unprotected=unprotected)
    try:
        received = opened.look(peer, channel)
        shown = duckdb.from_parquet(utf8_path(received.path))
        columns = zip(shown.columns, shown.types, strict=True)
        table = Table(*(Column(cell(f"{name} {type_}")) for name, type_ in columns), box=None)
        for row in shown.limit(rows).fetchall():
            table.add_row(*(cell(short(value)) for value in row))
        Console().print(table)
        click.echo(f"{received.rows:,} rows")
    finally:
        opened.close()


@messages.command("audit")
@database_option
@click.option("--session", help="Only this session's messages.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the table to this Parquet file instead.",
)
def messages_audit(db: str, session: str | None, export: Path | None) -> None:
    """Show the audit table of your database: every message that you sent or received."""
    need_database(db)
    with open_database(db, read_only=True) as con:
        audit = Audit(con)
        found = [dict(zip(AUDIT_COLUMNS, row, strict=True)) for row in audit.entries(session)]
        if export is not None and found:
            number = ", ".join(str(entry["number"]) for entry in found)
            con.sql(f"FROM {audit.table} WHERE number IN ({number}) ORDER BY number").write_parquet(
                str(export)
            )
            click.echo(f"wrote {len(found):,} messages to {export}")
            return
    shown = (
        *("moved_at", "session", "direction", "peer", "channel", "rows", "bytes"),
        *("protection", "settings"),
    )
    table = Table(*(Column(head, overflow="fold") for head in shown), box=None)
    for entry in found:
        table.add_row(*(cell(entry[name]) for name in shown))
    if found:
        Console().print(table)
    else:
        click.echo("no messages were noted here")
