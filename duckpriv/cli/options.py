"""What several commands take."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import click
from click.shell_completion import CompletionItem
from rich.text import Text

from ..exchange import Limits
from ..functions import FUNCTIONS
from ..keyring import Keyring
from ..party import default_keyring
from ..scripts import bundled
from ..visible import visible

MOST_ROWS = 20
_Command = TypeVar("_Command", bound=Callable[..., object])


def complete_file(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    return [CompletionItem(begun, type="file")]


def complete_script(
    context: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete a bundled script's name; where none begins so, the shell does a file's."""
    names = [CompletionItem(name) for name in bundled() if name.startswith(begun)]
    return complete_file(context, parameter, begun) + names  # in bash, names count if behind it


def complete_function(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete a function's name."""
    found = [function for function in FUNCTIONS if function.name.startswith(begun)]
    return [CompletionItem(f.name, help=f.about.split(". ")[0]) for f in found]


keyring_option = click.option(
    "--keyring",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DUCKPRIV_KEYRING",
    default=default_keyring,
    show_default="$DUCKPRIV_KEYRING, else in your configuration folder",
    help="The folder with your keys.",
)


def _exchange(*name: str, required: bool) -> Callable[[_Command], _Command]:
    return click.option(
        "--exchange",
        *name,
        required=required,
        metavar="ADDRESS",
        help="dir:PATH, a folder that all parties see; s3://BUCKET/PREFIX, gs: or az:, an object "
        "store; or grpc+tls://HOST:PORT, where a peer serves.",
    )


exchange_option = _exchange(required=True)
# Where the settings file does not give it by itself: it may have one for each peer.
own_exchange_option = _exchange("own_exchange", required=False)
set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Sets a variable of the script."
)


def variables_of(settings: tuple[str, ...]) -> dict[str, str]:
    """Return what several --set say."""
    variables = {}
    for setting in map(as_text, settings):
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set takes NAME=VALUE, not '{setting}'")
        variables[name] = value
    return variables


def _limits(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Limits:
    names = [field.name for field in fields(Limits)]
    found = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in names or not number.isdecimal():
            raise click.BadParameter(f"'{text}' is not NAME=NUMBER with one of {', '.join(names)}")
        found[name] = int(number)
    return Limits(**found)


limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    callback=_limits,
    help="What is received at most: bytes, rows, columns, nesting, batch_bytes; of a mailbox that "
    "you serve also peer_sessions, peer_messages, peer_bytes, free_bytes.",
)
session_option = click.option(
    "--session", required=True, help="The run's name, the same at all parties."
)
unprotected_option = click.option(
    "--unprotected",
    is_flag=True,
    help="For trials only: neither encrypt nor sign messages. All parties have to.",
)
database_option = click.option(
    "--db",
    required=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="Your DuckDB database file.",
)


def short(value: object) -> str:
    """Return a value of a message or a result, or how it begins."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def cell(value: object) -> Text:
    """Return what a table shows of a value: as it is, whatever it says to terminals or rich."""
    return Text(visible(str(value)))


def as_text(argument: str) -> str:
    """Return an argument as the text that it is in UTF-8, also where Python takes those of the
    command line for ASCII. Raises a usage error where it is no such text."""
    try:
        argument.encode()
    except UnicodeEncodeError:  # bytes that Python could not read
        try:
            return os.fsencode(argument).decode()
        except UnicodeDecodeError:
            problem = f"'{visible(argument)}' is not text in UTF-8; is the terminal set to another"
            raise click.UsageError(f"{problem} encoding?") from None
    return argument


def passphrase(keyring: Path) -> str | None:
    """Return the passphrase from the environment, or asked for where the keyring has one.

    Never an argument: those are seen by all users of the machine.
    """
    given = os.environ.get("DUCKPRIV_PASSPHRASE")
    if not given and Keyring(keyring).protected and sys.stdin.isatty():
        given = click.prompt(f"Passphrase of {keyring}", hide_input=True, err=True)
    return given or None


def open_keyring(path: Path) -> Keyring:
    """Return the keyring at `path`, with its passphrase."""
    return Keyring(path, passphrase(path))


def need_database(db: str) -> None:
    """Raise a usage error unless there is a file `db`."""
    folder = Path(db).parent
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder {folder} for the database {db}; make it first")
    if not db or not Path(db).exists():
        raise click.UsageError(f"there is no database {db}; --db takes your DuckDB file")
