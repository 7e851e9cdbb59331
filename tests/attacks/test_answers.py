"""A peer that answers less, more or something else than was agreed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from duckpriv import ProtocolError
from tests.attacks.evil import changed
from tests.effort import THOROUGH, takes_long
from tests.parties import Folder, at_once

SHARES = (
    "$$ SELECT row, share FROM matmul_share "
    "WHERE getvariable('reveal') IN ('{}', 'both') ORDER BY row $$"
)


@takes_long
@pytest.mark.parametrize("honest, liar", [("left", "right"), ("right", "left")])
@pytest.mark.parametrize(
    "answer",
    [
        "SELECT row, share FROM matmul_share LIMIT 1",
        "SELECT row, share FROM matmul_share WHERE false",
        *(
            [
                "SELECT row, share FROM matmul_share, range(3)",
                "SELECT row, share[:1] AS share FROM matmul_share",
                "SELECT row + 1 AS row, share FROM matmul_share",
            ]
            if THOROUGH
            else []
        ),
    ],
)
def test_shares_of_a_product_that_are_not_those_of_its_rows(
    tmp_path, honest: str, liar: str, answer: str
) -> None:
    parties = Folder(tmp_path)
    parties.make_table("left", pa.table({"id": [1, 2], "a": [1.0, 2.0], "b": [3.0, 4.0]}))
    parties.make_table("right", pa.table({"id": [1, 2], "c": [0.5, 1.5], "d": [2.0, 1.0]}))
    evil = changed(f"matmul/{liar}", tmp_path, (SHARES.format(honest), f"$$ {answer} $$"))

    def work(me: str, script: str, peer: str) -> object:
        with parties.connect(me, "s1", silence=2) as party:
            return party.run(script, peer=peer, table="t", id="id", bits=2048, reveal=honest)

    found, _ = at_once(
        partial(work, honest, f"matmul/{honest}", liar), partial(work, liar, str(evil), honest)
    )
    assert isinstance(found, ProtocolError)
    assert "did not send its share of each row" in str(found)


@takes_long
def test_a_host_does_not_decide_alone_who_gets_the_scores(tmp_path) -> None:
    """All agree that the guest asks; the host tells the helper that it does itself."""
    parties = Folder(tmp_path)
    rng = np.random.default_rng(1)
    ids = np.arange(20)
    for me in ("host", "guest"):
        parties.make_table(me, pa.table({"id": ids, f"{me}0": rng.normal(size=20)}))
        parties.query(
            me,
            "CREATE TABLE model AS FROM (VALUES "
            "('(intercept)', 0.1, NULL, NULL, 0.1, 's1 logistic'), "
            f"('{me}0', 0.5, 0.0, 1.0, 0.5, 's1 logistic')) m(feature, "
            "weight, mean, deviation, weight_original, training)",
        )
    evil = changed(
        "lr_helper/predict_host",
        tmp_path,
        ("parties, getvariable('asker') AS asker", "parties, 'host' AS asker"),
    )

    def work(me: str, script: str, **settings) -> object:
        with parties.connect(me, "s1", silence=2) as party:
            return party.run(script, guests="guest", **settings)

    settings = {"table": "t", "id": "id", "asker": "guest"}
    _, guest, helper = at_once(
        partial(work, "host", str(evil), **settings),
        partial(work, "guest", "lr_helper/predict_guest", **settings),
        partial(work, "helper", "lr_helper/predict_helper"),
    )
    assert isinstance(helper, ProtocolError)
    assert "asker=host" in str(helper)
    assert isinstance(guest, ProtocolError)
    sent = tmp_path / "mailbox" / "s1" / "helper" / "host"
    assert not list(sent.glob("lrh.scores*"))
