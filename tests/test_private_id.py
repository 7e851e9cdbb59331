"""Matching that hides from both which records are common, against sets; and what each sees."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings

from duckpriv import DuckprivError, ExchangeTimeout
from duckpriv.columns.ids import KINDS
from tests.attacks.evil import changed
from tests.effort import examples, some, takes_long, thorough
from tests.parties import Folder, at_once
from tests.test_psi import ids

PEERS = {"host": "guest", "guest": "host"}


class Pair(Folder):
    """A host and a guest with a table each."""

    def __init__(self, folder: Path, host: list, guest: list) -> None:
        super().__init__(folder)
        self.ids = {"host": host, "guest": guest}
        for me, own in self.ids.items():
            self.make_table(me, pa.table({"id": pa.array(own, pa.string())}))

    def run(self, session: str = "s1", scripts: dict[str, object] | None = None, **own) -> list:
        def work(me: str) -> object:
            script = (scripts or {}).get(me, f"private_id/{me}")
            with self.connect(me, session) as party:
                return party.run(str(script), peer=PEERS[me], table="t", id="id", **own)

        return at_once(*(partial(work, me) for me in PEERS))

    def found(self, me: str, name: str = "alignment") -> list:
        return self.query(me, f'FROM "{name}"')

    def message(self, sender: str, channel: str, session: str = "s1") -> pa.Table:
        name = channel.replace("/", ".")
        file = self.folder / "mailbox" / session / sender / PEERS[sender] / f"{name}.arrow"
        with pa.ipc.open_stream(file) as reader:
            return reader.read_all()


def succeeded(results: list) -> list:
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@takes_long
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(host=ids, guest=ids)
@example(host=[], guest=["a"])
@example(host=["a", "b"], guest=["c"])
@example(host=["a", "b", None, "A "], guest=["b", "a", "a"])
def test_any_ids(host: list, guest: list) -> None:
    normal = KINDS["email"]
    if any(own and not any(x and normal(x) for x in own) for own in (host, guest)):
        return
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), host, guest)
        succeeded(pair.run(kind="email"))
        own = {me: {x: normal(x) for x in pair.ids[me] if x and normal(x)} for me in PEERS}
        sets = {me: set(own[me].values()) for me in PEERS}
        pids: dict[str, dict] = {}
        for me, peer in PEERS.items():
            assert sorted(x for x, _ in pair.found(me)) == sorted(own[me])
            pids[me] = {own[me][x]: pid for x, pid in pair.found(me)}
            assert all(pids[me][own[me][x]] == pid for x, pid in pair.found(me))
            assert len(set(pids[me].values())) == len(sets[me])
            lacking = [pid for (pid,) in pair.found(me, "alignment_unmatched")]
            assert len(set(lacking)) == len(lacking) == len(sets[peer] - sets[me])
            sizes = [len(sets["host"]), len(sets["guest"])]
            sizes += [len(sets["host"] & sets["guest"]), len(sets["host"] | sets["guest"])]
            assert pair.found(me, "alignment_sizes") == [tuple(sizes)]
        assert all(pids["host"][x] == pids["guest"][x] for x in sets["host"] & sets["guest"])
        all_pids = [
            set(pids[me].values()) | {p for (p,) in pair.found(me, "alignment_unmatched")}
            for me in PEERS
        ]
        assert all_pids[0] == all_pids[1]


def test_more_ids_than_a_batch_and_another_session(tmp_path) -> None:
    names = [f"p{i}" for i in range(5000)]
    pair = Pair(tmp_path, names, names[4900:] + ["q"] * 3)
    succeeded(pair.run())
    first = dict(pair.found("host")), dict(pair.found("guest"))
    assert pair.found("guest", "alignment_sizes") == [(5000, 101, 100, 5001)]
    succeeded(pair.run("s2"))
    second = dict(pair.found("host")), dict(pair.found("guest"))
    assert not set(first[0].values()) & set(second[0].values())
    for at_host, at_guest in (first, second):
        assert {x for x in names if at_host[x] == at_guest.get(x)} == set(names[4900:])
    with pair.connect("host") as party:
        assert not [key for key in party.keyring.list() if "private-id" in key.name]


CHANNELS = ("key", "masked", "twice", "named-1", "only", "digest")


def test_views_of_two_overlaps_of_one_size_have_the_same_shapes(tmp_path) -> None:
    """All else in them are elements that nobody can tell from random ones (DDH), sorted or in
    random order."""
    names = [f"p{i}" for i in range(40)]
    shapes = []
    for place, common in (("a", names[:10]), ("b", names[30:])):
        folder = tmp_path / place
        folder.mkdir()
        pair = Pair(folder, names, [f"q{i}" for i in range(20)] + common)
        succeeded(pair.run())
        seen = {}
        for me in PEERS:
            for channel in CHANNELS:
                message = pair.message(me, f"private_id/{channel}")
                seen[me, channel] = (
                    message.schema,
                    [
                        [v if isinstance(v, int) else (type(v), len(v)) for v in column.to_pylist()]
                        if channel != "digest"
                        else None
                        for column in message.columns
                    ],
                )
            for channel in ("twice", "only"):
                elements = pair.message(me, f"private_id/{channel}").column(0).to_pylist()
                assert elements == sorted(elements)
        shapes.append(seen)
    assert shapes[0] == shapes[1]


@takes_long
def test_the_order_in_which_ids_are_sent_is_random(tmp_path) -> None:
    """The peer sees which of these places are common."""
    names = [f"p{i:02}" for i in range(50)]
    pair = Pair(tmp_path, names, names[:5])
    orders = []

    class Look:
        def start(self, statement) -> None:
            if statement.title == "summary":
                query = "SELECT psi_id FROM private_id_sequence ORDER BY seq"
                orders.append([x for (x,) in party.con.execute(query).fetchall()])

        def tick(self) -> None:
            pass

    common = {"table": "t", "id": "id"}
    for session in ("s1", "s2"):
        with pair.connect("host", session) as party, pair.connect("guest", session) as other:
            host = partial(party.run, "private_id/host", peer="guest", observer=Look(), **common)
            succeeded(at_once(host, partial(other.run, "private_id/guest", peer="host", **common)))
    assert sorted(orders[0]) == sorted(orders[1]) == names
    assert names not in orders
    assert orders[0] != orders[1]


NAMED = "(SELECT batch, oprf_evaluate(masked, getvariable('name_key')) AS e FROM private_id_block)"
TWICE = "FROM private_id_theirs_twice ORDER BY masked $$"
ONLY = "FROM private_id_only_here)\n    ORDER BY named $$"
WRONG = {
    "another key for one id": (
        NAMED,
        "(SELECT batch, {evaluated: list_concat([dh_mask('x', getvariable('mask_key'))], "
        "e.evaluated[2:]), proof: e.proof} AS e FROM " + NAMED + ")",
        "proof of 6 evaluated values does not hold",
    ),
    "ids in another order": (
        NAMED,
        "(SELECT batch, {evaluated: list_reverse(e.evaluated), proof: e.proof} AS e FROM "
        + NAMED
        + ")",
        "proof of 6 evaluated values does not hold",
    ),
    "one id not masked again": (
        TWICE,
        "FROM private_id_theirs_twice ORDER BY masked LIMIT 5 $$",
        "did not mask each of our ids once",
    ),
    "one twice": (
        TWICE,
        "SELECT CASE WHEN masked = (SELECT max(masked) FROM private_id_theirs_twice) THEN (SELECT "
        "min(masked) FROM private_id_theirs_twice) ELSE masked END AS masked " + TWICE,
        "did not mask each of our ids once",
    ),
    "the identity": (
        ONLY,
        ONLY.replace("ORDER", "UNION ALL SELECT repeat('\\x00'::BLOB, 32) ORDER"),
        "encode no element of ristretto255",
    ),
    "one more that we lack": (
        ONLY,
        ONLY.replace("ORDER", "UNION ALL SELECT dh_mask('x', getvariable('name_key')) ORDER"),
        "the peer counts 2 common ids, and we count 3",
    ),
    "another one that we lack": (
        "dh_remask(masked, getvariable('name_key'), old := getvariable('mask_key')) AS named",
        "dh_mask('x' || row_number() OVER (), getvariable('name_key')) AS named",
        "other random ids than we have",
    ),
    "a mask twice": (
        "$$ FROM private_id_masked ORDER BY seq $$",
        "$$ SELECT seq, (SELECT any_value(masked) FROM private_id_masked) AS masked FROM "
        "private_id_masked ORDER BY seq $$",
        "masked an id more than once",
    ),
}


# The scripts of both are the same, but for one variable.
@pytest.mark.parametrize(
    ("what", "liar"),
    some([(what, me) for me in PEERS for what in WRONG], 2),
)
def test_what_cannot_be_right_is_refused(tmp_path, what: str, liar: str) -> None:
    old, new, error = WRONG[what]
    pair = Pair(tmp_path, list("abcdef"), list("defghi"))
    results = pair.run(scripts={liar: changed(f"private_id/{liar}", tmp_path, (old, new))})
    honest = results[list(PEERS).index(PEERS[liar])]
    assert isinstance(honest, DuckprivError) and not isinstance(honest, ExchangeTimeout), honest
    with pytest.raises(DuckprivError, match=error):
        raise honest
    tables = pair.query(PEERS[liar], "SELECT table_name FROM duckdb_tables()")
    assert not [name for (name,) in tables if name.startswith("alignment")]


def test_a_peer_that_sends_back_what_it_got_is_found_out(tmp_path) -> None:
    """It would have all ids counted as common, and know none of the random ids."""
    pair = Pair(tmp_path, list("abcdef"), list("uvwxyz"))
    echo = "(SELECT dh_remask(masked, getvariable('mask_key')) AS masked FROM private_id_theirs)"
    evil = changed(
        "private_id/guest",
        tmp_path,
        ("$$ FROM private_id_masked ORDER BY seq $$", "$$ FROM private_id_theirs ORDER BY seq $$"),
        (TWICE, f"FROM {echo} ORDER BY masked $$"),
        (
            "FROM private_id_here_twice ANTI JOIN private_id_theirs_twice USING (masked);",
            "FROM private_id_here_twice WHERE false;",
        ),
        (
            "SELECT sha256(getvariable('session') || '/' || getvariable('me') || '/' || "
            "getvariable('sum')) AS digest",
            "SELECT digest FROM exchange_recv(getvariable('peer'), 'private_id/digest', "
            "columns := 'digest VARCHAR')",
        ),
    )
    text = evil.read_text()
    # it has what the host sent before it sends its own
    begin = text.index("-- from the peer: the same\n")
    end = text.index("-- to the peer: its masked ids, masked again")
    received, rest = text[begin:end], text[:begin] + text[end:]
    sends = rest.index("CALL exchange_send(getvariable('peer'), 'private_id/masked'")
    evil.write_text(rest[:sends] + received + rest[sends:])
    host, _ = pair.run(scripts={"guest": evil})
    assert isinstance(host, DuckprivError), host


def test_more_ids_than_are_allowed(tmp_path) -> None:
    pair = Pair(tmp_path, ["a"], list("abc"))
    errors = pair.run(most_ids=2)
    with pytest.raises(DuckprivError, match="the peer has 3 ids, more than most_ids allows"):
        raise errors[0]


TRAINING = {"iterations": 1, "accept_disclosure": "yes", "columns": "x"}


@takes_long
@pytest.mark.parametrize("then", ["aggregate", *thorough("moments", "lr_joint_key")])
def test_tables_and_trainings_go_on_from_it(tmp_path, then: str) -> None:
    """From a real run on, neither party knowing which records are common."""
    rng = np.random.default_rng(3)
    numbers = {f"p{i}": rng.normal(size=2).round(3) for i in range(90)}
    names = list(numbers)
    pair = Pair(tmp_path, names[:60], names[20:])
    for me, own, column in (("host", names[:60], 0), ("guest", names[20:], 1)):
        columns = {"id": own, "x": [numbers[name][column] for name in own]}
        pair.make_table(me, pa.table({**columns, "y": [i % 2 for i in range(len(own))]}), "u")
    succeeded(pair.run())
    own: dict[str, dict] = {
        "aggregate": {"host": {"measures": "y"}, "guest": {"measures": "x", "decimals": 3}},
        "moments": {"host": {"label": "y", "bits": 2048}, "guest": {"bits": 2048}},
        "lr_joint_key": {"host": {"label": "y", **TRAINING}, "guest": TRAINING},
    }[then]
    more = {"minimum": 1} if then == "aggregate" else {}

    def work(me: str) -> object:
        with pair.connect(me, "s2") as party:
            settings = {"table": "u", "peer": PEERS[me], **own[me], **more}
            return party.run(f"{then}/{me}", **settings)

    succeeded(at_once(*(partial(work, me) for me in PEERS)))
    if then == "aggregate":
        common = names[20:60]
        (found,) = pair.query("host", "SELECT rows, x_sum FROM aggregate")
        assert found[0] == len(common)
        assert found[1] == pytest.approx(sum(numbers[name][1] for name in common), abs=1e-6)
    elif then == "moments":
        assert pair.query("host", "SELECT DISTINCT common FROM moments_columns") == [(40,)]
    else:
        assert len(pair.query("host", "FROM model")) == 2
