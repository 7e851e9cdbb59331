"""duckpriv run: a script, with what it will send, its progress and its rows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..errors import InvalidValue
from ..exchange import Limits
from ..exchange.addresses import DEFAULT_TIMEOUT
from ..exchange.exchange import DEFAULT_SILENCE
from ..party import connect
from ..policies import read_policies, uses_of
from ..progress import Progress
from ..result import Rows
from ..scripts import PARTIES, Script, Statement, load
from ..settingsfile import SettingsFile
from ..visible import visible
from .agreed import agreed_run, show_messages
from .group import cli
from .options import (
    MOST_ROWS,
    cell,
    complete_file,
    complete_script,
    keyring_option,
    limit_option,
    need_database,
    own_exchange_option,
    passphrase,
    set_option,
    short,
    unprotected_option,
    variables_of,
)
from .policies import policy_table


def _memory(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", given, re.IGNORECASE):
        raise click.BadParameter(f"{given!a} is no size, such as 400MB or 2GB")
    return given


@cli.command()
@click.argument("script", shell_complete=complete_script)
@click.option(
    "--db",
    required=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="Your DuckDB database file. With :memory:, a run that is killed cannot go on.",
)
@click.option("--me", required=True, help="Your own name, as the peer knows it.")
@click.option("--peer", help="The other party's name; the same as --set peer=NAME.")
@own_exchange_option
@click.option("--session", help="The run's name, the same at all parties.")
@keyring_option
@set_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Seconds to wait for one message.",
)
@click.option(
    "--silence",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_SILENCE,
    show_default=True,
    help="Seconds to wait for a sign of life from a peer that was running.",
)
@click.option(
    "--serve",
    metavar="ADDRESS",
    help="Let the peers that you trust use your dir: mailbox at grpc+tls://HOST:PORT meanwhile.",
)
@limit_option
@click.option(
    "--memory",
    metavar="SIZE",
    callback=_memory,
    help="Memory that DuckDB takes before it writes to disk, such as 400MB; all else takes some "
    "300 MB.  [default: most of the machine's]",
)
@unprotected_option
@click.option("--dry-run", is_flag=True, help="Only list every message that would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal whether to send them.")
@click.option("--quiet", is_flag=True, help="Show neither progress nor rows; errors are shown.")
@click.pass_obj
def run(
    file: SettingsFile,
    script: str,
    db: str,
    me: str,
    peer: str | None,
    own_exchange: str | None,
    session: str | None,
    keyring: Path,
    settings: tuple[str, ...],
    timeout: float,
    silence: float,
    serve: str | None,
    limits: Limits,
    memory: str | None,
    unprotected: bool,
    dry_run: bool,
    yes: bool,
    quiet: bool,
) -> None:
    """Run SCRIPT: a bundled one, such as psi/host, or a file of SQL.

    'duckpriv scripts' lists the bundled ones and the variables that each takes. On a terminal you
    first see what will be sent, and are asked. If a run is ended by an error, by Ctrl-C, or killed,
    the same command goes on after the last finished statement.
    """
    parsed = load(script)
    given = variables_of(settings)
    if peer is not None:
        given["peer"] = peer
    agreed = agreed_run(file, parsed, given.get("peer"))
    variables: dict[str, object] = {**agreed.variables, **given}
    exchange = own_exchange or agreed.exchange
    taken = [f"{name}={agreed.variables[name]}" for name in agreed.variables if name not in given]
    if session is None and agreed.session is not None:
        session = agreed.session
        taken.insert(0, f"session {session}")
    if exchange is None or session is None:
        missing = "--exchange" if exchange is None else "--session"
        raise click.UsageError(f"Missing option '{missing}'.", click.get_current_context())
    if serve is None and own_exchange is None and not unprotected:
        serve = agreed.serve
    # A party whose data are in files, or that has none, may begin without a database: it is for
    # results and the journal then.
    table = str(variables.get("table", "")).strip()
    has_tables = parsed.takes_table and not (table.startswith("'") or table.endswith(")"))
    if not db or (db != ":memory:" and (has_tables or not Path(db).parent.is_dir())):
        need_database(db)
    output, progress = Console(), Console(stderr=True)
    asks = sys.stdin.isatty() and not (yes or quiet)
    if taken and not quiet:
        told = visible(f"from {file.path}: {', '.join(taken)}")
        progress.print(told, markup=False, highlight=False)
    if dry_run or asks:
        show_messages(output, parsed, parsed.values(variables), me)
        _show_policies(output, parsed, variables, db)
    if dry_run:
        return
    if asks:
        click.confirm("Run, and send these?", abort=True)
    if unprotected and not quiet:
        progress.print("unprotected: whoever sees the mailbox can read and alter every message")
    with (
        _stop_explained(),
        connect(
            db,
            me=me,
            exchange=exchange,
            keyring=keyring,
            passphrase=passphrase(keyring),
            session=session,
            timeout=timeout,
            silence=silence,
            serve=serve,
            limits=limits,
            unprotected=unprotected,
        ) as party,
    ):
        if memory:
            party.con.execute(f"SET memory_limit = '{memory}'")
        if quiet:
            party.activity.display = lambda: None
            party.run(parsed, **variables)
            return

        finished = False

        def say(text: str) -> None:
            progress.print(visible(text), highlight=False, markup=False)

        def resumed(steps: int, all_: bool) -> None:
            nonlocal finished
            if finished := all_:
                say(f"{script} is finished in session '{session}'; its result was:")
            else:
                say(f"going on after {steps} finished statements")

        with Progress(progress, party.activity) as observer:
            rows = party.run(
                parsed,
                observer=observer,
                on_rows=lambda statement, rows: _show_rows(output, statement, rows),
                on_resume=resumed,
                **variables,
            )
        if finished:
            _show_rows(output, parsed.statements[-1], rows)
        if rows.next_step:
            say(f"Next: {rows.next_step}")


@contextmanager
def _stop_explained() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo(
            "the running statement was undone and no half message is left; the same command goes "
            "on from there",
            err=True,
        )
        raise


def _show_policies(output: Console, script: Script, variables: dict[str, object], db: str) -> None:
    """List what the owner of the table allows, as far as it is about this run."""
    uses = uses_of(script)
    if not uses or not Path(db).exists():
        return
    try:
        found = read_policies(Path(db), str(variables.get("table") or ""))
    except InvalidValue as error:  # it is asked again in the run
        output.print(Text(visible(str(error), None)))
        return
    if found is None:
        output.print("no table duckpriv_policies: everything is allowed", markup=False)
        return
    # where a script names no table (as one of joint moments), all that are
    values = script.values(variables)
    parties = {name for one in PARTIES for name in str(values.get(one) or "").split(",")}
    about = [
        rule.cells
        for rule in found
        if rule.use in uses
        and (rule.here or "table" not in variables)
        and (rule.peer == "*" or rule.peer in parties)
    ]
    if not about:
        output.print("duckpriv_policies allows nothing of this", markup=False)
    else:
        output.print("duckpriv_policies allows:", markup=False)
        output.print(policy_table(about))


def _show_rows(console: Console, statement: Statement, rows: Rows) -> None:
    """Print the rows of a statement, but not of a check that only passed."""
    if not rows or all(name.startswith("require") for name in rows[0]):
        return
    console.print(visible(statement.title), style="bold", highlight=False, markup=False)
    if list(rows[0]) == ["note"]:
        for row in rows:
            console.print(f"    {visible(str(row['note']))}", highlight=False, markup=False)
        return
    if len(rows) == 1:
        values = ", ".join(f"{name} {short(value)}" for name, value in rows[0].items())
        console.print(f"    {visible(values)}", highlight=False, markup=False)
        return
    table = Table(*(Column(cell(name)) for name in rows[0]), box=None)
    for row in rows[:MOST_ROWS]:
        table.add_row(*(cell(short(value)) for value in row.values()))
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(f"… {len(rows) - MOST_ROWS:,} more rows")
