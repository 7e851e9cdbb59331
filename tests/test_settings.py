"""Settings of a user's own connection change nothing in a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.effort import THOROUGH
from tests.parties import Folder, at_once

SETTINGS = {
    "default_order": "'DESC'",
    "default_null_order": "'NULLS_FIRST'",
    "integer_division": "true",
    "arrow_large_buffer_size": "true",
    "arrow_lossless_conversion": "true",
    "preserve_insertion_order": "false",
    "default_collation": "'NOCASE'",
    "ieee_floating_point_ops": "false",
    "threads": "1",
}
IDS = [f"{'Aa'[i % 2]}{i}" for i in range(30)]
EXACT = {"noise": 0, "start": "zero", "accept_disclosure": "yes"}
SCRIPTS = {
    "psi": ("psi/host", {"id": "who", "bits": 2048}, "psi/guest", {"id": "who"}),
    "joint": (
        "lr_joint_key/host",
        {"id": "who", "label": "y", "columns": "a", "iterations": 1, **EXACT},
        "lr_joint_key/guest",
        {"id": "who", "columns": "b,c", "iterations": 1, **EXACT},
    ),
    "matmul": (
        "matmul/left",
        {"id": "who", "columns": "a", "reveal": "left", "bits": 2048},
        "matmul/right",
        {"table": "w", "id": "i", "reveal": "left", "bits": 2048},
    ),
}
RESULTS = {
    "psi": ("SELECT id FROM alignment ORDER BY id COLLATE 'C'", "SELECT id FROM alignment"),
    "joint": ("SELECT feature, weight FROM model", "SELECT feature, weight FROM model"),
    "matmul": ("SELECT id, value FROM product ORDER BY id", "SELECT count(*) FROM product_share"),
}


def run(folder: Path, settings: dict[str, str]) -> dict[str, list]:
    """Run the scripts with these settings at both parties; return their results."""
    parties = Folder(folder)
    rng = np.random.default_rng(4)
    a, b, c = rng.normal(size=(3, 30))
    parties.make_table("host", pa.table({"who": IDS, "a": a, "y": rng.integers(0, 2, 30)}))
    parties.make_table("guest", pa.table({"who": IDS, "b": b, "c": c}))
    parties.make_table("guest", pa.table({"i": [1], "w": [0.5]}), "w")
    found: dict[str, list] = {}

    def work(me: str, peer: str, session: str, script: str, variables: dict) -> object:
        with parties.connect(me, session) as party:
            for name, value in settings.items():
                party.con.execute(f"SET {name} = {value}")
            before = party.con.execute("SELECT name, value FROM duckdb_settings()").fetchall()
            party.run(script, peer=peer, **{"table": "t", **variables})
            after = party.con.execute("SELECT name, value FROM duckdb_settings()").fetchall()
            assert before == after
            return None

    for name, (left, given, right, also) in SCRIPTS.items():
        for error in at_once(
            partial(work, "host", "guest", name, left, given),
            partial(work, "guest", "host", name, right, also),
        ):
            assert error is None, error
        found[name] = [
            sorted(parties.query(me, sql))
            for me, sql in zip(("host", "guest"), RESULTS[name], strict=True)
        ]
    return found


CASES = {"all": SETTINGS} | {name: {name: value} for name, value in SETTINGS.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, list]:
    return run(tmp_path_factory.mktemp("plain"), {})


@pytest.mark.parametrize("name", CASES if THOROUGH else ["all"])
def test_the_same_results_under_other_settings(tmp_path, plain, name: str) -> None:
    found = run(tmp_path, CASES[name])
    assert found["psi"] == plain["psi"]
    assert found["matmul"] == plain["matmul"]
    for ours, theirs in zip(found["joint"], plain["joint"], strict=True):
        assert [n for n, _ in ours] == [n for n, _ in theirs]
        assert [w for _, w in ours] == pytest.approx([w for _, w in theirs], abs=1e-5)
