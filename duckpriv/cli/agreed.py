"""What a run takes from the settings file, and what it will send."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..consent import Consent
from ..scripts import Script
from ..settingsfile import Agreed, SettingsFile
from ..visible import visible


@dataclass(frozen=True)
class Taken:
    """What the file says of a run: addresses as seen from the current folder."""

    exchange: str | None
    serve: str | None
    session: str | None
    variables: dict[str, str]


def agreed_run(file: SettingsFile, script: Script, peer: str | None) -> Taken:
    """Return what the file says of a run of `script` with `peer`; where that is None, with the only
    one that the file knows for it."""
    exchange, found = file.exchange, dict[str, str]()
    agreed = Agreed()
    declared = any(variable.name == "peer" for variable in script.variables)
    if declared or not script.variables:
        if peer is None and (peer := _peer(file, script, declared)):
            found["peer"] = peer
        known = file.peer(peer)
        exchange = known.exchange or exchange
        agreed = known.runs.get(script.name, agreed)
    serve = file.serve if exchange == file.exchange else None
    return Taken(exchange and file.place(exchange), serve, agreed.session, found | agreed.settings)


def _peer(file: SettingsFile, script: Script, needed: bool) -> str | None:
    names = [name for name, peer in file.peers.items() if script.name in peer.runs]
    names = names or [*file.peers]
    if len(names) == 1:
        return names[0]
    if not names or not needed:
        return None
    if sys.stdin.isatty():
        return str(click.prompt("With which peer", type=click.Choice(names), err=True))
    raise click.UsageError(f"{file.path} knows several peers: choose one with --peer")


def show_messages(output: Console, script: Script, values: dict[str, object], me: str) -> None:
    """List what a script will send: all that it can send."""
    consent = Consent(script, values, me)
    heads = ("channel", "to", "columns", "what the receiver learns")
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None)
    part = ""
    for message in consent.messages:
        if message.part != part:
            part = message.part
            table.add_row(Text(visible(part, None), style="italic"))
        cells = (message.channel, message.receiver, message.columns, message.reveals)
        table.add_row(*(Text(visible(one, None)) for one in cells))
    text = f"{visible(script.name)} sends{':' if table.row_count else ' nothing.'}"
    output.print(text, markup=False)
    if table.row_count:
        output.print(table)
        for settings in consent.settings:
            output.print(Text(visible(f"with each, readable for who carries it: {settings}", None)))
    for peers, channels in consent.waits.items():
        output.print(Text(visible(f"waits for, from {peers}: {', '.join(channels)}", None)))
