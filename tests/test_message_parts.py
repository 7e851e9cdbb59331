"""Messages of many parts, as the scripts of examples/scale send them: whole, and with parts that
are missing, swapped, repeated, foreign or altered."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duckpriv import DuckprivError, ExchangeTimeout, Keyring, ProtocolError
from duckpriv.integrations.partitions import run_partitions
from duckpriv.integrations.workers import column_function
from tests.attacks.evil import whole
from tests.effort import THOROUGH, takes_long
from tests.parties import Folder, at_once

SQL = Path(__file__).parent.parent / "examples" / "scale" / "sql"
FOLDERS = (
    *("ids", "blinded", "evaluated", "tokens", "buckets", "alignment"),
    *("answered", "named", "unmatched"),
)
PEER = {"bank": "shop", "shop": "bank"}
ROWS = 3  # a part


class Matching(Folder):
    """A bank and a shop, each with its folders, up to any script; `changes` are texts replaced in
    one party's script."""

    def __init__(self, folder: Path, bank: list[str], shop: list[str], timeout: float = 60) -> None:
        super().__init__(folder)
        self.timeout = timeout
        for me, ids in (("bank", bank), ("shop", shop)):
            for name in FOLDERS:
                (folder / me / name).mkdir(parents=True)
            self.query(me, f"CREATE TABLE t AS SELECT unnest({ids}::VARCHAR[]) AS id")

    def run(self, me: str, name: str, *changes: tuple[str, str]) -> list:
        text = (SQL / f"{name}.sql").read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        script = self.folder / f"{name}.sql"
        script.write_text(whole(text, SQL))
        its = {"table": "t", "id": "id"} if name != "guest_match" else {}
        its |= {"rows": ROWS} if name not in ("guest_send", "guest_match") else {}
        with self.connect(me, "s1", timeout=self.timeout) as party:
            return party.run(
                str(script), peer=PEER[me], kind="raw", folder=str(self.folder / me), **its
            )

    def work(self, me: str, function: str, source: str, target: str) -> None:
        """What the cluster does."""
        own = (
            {"key": "scale-s1-bank"} if me == "bank" else {"key": "scale-s1-of-bank", "me": "shop"}
        )
        columns = {"columns": ["psi_id"]} if source == "ids" else {}
        ready = column_function(
            function, Keyring(self.folder / f"{me}.keys"), session="s1", **own, **columns
        )
        files = self.folder / me
        run_partitions(f"{files}/{source}/*.parquet", files / target, ready, progress=False)

    def bank(self, *lies: tuple[str, str]) -> list:
        self.run("bank", "host_begin")
        self.work("bank", "oprf_evaluate", "blinded", "evaluated")
        self.work("bank", "oprf_token", "ids", "tokens")
        return self.run("bank", "host_answer", *lies)

    def shop(self, *lies: tuple[str, str], last: tuple[tuple[str, str], ...] = ()) -> list:
        self.run("shop", "guest_begin")
        self.work("shop", "oprf_blind", "ids", "blinded")
        self.run("shop", "guest_send", *lies)
        self.work("shop", "oprf_finalize", "answered", "tokens")
        return self.run("shop", "guest_match", *last)

    def rows(self, query: str) -> list:
        with duckdb.connect() as con:
            return con.execute(query.replace("@", str(self.folder))).fetchall()


def test_the_parties_find_what_a_join_finds(tmp_path: Path) -> None:
    bank, shop = [f"p{i}" for i in range(11)] + ["p1"], [f"p{i}" for i in range(7, 15)]
    pair = Matching(tmp_path, bank, shop)
    results = at_once(pair.bank, pair.shop)
    assert results == [
        [{"ids": 11, "parts": 4}],
        [{"ids": 8, "parts": 4, "matched": 4, "host_only": 7}],
    ]
    found = pair.rows(
        "SELECT b.psi_id, s.psi_id FROM read_parquet('@/bank/alignment/*.parquet') b "
        "JOIN read_parquet('@/shop/alignment/*.parquet') s USING (pid) ORDER BY ALL"
    )
    assert found == [(x, x) for x in sorted({*bank} & {*shop})]
    hidden = pair.rows(
        "SELECT psi_id FROM read_parquet('@/bank/alignment/*.parquet') "
        "JOIN read_parquet('@/shop/unmatched/*.parquet') USING (pid) ORDER BY ALL"
    )
    assert hidden == [(x,) for x in sorted({*bank} - {*shop})]
    names = {path.stem for path in (tmp_path / "mailbox" / "s1").rglob("*.json")}
    assert len([name for name in names if "blinded" in name]) == 1 + 3


def test_files_of_another_run_are_refused(tmp_path: Path) -> None:
    pair = Matching(tmp_path, [f"p{i}" for i in range(5)], ["p1", "p2"])
    stale = tmp_path / "bank" / "ids" / "part-99.parquet"
    pq.write_table(pa.table({"psi_id": ["somebody else"]}), stale)
    with pytest.raises(DuckprivError, match="ids has files of another run"):
        pair.run("bank", "host_begin")


@takes_long
def test_parts_without_rows(tmp_path: Path) -> None:
    """Of two tokens, one part or two of five have some."""
    pair = Matching(tmp_path, ["a", "b"], ["b", "c"])
    buckets = "greatest(1, ceil(getvariable('tokens') / getvariable('rows')::BIGINT))::BIGINT"
    results = at_once(partial(pair.bank, (buckets, "5")), pair.shop)
    assert results == [
        [{"ids": 2, "parts": 5}],
        [{"ids": 2, "parts": 5, "matched": 1, "host_only": 1}],
    ]


NOT_NAMED = "is not the one that its manifest names"
BLINDED = "/blinded/part-' || getvariable('k') || '.parquet') ORDER BY seq $$"
EVALUATED = "'/evaluated/part-' || getvariable('k') || '.parquet')"
BATCHES = f"{EVALUATED} ORDER BY batch $$"
TOKENS = "WHERE part = getvariable('k') ORDER BY token $$"
NAMED = "'/named/part-' || getvariable('k') || '.parquet') ORDER BY token $$"
SENT = "SELECT seq, blinded FROM"


def of_part(text: str, part: str) -> tuple[str, str]:
    return text, text.replace("getvariable('k')", part)


# Which script lies, and how; what the other party says.
LIES = {
    "swapped parts": (
        "send",
        [of_part(BLINDED, "(3 - getvariable('k'))")],
        f"part 1 .*{NOT_NAMED}",
    ),
    "a repeated part": ("send", [of_part(BLINDED, "1")], f"part 2 .*{NOT_NAMED}"),
    "a part that lacks a row": (
        "send",
        [(BLINDED, BLINDED.replace("ORDER BY seq", "WHERE seq <> 3"))],
        f"part 1 .*{NOT_NAMED}",
    ),
    "a foreign part": (
        "send",
        [(SENT, SENT.replace("blinded", "repeat('\\x11'::BLOB, 32) AS blinded"))],
        f"part 1 .*{NOT_NAMED}",
    ),
    "a manifest that leaves a number out": (
        "send",
        [("FROM scale_manifest ORDER BY part $$", "FROM scale_manifest WHERE part > 1 $$")],
        "not numbered one by one",
    ),
    "answers of another part": ("answer", [of_part(BATCHES, "1")], f"part 2 .*{NOT_NAMED}"),
    "tokens of another part": ("answer", [of_part(TOKENS, "1")], f"part 2 .*{NOT_NAMED}"),
    "random ids of another part": ("match", [of_part(NAMED, "1")], f"part 2 .*{NOT_NAMED}"),
}
IN_SHORT = ("swapped parts", "answers of another part", "tokens of another part")


def honest_result(
    tmp_path: Path, script: str, lies: list[tuple[str, str]], timeout: float = 60
) -> object:
    """What the honest party says, and that it has no result."""
    pair = Matching(tmp_path, [f"p{i}" for i in range(8)], [f"p{i}" for i in range(3, 9)], timeout)
    send, answer, match = ((lies if script == name else []) for name in ("send", "answer", "match"))
    bank, shop = at_once(partial(pair.bank, *answer), partial(pair.shop, *send, last=tuple(match)))
    me, honest = ("shop", shop) if script == "answer" else ("bank", bank)
    whole_result = pair.folder / me / "alignment" / "part-3.parquet"
    assert isinstance(honest, DuckprivError) and not whole_result.exists()
    return honest


@pytest.mark.parametrize("what", LIES if THOROUGH else IN_SHORT)
def test_a_part_that_does_not_belong_is_refused(tmp_path: Path, what: str) -> None:
    script, lies, error = LIES[what]
    with pytest.raises(ProtocolError, match=error):
        raise honest_result(tmp_path, script, lies)


@takes_long
def test_a_part_that_is_missing(tmp_path: Path) -> None:
    loop = "-- part blinded while getvariable('k') < getvariable('parts')"
    lies = [(loop, loop.replace("getvariable('parts')", "1"))]
    with pytest.raises((ExchangeTimeout, ProtocolError), match="scale/blinded-2"):
        raise honest_result(tmp_path, "send", lies, timeout=15)


@takes_long
def test_answers_of_another_part_that_the_manifest_names_fail_their_proof(tmp_path: Path) -> None:
    lies = [of_part(EVALUATED + ";", "1"), of_part(BATCHES, "1")]
    with pytest.raises(ProtocolError, match="the proof of 3 evaluated values does not hold"):
        raise honest_result(tmp_path, "answer", lies, timeout=15)
