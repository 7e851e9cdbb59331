"""duckpriv init: the settings file."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from ..errors import KeyMismatch, KeyNotFound
from ..keyring import Keyring
from ..keys import PublicIdentity
from ..names import check_name
from ..settingsfile import Peer, SettingsFile, address
from .fingerprints import shown_fingerprint
from .group import cli
from .options import (
    as_text,
    complete_file,
    keyring_option,
    open_keyring,
    own_exchange_option,
)


@cli.command()
@click.option("--me", help="Your own name, as your peers will know it.")
@click.option(
    "--db", metavar="FILE", shell_complete=complete_file, help="Your DuckDB database file."
)
@own_exchange_option
@click.option(
    "--serve",
    metavar="ADDRESS",
    help="Where your runs let the peers use your dir: mailbox, such as grpc+tls://0.0.0.0:7443.",
)
@click.option("--peer", "peers", multiple=True, help="A peer's name; '' for none yet.")
@keyring_option
@click.option("--overwrite", is_flag=True, help="Do not ask whether to write over the file.")
@click.pass_context
def init(
    context: click.Context,
    me: str | None,
    db: str | None,
    own_exchange: str | None,
    serve: str | None,
    peers: tuple[str, ...],
    keyring: Path,
    overwrite: bool,
) -> None:
    """Make your identity and your settings file: who you are, your database, your peers, and where
    messages go. It asks for what no option says.
    """
    file: SettingsFile = context.obj
    if file.path.exists() and not overwrite:
        click.confirm(f"{file.path} exists. Write over it?", abort=True)
    me = check_name("your own name", me or click.prompt("Your name, as your peers will know it"))
    db = db or click.prompt("Your DuckDB database file", default=f"{me}.duckdb")
    if own_exchange is None:
        click.echo("Messages go through dir: and a folder that all parties see, an object store")
        click.echo(
            "(s3://BUCKET/PREFIX, gs: or az:), or grpc+tls://HOST:PORT, where a peer serves."
        )
        own_exchange = click.prompt("Their address", default="dir:mailbox")
    if not peers:
        peers = (click.prompt("A peer's name, if you know it", default="", show_default=False),)
    names = [check_name("the peer's name", peer) for peer in peers if peer]
    made = SettingsFile(
        file.path,
        me,
        file.as_written(as_text(db)),
        written_keyring(context, file, keyring),
        address(file.as_written(as_text(own_exchange))),
        serve and address(serve),
        dict.fromkeys(names, Peer()),
    )
    identity = own_identity(open_keyring(keyring), me)
    made.write(made.text)
    click.echo(f"wrote {file.path}. Your fingerprint, for your peers:")
    click.echo(shown_fingerprint(identity))
    peer = names[0] if names else "PEER"
    click.echo(f"Next: 'duckpriv invite {peer} psi/host' prints an invitation to private matching,")
    click.echo("and 'duckpriv accept FILE' takes one that a peer gave you.")


def own_identity(keyring: Keyring, me: str) -> PublicIdentity:
    """Return the own identity, which is made where there is none."""
    try:
        return keyring.identity(me).public
    except KeyNotFound as missing:  # or the passphrase is
        try:
            return keyring.create_identity(me)
        except KeyMismatch:
            raise missing from None


def written_keyring(context: click.Context, file: SettingsFile, keyring: Path) -> str | None:
    """Return the keyring for a new settings file: only one that was named on the command line,
    since the environment counts more than the file."""
    named = context.get_parameter_source("keyring") == ParameterSource.COMMANDLINE
    return file.as_written(as_text(str(keyring))) if named else None
