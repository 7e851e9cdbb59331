"""Private matching on real records: a clinic and a laboratory find their common patients.

scikit-learn's breast-cancer records (569 patients, 30 measurements) are split between two DuckDB
files: the clinic has ten columns and the diagnosis, the laboratory the other twenty. They share a
part of the patients, and write some ids differently, twice, or not at all. Each party is a
process of its own, started with the command that docs/tour.md shows: the clinic serves its mailbox,
and the laboratory reaches it over the network.

Run it from a checkout: python -m examples.private_matching.demo
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer

from examples.introduction import DUCKPRIV, introduce

FOLDER = Path("demo")
console = Console(highlight=False)


def make_databases() -> None:
    """Write clinic.duckdb and lab.duckdb. The clinic has patients 0 to 399, the laboratory 250
    to 568."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    ids = [f"pt-{1000 + i}" for i in range(len(data.data))]

    def table(rows: range, columns: range, diagnosis: bool) -> pa.Table:
        measured = {names[c]: data.data[rows.start : rows.stop, c] for c in columns}
        label = {"benign": data.target[rows.start : rows.stop]} if diagnosis else {}
        return pa.table({"patient": ids[rows.start : rows.stop], **label, **measured})

    clinic = table(range(400), range(10), diagnosis=True)
    lab = table(range(250, 569), range(10, 30), diagnosis=False)
    # Differently written, missing, and repeated ids.
    written = clinic["patient"].to_pylist()
    written[260], written[270], written[280], written[3] = "PT-1260", " pt-1270", None, None
    clinic = clinic.set_column(0, "patient", pa.array(written))
    clinic = pa.concat_tables([clinic, clinic.slice(390, 5)])
    written = lab["patient"].to_pylist()
    written[50], written[60], written[310] = "Pt-1300 ", None, "PT-1560"
    lab = lab.set_column(0, "patient", pa.array(written))
    lab = pa.concat_tables([lab, lab.slice(0, 3)])
    for name, rows in (("clinic", clinic), ("lab", lab)):
        with duckdb.connect(str(FOLDER / f"{name}.duckdb")) as con:
            con.execute("CREATE TABLE patients AS FROM rows").fetchall()
            console.print(
                f"{name}.duckdb: patients, {len(rows)} rows × {len(rows.columns)} columns"
            )


def start(role: str, me: str, peer: str, *exchange: str) -> subprocess.Popen[bytes]:
    """Start one party's command."""
    command = [
        *("duckpriv", "run", f"psi/{role}", "--db", f"{me}.duckdb", "--me", me, "--peer", peer),
        *(*exchange, "--session", "demo", "--keyring", f"{me}.keys"),
        *("--set", "table=patients", "--set", "id=patient", "--set", "kind=lower"),
    ]
    console.print(f"$ {' '.join(command)}", style="bold")
    with (FOLDER / f"{me}.log").open("wb") as log:
        return subprocess.Popen(
            [DUCKPRIV, *command[1:]], cwd=FOLDER, stdout=log, stderr=subprocess.STDOUT
        )


def show(title: str, rows: pa.Table) -> None:
    """Print a few rows."""
    table = Table(*rows.column_names, box=None, title=title, title_justify="left")
    for row in rows.to_pylist():
        table.add_row(*(f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)


def check() -> int:
    """Compare the parties' results with the plain join, which only this script can make; return
    the number of common patients."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{FOLDER}/clinic.duckdb' AS clinic (READ_ONLY)")
        con.execute(f"ATTACH '{FOLDER}/lab.duckdb' AS lab (READ_ONLY)")
        query = """
            SELECT DISTINCT c.patient AS at_clinic, l.patient AS at_lab
            FROM clinic.patients c JOIN lab.patients l
                ON lower(trim(c.patient)) = lower(trim(l.patient)) ORDER BY ALL"""
        plain = con.execute(query).fetchall()
        matched = con.execute(
            "SELECT c.id, l.id FROM clinic.alignment c JOIN lab.alignment l USING (pid) "
            "ORDER BY ALL"
        ).fetchall()
    if plain != matched:
        sys.exit("the private result differs from the plain join: this is a bug")
    return len({pair[1].strip().lower() for pair in plain})


def main() -> None:
    """Make the data, run both parties, show what happened."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    make_databases()
    introduce(FOLDER, "clinic", "lab")
    with socket.create_server(("localhost", 0)) as free:
        address = f"grpc+tls://localhost:{free.getsockname()[1]}"
    parties = [
        start("host", "clinic", "lab", "--exchange", "dir:mailbox", "--serve", address),
        start("guest", "lab", "clinic", "--exchange", address),
    ]
    for party, name in zip(parties, ("clinic", "lab"), strict=True):
        if party.wait():
            sys.exit((FOLDER / f"{name}.log").read_text())
    console.print("\nWhat each party sent, from the manifests:", style="bold")
    subprocess.run(
        [DUCKPRIV, "messages", "list", "--exchange", "dir:mailbox", "--session", "demo"],
        cwd=FOLDER,
        check=True,
    )
    columns = {"clinic": "benign, mean_radius, mean_texture", "lab": "worst_radius, worst_texture"}
    console.print()
    for name, shown in columns.items():
        with duckdb.connect(str(FOLDER / f"{name}.duckdb"), read_only=True) as con:
            counts = con.execute("SELECT count(DISTINCT pid) FROM alignment").fetchall()[0][0]
            rows = con.sql(
                f"SELECT pid, patient, {shown} FROM alignment JOIN patients ON id = patient "
                "WHERE lower(trim(patient)) IN ('pt-1260', 'pt-1270', 'pt-1300', 'pt-1399') "
                "ORDER BY pid LIMIT 4"
            ).to_arrow_table()
        what = (
            "matches" if name == "lab" else "named patients, matched or not: it cannot tell which"
        )
        show(f"{name}: {counts} {what}. Four of them:", rows)
    common = check()
    console.print(f"\n{common} common patients: the same as the plain join.", style="bold green")


if __name__ == "__main__":
    main()
