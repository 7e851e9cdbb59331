"""Frames, relations and lists of names as settings of a run."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as dataset
import pytest

from duckpriv import InvalidValue
from tests.effort import takes_long, thorough

HOST = pd.DataFrame(
    {
        "email": [f"user{i}" for i in range(60)],
        "balance": [i * 37 % 101 for i in range(60)],
        "repaid": [i * i % 7 > 2 for i in range(60)],
    }
)
GUEST = pd.DataFrame(
    {"mail": [f"user{i}" for i in range(20, 80)], "orders": [i % 3 for i in range(60)]}
)
KINDS = {
    "pandas": lambda frame, _: frame,
    "Polars": lambda frame, _: pl.from_pandas(frame),
    "Polars, lazy": lambda frame, _: pl.from_pandas(frame).lazy(),
    "Arrow": lambda frame, _: pa.Table.from_pandas(frame),
    "a batch of Arrow": lambda frame, _: pa.RecordBatch.from_pandas(frame),
    "a data set of Arrow": lambda frame, _: dataset.dataset(pa.Table.from_pandas(frame)),
    "a relation": lambda frame, party: party.con.from_df(frame),
    "a relation of a query": lambda frame, party: party.con.from_df(frame).filter("true"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_read_as_often_as_needed(connect, tmp_path, kind: str) -> None:
    party = connect()
    (tmp_path / "own.sql").write_text(
        "CREATE TEMP TABLE own AS FROM query_table(getvariable('table'));"
        "SELECT sum(balance)::BIGINT AS total, (SELECT count(*) FROM own) AS rows "
        "FROM query_table(getvariable('table'));"
    )
    rows = party.run(tmp_path / "own.sql", table=KINDS[kind](HOST, party))
    assert rows == [{"total": HOST.balance.sum(), "rows": 60}]
    left = "SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'duckpriv_frame%'"
    assert party.con.execute(left).fetchall() == []


@takes_long
def test_bundled_scripts_take_frames_and_lists(connect, together) -> None:
    """Matching, a table by group and joint moments, each of other kinds; against pandas."""
    bank, shop = connect("bank"), connect("shop")
    runs = [
        ("psi", {"id": "email"}, {"id": ["mail"]}, "Polars, lazy", "Arrow"),
        (
            "aggregate",
            {"measures": HOST.columns[1:2], "minimum": 5},
            {"groups": np.array(["orders"]), "minimum": np.int64(5)},
            *("a relation", "Polars, lazy"),
        ),
        *thorough(
            (
                "moments",
                {"label": "repaid", "columns": ("balance",), "bits": 2048},
                {"columns": ["orders"], "bits": 2048},
                *("Polars", "a relation"),
            )
        ),
    ]
    for name, host, guest, kind, other in runs:
        host = {"table": KINDS[kind](HOST, bank), "peer": "shop", **host}
        guest = {"table": KINDS[other](GUEST, shop), "peer": "bank", **guest}
        done = together(
            lambda name=name, host=host: bank.run(f"{name}/host", **host),
            lambda name=name, guest=guest: shop.run(f"{name}/guest", **guest),
        )
        assert all(isinstance(rows, list) for rows in done), done
    both = HOST.merge(GUEST, left_on="email", right_on="mail").groupby("orders").balance
    expected = list(zip(both.sum().index, both.count(), both.sum(), strict=True))
    query = "SELECT orders, rows, balance_sum FROM aggregate ORDER BY orders"
    assert bank.con.execute(query).fetchall() == expected


def once(frame) -> pa.RecordBatchReader:
    return pa.Table.from_pandas(frame).to_reader()


REFUSED = {
    "a reader": (once, "only once.*read_all"),
    "a scanner": (lambda f: dataset.dataset(pa.Table.from_pandas(f)).scanner(), "to_table"),
    "a relation of another connection": (duckdb.from_df, "another connection.*to_arrow_table"),
    "a dictionary": (lambda f: f.to_dict("list"), "type dict; give a name, a file or a frame"),
    "a list of rows": (lambda f: f.to_dict("records"), "type list; give a name"),
    "an array": (lambda f: f.to_numpy(), "type ndarray; give a name"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_a_table_is_refused_with_what_to_do(connect, kind: str) -> None:
    make, text = REFUSED[kind]
    with pytest.raises(InvalidValue, match=text) as raised:
        connect().run("psi/host", peer="shop", table=make(HOST), id="email")
    assert "user1" not in str(raised.value)


def test_a_list_of_other_than_names_is_refused_without_its_values(connect) -> None:
    with pytest.raises(InvalidValue, match="measures is a list") as raised:
        connect().run("aggregate/host", peer="shop", table="t", measures=[{"secret": 1}])
    assert "secret" not in str(raised.value)
