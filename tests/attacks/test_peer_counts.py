"""Numbers that a peer sends: none of them makes this party take memory or time of that size.

The dishonest peer runs the real script with one place changed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from duckpriv.columns.ciphertext import HEADER_BYTES, layout_of
from duckpriv.engine import sql_folder
from tests.effort import takes_long, thorough
from tests.parties import Folder, at_once

ROOT = Path(__file__).parents[2]
PARTIES = {"host": "bank", "guests": "shop", "helper": "carol"}
HELPED = {**PARTIES, "iterations": 2, "batch": 10, "id": "id"}
BANK, SHOP = {"table": "t", "label": "y"}, {"table": "t"}


class Game(Folder):
    """Parties of which one is dishonest and one is watched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.query(
            "bank",
            "CREATE TABLE t AS SELECT i AS id, i * 37 % 11 AS a, i % 2 AS y FROM range(20) t(i)",
        )
        self.query(
            "shop",
            "CREATE TABLE t AS SELECT i AS id, i * 13 % 7 AS b, i * 5 % 3 AS c FROM range(20) t(i)",
        )

    def changed(self, script: str, before: str, after: str) -> str:
        """Return a copy of a bundled script, or of what it includes, with one place changed."""
        copy = self.folder / "dishonest"
        shutil.copytree(sql_folder(), copy)
        protocol = script.partition("/")[0]
        found = 0
        for file in (copy / protocol).rglob("*.sql"):
            if file.parent.name == "shared" or file == copy / f"{script}.sql":
                text = file.read_text()
                found += text.count(before)
                file.write_text(text.replace(before, after))
        assert found == 1
        return str(copy / f"{script}.sql")

    def play(
        self, victim: tuple[str, str, dict], *others: tuple[str, str, dict]
    ) -> dict[str, object]:
        """Run the victim in a process of its own, the others here, until the victim has ended."""

        def watched() -> subprocess.CompletedProcess[str]:
            me, script, settings = victim
            given = [f"{name}={value}" for name, value in settings.items()]
            return subprocess.run(
                [sys.executable, "-m", "tests.attacks.victim", self.folder, me, script, *given],
                cwd=ROOT, check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip

        def run(me: str, script: str, settings: dict) -> None:
            with self.connect(me, "s1") as party:
                party.run(script, **settings)

        ended, *_ = at_once(watched, *(lambda one=one: run(*one) for one in others))
        assert isinstance(ended, subprocess.CompletedProcess), ended
        found = json.loads(ended.stdout)
        assert found["mb"] < 300, found
        assert found["seconds"] < 60, found
        return found


@pytest.fixture
def game(tmp_path: Path) -> Game:
    return Game(tmp_path)


PLAN = (
    "getvariable('rows') AS rows, getvariable('batches') AS batches,\n           "
    "getvariable('iterations')::BIGINT AS iterations"
)


@takes_long
@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            "(1::BIGINT << 31) AS rows, 1::BIGINT AS batches, 1::BIGINT AS iterations",
            "plans 2147483648 rows, and most_rows is 10000000; to take so many, --set most_rows=",
        ),
        *thorough(
            (
                "5::BIGINT AS rows, 1::BIGINT AS batches, (1::BIGINT << 62) AS iterations",
                "and most_iterations is 100000",
            ),
            (
                "9999999::BIGINT AS rows, 1::BIGINT AS batches, 1::BIGINT AS iterations",
                "and a party says activation=blind kind=logistic",
            ),
            (
                "(1::BIGINT << 62) AS rows, (1::BIGINT << 62) AS batches, 1::BIGINT AS iterations",
                "and most_rows is 10000000",
            ),
            (
                "(-5)::BIGINT AS rows, 1::BIGINT AS batches, 1::BIGINT AS iterations",
                "the host's plan makes no sense",
            ),
        ),
    ],
)
def test_a_helper_refuses_a_plan_beyond_its_limits(game, plan: str, problem: str) -> None:
    host = game.changed("lr_helper/host", PLAN, plan)
    found = game.play(
        ("carol", "lr_helper/helper", PARTIES),
        ("bank", host, {**BANK, **HELPED}),
        ("shop", "lr_helper/guest", {**SHOP, **HELPED}),
    )
    assert problem in found["outcome"]


@takes_long
@pytest.mark.parametrize("width", ["(1::BIGINT << 62)", *thorough("(1::BIGINT << 40)")])
def test_parties_refuse_a_peer_with_countless_features(game, width: str) -> None:
    guest = game.changed(
        "lr_helper/guest",
        "$$ SELECT getvariable('width')::BIGINT AS width, getvariable('plan')",
        f"$$ SELECT {width} AS width, getvariable('plan')",
    )
    found = game.play(
        ("bank", "lr_helper/host", {**BANK, **HELPED}),
        ("carol", "lr_helper/helper", PARTIES),
        ("shop", guest, {**SHOP, **HELPED}),
    )
    assert "and most_features is 10000; to take so many, --set" in found["outcome"]


@takes_long
@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            "getvariable('rows') AS rows, series,",
            "(1::BIGINT << 40) AS rows, series,",
            "not numbered",
        ),
        ("getvariable('name_seed') AS name_seed", "repeat('x', 9000000) AS name_seed", "no sense"),
    ],
)
def test_a_guest_of_a_helper_takes_no_size_from_the_start_message(
    game, before, after, problem
) -> None:
    host = game.changed("lr_helper/host", before, after)
    found = game.play(
        ("shop", "lr_helper/guest", {**SHOP, **HELPED}),
        ("carol", "lr_helper/helper", PARTIES),
        ("bank", host, {**BANK, **HELPED}),
    )
    assert problem in found["outcome"]


TWO = {"iterations": 1, "batch": 20, "id": "id", "accept_disclosure": "yes"}


@takes_long
def test_a_guest_under_a_joint_key_takes_no_size_from_the_start_message(game) -> None:
    host = game.changed(
        "lr_joint_key/host",
        "getvariable('width')::BIGINT AS width\n",
        "(1::BIGINT << 40) AS width\n",
    )
    found = game.play(
        ("shop", "lr_joint_key/guest", {**SHOP, **TWO, "peer": "bank"}),
        ("bank", host, {**BANK, **TWO, "peer": "shop"}),
    )
    assert "the host's start message makes no sense" in found["outcome"]


def test_a_host_under_a_joint_key_takes_no_size_from_the_guest(game) -> None:
    guest = game.changed(
        "lr_joint_key/guest",
        "$$ SELECT getvariable('width')::BIGINT AS width $$",
        "$$ SELECT 900000::BIGINT AS width $$",
    )
    found = game.play(
        ("bank", "lr_joint_key/host", {**BANK, **TWO, "peer": "shop"}),
        ("shop", guest, {**SHOP, **TWO, "peer": "bank"}),
    )
    assert "the guest asks for something else than its gradient" in found["outcome"]


SHAPE = "SELECT count(*) AS rows, coalesce(max(len(x)), 0) AS columns FROM matmul_rows"


@takes_long
@pytest.mark.parametrize(
    ("liar", "shape", "problem"),
    [
        ("left", f"(1::BIGINT << {bits}) AS rows, 2::BIGINT AS columns", problem)
        for bits, problem in (
            (62, "more than 2^31"),
            *thorough((31, "did not encrypt|did not answer")),
        )
    ]
    + [
        ("right", f"2::BIGINT AS rows, (1::BIGINT << {bits}) AS columns", problem)
        for bits, problem in (
            (31, "did not encrypt|did not answer"),
            *thorough((62, "more than 2^31")),
        )
    ],
)
def test_shapes_of_a_matrix(game, liar: str, shape: str, problem: str) -> None:
    game.query("bank", "CREATE TABLE x AS SELECT i AS id, i AS a, -i AS b FROM range(4) t(i)")
    game.query("shop", "CREATE TABLE w AS SELECT i AS id, i AS a, 1 AS b FROM range(2) t(i)")
    settings = {"id": "id", "bits": 2048}
    parties = {
        "left": ("bank", "matmul/left", {**settings, "table": "x", "peer": "shop"}),
        "right": ("shop", "matmul/right", {**settings, "table": "w", "peer": "bank"}),
    }
    me, script, given = parties.pop(liar)
    lying = game.changed(script, SHAPE, f"SELECT {shape}")
    found = game.play(parties.popitem()[1], (me, lying, given))
    assert any(text in found["outcome"] for text in problem.split("|"))


@pytest.mark.parametrize("count", [-1, 1 << 29, 1 << 40, (1 << 63) - 1])
def test_a_count_of_random_elements(party, count: int) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: the count of random"):
        party.con.execute("SELECT ring_random('seed', 'a', $1)", [count]).fetchall()


@pytest.mark.parametrize("count", [2, 1 << 16, (1 << 32) - 1])
@pytest.mark.parametrize("slot_bits", [2, 64, 2046, (1 << 16) - 1])
def test_the_count_in_a_ciphertexts_header(party, count: int, slot_bits: int) -> None:
    con = party.con
    ((ct,),) = con.execute("SELECT paillier_encrypt(5, 'paillier')").fetchall()
    # The header's bound has to fit into a slot.
    layout = replace(layout_of(ct), slot_bits=slot_bits, bound=1, count=count)
    forged = layout.header() + ct[HEADER_BYTES:]
    began = time.monotonic()
    if slot_bits > 2046 or count * slot_bits > 2046:
        for call in (
            "he_add($1, $1, 'paillier')",
            "he_share_split($1, 'paillier')",
            "paillier_decrypt_list($1, 'paillier')",
            "he_sum($1, 'paillier')",
        ):
            with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
                con.execute(f"SELECT {call}", [forged]).fetchall()
    assert time.monotonic() - began < 2


def test_a_check_whose_text_is_unknown_is_a_check(party) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: a check of the script"):
        party.con.execute("SELECT require(false, NULL)").fetchall()


@pytest.mark.parametrize(
    ("rows", "expected", "are"),
    [
        ("range(1, 4)", 3, True),
        ("range(1, 4)", 4, False),
        ("range(0, 3)", 3, False),
        ("range(0)", 0, True),
        ("range(0)", 1 << 62, False),
        ("range(1, 4)", -3, False),
        ("(VALUES (1), (3), (3))", 3, False),
        ("(VALUES (1), (NULL), (3))", 3, False),
        ("range(1, 4)", None, None),
    ],
)
def test_numbered_rows(party, rows: str, expected: int | None, are: bool | None) -> None:
    query = f"SELECT is_numbered(i, $1) FROM {rows} t(i)"
    assert party.con.execute(query, [expected]).fetchall() == [(are,)]
