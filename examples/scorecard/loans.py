"""A scorecard from two parties' columns: a bank knows who repaid, a retailer knows how people shop.

The two match their customers. The retailer bins its columns and learns the weight of evidence of
each bin, and the information value of each column: how much it would add to the bank's scorecard.
The bank bins its own columns by itself. Both train a logistic regression on the weights of
evidence, and make points of it: each has the points of its own columns, and a customer's score is
the sum of both. The bank never learns which customers the retailer has, nor its bins. Each party is
a process of its own, started with the commands that are printed.

Run it from a checkout: python -m examples.scorecard.loans
"""

from __future__ import annotations

import math
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

import duckpriv
from examples.introduction import DUCKPRIV, introduce, run_both

FOLDER = Path("scorecard")
L2 = 0.01
console = Console(highlight=False)
# What each party does by itself: SQL on its own tables.
BANK = """
CREATE TABLE own_bins AS FROM woe_bins('customers', without := 'email,repaid', bins := 5);
CREATE TABLE own_counts AS FROM woe_counts('customers', 'own_bins', label := 'repaid');
CREATE TABLE own_woe AS
    SELECT *, 'bin ' || bin AS description FROM weight_of_evidence('own_counts');
CREATE VIEW customers_woe AS FROM woe_transform('customers', 'own');
"""
RETAILER = """
CREATE TABLE merged_bins AS FROM monotone_bins('scorecard');
CREATE TABLE merged_woe AS FROM monotone_woe('scorecard');
CREATE VIEW customers_woe AS FROM woe_transform('customers', 'merged');
"""
# The base is the bank's, whose model has the intercept. The label 1, a loan was repaid, is good.
POINTS = {
    "bank": "FROM scorecard_points('model', 'own_woe', good := 1)",
    "retailer": "FROM scorecard_points('model', 'merged_woe', good := 1, base_points := 0, "
    "base_odds := 1)",
}


def make_databases() -> None:
    """Write bank.duckdb with 8,000 customers and retailer.duckdb with 9,000; 7,000 are common."""
    rng = np.random.default_rng(7)
    people = 10_000
    age, income = rng.normal(45, 12, people).round(), rng.normal(52, 18, people).round(1)
    late, basket = rng.poisson(1.5, people), rng.normal(60, 20, people).round(2)
    city = rng.choice(["Aachen", "Köln", "Liège", "Maastricht"], people, p=[0.4, 0.3, 0.2, 0.1])
    score = 0.3 * (age - 45) / 12 + 0.6 * (income - 52) / 18 - 0.6 * late + 0.8 * (city == "Köln")
    repaid = (rng.random(people) < 1 / (1 + np.exp(-score - 1.5))).astype(np.int32)
    mail = np.array([f"person{i}@example.com" for i in range(people)])
    bank, shop = slice(0, 8_000), slice(1_000, 10_000)
    # A tenth of the retailer's customers has told no city.
    told = [None if i % 10 == 0 else name for i, name in enumerate(city.tolist())]
    tables = {
        "bank": {
            "email": mail[bank],
            "repaid": repaid[bank],
            "age": age[bank],
            "income": income[bank],
        },
        "retailer": {
            "email": mail[shop],
            "late_payments": late[shop],
            "mean_basket": basket[shop],
            "city": told[shop],
        },
    }
    for name, columns in tables.items():
        with duckdb.connect(str(FOLDER / f"{name}.duckdb")) as con:
            con.register("rows", pa.table(columns))
            con.execute("CREATE TABLE customers AS FROM rows").fetchall()


def prepare(me: str, statements: str) -> None:
    """What a party runs by itself, with duckpriv's functions."""
    with duckpriv.connect(FOLDER / f"{me}.duckdb") as party:
        party.con.execute(statements).fetchall()


def query(me: str, sql: str) -> list[tuple]:
    with duckpriv.connect(FOLDER / f"{me}.duckdb") as party:
        return party.con.execute(sql).fetchall()


def check_values() -> float:
    """Return the largest error of the retailer's information values, against plain SQL on the
    joined tables, as nobody could run it who does not have both."""
    found = dict(query("retailer", "SELECT feature, iv FROM scorecard_information_value"))
    with duckpriv.connect() as party:
        for name in ("bank", "retailer"):
            party.con.execute(f"ATTACH '{FOLDER}/{name}.duckdb' AS {name} (READ_ONLY)")
        party.con.execute(
            "CREATE TABLE joined AS SELECT r.*, repaid FROM bank.customers "
            "JOIN retailer.customers r USING (email); CREATE TABLE pieces AS "
            "FROM woe_bins('joined', without := 'email,repaid', bins := 6)"
        ).fetchall()
        error = 0.0
        for feature, value in found.items():
            cases = " ".join(
                f"WHEN {feature} <= {upper} THEN {bin_}" if kind == "interval" and upper is not None
                else f"WHEN {feature} = '{category}' THEN {bin_}" if kind == "category"
                else f"WHEN {feature} IS NULL THEN {bin_}" if kind == "missing"
                else ""
                for bin_, kind, upper, category in party.con.execute(
                    "SELECT bin, kind, upper, category FROM pieces WHERE feature = $1 "
                    "ORDER BY upper", [feature],
                ).fetchall()
            )  # fmt: skip
            plain = party.con.execute(
                "SELECT sum((p / all_p - n / all_n) * ln((p / all_p) / (n / all_n))) "
                "FROM (SELECT *, sum(p) OVER () AS all_p, sum(n) OVER () AS all_n "
                "FROM (SELECT sum(repaid) AS p, sum(1 - repaid) AS n FROM joined "
                f"GROUP BY CASE {cases} ELSE 0 END))"
            ).fetchall()[0][0]
            error = max(error, abs(plain - value))
    return error


def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of the common customers labels, weights of evidence, and the sum of both parties'
    points; only for this check."""
    columns: dict[str, dict[str, tuple]] = {}
    points: dict[str, dict[str, dict[float, float]]] = {}
    for me, evidence in (("bank", "own_woe"), ("retailer", "merged_woe")):
        names = [n for (n,) in query(me, f"SELECT DISTINCT feature FROM {evidence} ORDER BY 1")]
        rows = query(me, f"SELECT email, {', '.join(names)} FROM customers_woe")
        columns[me] = {email: values for email, *values in rows}
        own = {name: dict[float, float]() for name in ["(intercept)", *names]}
        joined = f"SELECT p.feature, coalesce(w.woe, 0), points FROM ({POINTS[me]}) p LEFT JOIN "
        for feature, woe, number in query(me, f"{joined} {evidence} w USING (feature, bin)"):
            own[feature][woe] = number
        points[me] = own
    base = sum(own["(intercept)"][0] for own in points.values())
    labels = dict(query("bank", "SELECT email, repaid FROM customers"))
    common = sorted(columns["bank"].keys() & columns["retailer"].keys())
    x, total = [], []
    for email in common:
        x.append([*columns["bank"][email], *columns["retailer"][email]])
        total.append(
            base
            + sum(
                own[name][woe]
                for me, own in points.items()
                for name, woe in zip(list(own)[1:], columns[me][email], strict=True)
            )
        )
    return np.array([labels[email] for email in common]), np.array(x), np.array(total)


def show(title: str, columns: tuple[str, ...], rows: list[tuple]) -> None:
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(f"{x:.3f}" if isinstance(x, float) else str(x) for x in row))
    console.print(table)


def main() -> None:
    """Match, weigh, train, and make points."""
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
        "evidence",
        bank="scorecard/host table=customers label=repaid",
        retailer="scorecard/guest table=customers bins=6",
    )
    prepare("bank", BANK)
    prepare("retailer", RETAILER)
    run_both(
        FOLDER,
        "moments",
        bank="moments/host table=customers_woe label=repaid",
        retailer="moments/guest table=customers_woe bits=2048",
    )
    run_both(
        FOLDER,
        "train",
        bank=f"moments/regression_host l2={L2}",
        retailer=f"moments/regression_guest l2={L2} bits=2048",
    )
    values = "SELECT feature, iv FROM scorecard_information_value"
    show(
        "What the retailer's columns tell",
        ("column", "information value"),
        query("retailer", values),
    )
    for me, sql in POINTS.items():
        shown = f"SELECT feature, description, round(points, 1) FROM ({sql})"
        show(f"Points of the {me}'s columns", ("column", "bin", "points"), query(me, shown))
    subprocess.run([DUCKPRIV, "report", "--db", "retailer.duckdb"], cwd=FOLDER, check=True)
    error = check_values()
    labels, x, total = scores()
    plain = LogisticRegression(C=math.inf).fit(x, labels).predict_proba(x)[:, 1]
    joint, best = float(roc_auc_score(labels, total)), float(roc_auc_score(labels, plain))
    console.print(f"Largest error of an information value {error:.1e}.")
    console.print(f"AUC of the points {joint:.4f}, of a model on the joined tables {best:.4f}.")
    if error > 1e-9 or abs(joint - best) > 0.01:
        sys.exit("this is not what the joined tables give: this is a bug")


if __name__ == "__main__":
    main()
