"""duckpriv invite, and duckpriv accept: two parties get to know each other."""

from __future__ import annotations

import shlex
from contextlib import suppress
from datetime import date
from pathlib import Path
from secrets import token_hex

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..errors import InvalidValue, KeyNotFound
from ..invitation import (
    FORMAT,
    LARGEST,
    Invitation,
    Proposal,
    agreed_settings,
    check_settings,
    counterpart,
)
from ..keyring import Keyring
from ..keys import PublicIdentity
from ..names import check_name
from ..scripts import load
from ..settingsfile import FILE, Agreed, SettingsFile, address
from ..visible import visible
from .agreed import show_messages
from .fingerprints import shown_fingerprint, told_fingerprint
from .group import cli
from .init import own_identity, written_keyring
from .options import (
    as_text,
    complete_file,
    complete_script,
    keyring_option,
    open_keyring,
    own_exchange_option,
    set_option,
    variables_of,
)


@cli.command()
@click.argument("peer")
@click.argument("script", required=False, shell_complete=complete_script)
@set_option
@click.option("--session", help="The run's name.  [default: a new one]")
@own_exchange_option
@keyring_option
@click.pass_obj
def invite(
    file: SettingsFile,
    peer: str,
    script: str | None,
    settings: tuple[str, ...],
    session: str | None,
    own_exchange: str | None,
    keyring: Path,
) -> None:
    """Print an invitation for PEER to a run: you run the bundled SCRIPT, PEER its counterpart.

    It is a line of text that holds your public identity, the exchange's address and the run's name,
    with those settings that both need alike (--set), and nothing secret. Without SCRIPT it only
    makes you known to each other. --exchange is the address as PEER has to write it, where that is
    another one than yours.
    """
    if file.me is None:
        raise click.UsageError(f"{file.path} does not say who you are: 'duckpriv init' makes it")
    known = file.peer(peer)
    exchange = own_exchange or known.exchange or (None if file.serve else file.exchange)
    if exchange is None:
        raise click.UsageError(
            "say with --exchange where the peer reaches the exchange, such as "
            "grpc+tls://THIS-HOST:7443"
        )
    proposal = None
    runs = {}
    if script is not None:
        given = variables_of(settings)
        check_settings(script, given)
        session = session or f"{script.partition('/')[0]}-{date.today():%Y%m%d}-{token_hex(3)}"
        proposal = Proposal(str(counterpart(script)), session, given)
        runs[script] = Agreed(session, given)
    elif settings or session:
        raise click.UsageError("--set and --session are about a run: name its SCRIPT")
    own = open_keyring(keyring).identity(file.me)
    line = Invitation(own.public, peer, as_text(exchange), proposal).signed(own)
    added = file.with_peer(peer, known.exchange, runs)
    added.write(added.text_with_peers())
    click.echo(line)
    if script in known.runs:
        click.echo(
            f"It takes the place of the {script} agreed before, in session "
            f"{known.runs[script].session}: let {peer} accept this line, and no earlier one.",
            err=True,
        )
    click.echo(f"Give this line to {peer}, for 'duckpriv accept', and tell {peer} your", err=True)
    _tell_fingerprint(own.public)
    click.echo(f"Then {peer} gives you a line, for your own 'duckpriv accept'.", err=True)


@cli.command()
@click.argument("invitation", metavar="FILE|LINE", shell_complete=complete_file)
@click.option(
    "--fingerprint", help="The fingerprint that the peer told you. Without it you are asked."
)
@click.option("--me", help="Your own name.  [default: as in the invitation]")
@click.option(
    "--db", metavar="FILE", shell_complete=complete_file, help="Your DuckDB database file."
)
@own_exchange_option
@keyring_option
@click.option("--yes", is_flag=True, help="Accept what it says; do not ask.")
@click.pass_context
def accept(
    context: click.Context,
    invitation: str,
    fingerprint: str | None,
    me: str | None,
    db: str | None,
    own_exchange: str | None,
    keyring: Path,
    yes: bool,
) -> None:
    """Accept an invitation, or the answer to yours: the line, a file with it, or '-' for standard
    input.

    It shows who the peer is, where messages go, and what will be sent, and asks. Then it trusts the
    peer's identity, adds the peer to your settings file, or makes that, and prints the line that
    you give back.
    """
    file: SettingsFile = context.obj
    received = Invitation.from_text(_read(invitation))
    peer, keys = received.identity, open_keyring(keyring)
    me = check_name("your own name", me or received.to)
    if received.to != me:
        raise InvalidValue(
            f"this is for a party called '{received.to}', and you are '{me}'; ask {peer.name} to "
            "invite you by your name"
        )
    with suppress(KeyNotFound):
        keys.identity(peer.name)
        raise click.UsageError(
            f"'{peer.name}' has its own identity in the keyring {keyring}, so this is from "
            "yourself; if you are both parties, give each a keyring of its own with --keyring"
        )
    if received.answers and peer.name not in file.peers:
        raise click.UsageError(f"this answers an invitation, and {file.path} has no {peer.name}")
    _show(received, me)
    if _trusted(keys, peer):
        click.echo(f"You trust this identity of {peer.name} already.", err=True)
        fingerprint = fingerprint or peer.fingerprint  # `trust` compares one that is given
    fingerprint = fingerprint or told_fingerprint(peer, err=True)
    exchange = _exchange(received, file, own_exchange, yes)
    if not file.path.exists():
        if db is None:
            default = f"{me}.duckdb"
            db = default if yes else click.prompt("Your database file", default=default, err=True)
        named = written_keyring(context, file, keyring)
        # The inviter's own mailbox is for messages with it alone.
        theirs = str(received.exchange).startswith("grpc+tls://") and own_exchange is None
        everybodys = None if theirs else exchange
        file = SettingsFile(file.path, me, file.as_written(as_text(str(db))), named, everybodys)
    elif file.me != me:
        raise click.UsageError(f'{file.path} says that you are another one; it needs me = "{me}"')
    known, proposal, runs = file.peer(peer.name), received.proposal, {}
    if proposal is not None:
        runs[proposal.script] = Agreed(proposal.session, proposal.settings)
        if proposal.script in known.runs:
            click.echo(f"It takes the place of the {proposal.script} agreed before.", err=True)
    if exchange is None:
        exchange = known.exchange
    elif exchange == file.exchange:
        exchange = None
    if known.exchange not in (None, exchange):
        click.echo(f"Messages with {peer.name} went through {visible(known.exchange)}.", err=True)
    added = file.with_peer(peer.name, exchange, runs)
    text = added.text_with_peers() if file.path.exists() else added.text
    if not yes:
        click.confirm(f"Accept, and note it in {file.path}?", abort=True, err=True)
    keys.trust(peer, fingerprint)
    own = own_identity(keys, me)
    added.write(text)
    if not received.answers:
        click.echo(Invitation(own, peer.name).signed(keys.identity(me)))
        click.echo(f"Give this line back to {peer.name}, and tell {peer.name} your", err=True)
        _tell_fingerprint(own)
    for script in runs or added.peers[peer.name].runs:
        if other_script := counterpart(script):
            click.echo(f"Then run: {_command(file, script)}", err=True)
            click.echo(f"and {peer.name} runs: {_command(None, other_script)}", err=True)


def _read(invitation: str) -> str | bytes:
    """Return the line that was given, or that a file has."""
    if invitation.lstrip().startswith(FORMAT.rpartition("-")[0]):
        return invitation
    with click.open_file(invitation, "rb") as stream:
        return bytes(stream.read(2 * LARGEST + 1))


def _show(received: Invitation, me: str) -> None:
    """Show what an invitation says, on standard error."""
    console, name, proposal = Console(stderr=True), received.identity.name, received.proposal
    if received.answers:
        console.print(Text(f"{name} answers your invitation."))
        return
    where = visible(str(received.exchange))
    console.print(Text(f"{name} invites {me}. Messages go through: {where}"))
    if proposal is None:
        return
    script = load(proposal.script)
    run = f"{script.name} in session {proposal.session}"
    console.print(Text(f"You would run {run}: {script.about}"))
    table = Table(*(Column(overflow="fold") for _ in range(4)), box=None, show_header=False)
    agreed = agreed_settings(script.name)
    for variable in (v for v in script.variables if v.name in agreed):
        value = proposal.settings.get(variable.name, variable.default)
        instead = f"instead of {variable.default or 'nothing'}"
        change = "as by default" if value == variable.default else instead
        table.add_row(
            f"    {variable.name}", Text(value or "(empty)"), change, Text(variable.about)
        )
    if agreed:
        console.print("Both have to set alike:")
        console.print(table)
    values = {variable.name: variable.default for variable in script.variables}
    show_messages(console, script, {**values, **proposal.settings, "peer": name}, me)


def _trusted(keys: Keyring, peer: PublicIdentity) -> bool:
    try:
        return keys.trusted(peer.name).text == peer.text
    except KeyNotFound:
        return False


def _exchange(received: Invitation, file: SettingsFile, given: str | None, yes: bool) -> str | None:
    """Return the exchange's address for the settings file; None where it stays. A folder or a file
    of the inviter's is taken only if the user says so: nobody else may choose where this party
    writes. And who serves a mailbox may be invited to its own."""
    if given is not None:
        return address(file.as_written(as_text(given)))
    proposed = received.exchange
    if proposed is None or (proposed.startswith("grpc+tls://") and not file.serve):
        return proposed
    if yes:
        raise click.UsageError(
            f"{visible(proposed)} is the exchange as the inviter writes it; say with --exchange "
            "where you see it"
        )
    default = proposed if file.exchange is None else file.place(file.exchange)
    question = "The inviter sees the exchange there. Where do you see it"
    chosen = click.prompt(question, default=default, err=True)
    if file.exchange is not None and chosen == default:
        return file.exchange
    return address(file.as_written(as_text(chosen)))


def _tell_fingerprint(own: PublicIdentity) -> None:
    click.echo(f"fingerprint by telephone: {shown_fingerprint(own)}", err=True)


def _command(file: SettingsFile | None, script: str) -> str:
    """Return the command that runs a script, with what each party gives by itself."""
    config = ""
    if file is not None and file.path != Path(FILE):
        config = f" --config {shlex.quote(str(file.path))}"
    own = (v.name for v in load(script).variables if v.default is None and v.name != "peer")
    return f"duckpriv{config} run {script}" + "".join(f" --set {name}=…" for name in own)
