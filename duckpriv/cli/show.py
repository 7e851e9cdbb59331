"""duckpriv scripts, functions, info and report."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from .. import __version__
from ..crypto import modarith
from ..crypto.parallel import cores
from ..crypto.ristretto.choice import engine_name
from ..functions import FUNCTIONS
from ..report import KINDS, write_report
from ..scripts import bundled, load
from .group import cli
from .options import as_text, complete_function, database_option, need_database


@cli.command()
def scripts() -> None:
    """List the bundled scripts and the variables that they take."""
    console = Console()
    for name in bundled():
        script = load(name)
        console.print(f"[bold]{name}[/]  {script.about}", highlight=False)
        for variable in script.variables:
            default = "" if variable.default is None else f" (default {variable.default})"
            console.print(f"    {variable.name}{default}: {variable.about}", highlight=False)


@cli.command()
def info() -> None:
    """Show versions, and who computes the modular arithmetic and on the elliptic curve."""
    versions = (f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "gmpy2"))
    click.echo(f"duckpriv {__version__}, Python {platform.python_version()}, {', '.join(versions)}")
    on = "1 core" if cores() == 1 else f"{cores()} cores"
    click.echo(f"modular arithmetic on {on}: {modarith.implementation()}")
    for name, missing in modarith.implementations().items():
        click.echo(f"    {name}: {missing or 'can run'}")
    click.echo(f"ristretto255: {engine_name()}")


@cli.command()
@click.argument("name", required=False, shell_complete=complete_function)
def functions(name: str | None) -> None:
    """List the SQL functions, or describe the function NAME."""
    console = Console()
    if name is None:
        table = Table("function", "what it does", box=None)
        for function in FUNCTIONS:
            table.add_row(function.signature, function.about.split(". ")[0].rstrip(".") + ".")
        console.print(table)
        return
    found = [function for function in FUNCTIONS if function.name == name]
    if not found:
        raise click.UsageError(f"there is no function '{name}'; see 'duckpriv functions'")
    function = found[0]
    console.print(f"[bold]{function.signature}[/] → {function.returns}", highlight=False)
    for parameter in function.parameters:
        console.print(f"    {parameter.name}: {parameter.type}, {parameter.about}", highlight=False)
    console.print(function.about, highlight=False)
    console.print(f"Reveals: {function.reveals}", highlight=False)
    console.print(f"Example: {function.example}", highlight=False, markup=False)


def _results(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each kind of result that a report shows."""
    for kind in reversed(KINDS):
        option = click.option(
            f"--{kind.option}", metavar="NAME", show_default=kind.usual, help=kind.about
        )
        command = option(command)
    return command


@cli.command()
@database_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The HTML file to write.",
)
@click.option("--scored", metavar="TABLE", help="A table or view with scores and labels.")
@click.option("--score", default="score", show_default=True, help="Its column of probabilities.")
@click.option("--label", default="label", show_default=True, help="Its column of labels, 0 or 1.")
@_results
def report(
    db: str, output: Path, scored: str | None, score: str, label: str, **names: str | None
) -> None:
    """Write a report as one HTML file: who ran what, how many records matched, aggregates, a
    training's loss and weights, ROC and calibration of scores, correlations, and weights of
    evidence."""
    need_database(db)
    scored, given = scored and as_text(scored), {k: n and as_text(n) for k, n in names.items()}
    write_report(Path(db), output, scored, as_text(score), as_text(label), **given)
    click.echo(f"wrote {output}")
