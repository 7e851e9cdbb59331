"""Calls functions through SQLAlchemy and JupySQL; run in build/pipelines, which has them."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import duckdb
import sqlalchemy
from duckdb_engine import ConnectionWrapper
from IPython.core.interactiveshell import InteractiveShell

import duckpriv

VALUE = "SELECT duckpriv.psi_id(' Ann@Example.com', 'email') AS id"
TABLE = "SELECT id, psi_id FROM duckpriv.psi_ids('people', 'email', kind := 'email')"

con = duckdb.connect(sys.argv[1])
con.execute("CREATE TABLE people AS SELECT 'Bob@Example.com' AS email")
duckpriv.register(con, keyring=sys.argv[2])

engine = sqlalchemy.create_engine("duckdb://", creator=lambda: ConnectionWrapper(con.cursor()))


def through_sqlalchemy() -> list[object]:
    with engine.connect() as one:
        return [tuple(one.execute(sqlalchemy.text(sql)).one()) for sql in (VALUE, TABLE)]


def through_jupysql() -> list[object]:
    shell = InteractiveShell()
    shell.user_ns["con"] = con
    shell.run_line_magic("load_ext", "sql")
    shell.run_line_magic("sql", "con --alias duckdb")
    return [tuple(next(iter(shell.run_cell_magic("sql", "", sql)))) for sql in (VALUE, TABLE)]


expected = [("ann@example.com",), ("Bob@Example.com", "bob@example.com")]
with ThreadPoolExecutor() as pool:
    assert pool.submit(through_sqlalchemy).result() == expected
assert through_sqlalchemy() == expected
assert through_jupysql() == expected
