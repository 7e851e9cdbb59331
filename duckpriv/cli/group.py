"""The command `duckpriv`, which the others stand below."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from .. import __version__
from ..settingsfile import FILE, SettingsFile, read

# Commands that make the file where it is not there.
_MAKERS = ("init", "accept")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="DUCKPRIV_CONFIG",
    default=FILE,
    show_default=f"$DUCKPRIV_CONFIG, else {FILE} in this folder",
    help="Your settings file, which 'duckpriv init' makes. Options of a command count more.",
)
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Private data collaboration as SQL on DuckDB.

    Each party runs its own script on its own database; only what a script sends with
    exchange_send leaves it.

    \b
    For example, at the bank:
      duckpriv init
      duckpriv invite shop psi/host          prints a line for the shop
      duckpriv run psi/host --set table=customers --set id=email
    and at the shop, with that line in a file:
      duckpriv accept bank.invitation        prints a line that the bank accepts
      duckpriv run psi/guest --set table=clients --set id=mail
    """
    context.obj = SettingsFile(config)
    if context.invoked_subcommand == "init":
        return
    if config.exists():
        context.obj = read(config)
    elif (
        context.get_parameter_source("config") != ParameterSource.DEFAULT
        and context.invoked_subcommand not in _MAKERS
    ):
        raise click.UsageError(f"there is no settings file {config}; 'duckpriv init' makes one")
    context.default_map = _defaults(cli, context.obj)


def _defaults(command: click.Command, file: SettingsFile) -> dict[str, object]:
    """Return the options that a settings file gives for a command, and for those below it."""
    if isinstance(command, click.Group):
        return {name: _defaults(below, file) for name, below in command.commands.items()}
    given = {
        "me": file.me,
        "db": file.database and file.place(file.database),
        "keyring": file.keyring and file.place(file.keyring),
        "exchange": file.exchange and file.place(file.exchange),
    }
    names = [parameter.name for parameter in command.params if given.get(str(parameter.name))]
    return {name: given[name] for name in names}
