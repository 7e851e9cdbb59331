"""Private scores: a shop knows its customers, an agency knows how to score them.

The shop has its customers' features, the agency the weights of its scoring model. The shop gets
the scores; the agency never sees a customer, and the shop never sees a weight. (With as
many customers as features, it could solve for the weights from the scores: an agency limits what
it answers.) Each party is a process of its own.

Run it from a checkout: python -m examples.private_scores.scores
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from examples.introduction import DUCKPRIV, introduce

FOLDER = Path("private_scores")


def make_databases() -> None:
    """Write shop.duckdb with four customers and six features, agency.duckdb with six weights."""
    with duckdb.connect(str(FOLDER / "shop.duckdb")) as con:
        con.execute(
            "CREATE TABLE customers (name VARCHAR, age INTEGER, income DOUBLE, orders INTEGER, "
            "returned INTEGER, overdue INTEGER, years DOUBLE)"
        )
        con.execute(
            "INSERT INTO customers VALUES ('Ann', 34, 52.5, 12, 1, 0, 3.5), "
            "('Bob', 51, 38.0, 3, 2, 1, 0.5), ('Cem', 27, 61.2, 25, 0, 0, 6.0), "
            "('Dee', 63, 29.9, 8, 4, 2, 9.5)"
        )
    with duckdb.connect(str(FOLDER / "agency.duckdb")) as con:
        con.execute("CREATE TABLE model (position INTEGER, feature VARCHAR, weight DOUBLE)")
        con.execute(
            "INSERT INTO model VALUES (1, 'age', 0.12), (2, 'income', 0.85), (3, 'orders', 0.4), "
            "(4, 'returned', -2.25), (5, 'overdue', -14.5), (6, 'years', 1.75)"
        )


def start(side: str, me: str, peer: str, *settings: str) -> subprocess.Popen[bytes]:
    """Start one party's command."""
    command = [
        *(DUCKPRIV, "run", f"matmul/{side}", "--quiet", "--db", f"{me}.duckdb", "--me", me),
        *("--peer", peer, "--exchange", "dir:mailbox", "--session", "scores"),
        *("--keyring", f"{me}.keys", "--set", "reveal=left"),
    ]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, cwd=FOLDER)


def main() -> None:
    """Run both parties; show the shop's scores, and check them against the plain product."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    make_databases()
    introduce(FOLDER, "shop", "agency")
    parties = [
        start("left", "shop", "agency", "table=customers", "id=name"),
        start("right", "agency", "shop", "table=model", "id=position", "columns=weight"),
    ]
    if max(party.wait() for party in parties):
        sys.exit("a party failed")
    with duckdb.connect(str(FOLDER / "shop.duckdb")) as con:
        scores = dict(con.execute("SELECT id, value[1] FROM product ORDER BY id").fetchall())
        con.execute(f"ATTACH '{FOLDER}/agency.duckdb' AS agency (READ_ONLY)")
        plain = dict(
            con.execute(
                "SELECT name, list_dot_product([age, income, orders, returned, overdue, years], "
                "(SELECT list(weight ORDER BY position) FROM agency.model)) FROM customers"
            ).fetchall()
        )
    for name, score in scores.items():
        print(f"{name}: {score:.3f}")
    if any(abs(scores[name] - plain[name]) > 1e-3 for name in plain):
        sys.exit("the private scores differ from the plain ones: this is a bug")
    print("The same as computed in the clear, which neither party could do.")


if __name__ == "__main__":
    main()
