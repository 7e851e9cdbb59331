"""Predictions with weights that stay shared, against NumPy, and what a dishonest party gets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from duckpriv import DuckprivError
from tests.attacks.evil import changed
from tests.effort import takes_long, thorough
from tests.parties import Folder, at_once, check_receivers
from tests.plain import standard
from tests.test_moments import Pair, messages, shape_of

UNIT, MEAN = 64.0, 1000.0
OTHER = {"host": "guest", "guest": "host"}


class Shared(Folder):
    """Tables of a host and a guest, and shares of a model's weights as a training leaves them."""

    def __init__(self, folder: Path, rows: int, has=None, kind: str = "linear", scale=1.0) -> None:
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(5)
        self.x = {"host": scale * rng.normal(size=(rows, 2)), "guest": rng.normal(size=(rows, 3))}
        self.weights = rng.normal(size=6)
        fixed = np.rint(self.weights * 2**20).astype(np.int64).view(np.uint64)
        shares = {"guest": rng.integers(0, 2**64, 6, dtype=np.uint64)}
        shares["host"] = fixed - shares["guest"]
        training = f"r1 {kind}"
        for me, name in (("host", "h"), ("guest", "g")):
            x = self.x[me]
            here = np.arange(rows) if has is None or me == "host" else has
            columns = {f"{name}{i}": x[here, i] for i in range(x.shape[1])}
            self.make_table(me, pa.table({"who": here, **columns}))
            position = np.arange(1, 7)
            party = ["host"] * 3 + ["guest"] * 3
            columns = {"party": party, "position": position, "share": shares[me]}
            self.make_table(me, pa.table({**columns, "training": [training] * 6}), "model_share")
            linear = f"{MEAN}, {UNIT}" if kind == "linear" else "NULL, NULL"
            intercept = f"SELECT '(intercept)', NULL, {linear}, NULL, '{training}' UNION ALL"
            self.query(
                me,
                "CREATE TABLE model(feature VARCHAR, weight DOUBLE, mean DOUBLE, deviation DOUBLE, "
                f"weight_original DOUBLE, training VARCHAR); INSERT INTO model "
                f"{intercept if me == 'host' else ''} SELECT '{name}' || i, NULL, 0, 1, NULL, "
                f"'{training}' FROM range({x.shape[1]}) t(i)",
            )
        self.id = {"id": "who"}
        if has is not None:
            self.id = {}
            pid = "CREATE OR REPLACE MACRO pid(who) AS md5(who::VARCHAR)::UUID; CREATE TABLE"
            query = f"{pid} alignment AS SELECT who AS id, pid(who) AS pid FROM t"
            self.query("host", query)
            self.query(
                "guest",
                f"{query}; CREATE TABLE alignment_unmatched AS SELECT pid(who) AS pid FROM "
                f"range({rows}) r(who) ANTI JOIN t USING (who)",
            )

    def predict(self, asker: str, session: str = "p1", ask=None, answer=None, evil=None) -> list:
        """What both get or raise: the asker first. `evil` replaces a script by name."""
        peer = OTHER[asker]
        scripts = {
            asker: ("moments/predict", {"result": f"scores_{session}", **(ask or {})}),
            peer: ("moments/predict_peer", answer or {}),
        }

        def work(me: str) -> object:
            script, settings = scripts[me]
            settings = {"peer": OTHER[me], "table": "t", **self.id, "bits": 2048, **settings}
            with self.connect(me, session) as party:
                return party.run(str((evil or {}).get(script, script)), **settings)

        found = at_once(partial(work, asker), partial(work, peer))
        if not evil and not any(isinstance(one, BaseException) for one in found):
            check_receivers(
                self.folder,
                session,
                {me: (s, {"peer": OTHER[me], **v}) for me, (s, v) in scripts.items()},
            )
        return found

    def scores(self, asker: str, session: str = "p1") -> dict[int, float]:
        return dict(self.query(asker, f"SELECT id, score FROM scores_{session} ORDER BY id"))

    def z(self, at_guest=None) -> np.ndarray:
        """The scores in the label's unit, less its mean."""
        x = self.x["guest"] if at_guest is None else at_guest
        ones = np.ones((len(x), 1))
        return np.hstack([ones, self.x["host"], x]) @ self.weights


def close(found: dict[int, float], expected: dict[int, float]) -> bool:
    return found == pytest.approx(expected, abs=1e-5 * UNIT)


@takes_long
@pytest.mark.parametrize("kind", ["linear", *thorough("logistic")])
def test_scores_of_a_training_are_those_of_its_weights(tmp_path, kind: str) -> None:
    rng = np.random.default_rng(4)
    hx, gx = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    y = rng.normal(50, 30, 40) if kind == "linear" else (rng.random(40) < 0.5) * 1.0
    pair = Pair(tmp_path)
    pair.make(hx, gx, y)
    pair.moments()
    pair.regression("own", kind=kind, l2=0.1, result="known", log="log")
    pair.regression("none", kind=kind, l2=0.1, reveal="none")
    weights = [
        [w for (w,) in pair.query(me, "SELECT weight FROM known")] for me in ("host", "guest")
    ]
    w = np.array(weights[0] + weights[1][1:])

    def work(me: str, script: str, peer: str) -> object:
        with pair.connect(me, "p1") as party:
            return party.run(script, peer=peer, table="t", id="who", bits=2048)

    asked, _ = at_once(
        partial(work, "guest", "moments/predict", "host"),
        partial(work, "host", "moments/predict_peer", "guest"),
    )
    scores = [s for (s,) in pair.query("guest", "SELECT score FROM predictions ORDER BY id")]
    z = np.column_stack([np.ones(40), standard(np.hstack([hx, gx]))]) @ w
    expected = z if kind == "linear" else 1 / (1 + np.exp(-z))
    assert scores == pytest.approx(list(expected), abs=1e-3 if kind == "linear" else 1e-5)
    assert asked[0]["rows"] == 40 and asked[0]["mean_score"] == pytest.approx(np.mean(scores))
    for me in ("host", "guest"):
        assert {weight for _, weight in pair.model(me)} == {None}
        with pair.connect(me, "look") as party:
            assert not [key for key in party.keyring.list() if "predict" in str(key)]


@takes_long
@pytest.mark.parametrize("asker", ["host", *thorough("guest")])
def test_either_party_asks(tmp_path, asker: str) -> None:
    """Linear in the label's unit; of several blocks."""
    pair = Shared(tmp_path, 21)
    assert not isinstance(pair.predict(asker)[0], BaseException)
    assert close(pair.scores(asker), dict(enumerate(MEAN + UNIT * pair.z())))
    tables = "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'scores%'"
    assert not pair.query(OTHER[asker], tables)


@takes_long
def test_probabilities(tmp_path) -> None:
    pair = Shared(tmp_path, 9, kind="logistic")
    pair.predict("host")
    found = list(pair.scores("host").values())
    assert found == pytest.approx(list(1 / (1 + np.exp(-pair.z()))), abs=1e-5)


HAS = np.array([0, 1, 2, 4, 7, 8, 11])


@takes_long
def test_rows_that_one_party_lacks(tmp_path) -> None:
    """A guest's alignment has some of the host's rows. The host asks about all, the guest about
    those of its own that are in its table."""
    pair = Shared(tmp_path, 12, HAS)
    _, at_guest = pair.predict("host")
    assert "asks for 5 rows that we have no record of" in str(at_guest)
    sent = tmp_path / "mailbox" / "p1" / "guest" / "host"
    assert not list(sent.glob("predict.answer*"))
    pair.predict("host", "p2", answer={"unmatched": "mean"})
    at_guest = pair.x["guest"].copy()
    at_guest[np.setdiff1d(np.arange(12), HAS)] = 0
    assert close(pair.scores("host", "p2"), dict(enumerate(MEAN + UNIT * pair.z(at_guest))))
    pair.query("guest", "DELETE FROM t WHERE who = 7")
    found = pair.predict("guest", "p3", ask={"key": "who"})
    assert found[1][0]["rows"] == 12 and found[0][0]["rows"] == 6
    expected = MEAN + UNIT * pair.z()
    assert close(pair.scores("guest", "p3"), {i: expected[i] for i in HAS if i != 7})


def test_who_asks_learns_nothing_of_rows_that_it_does_not_want(tmp_path) -> None:
    """An asker that follows the protocol, and looks at all that it has: what it gets for such rows
    is uniform, and the digits of the others that are not in a score are, too."""
    rows, has = 120, np.arange(4)
    pair = Shared(tmp_path, rows, has)
    curious = changed(
        "moments/predict",
        tmp_path,
        ("floor(scores[(row - 1) % getvariable('slots') + 1] * 1048576) / 1048576 AS z", "0 AS z"),
        (
            "\nCALL key_forget(getvariable('key'));",
            "\nCREATE TABLE all_of_it AS SELECT present, scores[(row - 1) % getvariable('slots') + "
            "1] AS z FROM predict_rows JOIN predict_scores ON block = (row - 1) // "
            "getvariable('slots') + 1;\nCALL key_forget(getvariable('key'));",
        ),
    )
    pair.predict("guest", evil={"moments/predict": curious})
    seen = np.array(pair.query("guest", "SELECT z FROM all_of_it WHERE NOT present")).ravel()
    assert len(seen) == rows - len(has)
    # Uniform on -2^23 to 2^23; scores are below 20. Kolmogorov and Smirnov: beyond this by chance
    # once in ten million runs.
    places = (np.arange(len(seen)) + 0.5) / len(seen)
    assert np.abs(np.sort(seen) / 2**24 + 0.5 - places).max() < 2.9 / np.sqrt(len(seen))
    low = pair.query("guest", "SELECT z * 2.0 ** 40 % 2 ** 20 FROM all_of_it WHERE present")
    assert len({round(v) for (v,) in low}) == len(has)


SCRIPTS = {"asker": "moments/predict", "peer": "moments/predict_peer"}


@takes_long
def test_shares_that_are_larger_than_agreed_read_nothing(tmp_path) -> None:
    """An asker that encrypts 2^100 times its shares, behind the header that was agreed. Without
    masks the last 100 bits of what it decrypts would be 0."""
    pair = Shared(tmp_path, 100)
    large = (
        "he_mul(he_mul(ct, 2.0 ** 60, getvariable('key'), scale := 0, bound := 61), 2.0 ** 40, "
        "getvariable('key'), scale := 0, bound := 41)"
    )
    start, end = "-- include predict/start.sql", "\n-- results: of a logistic"
    lie = (
        "CREATE OR REPLACE TEMP TABLE predict_encrypted AS SELECT position, unhex(substr(hex(ct), "
        f"1, 64) || substr(hex({large}), 65)) AS ct FROM predict_encrypted;\n{start}"
    )
    look = (
        "CREATE TABLE seen AS SELECT unnest(wide_decode(paillier_decrypt_share_wide([ct], "
        f"getvariable('key')))) AS v FROM predict_answer;{end}"
    )
    evil = changed("moments/predict", tmp_path, (start, lie), (end, f"\n{look}"))
    asked, _ = pair.predict("host", evil={"moments/predict": evil})
    assert asked[0]["rows"] == 100
    seen = [int(v) for (v,) in pair.query("host", "SELECT v::VARCHAR FROM seen")]
    ones = np.array([[v >> i & 1 for i in range(128)] for v in seen]).mean(axis=0)
    assert len(seen) >= 100 and np.abs(ones - 0.5).max() < 6 * 0.5 / np.sqrt(len(seen))


@takes_long
@pytest.mark.parametrize(
    "liar, old, new, text",
    [
        (
            "asker",
            "SELECT row, name, hidden FROM predict_hidden",
            "SELECT row, name, (SELECT any_value(ct) FROM predict_encrypted) AS hidden FROM "
            "predict_hidden",
            "has to send an encrypted 0 or 1 for each row",
        ),
        (
            "asker",
            "SELECT block, s.send AS ct FROM predict_masked",
            "SELECT block, (SELECT any_value(ct) FROM predict_theirs) AS ct FROM predict_masked",
            "sums do not have the agreed scale and slots",
        ),
        (
            "peer",
            "SELECT block, ct, shares FROM predict_answer",
            "SELECT block, ct, shares[:1] AS shares FROM predict_answer",
            "did not send a share for each row",
        ),
        (
            "peer",
            "SELECT getvariable('label').unit::DOUBLE AS unit",
            "SELECT -1::DOUBLE AS unit",
            "unit of the label makes no sense",
        ),
        *thorough(
            (
                "asker",
                "SELECT row, name, hidden FROM predict_hidden",
                "SELECT row, 'x' AS name, hidden FROM predict_hidden",
                "a row is asked for twice",
            ),
            (
                "asker",
                "SELECT block, s.send AS ct FROM predict_masked",
                "SELECT block, s.send AS ct FROM predict_masked WHERE block = 1",
                "blocks are not those of its rows",
            ),
            (
                "asker",
                "SELECT block, s.send AS ct FROM predict_masked",
                "SELECT block, (SELECT any_value(hidden) FROM predict_hidden) AS ct FROM "
                "predict_masked",
                "the agreed scale and slots",
            ),
            (
                "peer",
                "SELECT block, ct, shares FROM predict_answer",
                "SELECT 1::BIGINT AS block, ct, shares FROM predict_answer",
                "did not answer each block once",
            ),
        ),
    ],
)
def test_messages_that_are_not_as_agreed(tmp_path, liar, old, new, text) -> None:
    pair = Shared(tmp_path, 10)
    evil = changed(SCRIPTS[liar], tmp_path, (old, new))
    asker, peer = pair.predict("guest", evil={SCRIPTS[liar]: evil})
    assert text in str(peer if liar == "asker" else asker)


@takes_long
def test_hidden_numbers_of_any_size_give_no_more_than_scores(tmp_path) -> None:
    """An asker may put any number in the place of 0 or 1: it only meets random ones. With 2^64 it
    has the score of a row that it could have asked for, with others less."""
    pair = Shared(tmp_path, 12, np.arange(6))
    for session, hidden in (("p1", 2.0**44), ("p2", 2.0**30)):
        evil = changed(
            "moments/predict",
            tmp_path,
            ("AND NOT present THEN 1.0::DOUBLE", f"AND NOT present THEN {hidden}::DOUBLE"),
            ("scale := 20, bound := 21", "scale := 20, bound := 80"),
            (
                "SELECT row, name, hidden FROM predict_hidden",
                "SELECT row, name, unhex(substr(hex(hidden), 1, 48) || '0015' || "
                "substr(hex(hidden), 53)) AS hidden FROM predict_hidden",
            ),
            ("JOIN predict_named USING (name)\n    ORDER BY id", "ORDER BY id"),
            ("SELECT id, pid, CASE", "SELECT md5(name)::UUID AS id, name::UUID AS pid, CASE"),
        )
        pair.predict("guest", session, evil={"moments/predict": evil})
        query = f"SELECT pid::VARCHAR, score FROM scores_{session}"
        found = dict(pair.query("guest", query))
        names = dict(pair.query("host", "SELECT id, pid::VARCHAR FROM alignment"))
        at_guest = pair.x["guest"].copy()
        z = MEAN + UNIT * np.hstack([np.ones((12, 1)), pair.x["host"], at_guest]) @ pair.weights
        asked = {i: found[names[i]] for i in range(6)}
        assert close(asked, {i: z[i] for i in range(6)})
        others = np.array([found[names[i]] for i in range(6, 12)])
        if session == "p1":
            assert (np.abs(others) < 2**14).all()
        else:
            assert (np.abs(others) > 2**14).any()


@pytest.mark.parametrize(
    "change, text",
    [
        ({"ask": {"sigma": 50}}, "sigma"),
        ({"sql": "UPDATE t SET h0 = 2e7 WHERE who = 1"}, "more than a million deviations"),
        ({"sql": "UPDATE model SET mean = 1e9 WHERE weight IS NULL AND feature = '(intercept)'"},
         "the label's mean is more than four million times"),
        *thorough(
            (
                {"sql": "UPDATE model SET training = 'r2 linear'"},
                "are not of one training",
            ),
            (
                {
                    "sql": "UPDATE model SET training = 'r2 l'; "
                    "UPDATE model_share SET training = 'r2 l'"
                },
                "the parties' settings differ: the peer has join=id training=r",
            ),
            (
                {"sql": "UPDATE model_share SET party = 'bank' WHERE party = 'guest'"},
                "a training with",
            ),
            ({"ask": {"sigma": "x"}}, "sigma and bits are whole numbers"),
            ({"ask": {"model": "other"}}, "there are no tables other and other_share"),
            ({"ask": {"bits": 3072}}, "bits"),
            ({"ask": {"sigma": 39}}, "sigma is 40 to 256"),
            ({"answer": {"unmatched": "skip"}}, "unmatched is refuse or mean"),
            ({"sql": "UPDATE t SET h0 = NULL WHERE who = 1"}, "have no number in h0"),
            ({"sql": "UPDATE t SET h0 = 4e4 WHERE who = 1"}, "more than 32,767 dev"),
            ({"sql": "DELETE FROM model_share WHERE position = 2"}, "not of one training"),
        ),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, change: dict, text: str) -> None:
    pair = Shared(tmp_path, 4)
    if "sql" in change:
        pair.query("host", change.pop("sql"))
    found = pair.predict("host", **change)
    assert any(text in str(one) for one in found), found
    assert all(isinstance(one, DuckprivError) for one in found)
    assert not list((tmp_path / "mailbox").rglob("predict.rows*"))


def test_a_model_whose_weights_are_seen_is_for_the_other_script(tmp_path) -> None:
    pair = Shared(tmp_path, 4)
    with pair.connect("host", "p0") as party:
        settings = {"peer": "guest", "table": "t", "id": "who"}
        with pytest.raises(DuckprivError, match="predict with moments/predict"):
            party.run("lr_joint_key/predict", **settings)
        party.con.execute("DROP TABLE model_share").fetchall()
        with pytest.raises(DuckprivError, match="predict with lr_joint_key/predict"):
            party.run("moments/predict", **settings)


@takes_long
def test_large_scores_do_not_wrap(tmp_path) -> None:
    """Numbers far from the mean, and a label far from 0, near the bounds of both."""
    pair = Shared(tmp_path, 6)
    pair.query("host", "UPDATE t SET h0 = 32000 WHERE who = 1; UPDATE model SET mean = 64 * 4e6 "
               "WHERE feature = '(intercept)'")  # fmt: skip
    pair.query("guest", "UPDATE t SET g1 = -32000 WHERE who = 1")
    pair.x["host"][1, 0], pair.x["guest"][1, 1] = 32000, -32000
    pair.predict("guest")
    found = list(pair.scores("guest").values())
    assert found == pytest.approx(list(64 * 4e6 + UNIT * pair.z()), rel=1e-6)


@takes_long
@pytest.mark.parametrize("asker", ["host", *thorough("guest")])
def test_views_are_those_of_any_other_data(tmp_path, asker: str) -> None:
    """Two tables of one shape, and other rows in common: the same messages, with the same headers,
    and shares that are uniform."""
    shapes = []
    for name, scale, has in (("a", 1.0, np.arange(30)), ("b", 1000.0, np.arange(3, 6))):
        pair = Shared(tmp_path / name, 40, has, scale=scale)
        asked, _ = pair.predict(asker, answer={"unmatched": "mean"})
        assert not isinstance(asked, BaseException), asked
        found = messages(pair, "p1")
        shapes.append(
            {
                path: [
                    (column, [shape_of(v) for v in table[column].to_pylist()])
                    for column in table.column_names
                    if column not in ("settings", "challenge", "unit")
                ]
                for path, table in found.items()
            }
        )
        (answer,) = [t for path, t in found.items() if "predict.answer" in path]
        shares = np.concatenate(answer["shares"].to_pylist()).astype(np.uint64)
        ones = np.array([shares >> np.uint64(i) & np.uint64(1) for i in range(64)]).mean(axis=0)
        assert len(shares) == 40 and np.abs(ones - 0.5).max() < 5.5 * 0.5 / np.sqrt(40)
    assert shapes[0] == shapes[1]
    assert sum("predict." in path for path in shapes[0]) == 8
