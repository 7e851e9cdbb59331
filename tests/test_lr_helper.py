"""Training with a helper, against the same algorithm in float64 and against scikit-learn."""

from __future__ import annotations

import re
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.metrics import mean_poisson_deviance, roc_auc_score
from sklearn.model_selection import train_test_split

import duckpriv
from duckpriv import ProtocolError
from duckpriv.crypto.hashing import sha256
from duckpriv.engine import sql_folder
from duckpriv.keyring.seeds import SeedParts
from duckpriv.keys import SeedPart
from duckpriv.scripts import load
from tests.effort import THOROUGH, takes_long, thorough
from tests.parties import Folder, at_once, check_receivers
from tests.plain import descend, standard


class Seen:
    """Notes the order of the rows in each epoch, and what the first scores are made of."""

    def __init__(self, party: duckpriv.Party, helped: threading.Event) -> None:
        self.con, self.helped = party.con, helped
        self.order: list[tuple[int, object]] = []
        self.first: dict[str, np.ndarray] = {}

    def start(self, statement) -> None:
        if ": weights, masked" in statement.title:
            assert self.helped.wait(60), "the helper may end before training begins"
        if ": weights, masked" in statement.title or "scores: features and" in statement.title:
            self.note_order()
            if not self.first and "scores:" in statement.title:
                for name, table in (("x", "batch"), ("u", "deal"), ("t", "deal"), ("c", "deal")):
                    self.first[name] = self.vector(f"SELECT {name} FROM lr_{table}")
        if "residuals: prediction less" in statement.title and "z" not in self.first:
            self.first["z"] = self.vector("SELECT z FROM lr_score")

    def note_order(self) -> None:
        tables = self.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        if ("lr_matrix",) not in tables:  # a guest
            return
        if ("lr_order",) in tables:
            query = "SELECT epoch, id FROM lr_order JOIN lr_matrix USING (row) ORDER BY place"
        elif ("lr_drawn",) in tables:  # the random id of a row that the host lacks
            query = """
                SELECT (getvariable('iteration') - 1) // getvariable('batches'), id, name
                FROM lr_drawn ORDER BY row"""
        else:
            query = """
                SELECT (getvariable('iteration') - 1) // getvariable('batches'), id
                FROM lr_matrix ORDER BY row"""
        found = [
            (epoch, next(name for name in names if name is not None))
            for epoch, *names in self.con.execute(query).fetchall()
        ]
        if found and (not self.order or self.order[-1][0] != found[0][0]):
            self.order += found

    def vector(self, query: str) -> np.ndarray:
        return np.array(self.con.execute(query).fetchall()[0][0], dtype=np.uint64)

    def tick(self) -> None:
        pass


OPENED = {"activation": "open"}
# Without noise the loss is that of the plain algorithm; few rows for so many numbers.
EXACT = {"noise": 0, "accept_disclosure": "yes"}


class Training(Folder):
    """A host, guests and a helper in threads, each with a database of its own."""

    def __init__(self, folder: Path, guests: tuple[str, ...] = ("guest",)) -> None:
        super().__init__(folder)
        self.guests = guests

    @property
    def parties(self) -> tuple[str, ...]:
        return ("host", *self.guests)

    def make(self, me: str, ids: np.ndarray, x: np.ndarray, table: str = "t", **more) -> None:
        columns = {f"{me}{i}": x[:, i] for i in range(x.shape[1])}
        self.make_table(me, pa.table({"who": ids, **columns, **more}), table)

    def run(self, session: str, scripts: dict[str, tuple[str, dict]]) -> dict:
        """Run each party's script; return results, or what was raised, and the order of rows."""
        results: dict = {}
        helped = threading.Event()

        def work(me: str, script: str, settings: dict) -> object:
            with self.connect(me, session) as party:
                seen = results[me, "seen"] = Seen(party, helped)
                summary = party.run(script, observer=seen, **settings)
                if script == "lr_helper/helper":
                    helped.set()
                if script == "lr_helper/host":
                    results["order"] = seen.order
                return summary

        found = at_once(*(partial(work, me, *what) for me, what in scripts.items()))
        if not any(isinstance(one, BaseException) for one in found):
            check_receivers(self.folder, session, scripts)
        return results | dict(zip(scripts, found, strict=True))

    def match(self) -> None:
        """Private matching of the host with each guest, in sessions of their own."""
        for guest in self.guests:
            named = {"result": f"alignment_{guest}"} if len(self.guests) > 1 else {}
            host = {"peer": guest, "table": "t", "id": "who", "bits": 2048, **named}
            self.run(
                f"match-{guest}",
                {
                    "host": ("psi/host", host),
                    guest: ("psi/guest", {"peer": "host", "table": "t", "id": "who"}),
                },
            )

    def align(self) -> None:
        """The tables that private matching leaves, made by hand: pids come from the ids."""
        pid = "CREATE OR REPLACE MACRO pid(who) AS md5(who::VARCHAR)::UUID; CREATE TABLE"
        everybody = self.query("host", "SELECT who FROM t")
        for guest in self.guests:
            name = f"alignment_{guest}" if len(self.guests) > 1 else "alignment"
            self.query("host", f"{pid} {name} AS SELECT who AS id, pid(who) AS pid FROM t")
            self.make_table(guest, pa.table({"who": [who for (who,) in everybody]}), "theirs")
            self.query(
                guest,
                f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t SEMI JOIN theirs "
                "USING (who); CREATE TABLE alignment_unmatched AS SELECT pid(who) AS pid "
                "FROM theirs ANTI JOIN t USING (who); DROP TABLE theirs",
            )

    def train(self, session: str, **settings) -> dict:
        names = {"guests": ",".join(self.guests)}
        settings = {"table": "t", **names, **EXACT, **settings}
        scripts = {"host": ("lr_helper/host", {"label": "y", **settings})}
        scripts |= dict.fromkeys(self.guests, ("lr_helper/guest", settings))
        helper = names | {k: v for k, v in settings.items() if k == "activation"}
        return self.run(session, scripts | {"helper": ("lr_helper/helper", helper)})

    def predict(
        self,
        session: str,
        table: str,
        host: dict | None = None,
        guest: dict | None = None,
        **settings,
    ) -> dict:
        names = {"guests": ",".join(self.guests)}
        settings = {"table": table, **names, **settings}
        scripts = {"host": ("lr_helper/predict_host", {**settings, **(host or {})})}
        theirs = {**settings, **(guest or {})}
        scripts |= dict.fromkeys(self.guests, ("lr_helper/predict_guest", theirs))
        return self.run(session, scripts | {"helper": ("lr_helper/predict_helper", names)})

    def weights(self) -> np.ndarray:
        """The weights for standardised features: intercept, then party by party."""
        found = []
        for me in self.parties:
            rows = self.query(me, "SELECT feature, weight FROM model")
            found += [w for f, w in rows if f != "(intercept)" or me == "host"]
        return np.array(found)

    def received(self, me: str, session: str) -> dict[str, pa.Table]:
        """Every message to a party, by sender and channel."""
        files = (self.folder / "mailbox" / session).glob(f"*/{me}/*.arrow")
        return {
            f"{f.parts[-3]}/{f.stem}": pa.ipc.open_stream(f.read_bytes()).read_all() for f in files
        }


def epochs(results: dict, ids: np.ndarray) -> dict[int, np.ndarray]:
    at = {name: i for i, name in enumerate(ids.tolist())}
    found: dict[int, list[int]] = {}
    for epoch, name in results["order"]:
        found.setdefault(epoch, []).append(at[name])
    return {epoch: np.array(rows) for epoch, rows in found.items()}


CANCER, BENIGN = load_breast_cancer(return_X_y=True)
FIT, TEST = train_test_split(np.arange(len(CANCER)), test_size=0.25, random_state=0)
# Steps of 1 on 30 features that belong together: scores go beyond 12 in the beginning.
SETTINGS = {
    **{"id": "who", "iterations": 12, "batch": 142, "learning_rate": 1, "l2": 0.02},
    "range": 48,
}
OPEN = {**SETTINGS, **OPENED, "range": ""}


def of_cancer(folder: Path) -> Training:
    """Breast cancer, 10 + 20 features, on a shared id; three batches an epoch."""
    training = Training(folder)
    for table, rows in (("t", FIT), ("new", TEST)):
        more = {"y": BENIGN[rows]} if table == "t" else {}
        training.make("host", rows, CANCER[rows][:, :10], table, **more)
        training.make("guest", rows, CANCER[rows][:, 10:], table)
    return training


@pytest.fixture(scope="module")
def cancer(tmp_path_factory) -> tuple[Training, dict]:
    training = of_cancer(tmp_path_factory.mktemp("cancer"))
    return training, training.train("s1", **SETTINGS)


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> tuple[Training, dict]:
    """The same with activation=open."""
    training = of_cancer(tmp_path_factory.mktemp("opened"))
    return training, training.train("s1", **OPEN)


@pytest.mark.parametrize("form", ["cancer", *thorough("opened")])
def test_weights_and_loss_are_those_of_the_plain_algorithm(request, form: str) -> None:
    training, results = request.getfixturevalue(form)
    order = epochs(results, FIT)
    assert all(sorted(rows) == list(range(len(FIT))) for rows in order.values())
    assert len(order) == 4
    assert len({tuple(rows) for rows in order.values()}) == (4 if form == "opened" else 1)
    a = np.column_stack([np.ones(len(FIT)), standard(CANCER[FIT])])
    w, losses = descend(
        a, BENIGN[FIT], np.ones(len(FIT)), order, iterations=12, batch=142, rate=1, l2=0.02
    )
    # Each step rounds weights and scores to 2^-20, and with `open` truncates twice: some units of
    # 2^-20 a step. The series is off by less than 0.0004.
    assert np.abs(training.weights() - w).max() < 12 * (4 * 2.0**-20 if form == "opened" else 1e-5)
    log = training.query("host", "SELECT loss FROM training_log ORDER BY iteration")
    assert [loss for (loss,) in log] == pytest.approx(losses, abs=1e-3)
    assert training.query("guest", "SELECT DISTINCT loss FROM training_log") == [(None,)]


@takes_long
def test_predictions_are_as_good_as_those_of_scikit_learn(cancer) -> None:
    training, _ = cancer
    training.predict("p1", "new", id="who", host={"batch": 50})
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    ours = np.array([scores[i] for i in TEST])
    w = training.weights()
    z = w[0] + standard(CANCER, CANCER[FIT])[TEST] @ w[1:]
    assert np.abs(ours - 1 / (1 + np.exp(-z))).max() < 1e-4
    # With the same penalty: C is 1 / (l2 * rows).
    model = LogisticRegression(C=1 / (0.02 * len(FIT))).fit(standard(CANCER[FIT]), BENIGN[FIT])
    theirs = model.decision_function(standard(CANCER, CANCER[FIT])[TEST])
    assert abs(roc_auc_score(BENIGN[TEST], ours) - roc_auc_score(BENIGN[TEST], theirs)) < 0.002
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'predictions'"
    assert training.query("guest", tables) == [(0,)]


@takes_long
def test_trained_to_the_end_it_is_as_good_as_scikit_learn(tmp_path) -> None:
    training = of_cancer(tmp_path)
    settings = {"iterations": 120, "batch": 500, "learning_rate": 0.4, "l2": 0.02, "range": 48}
    results = training.train("s1", id="who", **settings)
    a = np.column_stack([np.ones(len(FIT)), standard(CANCER[FIT])])
    order = {epoch: np.arange(len(FIT)) for epoch in range(120)}
    w, _ = descend(
        *(a, BENIGN[FIT], np.ones(len(FIT)), order), iterations=120, batch=500, rate=0.4, l2=0.02
    )
    assert results["host"][0]["iterations"] == 120
    assert np.abs(training.weights() - w).max() < 1e-3
    training.predict("p1", "new", id="who")
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    # With the same penalty: C is 1 / (l2 * rows).
    model = LogisticRegression(C=1 / (0.02 * len(FIT))).fit(standard(CANCER[FIT]), BENIGN[FIT])
    theirs = model.decision_function(standard(CANCER, CANCER[FIT])[TEST])
    ours = roc_auc_score(BENIGN[TEST], [scores[i] for i in TEST])
    assert abs(ours - roc_auc_score(BENIGN[TEST], theirs)) < 0.001


@takes_long
def test_trained_to_the_end_counts_have_the_deviance_of_scikit_learn(tmp_path) -> None:
    rng, ids = np.random.default_rng(0), np.arange(2000)
    x = standard(rng.normal(size=(2000, 6)))
    counts = rng.poisson(np.exp(x @ [0.4, -0.3, 0.2, 0, 0.5, -0.2] - 1.5))  # most are 0
    training = Training(tmp_path)
    training.make("host", ids, x[:, :2], y=counts * 1.0)
    training.make("guest", ids, x[:, 2:])
    training.train("s1", id="who", kind="exp", iterations=120, batch=2000, learning_rate=0.5)
    a = np.column_stack([np.ones(2000), x])
    model = PoissonRegressor(alpha=0).fit(x, counts)
    theirs = mean_poisson_deviance(counts, model.predict(x))
    ours = mean_poisson_deviance(counts, np.exp(a @ training.weights()))
    assert ours < 1.01 * theirs
    expected = np.append(model.intercept_, model.coef_)
    assert np.abs(training.weights() - expected).max() < 0.01


@takes_long
def test_the_guest_can_ask_too(cancer) -> None:
    training, _ = cancer
    training.predict("p2", "new", id="who", asker="guest")
    at_guest = dict(training.query("guest", "SELECT id, score FROM predictions"))
    assert sorted(at_guest) == sorted(TEST.tolist())
    training.query("guest", "DROP TABLE predictions")


@takes_long
def test_with_open_the_helper_sees_scores_and_nothing_that_names_a_row(opened) -> None:
    """It gets shapes, public keys, and shares of scores; the seed of the batches not even
    sealed; and no opening goes through it."""
    training, _ = opened
    received = training.received("helper", "s1")
    kinds = {name.partition("/")[2].rstrip("0123456789") for name in received}
    assert kinds == {"lrh.commitment", "lrh.part", "lrh.plan", "lrh.shape", "lrh.score-"}
    assert not any("opening" in name or "open" in name for name in received)
    sent = (training.folder / "mailbox" / "s1" / "helper").glob("*/*.arrow")
    assert {f.stem.rstrip("0123456789") for f in sent} == {
        "lrh.commitment",
        "lrh.part",
        "lrh.deal-all-",
        "lrh.deal-",
        "lrh.activated-",
    }
    # The helper's scores are those of every row once an epoch, in another order each time.
    z = [
        np.add(
            *(received[f"{p}/lrh.score-{i}"]["z"][0].values.to_numpy() for p in training.parties)
        )
        for i in range(1, 4)
    ]
    assert [len(values) for values in z] == [142, 142, 142]
    assert all((values == 0).all() for values in z[:1])  # at the first step all weights are 0


@takes_long
def test_the_helper_cannot_solve_a_partys_scores_for_its_features(opened) -> None:
    """It dealt U, t and c. At the first step all weights are 0, so what is left of a score share
    would be features times known numbers; shares of 0 that it does not know hide them."""
    training, results = opened
    sent = training.received("helper", "s1")
    host, guest = (results[me, "seen"].first for me in ("host", "guest"))
    x, u, t = ([one[name] for one in (host, guest)] for name in ("x", "u", "t"))
    x, u = ([m[i].reshape(142, width) for i, width in enumerate((11, 20))] for m in (x, u))
    own = [slice(0, 11), slice(11, 31)]
    zeros = []
    for me, other in ((0, 1), (1, 0)):
        share = (host, guest)[me]
        dealt = share["c"] - x[me] @ t[other][own[me]] + (x[other] - u[other]) @ t[me][own[other]]
        z = sent[f"{training.parties[me]}/lrh.score-1"]["z"][0].values.to_numpy()
        zeros.append(z - dealt)
        assert len(np.unique(zeros[-1])) == 142
        assert 40 < (zeros[-1] >> np.uint64(63)).sum() < 102
    assert (zeros[0] + zeros[1] == 0).all()


@takes_long
def test_the_loss_is_opened_only_where_no_intersection_is_hidden(cancer, tmp_path) -> None:
    rng = np.random.default_rng(0)
    training = Training(tmp_path)
    training.make("host", np.arange(40), rng.normal(size=(40, 1)), y=np.arange(40) % 2)
    training.make("guest", np.arange(5, 45), rng.normal(size=(40, 1)))
    training.match()
    training.train("s1", iterations=2, batch=40)
    assert training.query("host", "SELECT loss FROM training_log") == [(None,), (None,)]
    sent = training.received("host", "s1")
    assert [sent[f"guest/lrh.open-update-{i}"]["loss"].to_pylist() for i in (1, 2)] == [[[]], [[]]]
    training.train("s2", iterations=2, batch=40, result="opened", **OPENED)
    sent = training.received("host", "s2")
    assert [len(sent[f"guest/lrh.loss-{i}"]) for i in (1, 2)] == [0, 0]


@pytest.mark.parametrize(
    "change, settings, at, text",
    [
        ("y * 1e5", {"kind": "identity"}, "host", "the label is too large: its largest magnitude"),
        *thorough(
            ("y", {"learning_rate": 1900}, "guest", "scores leave the range 24"),
            ("y", {"kind": "exp", "range": 24, "decay": 10}, "host", "less than what 64 bits"),
            ("y", {"learning_rate": 1e-14}, "host", "the last learning rate, or l2, is too small"),
            ("y / 9000", {"kind": "exp"}, "host", "the labels differ by too little to be rounded"),
            ("y", {"range": 13}, "host", "the range of scores is 13; use 6, 12, 24"),
            ("y * 1e5", {"kind": "identity", **OPENED}, "host", "the label is too large"),
            ("y", {"learning_rate": 1e-7, **OPENED}, "host", "the learning rate, or l2, is too"),
            ("y", {"kind": "exp", "learning_rate": 50}, "guest", "scores leave the range 12"),
            ("y", {"kind": "identity", "learning_rate": 50}, "guest", "scores leave the range"),
            ("y", {"kind": "exp", "learning_rate": 50, **OPENED}, "helper", "training diverges"),
            ("y", {"learning_rate": 1900, **OPENED}, "helper", "a score passes 1024"),
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, change, settings, at, text) -> None:
    rng = np.random.default_rng(0)
    training = Training(tmp_path)
    training.make("host", np.arange(64), rng.normal(size=(64, 2)), y=rng.integers(0, 9, 64) * 1.0)
    training.make("guest", np.arange(64), rng.normal(size=(64, 2)))
    if "kind" not in settings:
        change = "y > 4"
    training.query("host", f"UPDATE t SET y = {change}")
    results = training.train("s1", id="who", iterations=9, **settings)
    assert text in str(results[at])


@takes_long
def test_long_steps_and_large_predictions_are_those_of_the_plain_algorithm(tmp_path) -> None:
    """Steps of 60 and a score beyond 30,000, whose loss would not fit into 64 bits."""
    rng, ids = np.random.default_rng(3), np.arange(64)
    x = standard(rng.normal(size=(64, 4)))
    y = 300 * x[:, 0] - 200 * x[:, 2] + 30 * rng.normal(size=64)
    training = Training(tmp_path)
    training.make("host", ids, x[:, :2], y=y, one=(y > 0) * 1.0)
    training.make("guest", ids, x[:, 2:])
    a, columns = np.column_stack([np.ones(64), x]), "host0,host1"
    for session, kind, rate, label in (("s1", "logistic", 60, "one"), ("s2", "identity", 0.5, "y")):
        settings = {"kind": kind, "learning_rate": rate, "id": "who", "iterations": 3}
        names = {"guests": "guest"}
        common = {"table": "t", **names, **EXACT, **settings, **OPENED}
        results = training.run(
            session,
            {
                "host": ("lr_helper/host", {**common, "label": label, "columns": columns}),
                "guest": ("lr_helper/guest", common),
                "helper": ("lr_helper/helper", {**names, **OPENED}),
            },
        )
        target = {"one": (y > 0) * 1.0, "y": y}[label]
        order = epochs(results, ids)
        w, _ = descend(a, target, np.ones(64), order, iterations=3, batch=64, rate=rate, kind=kind)
        assert training.weights() == pytest.approx(w, rel=1e-3, abs=1e-3)
    far = x * np.where(np.arange(64) == 5, 400, 1)[:, None]
    training.make("host", ids, far[:, :2], "far")
    training.make("guest", ids, far[:, 2:], "far")
    results = training.predict("s3", "far", id="who")
    assert results["helper"] == [{"rows": 64}]
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    expected = np.column_stack([np.ones(64), far]) @ training.weights()
    assert np.abs(expected).max() > 20_000
    assert [scores[i] for i in ids] == pytest.approx(list(expected), rel=1e-6, abs=1e-2)


def test_what_parties_send_each_other_is_uniform(cancer) -> None:
    training, _ = cancer
    for me in training.parties:
        bits = []
        for name, table in training.received(me, "s1").items():
            for column in table.columns:
                hidden = name.partition("/")[2] not in ("lrh.weights", "lrh.start")
                if pa.types.is_list(column.type) and hidden:
                    values = column.combine_chunks().values.to_numpy()
                    if len(values) > 100:
                        bits.append((values >> np.uint64(63)).mean() - 0.5)
                        assert abs(bits[-1]) < 6 * 0.5 / np.sqrt(len(values)), name
                        assert len(np.unique(values)) == len(values), name
        assert len(bits) > 20


def test_no_mask_hides_two_numbers(cancer) -> None:
    """Of all that a party opens in a session, no two numbers are the same, nor their differences
    from what the other party opens at the same place: a mask that came twice would show there."""
    training, _ = cancer
    opened: dict[str, list[np.ndarray]] = {}
    for me, other in (training.parties, training.parties[::-1]):
        for name, table in sorted(training.received(other, "s1").items()):
            channel = name.partition("/")[2]
            if channel.startswith("lrh.open-"):
                for column in table.columns:
                    if pa.types.is_list(column.type):
                        opened.setdefault(me, []).append(column.combine_chunks().values.to_numpy())
    host, guest = (np.concatenate(opened[me]) for me in training.parties)
    for numbers in (host, guest):
        assert len(np.unique(numbers)) == len(numbers) > 8000
    same = min(len(host), len(guest))
    assert len(np.unique(host[:same] + guest[:same])) == same


def everything(path: Path) -> dict[str, bytes]:
    """All messages below a folder, with their manifests."""
    files = [file for file in path.rglob("lrh.*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@takes_long
@pytest.mark.parametrize("kind", ["logistic", *thorough("identity", "exp")])
def test_views_are_those_of_any_other_data(tmp_path, monkeypatch, kind: str) -> None:
    """Two tables of one shape, with other features, labels and common rows, and the same random
    numbers: all that the helper has is the same, byte for byte. The service parties' messages are
    of the same length, and differ in numbers that random numbers hide (see the other tests)."""

    def fixed(seeds: SeedParts, name: str) -> None:
        digests = (sha256("a test's part", name.encode(), which) for which in (b"a", b"b"))
        seeds._store.keep_new(name, *seeds.SUFFIXES, lambda: SeedPart(*digests).encoded)

    monkeypatch.setattr(SeedParts, "generate", fixed)
    views = []
    for seed, common in ((0, np.arange(40)), (1, np.arange(20, 60))):
        rng = np.random.default_rng(seed)
        training = Training(tmp_path / str(seed))
        (tmp_path / str(seed)).mkdir()
        training.make("host", np.arange(60), rng.normal(size=(60, 2)), y=rng.integers(0, 2, 60))
        rows = np.concatenate([common, np.arange(100, 160)])
        training.make("guest", rows, rng.exponential(size=(100, 3)))
        training.align()
        steps = 4 if THOROUGH else 2  # batches: an epoch, or two
        settings = {"iterations": steps, "batch": 30, "key": "who", "reveal": "none"}
        results = training.train("s1", kind=kind, **settings)
        assert results["helper"] == [{"iterations": steps}], results
        mailbox = training.folder / "mailbox" / "s1"
        views.append(
            {
                "helper": [everything(mailbox / me / "helper") for me in training.parties]
                + [everything(mailbox / "helper")],
                "helper's tables": training.query(
                    "helper",
                    "SELECT session, direction, peer, channel, rows, bytes, columns, sha256 "
                    "FROM duckpriv_audit ORDER BY ALL",
                ),
                "helper's keys": duckpriv.Keyring(training.folder / "helper.keys").list(),
                "lengths": [
                    {name: len(data) for name, data in everything(mailbox / a / b).items()}
                    for a, b in (training.parties, training.parties[::-1])
                ],
            }
        )
        opened = everything(mailbox / "guest" / "host")
        views[-1]["opened"] = {k for k, v in opened.items() if ".open-" in k}
        views[-1]["contents"] = [v for k, v in opened.items() if k.endswith("features-0.arrow")]
    one, other = views
    assert one["contents"] != other.pop("contents"), "the data are not in play"
    assert {k: v for k, v in one.items() if k != "contents"} == other


def test_seeds_are_deleted_and_no_table_keeps_a_share(cancer) -> None:
    training, _ = cancer
    for me in (*training.parties, "helper"):
        assert duckpriv.Keyring(training.folder / f"{me}.keys").list() == []
        tables = training.query(
            me, "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        )
        assert {name for (name,) in tables} <= {
            *("t", "new", "model", "training_log", "predictions"),
            *("duckpriv_audit", "duckpriv_journal", "duckpriv_releases", "duckpriv_runs"),
        }


@takes_long
def test_weights_that_stay_shared(tmp_path) -> None:
    """reveal=none: no party has a weight, one share alone says nothing, predictions work."""
    rng = np.random.default_rng(0)
    x, ids = rng.normal(size=(90, 5)), np.arange(90)
    y = (x.sum(axis=1) > 0).astype(int)
    training = Training(tmp_path)
    training.make("host", ids, x[:, :2], y=y)
    training.make("guest", ids, x[:, 2:])
    settings = {"id": "who", "iterations": 3, "batch": 90}
    results = training.train("s1", reveal="none", **settings)
    order = epochs(results, ids)
    a = np.column_stack([np.ones(90), standard(x)])
    w, _ = descend(a, y, np.ones(90), order, iterations=3, batch=90, rate=0.5)
    shares = []
    for me in training.parties:
        assert {v for (v,) in training.query(me, "SELECT weight FROM model")} == {None}
        rows = training.query(me, "SELECT share FROM model_share")
        shares.append(np.array([share for (share,) in rows], dtype=np.uint64))
        numbers = shares[-1].view(np.int64) / 2.0**20
        assert np.abs(numbers).min() > 1000  # uniform in 2^64: none is near a weight
    total = (shares[0] + shares[1]).view(np.int64) / 2.0**20
    assert np.abs(total - w).max() < 1e-4
    assert not any(
        name.endswith("/lrh.weights")
        for me in training.parties
        for name in training.received(me, "s1")
    )
    training.predict("p1", "t", id="who")
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    z = a @ w
    assert [scores[i] for i in ids] == pytest.approx(list(1 / (1 + np.exp(-z))), abs=1e-4)


@takes_long
@pytest.mark.parametrize("kind", ["exp", *(["identity"] if THOROUGH else [])])
def test_linear_and_poisson_regression(tmp_path, kind: str) -> None:
    diabetes, progress = load_diabetes(return_X_y=True)
    x, ids = standard(diabetes), np.arange(len(diabetes))
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * x[:, 2] - 0.2 * x[:, 5] + 0.5))
    training = Training(tmp_path)
    training.make("host", ids, x[:, :4], y=progress / 100, count=counts)
    training.make("guest", ids, x[:, 4:])
    # The smallest eigenvalue of the features' correlations is 0.009: that direction converges
    # slowly, so predictions are compared, not coefficients.
    settings = {"id": "who", "iterations": 8, "batch": 1000}
    label, rate, model = {
        "identity": ("y", 0.4, LinearRegression()),
        "exp": ("count", 0.3, PoissonRegressor(alpha=0)),
    }[kind]
    target = {"y": progress / 100, "count": counts}[label]
    at_host = {"label": label, "columns": "host0,host1,host2,host3"}
    names = {"guests": "guest"}
    common = {"table": "t", **names, **EXACT, **settings, "kind": kind, "learning_rate": rate}
    results = training.run(
        kind,
        {
            "host": ("lr_helper/host", {**common, **at_host}),
            "guest": ("lr_helper/guest", common),
            "helper": ("lr_helper/helper", names),
        },
    )
    assert results["helper"] == [{"iterations": 8}]
    a = np.column_stack([np.ones(len(x)), x])
    w, _ = descend(
        a,
        target,
        np.ones(len(x)),
        epochs(results, ids),
        iterations=8,
        batch=1000,
        rate=rate,
        kind=kind,
    )
    assert np.abs(training.weights() - w).max() < 1e-3
    z = a @ training.weights()
    ours = z if kind == "identity" else np.exp(z)
    theirs = model.fit(x, target).predict(x)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95
    assert np.abs(ours.mean() - theirs.mean()) < 0.05 * theirs.mean()


@takes_long
@pytest.mark.parametrize("guests", [("guest",), ("g1", "g2", "g3")] if THOROUGH else [("g1", "g2")])
def test_hidden_intersections_of_several_guests(tmp_path, guests) -> None:
    rng = np.random.default_rng(5)
    people, width = 120, 2 + 2 * len(guests)
    x, ids = rng.normal(size=(people, width)), np.array([f"p{i}" for i in range(people)])
    y = (rng.random(people) < 1 / (1 + np.exp(-x.sum(axis=1)))).astype(int)
    has = {g: np.sort(rng.permutation(people)[:90]) for g in guests}
    rows = np.arange(100)  # the host's
    training = Training(tmp_path, guests)
    training.make("host", ids[rows], x[rows][:, :2], y=y[rows])
    for i, guest in enumerate(guests):
        training.make(guest, ids[has[guest]], x[has[guest]][:, 2 * i + 2 : 2 * i + 4])
    if len(guests) == 2:
        training.align()
    else:
        training.match()
    steps = 4 if THOROUGH else 2
    settings = {"iterations": steps, "batch": 50, "learning_rate": 1, "decay": 0.1}
    results = training.train("s1", loss="yes", **settings)
    order = epochs(results, ids[rows])
    a = [np.ones(100), *standard(x[rows][:, :2]).T]
    present = np.ones(100)
    for i, guest in enumerate(guests):
        common = np.intersect1d(rows, has[guest])
        values = standard(x[:, 2 * i + 2 : 2 * i + 4], x[common][:, 2 * i + 2 : 2 * i + 4])[rows]
        here = np.isin(rows, common)
        a += list((values * here[:, None]).T)
        present *= here
    w, losses = descend(
        np.column_stack(a), y[rows], present, order, iterations=steps, batch=50, rate=1, decay=0.1
    )
    # Four steps of up to 1, with a series that is off by 0.00016 at most.
    assert np.abs(training.weights() - w).max() < 6.4e-4
    log = training.query("host", "SELECT loss FROM training_log ORDER BY iteration")
    assert [loss for (loss,) in log] == pytest.approx(losses, abs=1e-3)
    # What the host gets does not say which rows a guest has.
    spine = training.received(guests[0], "s1")["host/lrh.spine"]
    assert len(spine) == 100
    refused = training.predict("p1", "t")
    assert "of the rows to score are not among ours" in str(refused[guests[0]])
    training.predict("p2", "t", guest={"unmatched": "mean"})
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    z = np.column_stack(a) @ w
    assert [scores[i] for i in ids[rows]] == pytest.approx(list(1 / (1 + np.exp(-z))), abs=1e-3)


@takes_long
def test_a_host_that_leaves_out_a_row_is_refused_whichever_it_is(tmp_path) -> None:
    """Were it refused only where the guest has that row, the host would know whether it has."""
    rng = np.random.default_rng(0)
    training = Training(tmp_path)
    training.make("host", np.arange(30), rng.normal(size=(30, 1)), y=np.arange(30) % 2)
    training.make("guest", np.arange(20), rng.normal(size=(20, 1)))
    training.align()
    training.query("host", "CREATE TABLE everybody AS FROM t")
    for session, left_out in (("s1", 5), ("s2", 25)):  # the guest has the first of them
        rows = f"CREATE OR REPLACE TABLE t AS FROM everybody WHERE who <> {left_out}"
        training.query("host", rows)
        results = training.train(session, iterations=2, key="who")
        assert "it has 29, we have 30, and 29 are common" in str(results["guest"]), results


def test_mistakes_end_all_parties(tmp_path) -> None:
    rng = np.random.default_rng(0)
    training = Training(tmp_path)
    training.make("host", np.arange(30), rng.normal(size=(30, 2)), y=rng.integers(0, 2, 30))
    training.make("guest", np.arange(1, 31), rng.normal(size=(30, 2)))
    results = training.train("s1", id="who", iterations=2)
    assert "we have 30, and 29 are common" in str(results["guest"])
    for me in ("host", "helper"):
        assert isinstance(results[me], ProtocolError)
        assert "guest has ended its run with an error" in str(results[me])
    results = training.train("s2", id="who", kind="cubic")
    assert "kind is logistic, identity or exp" in str(results["host"])


def test_what_the_helper_is_told_follows_from_rows_and_settings() -> None:
    """The plan has nothing of a table but how many rows there are, and whether the host lacks some;
    `most` neither."""
    public = {"kind", "rows", "batches", "iterations", "learning_rate", "decay", "l2"}
    own = {"largest_batch", "smallest_batch", "reach", "most", "last_rate", "score_range"}
    own |= {"furthest", "bits", "room", "label_scale", "range", "with_loss", "activation"}
    own |= {"both_lack"}
    for form in ("blind", "open"):
        limits = (sql_folder() / "lr_helper" / form / "limits.sql").read_text("utf-8")
        assert set(re.findall(r"getvariable\('(\w+)'\)", limits)) <= public | own
    for script in ("lr_helper/host", "lr_helper/predict_host"):
        (plan,) = [s.sql for s in load(script).statements if "'lrh/plan'" in s.sql]
        told = set(re.findall(r"getvariable\('(\w+)'\)", plan))
        assert told <= {"helper", "parties", "asker", *own, *public}
        assert " FROM " not in plan


def both_lack(folder: Path, seed: int = 0, sizes: tuple = (70, 40, 50), **more) -> tuple:
    """`sizes` common rows, and such of the host and of the guest alone; what a training leaves."""
    rng = np.random.default_rng(seed)
    both, host, guest = sizes
    people = both + host + guest
    x, ids = (
        np.random.default_rng(9).normal(size=(people, 4)),
        np.array([f"p{i}" for i in range(people)]),
    )
    y = np.random.default_rng(8).random(people) < 1 / (1 + np.exp(-x.sum(axis=1)))
    order = rng.permutation(people)
    at_host, at_guest = order[: both + host], np.concatenate([order[:both], order[both + host :]])
    folder.mkdir(exist_ok=True)
    training = Training(folder)
    training.make("host", ids[at_host], x[at_host][:, :2] + 1, y=y[at_host].astype(int))
    training.make("guest", ids[at_guest], x[at_guest][:, 2:])
    training.align_both(ids[at_host].tolist(), ids[at_guest].tolist())
    settings = {"iterations": 6, "batch": 1000, "learning_rate": 1, "l2": 0.1, **more}
    a = np.column_stack(
        [np.ones(people), standard(x, x[at_host])[:, :2], standard(x, x[at_guest])[:, 2:]]
    )
    return training, training.train("s1", **settings), a, y, order[:both]


@takes_long
@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("logistic", (70, 40, 50)),
        *thorough(("identity", (70, 40, 50)), ("exp", (70, 40, 50))),
        *thorough(("logistic", (1, 20, 20)), ("logistic", (40, 0, 20))),
    ],
)
def test_where_both_lack_rows_it_trains_as_on_the_common_ones(tmp_path, kind, sizes) -> None:
    """With the learning rate of so many of all rows, in one batch."""
    training, results, a, y, common = both_lack(tmp_path, sizes=sizes, kind=kind, loss="yes")
    assert results["host"][0]["rows"] == sum(sizes), results
    order = {epoch: np.arange(len(common)) for epoch in range(6)}
    share = len(common) / sum(sizes)
    w, losses = descend(
        a[common], y[common], np.ones(len(common)), order,
        iterations=6, batch=1000, rate=share, l2=0.1, kind=kind,
    )  # fmt: skip
    assert np.abs(training.weights() - w).max() < 1e-3
    log = training.query("host", "SELECT loss FROM training_log ORDER BY iteration")
    assert [loss for (loss,) in log] == pytest.approx(losses, abs=2e-3)


@takes_long
def test_where_both_lack_rows_in_batches(tmp_path) -> None:
    """Each batch has the common rows that it happens to have, and is divided by all its rows."""
    training, results, a, y, common = both_lack(tmp_path, iterations=4, batch=50)
    pids = dict(training.query("guest", "SELECT pid::VARCHAR, id FROM alignment"))
    names = [pids.get(name, name) for epoch, name in results["order"] if epoch == 0]
    steps = [int(name[1:]) for name in names]
    assert sorted(steps) == list(range(160))
    w = np.zeros(5)
    for i in range(4):
        rows = np.array(steps)[np.arange(160) * 4 // 160 == i % 4]
        rows = rows[np.isin(rows, common)]
        pull = 0.1 * 70 / 160 * w
        pull[0] = 0
        residual = 1 / (1 + np.exp(-a[rows] @ w)) - y[rows]
        w = w - (a[rows].T @ residual / 40 + pull)
    assert np.abs(training.weights() - w).max() < 1e-3


@takes_long
def test_where_both_lack_rows_views_are_those_of_any_overlap(tmp_path) -> None:
    """Other common rows, as many: the same messages, and in them uniform numbers."""
    shapes = []
    for seed in (1, 2):
        training, results, *_ = both_lack(tmp_path / str(seed), seed, (20, 15, 15), iterations=2)
        assert not isinstance(results["host"], BaseException), results
        found, opened = {}, []
        for me in ("host", "guest", "helper"):
            for name, table in training.received(me, "s1").items():
                columns = {
                    column: [len(v) if isinstance(v, list) else type(v) for v in values]
                    for column, values in table.to_pydict().items()
                }
                found[me, name] = columns
                if "open-" in name:
                    numbers = [c for v in table.to_pydict().values() for c in v]
                    opened += [n for many in numbers if isinstance(many, list) for n in many]
        shapes.append(found)
        bits = np.array([[n >> i & 1 for i in range(32)] for n in opened])
        assert len(bits) > 1000
        assert np.abs(bits.mean(axis=0) - 0.5).max() < 6 * 0.5 / np.sqrt(len(bits))
    assert shapes[0] == shapes[1]
    assert ("host", "guest/lrh.open-all-2") in shapes[0]


@takes_long
def test_predictions_where_both_lack_rows(tmp_path) -> None:
    """Not with a helper, which would tell the guest which rows the host has."""
    training, results, a, _, common = both_lack(tmp_path, 0, (20, 10, 10), iterations=2)
    assert not isinstance(results["host"], BaseException), results
    found = training.predict("p1", "t", guest={"unmatched": "mean"})
    for me in ("host", "guest"):
        assert "Predict a logistic model of reveal=own" in str(found[me])
    training.run(
        "p2",
        {
            "host": ("lr_joint_key/predict", {"peer": "guest", "table": "t"}),
            "guest": (
                "lr_joint_key/predict_peer",
                {"peer": "host", "table": "t", "unmatched": "mean"},
            ),
        },
    )
    scores = dict(training.query("host", "SELECT id, score FROM predictions"))
    expected = 1 / (1 + np.exp(-a[common] @ training.weights()))
    assert [scores[f"p{i}"] for i in common] == pytest.approx(list(expected), abs=1e-4)


@takes_long
def test_what_is_refused_where_both_lack_rows(tmp_path) -> None:
    _, results, *_ = both_lack(tmp_path / "a", sizes=(20, 10, 10), **OPENED)
    for me in ("host", "guest"):
        assert "use activation=blind" in str(results[me])
    _, results, *_ = both_lack(tmp_path / "b", sizes=(0, 10, 10))
    for me in ("host", "guest"):
        assert "the parties have no row in common" in str(results[me])
    several = Training(tmp_path / "c", ("g1", "g2"))
    several.folder.mkdir()
    x = np.random.default_rng(0).normal(size=(30, 1))
    several.make("host", np.arange(30), x, y=np.arange(30) % 2)
    for guest in several.guests:
        several.make(guest, np.arange(20), x[:20])
    several.align()
    several.query("host", "CREATE TABLE alignment_g2_unmatched AS SELECT gen_random_uuid() AS pid")
    results = several.train("s1", iterations=2)
    assert "with several guests you need alignments in which you have all rows" in str(
        results["host"]
    )
