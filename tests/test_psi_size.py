"""Sizes of intersections, against sets; and what each party sees."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError
from tests.attacks.evil import changed
from tests.effort import examples, some, takes_long
from tests.parties import Folder, at_once

PEERS = {"host": "guest", "guest": "host"}
Rows = list[tuple[str | None, str | None]]  # an id, and the name of its list


class Pair(Folder):
    """A host and a guest with a table each."""

    def __init__(self, folder: Path, host: Rows, guest: Rows) -> None:
        super().__init__(folder)
        for me, rows in (("host", host), ("guest", guest)):
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            self.make_table(me, pa.table(columns, names=["id", "the list"]))

    def run(self, scripts: dict[str, object] | None = None, **both) -> list:
        def work(me: str) -> object:
            script = (scripts or {}).get(me, f"psi_size/{me}")
            settings = {"list": "the list", **both}
            with self.connect(me, "s1") as party:
                return party.run(str(script), peer=PEERS[me], table="t", id="id", **settings)

        return at_once(*(partial(work, me) for me in PEERS))

    def found(self, me: str) -> list | None:
        tables = self.query(me, "SELECT table_name FROM duckdb_tables()")
        return self.query(me, "FROM psi_size") if ("psi_size",) in tables else None

    def message(self, sender: str, channel: str) -> pa.Table:
        folder = self.folder / "mailbox" / "s1" / sender / PEERS[sender]
        with pa.ipc.open_stream(folder / f"psi_size.{channel}.arrow") as reader:
            return reader.read_all()


def plain(host: Rows, guest: Rows, minimum: int = 0) -> list:
    """The same from sets."""
    lists: list[dict[str, set]] = []
    for rows in (host, guest):
        found: dict[str, set] = {}
        for id_, name in rows:
            if name is not None and id_ is not None:
                found.setdefault(name, set()).add(id_)
        lists.append(found)
    sizes = []
    for h, at_host in sorted(lists[0].items()):
        for g, at_guest in sorted(lists[1].items()):
            both = len(at_host & at_guest)
            shown = both if both >= minimum else None
            sizes.append((h, g, len(at_host), len(at_guest), shown))
    return sizes


def succeeded(results: list) -> list:
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


names = st.sampled_from(["", "a", "b", "it's", "é", '"'])
rows = st.lists(
    st.tuples(st.none() | st.sampled_from("abcdefgh"), st.none() | names), min_size=1, max_size=25
).filter(lambda found: any(x is not None and y is not None for x, y in found))


@takes_long
@settings(max_examples=examples(3), deadline=None, suppress_health_check=list(HealthCheck))
@given(host=rows, guest=rows, minimum=st.sampled_from([0, 2]))
def test_any_lists(host: Rows, guest: Rows, minimum: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), host, guest)
        succeeded(pair.run(minimum=minimum))
        for me in PEERS:
            assert pair.found(me) == plain(host, guest, minimum)


HOST: Rows = [(f"p{i}", "even" if i % 2 == 0 else "odd") for i in range(40)]
HOST += [(f"p{i}", "small") for i in range(0, 40, 10)]
GUEST: Rows = [(f"p{i}", "new") for i in range(30, 60)]


@pytest.mark.parametrize("to", some(["host", "guest"], 1))
def test_one_party_alone_gets_the_result(tmp_path, to: str) -> None:
    pair = Pair(tmp_path, HOST, GUEST)
    succeeded(pair.run(to=to, minimum=3))
    assert pair.found(to) == plain(HOST, GUEST, 3)
    assert pair.found(PEERS[to]) is None
    sent = [path.name for path in tmp_path.glob(f"mailbox/s1/{to}/*/psi_size.*.arrow")]
    assert sorted(sent) == ["psi_size.lists.arrow", "psi_size.masked.arrow"]


def test_one_list_without_a_column(tmp_path) -> None:
    pair = Pair(tmp_path, HOST, GUEST)
    succeeded(pair.run(list=""))
    assert pair.found("host") == [("all", "all", 40, 30, 10)]


def elements(pair: Pair, sender: str, *channels: str) -> list[list[bytes]]:
    return [pair.message(sender, channel)["masked"].to_pylist() for channel in channels]


def test_nobody_sees_what_two_lists_of_the_other_have_in_common(tmp_path) -> None:
    """Nor can who counts follow an id of the other from one of its own lists to the next: with
    lists by the bits of a number it would read which ids are common."""
    many: Rows = [(x, name) for x, _ in GUEST for name in ("every", "again")]
    pair = Pair(tmp_path, HOST, many)
    succeeded(pair.run())
    of_guest = pair.message("guest", "masked")["masked"].to_pylist()
    assert len(set(of_guest)) == len(of_guest) == 60
    pairs = range(1, 7)
    for kind, rows in (("masked", 2 * (20 + 20 + 4)), ("twice", 6 * 30)):
        sent = elements(pair, "host", *(f"{kind}-{k}" for k in pairs))
        together = [element for one in sent for element in one]
        assert len(set(together)) == len(together) == rows
        assert all(one == sorted(one) for one in sent)
    assert pair.found("guest") == plain(HOST, many)


def test_ids_leave_only_when_those_of_who_counts_are_there(tmp_path) -> None:
    """It could make its own from them, and learn what two lists of the other have in common."""
    pair = Pair(tmp_path, HOST, GUEST)
    sends = "CALL exchange_send(getvariable('peer'), 'psi_size/masked',"
    evil = changed("psi_size/guest", tmp_path, (sends, f"SELECT error('no'); {sends}"))
    results = pair.run(scripts={"guest": evil})
    assert all(isinstance(result, Exception) for result in results)
    sent = [path.name for path in tmp_path.glob("mailbox/s1/host/*/psi_size.*.arrow")]
    assert sent == ["psi_size.lists.arrow"]


def test_a_number_below_the_minimum_is_not_told(tmp_path) -> None:
    pair = Pair(tmp_path, HOST, GUEST)
    succeeded(pair.run(minimum=3))
    assert pair.message("guest", "counts")["both_ids"].to_pylist() == [5, 5, -1]


COUNTED = "CASE WHEN both_ids < getvariable('minimum') THEN -1 ELSE both_ids END AS both_ids FROM"
WRONG = {
    "more than there are": ("guest", COUNTED, "100::BIGINT AS both_ids FROM", "make no sense"),
    "below the minimum": ("guest", COUNTED, "1::BIGINT AS both_ids FROM", "make no sense"),
    "one number": ("guest", "counts ORDER BY k $$", "counts LIMIT 1 $$", "each number once"),
    "an id left out": (
        "host",
        "$$ FROM psi_size_twice ORDER BY masked $$",
        "$$ FROM psi_size_twice ORDER BY masked LIMIT 3 $$",
        "did not mask each of our ids once",
    ),
    "an id of its own left out": (
        "host",
        "$$ FROM psi_size_pair ORDER BY masked $$",
        "$$ FROM psi_size_pair ORDER BY masked LIMIT 3 $$",
        "did not mask each of its ids once",
    ),
    "an id twice": (
        "guest",
        "$$ FROM psi_size_masked ORDER BY list, masked $$",
        "$$ SELECT list, any_value(masked) OVER (PARTITION BY list) AS masked "
        "FROM psi_size_masked ORDER BY list $$",
        "did not mask each of its ids once",
    ),
    "another number of ids": (
        "guest",
        "$$ FROM psi_size_own_lists ORDER BY list $$",
        "$$ SELECT list, name, ids + 1 AS ids FROM psi_size_own_lists ORDER BY list $$",
        "did not mask each of its ids once",
    ),
    "two lists of one name": (
        "host",
        "$$ FROM psi_size_own_lists ORDER BY list $$",
        "$$ SELECT list, 'x' AS name, ids FROM psi_size_own_lists ORDER BY list $$",
        "lists make no sense",
    ),
    "a list of no number": (
        "host",
        "$$ FROM psi_size_own_lists ORDER BY list $$",
        "$$ SELECT list + 1 AS list, name, ids FROM psi_size_own_lists ORDER BY list $$",
        "did not number them",
    ),
}


@pytest.mark.parametrize("what", some(WRONG, 2))
def test_what_cannot_be_right_is_refused(tmp_path, what: str) -> None:
    liar, old, new, error = WRONG[what]
    pair = Pair(tmp_path, HOST, GUEST)
    evil = changed(f"psi_size/{liar}", tmp_path, (old, new))
    results = pair.run(scripts={liar: evil}, minimum=3)
    with pytest.raises(DuckprivError, match=error):
        raise results[list(PEERS).index(PEERS[liar])]
    assert pair.found(PEERS[liar]) is None


def test_what_is_refused_before_anything_is_sent(tmp_path) -> None:
    pair = Pair(tmp_path, HOST, GUEST)
    with pytest.raises(DuckprivError, match="there are 3 lists, and max_lists allows 2"):
        raise pair.run(max_lists=2)[0]
    assert not list(tmp_path.glob("mailbox/s1/host/*/*.arrow"))
