"""Pages of the reference that are written from the code: scripts, command line, Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import click

import duckpriv
from duckpriv.cli import cli
from duckpriv.scripts import Script, Variable, bundled, load

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
        lines += [f"## {script.name}", "", f"{script.about} {source}", ""]
        lines += ["| setting | default | |", "|---|---|---|", *map(_setting, script.variables), ""]
    return "\n".join(lines)


def _parameter(parameter: click.Parameter, context: click.Context) -> str:
    if isinstance(parameter, click.Argument):
        return f"| `{parameter.make_metavar(context)}` | |"
    record = parameter.get_help_record(context)
    names, about = record or ("", "")
    return f"| `{_cell(names)}` | {_cell(about)} |"


def _walk(command: click.Command, context: click.Context) -> Iterator[str]:
    if not isinstance(command, click.Group):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        about = inspect.cleandoc(command.help or "").replace("\b\n", "")
        yield from (
            f"## {context.command_path}",
            "",
            f"`{usage}`",
            "",
            about,
            "",
            "| | |",
            "|---|---|",
        )
        yield from (_parameter(p, context) for p in command.get_params(context) if p.name != "help")
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
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    signature = signature.replace(parameters=parameters)
    returns = signature.return_annotation
    end = "" if returns in (inspect.Signature.empty, "None") else f" -> {returns}"
    shown = str(signature.replace(return_annotation=inspect.Signature.empty))
    shown = shown.replace("'", "")  # annotations are texts
    if len(name + shown + end) > 100:
        one_each, star = [], False
        for parameter in parameters:
            if parameter.kind is parameter.KEYWORD_ONLY and not star:
                one_each, star = [*one_each, "*"], True
            one_each.append(str(parameter).replace("'", ""))
        shown = "(\n" + "".join(f"    {one},\n" for one in one_each) + ")"
    return f"```python\n{name}{shown}{end}\n```"


def _documented(name: str, function: Callable[..., object]) -> list[str]:
    return [_signature(name, function), "", inspect.getdoc(function) or "", ""]


def _class(name: str, kind: type) -> Iterator[str]:
    yield from (f"## {name}", "", inspect.getdoc(kind) or "", "")
    for member, value in inspect.getmembers(kind):
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield from (f"### {name}.{member}", "", inspect.getdoc(value) or "", "")
        elif callable(value):
            yield from (f"### {name}.{member}", "", *_documented(member, value))


def python() -> str:
    """Return the page of the Python package."""
    lines = [_PYTHON]
    for name in ("connect", "register"):
        lines += [f"## {name}", "", *_documented(name, getattr(duckpriv, name))]
    for name in ("Party", "Keyring"):
        lines += _class(name, getattr(duckpriv, name))
    return "\n".join(lines)
