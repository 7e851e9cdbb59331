"""What people spend: a bank knows income and card spending, a retailer knows how people shop.

The two match their customers, and add up, in shares, the products of all their columns: one pass
over the rows. From these they compute the correlations of all columns first, which show that two
of the retailer's columns say the same, and then a ridge regression of the card spending. The bank
never learns which of its customers the retailer has, and nobody sees a row of the other. Each
party is a process of its own, started with the commands that are printed.

Run it from a checkout: python -m examples.joint_moments.spending
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
from sklearn.linear_model import Ridge

from examples.introduction import DUCKPRIV, introduce, run_both

FOLDER = Path("joint_moments")
BANK = ("age", "income", "loans", "card_spending")
RETAILER = ("orders", "returns", "mean_basket", "points", "night_orders")
L2 = 0.05
console = Console(highlight=False)


def make_databases() -> None:
    """Write bank.duckdb with 12,000 customers and retailer.duckdb with 15,000; 10,000 are common.
    Points are collected by orders, and so are nearly a copy of them."""
    rng = np.random.default_rng(11)
    people = 17_000
    bank = rng.normal(size=(people, 3))
    retailer = rng.normal(size=(people, len(RETAILER))) + 0.4 * bank[:, 1:2]
    retailer[:, 3] = retailer[:, 0] + 0.2 * retailer[:, 3]
    spending = bank @ [0.1, 0.6, -0.2] + retailer @ [0.5, -0.1, 0.4, 0, 0.2]
    spending += 0.5 * rng.normal(size=people)
    bank = np.column_stack([bank, spending]) * [12, 18, 1.5, 310] + [45, 52, 2, 900]
    retailer = retailer * [9, 3, 22, 120, 5] + [30, 4, 61, 400, 8]
    mail = [f"person{i}@example.com" for i in range(people)]

    def table(rows: slice, names: tuple[str, ...], values: np.ndarray) -> pa.Table:
        columns = {name: values[rows, i].round(3) for i, name in enumerate(names)}
        return pa.table({"email": mail[rows], **columns})

    tables = {
        "bank": table(slice(0, 12_000), BANK, bank),
        "retailer": table(slice(2_000, 17_000), RETAILER, retailer),
    }
    for name, rows in tables.items():
        with duckdb.connect(str(FOLDER / f"{name}.duckdb")) as con:
            con.register("rows", rows)
            con.execute("CREATE TABLE customers AS FROM rows").fetchall()


def joined() -> np.ndarray:
    """Return the common rows of both tables, as nobody could see who does not have both."""
    with duckdb.connect(str(FOLDER / "bank.duckdb"), read_only=True) as con:
        con.execute(f"ATTACH '{FOLDER}/retailer.duckdb' AS retailer (READ_ONLY)")
        columns = con.execute(
            f"SELECT {', '.join(BANK + RETAILER)} FROM customers JOIN retailer.customers "
            "USING (email)"
        ).fetchnumpy()
    return np.stack([columns[name] for name in BANK + RETAILER], axis=1)


def plain_weights(rows: np.ndarray) -> np.ndarray:
    """Return the weights, in the columns' own units, of a ridge regression on the joined rows."""
    x = np.delete(rows, BANK.index("card_spending"), axis=1)
    with duckdb.connect(str(FOLDER / "bank.duckdb"), read_only=True) as con:
        names = ", ".join(f"stddev_pop({name})" for name in BANK[:3])
        at_bank = np.array(con.execute(f"SELECT {names} FROM customers").fetchall()[0])
    # The bank standardises over all of its customers: it does not know which are common.
    deviations = np.concatenate([at_bank, x[:, 3:].std(axis=0)])
    model = Ridge(alpha=L2 * len(x)).fit(x / deviations, rows[:, BANK.index("card_spending")])
    return model.coef_ / deviations


def main() -> None:
    """Match, add up, correlate, train, and report."""
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
        "moments",
        bank="moments/host table=customers label=card_spending",
        retailer="moments/guest table=customers",
    )
    run_both(
        FOLDER,
        "correlation",
        bank="moments/correlation_host names=yes",
        retailer="moments/correlation_guest names=yes",
    )
    run_both(
        FOLDER,
        "ridge",
        bank=f"moments/regression_host l2={L2}",
        retailer=f"moments/regression_guest l2={L2}",
    )
    rows = joined()
    weights = {}
    for me in ("bank", "retailer"):
        with duckdb.connect(str(FOLDER / f"{me}.duckdb"), read_only=True) as con:
            model = con.execute("SELECT feature, weight_original FROM model").fetchall()[1:]
            weights |= dict(model)
            inflation = con.execute("SELECT feature, vif FROM correlation_vif").fetchall()
            matrix = con.execute(
                "SELECT correlation FROM correlation ORDER BY position, other_position"
            ).fetchnumpy()["correlation"]
    table = Table("column", "variance inflation", title="As the retailer sees it")
    for feature, factor in inflation:
        table.add_row(feature, f"{factor:.1f}")
    console.print(table)
    subprocess.run([DUCKPRIV, "report", "--db", "retailer.duckdb"], cwd=FOLDER, check=True)
    correlations = np.corrcoef(rows.T)
    error = np.abs(matrix.reshape(correlations.shape) - correlations).max()
    plain = plain_weights(rows)
    away = np.abs(np.array(list(weights.values())) / plain - 1).max()
    console.print(f"Largest error of a correlation {error:.1e}, of a weight {away:.1e} of it.")
    if error > 1e-4 or away > 1e-2:
        sys.exit("this is not what the joined tables give: this is a bug")
    console.print(f"See {FOLDER}/report.html.")


if __name__ == "__main__":
    main()
