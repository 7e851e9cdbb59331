"""duckpriv sql: statements with duckpriv's functions and a keyring, and no exchange."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click
import duckdb
from rich.console import Console
from rich.table import Column, Table

from ..calls import Token, tokens
from ..database import with_remedy
from ..disk import explained
from ..errors import DuckprivError, InvalidValue, translated
from ..parser import statements
from ..party import Party, connect
from ..visible import visible_lines
from .group import cli
from .options import (
    MOST_ROWS,
    as_text,
    cell,
    complete_file,
    keyring_option,
    passphrase,
    short,
)

_PROMPT, _GOES_ON = "duckpriv> ", "     ...> "
_ENDS = (".quit", ".exit", "quit", "exit")
_POLL_SECONDS = 0.1
_HELP = """End each statement with a semicolon, on as many lines as you like. Ctrl-C stops a
statement or clears what you typed, Ctrl-D ends. 'FROM duckpriv_functions();' lists the functions,
as does the command 'duckpriv functions', which also describes one."""


@cli.command("sql")
@click.argument("file", required=False, type=click.File("rb"), shell_complete=complete_file)
@click.option(
    "--db",
    default=":memory:",
    show_default=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="Your DuckDB database file; a new one is made.",
)
@keyring_option
@click.option(
    "-c", "--command", "commands", multiple=True, metavar="SQL", help="Run this, and end."
)
@click.option("--rows", default=MOST_ROWS, show_default=True, help="How many rows to show.")
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="DUCKPRIV_HISTORY",
    help="Keep the lines that you type in this file.  [default: $DUCKPRIV_HISTORY, else nowhere]",
)
def sql(
    file: BinaryIO | None,
    db: str,
    keyring: Path,
    commands: tuple[str, ...],
    rows: int,
    history: Path | None,
) -> None:
    """Run SQL with duckpriv's functions and your keys: that of -c, of FILE, of standard input, or,
    on a terminal, what you type.

    Nothing is sent: there is no exchange and no session. The first error ends it with status 1; on
    a terminal you go on.
    """
    if file is not None and commands:
        raise click.UsageError("give either -c or a file")
    typed = not commands and file is None and sys.stdin.isatty()
    texts = [as_text(command) for command in commands]
    if not commands and not typed:
        stream = file or sys.stdin.buffer
        try:
            texts = [stream.read().decode("utf-8-sig")]
        except UnicodeDecodeError:
            raise InvalidValue("the SQL is not text in UTF-8; save it as such") from None
    with connect(db, keyring=keyring, passphrase=passphrase(keyring)) as party:
        party.con.execute("SET enable_progress_bar = false")  # it would stand between the rows
        shell = _Shell(party, rows)
        if typed:
            shell.read(history)
            return
        for text in texts:
            try:
                shell.run(text)
            except duckdb.Error as error:  # in one line, without the sign below the statement's
                lines = [line.strip() for line in str(error).splitlines()]
                raise duckdb.Error(" ".join(one for one in lines if one.strip("^"))) from None


@dataclass(frozen=True)
class _Result:
    columns: list[tuple[str, str]]
    rows: list[tuple[object, ...]]  # the first ones
    number: int


class _Shell:
    def __init__(self, party: Party, most_rows: int) -> None:
        self._party, self._most_rows = party, most_rows
        self._terminated = False

    def run(self, text: str) -> None:
        """Run all statements of a text. Raises what is wrong with one."""
        try:
            for statement in statements(text):
                self._show(self._executed(statement.query), {*statement.expected_result_type})
        except duckdb.Error as error:
            raise with_remedy(self._party.con, translated(error)) from None

    def _executed(self, query: str) -> _Result:
        """Execute a statement in a thread, so that Ctrl-C reaches this one, and ends the other."""
        con, shown = self._party.con, list[tuple[object, ...]]()

        def work() -> _Result:
            con.execute(query)
            columns = [(name, str(type_)) for name, type_, *_ in con.description or ()]
            number = 0
            while rows := con.fetchmany(2048):  # all: a statement is done when its rows are
                shown.extend(rows[: max(0, self._most_rows - number)])
                number += len(rows)
            return _Result(columns, shown, number)

        with ThreadPoolExecutor(1, "duckpriv-statement") as worker:
            outcome = worker.submit(work)
            interrupted = None
            while not outcome.done():
                try:
                    wait((outcome,), _POLL_SECONDS)
                    if interrupted:  # again: the statement may just have begun
                        self._party.cancel()
                except KeyboardInterrupt as error:
                    interrupted = error
            if interrupted:
                raise interrupted
            return outcome.result()

    def _show(self, result: _Result, expected: set[duckdb.ExpectedResultType]) -> None:
        """Print the rows of a statement, or how many it has changed."""
        kinds = duckdb.ExpectedResultType
        if kinds.QUERY_RESULT not in expected:
            return
        if kinds.CHANGED_ROWS in expected and result.columns == [("Count", "BIGINT")]:
            for (changed,) in result.rows:
                click.echo(f"{changed:,} rows changed")
            return
        heads = (f"{name} {type_}" for name, type_ in result.columns)
        table = Table(*(Column(cell(head)) for head in heads), box=None)
        for column in table.columns:  # names are whole, also where several begin alike
            column.header.overflow = "fold"  # type: ignore[union-attr]
        for row in result.rows:
            table.add_row(*(cell(short(value)) for value in row))
        Console().print(table)
        hidden = result.number - len(result.rows)
        click.echo(f"{result.number:,} rows" + (f", {hidden:,} not shown" if hidden else ""))

    def read(self, history: Path | None) -> None:
        """Run what is typed, until Ctrl-D."""
        click.echo("SQL with duckpriv's functions; .help says more, Ctrl-D ends", err=True)
        text = ""
        with _line_editor(history), self._until_terminated():
            while True:
                try:
                    line = input(_GOES_ON if text else _PROMPT)
                    if not text and line.strip().lower().rstrip("; ") in _ENDS:
                        return
                    if not text and line.lstrip().startswith("."):
                        click.echo(_HELP)
                        continue
                    text = f"{text}{line}\n"
                    if _ends(text):
                        ended, text = text, ""
                        self.run(ended)
                except EOFError:
                    click.echo()
                    return
                except KeyboardInterrupt:
                    if self._terminated:
                        raise
                    text = ""
                    click.echo("stopped", err=True)
                except OSError as error:
                    click.echo(visible_lines(explained(error)), err=True)
                except (DuckprivError, duckdb.Error) as error:
                    click.echo(visible_lines(str(error)), err=True)

    @contextmanager
    def _until_terminated(self) -> Iterator[None]:
        """SIGTERM ends the shell, whatever runs; Ctrl-C does not."""

        def terminate(number: int, _frame: object) -> None:
            self._terminated = True
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def _ends(text: str) -> bool:
    """Whether a text is whole: nothing but spaces and comments, or with a semicolon at its end."""
    code = [token for token in tokens(text) if token.kind != "comment"]
    return not code or code[-1] == Token("sign", ";")


@contextmanager
def _line_editor(history: Path | None) -> Iterator[None]:
    """Let one edit the lines, where Python has an editor. They go into a file only if the user
    names one: SQL may hold secrets."""
    try:
        import readline
    except ImportError:  # Windows: its console has an editor
        yield
        return
    if history is None:
        yield
        return
    with suppress(FileNotFoundError):
        readline.read_history_file(history)
    history.touch(0o600)
    try:
        yield
    finally:
        readline.write_history_file(history)
