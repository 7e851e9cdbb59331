"""Run parties: of private matching in a process of its own, or several at once in threads."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

import duckpriv
from duckpriv.consent import Consent
from duckpriv.errors import from_text
from duckpriv.scripts import load


def at_once(*functions: Callable[[], object]) -> list[object]:
    """Run functions at the same time, each in a thread; return what they returned or raised."""
    results: list[object] = [None] * len(functions)

    def work(i: int) -> None:
        try:
            results[i] = functions[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Folder:
    """Parties below one folder: each has a database and a keyring, all have the mailbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def connect(self, me: str, session: str = "look", **settings) -> duckpriv.Party:
        return duckpriv.connect(
            self.folder / f"{me}.duckdb",
            me=me,
            exchange=f"dir:{self.folder / 'mailbox'}",
            keyring=self.folder / f"{me}.keys",
            session=session,
            **{"timeout": 120, "silence": 8, "unprotected": True, **settings},
        )

    def make_table(self, me: str, rows: pa.Table, name: str = "t") -> None:
        with duckdb.connect(self.folder / f"{me}.duckdb") as con:
            con.register("rows", rows)
            con.execute(f"CREATE TABLE {name} AS FROM rows").fetchall()

    def align_both(self, host: list, guest: list) -> None:
        """Alignments of two parties of which both lack rows, as private_id leaves them."""
        pids = {one: uuid.uuid4() for one in dict.fromkeys([*host, *guest])}
        for me, its in (("host", host), ("guest", guest)):
            here = set(its)
            ids = {"id": list(its), "pid": [str(pids[one]) for one in its]}
            lacks = {"pid": [str(pid) for one, pid in pids.items() if one not in here]}
            self.make_table(me, pa.table(ids), "alignment")
            self.make_table(
                me, pa.table(lacks, pa.schema({"pid": pa.string()})), "alignment_unmatched"
            )
            for table in ("alignment", "alignment_unmatched"):
                self.query(me, f"ALTER TABLE {table} ALTER pid TYPE UUID")
            both = len(set(host) & set(guest))
            self.query(
                me,
                f"CREATE TABLE alignment_sizes AS SELECT {len(host)}::BIGINT AS host_ids, "
                f"{len(guest)}::BIGINT AS guest_ids, {both}::BIGINT AS both_ids, "
                f"{len(pids)}::BIGINT AS union_ids",
            )

    def query(self, me: str, sql: str) -> list:
        """Run plain SQL on a party's database."""
        with duckdb.connect(self.folder / f"{me}.duckdb") as con:
            return con.execute(sql).fetchall()


def check_receivers(folder: Path, session: str, scripts: dict[str, tuple[str, dict]]) -> None:
    """In a run that is done, each message went to exactly the receivers that were listed."""
    for me, (name, settings) in scripts.items():
        script = load(name)
        listed: dict[str, set[str]] = {}
        values = {v.name: settings.get(v.name, v.default) for v in script.variables}
        for message in Consent(script, values, me).messages:
            listed.setdefault(message.channel, set()).update(message.receiver.split(", "))
        sent: dict[str, set[str]] = {}
        for file in (folder / "mailbox" / session / me).glob("*/*.json"):
            manifest = json.loads(file.read_text())
            channel = re.sub(r"-\d+$", "-N", manifest["channel"])
            sent.setdefault(channel, set()).add(manifest["receiver"])
        assert sent == {channel: listed[channel] for channel in sent}, name


def assert_nothing_left(folder: Folder, me: str) -> None:
    """No working tables, no journal, no messages that wait, and no keys half made."""
    schemas = folder.query(
        me, "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
    )
    assert not [name for (name,) in schemas if name.startswith("duckpriv_")]
    assert folder.query(me, "SELECT count(*) FROM duckpriv_journal") == [(0,)]
    assert not list(folder.folder.glob("*.outbox"))
    assert not list((folder.folder / f"{me}.keys").glob(".*"))


NAMES = {"host": "bank", "guest": "shop"}


def make_table(con, ids: list, sql_type: str = "VARCHAR", table: str = "people") -> None:
    con.execute(f"CREATE TABLE {table} (id {sql_type}, value INTEGER)")
    if ids:
        con.executemany(f"INSERT INTO {table} VALUES ($1, $2)", [[x, i] for i, x in enumerate(ids)])


def make_wide_table(con, rows: list[tuple], names: tuple[str, ...], table: str = "people") -> None:
    """A table of texts, whose columns are `names`."""
    con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} VARCHAR' for name in names)})")
    if rows:
        marks = ", ".join("?" for _ in names)
        con.executemany(f"INSERT INTO {table} VALUES ({marks})", [list(row) for row in rows])


def match(role: str, folder: str, ids: list, sql_type: str = "VARCHAR", **settings: object) -> dict:
    """Run one role over `ids`, which with `names` are rows of texts; return its result tables, or
    the error's class and text."""
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
        unprotected=bool(settings.pop("unprotected", True)),
    ) as party:
        names = settings.pop("names", None)
        if names:
            make_wide_table(party.con, ids, names)
        else:
            make_table(party.con, ids, sql_type)
        if role == "host":
            settings.setdefault("bits", 2048)
        settings.setdefault("scheme", "rsa")
        try:
            summary = party.run(
                f"psi/{role}", **{"peer": peer, "table": "people", "id": "id", **settings}
            )
        except Exception as error:
            found = from_text(str(error))
            return {"error": type(found or error).__name__, "text": str(error)}
        return {
            "summary": summary[0],
            "alignment": party.con.execute("FROM alignment").fetchall(),
            "unmatched": party.con.execute("FROM alignment_unmatched").fetchall(),
        }
