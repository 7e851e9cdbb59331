"""The command `duckpriv`, which the others stand below."""

from __future__ import annotations

import click

from .. import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Private data collaboration as SQL on DuckDB.

    Each party runs its own script on its own database; only what a script sends with
    exchange_send leaves it.

    \b
    For example, at the bank:
      duckpriv run psi/host --db bank.duckdb --me bank --peer shop \\
        --exchange dir:mailbox --session s1 --set table=customers --set id=email
    and at the shop:
      duckpriv run psi/guest --db shop.duckdb --me shop --peer bank \\
        --exchange dir:mailbox --session s1 --set table=clients --set id=mail
    """
