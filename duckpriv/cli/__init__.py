"""The command line of duckpriv: see `duckpriv --help`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click
import duckdb

from ..errors import DuckprivError, interruptible
from ..visible import visible_lines
from . import keys, messages, run, runs, show
from .group import cli

__all__ = ["cli", "keys", "main", "messages", "run", "runs", "show"]


def main() -> NoReturn:
    """Run the command line; errors end it with a line on standard error and status 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as with Ctrl-C
    try:
        with interruptible():
            cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        problem = visible_lines(error.format_message())  # it quotes names of files
        click.UsageError(problem, getattr(error, "ctx", None)).show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        sys.exit(130)
    except (DuckprivError, duckdb.Error, OSError) as error:
        click.echo(visible_lines(str(error)), err=True)
        sys.exit(1)
    sys.exit(0)
