"""duckpriv identity, and duckpriv keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.table import Table

from ..keyring import Keyring
from ..keys import PublicIdentity
from ..visible import visible
from .fingerprints import shown_fingerprint, told_fingerprint
from .group import cli
from .options import cell, keyring_option, open_keyring


@cli.group()
def identity() -> None:
    """Make your identity, show it, and trust those of your peers."""


@identity.command("create")
@click.argument("me")
@keyring_option
def identity_create(me: str, keyring: Path) -> None:
    """Make the identity of the party ME: your own name, as your peers know it."""
    click.echo(shown_fingerprint(open_keyring(keyring).create_identity(me)))
    click.echo(f"Give your peers what 'duckpriv identity show {me}' prints, and tell them")
    click.echo("the fingerprint in another way, such as by telephone.")


@identity.command("show")
@click.argument("me")
@click.option("--fingerprint", is_flag=True, help="Show the fingerprint instead.")
@keyring_option
def identity_show(me: str, fingerprint: bool, keyring: Path) -> None:
    """Print the public identity of the party ME, a line to be given to peers."""
    own = open_keyring(keyring).identity(me).public
    click.echo(own.fingerprint if fingerprint else own.text)


@identity.command("trust")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--fingerprint", help="The fingerprint that the peer told you. Without it you are asked."
)
@keyring_option
def identity_trust(file: BinaryIO, fingerprint: str | None, keyring: Path) -> None:
    """Trust the identity in FILE ('-' for standard input): what a peer's 'identity show' prints."""
    peer = PublicIdentity.from_text(file.read(1 << 16).strip())
    Keyring(keyring).trust(peer, fingerprint or told_fingerprint(peer))
    click.echo(f"trusted: {peer.name}")


@cli.group()
def keys() -> None:
    """List, show and remove the keys in your keyring, and protect them with a passphrase."""


@keys.command("list")
@keyring_option
def keys_list(keyring: Path) -> None:
    """List the keys and session secrets: names, kinds, sizes, fingerprints."""
    infos = open_keyring(keyring).list()
    if not infos:
        click.echo(f"no keys in {keyring}")
        return
    table = Table("name", "kind", "bits", "fingerprint (SHA-256)", box=None)
    for info in infos:
        bits = "" if info.bits is None else str(info.bits)
        shown = (info.name, info.kind, bits, (info.fingerprint or "")[:32])
        table.add_row(*map(cell, shown))
    Console().print(table)


@keys.command("show")
@click.argument("name")
@keyring_option
def keys_show(name: str, keyring: Path) -> None:
    """Show the key NAME: kind, size, fingerprint. Never its private part."""
    info = open_keyring(keyring).info(name)
    for field, value in vars(info).items():
        if value is not None:
            click.echo(f"{field:12} {visible(str(value))}")


@keys.command("remove")
@click.argument("name")
@keyring_option
@click.confirmation_option(prompt="A removed private key cannot be had back. Remove it?")
def keys_remove(name: str, keyring: Path) -> None:
    """Delete the key NAME. A session that still needs it cannot go on."""
    Keyring(keyring).remove(name)
    click.echo(f"removed {name}")


@keys.command("protect")
@click.option("--remove", is_flag=True, help="Remove the passphrase: decrypt all files.")
@keyring_option
def keys_protect(keyring: Path, remove: bool) -> None:
    """Encrypt your private keys and secrets under a passphrase, or change it.

    The passphrase is $DUCKPRIV_PASSPHRASE, or you are asked; a new one in place of another is
    always asked for. Should this be interrupted, run it again. Nothing else should use the keyring
    meanwhile.
    """
    opened = open_keyring(keyring)
    chosen = None
    if not remove:
        given = None if opened.protected else os.environ.get("DUCKPRIV_PASSPHRASE")
        chosen = given or click.prompt(
            "New passphrase", hide_input=True, confirmation_prompt=True, err=True
        )
    opened.protect(chosen)
    click.echo(
        f"the private keys in {keyring} are not encrypted"
        if remove
        else f"protected: without the passphrase, nobody opens the private keys in {keyring}"
    )
