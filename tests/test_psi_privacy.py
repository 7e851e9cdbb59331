"""What the parties of private matching cannot see."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from duckpriv.keyring.pairs import RsaKeys
from tests.effort import takes_long
from tests.parties import make_table

IDS = [f"customer{i}" for i in range(40)]
OTHERS = [f"stranger{i}" for i in range(40)]


class AtTheEnd:
    """Notes all tables before a script's last statement, when the working tables are there."""

    def __init__(self, party) -> None:
        self.con = party.con
        self.tables: dict[str, tuple[list[str], list[tuple]]] = {}

    def start(self, statement) -> None:
        if statement.title == "summary":
            query = "SELECT table_name FROM duckdb_tables() WHERE table_name <> 'function_list'"
            for (name,) in self.con.execute(query).fetchall():
                found = self.con.sql(f"FROM {name}")
                self.tables[name] = found.columns, found.fetchall()

    def tick(self) -> None:
        pass


@pytest.fixture
def run_both(connect, together, tmp_path):
    """Run host and guest on database files in a folder of the run's own."""

    def run(name: str, host_ids: list, guest_ids: list) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        parties = {}
        for me, ids in (("bank", host_ids), ("shop", guest_ids)):
            parties[me] = connect(
                me,
                str(folder / f"{me}.duckdb"),
                exchange=f"dir:{folder / 'mailbox'}",
                keyring=folder / f"{me}.keys",
            )
            make_table(parties[me].con, ids)
        seen = {me: AtTheEnd(party) for me, party in parties.items()}
        results = together(
            lambda: parties["bank"].run(
                "psi/host",
                peer="shop",
                table="people",
                id="id",
                bits=2048,
                scheme="rsa",
                observer=seen["bank"],
            ),
            lambda: parties["shop"].run(
                "psi/guest",
                peer="bank",
                table="people",
                id="id",
                scheme="rsa",
                observer=seen["shop"],
            ),
        )
        for result in results:
            assert isinstance(result, list), result
        for party in parties.values():
            party.con.execute("CHECKPOINT")
        return folder, parties, {me: noted.tables for me, noted in seen.items()}

    return run


# In the audit table, the journal and the ledger: times, names, digests of random content, and MACs.
# Of the host's own: random numbers of its records.
RANDOM = {
    *("record", "pid", "moved_at", "sha256", "chain", "run", "began_at", "ended_at", "finished_at"),
    *("messages", "result", "mac", "released_at"),
}


def everything_of_the_host(folder: Path, tables: dict) -> dict[str, object]:
    """All that the host holds after a run, with only what is random taken out: the pids and
    the blinded values, and the digests over them."""
    seen: dict[str, object] = {"tables": sorted(tables)}
    for name, (columns, found) in tables.items():
        kept = [i for i, column in enumerate(columns) if column not in RANDOM]
        rows = [tuple(row[i] for i in kept) for row in found]
        seen[f"columns of {name}"] = columns
        # What came from the guest in the order it came in: it could tell something. The
        # order of the host's own rows changes from run to run.
        seen[f"table {name}"] = rows if name == "psi_map_here" else sorted(rows, key=repr)
    for file in sorted((folder / "mailbox").rglob("*.*")):
        place = file.relative_to(folder).as_posix()
        seen[f"size of {place}"] = file.stat().st_size
        if file.suffix == ".arrow":
            table = pa.ipc.open_stream(file.read_bytes()).read_all()
            seen[f"schema of {place}"] = table.schema
            for column in set(table.column_names) - {"pid", "blinded"}:
                values = table[column].to_pylist()
                # The host's signatures of random values are random too.
                seen[f"{place}: {column}"] = len(values) if column == "signed" else values
    return seen


def test_nothing_that_the_host_has_depends_on_which_ids_match(run_both, monkeypatch) -> None:
    # The same key in both runs: then the host's tokens are equal and can be compared too.
    generate = RsaKeys.generate
    first: dict[str, bytes] = {}

    def same_key(keys: RsaKeys, name: str, bits: int) -> None:
        store = keys._store
        if "pem" not in first:
            generate(keys, name, bits)
            first["pem"] = (store.path / f"{name}.private.pem").read_bytes()
        else:
            store.write_first(f"{name}.private.pem", first["pem"])

    monkeypatch.setattr(RsaKeys, "generate", same_key)
    views = []
    for name, guest_ids in (("disjoint", OTHERS), ("equal", IDS)):
        folder, parties, tables = run_both(name, IDS, guest_ids)
        views.append(everything_of_the_host(folder, tables["bank"]))
        pids = [p for (p,) in parties["bank"].con.execute("SELECT pid FROM alignment").fetchall()]
        assert len(set(pids)) == len(IDS)
        assert {pid.version for pid in pids} == {4}
    disjoint, equal = views
    assert disjoint.keys() == equal.keys()
    for what in disjoint:
        assert disjoint[what] == equal[what], what
    # And the runs were what they should be.
    assert len(disjoint["table alignment"]) == len(IDS)


@takes_long
def test_messages_have_no_order_that_tells_anything(run_both) -> None:
    folder, *_ = run_both("order", IDS, IDS[20:] + OTHERS[:20])
    mailbox = folder / "mailbox/s1"
    for file in ("bank/shop/psi.tokens.arrow", "shop/bank/psi.map.arrow"):
        tokens = pa.ipc.open_stream((mailbox / file).read_bytes()).read_all()["token"].to_pylist()
        assert tokens == sorted(tokens)
    blinded = pa.ipc.open_stream((mailbox / "shop/bank/psi.blinded.arrow").read_bytes()).read_all()
    assert blinded["seq"].to_pylist() == list(range(1, 41))


@takes_long
def test_the_guests_sequence_is_a_random_order_of_its_ids(run_both) -> None:
    orders = []
    for name in ("one", "two"):
        *_, tables = run_both(name, ["x"], IDS)
        columns, rows = tables["shop"]["psi_sequence"]
        assert columns == ["seq", "psi_id"]
        orders.append([id_ for _, id_ in sorted(rows)])
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(IDS)
    assert orders[0] != orders[1]
    assert IDS not in orders


@takes_long
def test_blinded_values_of_the_same_ids_differ_between_sessions(run_both) -> None:
    seen = set()
    for name in ("one", "two"):
        folder, *_ = run_both(name, ["x"], IDS)
        file = folder / "mailbox/s1/shop/bank/psi.blinded.arrow"
        seen |= set(pa.ipc.open_stream(file.read_bytes()).read_all()["blinded"].to_pylist())
    assert len(seen) == 2 * len(IDS)


def test_no_secret_reaches_a_database_the_mailbox_or_a_catalog(run_both) -> None:
    folder, parties, _ = run_both("secrets", IDS, IDS)
    numbers = parties["bank"].keyring.rsa.private("psi-s1-bank")._key.private_numbers()
    secrets = [
        x.to_bytes((x.bit_length() + 7) // 8, "big")
        for x in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    ]
    secrets.append((folder / "shop.keys/blinding-s1-shop.secret").read_bytes())
    needles = [
        form
        for s in secrets
        for form in (s, s[::-1], s.hex().encode(), str(int.from_bytes(s, "big")).encode())
    ]
    places = [f for f in folder.rglob("*") if f.is_file() and ".keys" not in f.parent.name]
    assert {"bank.duckdb", "shop.duckdb", "psi.signed.arrow"} <= {f.name for f in places}
    for file in places:
        content = file.read_bytes()
        assert not any(needle in content for needle in needles), file
    for party in parties.values():
        catalog = str(party.con.execute("SELECT * FROM duckdb_settings()").fetchall())
        catalog += str(party.con.execute("SELECT * FROM duckdb_variables()").fetchall())
        assert not any(needle.decode("latin1") in catalog for needle in needles)


def test_no_id_reaches_the_mailbox(run_both) -> None:
    folder, *_ = run_both("ids", IDS, IDS[:10] + OTHERS)
    for file in (folder / "mailbox").rglob("*.*"):
        content = file.read_bytes()
        assert b"customer" not in content
        assert b"stranger" not in content


def test_errors_hold_no_row_value(party) -> None:
    secret = "Zebra-4711"
    # A column of a table, since DuckDB quotes literals of the query itself.
    party.con.execute(f"CREATE TABLE t AS SELECT '{secret}' AS v")
    for expression in (
        "blind_sign(v::BLOB, 'mine')",
        "rsa_finalize(v, v::BLOB, 'host')",
        "rsa_finalize(v, rsa_blind(v, 'host'), 'host')",
        "rsa_token(v, v)",
        "psi_id(v, v)",
        "key_import('other', v::BLOB, 'rsa')",
        "psi_id([v::VARCHAR, v::VARCHAR], 'nothing')",
    ):
        with pytest.raises(Exception, match="DUCKPRIV_") as caught:
            party.con.execute(f"SELECT {expression} FROM t").fetchall()
        assert secret not in str(caught.value)


def test_an_unexpected_exception_does_not_show_its_text(party, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("row value 4711")

    monkeypatch.setattr("duckpriv.columns.rsa.rsabssa.encode", fails)
    with pytest.raises(Exception, match="DUCKPRIV_ERROR: rsa_token failed with RuntimeError") as e:
        party.con.execute("SELECT rsa_token('x', 'mine')").fetchall()
    assert "4711" not in str(e.value)
