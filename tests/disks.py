"""Fills small file systems, and closes one for writing, and prints what is said of each: in a
namespace of mounts of its own, `unshare --map-root-user --mount python -m tests.disks FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
from click.testing import CliRunner

import duckpriv
from duckpriv import Keyring
from duckpriv.cli import cli
from duckpriv.disk import explained
from duckpriv.report import write_report

SEND = """
CREATE OR REPLACE TABLE big AS SELECT i, md5(i::VARCHAR) AS x FROM range(20000) t(i);
CALL exchange_send('shop', 'large', 'FROM big');
"""


def mount(folder: Path, size: str, *more: str) -> Path:
    folder.mkdir(exist_ok=True)
    options = ["-o", ",".join([f"size={size}", *more])]
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], check=True)
    return folder


def fill(folder: Path) -> None:
    """Leave no room, but the space of one small file."""
    try:
        with (folder / "filling").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass


def said(work) -> str:
    try:
        work()
    except (duckpriv.DuckprivError, duckdb.Error) as error:
        return f"{type(error).__name__}: {error}"
    except OSError as error:
        return f"OSError: {explained(error)}"
    return "nothing"


def main(folder: Path) -> None:
    found = {}
    script = folder / "send.sql"
    script.write_text(SEND)

    def party(me: str, mailbox: Path = folder / "mailbox", **settings) -> duckpriv.Party:
        about = {"exchange": f"dir:{mailbox}", "keyring": folder / f"{me}.keys", "session": "s"}
        database = settings.pop("database", folder / f"{me}.duckdb")
        return duckpriv.connect(database, me=me, unprotected=True, **{**about, **settings})

    with party("bank") as bank:
        bank.run(str(script))
    small = mount(folder / "temporary", "100k")
    tempfile.tempdir = str(small)
    query = "SELECT count(*) FROM exchange_recv('bank', 'large')"
    with party("shop") as shop:
        found["temporary"] = said(lambda: shop.sql(query).fetchall())
        found["left"] = [file.name for file in small.rglob("*.parquet")]
        mount(small, "50m", "remount")
        found["after"] = shop.sql(query).fetchall()
    tempfile.tempdir = None

    small = mount(folder / "full-mailbox", "100k")
    with party("bank", small, session="s2") as bank:
        found["mailbox"] = said(lambda: bank.run(str(script)))
    found["half"] = [file.name for file in small.rglob("*") if file.suffix != "" and file.is_file()]
    mount(small, "50m", "remount")
    with party("bank", small, session="s2") as bank:
        found["again"] = said(lambda: bank.run(str(script)))
    found["sent"] = sorted(file.name for file in small.rglob("large.*"))

    small = mount(folder / "disk", "1500k")
    with party("bank", database=small / "x.duckdb", session="s3") as bank:
        fill(small)
        found["database"] = said(lambda: bank.run(str(script)))
    found["nothing"] = [file.name for file in (folder / "mailbox" / "s3").rglob("large.*")]

    small = mount(folder / "full-keys", "100k")
    fill(small)
    with duckpriv.connect(keyring=small / "keys", session="s") as alone:
        found["keyring"] = said(lambda: alone.sql("CALL seed_keygen('mine')").fetchall())
        found["keys"] = [file.name for file in small.rglob("*") if file.name != "filling"]

    small = mount(folder / "spill", "1m")
    with party("bank", database=":memory:", session="s4") as bank:
        bank.con.execute(f"SET temp_directory = '{small}/t'; SET memory_limit = '40MB'")
        bank.con.execute("SET threads = 1")
        spilling = folder / "spill.sql"
        spilling.write_text(
            "CREATE TABLE big AS SELECT i, repeat('a', 100) || i FROM range(1000000) t(i) "
            "ORDER BY hash(i);"
        )
        found["spill"] = said(lambda: bank.run(str(spilling)))

    small = mount(folder / "closed", "20m")
    with duckdb.connect(small / "x.duckdb") as con:
        con.execute("CREATE TABLE people AS SELECT 'a' AS id")
    mount(small, "20m", "remount", "ro")
    found["closed database"] = said(lambda: party("bank", database=small / "x.duckdb"))
    found["closed report"] = said(
        lambda: write_report(small / "x.duckdb", folder / "report.html", None, "", "")
    )
    found["closed runs"] = (
        CliRunner().invoke(cli, ["runs", "list", "--db", f"{small}/x.duckdb"]).output
    )
    found["closed mailbox"] = said(lambda: party("bank", small / "mailbox"))
    found["closed keyring"] = said(lambda: Keyring(small / "keys").create_identity("bank"))
    print(json.dumps(found))


main(Path(sys.argv[1]))
