"""duckpriv scripts, functions, info and report."""

from __future__ import annotations

import platform
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
from ..report import write_report
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
@click.option(
    "--model", default="model", show_default=True, help="The training's table of weights."
)
@click.option("--log", default="training_log", show_default=True, help="Its table of steps.")
@click.option(
    "--correlation", default="correlation", show_default=True, help="A table of correlations."
)
@click.option(
    "--scorecard", default="scorecard", show_default=True, help="The name of a scorecard's tables."
)
def report(db: str, output: Path, scored: str | None, **names: str) -> None:
    """Write a report: a training's loss and model, ROC and calibration of scores, correlations, and
    weights of evidence."""
    need_database(db)
    scored = scored and as_text(scored)
    write_report(Path(db), output, scored, **{k: as_text(name) for k, name in names.items()})
    click.echo(f"wrote {output}")
