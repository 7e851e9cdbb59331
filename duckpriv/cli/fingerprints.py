"""Fingerprints of identities, shown and compared."""

from __future__ import annotations

import click

from ..errors import InvalidValue
from ..keys import PublicIdentity
from ..keys.fingerprint import read_fingerprint


def shown_fingerprint(public: PublicIdentity) -> str:
    """Return name and fingerprint, in groups that one can read out."""
    groups = [public.fingerprint[i : i + 4] for i in range(0, 64, 4)]
    return f"{public.name}: {' '.join(groups)}"


def told_fingerprint(peer: PublicIdentity, err: bool = False) -> str:
    """Show the fingerprint of a peer's identity, and return the one that the peer has told: this
    one, or what is typed, asked again where that is no fingerprint. Aborts where it has told none.
    """
    click.echo(shown_fingerprint(peer), err=err)
    question = f"Has {peer.name} told you this fingerprint? (yes, no, or what you were told)"
    while True:
        answer = str(click.prompt(question, err=err)).strip()
        if answer.lower() in ("n", "no"):
            raise click.Abort
        if answer.lower() in ("y", "yes"):
            return peer.fingerprint
        try:
            return read_fingerprint(answer, peer.name)
        except InvalidValue as error:
            click.echo(str(error), err=err)
