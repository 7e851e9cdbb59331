"""Pages of the reference that are written from the code: scripts, command line, Python."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator

import click

import duckpriv
from duckpriv.cli import cli
from duckpriv.scripts import Script, Variable, bundled, load

# What a script says of the page that is linked here.
_BESIDE = re.compile(r" sql/\S+ says what each message reveals\.")
# Those of its members that are not for scripts and functions alone.
_KEYRING = (
    *("create_identity", "identity", "trust", "trusted", "all_trusted"),
    *("list", "info", "remove", "protected", "protect"),
)
_SCRIPTS = """# Scripts

A script is a file of SQL with settings. `duckpriv run NAME --set SETTING=VALUE` runs one, and so
does `party.run(NAME, SETTING=VALUE)` in Python. `duckpriv scripts` lists them on your terminal.
Each party runs its own script of a protocol, in the same session.

| script | what it does |
|---|---|"""
_COMMANDS = """# Command line

`duckpriv COMMAND --help` shows the same on your terminal, and `python -m duckpriv` is the same
command. An error ends a command with status 1 and one line on standard error: see
[Errors](errors.md).
"""
_PYTHON = """# Python

`import duckpriv` has two ways in: `connect` opens a database, `register` takes a connection that
you have. Both return a `Party`. The errors that they raise are on a
[page of their own](errors.md).
"""


def pages() -> dict[str, str]:
    """Return the pages by their places in the site."""
    folders = sorted({name.partition("/")[0] for name in bundled()})
    return {
        "commands.md": commands(),
        "python.md": python(),
        "scripts.md": scripts_index(folders),
        **{f"scripts/{folder}.md": scripts(folder) for folder in folders},
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _of(folder: str) -> list[Script]:
    return [load(name) for name in bundled() if name.startswith(f"{folder}/")]


def scripts_index(folders: list[str]) -> str:
    """Return the page that lists all scripts."""
    lines = [_SCRIPTS]
    for folder in folders:
        for script in _of(folder):
            anchor = script.name.replace("/", "")
            about = script.about.partition(". ")[0].rstrip(".")
            lines.append(f"| [`{script.name}`](scripts/{folder}.md#{anchor}) | {_cell(about)} |")
    return "\n".join([*lines, ""])


def _setting(variable: Variable) -> str:
    default = "**needed**" if variable.default is None else f"`{variable.default}`"
    default = "empty" if default == "``" else default
    return f"| `{variable.name}` | {default} | {_cell(variable.about)} |"


def scripts(folder: str) -> str:
    """Return the page of the scripts of one protocol."""
    lines = [
        f"# Scripts of {folder}",
        "",
        f"[What they do, and what each message reveals](../../sql/{folder}/README.md).",
        "",
    ]
    for script in _of(folder):
        source = f"[Its SQL](../../sql/{script.name}.sql)."
        about = _BESIDE.sub("", script.about)
        lines += [f"## {script.name}", "", f"{about} {source}", ""]
        lines += ["| setting | default | |", "|---|---|---|", *map(_setting, script.variables), ""]
    return "\n".join(lines)


def _option(parameter: click.Parameter, context: click.Context) -> str:
    names, about = parameter.get_help_record(context) or ("", "")
    return f"| `{_cell(names)}` | {_cell(about)} |"


def _walk(command: click.Command, context: click.Context) -> Iterator[str]:
    if not isinstance(command, click.Group):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        about = inspect.cleandoc(command.help or "").replace("\b\n", "")
        yield from (f"## {context.command_path}", "", f"`{usage}`", "", about, "")
        options = [p for p in command.params if isinstance(p, click.Option)]
        if options:
            yield from ("| option | |", "|---|---|")
            yield from (_option(option, context) for option in options)
            yield ""
        return
    for name in sorted(command.commands):
        sub = command.commands[name]
        yield from _walk(sub, click.Context(sub, info_name=name, parent=context))


def commands() -> str:
    """Return the page of the command line."""
    return "\n".join([_COMMANDS, *_walk(cli, click.Context(cli, info_name="duckpriv"))])


def _signature(name: str, function: Callable[..., object]) -> str:
    """Return how it is called: a parameter a line where one line is too narrow."""
    signature = inspect.signature(function)
    written, star = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            written, star = [*written, "*"], True
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        kind = stars.get(parameter.kind, "")
        written.append(f"{kind}{parameter.name}: {parameter.annotation}{default}")
    returns = signature.return_annotation
    end = "" if returns == "None" else f" -> {returns}"
    shown = f"{name}({', '.join(written)}){end}"
    if len(shown) > 80:
        shown = f"{name}(\n" + "".join(f"    {one},\n" for one in written) + f"){end}"
    return f"```python\n{shown}\n```"


def _documented(name: str, function: Callable[..., object]) -> list[str]:
    return [_signature(name, function), "", inspect.getdoc(function) or "", ""]


def _class(name: str, kind: type, members: Iterable[str]) -> Iterator[str]:
    yield from (f"## {name}", "", inspect.getdoc(kind) or "", "")
    for member in members:
        value = getattr(kind, member)
        if isinstance(value, property):
            yield from (f"### {name}.{member}", "", inspect.getdoc(value) or "", "")
        else:
            yield from (f"### {name}.{member}", "", *_documented(member, value))


def _public(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


def python() -> str:
    """Return the page of the Python package."""
    lines = [_PYTHON]
    for name in ("connect", "register"):
        lines += [f"## {name}", "", *_documented(name, getattr(duckpriv, name))]
    lines += _class("Party", duckpriv.Party, _public(duckpriv.Party))
    lines += _class("Keyring", duckpriv.Keyring, _KEYRING)
    return "\n".join(lines)
