"""Private matching on ristretto255: the plain join, peers that lie, and what the host sees."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError, ExchangeTimeout
from duckpriv.columns.ids import KINDS
from tests.attacks.evil import changed
from tests.conftest import Two
from tests.effort import examples, some, takes_long
from tests.parties import Folder, at_once
from tests.test_psi import check_against_plain_join, ids, usable


@settings(max_examples=examples(2), deadline=None, suppress_health_check=list(HealthCheck))
@given(host_ids=ids, guest_ids=ids, kind=st.sampled_from(sorted(KINDS)))
@example(host_ids=[], guest_ids=["a"], kind="raw")
@example(host_ids=[None, "a", None], guest_ids=["a", "a", "x" * 70_000], kind="email")
def test_any_ids(two: Two, host_ids: list, guest_ids: list, kind: str) -> None:
    if usable(host_ids, kind) and usable(guest_ids, kind):
        host, guest = two(host_ids, guest_ids, kind=kind, scheme="oprf")
        check_against_plain_join(host, guest, host_ids, guest_ids, kind)


@takes_long
def test_more_ids_than_a_batch(two: Two) -> None:
    names = [str(i) for i in range(9000)]
    host, guest = two(names[:8000], names[1000:], scheme="oprf")
    check_against_plain_join(host, guest, names[:8000], names[1000:], "raw")


def test_parties_with_different_schemes_learn_which(two: Two) -> None:
    host, guest = two(["a"], ["a"], host={"scheme": "oprf", "timeout": 3}, guest={"scheme": "rsa"})
    assert "scheme=oprf" in guest["text"] and "scheme=rsa" in guest["text"], guest
    assert host["error"] in ("ProtocolError", "ExchangeTimeout")


PEERS = {"host": "guest", "guest": "host"}


class Pair(Folder):
    """A host and a guest with a table each."""

    def __init__(self, folder: Path, host: list[str], guest: list[str]) -> None:
        super().__init__(folder)
        self.make_table("host", pa.table({"id": host}))
        self.make_table("guest", pa.table({"id": guest}))

    def run(self, scripts: dict[str, object] | None = None, **host) -> list:
        def work(me: str) -> object:
            script = str((scripts or {}).get(me, f"psi/{me}"))
            own = {**(host if me == "host" else {}), "scheme": "oprf"}
            with self.connect(me, "s1") as party:
                return party.run(script, peer=PEERS[me], table="t", id="id", **own)

        return at_once(*(partial(work, me) for me in PEERS))

    def messages(self, receiver: str) -> dict[str, pa.Table]:
        found = {}
        folder = self.folder / "mailbox" / "s1" / PEERS[receiver] / receiver
        for file in sorted(folder.glob("*.arrow")):
            with pa.ipc.open_stream(file) as reader:
                found[file.name] = reader.read_all()
        return found


BLINDED = "$$ FROM psi_blinded ORDER BY seq $$"
EVALUATED = "(SELECT batch, oprf_evaluate(blinded, getvariable('key')) AS e FROM psi_block)"


def blinded(value: str) -> tuple[str, str]:
    """The guest sends another value for its first id."""
    new = f"SELECT seq, CASE WHEN seq = 1 THEN {value} ELSE blinded END AS blinded"
    return BLINDED, BLINDED.replace("FROM", new + " FROM")


def evaluated(value: str) -> tuple[str, str]:
    return EVALUATED, f"(SELECT batch, {value} AS e FROM {EVALUATED})"


NO_ELEMENT = "encode no element of ristretto255"
WRONG = {
    "the identity": ("guest", *blinded("repeat('\\x00'::BLOB, 32)"), NO_ELEMENT),
    "no canonical encoding": ("guest", *blinded("repeat('\\xFF'::BLOB, 32)"), NO_ELEMENT),
    "a negative element": (
        "guest",
        *blinded("'\\x01'::BLOB || repeat('\\x00'::BLOB, 31)"),
        NO_ELEMENT,
    ),
    "too short": ("guest", *blinded("repeat('\\x11'::BLOB, 31)"), "wrong length"),
    "numbers of no rows": (
        "guest",
        BLINDED,
        BLINDED.replace("FROM", "SELECT seq + 1 AS seq, blinded FROM"),
        "not numbered one by one",
    ),
    "another key for one id": (
        "host",
        *evaluated(
            "{evaluated: list_concat([dh_mask('x', getvariable('key'))], e.evaluated[2:]), "
            "proof: e.proof}"
        ),
        "proof of 6 evaluated values does not hold",
    ),
    "answers in another order": (
        "host",
        *evaluated("{evaluated: list_reverse(e.evaluated), proof: e.proof}"),
        "proof of 6 evaluated values does not hold",
    ),
    "an answer left out": (
        "host",
        *evaluated("{evaluated: e.evaluated[2:], proof: e.proof}"),
        "proof of 6 evaluated values does not hold",
    ),
    "a proof of nothing": (
        "host",
        *evaluated("{evaluated: e.evaluated, proof: repeat('\\x00'::BLOB, 64)}"),
        "proof of 6 evaluated values does not hold",
    ),
    "no batch": (
        "host",
        EVALUATED + " ORDER BY batch",
        EVALUATED + " WHERE false ORDER BY batch",
        "did not answer each batch",
    ),
    "a key that is none": (
        "host",
        "oprf_public_key(getvariable('key')) AS key",
        "left(to_base64(oprf_public_key(getvariable('key'))), 37)::BLOB AS key",
        "damaged, or of another version",
    ),
    "a key that hides nothing": (
        "host",
        "oprf_public_key(getvariable('key')) AS key",
        "'\\x64\\x70\\x6B\\x01\\x06'::BLOB || repeat('\\x00'::BLOB, 32) AS key",
        "no element of ristretto255",
    ),
}


@pytest.mark.parametrize("what", some(WRONG, 2))
def test_what_cannot_be_right_is_refused(tmp_path, what: str) -> None:
    liar, old, new, error = WRONG[what]
    pair = Pair(tmp_path, list("abcdef"), list("defghi"))
    results = pair.run({liar: changed(f"psi/{liar}", tmp_path, (old, new))})
    honest = results[list(PEERS).index(PEERS[liar])]
    assert isinstance(honest, DuckprivError) and not isinstance(honest, ExchangeTimeout), honest
    with pytest.raises(DuckprivError, match=error):
        raise honest
    assert "alignment" not in str(pair.query(PEERS[liar], "SELECT table_name FROM duckdb_tables()"))


def test_a_batch_that_is_answered_twice_and_another_not(tmp_path) -> None:
    names = [str(i) for i in range(8192)]
    pair = Pair(tmp_path, names, names)
    old = "SELECT batch, e.evaluated AS evaluated, e.proof AS proof"
    new = "SELECT 0::BIGINT AS batch, e.evaluated AS evaluated, e.proof AS proof"
    results = pair.run({"host": changed("psi/host", tmp_path, (old, new))})
    with pytest.raises(DuckprivError, match="did not answer each batch"):
        raise results[1]


def test_the_host_answers_no_more_ids_than_it_allows(tmp_path) -> None:
    pair = Pair(tmp_path, ["a"], list("abc"))
    with pytest.raises(DuckprivError, match="the guest has 3 ids, more than most_ids allows"):
        raise pair.run(most_ids=2)[0]
    assert not [name for name in pair.messages("guest") if "evaluated" in name]


def test_what_the_host_gets_does_not_depend_on_which_ids_match(tmp_path) -> None:
    """The numbers of rows and their lengths; all values are elements that nobody can tell from
    random ones, tokens of its own, and random ids."""
    names = [f"p{i}" for i in range(30)]
    views = []
    for place, theirs in (("equal", names), ("disjoint", [f"q{i}" for i in range(30)])):
        folder = tmp_path / place
        folder.mkdir()
        pair = Pair(folder, names, theirs)
        for result in pair.run():
            assert isinstance(result, list), result
        got = pair.messages("host")
        tokens = [t for (t,) in pair.query("host", "SELECT count(*) FROM alignment")]
        assert tokens == [30]
        views.append(
            {
                name: (table.schema, [[len(str(v)) for v in c.to_pylist()] for c in table.columns])
                if name != "psi.blinded.arrow"
                else (table.schema, [{len(v) for v in table["blinded"].to_pylist()}])
                for name, table in got.items()
            }
        )
        order = got["psi.map.arrow"]["token"].to_pylist()
        assert order == sorted(order)
    for name in views[0]:
        if name == "psi.map.arrow":  # tokens are printed in different lengths
            assert views[0][name][0] == views[1][name][0]
        else:
            assert views[0][name] == views[1][name]


def test_blinded_values_and_tokens_differ_from_session_to_session(connect) -> None:
    seen = []
    for session in ("s1", "s2"):
        party = connect(session=session)
        if session == "s1":
            party.con.execute("CALL oprf_keygen('k')").fetchall()
        query = "SELECT oprf_blind('ann', 'k'), oprf_token('ann', 'k'), dh_mask('ann', 'k')"
        seen += party.con.execute(query).fetchall()[0]
    assert len(set(seen)) == 6
