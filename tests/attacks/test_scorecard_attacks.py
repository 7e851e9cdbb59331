"""Parties of scorecard that are curious or do not follow it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import kstest

from tests.attacks.evil import changed
from tests.effort import takes_long, thorough
from tests.test_scorecard import Pair

# Below it a statistic is no accident.
UNLIKELY = 1e-6
ROWS, COMMON = 160, 120
PLACES = 4  # labels in a ciphertext
DECRYPTED = "-- Our shares of them"
SEEN = """CREATE OR REPLACE TABLE seen AS
    SELECT unnest(paillier_decrypt_share(ct, getvariable('key'))) AS share FROM scorecard_masked;
"""


def pair_of(folder, has: np.ndarray, labels: np.ndarray, columns: int = 2) -> Pair:
    folder.mkdir(exist_ok=True)
    pair = Pair(folder)
    x = np.random.default_rng(len(has)).normal(size=(len(has), columns))
    pair.make(labels.tolist(), pa.table({f"g{i}": x[:, i] for i in range(columns)}), has)
    return pair


def messages(pair: Pair) -> list[tuple]:
    """Each message's channel, and its numbers of rows and bytes."""
    found = [json.loads(f.read_text()) for f in pair.folder.glob("mailbox/s1/guest/*/*.json")]
    return sorted((m["channel"], m["rows"], m["bytes"]) for m in found)


@takes_long
def test_a_curious_host_sees_uniform_numbers_of_any_overlap(tmp_path) -> None:
    """All labels of the common rows are 1, or none: what the host decrypts is uniform in both
    cases, and messages have the same sizes, though the bins are others."""
    labels = np.zeros(ROWS, dtype=int)
    labels[:COMMON] = 1
    curious = changed(
        "scorecard/host",
        tmp_path,
        (DECRYPTED, SEEN + DECRYPTED),
    )
    sizes = []
    for name, has in (("all", np.arange(COMMON)), ("none", np.arange(ROWS - COMMON, ROWS))):
        pair = pair_of(tmp_path / name, has, labels)
        found = pair.run(
            scripts={"host": str(curious)}, at_guest={"bins": 3 if name == "all" else 9}
        )
        assert not any(isinstance(one, BaseException) for one in found), found
        seen = np.array(
            [int(s) for (s,) in pair.query("host", "SELECT share FROM seen")], dtype=float
        )
        assert len(seen) == 2 * 12 * PLACES * PLACES  # columns, bins, places and slots
        # A slot's last 64 bits; a mask covers them all.
        assert kstest(seen / 2.0**64, "uniform").pvalue > UNLIKELY
        sizes.append(messages(pair))
    assert sizes[0] == sizes[1]


SUM = "SELECT feature, bin, place, he_sum(ct, getvariable('key')) AS ct FROM scorecard_parts"
MANY = """SELECT feature, bin, place, CASE WHEN bin > 1 THEN he_sum(ct, getvariable('key'))
    ELSE (SELECT he_dot(list(ct ORDER BY block),
                        list((place = 1)::BIGINT * 2 ** (block - 1) ORDER BY block),
                        getvariable('key'), bound := 21) FROM labels WHERE block <= 20) END AS ct
    FROM scorecard_parts"""
KEEP = "CREATE OR REPLACE TEMP TABLE scorecard_zeros AS"
MASK = "sigma := getvariable('sigma')::INTEGER) AS s"


def test_a_dishonest_guest_gets_no_more_bits_than_a_count_has(tmp_path) -> None:
    """It multiplies the labels of 20 records by powers of two, for one answer to tell them all:
    it tells 8 of them, as many bits as 160 rows have."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, ROWS)
    evil = changed(
        "scorecard/guest",
        tmp_path,
        (SUM, MANY),
        (MASK, "sigma := 40) AS s"),
        (
            KEEP,
            "CREATE OR REPLACE TABLE labels AS FROM scorecard_labels;\n"
            "CREATE OR REPLACE TABLE names AS SELECT row, name FROM scorecard_rows;\n" + KEEP,
        ),
    )
    pair = pair_of(tmp_path / "run", np.arange(ROWS), labels, 1)
    found = pair.run(scripts={"guest": str(evil)})
    assert not any(isinstance(one, BaseException) for one in found), found
    (told,) = pair.query("guest", "SELECT positives FROM scorecard_woe WHERE bin = 1")[0]
    order = pair.query(
        "guest",
        "SELECT id FROM names JOIN alignment ON pid::VARCHAR = name "
        f"WHERE row % {PLACES} = 1 ORDER BY row LIMIT 20",
    )
    its = [int(labels[i]) for (i,) in order]
    assert told == sum(label << i for i, label in enumerate(its)) % 2**8


@takes_long
def test_the_host_refuses_noise_that_goes_round(tmp_path) -> None:
    """A guest that does not check still gets no answer."""
    no_check = ("require(getvariable('epsilon') = 0 OR", "require(true OR")
    evil = changed("scorecard/guest", tmp_path, no_check)
    pair = pair_of(tmp_path / "run", np.arange(ROWS), np.arange(ROWS) % 2, 2)
    host, _ = pair.run(scripts={"guest": str(evil)}, both={"epsilon": 0.1, "minimum": 5})
    assert "Both take --set epsilon=0.125 at least" in str(host)
    assert not list(pair.folder.glob("mailbox/s1/host/*answers*/*.json"))


@takes_long
def test_the_host_answers_for_no_more_bins_than_it_says(tmp_path) -> None:
    evil = changed(
        "scorecard/guest",
        tmp_path,
        (
            "require(bool_and(most >= getvariable('features') * getvariable('max_bins')),",
            "require(true,",
        ),
    )
    pair = pair_of(tmp_path / "run", np.arange(ROWS), np.arange(ROWS) % 2, 2)
    both = {"max_bins": 2, "minimum": 5}
    host, _ = pair.run(
        scripts={"guest": str(evil)},
        at_host={"accept_disclosure": "no"},
        at_guest={"bins": 2},
        both=both,
    )
    assert "the guest asks for 4 sums, and we answer for 2" in str(host)
    assert not list(pair.folder.glob("mailbox/s1/host/*answers*/*.json"))


LABELS, END = "SELECT block, paillier_encrypt_list(", "GROUP BY ALL) ORDER BY block"


def other_labels(ct: str) -> list[tuple[str, str]]:
    """The host sends something else than the ciphertexts `ct` of its labels."""
    return [(LABELS, f"SELECT block, {ct} AS ct FROM ({LABELS}"), (END, END.replace(")", "))"))]


# Its header says 1 bit.
LARGER = [
    *other_labels("ct[1:24] || '\\x00\\x01'::BLOB || ct[27:]"),
    ("list_resize(labels,", "list_resize(list_transform(labels, lambda y: 99 * y),"),
    ("bound := 1,", "bound := 7,"),
]
SHARE = "bin, CAST(((share::HUGEINT + noise)"
WRONG = "bin, CAST((((share + (feature = 1 AND bin = 1)::INTEGER)::HUGEINT + noise)"


@takes_long
@pytest.mark.parametrize(
    "changes",
    [LARGER, [(SHARE, WRONG)]],
    ids=["labels of 99", "an answer that is one more"],
)
def test_a_host_with_other_labels_or_answers_sees_the_guest_end_as_always(
    tmp_path, changes: list[tuple[str, str]]
) -> None:
    evil = changed("scorecard/host", tmp_path, *changes)
    pair = pair_of(tmp_path / "run", np.arange(COMMON), np.arange(ROWS) % 2)
    found = pair.run(scripts={"host": str(evil)})
    assert not any(isinstance(one, BaseException) for one in found), found
    assert pair.query("guest", "SELECT count(*) > 5, count(woe) FROM scorecard_woe") == [(True, 0)]


# A header, and a body of 0, which is not prime to N.
BODY = "ct[1:32] || repeat('\\x00'::BLOB, octet_length(ct) - 32)"
SLOTS = "paillier_encrypt_list([0], getvariable('key'), slot_bits := 1000, scale := 0, bound := 1)"
MASKED = "he_share_split(ct, getvariable('key')).send"


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (BODY, f"1 of {ROWS // PLACES} ciphertext bodies"),
        *thorough(
            (SLOTS, "labels are not encrypted as agreed"),
            (MASKED, "labels are not encrypted as agreed"),
        ),
    ],
    ids=["a body", *thorough("slots", "masked")],
)
def test_a_label_is_refused_before_anything_depends_on_bins(tmp_path, label: str, problem) -> None:
    """The sum of bins is never reached, and the message is about all rows at once."""
    one_other = other_labels(f"CASE WHEN block = 7 THEN {label} ELSE ct END")
    evil = changed("scorecard/host", tmp_path, *one_other)
    watched = changed(
        "scorecard/guest",
        tmp_path,
        ("SET VARIABLE portions =", "CREATE TABLE reached AS SELECT 1;\nSET VARIABLE portions ="),
    )
    pair = pair_of(tmp_path / "run", np.arange(COMMON), np.arange(ROWS) % 2)
    _, guest = pair.run(scripts={"host": str(evil), "guest": str(watched)})
    assert problem in str(guest)
    assert not pair.query("guest", "FROM duckdb_tables() WHERE table_name = 'reached'")


@takes_long
def test_answers_that_are_none_are_refused(tmp_path) -> None:
    evil = changed(
        "scorecard/host",
        tmp_path,
        (
            "FROM scorecard_shares ORDER BY feature, bin $$",
            "FROM scorecard_shares WHERE bin > 1 ORDER BY feature, bin $$",
        ),
    )
    pair = pair_of(tmp_path / "run", np.arange(COMMON), np.arange(ROWS) % 2)
    found = pair.run(scripts={"host": str(evil)})
    assert "the host did not answer for each sum once" in str(found[1])
