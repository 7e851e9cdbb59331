"""Training under a joint key, against the same algorithm in NumPy and against scikit-learn."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import gmpy2
import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import duckpriv
from duckpriv import ExchangeTimeout, ProtocolError
from duckpriv.columns.ciphertext import HEADER_BYTES, PARTIAL, layout_of
from tests.effort import takes_long, thorough
from tests.parties import Folder, at_once, check_receivers
from tests.plain import descend_taylor, standard

X, Y = load_breast_cancer(return_X_y=True)
IDS = np.array([f"patient {i}" for i in range(len(X))])
HOST, GUEST = slice(0, 10), slice(10, 30)
# Without noise the numbers are those of the plain algorithm, and tell more than the rule allows.
EXACT = {"noise": 0, "accept_disclosure": "yes"}
SETTINGS = {"id": "who", "iterations": 10, "learning_rate": 0.3, **EXACT}
FAST = {"iterations": 2, "start": "zero", **EXACT}


def table(rows: np.ndarray, columns: slice, label: bool = False) -> pa.Table:
    names = [f"x{i}" for i in range(30)][columns]
    values = dict(zip(names, X[rows][:, columns].T, strict=True))
    return pa.table({"who": IDS[rows], **values, **({"y": Y[rows]} if label else {})})


class Seen:
    """Notes order and first weights of a training, and the key part, which is deleted then."""

    def __init__(self, party: duckpriv.Party, keys: Path) -> None:
        self.party, self.keys = party, keys
        self.first: np.ndarray = np.array([])
        self.order: list = []
        self.part = self.public = None

    def start(self, statement) -> None:
        if statement.title == "iteration 1: our scores on the batch":
            query = "SELECT weight FROM lr_weights ORDER BY feature"
            self.first = np.array([w for (w,) in self.party.con.execute(query).fetchall()])
            (me,) = self.party.con.execute("SELECT getvariable('me')").fetchall()[0]
            query = f"SELECT id FROM {'lr_rows' if me == 'guest' else 'lr_matrix'} ORDER BY row"
            self.order = [row for (row,) in self.party.con.execute(query).fetchall()]
        if statement.title == "nobody needs our part of the key any more":
            (name,) = self.party.con.execute("SELECT getvariable('joint')").fetchall()[0]
            self.part = self.party.keyring.joint.part(name)
            self.public = self.party.keyring.joint.public(name)

    def tick(self) -> None:
        pass


class Training(Folder):
    """Both parties of a run, in two threads with databases of their own."""

    def run(self, session: str, **scripts: tuple[str, dict]) -> dict:
        """Run each party's script with its settings; return results, or what was raised."""
        results: dict = {}

        def work(me: str, script: str, settings: dict) -> object:
            with self.connect(me, session) as party:
                seen = results[me, "seen"] = Seen(party, self.folder / f"{me}.keys")
                if script != "lr_joint_key/assistant":
                    settings = {"table": "t", **settings}
                summary = party.run(script, observer=seen, **settings)
                results[me, "order"] = seen.order
                return summary

        found = at_once(*(partial(work, me, *what) for me, what in scripts.items()))
        if not any(isinstance(one, BaseException) for one in found):
            check_receivers(self.folder, session, scripts)
        return results | dict(zip(scripts, found, strict=True))

    def train(self, session: str, host: dict, guest: dict) -> dict:
        return self.run(
            session,
            host=("lr_joint_key/host", {"peer": "guest", "label": "y", **host}),
            guest=("lr_joint_key/guest", {"peer": "host", **guest}),
        )

    def weights(self) -> np.ndarray:
        """The model's weights for standardised features: intercept, host's, guest's."""
        rows = [
            row
            for me in ("host", "guest")
            for row in self.query(me, "SELECT feature, weight FROM model")
        ]
        return np.array([w for i, (f, w) in enumerate(rows) if f != "(intercept)" or i == 0])


@pytest.fixture(scope="module")
def aligned(tmp_path_factory) -> tuple[Training, dict, np.ndarray, np.ndarray]:
    """Breast cancer, 10 + 20 features, trained on a shared id; and test rows, scored."""
    fit, test = train_test_split(np.arange(len(X)), test_size=0.25, random_state=0)
    training = Training(tmp_path_factory.mktemp("aligned"))
    training.make_table("host", table(fit, HOST, label=True))
    training.make_table("guest", table(fit, GUEST))
    results = training.train("s1", SETTINGS, SETTINGS)
    training.make_table("host", table(test, HOST), "new")
    training.make_table("guest", table(test, GUEST), "new")
    results["predict"] = training.run(
        "s2",
        host=("lr_joint_key/predict", {"peer": "guest", "table": "new", "id": "who"}),
        guest=("lr_joint_key/predict_peer", {"peer": "host", "table": "new", "id": "who"}),
    )
    return training, results, fit, test


@takes_long
def test_coefficients_and_log_are_those_of_the_plain_algorithm(aligned) -> None:
    training, results, fit, _ = aligned
    assert results["host"][0]["rows"] == len(fit)
    assert results["host", "order"] == results["guest", "order"]
    at = {name: i for i, name in enumerate(IDS)}
    order = np.array([at[name] for name in results["host", "order"]])
    a = np.column_stack([np.ones(len(fit)), standard(X[order], X[fit])])
    first = np.concatenate([results[me, "seen"].first for me in ("host", "guest")])
    assert len(set(first)) == 31
    assert np.abs(first).max() < 0.02
    w, losses, gradients = descend_taylor(a, Y[order], np.ones(len(fit)), 10, rate=0.3, start=first)
    assert np.abs(training.weights() - w).max() < 1e-4
    log = training.query("host", "SELECT loss, gradient_norm, seconds, bytes FROM training_log")
    # in every fifth step, and in the last one
    assert [i for i, (loss, *_) in enumerate(log) if loss is not None] == [0, 5, 9]
    for i in (0, 5, 9):
        assert log[i][0] == pytest.approx(losses[i], abs=1e-4)
    norms = [np.linalg.norm(g[:11]) for g in gradients]
    assert [norm for _, norm, *_ in log] == pytest.approx(norms, abs=1e-4)
    assert all(seconds > 0 and moved > 0 for *_, seconds, moved in log)
    at_guest = training.query("guest", "SELECT loss, gradient_norm FROM training_log")
    assert [loss for loss, _ in at_guest] == [None] * 10
    norms = [np.linalg.norm(g[11:]) for g in gradients]
    assert [norm for _, norm in at_guest] == pytest.approx(norms, abs=1e-4)


@takes_long
def test_weights_in_original_units_give_the_same_scores(aligned) -> None:
    training, _, fit, _ = aligned
    total = np.zeros(len(fit))
    for me, columns in (("host", HOST), ("guest", GUEST)):
        rows = training.query(me, "SELECT feature, weight_original FROM model")
        assert [name for name, _ in rows] == [
            "(intercept)",
            *[f"x{i}" for i in range(30)][columns],
        ]
        total += rows[0][1] + X[fit][:, columns] @ [w for _, w in rows[1:]]
    w = training.weights()
    assert np.allclose(total, w[0] + standard(X[fit], X[fit]) @ w[1:])


def test_predictions_are_as_good_as_those_of_scikit_learn(aligned) -> None:
    training, results, fit, test = aligned
    assert results["predict"]["host"][0]["rows"] == len(test)
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    ours = np.array([scores[name] for name in IDS[test]])
    w = training.weights()
    z = w[0] + standard(X, X[fit])[test] @ w[1:]
    assert np.abs(ours - 1 / (1 + np.exp(-z))).max() < 1e-5
    model = LogisticRegression().fit(standard(X[fit], X[fit]), Y[fit])
    theirs = roc_auc_score(Y[test], model.decision_function(standard(X, X[fit])[test]))
    assert roc_auc_score(Y[test], ours) > 0.99
    assert abs(roc_auc_score(Y[test], ours) - theirs) < 0.003
    assert not training.query(
        "guest", "SELECT * FROM duckdb_tables() WHERE table_name = 'predictions'"
    )


def blobs(training: Training) -> list[bytes]:
    """Every BLOB in the mailbox."""
    found = []
    for file in (training.folder / "mailbox").glob("**/*.arrow"):
        for column in pa.ipc.open_stream(file.read_bytes()).read_all().columns:
            if pa.types.is_binary(column.type):
                found += column.to_pylist()
    return found


@takes_long
def test_one_key_share_alone_decrypts_nothing(aligned) -> None:
    """Of everything in the mailbox: not the ciphertexts, and of those that the other party has
    partially decrypted, only uniform numbers."""
    training, results, *_ = aligned
    sent = [blob for blob in blobs(training) if blob.startswith(b"dp\x02")]
    partly = [blob for blob in sent if layout_of(blob).scheme == PARTIAL]
    for me in ("host", "guest"):
        part, public = results[me, "seen"].part, results[me, "seen"].public
        n, half, tried, opened = public.key.modulus, public.key.half, 0, 0
        for blob in sent[::200] + partly[::6]:
            if layout_of(blob).fingerprint != public.fingerprint_bytes:
                continue
            body = blob[HEADER_BYTES:]
            c1, c2 = (int.from_bytes(x, "big") for x in (body[:half], body[half : 3 * half]))
            known = pow(c1, 2 * part.x, n)
            if layout_of(blob).scheme == PARTIAL:
                known = known * int.from_bytes(body[3 * half :], "big") % n
            m, rest = divmod(c2 * int(gmpy2.powmod(known, -n, n * n)) % (n * n) - 1, n)
            tried += 1
            if rest == 0:  # it decrypts
                opened += 1
                assert layout_of(blob).scheme == PARTIAL
                assert min(m, n - m).bit_length() > 2048 - 64  # as a masked number does
        assert tried > 60
        assert opened > 5
        left = [file.name for file in (training.folder / f"{me}.keys").iterdir()]
        assert left == ["journal.private"]  # the share is deleted


def test_every_ciphertext_that_was_sent_is_another(aligned) -> None:
    training, *_ = aligned
    ciphertexts = [blob[HEADER_BYTES:] for blob in blobs(training) if blob.startswith(b"dp\x02")]
    assert len(ciphertexts) > 20 * 426
    assert len({c[:256] for c in ciphertexts}) == len({c[256:768] for c in ciphertexts})
    assert len({c[:256] for c in ciphertexts}) == len(ciphertexts)


def test_no_database_keeps_what_decrypts_or_identifies(aligned) -> None:
    training, *_ = aligned
    for me in ("host", "guest"):
        columns = training.query(
            me,
            "SELECT table_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = current_database()",
        )
        journal = {"duckpriv_audit", "duckpriv_journal", "duckpriv_releases", "duckpriv_runs"}
        columns = [(name, data_type) for name, data_type in columns if name not in journal]
        assert {name for name, _ in columns} <= {"t", "new", "model", "training_log", "predictions"}
        assert not any("BLOB" in data_type for _, data_type in columns)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> tuple[Training, dict, np.ndarray, np.ndarray]:
    """Private matching where each party lacks rows of the other; then training."""
    rng = np.random.default_rng(3)
    host, guest = rng.permutation(len(X))[:300], rng.permutation(len(X))[:400]
    training = Training(tmp_path_factory.mktemp("hidden"))
    training.make_table("host", table(host, HOST, label=True))
    training.make_table("guest", table(guest, GUEST))
    training.run(
        "match",
        host=("psi/host", {"peer": "guest", "id": "who", "bits": 2048}),
        guest=("psi/guest", {"peer": "host", "id": "who"}),
    )
    settings = {"iterations": 4, "batch": 150, "l2": 0.1, "loss_every": 2, "start": "zero", **EXACT}
    return training, training.train("s1", settings, settings), host, guest


def test_a_hidden_intersection_trains_as_the_plain_one_does(hidden) -> None:
    training, results, host, guest = hidden
    assert results["guest"][0]["records"] == len(np.intersect1d(host, guest))
    name_of = dict(training.query("host", "SELECT pid::VARCHAR, id FROM alignment"))
    at = {name: i for i, name in enumerate(IDS)}
    order = np.array([at[name_of[pid]] for pid in results["host", "order"]])
    present = np.isin(order, guest)
    common = np.intersect1d(host, guest)
    a = np.column_stack(
        [
            np.ones(len(order)),
            standard(X[order][:, HOST], X[host][:, HOST]),
            standard(X[order][:, GUEST], X[common][:, GUEST]),
        ]
    )
    w, losses, gradients = descend_taylor(a, Y[order], present, iterations=4, batch=150, l2=0.1)
    assert np.abs(training.weights() - w).max() < 1e-4
    log = training.query("host", "SELECT loss, gradient_norm FROM training_log")
    assert [log[i][0] for i in (0, 2, 3)] == pytest.approx([losses[i] for i in (0, 2, 3)], abs=1e-4)
    norms = [np.linalg.norm(g[:11]) for g in gradients]
    assert [norm for _, norm in log] == pytest.approx(norms, abs=1e-4)


class BothLack(Training):
    """Each party has some rows that the other lacks, in an order of its own."""

    def __init__(self, folder: Path, both: int, host: int, guest: int, seed: int = 7) -> None:
        """`both` common rows, and so many at the host, and at the guest, alone."""
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(X))[: both + host + guest]
        self.common = rows[:both]
        self.host = rng.permutation(rows[: both + host])
        self.guest = rng.permutation(np.concatenate([rows[:both], rows[both + host :]]))
        self.make_table("host", table(self.host, slice(0, 5), label=True))
        self.make_table("guest", table(self.guest, slice(5, 9)))
        self.align_both(IDS[self.host].tolist(), IDS[self.guest].tolist())

    def order(self, results: dict) -> np.ndarray:
        """The rows of the union in the order of the training."""
        pids = dict(
            row
            for me in ("host", "guest")
            for row in self.query(me, "SELECT pid::VARCHAR, id FROM alignment")
        )
        at = {name: i for i, name in enumerate(IDS)}
        return np.array([at[pids[pid]] for pid in results["guest", "order"]])

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Features as the parties have them: each standardised over its own rows."""
        host, guest = standard(X, X[self.host])[:, :5], standard(X, X[self.guest])[:, 5:9]
        return np.column_stack([np.ones(len(rows)), host[rows], guest[rows]])


def both_trained(training: BothLack, **more) -> tuple[dict, np.ndarray]:
    settings = {"iterations": 4, "l2": 0.1, "loss_every": 2, "start": "zero", **EXACT, **more}
    results = training.train("s1", settings, settings)
    assert not isinstance(results["host"], BaseException), results
    return results, training.weights()


@takes_long
@pytest.mark.parametrize("sizes", [(60, 70, 50), *thorough((1, 30, 20), (40, 0, 20))])
def test_where_both_lack_rows_it_trains_as_on_the_common_ones(tmp_path, sizes: tuple) -> None:
    """In one batch the numbers are those of a training on the common rows alone."""
    training = BothLack(tmp_path, *sizes)
    results, weights = both_trained(training)
    rows = training.common
    w, losses, gradients = descend_taylor(
        training.numbers(rows), Y[rows], np.ones(len(rows)), iterations=4, l2=0.1
    )
    assert np.abs(weights - w).max() < 1e-4 * max(1, np.abs(w).max())
    log = training.query("host", "SELECT loss, gradient_norm FROM training_log")
    # Quarters of scores have 12 bits behind the point, which one row does not average.
    assert [loss for loss, _ in log[::2]] == pytest.approx(losses[::2], abs=5e-4)
    norms = [np.linalg.norm(g[:6]) for g in gradients]
    assert [norm for _, norm in log] == pytest.approx(norms, abs=5e-4)
    assert results["guest"][0]["rows"] == sum(sizes)


@takes_long
def test_where_both_lack_rows_batches_count_as_many_common_ones_as_all_have(tmp_path) -> None:
    training = BothLack(tmp_path, 60, 70, 50)
    results, weights = both_trained(training, batch=50)
    order = training.order(results)
    present = np.isin(order, training.common)
    w, losses, _ = descend_taylor(
        training.numbers(order), Y[order], present, iterations=4, batch=50, l2=0.1, share=60 / 180
    )
    assert np.abs(weights - w).max() < 1e-4
    losses_of = training.query("host", "SELECT loss FROM training_log")
    assert [loss for (loss,) in losses_of[::2]] == pytest.approx(losses[::2], abs=1e-4)


@takes_long
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"iterations": 6, "noise": 0.5}, "bits about 60 rows"),
        ({"iterations": 2, "batch": 90, "noise": 0.5}, "bits about 8 rows"),
    ],
)
def test_where_both_lack_rows_bits_are_counted_against_the_common_ones(
    tmp_path, settings: dict, text: str
) -> None:
    """Of one of two batches of 90 rows 30 are common on average, and hardly ever fewer than 8."""
    training = BothLack(tmp_path, 60, 70, 50)
    results = training.train("s1", settings, settings)
    assert text in str(results["guest"])


@takes_long
def test_where_both_lack_rows_views_are_those_of_any_overlap(tmp_path) -> None:
    """Other common rows, as many: the same messages with the same headers."""
    shapes = []
    for seed in (1, 2):
        training = BothLack(tmp_path / str(seed), 20, 15, 15, seed)
        both_trained(training, iterations=2, batch=25)
        found = {}
        for file in sorted((training.folder / "mailbox" / "s1").glob("**/*.arrow")):
            rows = pa.ipc.open_stream(file.read_bytes()).read_all()
            if "ct" in rows.column_names:
                cts = rows["ct"].to_pylist()
                others = rows.drop_columns("ct").to_pydict()
                layouts = [(len(ct), str(layout_of(ct)).split("scale")[1]) for ct in cts]
                found[str(file.relative_to(training.folder))] = (others, layouts)
        assert any("lr.mask" in name for name in found)
        assert len(found) == 1 + 2 * 8
        shapes.append(found)
    assert shapes[0] == shapes[1]


@takes_long
def test_predictions_where_both_lack_rows(tmp_path) -> None:
    """Who asks, asks about the whole union; the other's mean stands for rows that it lacks."""
    training = BothLack(tmp_path, 20, 15, 10)
    _, w = both_trained(training, iterations=2)
    for asker, peer in (("host", "guest"), *thorough(("guest", "host"))):
        results = training.run(
            f"p-{asker}",
            **{
                asker: ("lr_joint_key/predict", {"peer": peer}),
                peer: ("lr_joint_key/predict_peer", {"peer": asker, "unmatched": "mean"}),
            },
        )
        assert results[peer] == [{"rows": 45}]
        own = training.host if asker == "host" else training.guest
        a = training.numbers(own)
        lacks = ~np.isin(own, training.common)
        a[lacks, 6 if asker == "host" else 1 : 10 if asker == "host" else 6] = 0
        scores = dict(training.query(asker, "SELECT id, score FROM predictions"))
        expected = 1 / (1 + np.exp(-a @ w))
        assert [scores[name] for name in IDS[own]] == pytest.approx(list(expected), abs=1e-5)


def test_no_row_in_common(tmp_path) -> None:
    training = BothLack(tmp_path, 0, 10, 10)
    results = training.train("s1", FAST, FAST)
    for me in ("host", "guest"):
        assert "the parties have no row in common" in str(results[me])


@takes_long
def test_who_asks_for_predictions_gets_them_and_no_others(hidden) -> None:
    training, _, host, guest = hidden
    common = IDS[np.intersect1d(host, guest)]
    refused = training.run(
        "p1",
        host=("lr_joint_key/predict", {"peer": "guest"}),
        guest=("lr_joint_key/predict_peer", {"peer": "host"}),
    )
    text = f"the peer asks for {len(host) - len(common)} rows that we have no record of"
    assert text in str(refused["guest"])
    assert "guest has ended its run with an error" in str(refused["host"])
    training.run(
        "p2",
        host=("lr_joint_key/predict", {"peer": "guest"}),
        guest=("lr_joint_key/predict_peer", {"peer": "host", "unmatched": "mean"}),
    )
    training.run(
        "p3",
        guest=("lr_joint_key/predict", {"peer": "host"}),
        host=("lr_joint_key/predict_peer", {"peer": "guest"}),
    )
    at_host = dict(training.query("host", "SELECT id, score FROM predictions"))
    at_guest = dict(training.query("guest", "SELECT id, score FROM predictions"))
    assert set(at_guest) == set(common)
    assert len(at_host) == len(host)
    assert all(abs(at_guest[name] - at_host[name]) < 1e-6 for name in common)
    mailbox = training.folder / "mailbox"
    asked = pa.ipc.open_stream(
        (mailbox / "p3" / "guest" / "host" / "predict.rows.arrow").read_bytes()
    ).read_all()
    assert len(asked) == len(host)  # not only the common rows: the host cannot tell them


def test_the_host_sees_the_same_whichever_rows_the_guest_has(hidden) -> None:
    """Sizes and headers of what the guest sends do not depend on its records."""
    training, *_ = hidden
    sent = training.folder / "mailbox" / "s1" / "guest" / "host"
    for i in range(1, 5):
        rows = pa.ipc.open_stream((sent / f"lr.intermediate-{i}.arrow").read_bytes()).read_all()
        assert len(rows) == 150
        assert len({(blob[:HEADER_BYTES], len(blob)) for blob in rows["ct"].to_pylist()}) == 1
        assert rows["row"].to_pylist() == sorted(rows["row"].to_pylist())


@pytest.fixture
def small(tmp_path) -> Training:
    """Sixty rows that both have."""
    training = Training(tmp_path)
    rows = np.arange(60)
    training.make_table("host", table(rows, slice(0, 2), label=True))
    training.make_table("guest", table(rows, slice(2, 4)))
    return training


@pytest.mark.parametrize(
    "settings, text",
    [
        # 30 visits of 3 numbers, and 7 losses, of half a bit
        ({"iterations": 30}, "would see 49 bits about 60 rows"),
        *thorough(
            ({"iterations": 4, "batch": 5}, "would see 2 bits about 5 rows"),
            ({"iterations": 30, "loss_every": 0}, "would see 45 bits about 60 rows"),
            ({"iterations": 2, "noise": 0}, "would see 167 bits about 60 rows"),
        ),
    ],
)
def test_more_than_an_eighth_of_a_bit_a_row_is_refused(small, settings: dict, text: str) -> None:
    settings = {"id": "who", **settings}
    results = small.train("s1", settings, settings)
    for me in ("host", "guest"):
        assert isinstance(results[me], ProtocolError)
    assert text in str(results["guest"])
    assert "or with lr_helper and reveal=none" in str(results["guest"])


@takes_long
def test_noise_changes_the_numbers_and_hardly_the_model(aligned) -> None:
    """426 rows allow 10 steps with noise of deviation 1: the model is nearly as good."""
    training, _, fit, test = aligned
    exact = training.weights()
    settings = {**SETTINGS, "noise": 1, "accept_disclosure": "no"}
    results = training.train("noisy", settings, settings)
    assert results["host"][0]["iterations"] == 10
    noisy = training.weights()
    z = standard(X, X[fit])[test]
    assert 0.001 < np.abs(noisy - exact).max() < 0.5
    scores = [roc_auc_score(Y[test], z @ w[1:]) for w in (exact, noisy)]
    assert abs(scores[0] - scores[1]) < 0.04


def test_noise_has_its_deviation_in_rows_that_the_guest_has_and_has_not(party) -> None:
    """What the rule counts on: the bits of a number follow from the deviation."""
    values = [
        value
        for (value,) in party.con.execute(
            "SELECT gaussian_noise(i, 0.25) FROM range(20000) t(i)"
        ).fetchall()
    ]
    assert len(set(values)) == 20000
    assert abs(np.std(values) - 0.25) < 0.005
    assert abs(np.mean(values)) < 0.01
    assert party.con.execute("SELECT noisy_bits(0.5), noisy_bits(0)").fetchall()[0] == (
        pytest.approx(0.5),
        pytest.approx(0.5 * np.log2(1 + 3 * 2**40)),
    )


def test_settings_that_differ_are_named_at_the_guest_and_end_the_host(small) -> None:
    results = small.train("s1", {"id": "who", **FAST}, {"id": "who", **FAST, "batch": 30})
    assert "the host has join=id iterations=2 batch=10000" in str(results["guest"])
    assert "we have join=id iterations=2 batch=30" in str(results["guest"])
    assert "guest has ended its run with an error" in str(results["host"])


@pytest.mark.parametrize(
    "change, at, text",
    [
        (
            "UPDATE t SET x0 = NULL WHERE who = 'patient 3'",
            "host",
            "not every row has a number in x0",
        ),
        *thorough(
            ("UPDATE t SET x2 = 1e200 WHERE who = 'patient 3'", "guest", "are too large"),
            ("UPDATE t SET x2 = 'NaN' WHERE who = 'patient 3'", "guest", "not every row has a"),
            ("UPDATE t SET x0 = 0.1", "host", "the same number in every row: x0"),
            (
                "UPDATE t SET x2 = x2 * 1e-200",
                "guest",
                "close to each other, for a standard deviation: x2",
            ),
            ("DELETE FROM t", "guest", "there are no rows"),
            ("UPDATE t SET y = 2 WHERE who = 'patient 3'", "host", "the label has to be 0 or 1"),
            (
                "UPDATE t SET who = 'patient 4' WHERE who = 'patient 3'",
                "guest",
                "occurs more than once",
            ),
        ),
        ("DELETE FROM t WHERE who = 'patient 3'", "guest", "the host trains on other rows"),
    ],
)
def test_tables_that_cannot_be_trained_on(small, change: str, at: str, text: str) -> None:
    small.query(at, change)
    results = small.train("s1", {"id": "who", **FAST}, {"id": "who", **FAST})
    assert text in str(results[at])
    other = "guest" if at == "host" else "host"
    assert f"{at} has ended its run with an error" in str(results[other])


@takes_long
def test_a_step_that_diverges_says_so(small) -> None:
    settings = {"id": "who", "iterations": 12, "learning_rate": 2000, "accept_disclosure": "yes"}
    results = small.train("s1", settings, settings)
    assert "beyond 16: the training diverges" in str(results["host"]) + str(results["guest"])


@takes_long
def test_the_last_step_may_not_diverge_either(small) -> None:
    settings = {"id": "who", **FAST, "iterations": 1, "learning_rate": 5000}
    results = small.train("s1", settings, settings)
    assert "beyond 64 after the last step" in str(results["host"]) + str(results["guest"])
    for me in ("host", "guest"):
        assert ("model",) not in small.query(me, "SELECT table_name FROM duckdb_tables()")


@takes_long
def test_scores_of_numbers_far_from_0_keep_their_digits(small) -> None:
    """10^15 and some: in the columns' own units a score is a difference of numbers near 10^15."""
    settings = {"id": "who", **FAST, "learning_rate": 1}
    features = {"host": ("x0", "x1"), "guest": ("x2", "x3")}
    for me, names in features.items():
        for name in names:
            small.query(me, f"UPDATE t SET {name} = 1e15 + round({name} * 4) % 64")
    small.train("s1", settings, settings)
    small.run(
        "s2",
        host=("lr_joint_key/predict", {"peer": "guest", "id": "who"}),
        guest=("lr_joint_key/predict_peer", {"peer": "host", "id": "who"}),
    )
    z = np.zeros(60)
    for me, names in features.items():
        for weight, mean, deviation in small.query(me, "SELECT weight, mean, deviation FROM model"):
            if mean is None:
                z += weight
                continue
            name, *names = names
            x = np.array(small.query(me, f"SELECT {name} FROM t ORDER BY who"))[:, 0]
            z += weight * (x - mean) / deviation
    scores = [
        score for (score,) in small.query("host", "SELECT score FROM predictions ORDER BY id")
    ]
    assert np.std(scores) > 0.01
    assert scores == pytest.approx(list(1 / (1 + np.exp(-z))), abs=1e-6)


@takes_long
def test_training_stops_at_a_gradient_norm(small) -> None:
    settings = {"id": "who", "iterations": 15, "stop": 0.1, "learning_rate": 1, **EXACT}
    results = small.train("s1", settings, settings)
    norms = [
        [n for (n,) in small.query(me, "SELECT gradient_norm FROM training_log")]
        for me in ("host", "guest")
    ]
    larger = np.max(norms, axis=0)
    assert larger[-1] <= 0.1 < min(larger[:-1])
    assert results["guest"][0]["iterations"] == len(larger) < 15


@takes_long
def test_an_assistant_makes_the_modulus_and_passes_gradients_on(small) -> None:
    settings = {"id": "who", "modulus": "assistant", "assistant": "carol", **FAST}
    results = small.run(
        "s1",
        host=("lr_joint_key/host", {"peer": "guest", "label": "y", **settings}),
        guest=("lr_joint_key/guest", {"peer": "host", **settings}),
        carol=("lr_joint_key/assistant", {"host": "host", "guest": "guest", "bits": 2048}),
    )
    assert results["carol"][0]["iterations"] == 2
    at = {name: i for i, name in enumerate(IDS)}
    order = np.array([at[name] for name in results["host", "order"]])
    a = np.column_stack([np.ones(60), standard(X[order][:, :4], X[:60, :4])])
    w, *_ = descend_taylor(a, Y[order], np.ones(60), iterations=2)
    assert np.abs(small.weights() - w).max() < 1e-4
    mailbox = small.folder / "mailbox" / "s1"
    direct = [f.name for f in (mailbox / "host" / "guest").glob("lr.gradient-*")]
    assert direct == []
    assert duckpriv.Keyring(small.folder / "carol.keys").list() == []


@takes_long
def test_a_host_without_features_and_odd_names(tmp_path) -> None:
    """The id is a number here and a text there; names with a comma and a quote; a label in
    another spelling. A label that is named as a feature is refused."""
    training = Training(tmp_path)
    rng = np.random.default_rng(1)
    number, label = np.arange(64), rng.random(64) < 0.5
    training.make_table(
        "host", pa.table({"Number": number, "Y": label, "text": number.astype(str)})
    )
    odd = {'a, "b"': rng.normal(size=64), "A": rng.integers(0, 9, 64)}
    training.make_table("guest", pa.table({"number": pa.array(number.astype(str)), **odd}))
    results = training.train("s1", {"id": "number", **FAST}, {"id": "NUMBER", **FAST})
    at_guest = dict(training.query("guest", "SELECT feature, weight FROM model"))
    assert list(at_guest) == ["(intercept)", *odd]
    order = np.array([int(name) for name in results["host", "order"]])
    x = np.column_stack(list(odd.values()))
    a = np.column_stack([np.ones(64), standard(x, x)[order]])
    w, *_ = descend_taylor(a, label[order], np.ones(64), iterations=2)
    assert np.abs(training.weights() - w).max() < 1e-4
    training.run(
        "s2",
        host=("lr_joint_key/predict", {"peer": "guest", "id": "number"}),
        guest=("lr_joint_key/predict_peer", {"peer": "host", "id": "number"}),
    )
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    assert [scores[i] for i in order] == pytest.approx(list(1 / (1 + np.exp(-a @ w))), abs=1e-5)
    results = training.train(
        "s3", {"id": "number", "columns": "y,", **FAST}, {"id": "number", **FAST}
    )
    assert "nor be a feature if it is the id or the label: y" in str(results["host"])


@takes_long
def test_a_batch_without_any_record_of_the_guest(tmp_path) -> None:
    training = Training(tmp_path)
    training.make_table("host", table(np.arange(20), slice(0, 2), label=True))
    training.make_table("guest", table(np.arange(18, 40), slice(2, 4)))
    training.run(
        "match",
        host=("psi/host", {"peer": "guest", "id": "who", "bits": 2048}),
        guest=("psi/guest", {"peer": "host", "id": "who"}),
    )
    settings = {"batch": 5, "loss_every": 1, **FAST, "iterations": 4}
    results = training.train("s1", settings, settings)
    assert results["host"][0]["iterations"] == 4
    log = training.query("host", "SELECT loss, gradient_norm FROM training_log")
    assert log.count((pytest.approx(np.log(2)), 0.0)) >= 2  # 2 of 4 batches have records, at most


def test_both_parties_in_one_role(small) -> None:
    small.make_table("guest", table(np.arange(60), slice(2, 4), label=True), "labelled")
    results = small.run(
        "s1",
        host=("lr_joint_key/host", {"peer": "guest", "label": "y", "id": "who"}),
        guest=(
            "lr_joint_key/host",
            {"peer": "host", "table": "labelled", "label": "y", "id": "who"},
        ),
    )
    assert "runs lr_joint_key/host too" in str(results["host"]) + str(results["guest"])


CHILD = """
import sys, duckpriv
folder, me, peer, script = sys.argv[1:5]
settings = dict(setting.split("=") for setting in sys.argv[5:])
with duckpriv.connect(f"{folder}/{me}.duckdb", me=me, exchange=f"dir:{folder}/mailbox",
                      keyring=f"{folder}/{me}.keys", session="s1", timeout=60, silence=2,
                      unprotected=True) as party:
    party.run(script, peer=peer, table="t", id="who", accept_disclosure="yes", **settings)
"""


@takes_long
def test_a_party_that_is_killed_ends_the_other_one(small) -> None:
    arguments = [sys.executable, "-c", CHILD, str(small.folder), "guest", "host"]
    child = subprocess.Popen([*arguments, "lr_joint_key/guest", "iterations=500"])
    sent = small.folder / "mailbox" / "s1" / "guest" / "host" / "lr.settled-2.json"

    def kill() -> None:
        while not sent.exists():
            time.sleep(0.02)
        child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    settings = {"peer": "guest", "table": "t", "label": "y", "id": "who", "iterations": 500}
    silent = pytest.raises(ExchangeTimeout, match="guest has given no sign of life for 2 seconds")
    with small.connect("host", "s1", silence=2) as party, silent:
        party.run("lr_joint_key/host", **settings, accept_disclosure="yes")
    killer.join()
    child.wait()
