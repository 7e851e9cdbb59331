"""Does a party's work before a message tell its peers a secret?

For each bundled script both extremes of the party's secret are run, with the same sizes. Where a
peer can time it, DuckDB's operators have to see the same rows, and our functions have to get the
same calls. Statements elsewhere may differ. `make test-all` also compares times, on larger tables.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product as pairs
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from duckpriv.scripts import bundled, load
from tests.effort import THOROUGH, takes_long, thorough
from tests.parties import Folder
from tests.work import Scripts, Step, run, visible

# A world makes the parties' tables, for so many rows and one of the extremes.
World = Callable[[Folder, int, bool], Scripts]


def numbers(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def ids(rows: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{i:06}" for i in range(rows)]


def columns(name: str, x: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}{i}": x[:, i] for i in range(x.shape[1])}


Ids = list[str | None]


def matching(folder: Folder, host: Ids, guest: Ids, script: str = "psi", **scheme: str) -> Scripts:
    for me, its in (("host", host), ("guest", guest)):
        folder.make_table(me, pa.table({"id": pa.array(its, pa.string())}))
    both = {"table": "t", "id": "id", **scheme}
    bits = {"bits": 2048} if scheme == {"scheme": "rsa"} else {}
    return {
        "host": (f"{script}/host", {"peer": "guest", **both, **bits}),
        "guest": (f"{script}/guest", {"peer": "host", **both}),
    }


def matches(folder: Folder, rows: int, much: bool, scheme: str) -> Scripts:
    return matching(folder, [*ids(rows)], [*ids(rows, "p" if much else "q")], scheme=scheme)


def repeats(folder: Folder, rows: int, much: bool, **script: str) -> Scripts:
    host: Ids = [*ids(rows)]
    return matching(folder, host * 3 + [None] * rows if much else host, [*ids(rows)], **script)


def which_are_common(folder: Folder, rows: int, much: bool, script: str) -> Scripts:
    """The first or the last half of the host's ids."""
    host, half = ids(rows), rows // 2
    common = host[:half] if much else host[half:]
    return matching(folder, [*host], [*common, *ids(half, "q")], script)


def two_keys(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    """`secret` is which of the guest's records match, and by which key, or which ids the host's
    records lack or share."""
    every = much or secret == "guest"
    phones = [f"1{i if every else i // 2}" for i in range(rows)]
    emails = [name if every or i % 4 else None for i, name in enumerate(ids(rows))]
    host = pa.table({"email": pa.array(emails, pa.string()), "phone": phones})
    folder.make_table("host", host)
    own = ids(rows, "p" if much or secret == "host" else "q")
    folder.make_table("guest", pa.table({"email": own, "phone": [f"2{i}" for i in range(rows)]}))
    settings = {"table": "t", "id": "email; phone", "duplicates": "first"}
    return {
        "host": ("psi/host", {**settings, "peer": "guest", "bits": 2048}),
        "guest": ("psi/guest", {**settings, "peer": "host"}),
    }


def product(
    folder: Folder, rows: int, much: bool, secret: str, shapes: dict[str, tuple[int, int]]
) -> Scripts:
    """A matrix of zeros or of random numbers at `secret`."""
    scripts: Scripts = {}
    for me, shape in shapes.items():
        x = numbers(*shape) * (much or me != secret)
        folder.make_table(me, pa.table({"id": ids(shape[0]), **columns("x", x)}))
        peer = "right" if me == "left" else "left"
        settings = {"peer": peer, "table": "t", "id": "id", "bits": 2048, "reveal": "both"}
        scripts[me] = (f"matmul/{me}", settings)
    return scripts


FEW_AT_LEFT = {"left": (2, 5), "right": (5, 4)}
FEW_AT_RIGHT = {"left": (4, 5), "right": (5, 2)}


def records(folder: Folder, rows: int, has: int, labels: np.ndarray, x: np.ndarray) -> None:
    """Tables as private matching leaves them; the guest has `has` of the host's rows."""
    names = ids(rows)
    pids = [str(uuid.uuid4()) for _ in names]
    folder.make_table("host", pa.table({"id": names, "y": labels, **columns("h", x[:, :2])}))
    folder.make_table("guest", pa.table({"id": names[:has], **columns("g", x[:has, 2:])}))
    for me, end in (("host", rows), ("guest", has)):
        folder.make_table(me, pa.table({"id": names[:end], "pid": pids[:end]}), "alignment")
    folder.make_table("guest", pa.table({"pid": pids[has:]}), "alignment_unmatched")
    for me, table in (
        ("host", "alignment"),
        ("guest", "alignment"),
        ("guest", "alignment_unmatched"),
    ):
        folder.query(me, f"ALTER TABLE {table} ALTER pid TYPE UUID")


def balanced(rows: int) -> np.ndarray:
    return np.arange(rows) % 2


def models(folder: Folder, training: str, at_guest: float = 0.3) -> None:
    """What a training left at each party."""
    for me, name in (("host", "h"), ("guest", "g")):
        weight = at_guest if me == "guest" else 0.3
        folder.query(
            me,
            f"""CREATE TABLE model AS
                SELECT '(intercept)' AS feature, {weight} AS weight, NULL::DOUBLE AS mean,
                       NULL::DOUBLE AS deviation, {weight} AS weight_original,
                       '{training}' AS training
                UNION ALL
                SELECT '{name}' || i, {weight}, 0, 1, {weight}, '{training}' FROM range(2) t(i)""",
        )


def share_of(rows: int, much: bool) -> int:
    return rows if much else rows // 5


JOINT = {"table": "t", "iterations": 2, "loss_every": 1, "accept_disclosure": "yes"}


def joint(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    has = share_of(rows, much or secret != "records")
    few = np.arange(rows) == 0
    labels = balanced(rows) if much or secret != "labels" else few.astype(int)
    records(folder, rows, has, labels, numbers(rows, 4))
    settings = {**JOINT, "batch": rows // 2}
    return {
        "host": ("lr_joint_key/host", {**settings, "peer": "guest", "label": "y"}),
        "guest": ("lr_joint_key/guest", {**settings, "peer": "host"}),
    }


def joint_prediction(
    folder: Folder, rows: int, much: bool, secret: str, asker: str = "guest"
) -> Scripts:
    """`secret` is what differs: which records the guest has, or how large its scores are."""
    has = share_of(rows, much or secret != "records")
    records(folder, rows, has, balanced(rows), numbers(rows, 4))
    models(folder, "s1", 0.3 if much or secret != "scores" else 0.0)
    peer = "host" if asker == "guest" else "guest"
    return {
        asker: ("lr_joint_key/predict", {"peer": peer, "table": "t"}),
        peer: ("lr_joint_key/predict_peer", {"peer": asker, "table": "t"}),
    }


def moments(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    has = share_of(rows, much or secret != "records")
    few = np.arange(rows) == 0
    labels = balanced(rows) if much or secret != "labels" else few.astype(int)
    records(folder, rows, has, labels, numbers(rows, 4))
    return {
        "host": ("moments/host", {"table": "t", "label": "y", "peer": "guest"}),
        "guest": ("moments/guest", {"table": "t", "peer": "host", "bits": 2048}),
    }


def scorecard(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    has = share_of(rows, much or secret != "records")
    few = np.arange(rows) == 0
    labels = balanced(rows) if much or secret != "labels" else few.astype(int)
    records(folder, rows, has, labels, numbers(rows, 4))
    settings = {"table": "t", "minimum": 4, "epsilon": 1}
    accept = {"label": "y", "accept_disclosure": "yes"}
    return {
        "host": ("scorecard/host", {**settings, **accept, "peer": "guest"}),
        "guest": ("scorecard/guest", {**settings, "peer": "host", "bins": 4 if much else 2}),
    }


def shared_prediction(
    folder: Folder, rows: int, much: bool, secret: str, asker: str = "guest"
) -> Scripts:
    """As `joint_prediction`, with weights that stay shared."""
    has = share_of(rows, much or secret != "records")
    records(folder, rows, has, balanced(rows), numbers(rows, 4) * (much or secret != "numbers"))
    models(folder, "s1 logistic")
    for me in ("host", "guest"):
        folder.query(
            me,
            "UPDATE model SET weight = NULL; CREATE TABLE model_share AS SELECT CASE WHEN i < 4 "
            "THEN 'host' ELSE 'guest' END AS party, i AS position, i::UBIGINT AS share, "
            "'s1 logistic' AS training FROM range(1, 6) t(i)",
        )
    folder.query("guest", "DELETE FROM model WHERE feature = '(intercept)'")
    peer = "host" if asker == "guest" else "guest"
    return {
        asker: ("moments/predict", {"peer": peer, "table": "t", "bits": 2048}),
        peer: ("moments/predict_peer", {"peer": asker, "table": "t", "bits": 2048}),
    }


def aggregates(
    folder: Folder, rows: int, much: bool, secret: str, across: str, twice: bool = False
) -> Scripts:
    """`secret` is which records the guest has, or what the numbers are; `across` who has groups;
    with `twice` each of the guest's ids has two rows."""
    has = share_of(rows, much or secret != "records")
    x = numbers(rows, 4).round(2) * (much or secret != "numbers")
    records(folder, rows, has, balanced(rows), x)
    for me in ("host", "guest"):
        folder.query(me, "ALTER TABLE t ADD part BIGINT; UPDATE t SET part = hash(id) % 3")
    groups = {me: {"groups": "part"} if across in (me, "both") else {} for me in ("host", "guest")}
    settings = {"table": "t", "minimum": 1}
    if twice:
        folder.query("guest", "INSERT INTO t FROM t")
        groups["guest"]["duplicates"] = "all"
    return {
        "host": (
            "aggregate/host",
            {**settings, **groups["host"], "peer": "guest", "measures": "h0"},
        ),
        "guest": (
            "aggregate/guest",
            {**settings, **groups["guest"], "peer": "host", "measures": "g0"},
        ),
    }


def lifts(folder: Folder, rows: int, much: bool, secret: str, exposures: str) -> Scripts:
    """`secret` is which records the guest has, or what arms, days and outcomes are."""
    has = share_of(rows, much or secret != "records")
    records(folder, rows, has, balanced(rows), numbers(rows, 4))
    for me in ("host", "guest"):
        # Both arms and an outcome after exposure are there in any case, so that all is shown.
        mixed = much or me == "guest" or secret != "numbers"
        first = "2026-03-01" if me == exposures else "2026-03-04"
        treated = "'1', '3', '5', '7', '9'" if mixed else "'1'"
        folder.query(
            me,
            "ALTER TABLE t ADD arm BOOLEAN; ALTER TABLE t ADD day DATE; "
            f"ALTER TABLE t ADD n BIGINT; UPDATE t SET arm = right(id, 1) IN ({treated}), "
            f"n = CASE WHEN {mixed} THEN hash(id) % 9 ELSE 0 END, "
            f"day = DATE '{first}' + (hash(id) % {6 if mixed else 1})::INTEGER",
        )
    settings = {"table": "t", "minimum": 1, "day": "day", "bucket": 3}
    settings |= {"first_day": "2026-03-01", "last_day": "2026-03-06"}
    return {
        me: (
            f"lift/{me}",
            {
                **settings,
                "peer": peer,
                **({"arm": "arm"} if me == exposures else {"outcomes": "n"}),
            },
        )
        for me, peer in (("host", "guest"), ("guest", "host"))
    }


def both_lack(folder: Folder, rows: int, much: bool, scripts: Scripts) -> Scripts:
    """Each party lacks a third of the rows. Which they have in common differs, not how many."""
    x, third = numbers(rows, 4), rows // 3
    names = ids(rows)
    here = names[third:] if much else names[:third] + names[2 * third :]
    for me, its, start in (("host", names[: 2 * third], 0), ("guest", here, 2)):
        own = x[[names.index(one) for one in its], start : start + 2]
        folder.make_table(
            me, pa.table({"id": its, "y": balanced(len(its)), **columns(me[0], own)}), "rows"
        )
        label = "y, " if me == "host" else ""
        folder.query(me, f"CREATE VIEW t AS SELECT id, {label}{me[0]}0, {me[0]}1 FROM rows")
    folder.align_both(names[: 2 * third], here)
    return scripts


HELPED = {"table": "t", "guests": "guest"}


def helped(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    has = share_of(rows, much or secret != "records")
    few = np.arange(rows) == 0
    labels = balanced(rows) if much or secret != "labels" else few.astype(int)
    records(folder, rows, has, labels, numbers(rows, 4))
    # One batch an epoch: which rows are in a smaller one is random, and differs between the runs.
    settings = {**HELPED, "iterations": 2, "batch": rows, "loss": "yes"}
    settings["accept_disclosure"] = "yes"  # a few rows only
    return {
        "host": ("lr_helper/host", {**settings, "label": "y"}),
        "guest": ("lr_helper/guest", settings),
        "helper": ("lr_helper/helper", {"guests": "guest"}),
    }


def helped_prediction(folder: Folder, rows: int, much: bool, secret: str) -> Scripts:
    has = share_of(rows, much or secret != "records")
    x = numbers(rows, 4) * (much or secret != "features")
    records(folder, rows, has, balanced(rows), x)
    models(folder, "s1 logistic")
    settings = {**HELPED, "asker": "guest"}
    return {
        "host": ("lr_helper/predict_host", settings),
        "guest": ("lr_helper/predict_guest", {**settings, "unmatched": "mean"}),
        "helper": ("lr_helper/predict_helper", {"guests": "guest"}),
    }


@dataclass(frozen=True)
class Case:
    script: str
    victim: str  # who runs it
    secret: str  # what differs between the extremes
    world: World
    rows: int = 40
    # For the comparison of times; 0 where the size of own numbers shows in the time, as the threat
    # model says.
    many_rows: int = 0


# Scripts that go where both parties lack rows.
BOTH_HELPED = {**HELPED, "iterations": 2, "loss": "yes", "accept_disclosure": "yes"}
WHERE_BOTH_LACK: list[Scripts] = [
    {
        "host": ("moments/host", {"table": "t", "label": "y", "peer": "guest", "bits": 2048}),
        "guest": ("moments/guest", {"table": "t", "peer": "host", "bits": 2048}),
    },
    {
        "host": (
            "aggregate/host",
            {"table": "t", "peer": "guest", "measures": "y", "minimum": 1},
        ),
        "guest": ("aggregate/guest", {"table": "t", "peer": "host", "minimum": 1}),
    },
    {
        "host": ("lr_joint_key/host", {**JOINT, "peer": "guest", "label": "y"}),
        "guest": ("lr_joint_key/guest", {**JOINT, "peer": "host"}),
    },
    *thorough(
        {
            "host": ("lr_helper/host", {**BOTH_HELPED, "label": "y"}),
            "guest": ("lr_helper/guest", BOTH_HELPED),
            "helper": ("lr_helper/helper", {"guests": "guest"}),
        }
    ),
]
CASES = [
    *(
        case
        for scheme in ("rsa", "oprf")
        for case in (
            Case(
                "psi/guest",
                "guest",
                "none or all of its ids match",
                partial(matches, scheme=scheme),
                many_rows=10_000,
            ),
            Case(
                "psi/host",
                "host",
                "its rows repeat ids or have none",
                partial(repeats, scheme=scheme),
                many_rows=10_000,
            ),
        )
    ),
    *(
        Case(
            f"{script}/{me}",
            me,
            "the first or the last half of the ids is common",
            partial(which_are_common, script=script),
            many_rows=10_000,
        )
        for script in ("private_id", "psi_size")
        for me in ("host", "guest")
    ),
    Case("psi/guest", "guest", "none or all match, by e-mail", partial(two_keys, secret="guest")),
    Case("psi/host", "host", "records lack or share ids", partial(two_keys, secret="host")),
    *(
        Case(
            f"matmul/{me}",
            me,
            "a matrix of zeros, or not",
            partial(product, secret=me, shapes=shapes),
        )
        for me in ("left", "right")
        for shapes in (FEW_AT_LEFT, FEW_AT_RIGHT)
    ),
    Case(
        "lr_joint_key/guest",
        "guest",
        "it has a fifth of the rows, or all",
        partial(joint, secret="records"),
        many_rows=3_000,
    ),
    Case(
        "lr_joint_key/host",
        "host",
        "one label is 1, or half of them are",
        partial(joint, secret="labels"),
        many_rows=3_000,
    ),
    Case(
        "lr_joint_key/predict",
        "guest",
        "it wants a fifth of the rows, or all",
        partial(joint_prediction, secret="records"),
        many_rows=3_000,
    ),
    Case(
        "lr_joint_key/predict_peer",
        "guest",
        "its scores are 0, or not",
        partial(joint_prediction, secret="scores", asker="host"),
    ),
    Case(
        "moments/guest",
        "guest",
        "it has a fifth of the rows, or all",
        partial(moments, secret="records"),
        many_rows=10_000,
    ),
    Case(
        "moments/host",
        "host",
        "one label is 1, or half of them are",
        partial(moments, secret="labels"),
        many_rows=10_000,
    ),
    *(
        Case(
            "aggregate/guest",
            "guest",
            f"it has a fifth of the rows, or all; groups: {across}",
            partial(aggregates, secret="records", across=across),
            many_rows=10_000,
        )
        for across in ("both", *thorough("guest", "host"))
    ),
    Case(
        "aggregate/guest",
        "guest",
        "it has a fifth of the rows, or all, each twice",
        partial(aggregates, secret="records", across="both", twice=True),
    ),
    Case(
        "aggregate/host",
        "host",
        "its numbers are 0, or not",
        partial(aggregates, secret="numbers", across="host"),
        many_rows=10_000,
    ),
    *(
        Case(
            f"lift/{me}",
            me,
            f"{differs}; the arm: {exposures}",
            partial(lifts, secret=secret, exposures=exposures),
            many_rows=10_000,
        )
        for me, secret, differs in (
            ("guest", "records", "it has a fifth of the rows, or all"),
            ("host", "numbers", "its arms, days and outcomes are the same, or not"),
        )
        for exposures in ("guest", *thorough("host"))
    ),
    Case(
        "scorecard/guest",
        "guest",
        "it has a fifth of the rows in two bins, or all in four",
        partial(scorecard, secret="records"),
        many_rows=10_000,
    ),
    Case(
        "scorecard/host",
        "host",
        "one label is 1, or half of them are",
        partial(scorecard, secret="labels"),
        many_rows=10_000,
    ),
    Case(
        "moments/predict",
        "guest",
        "it wants a fifth of the rows, or all",
        partial(shared_prediction, secret="records"),
        many_rows=3_000,
    ),
    Case(
        "moments/predict_peer",
        "guest",
        "its numbers are 0, or not",
        partial(shared_prediction, secret="numbers", asker="host"),
    ),
    Case(
        "lr_helper/guest",
        "guest",
        "it has a fifth of the rows, or all",
        partial(helped, secret="records"),
        many_rows=20_000,
    ),
    Case(
        "lr_helper/host",
        "host",
        "one label is 1, or half of them are",
        partial(helped, secret="labels"),
        many_rows=20_000,
    ),
    Case(
        "lr_helper/predict_guest",
        "guest",
        "it has a fifth of the rows, or all",
        partial(helped_prediction, secret="records"),
        many_rows=20_000,
    ),
    Case(
        "lr_helper/predict_host",
        "host",
        "its features are 0, or not",
        partial(helped_prediction, secret="features"),
        many_rows=20_000,
    ),
    *(
        Case(scripts[me][0], me, "which rows are common", partial(both_lack, scripts=scripts))
        for scripts in WHERE_BOTH_LACK
        for me in ("host", "guest")
    ),
]
# Their scripts take no table: they have messages, shares and random numbers only.
WITHOUT_SECRET = {
    *("lr_joint_key/assistant", "lr_helper/helper", "lr_helper/predict_helper"),
    *("moments/regression_host", "moments/regression_guest"),
    *("moments/correlation_host", "moments/correlation_guest"),
}


def test_every_bundled_script_has_a_case() -> None:
    assert {case.script for case in CASES} | WITHOUT_SECRET == set(bundled())
    assert not any(load(script).takes_table for script in WITHOUT_SECRET)


def steps_of(case: Case, folder: Path, rows: int, much: bool) -> list[Step]:
    folder.mkdir()
    parties = Folder(folder)
    scripts = case.world(parties, rows, much)
    assert scripts[case.victim][0] == case.script
    return visible(run(parties, "s1", scripts)[case.victim])


NAMES = [f"{case.script}-{i}" for i, case in enumerate(CASES)]


# Private matching by the default; the others take minutes.
SHORT = ("psi/guest-2", "psi/host-3")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name in SHORT else [takes_long])
        for case, name in zip(CASES, NAMES, strict=True)
    ],
)
def test_work_that_peers_can_time_is_the_same(case: Case, tmp_path) -> None:
    little, much = (
        steps_of(case, tmp_path / name, case.rows, name == "much") for name in ("little", "much")
    )
    assert len(little) > 3
    assert any(step.calls for step in little)
    for a, b in zip_longest(little, much):
        assert (a and a.work) == (b and b.work), case.secret


LARGEST_RATIO = 1.3


@pytest.mark.skipif(not THOROUGH, reason="it takes long; make test-all runs it")
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.many_rows], ids=[c.script for c in CASES if c.many_rows]
)
def test_times_that_peers_see_are_alike(case: Case, tmp_path) -> None:
    totals: dict[bool, list[float]] = {False: [], True: []}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        for again, much in pairs(range(2), (False, True)):
            parties = Folder(tmp_path / f"{again}-{much}")
            parties.folder.mkdir()
            scripts = case.world(parties, case.many_rows, much)
            victim = {case.victim: scripts.pop(case.victim)}
            recorded = process.submit(run, parties, "s1", victim)
            run(parties, "s1", scripts)
            steps = visible(recorded.result()[case.victim])
            totals[much].append(sum(step.seconds for step in steps))
    little, lots = (min(runs) for runs in totals.values())
    assert 1 / LARGEST_RATIO < little / lots < LARGEST_RATIO, (case.secret, totals)
