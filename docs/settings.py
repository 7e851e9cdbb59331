"""Write the types of the bundled scripts' settings: `make docs` puts them into
duckpriv/settings.py."""

from __future__ import annotations

from duckpriv.scripts import Script, Variable, bundled, load

_HEAD = '''\
"""The settings of the bundled scripts, as types: an editor completes them and sees a wrong name.

Written from the scripts by `make docs`; do not edit.
"""
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from os import PathLike
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Protocol,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

if TYPE_CHECKING:
    from .result import Rows
    from .runner import Observer
    from .scripts import Script, Statement

_Given_co = TypeVar("_Given_co", covariant=True)
# A text as on the command line, or a number; of several columns a list of their names.
Setting: TypeAlias = str | int | float | date | Sequence[str]
# A name, a call of a table function, a file, or a frame or relation.
Table: TypeAlias = Any


class Options(TypedDict, total=False):
    """What `Party.run` takes beside a script's settings."""

    observer: Observer | None
    on_rows: Callable[[Statement, Rows], None] | None
    on_resume: Callable[[int, bool], None] | None
    progress: bool | None
'''
_RUN = '''\
class Run(Protocol[_Given_co]):
    """`Party.run` and `Party.arun`. A file of your own is a Path here, or what `scripts.load` made
    of one, so that a setting of a bundled script is not taken for one of a file."""'''
_OWN = '''\
    @overload
    def __call__(self, script: PathLike[str] | Script, **settings: Any) -> _Given_co: ...


class _Method(Protocol[_Given_co]):
    def __get__(self, party: object, kind: type | None = None) -> Run[_Given_co]: ...


def typed(method: Callable[..., _Given_co]) -> _Method[_Given_co]:
    """Return a method that runs scripts as it is; to editors it has their settings."""
    return cast(_Method[_Given_co], method)
'''


def class_of(script: Script) -> str:
    """Return the name of a script's settings: PsiHost for psi/host."""
    return script.name.replace("/", "_").title().replace("_", "")


def field(variable: Variable) -> str:
    """Return the line of one setting."""
    type_ = "Table" if variable.name in ("table", "edges") else "Setting"
    if variable.default is None:
        type_ = f"Required[{type_}]"
    default = f"= {variable.default}; " if variable.default else ""
    return f"    {variable.name}: {type_}  # {default}{variable.about}"


def settings() -> str:
    """Return the whole module."""
    scripts = [load(name) for name in bundled()]
    classes, overloads = [], []
    for script in scripts:
        name = class_of(script)
        head = f'class {name}(Options, total=False):\n    """Of {script.name}."""\n'
        classes.append("\n".join([head, *map(field, script.variables), ""]))
        overloads.append(
            "    @overload\n"
            f'    def __call__(self, script: Literal["{script.name}"], '
            f"**settings: Unpack[{name}]) -> _Given_co: ..."
        )
    return "\n\n".join([_HEAD, *classes, "\n".join([_RUN, *overloads, _OWN])])


if __name__ == "__main__":
    print(settings(), end="")
