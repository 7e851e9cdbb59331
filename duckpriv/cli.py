"""The command line of duckpriv: see `duckpriv --help`."""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, NoReturn

import click
import duckdb
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from . import __version__
from .audit import COLUMNS as AUDIT_COLUMNS
from .audit import TABLE as AUDIT_TABLE
from .audit import entries
from .columns.context import Context
from .consent import announced
from .crypto import modarith
from .crypto.parallel import cores
from .errors import DuckprivError
from .exchange import Limits, Manifest, open_exchange, open_mailbox
from .exchange import serve as serve_mailbox
from .exchange.exchange import DEFAULT_SILENCE, DEFAULT_TIMEOUT
from .functions import FUNCTIONS
from .journal import discard
from .journal import runs as all_runs
from .keyring import Keyring
from .keys import PublicIdentity
from .names import check_name
from .progress import Progress
from .report import write_report
from .scripts import Script, Statement, bundled, load
from .session import Rows, connect, default_keyring

_MOST_ROWS = 20

keyring_option = click.option(
    "--keyring",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DUCKPRIV_KEYRING",
    default=default_keyring,
    show_default="$DUCKPRIV_KEYRING, else in your configuration folder",
    help="The folder with your keys.",
)
exchange_option = click.option(
    "--exchange",
    required=True,
    metavar="ADDRESS",
    help="dir:PATH, a folder that all parties see, or grpc+tls://HOST:PORT, where a peer serves.",
)


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
    help="What is received at most: bytes, rows, columns, nesting, batch_bytes.",
)
session_option = click.option(
    "--session", required=True, help="The run's name, the same at all parties."
)
unprotected_option = click.option(
    "--unprotected",
    is_flag=True,
    help="For trials only: neither encrypt nor sign messages. All parties have to.",
)


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


@cli.command()
@click.argument("script")
@click.option(
    "--db",
    required=True,
    metavar="FILE",
    help="Your DuckDB database file. With :memory:, a run that is killed cannot go on.",
)
@click.option("--me", required=True, help="Your own name, as the peer knows it.")
@click.option("--peer", help="The other party's name; the same as --set peer=NAME.")
@exchange_option
@session_option
@keyring_option
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Sets a variable of the script."
)
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
@unprotected_option
@click.option("--dry-run", is_flag=True, help="Only list every message that would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal whether to send them.")
@click.option("--quiet", is_flag=True, help="Show neither progress nor rows; errors are shown.")
def run(
    script: str,
    db: str,
    me: str,
    peer: str | None,
    exchange: str,
    session: str,
    keyring: Path,
    settings: tuple[str, ...],
    timeout: float,
    silence: float,
    serve: str | None,
    limits: Limits,
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
    variables: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set takes NAME=VALUE, not '{setting}'")
        variables[name] = value
    if peer is not None:
        variables["peer"] = peer
    parsed = load(script)
    # A party without data has a database for its journal only, and may begin with none.
    if db != ":memory:" and (parsed.takes_table or not Path(db).parent.is_dir()):
        _need_database(db)
    output, progress = Console(), Console(stderr=True)
    asks = sys.stdin.isatty() and not (yes or quiet)
    if dry_run or asks:
        _show_messages(output, parsed, variables)
    if dry_run:
        return
    if asks:
        click.confirm("Run, and send these?", abort=True)
    if unprotected and not quiet:
        progress.print("unprotected: whoever sees the mailbox can read and alter every message")
    with connect(
        db,
        me=me,
        exchange=exchange,
        keyring=keyring,
        passphrase=_passphrase(keyring),
        session=session,
        timeout=timeout,
        silence=silence,
        serve=serve,
        limits=limits,
        unprotected=unprotected,
    ) as party:
        party.con.execute("SET enable_progress_bar = false")  # we have our own
        if quiet:
            party.run(script, **variables)  # type: ignore[arg-type]
            return

        finished = False

        def resumed(steps: int, all_: bool) -> None:
            nonlocal finished
            if finished := all_:
                progress.print(f"{script} is finished in session '{session}'; its result was:")
            else:
                progress.print(f"going on after {steps} finished statements")

        with Progress(progress, party.activity) as observer:
            rows = party.run(
                script,
                observer=observer,
                on_rows=lambda statement, rows: _show_rows(output, statement, rows),
                on_resume=resumed,
                **variables,
            )
        if finished:
            _show_rows(output, parsed.statements[-1], rows)


def _show_messages(output: Console, script: Script, variables: dict[str, object]) -> None:
    """List what a script will send."""
    values = script.values(variables)
    table = Table("channel", "to", "columns", "what the receiver learns", box=None)
    part = ""
    for message in announced(script, values):
        if message.part != part:
            part = message.part
            table.add_row(Text(part, style="italic"))
        cells = (message.channel, message.receiver, message.columns, message.reveals)
        table.add_row(*(Text(cell) for cell in cells))
    output.print(f"{script.name} sends:" if table.row_count else f"{script.name} sends nothing.")
    if table.row_count:
        output.print(table)


def _passphrase(keyring: Path) -> str | None:
    """Return the passphrase from the environment, or asked for where the keyring has one.

    Never an argument: those are seen by all users of the machine.
    """
    given = os.environ.get("DUCKPRIV_PASSPHRASE")
    if not given and Keyring(keyring).protected and sys.stdin.isatty():
        given = click.prompt(f"Passphrase of {keyring}", hide_input=True, err=True)
    return given or None


def _open_keyring(path: Path) -> Keyring:
    return Keyring(path, _passphrase(path))


def _need_database(db: str) -> None:
    if not Path(db).exists():
        raise click.UsageError(f"there is no database {db}; --db takes your DuckDB file")


@cli.command("serve")
@click.option("--me", required=True, help="Your own name, as the peers know it.")
@exchange_option
@click.option(
    "--at",
    required=True,
    metavar="ADDRESS",
    help="Where to listen: grpc+tls://HOST:PORT, such as grpc+tls://0.0.0.0:7443.",
)
@keyring_option
@limit_option
def serve_command(me: str, exchange: str, at: str, keyring: Path, limits: Limits) -> None:
    """Serve your mailbox folder to the peers that you trust, for all sessions, until Ctrl-C."""
    with serve_mailbox(exchange, at, _open_keyring(keyring), me, limits) as server:
        click.echo(f"serving {exchange} at port {server.port}; Ctrl-C ends it", err=True)
        threading.Event().wait()


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
    """Show versions, and who computes the modular arithmetic."""
    versions = (f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "gmpy2"))
    click.echo(f"duckpriv {__version__}, Python {platform.python_version()}, {', '.join(versions)}")
    click.echo(f"modular arithmetic on {cores()} cores: {modarith.implementation()}")
    for name, missing in modarith.implementations().items():
        click.echo(f"    {name}: {missing or 'can run'}")


@cli.command()
@click.argument("name", required=False)
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


@cli.group()
def identity() -> None:
    """Make your identity, show it, and trust those of your peers."""


@identity.command("create")
@click.argument("me")
@keyring_option
def identity_create(me: str, keyring: Path) -> None:
    """Make the identity of the party ME: your own name, as your peers know it."""
    _show_fingerprint(_open_keyring(keyring).create_identity(me))
    click.echo(f"Give your peers what 'duckpriv identity show {me}' prints, and tell them")
    click.echo("the fingerprint in another way, such as by telephone.")


@identity.command("show")
@click.argument("me")
@click.option("--fingerprint", is_flag=True, help="Show the fingerprint instead.")
@keyring_option
def identity_show(me: str, fingerprint: bool, keyring: Path) -> None:
    """Print the public identity of the party ME, a line to be given to peers."""
    own = _open_keyring(keyring).identity(me).public
    click.echo(own.fingerprint if fingerprint else own.text)


@identity.command("trust")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--fingerprint", help="The fingerprint that the peer told you. Without it you are asked."
)
@keyring_option
def identity_trust(file: BinaryIO, fingerprint: str | None, keyring: Path) -> None:
    """Trust the identity in FILE ('-' for standard input): what a peer's 'identity show' prints."""
    peer = PublicIdentity.from_text(file.read(1 << 16).strip())
    if fingerprint is None:
        _show_fingerprint(peer)
        click.confirm(f"Has {peer.name} told you this fingerprint?", abort=True)
        fingerprint = peer.fingerprint
    Keyring(keyring).trust(peer, fingerprint)
    click.echo(f"trusted: {peer.name}")


def _show_fingerprint(public: PublicIdentity) -> None:
    groups = [public.fingerprint[i : i + 4] for i in range(0, 64, 4)]
    click.echo(f"{public.name}: {' '.join(groups)}")


@cli.group()
def keys() -> None:
    """List, show and remove the keys in your keyring, and protect them with a passphrase."""


@keys.command("list")
@keyring_option
def keys_list(keyring: Path) -> None:
    """List the keys and session secrets: names, kinds, sizes, fingerprints."""
    infos = _open_keyring(keyring).list()
    if not infos:
        click.echo(f"no keys in {keyring}")
        return
    table = Table("name", "kind", "bits", "fingerprint (SHA-256)", box=None)
    for info in infos:
        bits = "" if info.bits is None else str(info.bits)
        table.add_row(info.name, info.kind, bits, (info.fingerprint or "")[:32])
    Console().print(table)


@keys.command("show")
@click.argument("name")
@keyring_option
def keys_show(name: str, keyring: Path) -> None:
    """Show the key NAME: kind, size, fingerprint. Never its private part."""
    info = _open_keyring(keyring).info(name)
    for field, value in vars(info).items():
        if value is not None:
            click.echo(f"{field:12} {value}")


@keys.command("remove")
@click.argument("name")
@keyring_option
@click.confirmation_option(prompt="A removed private key cannot be had back. Remove it?")
def keys_remove(name: str, keyring: Path) -> None:
    """Delete the key NAME. A session that still needs it cannot go on."""
    Keyring(keyring).remove(name)
    click.echo(f"removed {name}")


@keys.command("protect")
@click.option("--remove", is_flag=True, help="Remove the passphrase: decrypt all files.")
@keyring_option
def keys_protect(keyring: Path, remove: bool) -> None:
    """Encrypt your private keys and secrets under a passphrase, or change it.

    The passphrase is $DUCKPRIV_PASSPHRASE, or you are asked; a new one in place of another is
    always asked for. Should this be interrupted, run it again. Nothing else should use the keyring
    meanwhile.
    """
    opened = _open_keyring(keyring)
    chosen = None
    if not remove:
        given = None if opened.protected else os.environ.get("DUCKPRIV_PASSPHRASE")
        chosen = given or click.prompt(
            "New passphrase", hide_input=True, confirmation_prompt=True, err=True
        )
    opened.protect(chosen)
    click.echo(
        f"the private keys in {keyring} are not encrypted"
        if remove
        else f"protected: without the passphrase, nobody opens the private keys in {keyring}"
    )


@cli.group()
def runs() -> None:
    """List the runs in your database, and discard those that will not go on."""


@runs.command("list")
@click.option("--db", required=True, metavar="FILE", help="Your DuckDB database file.")
def runs_list(db: str) -> None:
    """List the runs of scripts: session, script, state, times and settings."""
    _need_database(db)
    with duckdb.connect(db, read_only=True) as con:
        found = all_runs(con)
    table = Table("session", "script", "state", "began (UTC)", "ended", "settings", box=None)
    for run in found:
        ended = "" if run["ended_at"] is None else f"{run['ended_at']:%Y-%m-%d %H:%M}"
        began = f"{run['began_at']:%Y-%m-%d %H:%M}"
        cells = (run["session"], run["script"], run["state"], began, ended, run["settings"])
        table.add_row(*(Text(cell) for cell in cells))
    if found:
        Console().print(table)
    else:
        click.echo("no runs are noted here")


@runs.command("discard")
@click.argument("session")
@click.option("--db", required=True, metavar="FILE", help="Your DuckDB database file.")
@keyring_option
@click.confirmation_option(prompt="A discarded run cannot go on. Discard it?")
def runs_discard(session: str, db: str, keyring: Path) -> None:
    """Delete working tables, keys and waiting messages of SESSION's runs that did not finish."""
    _need_database(db)
    with duckdb.connect(db) as con:
        scripts = discard(con, Keyring(keyring), session)
    click.echo(f"discarded: {', '.join(scripts)}" if scripts else "there is nothing to discard")


@cli.group()
def messages() -> None:
    """List what was sent, open a message, and show your audit table."""


@messages.command("list")
@exchange_option
@session_option
@click.option("--me", help="Show only this party's messages; your own name, in the network.")
@keyring_option
def messages_list(exchange: str, session: str, me: str | None, keyring: Path) -> None:
    """List what was sent in a session: channel, rows, columns, bytes, SHA-256.

    Everything is read from the manifests; no message is opened.
    """
    mailbox = open_mailbox(exchange, _open_keyring(keyring), me)
    check_name("the session", session)
    table = Table(
        *("from", "to", "channel", "rows", "bytes", "sealed", "columns", "SHA-256"), box=None
    )
    for place, data in mailbox.manifests(session):
        try:
            message = Manifest.from_json(data)
        except DuckprivError as error:
            click.echo(f"{place!a}: {error}", err=True)
            continue
        if me is None or me in (message.sender, message.receiver):
            columns = Text(", ".join(f"{name} {type_}" for name, type_ in message.columns))
            table.add_row(
                message.sender,
                message.receiver,
                message.channel,
                f"{message.rows:,}",
                f"{message.bytes:,}",
                "yes" if message.sealed else "no",
                columns,
                message.sha256[:16],
            )
    if table.row_count:
        Console().print(table)
    else:
        click.echo(f"no messages of session '{session}' in {mailbox.address}")


@messages.command("show")
@click.argument("channel")
@click.option("--me", required=True, help="Your own name.")
@click.option("--peer", required=True, help="Who sent it to you.")
@exchange_option
@session_option
@keyring_option
@unprotected_option
@click.option("--rows", default=_MOST_ROWS, show_default=True, help="How many rows to show.")
def messages_show(
    channel: str,
    me: str,
    peer: str,
    exchange: str,
    session: str,
    keyring: Path,
    unprotected: bool,
    rows: int,
) -> None:
    """Check and open the message on CHANNEL that a peer sent to you, and show its first rows."""
    context = Context(_open_keyring(keyring), me, session)
    opened = open_exchange(exchange, context, unprotected=unprotected)
    try:
        received = opened.look(peer, channel)
        duckdb.from_parquet(str(received.path)).show(max_rows=rows)
        click.echo(f"{received.rows:,} rows")
    finally:
        opened.close()


@messages.command("audit")
@click.option("--db", required=True, metavar="FILE", help="Your DuckDB database file.")
@click.option("--session", help="Only this session's messages.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the table to this Parquet file instead.",
)
def messages_audit(db: str, session: str | None, export: Path | None) -> None:
    """Show the audit table of your database: every message that you sent or received."""
    _need_database(db)
    with duckdb.connect(db, read_only=True) as con:
        found = [dict(zip(AUDIT_COLUMNS, entry, strict=True)) for entry in entries(con, session)]
        if export is not None and found:
            number = ", ".join(str(entry["number"]) for entry in found)
            con.sql(f"FROM {AUDIT_TABLE} WHERE number IN ({number}) ORDER BY number").write_parquet(
                str(export)
            )
            click.echo(f"wrote {len(found):,} messages to {export}")
            return
    shown = ("moved_at", "session", "direction", "peer", "channel", "rows", "bytes", "protection")
    table = Table(*shown, box=None)
    for entry in found:
        table.add_row(*(Text(str(entry[name])) for name in shown))
    if found:
        Console().print(table)
    else:
        click.echo("no messages were noted here")


@cli.command()
@click.option("--db", required=True, metavar="FILE", help="Your DuckDB database file.")
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
def report(db: str, output: Path, scored: str | None, score: str, label: str) -> None:
    """Write a report on a training: loss, model, and ROC and calibration of scores."""
    _need_database(db)
    write_report(Path(db), output, scored, score, label)
    click.echo(f"wrote {output}")


def _show_rows(console: Console, statement: Statement, rows: Rows) -> None:
    """Print the rows of a statement, but not of a check that only passed."""
    if not rows or all(name.startswith("require") for name in rows[0]):
        return
    console.print(statement.title, style="bold", highlight=False, markup=False)
    if len(rows) == 1:
        values = ", ".join(f"{name} {_text(value)}" for name, value in rows[0].items())
        console.print(f"    {values}", highlight=False, markup=False)
        return
    table = Table(*(Column(Text(name)) for name in rows[0]), box=None)
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"… {len(rows) - _MOST_ROWS:,} more rows")


def _text(value: object) -> str:
    if type(value) is int:
        return f"{value:,}"
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def main() -> NoReturn:
    """Run the command line; errors end it with a line on standard error and status 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as with Ctrl-C
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            "stopped; the running statement was undone and no half message is left. A run goes on "
            "with the same command",
            err=True,
        )
        sys.exit(130)
    except (DuckprivError, duckdb.Error) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    sys.exit(0)
