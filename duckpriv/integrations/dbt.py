"""A plugin of dbt-duckdb: duckpriv's functions in models, and runs of scripts as sources.

`pip install 'duckpriv[dbt]'`; docs/dbt.md has a profile and a source.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import SourceConfig
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from ..engine import extend_search_path, quoted
from ..errors import DuckprivError, InvalidValue
from ..journal import runs
from ..party import register
from ..scripts import load

_PARTY = ("me", "keyring")
_EXCHANGE = ("exchange", "timeout", "silence", "unprotected")
_SOURCE = ("script", "session", "settings")
# Commands of dbt that change the database; others, such as compile, send nothing.
_RUNNING = ("build", "run", "retry")
# How long dbt may take to copy a result, before another model reads the same source.
_COPY_SECONDS = 60.0


@contextmanager
def _told() -> Iterator[None]:
    """Let dbt show our errors as its own, without a traceback."""
    try:
        yield
    except DuckprivError as error:
        raise DbtRuntimeError(str(error)) from None


class Plugin(BasePlugin):  # type: ignore[misc]
    """Functions on every connection of dbt's, and sources that are runs of a script."""

    @_told()
    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Take the settings of the profile."""
        of_duckdb = (self.creds and self.creds.settings) or {}
        for name in plugin_config:
            if name not in (*_PARTY, *_EXCHANGE, *of_duckdb):
                raise InvalidValue(
                    f"the plugin has no setting '{name}'; it takes {', '.join(_PARTY)}, "
                    f"{', '.join(_EXCHANGE)}, and a passphrase from DUCKPRIV_PASSPHRASE only"
                )
        self._me, self._keyring = plugin_config.get("me"), plugin_config.get("keyring")
        self._exchange = {n: plugin_config[n] for n in _EXCHANGE if n in plugin_config}
        self._one_run = threading.Lock()
        # By source: the number of the table that its next copy replaces.
        self._copied: dict[str, int | None] = {}
        self._thread = threading.local()

    @_told()
    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Put the functions on the connection of which dbt makes its cursors."""
        passphrase = os.environ.get("DUCKPRIV_PASSPHRASE") or None
        self._party = register(conn, me=self._me, keyring=self._keyring, passphrase=passphrase)

    @_told()
    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let a thread's cursor find the functions by their bare names, too."""
        extend_search_path(cursor)
        self._thread.cursor = cursor

    @_told()
    def load(self, source_config: SourceConfig) -> Any:
        """Run the source's script, or go on with a run that was ended; return its result, which dbt
        copies into the source's table. A finished run is not run again: a new session is."""
        source = source_config.table_name()
        try:
            about = {name: source_config[name] for name in _SOURCE}
        except KeyError as missing:
            raise InvalidValue(
                f"the source {source} needs {missing}: script, session and settings"
            ) from None
        script, session = load(about["script"]), str(about["session"])
        takes_result = "result" in [variable.name for variable in script.variables]
        # Of each session its own, whose name has no space: a source never has the rows of another
        # one's run.
        result = f"{source_config.identifier} {session}"
        settings = about["settings"] | ({"result": result} if takes_result else {})
        if takes_result and "result" in about["settings"]:
            raise InvalidValue(
                f"the source {source} sets 'result'; its table is {result}, one for each session"
            )
        cursor: duckdb.DuckDBPyConnection = self._thread.cursor  # dbt made it for this source
        with self._one_run:
            self._wait_for_copy(cursor, source_config)
            if getattr(get_flags(), "WHICH", None) in _RUNNING:
                if "exchange" not in self._exchange:
                    raise InvalidValue("to run a script the plugin needs 'exchange' in the profile")
                with self._party.in_session(cursor, session, **self._exchange) as party:
                    party.run(script, **settings)
            elif not any(
                (run["session"], run["script"], run["state"]) == (session, script.name, "finished")
                for run in runs(cursor)
            ):
                raise InvalidValue(
                    f"{script.name} is not finished in session '{session}'; 'dbt build' and "
                    "'dbt run' run it, and all else sends nothing"
                )
            rows = _result(cursor, script.name, session, result if takes_result else None)
            self._copied[source] = _made(cursor, source_config)
            return rows

    def _wait_for_copy(self, cursor: duckdb.DuckDBPyConnection, source: SourceConfig) -> None:
        """Wait until dbt, in another thread, has made the source's table: two copies at once would
        be a conflict. dbt makes one each time that a model reads the source."""
        name, until = source.table_name(), time.monotonic() + _COPY_SECONDS
        while name in self._copied and _made(cursor, source) == self._copied[name]:
            if time.monotonic() > until:  # it has failed
                return
            time.sleep(0.01)


def _made(cursor: duckdb.DuckDBPyConnection, source: SourceConfig) -> int | None:
    """Return the number of the source's table, which another one of the name does not have."""
    found = cursor.execute(
        "SELECT table_oid FROM duckdb_tables() WHERE (schema_name, table_name) = ($1, $2) "
        "AND database_name = coalesce($3, current_database())",
        [source.schema, source.identifier, source.database],
    ).fetchall()
    return int(found[0][0]) if found else None


def _result(
    cursor: duckdb.DuckDBPyConnection, script: str, session: str, table: str | None
) -> duckdb.DuckDBPyRelation | pa.Table:
    if table is None:
        return pa.table({"script": [script], "session": [session]})
    try:
        return cursor.sql(f"FROM {quoted(table)}")
    except duckdb.CatalogException:
        raise InvalidValue(
            f"session '{session}' has run {script}, and its table {table} is not there any more; "
            "take a new session"
        ) from None
