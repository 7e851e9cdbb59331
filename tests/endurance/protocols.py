"""Every bundled protocol on random tables: what the parties run, and what has to come out.

What has to come out is computed from the tables alone, without this program.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tests.parties import Folder
from tests.plain import descend, descend_taylor, integer_product, standard

RING = 2**64
# As the tests of the protocols have it: some roundings to 2^-20 or 2^-16 in each step.
NEAR = 1e-3


@dataclass
class Step:
    """A session: each party's script and settings, and what then has to be so."""

    session: str
    scripts: dict[str, tuple[str, dict[str, object]]]
    check: Callable[[], None]


Steps = Iterator[Step]


def same(found: object, expected: object) -> None:
    assert found == expected, f"expected {short(expected)}, found {short(found)}"


def short(value: object) -> str:
    text = str(value)
    return text if len(text) < 300 else f"{text[:300]}…"


def near(found: object, expected: object, limit: float = NEAR) -> None:
    found, expected = np.array(found, dtype=float), np.array(expected, dtype=float)
    same(found.shape, expected.shape)
    away = float(np.abs(found - expected).max(initial=0.0))
    assert away < limit, f"expected {short(expected)}, found {short(found)}, off by {away}"


def matching(
    folder: Folder, host: list, guest: list, names: tuple[str, str] = ("host", "guest")
) -> Step:
    """Private matching of tables `t`, whose ids are `host` and `guest`, in columns 'who'."""
    one, other = names

    def check() -> None:
        at_host, at_guest = (
            dict(folder.query(me, "SELECT id, pid FROM alignment")) for me in names
        )
        same(set(at_host), set(host) - {None})
        same(set(at_guest), set(host) & set(guest) - {None})
        assert at_guest.items() <= at_host.items(), "one row has two random ids"
        same(len(set(at_host.values())), len(at_host))
        rest = {pid for (pid,) in folder.query(other, "FROM alignment_unmatched")}
        same(rest, set(at_host.values()) - set(at_guest.values()))

    table = {"table": "t", "id": "who"}
    return Step(
        f"match-{other}",
        {
            one: ("psi/host", {**table, "peer": other, "bits": 2048}),
            other: ("psi/guest", {**table, "peer": one}),
        },
        check,
    )


def psi(folder: Folder, choice: random.Random) -> Steps:
    def ids() -> list:
        found = [f"person {choice.randint(0, 70)}" for _ in range(choice.randint(1, 60))]
        return found + [None] * choice.randint(0, 2)  # some twice, some without

    tables = {me: ids() for me in ("host", "guest")}
    for me, column in tables.items():
        folder.make_table(me, pa.table({"who": pa.array(column, pa.string())}))
    yield matching(folder, tables["host"], tables["guest"])


def matmul(folder: Folder, choice: random.Random) -> Steps:
    rng = np.random.default_rng(choice.randrange(2**32))
    m, k, n = choice.randint(1, 40), choice.randint(1, 6), choice.randint(1, 20)
    x, w = rng.normal(0, 30, (m, k)), rng.normal(0, 30, (k, n))
    ids = {"left": [f"{i:03}" for i in range(m)], "right": list(range(k))}
    for me, matrix in (("left", x), ("right", w)):
        columns = {f"c{i:02}": matrix[:, i] for i in range(matrix.shape[1])}
        folder.make_table(me, pa.table({"who": ids[me], **columns}))
    reveal, share_ids = (
        choice.choice(("none", "left", "right", "both")),
        choice.choice(("no", "yes")),
    )
    in_order = "ORDER BY id::INTEGER"  # at the right, numbers of rows as text

    def check() -> None:
        too_many = 2 * 33 + (k - 1).bit_length() - 63  # bits of a sum of k products
        scale = 20 - max(0, -(-too_many // 2))
        expected = integer_product(x.tolist(), w.tolist(), scale)
        shares = [
            [row for (row,) in folder.query(me, f"SELECT share FROM product_share {in_order}")]
            for me in ("left", "right")
        ]
        found = [
            [(a + b) % RING for a, b in zip(*rows, strict=True)]
            for rows in zip(*shares, strict=True)
        ]
        same(found, [[value % RING for value in row] for row in expected])
        for me in ("left", "right"):
            product = folder.query(me, f"SELECT value FROM product {in_order}")
            seen = [[value / 2.0 ** (2 * scale) for value in row] for row in expected]
            same([row for (row,) in product], seen if reveal in (me, "both") else [])

    settings = {"table": "t", "id": "who", "reveal": reveal, "share_ids": share_ids, "bits": 2048}
    yield Step(
        "multiply",
        {
            "left": ("matmul/left", {**settings, "peer": "right"}),
            "right": ("matmul/right", {**settings, "peer": "left"}),
        },
        check,
    )


class People:
    """Rows of a host and guests for a training, and the matrix that the algorithm works on."""

    def __init__(self, folder: Folder, choice: random.Random, guests: list[str]) -> None:
        rng = np.random.default_rng(choice.randrange(2**32))
        self.folder, self.guests, self.rng = folder, guests, rng
        self.by_id = choice.random() < 0.5  # otherwise private matching comes first
        everybody = choice.randint(30, 60)
        self.ids = np.array([f"person {i}" for i in range(everybody)])
        self.host = np.arange(everybody)
        self.has = dict.fromkeys(guests, self.host)
        if not self.by_id:
            self.host = np.arange(everybody - 5)
            self.has = {g: np.sort(rng.permutation(everybody)[:-6]) for g in guests}
        self.widths = {me: choice.randint(1, 3) for me in ("host", *guests)}
        self.x = {me: rng.normal(size=(everybody, width)) for me, width in self.widths.items()}
        self.score = sum(x.sum(axis=1) for x in self.x.values())
        self.label = (self.score + rng.normal(size=everybody) > 0).astype(float)
        self.label[:2] = 0, 1

    def make_tables(self) -> None:
        for me, rows in (("host", self.host), *self.has.items()):
            columns = {f"{me}{i}": self.x[me][rows, i] for i in range(self.widths[me])}
            more = {"label": self.label[rows]} if me == "host" else {}
            self.folder.make_table(me, pa.table({"who": self.ids[rows], **columns, **more}))

    @property
    def join(self) -> dict[str, object]:
        return {"id": "who"} if self.by_id else {}

    def matched(self) -> Steps:
        if self.by_id:
            return
        for guest, rows in self.has.items():
            yield matching(
                self.folder, self.ids[self.host].tolist(), self.ids[rows].tolist(), ("host", guest)
            )
            if len(self.guests) > 1:
                self.folder.query("host", f"ALTER TABLE alignment RENAME TO alignment_{guest}")

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """The features of the host's rows, as parties standardise them; and which rows count."""
        present = np.ones(len(self.host))
        columns = [np.ones((len(self.host), 1)), standard(self.x["host"][self.host])]
        for guest in self.guests:
            common = np.intersect1d(self.host, self.has[guest])
            here = np.isin(self.host, common).astype(float)
            x = standard(self.x[guest][self.host], self.x[guest][common])
            columns.append(x * here[:, None])
            present *= here
        return np.column_stack(columns), present

    def weights(self) -> list[float]:
        found = []
        for me in ("host", *self.guests):
            rows = self.folder.query(me, "SELECT feature, weight FROM model")
            found += [w for name, w in rows if name != "(intercept)" or me == "host"]
        return found

    def check_scores(self, asker: str, expected: np.ndarray, rows: np.ndarray) -> None:
        found = dict(self.folder.query(asker, "SELECT id, score FROM predictions"))
        names = self.ids[self.host[rows]].tolist()
        same(sorted(found), sorted(names))
        near([found[name] for name in names], expected[rows])


def helper(folder: Folder, choice: random.Random) -> Steps:
    guests = ["guest"] if choice.random() < 0.8 else ["guest1", "guest2"]
    people = People(folder, choice, guests)
    kind = choice.choice(("logistic", "logistic", "identity", "exp"))
    if kind != "logistic":
        people.label = np.abs(people.score).round()
    people.make_tables()
    folder.query("helper", "SELECT 1")
    yield from people.matched()
    names = {"guests": ",".join(guests)}
    common = {**names, "table": "t", **people.join}
    steps = {"iterations": choice.randint(1, 3), "learning_rate": 0.2, "l2": 0.02, "decay": 0.1}
    reveal = choice.choice(("own", "none"))
    train = {**common, **steps, "kind": kind, "noise": 0, "reveal": reveal}
    train |= {"accept_disclosure": "yes", "loss": "yes"}
    a, present = people.matrix()
    order = dict.fromkeys(range(9), np.arange(len(a)))  # one batch: no order matters
    weights, losses = descend(
        a,
        people.label[people.host],
        present,
        order,
        iterations=int(steps["iterations"]),
        batch=len(a),
        rate=0.2,
        kind=kind,
        l2=0.02,
        decay=0.1,
    )

    def trained() -> None:
        if reveal == "own":
            near(people.weights(), weights)
        else:
            same(set(people.weights()), {None})
            shares = [
                np.array(
                    [s for (s,) in folder.query(me, "SELECT share FROM model_share")], np.uint64
                )
                for me in ("host", *guests)
            ]
            near(sum(shares[1:], shares[0]).view(np.int64) / 2.0**20, weights)
        log = folder.query("host", "SELECT loss FROM training_log ORDER BY iteration")
        near([loss for (loss,) in log], losses)

    yield Step(
        "train",
        {
            "host": ("lr_helper/host", {**train, "label": "label"}),
            **dict.fromkeys(guests, ("lr_helper/guest", train)),
            "helper": ("lr_helper/helper", names),
        },
        trained,
    )
    asker = choice.choice(("host", *guests))
    z = a @ weights
    scores = {"logistic": 1 / (1 + np.exp(-z)), "identity": z, "exp": np.exp(z)}[kind]
    # A guest gets the scores of the rows that it has.
    rows = np.arange(len(a)) if asker == "host" else np.isin(people.host, people.has[asker])
    ask = {**common, "asker": asker}
    at_guests = ask if people.by_id else {**ask, "unmatched": "mean"}
    yield Step(
        "predict",
        {
            "host": ("lr_helper/predict_host", {**ask, "batch": choice.choice((10, 1000))}),
            **dict.fromkeys(guests, ("lr_helper/predict_guest", at_guests)),
            "helper": ("lr_helper/predict_helper", names),
        },
        lambda: people.check_scores(asker, scores, rows),
    )


def joint(folder: Folder, choice: random.Random, assisted: bool = False) -> Steps:
    people = People(folder, choice, ["guest"])
    people.make_tables()
    yield from people.matched()
    iterations = choice.randint(1, 3)
    settings = {"table": "t", **people.join, "iterations": iterations, "loss_every": 1}
    settings |= {"start": "zero", "noise": 0, "accept_disclosure": "yes", "l2": 0.02}
    scripts = {}
    if assisted:
        modulus = choice.choice(("assistant", "rsa-2048"))
        folder.query("assistant", "SELECT 1")
        settings |= {"assistant": "assistant", "modulus": modulus}
        theirs = {"host": "host", "guest": "guest", "modulus": modulus, "bits": 2048}
        scripts["assistant"] = ("lr_joint_key/assistant", theirs)
    a, present = people.matrix()
    label = people.label[people.host]
    weights, losses, _ = descend_taylor(a, label, present, iterations, l2=0.02)

    def trained() -> None:
        near(people.weights(), weights)
        log = folder.query("host", "SELECT loss FROM training_log ORDER BY iteration")
        near([loss for (loss,) in log], losses)

    yield Step(
        "train",
        {
            "host": ("lr_joint_key/host", {**settings, "peer": "guest", "label": "label"}),
            "guest": ("lr_joint_key/guest", {**settings, "peer": "host"}),
            **scripts,
        },
        trained,
    )
    asker, other = choice.sample(("host", "guest"), 2)
    rows = np.arange(len(a)) if asker == "host" else present > 0
    ask = {"table": "t", **people.join}
    unmatched = {} if people.by_id or asker == "guest" else {"unmatched": "mean"}
    scores = 1 / (1 + np.exp(-a @ weights))
    yield Step(
        "predict",
        {
            asker: ("lr_joint_key/predict", {**ask, "peer": other}),
            other: ("lr_joint_key/predict_peer", {**ask, "peer": asker, **unmatched}),
        },
        lambda: people.check_scores(asker, scores, rows),
    )


def assisted(folder: Folder, choice: random.Random) -> Steps:
    return joint(folder, choice, assisted=True)


PROTOCOLS: dict[str, Callable[[Folder, random.Random], Steps]] = {
    "psi": psi,
    "matmul": matmul,
    "lr_helper": helper,
    "lr_joint_key": joint,
    "lr_joint_key, assisted": assisted,
}
