"""What a SQL function is declared with."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

ColumnFunction = Callable[..., pa.Array]
# Another one in each process, so that no view in a database can name a hidden function.
_SECRET = secrets.token_hex(8)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a SQL function. `default` is SQL text; None: it has to be given."""

    name: str
    type: str
    about: str
    default: str | None = None


@dataclass(frozen=True)
class Udf:
    """The Python side: `function(context, *columns)`.

    `parameters` are SQL types; None takes any number of arguments of any type. A `volatile`
    one is randomised or has effects, so DuckDB calls it for each row. With `nulls`, the
    function sees NULLs itself. A `hidden` one is called by our macros only: what they give it
    can be believed.
    """

    function: ColumnFunction
    parameters: tuple[str, ...] | None
    returns: str
    arrow: pa.DataType
    volatile: bool = False
    nulls: bool = False
    hidden: bool = False

    @property
    def name(self) -> str:
        """Its name in DuckDB's catalog; people call the macro in front of it."""
        return f"{self.written}_{_SECRET}" if self.hidden else self.written

    @property
    def written(self) -> str:
        """Its name in sql/macros."""
        return f"duckpriv_udf_{self.function.__name__}"


@dataclass(frozen=True)
class Function:
    """A public SQL function.

    `kind` is scalar, aggregate, table, call (a table function that people CALL for its effect), or
    value (one value from a whole table). `body` names the file below sql/macros that defines the
    macro; without one, the macro passes its parameters on to the first of `udfs`. `reveals` says
    what its result tells, and whom.
    `example` runs as it stands, after `setup`.
    """

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    returns: str
    about: str
    reveals: str
    example: str
    setup: tuple[str, ...] = ()
    udfs: tuple[Udf, ...] = ()
    body: str | None = None
    randomised: bool = False

    @property
    def signature(self) -> str:
        """How it is called, for example `rsa_keygen(name, bits := 3072)`."""
        shown = (
            p.name if p.default is None else f"{p.name} := {p.default}" for p in self.parameters
        )
        return f"{self.name}({', '.join(shown)})"
