"""Joint credit scoring: a bank knows who repaid, a retailer knows how people shop.

The two match their customers, train a logistic regression under a key that neither can use alone,
and the bank scores its customers. The bank never sees a retailer's column, nor, until it asks for
scores, which of its customers the retailer has; the retailer never sees who repaid. Each party is
a process of its own, started with the commands that are printed.

Run it from a checkout: python -m examples.joint_lr.credit
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from examples.introduction import DUCKPRIV, introduce, run_both

FOLDER = Path("joint_lr")
BANK = ("age", "income", "loans", "years_at_bank")
RETAILER = ("orders", "returns", "mean_basket", "late_payments", "night_orders")
STEPS = "iterations=5 learning_rate=2 noise=0.25"
console = Console(highlight=False)


def make_databases() -> None:
    """Write bank.duckdb with 1,200 customers and retailer.duckdb with 1,500; 1,000 are common."""
    rng = np.random.default_rng(7)
    people = 1700
    bank = rng.normal(size=(people, len(BANK)))
    retailer = rng.normal(size=(people, len(RETAILER))) + 0.3 * bank[:, :1]
    score = bank @ [0.3, 0.7, -0.6, 0.4] + retailer @ [0.2, -0.5, 0.1, -1.2, -0.3]
    repaid = (rng.random(people) < 1 / (1 + np.exp(-score))).astype(np.int32)
    bank = bank * [12, 18, 1.5, 6] + [45, 52, 2, 11]
    retailer = retailer * [9, 3, 22, 2, 5] + [30, 4, 61, 3, 8]
    mail = [f"person{i}@example.com" for i in range(people)]

    def table(rows: slice, names: tuple[str, ...], values: np.ndarray, **more: object) -> pa.Table:
        columns = {name: values[rows, i].round(3) for i, name in enumerate(names)}
        return pa.table({"email": mail[rows], **more, **columns})

    tables = {
        "bank": table(slice(0, 1200), BANK, bank, repaid=repaid[:1200]),
        "retailer": table(slice(200, 1700), RETAILER, retailer),
    }
    for name, rows in tables.items():
        with duckdb.connect(str(FOLDER / f"{name}.duckdb")) as con:
            con.register("rows", rows)
            con.execute("CREATE TABLE customers AS FROM rows").fetchall()


def plain_auc() -> float:
    """Train on the joined tables, as nobody could who does not have both; return the AUC."""
    with duckdb.connect(str(FOLDER / "bank.duckdb"), read_only=True) as con:
        con.execute(f"ATTACH '{FOLDER}/retailer.duckdb' AS retailer (READ_ONLY)")
        columns = con.execute(
            f"SELECT repaid, {', '.join(BANK + RETAILER)} "
            "FROM customers JOIN retailer.customers USING (email)"
        ).fetchnumpy()
    x = np.stack([columns[name] for name in BANK + RETAILER], axis=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = LogisticRegression().fit(x, columns["repaid"])
    return float(roc_auc_score(columns["repaid"], model.predict_proba(x)[:, 1]))


def main() -> None:
    """Match, train, score, and report."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    make_databases()
    introduce(FOLDER, "bank", "retailer")
    run_both(
        FOLDER,
        "match",
        bank="psi/host table=customers id=email bits=2048",
        retailer="psi/guest table=customers id=email",
    )
    run_both(
        FOLDER,
        "train",
        bank=f"lr_joint_key/host table=customers label=repaid {STEPS}",
        retailer=f"lr_joint_key/guest table=customers {STEPS}",
    )
    # With unmatched=mean the retailer accepts that the bank can now tell which customers it has.
    run_both(
        FOLDER,
        "score",
        bank="lr_joint_key/predict table=customers",
        retailer="lr_joint_key/predict_peer table=customers unmatched=mean",
    )
    with duckdb.connect(str(FOLDER / "bank.duckdb")) as con:
        # Only for this check: the customers that both have.
        con.execute(f"ATTACH '{FOLDER}/retailer.duckdb' AS retailer (READ_ONLY)")
        con.execute(
            "CREATE TABLE scored AS SELECT score, repaid AS label FROM predictions "
            "JOIN customers ON id = email WHERE email IN (SELECT email FROM retailer.customers)"
        )
        model = con.execute("SELECT feature, weight, weight_original FROM model").fetchall()
        scored = con.execute("SELECT score, label FROM scored").fetchnumpy()
    table = Table("feature", "weight", "in its own unit", title="The bank's part of the model")
    for feature, weight, original in model:
        table.add_row(feature, f"{weight:.3f}", f"{original:.4g}")
    console.print(table)
    subprocess.run(
        [DUCKPRIV, "report", "--db", "bank.duckdb", "--scored", "scored"], cwd=FOLDER, check=True
    )
    joint, plain = float(roc_auc_score(scored["label"], scored["score"])), plain_auc()
    console.print(
        f"AUC of the joint scores {joint:.4f}, of a model on the joined tables {plain:.4f}"
    )
    if abs(joint - plain) > 0.01:
        sys.exit("the joint model is worse than it should be: this is a bug")
    console.print(f"See {FOLDER}/report.html.")


if __name__ == "__main__":
    main()
