"""Run a party of private matching in a process of its own; imported by that process."""

from __future__ import annotations

from pathlib import Path

import duckpriv
from duckpriv.errors import from_text

NAMES = {"host": "bank", "guest": "shop"}


def make_table(con, ids: list, sql_type: str = "VARCHAR", table: str = "people") -> None:
    con.execute(f"CREATE TABLE {table} (id {sql_type}, value INTEGER)")
    if ids:
        con.executemany(f"INSERT INTO {table} VALUES ($1, $2)", [[x, i] for i, x in enumerate(ids)])


def match(role: str, folder: str, ids: list, sql_type: str = "VARCHAR", **settings: object) -> dict:
    """Run one role over `ids`; return its result tables, or the error's class and text."""
    me = NAMES[role]
    peer = NAMES["guest" if role == "host" else "host"]
    base = Path(folder)
    session = str(settings.pop("session", "s1"))
    with duckpriv.connect(
        base / f"{me}.duckdb",
        me=me,
        exchange=f"dir:{base / 'mailbox'}",
        keyring=base / f"{me}.keys",
        session=session,
        timeout=float(settings.pop("timeout", 60)),
    ) as party:
        make_table(party.con, ids, sql_type)
        if role == "host":
            settings.setdefault("bits", 2048)
        try:
            summary = party.run(
                f"psi/{role}", **{"peer": peer, "table": "people", "id": "id", **settings}
            )
        except Exception as error:
            found = from_text(str(error))
            return {"error": type(found or error).__name__, "text": str(error)}
        result = {
            "summary": summary[0],
            "alignment": party.con.execute("FROM alignment").fetchall(),
        }
        if role == "guest":
            result["unmatched"] = party.con.execute("FROM alignment_unmatched").fetchall()
        return result
