"""The command line of duckpriv: see `duckpriv --help`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click
import duckdb

from ..disk import explained
from ..errors import DuckprivError, interruptible
from ..visible import visible_lines
from . import init, invite, keys, messages, policies, run, runs, show, sql
from .group import cli
from .output import Streams

__all__ = [
    "cli",
    "init",
    "invite",
    "keys",
    "main",
    "messages",
    "policies",
    "run",
    "runs",
    "show",
    "sql",
]


def main() -> NoReturn:
    """Run the command line; errors end it with a line on standard error and status 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as with Ctrl-C
    streams = Streams()
    status = _run()
    problem = streams.problem()
    if problem is not None:
        done = "" if status else "; the command was carried out"
        click.echo(f"not all output could be written: {problem}{done}", err=True)
        status = status or 1
    sys.exit(status)


def _run() -> int:
    try:
        with interruptible():
            cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        problem = visible_lines(error.format_message())  # it quotes names of files
        click.UsageError(problem, getattr(error, "ctx", None)).show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return 130
    except OSError as error:
        click.echo(visible_lines(explained(error)), err=True)
        return 1
    except (DuckprivError, duckdb.Error) as error:
        click.echo(visible_lines(str(error)), err=True)
        return 1
    return 0
