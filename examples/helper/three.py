"""Training with a helper: a clinic knows the diagnosis, a laboratory measured, a helper computes.

scikit-learn's breast-cancer records are split between the clinic (ten columns and the diagnosis)
and the laboratory (twenty). The helper has no data and sees none: it deals random numbers, and ends
before training begins. No party has a weight in the clear, not even at the end (reveal=none); the
clinic gets the scores. Each party is a process of its own.

Run it from a checkout: python -m examples.helper.three
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
from rich.console import Console
from sklearn.datasets import load_breast_cancer

from examples.introduction import DUCKPRIV, introduce

FOLDER = Path("helper")
NAMES = ["host=clinic", "guests=lab", "helper=carol"]
console = Console(highlight=False)


def make_databases() -> None:
    """Write clinic.duckdb and lab.duckdb, with the patients' numbers."""
    data = load_breast_cancer()
    numbers = list(range(len(data.data)))
    for me, columns in (("clinic", range(10)), ("lab", range(10, 30))):
        measured = {data.feature_names[c].replace(" ", "_"): data.data[:, c] for c in columns}
        diagnosis = {"benign": data.target} if me == "clinic" else {}
        with duckdb.connect(str(FOLDER / f"{me}.duckdb")) as con:
            con.register("rows", pa.table({"patient": numbers, **diagnosis, **measured}))
            con.execute("CREATE TABLE patients AS FROM rows").fetchall()


def run(session: str, scripts: dict[str, tuple[str, ...]]) -> None:
    """Run each party's script with its settings."""
    parties = {}
    for me, (script, *settings) in scripts.items():
        command = ["duckpriv", "run", script, "--db", f"{me}.duckdb", "--me", me]
        command += ["--exchange", "dir:mailbox", "--session", session, "--keyring", f"{me}.keys"]
        for setting in (*NAMES, *settings):
            command += ["--set", setting]
        console.print(f"$ {' '.join(command)}", style="bold")
        with (FOLDER / f"{me}.log").open("ab") as log:
            parties[me] = subprocess.Popen(
                [DUCKPRIV, *command[1:]], cwd=FOLDER, stdout=log, stderr=subprocess.STDOUT
            )
    for me, party in parties.items():
        if party.wait():
            sys.exit((FOLDER / f"{me}.log").read_text())


def main() -> None:
    """Train, score, and measure."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    make_databases()
    introduce(FOLDER, "clinic", "lab", "carol")
    plan = ("table=patients", "id=patient", "iterations=12", "batch=200", "reveal=none")
    run(
        "train",
        {
            "clinic": ("lr_helper/host", "label=benign", *plan),
            "lab": ("lr_helper/guest", *plan),
            "carol": ("lr_helper/helper",),
        },
    )
    rows = ("table=patients", "id=patient", "asker=clinic")
    run(
        "score",
        {
            "clinic": ("lr_helper/predict_host", *rows),
            "lab": ("lr_helper/predict_guest", *rows),
            "carol": ("lr_helper/predict_helper",),
        },
    )
    with duckdb.connect(str(FOLDER / "clinic.duckdb")) as con:
        con.execute(
            "CREATE TABLE scored AS "
            "SELECT score, benign AS label FROM predictions JOIN patients ON id = patient"
        )
        weights = con.execute("SELECT count(weight) FROM model").fetchall()[0][0]
    subprocess.run(
        [DUCKPRIV, "report", "--db", "clinic.duckdb", "--scored", "scored"], cwd=FOLDER, check=True
    )
    console.print(f"The clinic has {weights} weights in the clear, and a score for each patient.")


if __name__ == "__main__":
    main()
