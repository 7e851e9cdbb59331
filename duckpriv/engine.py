"""Put the registry and sql/macros onto a DuckDB connection.

The Python functions are registered on the connection's database. The macros in front
of them, which have the public names, stand in an attached in-memory database called
`duckpriv`, so nothing is written into the user's own file; the connection's search path leads
there.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from .columns.arrays import plain, without_nulls
from .columns.context import Context
from .disk import explained
from .errors import Cancelled, DuckprivError, InvalidValue, translated, unexpected
from .functions import FUNCTIONS, Function, Udf
from .parser import statements

_CATALOG = "duckpriv"


def sql_folder() -> Path:
    """Return the folder of the bundled SQL: inside an installed package, or beside it in a
    checkout."""
    installed = Path(__file__).parent / "sql"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "sql"


def install(con: duckdb.DuckDBPyConnection, context: Context, new: bool = False) -> None:
    """Register every function on `con`, working with `context`; a `new` database has nothing yet.

    A second call on the same database replaces what the first one registered. Raises
    InvalidValue where the database's own catalog is named duckpriv.
    """
    attached = _ours(con)
    context.look_up = _apart(con)
    udfs = {udf.name: udf for function in FUNCTIONS for udf in function.udfs}
    for name, udf in udfs.items():
        if attached:
            _remove(con, name)
        _register(con, udf, context)
    if not attached:
        _attach_macros(con)
    extend_search_path(con, new)


def _apart(con: duckdb.DuckDBPyConnection) -> Callable[[str, str, str, str], str | None]:
    def look_up(query: str, absent: str, database: str, schema: str) -> str | None:
        with con.cursor() as cursor:
            try:
                cursor.execute(f"USE {quoted(database)}.{quoted(schema)}")
                ((text,),) = cursor.execute(query).fetchall()
            except (duckdb.CatalogException, duckdb.BinderException):
                raise InvalidValue(absent) from None
            except duckdb.Error as error:
                raise translated(error) from None
        return None if text is None else str(text)

    return look_up


def _remove(con: duckdb.DuckDBPyConnection, name: str) -> None:
    try:
        con.remove_function(name)
    except duckdb.InvalidInputException:
        raise InvalidValue(
            "this database is open in this process with duckpriv on another connection; use that "
            "one (a cursor of it is a connection too), or close it first"
        ) from None


def extend_search_path(con: duckdb.DuckDBPyConnection, new: bool = False) -> None:
    """Let this connection find duckpriv's functions by their bare names. USE undoes it.

    Raises InvalidValue where a macro of the user's would hide one of them: a `new` database has
    none. (To list all functions takes as long as to open a database.)
    """
    path, database, schema = con.execute(
        "SELECT current_setting('search_path'), current_database(), current_schema()"
    ).fetchall()[0]
    before = path or f"{quoted(database)}.{quoted(schema)}"
    if f",{_CATALOG}.main" not in before:
        con.execute(f"SET search_path = {literal(f'{before},{_CATALOG}.main')}")
    if new:
        return
    hidden = con.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE list_contains($1, function_name) AND database_name <> $2",
        [[function.name for function in FUNCTIONS], _CATALOG],
    ).fetchall()
    if hidden:
        raise InvalidValue(
            f"a function of yours has the name of one of duckpriv's, {hidden[0][0]}; drop or "
            "rename it"
        )


def quoted(identifier: str) -> str:
    """Return an identifier as SQL has it."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def has_table(con: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> bool:
    """Whether there is this table."""
    query = (
        "SELECT count(*) > 0 FROM duckdb_tables() "
        "WHERE (database_name, schema_name, table_name) = ($1, $2, $3)"
    )
    return bool(con.execute(query, [database, schema, table]).fetchall()[0][0])


def _ours(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether this database has duckpriv's functions already."""
    found = con.execute(
        "SELECT count(*) FROM duckdb_databases() WHERE database_name = $1", [_CATALOG]
    ).fetchall()
    if found == [(0,)]:
        return False
    marked = con.execute(
        "SELECT count(*) FROM duckdb_tables() "
        "WHERE database_name = $1 AND table_name = 'function_list'",
        [_CATALOG],
    ).fetchall()
    if marked == [(0,)]:
        raise InvalidValue(
            "a database named 'duckpriv' is attached to this connection, and duckpriv needs "
            "that name for its functions; attach yours AS another name, or rename its file"
        )
    return True


def _attach_macros(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"ATTACH ':memory:' AS {_CATALOG}")
    create_macros(con)


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Create the macros, and the list of the functions, in the attached database."""
    # A cursor's search path is its own, so the user's stays as it is while we create.
    with con.cursor() as cursor:
        cursor.execute(f"USE {_CATALOG}.main")
        cursor.execute("BEGIN")
        _create_function_list(cursor)
        for statement in _definitions():
            cursor.execute(statement)
        cursor.execute("COMMIT")


@cache
def _definitions() -> list[Any]:
    """Return the statements that make the macros; to parse them takes a third of the time."""
    text, created = [], set()
    for function in FUNCTIONS:
        if function.body is None:
            text.append(_passing_on(function))
        elif function.body not in created:
            text.append((sql_folder() / "macros" / function.body).read_text("utf-8"))
            created.add(function.body)
        kind = "MACRO TABLE" if function.kind in ("table", "call") else "MACRO"
        comment = literal(f"{function.signature}: {function.about}")
        text.append(f";COMMENT ON {kind} {function.name} IS {comment};")
    sql = "\n".join(text)
    for udf in (udf for function in FUNCTIONS for udf in function.udfs if udf.hidden):
        sql = sql.replace(f"{udf.written}(", f"{udf.name}(")
    return statements(sql)


def _passing_on(function: Function) -> str:
    names = ", ".join(p.name for p in function.parameters)
    return f"CREATE MACRO {function.name}({names}) AS {function.udfs[0].name}({names})"


def _create_function_list(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE TABLE function_list (name VARCHAR, kind VARCHAR, signature VARCHAR, "
        "returns VARCHAR, about VARCHAR, reveals VARCHAR, example VARCHAR, randomised BOOLEAN)"
    )
    described = [
        (f.name, f.kind, f.signature, f.returns, f.about, f.reveals, f.example, f.randomised)
        for f in FUNCTIONS
    ]
    # Lists as parameters: the first array that Arrow makes of a list imports pandas.
    columns = [[*column] for column in zip(*described, strict=True)]
    values = ", ".join(f"unnest(${i}::VARCHAR[])" for i in range(1, len(columns) + 1))
    con.execute(f"INSERT INTO function_list SELECT {values}", columns)


def _register(con: duckdb.DuckDBPyConnection, udf: Udf, context: Context) -> None:
    parameters: list[Any] | None = None if udf.parameters is None else [*udf.parameters]
    con.create_function(
        udf.name,
        _guarded(udf, context),
        parameters,
        udf.returns,
        type=ARROW,
        side_effects=udf.volatile,
        null_handling=SPECIAL,
    )


def _guarded(udf: Udf, context: Context) -> Callable[..., pa.Array]:
    """Return what DuckDB calls: it handles NULLs, cancelling, progress and errors.

    DuckDB shows an exception's text to the user.
    """
    public = udf.function.__name__

    def call(*columns: pa.ChunkedArray) -> pa.Array:
        try:
            context.stop_if_cancelled()
            arrays = tuple(plain(_one_array(column)) for column in columns)
            started = time.perf_counter()
            with context.call():
                if udf.nulls:
                    result = udf.function(context, *arrays)
                else:
                    result = without_nulls(
                        lambda *kept: udf.function(context, *kept), arrays, udf.arrow
                    )
            context.activity.done(public, len(result), time.perf_counter() - started)
            return result
        except DuckprivError:
            raise
        except KeyboardInterrupt:
            raise Cancelled("stopped; nothing of the statement was kept") from None
        except OSError as error:
            raise DuckprivError(explained(error)) from None
        except Exception as error:
            raise unexpected(public, error) from None

    if udf.parameters is not None:
        # DuckDB reads from the signature how many arguments a function takes.
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(f"column{i}", inspect.Parameter.POSITIONAL_ONLY)
                for i in range(len(udf.parameters))
            ]
        )
    return call


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)
