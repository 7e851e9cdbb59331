"""Joint moments and what is computed from them, against integers, NumPy and scikit-learn."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from duckpriv import DuckprivError
from tests.effort import THOROUGH, some, takes_long, thorough
from tests.parties import Folder, at_once, check_receivers
from tests.plain import standard

RING = 1 << 128
ACCEPT = {"accept_disclosure": "yes"}


class Pair(Folder):
    """A host and a guest in threads, each with a database of its own."""

    def make_both(self, hx, gx, y, at_host, at_guest) -> None:
        """Tables of both, each of its own of the rows, and alignments of which both lack rows."""
        for me, name, x, its in (("host", "h", hx, at_host), ("guest", "g", gx, at_guest)):
            columns = {f"{name}{i}": x[its, i] for i in range(x.shape[1])}
            label = {"y": y[its]} if me == "host" else {}
            self.make_table(me, pa.table({"who": its, **columns, **label}))
        self.align_both(at_host.tolist(), at_guest.tolist())
        self.id = {}

    def make(self, hx, gx, y, has=None) -> None:
        """Tables of both; the guest has the rows `has` and some more. Without `has` both share ids.
        Alignments are those that private matching would leave."""
        rows = len(hx)
        ids = np.arange(rows)
        columns = {f"h{i}": hx[:, i] for i in range(hx.shape[1])}
        self.make_table("host", pa.table({"who": ids, **columns, "y": y}))
        here = ids if has is None else has
        columns = {f"g{i}": gx[here, i] for i in range(gx.shape[1])}
        self.make_table("guest", pa.table({"who": here, **columns}))
        self.id = {"id": "who"} if has is None else {}
        if has is not None:
            pid = "CREATE OR REPLACE MACRO pid(who) AS md5(who::VARCHAR)::UUID; CREATE TABLE"
            self.query("host", f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t")
            self.query(
                "guest",
                f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t; CREATE TABLE "
                f"alignment_unmatched AS SELECT pid(who) AS pid FROM range({rows}) r(who) ANTI "
                "JOIN t USING (who)",
            )

    def run(self, session: str, script: str, settings: dict, at_guest: dict | None = None) -> list:
        scripts = {
            me: (f"moments/{script}{me}", {"peer": peer, **settings, **more})
            for me, peer, more in (
                ("host", "guest", {}),
                ("guest", "host", {"bits": 2048, **(at_guest or {})}),
            )
        }

        def work(me: str) -> object:
            with self.connect(me, session) as party:
                return party.run(scripts[me][0], **scripts[me][1])

        found = at_once(*(partial(work, me) for me in scripts))
        if not any(isinstance(one, BaseException) for one in found):
            check_receivers(self.folder, session, scripts)
        return found

    def moments(self, session: str = "m1", label: str = "y", **settings) -> list:
        settings = {"table": "t", **self.id, **settings}
        at_host = {"label": label} if label else {}

        def work(me: str, peer: str, more: dict) -> object:
            with self.connect(me, session) as party:
                return party.run(f"moments/{me}", **{**settings, "peer": peer, **more})

        return at_once(
            partial(work, "host", "guest", at_host), partial(work, "guest", "host", {"bits": 2048})
        )

    def regression(
        self, session: str, at_guest: dict | None = None, *, fails: bool = False, **settings
    ) -> list:
        found = self.run(session, "regression_", {**ACCEPT, **settings}, at_guest)
        assert fails == any(isinstance(one, BaseException) for one in found), found
        return found

    def total(self) -> np.ndarray:
        """The revealed moments, as integers."""
        query = 'SELECT share FROM moments_share ORDER BY row, "column"'
        shares = [[int(s) for (s,) in self.query(me, query)] for me in ("host", "guest")]
        sums = [(a + b) % RING for a, b in zip(*shares, strict=True)]
        whole = np.array([x - RING if x >= RING // 2 else x for x in sums], dtype=object)
        return whole.reshape((int(len(sums) ** 0.5),) * 2)

    def model(self, me: str) -> list[tuple[str, float]]:
        return self.query(me, "SELECT feature, weight FROM model")

    def weights(self) -> np.ndarray:
        """With reveal=own: of both parties, the intercept first."""
        own = [weight for _, weight in self.model("host")]
        return np.array(own + [weight for _, weight in self.model("guest")][1:])


@pytest.fixture(scope="module")
def cancer(tmp_path_factory):
    x, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(0)
    has = np.sort(rng.permutation(len(y))[:480])
    pair = Pair(tmp_path_factory.mktemp("cancer"))
    pair.make(x[:, :10], x[:, 10:], y.astype(float), has)
    assert pair.moments()[1] == [
        {"rows": 569, "common": 480, "host_columns": 11, "columns": 20, "bytes": pair_bytes(pair)}
    ]
    return pair, x, y, has


def pair_bytes(pair: Pair) -> int:
    return pair.query("guest", "SELECT sum(bytes)::BIGINT FROM duckpriv_audit")[0][0]


def common(x: np.ndarray, has: np.ndarray, width: int) -> np.ndarray:
    """The common rows as the parties have them: a 1, and all columns standardised."""
    host, guest = standard(x[:, :width])[has], standard(x[has][:, width:])
    return np.column_stack([np.ones(len(has)), host, guest])


@pytest.mark.parametrize("joined", some(["alignment", "id"], 1))
def test_moments_are_those_of_integers(tmp_path, joined: str) -> None:
    """Bit for bit: of the numbers that each party has, rounded as README says."""
    rng = np.random.default_rng(1)
    hx, gx = rng.lognormal(size=(60, 3)), rng.normal(size=(60, 2))
    y = 50 * rng.normal(size=60)
    has = None if joined == "id" else np.sort(rng.permutation(60)[:37])
    pair = Pair(tmp_path)
    pair.make(hx, gx, y, has)
    pair.moments()
    here = np.arange(60) if has is None else has
    about = {
        me: np.array(
            pair.query(
                me, f"SELECT mean, deviation FROM moments_columns WHERE party = '{me}' AND mean "
                "IS NOT NULL ORDER BY position",
            )
        ).T
        for me in ("host", "guest")
    }  # fmt: skip
    host = (np.column_stack([hx, y]) - about["host"][0]) / about["host"][1]
    host = np.column_stack([np.ones(60), host])[here]
    guest = (gx[here] - about["guest"][0]) / about["guest"][1]
    assert about["host"][1][-1] == 64  # the label's unit: the power of two above its deviation

    def whole(numbers: np.ndarray) -> np.ndarray:
        return np.rint(numbers * 2.0**20).astype(np.int64).astype(object)

    found = pair.total()
    assert (found[:5, :5] == whole(host).T @ whole(host)).all()
    assert (found[:5, 5:] == whole(host).T @ whole(guest)).all()
    assert (found[5:, 5:] == whole(guest).T @ whole(guest)).all()
    assert (found == found.T).all()
    z = np.column_stack([host, guest])
    assert np.abs(found.astype(float) / 2.0**40 - z.T @ z).max() < 1e-3


@takes_long
def test_shares_and_columns(cancer) -> None:
    pair, *_ = cancer
    columns = pair.query("host", "SELECT position, name, role, common FROM moments_columns")
    assert columns[0] == (1, "(intercept)", "intercept", None)
    assert columns[11] == (12, "y", "label of 0 and 1", None)
    assert columns[12] == (13, "guest 1", "feature", None)
    names = pair.query("guest", "SELECT name, role, common FROM moments_columns")
    assert names[11] == ("host 11", "label of 0 and 1", 480) and names[12][0] == "g0"
    for me in pair_parties():
        shares = [int(s) for (s,) in pair.query(me, "SELECT DISTINCT share FROM moments_share")]
        assert len(shares) == 32 * 33 // 2
        bits = np.array([[s >> i & 1 for i in range(128)] for s in shares]).mean(axis=0)
        assert np.abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(len(shares))


def pair_parties() -> tuple[str, str]:
    return "host", "guest"


@pytest.mark.parametrize("l2", thorough(0.01, 0.0, 1e-4, 10.0))
def test_linear_weights_are_those_of_scikit_learn(cancer, l2: float) -> None:
    pair, x, y, has = cancer
    pair.regression(f"linear{round(l2 * 10000)}", kind="linear", l2=l2)
    z = common(x, has, 10)
    model = Ridge(alpha=l2 * len(has)) if l2 else LinearRegression()
    model.fit(z[:, 1:], y[has])
    expected = np.array([model.intercept_, *model.coef_])
    assert np.abs(pair.weights() - expected).max() < 1e-4
    original = dict(pair.query("guest", "SELECT feature, weight_original FROM model"))
    assert original["g0"] == pytest.approx(expected[11] / x[has, 10].std(), abs=1e-3)


@takes_long
def test_the_taylor_form_is_that_of_numpy_and_orders_rows_as_scikit_learn(cancer) -> None:
    pair, x, y, has = cancer
    assert pair.regression("taylor", l2=0.01)[0][0]["kind"] == "logistic"
    z = common(x, has, 10)
    pull = 0.01 * np.diag([0.0] + [1.0] * 30)
    expected = np.linalg.solve(z.T @ z / 4 / len(has) + pull, z.T @ (y[has] - 0.5) / len(has))
    assert np.abs(pair.weights() - expected).max() < 1e-4
    theirs = LogisticRegression(C=1 / (0.01 * len(has)), max_iter=1000).fit(z[:, 1:], y[has])
    auc = roc_auc_score(y[has], z @ pair.weights())
    assert abs(auc - roc_auc_score(y[has], theirs.decision_function(z[:, 1:]))) < 0.01
    log = pair.query("host", "SELECT iteration, seconds, bytes FROM training_log")
    assert [i for i, *_ in log] == list(range(1, len(log) + 1)) and all(b > 0 for *_, b in log)


@takes_long
def test_without_a_penalty_the_taylor_form_is_exact_too(cancer) -> None:
    pair, x, y, has = cancer
    pair.regression("exact", l2=0)
    z = common(x, has, 10)
    expected = np.linalg.solve(z.T @ z / 4, z.T @ (y[has] - 0.5))
    assert np.abs(pair.weights() - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["logistic", *thorough("linear")])
def test_scores_are_those_of_the_weights(small, kind: str) -> None:
    small.regression(f"p{kind}", kind=kind, l2=0.1)

    def work(me: str, script: str, peer: str) -> object:
        with small.connect(me, f"q{kind}") as party:
            return party.run(script, peer=peer, table="t", id="who")

    at_once(
        partial(work, "guest", "lr_joint_key/predict", "host"),
        partial(work, "host", "lr_joint_key/predict_peer", "guest"),
    )
    scores = [s for (s,) in small.query("guest", "SELECT score FROM predictions ORDER BY id")]
    x = [
        np.array(small.query(me, f"SELECT {c}0, {c}1 FROM t ORDER BY who"))
        for me, c in (("host", "h"), ("guest", "g"))
    ]
    rows = np.column_stack([np.ones(40), standard(np.hstack(x))])
    if kind == "logistic":
        y = np.array(small.query("host", "SELECT y FROM t ORDER BY who")).ravel()
        pull = 0.1 * np.diag([0.0, 1, 1, 1, 1])
        taylor = np.linalg.solve(rows.T @ rows / 160 + pull, rows.T @ (y - 0.5) / 40)
        assert np.abs(small.weights() - taylor).max() < 1e-4
    z = rows @ small.weights()
    expected = z if kind == "linear" else 1 / (1 + np.exp(-z))
    assert scores == pytest.approx(list(expected), abs=1e-5)


@takes_long
def test_who_sees_which_weights(tmp_path) -> None:
    data = load_diabetes()
    pair = Pair(tmp_path)
    pair.make(data.data[:, :3], data.data[:, 3:6], data.target)
    pair.moments()
    z = np.column_stack([np.ones(442), standard(data.data[:, :6])])
    model = LinearRegression().fit(z[:, 1:], data.target)
    expected = [model.intercept_, *model.coef_]
    close = partial(pytest.approx, abs=0.02)  # deviations are 77
    for reveal in ("host", *thorough("own", "both", "guest")):
        pair.regression(reveal, reveal=reveal)
        host, guest = pair.model("host"), pair.model("guest")
        if reveal in ("host", "both"):
            assert [w for _, w in host] == close(expected)
            assert [name for name, _ in host][-1] == "guest 3"
        if reveal in ("guest", "both"):
            assert [w for _, w in guest] == close(expected)
        if reveal == "own":
            assert [w for _, w in host] == close(expected[:4])
            assert [w for _, w in guest] == close([0, *expected[4:]])
        if reveal == "host":
            assert guest == [(f"g{i}", None) for i in range(3)]
        assert not pair.query("host", "FROM duckdb_tables() WHERE table_name = 'model_share'") or (
            reveal == "guest"
        )
    pair.regression("none", reveal="none")
    with pair.connect("host", "p1") as party, pytest.raises(DuckprivError, match="reveal=own"):
        party.run("lr_joint_key/predict", peer="guest", table="t", id="who")
    assert {w for _, w in pair.model("host") + pair.model("guest")} == {None}
    query = "SELECT share FROM model_share ORDER BY position"
    shares = [np.array(pair.query(me, query), np.uint64).ravel() for me in pair_parties()]
    w = (shares[0] + shares[1]).view(np.int64) / 2.0**20
    assert w[1:] * 128 == pytest.approx(expected[1:], abs=0.02)


@takes_long
@pytest.mark.parametrize("across", [True, *thorough(False)])
def test_columns_that_determine_each_other(tmp_path, across: bool) -> None:
    """An error, or ridge regression as scikit-learn has it; never numbers without meaning."""
    rng = np.random.default_rng(2)
    hx, gx = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    if across:
        gx[:, 1] = hx[:, 0] + hx[:, 1]
    else:
        gx[:, 1] = 2 * gx[:, 0]
    y = hx[:, 0] - gx[:, 0] + rng.normal(size=400)
    pair = Pair(tmp_path)
    pair.make(hx, gx, y)
    pair.moments()
    at_host, at_guest = pair.regression("r1", fails=True)
    assert "columns determine each other" in str(at_guest)
    assert "guest has ended its run with an error" in str(at_host)
    assert not pair.query("host", "FROM duckdb_tables() WHERE table_name = 'model'")
    pair.regression("r2", l2=0.01)
    z = standard(np.hstack([hx, gx]))
    model = Ridge(alpha=4).fit(z, y)
    assert pair.weights() == pytest.approx([model.intercept_, *model.coef_], abs=1e-4)


@takes_long
def test_rows_in_several_blocks(tmp_path, monkeypatch) -> None:
    """More rows than are multiplied at once, of which the guest has some only."""
    rng = np.random.default_rng(3)
    rows = 33_000
    hx, gx = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 1))
    y = hx[:, 0] + gx[:, 0] > rng.normal(size=rows)
    has = np.sort(rng.permutation(rows)[:20_000])
    pair = Pair(tmp_path)
    pair.make(hx, gx, y * 1.0, has)
    pair.moments()
    z = np.column_stack([np.ones(len(has)), standard(hx)[has], y[has] - 0.5, standard(gx[has])])
    means = pair.total().astype(float) / 2.0**40 / len(has)
    assert np.abs(means - z.T @ z / len(has)).max() < 1e-6


@pytest.mark.parametrize(
    "settings, at_guest, text",
    [
        ({"l2": 0.1}, {"l2": 0.2}, "the parties' settings differ"),
        ({"accept_disclosure": "no"}, {}, "more than an eighth of a bit a row"),
        ({"kind": "exp"}, {}, "kind is linear or logistic"),
        ({"moments": "other"}, {}, "there are no tables other_share and _columns"),
        ({"steps": 33}, {}, "steps is 3 to 32"),
    ],
)
def test_what_is_refused(small, settings, at_guest, text) -> None:
    found = small.regression(f"no-{abs(hash(text))}", at_guest, fails=True, **settings)
    assert text in str(found[1])
    assert all(isinstance(one, DuckprivError) for one in found)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    rng = np.random.default_rng(4)
    pair = Pair(tmp_path_factory.mktemp("small"))
    pair.make(rng.normal(size=(40, 2)), rng.normal(size=(40, 2)), (rng.random(40) < 0.5) * 1.0)
    pair.moments()
    return pair


@takes_long
@pytest.mark.parametrize(
    "change, at, text",
    [
        ("UPDATE t SET h0 = 1e6 WHERE who = 3", "host", "more than 255 deviations"),
        ("DELETE FROM t WHERE who = 3", "guest", "the host has other rows"),
        *thorough(
            ("UPDATE t SET g0 = 3", "guest", "the same number in every row: g0"),
            ("UPDATE t SET g0 = NULL WHERE who = 3", "guest", "not every row has a number in g0"),
        ),
    ],
)
def test_tables_that_are_refused(tmp_path, change: str, at: str, text: str) -> None:
    rng = np.random.default_rng(5)
    pair = Pair(tmp_path)
    rows = 70_000 if "1e6" in change else 30
    pair.make(rng.normal(size=(rows, 1)), rng.normal(size=(rows, 1)), rng.normal(size=rows))
    pair.query(at, change)
    found = pair.moments()
    assert text in str(found[at == "guest"])


def correlations(pair: Pair, me: str) -> np.ndarray:
    found = pair.query(me, "SELECT correlation FROM correlation ORDER BY position, other_position")
    return np.array(found, dtype=float).reshape((round(len(found) ** 0.5),) * 2)


def inflation(matrix: np.ndarray) -> np.ndarray:
    return np.diag(np.linalg.inv(matrix))


@takes_long
def test_correlations_are_those_of_numpy(cancer) -> None:
    pair, x, y, has = cancer
    found = pair.run("c1", "correlation_", {**ACCEPT, "names": "yes"})
    assert not any(isinstance(one, BaseException) for one in found), found
    expected = np.corrcoef(np.column_stack([x[has, :10], y[has], x[has, 10:]]).T)
    for me in pair_parties():
        matrix = correlations(pair, me)
        assert np.abs(matrix - expected).max() < 5e-6
        assert (matrix == matrix.T).all() and (np.diag(matrix) == 1).all()
    names = "SELECT DISTINCT position, feature FROM correlation ORDER BY position"
    assert [n for _, n in pair.query("host", names)][9:13] == ["h9", "y", "guest g0", "guest g1"]
    assert [n for _, n in pair.query("guest", names)][9:13] == ["host h9", "host y", "g0", "g1"]
    # mean radius, perimeter and area nearly determine each other
    rest = np.delete(np.delete(expected, 10, 0), 10, 1)
    vif = [v for (v,) in pair.query("host", "SELECT vif FROM correlation_vif ORDER BY position")]
    assert vif == pytest.approx(list(inflation(rest)), rel=0.03)
    assert max(vif) > 1000


@takes_long
@pytest.mark.parametrize("reveal", ["host", *thorough("guest")])
def test_who_sees_the_correlations(tmp_path, reveal: str) -> None:
    """Also of columns that hardly vary, or not at all, over the common rows."""
    rng = np.random.default_rng(7)
    hx, gx = rng.normal(size=(200, 4)), rng.normal(size=(200, 2))
    has = np.arange(50, 90)
    gx[:, 1] = hx[:, 0] + hx[:, 3]
    hx[has, 1] = 3  # not at all
    hx[has, 2] = 0.5 + 0.02 * hx[has, 2]
    pair = Pair(tmp_path)
    pair.make(hx, gx, 100 * hx[:, 0] + rng.normal(size=200), has)
    pair.moments()
    found = pair.run("c1", "correlation_", {**ACCEPT, "reveal": reveal})
    assert not any(isinstance(one, BaseException) for one in found), found
    other = {"host": "guest", "guest": "host"}[reveal]
    query = "FROM duckdb_tables() WHERE starts_with(table_name, 'corr') AND NOT temporary"
    assert not pair.query(other, query)
    matrix = correlations(pair, reveal)
    columns = np.column_stack([hx, 100 * hx[:, 0] + 0, gx])[has]
    assert np.isnan(matrix[1]).all() and np.isnan(matrix[:, 1]).all()
    keep = [0, 2, 3, 5, 6]
    expected = np.corrcoef(columns[:, keep].T)
    assert np.abs(matrix[np.ix_(keep, keep)] - expected).max() < 5e-6
    assert matrix[0, 4] > 0.99
    query = "SELECT vif FROM correlation_vif ORDER BY position"
    vif = [v for (v,) in pair.query(reveal, query)]
    assert vif[1] is None and vif[0] == vif[3] == vif[5] == np.inf
    others = [inflation(expected[np.ix_(k, k)])[0] for k in ([1, 0, 2, 3], [3, 0, 1, 2])]
    assert [vif[2], vif[4]] == pytest.approx(others, rel=0.01)
    (name,) = pair.query(reveal, "SELECT feature FROM correlation_vif ORDER BY position")[-1]
    assert name == {"host": "guest 2", "guest": "g1"}[reveal]


@takes_long
def test_correlations_of_few_common_rows_of_many(tmp_path) -> None:
    """One in 500: variances are then small beside those over all rows."""
    rng = np.random.default_rng(8)
    rows, has = 20_000, np.arange(100, 140)
    hx, gx = rng.lognormal(size=(rows, 3)), rng.normal(size=(rows, 2))
    hx[has, 0] = 5 + 0.05 * hx[has, 0]
    gx[has, 0] += 100 * hx[has, 0]
    pair = Pair(tmp_path)
    pair.make(hx, gx, hx[:, 1] - gx[:, 1], has)
    pair.moments()
    pair.run("c1", "correlation_", ACCEPT)
    columns = np.column_stack([hx, hx[:, 1] - gx[:, 1], gx])[has]
    assert np.abs(correlations(pair, "host") - np.corrcoef(columns.T)).max() < 2e-4


@pytest.mark.parametrize(
    "settings, at_guest, text",
    [
        ({}, {}, "more than an eighth of a bit a row"),
        ({**ACCEPT, "reveal": "own"}, {}, "reveal is host, guest or both"),
        ({**ACCEPT, "names": "yes"}, {"names": "no"}, "the parties' settings differ"),
    ],
)
def test_which_correlations_are_refused(small, settings, at_guest, text) -> None:
    found = small.run(f"nc-{abs(hash(text))}", "correlation_", settings, at_guest)
    assert text in str(found[1])
    assert all(isinstance(one, DuckprivError) for one in found)


@takes_long
@pytest.mark.parametrize("steps", [32, 25, 30])
@pytest.mark.parametrize("constant", [False, True])
def test_columns_that_determine_each_other_over_hidden_rows(tmp_path, steps, constant) -> None:
    """Roundings do not make them independent, however often the matrix is squared."""
    rng = np.random.default_rng(12)
    hx, gx = rng.normal(size=(60, 3)), rng.normal(size=(60, 1))
    has = np.sort(rng.permutation(60)[:30])
    if constant:
        hx[has, 2] = 0.3
    else:
        hx[:, 2] = hx[:, 0] + hx[:, 1]
    pair = Pair(tmp_path)
    pair.make(hx, gx, hx[:, 0] + gx[:, 0] + rng.normal(size=60), has)
    pair.moments()
    _, at_guest = pair.regression("r1", kind="linear", steps=steps, fails=True)
    assert "columns determine each other" in str(at_guest)


@takes_long
def test_a_column_of_few_values_that_hardly_varies_over_the_common_rows(tmp_path) -> None:
    rng = np.random.default_rng(13)
    hx, gx = rng.normal(size=(2000, 1)), rng.normal(size=(2000, 1))
    hx[:, 0] = np.rint(1000 * hx[:, 0])
    has = np.arange(300)
    hx[has, 0] = np.where(rng.random(300) < 0.5, 1234, 1237)
    y = hx[:, 0] + rng.normal(size=2000)
    pair = Pair(tmp_path)
    pair.make(hx, gx, y, has)
    pair.moments()
    pair.regression("r1", kind="linear", steps=32)
    model = LinearRegression().fit(np.column_stack([hx, gx])[has], y[has])
    query = "SELECT weight_original FROM model WHERE feature = 'h0'"
    assert pair.query("host", query)[0][0] == pytest.approx(model.coef_[0], rel=1e-3)


@takes_long
def test_few_common_rows_and_a_penalty(tmp_path) -> None:
    """What is left tells the guest that more steps are needed, and then they are enough."""
    rng = np.random.default_rng(14)
    hx, gx = rng.normal(size=(3000, 3)), rng.normal(size=(3000, 2))
    has = np.arange(4)
    pair = Pair(tmp_path)
    y = hx[:, 0] + rng.normal(size=3000)
    pair.make(hx, gx, y, has)
    pair.moments()
    _, at_guest = pair.regression("r1", kind="linear", l2=0.1, fails=True)
    found = re.search(r"only 4 of the host's 3000 rows.* steps=(\d+)", str(at_guest))
    assert found
    pair.regression("r2", kind="linear", l2=0.1, steps=found[1])
    z = common(np.column_stack([hx, gx]), has, 3)
    expected = Ridge(alpha=0.4).fit(z[:, 1:], y[has])
    assert pair.weights()[1:] == pytest.approx(list(expected.coef_), abs=1e-4)


def messages(pair: Pair, session: str) -> dict[str, pa.Table]:
    folder = pair.folder / "mailbox" / session
    found = {}
    for file in sorted(folder.rglob("*.arrow")):
        with pa.ipc.open_stream(file) as reader:
            found[str(file.relative_to(folder))] = reader.read_all()
    return found


@takes_long
def test_views_are_those_of_any_other_data(tmp_path) -> None:
    """Two tables of one shape, and other rows in common: the same messages, with the same headers,
    and in them uniform numbers. (Correlations in `make test-all`.)"""
    shapes, seen = [], []
    for name, scale, many in (("a", 1, 50), ("b", 1000, 8)):
        rng = np.random.default_rng(6)
        folder = tmp_path / name
        folder.mkdir()
        pair = Pair(folder)
        hx, gx = (scale * rng.lognormal(size=(60, 2)) for _ in range(2))
        has = np.sort(rng.permutation(60)[:many])
        pair.make(hx, gx, (rng.random(60) < 0.5) * 1.0, has)
        pair.moments()
        pair.regression("r1", l2=0.5, reveal="none")
        if THOROUGH:
            pair.run("c1", "correlation_", {**ACCEPT, "reveal": "host"})
        found = {k: v for session in ("m1", "r1", "c1") for k, v in messages(pair, session).items()}
        seen.append(found)
        shapes.append(
            {
                path: [
                    (column, [shape_of(v) for v in table[column].to_pylist()])
                    for column in table.column_names
                    if column not in ("settings", "seed", "digest", "challenge")
                ]
                for path, table in found.items()
            }
        )
    assert shapes[0] == shapes[1]
    paths = set(shapes[0])
    for name in ("moments.rows", "regression.opened-1", *thorough("correlation.opened-1")):
        assert any(name in path for path in paths)


def shape_of(v: object) -> object:
    """The length of bytes, with a ciphertext's header but for the key."""
    if isinstance(v, bytes):
        # Magic and version, since one of 65,536 random numbers starts with "dp".
        is_ciphertext = v.startswith(b"dp\x02") and len(v) > 256
        return len(v), v[:4] + v[20:32] if is_ciphertext else None
    if isinstance(v, list):
        return [shape_of(one) for one in v]
    return v if isinstance(v, int | bool) and v < 1000 else type(v)


def split(rng: np.random.Generator, rows: int, both: int, host: int) -> tuple:
    """Which rows each party has, in an order of its own: `both` common ones, `host` of the others
    at the host, and the rest at the guest."""
    order = rng.permutation(rows)
    return (
        rng.permutation(order[: both + host]),
        rng.permutation(np.concatenate([order[:both], order[both + host :]])),
        np.sort(order[:both]),
    )


@takes_long
def test_moments_where_both_lack_rows(tmp_path) -> None:
    """Bit for bit, and then what is computed from them, on the rows that both have."""
    rng = np.random.default_rng(21)
    hx, gx = rng.lognormal(size=(150, 3)), rng.normal(size=(150, 2)) + 2
    y = hx[:, 0] - gx[:, 1] + rng.normal(size=150)
    at_host, at_guest, has = split(rng, 150, 60, 50)
    pair = Pair(tmp_path)
    pair.make_both(hx, gx, y, at_host, at_guest)
    found = pair.moments()
    assert found[1][0]["rows"] == 150 and found[1][0]["common"] == 60, found
    query = "SELECT DISTINCT rows, common, both_lack FROM moments_columns"
    assert pair.query("host", query) == pair.query("guest", query) == [(150, 60, True)]
    about = {
        me: np.array(
            pair.query(
                me, f"SELECT mean, deviation FROM moments_columns WHERE party = '{me}' AND mean "
                "IS NOT NULL ORDER BY position",
            )
        ).T
        for me in pair_parties()
    }  # fmt: skip
    assert about["guest"][0] == pytest.approx(gx[at_guest].mean(axis=0))
    host = (np.column_stack([hx, y]) - about["host"][0]) / about["host"][1]
    z = np.column_stack([np.ones(150), host, (gx - about["guest"][0]) / about["guest"][1]])[has]
    whole = np.rint(z * 2.0**20).astype(np.int64).astype(object)
    assert (pair.total() == whole.T @ whole).all()

    pair.run("c1", "correlation_", {**ACCEPT})
    expected = np.corrcoef(np.column_stack([hx, y, gx])[has].T)
    for me in pair_parties():
        assert np.abs(correlations(pair, me) - expected).max() < 5e-6
    pair.regression("r1", kind="linear", l2=0.1)
    model = Ridge(alpha=0.1 * len(has)).fit(z[:, [1, 2, 3, 5, 6]], y[has])
    assert pair.weights() == pytest.approx([model.intercept_, *model.coef_], abs=2e-4)


@takes_long
@pytest.mark.parametrize("common", ["all of the host's", "all of the guest's", "one"])
def test_overlaps_at_the_edges(tmp_path, common: str) -> None:
    rng = np.random.default_rng(22)
    hx, gx = rng.normal(size=(60, 2)), rng.normal(size=(60, 1))
    y = hx[:, 0] + gx[:, 0] + rng.normal(size=60)
    both, host = {"all of the host's": (40, 0), "all of the guest's": (40, 20), "one": (1, 30)}[
        common
    ]
    at_host, at_guest, has = split(rng, 60, both, host)
    pair = Pair(tmp_path)
    pair.make_both(hx, gx, y, at_host, at_guest)
    pair.moments()
    if common == "one":
        _, at_guest_end = pair.regression("r1", kind="linear", fails=True)
        assert "columns determine each other" in str(at_guest_end)
        pair.run("c1", "correlation_", ACCEPT)
        assert np.isnan(correlations(pair, "host")).all()
        return
    pair.regression("r1", kind="linear")
    query = "SELECT weight_original FROM model WHERE feature <> '(intercept)'"
    weights = [w for me in pair_parties() for (w,) in pair.query(me, query)]
    model = LinearRegression().fit(np.column_stack([hx, gx])[has], y[has])
    assert weights == pytest.approx(list(model.coef_), abs=1e-4)


@takes_long
def test_alignments_that_do_not_go_together(tmp_path) -> None:
    """A party whose table of sizes is gone or old, or that has another alignment, and no rows in
    common: errors, before any row is sent."""
    rng = np.random.default_rng(23)
    hx, gx, y = rng.normal(size=(30, 1)), rng.normal(size=(30, 1)), rng.normal(size=30)
    at_host, at_guest, _ = split(rng, 30, 10, 10)
    pair = Pair(tmp_path)
    pair.make_both(hx, gx, y, at_host, at_guest)
    pair.query("host", "ALTER TABLE alignment_sizes RENAME TO sizes")
    at_host_end, _ = pair.moments("m1")
    assert "a table alignment_sizes that belongs to alignment is not there" in str(at_host_end)
    pair.query("host", "ALTER TABLE sizes RENAME TO alignment_sizes")
    pair.query("guest", "ALTER TABLE alignment_sizes RENAME TO sizes")
    _, at_guest_end = pair.moments("m2")
    assert "the host has join=alignment lacking=both common=10" in str(at_guest_end)
    pair.query("guest", "ALTER TABLE sizes RENAME TO alignment_sizes")
    pair.query("guest", "UPDATE alignment_sizes SET union_ids = 31")
    _, at_guest_end = pair.moments("m3")
    assert "a table alignment_sizes that belongs to alignment is not there" in str(at_guest_end)
    none = Pair(tmp_path / "none")
    none.folder.mkdir()
    none.make_both(hx, gx, y, np.arange(15), np.arange(15, 30))
    assert all("the parties have no row in common" in str(e) for e in none.moments())


@takes_long
def test_views_where_both_lack_rows(tmp_path) -> None:
    """Two overlaps of one size: the same messages, with the same headers and uniform numbers."""
    shapes = []
    for name, seed in (("a", 1), ("b", 2)):
        rng = np.random.default_rng(seed)
        pair = Pair(tmp_path / name)
        pair.folder.mkdir()
        rows = np.random.default_rng(24).lognormal(size=(60, 4))
        pair.make_both(rows[:, :2], rows[:, 2:], rows[:, 0], *split(rng, 60, 20, 15)[:2])
        pair.moments()
        found = messages(pair, "m1")
        for me in pair_parties():
            shares = pair.query(me, "SELECT DISTINCT share FROM moments_share")
            bits = np.array([[int(s) >> i & 1 for i in range(128)] for (s,) in shares])
            assert abs(bits.mean() - 0.5) < 6 * 0.5 / np.sqrt(bits.size)
        shapes.append(
            {
                path: [
                    (column, [shape_of(v) for v in table[column].to_pylist()])
                    for column in table.column_names
                    if column not in ("seed", "digest")
                ]
                for path, table in found.items()
            }
        )
    assert shapes[0] == shapes[1]
    for channel in ("moments.mask", "moments.own-masked"):
        assert any(channel in path for path in shapes[0])
