"""Messages: what is sent arrives; what is damaged, altered or out of place does not."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
import uuid
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.errors import InvalidValue, MessageRejected, ProtocolError, from_text
from duckpriv.exchange import Manifest
from duckpriv.exchange.message.manifest import _SEALED, FORMAT, Sealed
from tests.effort import examples


def send(party, query: str, channel: str = "data", peer: str = "shop"):
    return party.con.execute("CALL exchange_send($1, $2, $3)", [peer, channel, query]).fetchall()


def receive(party, channel: str = "data", peer: str = "bank"):
    return party.con.execute(f"FROM exchange_recv('{peer}', '{channel}')").fetchall()


@pytest.fixture
def bank(connect):
    return connect("bank")


@pytest.fixture
def shop(connect):
    return connect("shop", timeout=0.3)


@pytest.fixture
def files(tmp_path: Path):
    """Paths of the message that bank sends to shop on 'data'."""
    folder = tmp_path / "mailbox" / "s1" / "bank" / "shop"
    return folder / "data.arrow", folder / "data.json"


EVERY_TYPE = """
SELECT i::TINYINT AS t, i::UBIGINT AS "u b", i::DOUBLE AS d, i::FLOAT AS f, i % 2 = 0 AS yes,
       'é' || i AS text, ('\\x00' || i)::BLOB AS bytes, (i || '.25')::DECIMAL(10, 2) AS money,
       DATE '2024-01-01' + i::INTEGER AS day, TIMESTAMP '2024-01-01 10:00:00.123456' AS at,
       TIMESTAMPTZ '2024-01-01 10:00:00+00' AS instant, TIME '10:00:01' AS clock,
       ('00112233-4455-6677-8899-aabbccddee0' || i)::UUID AS id, [i, NULL] AS list,
       {'a': i, 'b': ['x']} AS struct, CASE WHEN i > 1 THEN i END AS hole
FROM range(5) t(i)
"""


def test_rows_arrive_as_they_were_sent(bank, shop) -> None:
    rows, size, digest = send(bank, EVERY_TYPE)[0]
    assert rows == 5
    assert size > 0
    assert len(digest) == 64
    expected = bank.con.sql(EVERY_TYPE)
    arrived = shop.sql("FROM exchange_recv('bank', 'data') ORDER BY t")
    assert list(zip(arrived.columns, map(str, arrived.types), strict=True)) == list(
        zip(expected.columns, map(str, expected.types), strict=True)
    )
    assert arrived.to_arrow_table().to_pylist() == expected.to_arrow_table().to_pylist()


def test_a_message_without_rows_keeps_its_columns(bank, shop) -> None:
    send(bank, f"SELECT * FROM ({EVERY_TYPE}) WHERE false")
    assert receive(shop) == []
    described = shop.con.execute("DESCRIBE FROM exchange_recv('bank', 'data')").fetchall()
    sent = bank.con.execute(f"DESCRIBE {EVERY_TYPE}").fetchall()
    assert [row[:2] for row in described] == [row[:2] for row in sent]


@pytest.mark.parametrize(
    "setting",
    ["TimeZone = 'America/New_York'", "arrow_large_buffer_size = true", "threads = 2"],
)
def test_a_message_has_the_same_columns_with_and_without_rows(
    bank, tmp_path: Path, setting: str
) -> None:
    bank.con.execute(f"SET {setting}")
    bank.con.execute("CREATE TYPE mood AS ENUM ('it''s', 'b')")
    query = f"SELECT *, 'b'::mood AS mood, '{{}}'::JSON AS json FROM ({EVERY_TYPE})"
    send(bank, query, "some")
    send(bank, f"{query} LIMIT 0", "none")
    folder = tmp_path / "mailbox" / "s1" / "bank" / "shop"
    some, none = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("some", "none"))
    assert some["columns"] == none["columns"]
    assert (some["rows"], none["rows"]) == (5, 0)


def test_uuids_that_duckdb_gives_as_such(bank, shop) -> None:
    bank.con.execute("SET arrow_lossless_conversion = true")
    query = f"SELECT '{uuid.UUID(int=5)}'::UUID AS id, 1 AS i"
    for channel, rows in (("some", [(uuid.UUID(int=5), 1)]), ("none", [])):
        send(bank, f"{query} LIMIT {len(rows)}", channel)
        assert receive(shop, channel) == rows


def test_without_the_optimizer_only_a_message_without_rows_fails(bank, shop) -> None:
    bank.con.execute("PRAGMA disable_optimizer")
    send(bank, "SELECT i FROM range(5000) t(i)")
    assert len(receive(shop)) == 5000
    with pytest.raises(duckdb.Error, match="PRAGMA enable_optimizer"):
        send(bank, "SELECT 1 AS x LIMIT 0", "none")
    bank.con.execute("PRAGMA enable_optimizer")
    send(bank, "SELECT 1 AS x LIMIT 0", "none")
    assert receive(shop, "none") == []


def test_a_large_message_on_many_threads_is_whole(bank, shop) -> None:
    bank.con.execute("SET threads = 4")
    bank.con.execute("CREATE TABLE big AS SELECT range AS i FROM range(500_000)")
    send(bank, "SELECT i, i::VARCHAR AS text FROM big")
    query = "SELECT count(*), sum(i), count(DISTINCT text) FROM exchange_recv('bank', 'data')"
    assert shop.con.execute(query).fetchall() == [(500_000, sum(range(500_000)), 500_000)]


def test_receiving_does_not_consume(bank, shop) -> None:
    send(bank, "SELECT 1 AS x")
    assert receive(shop) == receive(shop) == [(1,)]


def test_an_enum_goes_as_text(bank, shop) -> None:
    send(bank, "SELECT 'b'::ENUM('a', 'b') AS e")
    assert receive(shop) == [("b",)]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT INTERVAL 1 DAY AS x", "column 'x' has type INTERVAL"),
        ("SELECT 1::HUGEINT AS x", "column 'x' has type HUGEINT"),
        ("SELECT sum(i) AS x FROM range(3) t(i)", "column 'x' has type HUGEINT"),
        ("SELECT [uuid()] AS x", r"column 'x' has type UUID\[\]"),
        ("SELECT {'id': uuid()} AS x", "column 'x' has type STRUCT"),
        ("SELECT '101'::BIT AS x", "column 'x' has type BIT"),
        ("SELECT 1::BIGNUM AS x", "column 'x' has type BIGNUM"),
        ("SELECT MAP {1: 2} AS x", "column 'x' has type MAP"),
        ("SELECT union_value(a := 1) AS x", "column 'x' has type UNION"),
        ('SELECT 1 AS "a\tb"', "control characters"),
    ],
)
def test_what_would_arrive_as_something_else_is_not_sent(bank, query, problem) -> None:
    for rows in ("", " LIMIT 0"):
        with pytest.raises(duckdb.Error, match=f"DUCKPRIV_INVALID_VALUE: .*{problem}"):
            send(bank, query + rows)


def test_a_compressed_message_is_rejected(bank, shop, files) -> None:
    send(bank, "SELECT 1 AS x")
    rows = random.Random(1).choices(range(8), k=1_000_000)
    table = pa.table({"x": pa.array(rows, pa.int32())})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(files[0]), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as writer,
    ):
        writer.write_table(table)
    forge(files, rows=1_000_000)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: .* is compressed"):
        receive(shop)


@pytest.mark.parametrize("name", ["message", "staged", "published", "handle", "written", "row"])
def test_tables_and_columns_with_the_names_of_the_machinery(bank, shop, name: str) -> None:
    bank.con.execute(f"CREATE TABLE {name} AS SELECT 5 AS {name}")
    send(bank, f"FROM {name}")
    assert receive(shop) == [(5,)]


def test_a_missing_name_is_explained(bank) -> None:
    for query in (
        "CALL exchange_send(getvariable('per'), 'data', 'SELECT 1 AS x')",
        "FROM exchange_recv(getvariable('per'), 'data')",
        "FROM exchange_recv('shop', NULL)",
    ):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: .*not a"):
            bank.con.execute(query).fetchall()


def test_the_query_sees_temporary_tables_and_the_open_transaction(bank, shop) -> None:
    bank.con.execute("BEGIN")
    bank.con.execute("CREATE TEMP TABLE t AS SELECT 3 AS x")
    send(bank, "FROM t")
    bank.con.execute("ROLLBACK")
    assert receive(shop) == [(3,)]


def test_a_query_that_fails_half_way_publishes_nothing(bank, shop, tmp_path: Path) -> None:
    query = (
        "SELECT CASE WHEN i = 290000 THEN error('half-way') ELSE i END AS x FROM range(300000) t(i)"
    )
    with pytest.raises(duckdb.Error, match="half-way"):
        send(bank, query)
    assert not list(tmp_path.glob("mailbox/**/*.json"))
    with pytest.raises(duckdb.Error, match="DUCKPRIV_EXCHANGE_TIMEOUT"):
        receive(shop)
    # The channel is still free, and nothing of the failed message is in the next one.
    send(bank, "SELECT 1 AS x")
    assert receive(shop) == [(1,)]


def test_a_channel_carries_one_message_in_a_session(bank, shop) -> None:
    send(bank, "SELECT 1 AS x")
    for query in ("SELECT 1 AS x", "SELECT 2 AS x"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: .* already sent a message"):
            send(bank, query)
    assert receive(shop) == [(1,)]


def test_temporary_files_are_gone_after_success_and_after_close(bank, tmp_path: Path) -> None:
    send(bank, "SELECT 1 AS x")
    private = Path(bank._exchange._private.name)
    assert not list(tmp_path.glob("mailbox/**/*.partial*"))
    assert not list(private.iterdir())
    fails = "SELECT CASE WHEN i > 290000 THEN error('no') END AS x FROM range(300000) t(i)"
    for _ in range(3):
        with pytest.raises(duckdb.Error):
            send(bank, fails, "other")
    assert not list(tmp_path.glob("mailbox/**/*.partial*"))
    assert len(list(private.iterdir())) <= 1  # the next message on this channel deletes it
    bank.close()
    assert not private.exists()


@pytest.mark.parametrize(
    ("peer", "channel"),
    [
        ("../shop", "data"),
        ("Shop", "data"),
        ("shop", "../data"),
        ("shop", "/data"),
        ("shop", "data/"),
        ("shop", "a.b"),
        ("shop", ""),
        ("", "data"),
        ("shop", "x" * 65),
        ("sh\x00op", "data"),
    ],
)
def test_unsafe_names_are_refused(bank, peer: str, channel: str, tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
        send(bank, "SELECT 1 AS x", channel, peer)
    assert not list(tmp_path.glob("**/*.arrow"))


def test_one_cannot_write_to_oneself(bank) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: the peer is 'bank', your own"):
        send(bank, "SELECT 1 AS x", peer="bank")


def forge(files: tuple[Path, Path], **changes: object) -> None:
    """Make the manifest fit the data, as a peer could."""
    content = files[0].read_bytes()
    manifest = json.loads(files[1].read_bytes()) | changes
    manifest |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files[1].write_text(json.dumps(manifest))


def damage(kind: str, data: Path, description: Path) -> None:
    manifest = json.loads(description.read_bytes())
    content = bytearray(data.read_bytes())
    if kind == "truncated":
        data.write_bytes(content[:-10])
    elif kind == "longer":
        data.write_bytes(content + b"x")
    elif kind == "one bit":
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    elif kind == "no data":
        data.unlink()
    elif kind == "not arrow":
        data.write_bytes(b"x" * 100)
        forge((data, description))
        return
    elif kind == "not json":
        description.write_bytes(b"{")
        return
    elif kind == "deep json":
        description.write_bytes(b"[" * 100_000)
        return
    elif kind == "huge manifest":
        description.write_bytes(b" " * (2 << 20))
        return
    elif kind == "list":
        description.write_bytes(b"[]")
        return
    else:
        field, value = kind.split("=")
        manifest[field] = json.loads(value)
    description.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("truncated", "should have"),
        ("longer", "should have .* and has more"),
        ("one bit", "SHA-256"),
        ("no data", "no data"),
        ("not arrow", "not a well-formed Arrow IPC stream"),
        ("not json", "not JSON"),
        ("deep json", "not JSON"),
        ("huge manifest", "larger than"),
        ("list", "not of format"),
        ('format="duckpriv-message/9"', "another version"),
        ('session="s2"', "another session: expected 's1', found 's2'"),
        ('sender="mallory"', "another sender"),
        ('receiver="mallory"', "another receiver"),
        ('channel="other"', "another channel"),
        (f'parameters_sha256="{"0" * 64}"', "contradicts itself"),
        ("rows=2", "has 1 rows; its manifest says 2"),
        ("rows=-1", "'rows' is malformed"),
        ("rows=true", "'rows' is malformed"),
        ('columns=[["x","int64"]]', "does not have the columns"),
        ('columns=[["x"]]', "'columns' is malformed"),
        ("sha256=5", "'sha256' is malformed"),
        ("rows=9223372036854775808", "'rows' is malformed"),
        ('protocol="\\u001b[31m"', "'protocol' is malformed"),
        ('sender="../x"', "names that no party may have"),
        ('channel="a.b"', "names that no party may have"),
        ('extra="field"', "exactly the fields"),
    ],
)
def test_a_damaged_message_is_rejected(bank, shop, files, kind: str, problem: str) -> None:
    send(bank, "SELECT 1 AS x")
    damage(kind, *files)
    with pytest.raises(duckdb.Error) as caught:
        receive(shop)
    error = from_text(str(caught.value))
    assert type(error) is MessageRejected
    assert re.search(problem, error.message)


def test_swapped_messages_are_rejected(bank, shop, files) -> None:
    send(bank, "SELECT 1 AS x")
    send(bank, "SELECT 2 AS x", "other")
    for file in files:
        other = file.with_stem("other")
        a, b = file.read_bytes(), other.read_bytes()
        file.write_bytes(b), other.write_bytes(a)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: .* another channel"):
        receive(shop)


def test_data_swapped_under_the_manifest_is_rejected(bank, shop, files) -> None:
    send(bank, "SELECT 1 AS x")
    send(bank, "SELECT 2 AS x", "other")
    files[0].write_bytes(files[0].with_stem("other").read_bytes())
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: .*SHA-256"):
        receive(shop)


def test_a_message_that_changes_after_it_was_accepted_changes_nothing(bank, shop, files) -> None:
    send(bank, "SELECT 1 AS x")
    assert receive(shop) == [(1,)]
    damage("one bit", *files)
    assert receive(shop) == [(1,)]


def test_a_message_of_another_session_is_not_found(bank, connect) -> None:
    send(bank, "SELECT 1 AS x")
    with pytest.raises(duckdb.Error, match="DUCKPRIV_EXCHANGE_TIMEOUT: .* in session 's2'"):
        receive(connect("shop", session="s2", timeout=0.1))


def test_different_settings_are_named_on_both_sides(bank, shop) -> None:
    bank.con.execute("SET VARIABLE duckpriv_protocol = 'psi/1'")
    bank.con.execute("SET VARIABLE duckpriv_parameters = 'kind=raw'")
    shop.con.execute("SET VARIABLE duckpriv_protocol = 'psi/1'")
    shop.con.execute("SET VARIABLE duckpriv_parameters = 'kind=email'")
    send(bank, "SELECT 1 AS x")
    with pytest.raises(duckdb.Error) as caught:
        receive(shop)
    error = from_text(str(caught.value))
    assert type(error) is ProtocolError
    assert "kind=raw" in error.message
    assert "kind=email" in error.message


@pytest.mark.parametrize(
    "type_", [pa.month_day_nano_interval(), pa.null(), pa.map_("int8", "int8")]
)
def test_types_that_no_message_may_have_are_rejected(bank, shop, files, type_) -> None:
    send(bank, "SELECT 1 AS x")
    schema = pa.schema([("x", type_)])
    with pa.OSFile(str(files[0]), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        writer.write_table(schema.empty_table())
    forge(files, rows=0, columns=[["x", str(type_)]])
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: .* no message may have"):
        receive(shop)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300) | st.from_regex(r"\{.*\}", fullmatch=True).map(str.encode))
def test_any_bytes_as_a_manifest_are_rejected(data: bytes) -> None:
    with pytest.raises(MessageRejected):
        Manifest.from_json(data)


shown = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=8)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
fields = dict.fromkeys(Manifest.__annotations__, shown)
fields |= dict.fromkeys(("session", "sender", "receiver", "channel"), names)
fields |= {name: st.integers(0, 2**63 - 1) for name in ("rows", "bytes")}
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
fields |= dict.fromkeys(("sha256", "parameters_sha256"), digests)
hexes = {field: st.binary(min_size=n // 2, max_size=n // 2) for field, n in _SEALED.items()}
sealed = st.builds(Sealed, **{field: data.map(bytes.hex) for field, data in hexes.items()})
fields |= {"sealed": st.none() | sealed}
fields |= {"format": st.just(FORMAT), "columns": st.lists(st.tuples(shown, shown)).map(tuple)}


@given(st.builds(Manifest, **fields))
def test_a_manifest_survives_its_own_json(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_any_changed_byte_is_found(bank, connect, files, position: float, value: int) -> None:
    if not files[1].exists():
        send(bank, "SELECT i, 'text ' || i AS t FROM range(50) t(i)")
        test_any_changed_byte_is_found.original = files[0].read_bytes()
    content = bytearray(test_any_changed_byte_is_found.original)
    at = int(position * len(content))
    if content[at] == value:
        return
    content[at] = value
    files[0].write_bytes(content)
    reader = connect("shop", timeout=0.3)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED"):
        receive(reader)
    reader.close()


def test_waiting_ends_when_the_message_comes(bank, connect) -> None:
    shop = connect("shop", timeout=20)
    later = threading.Timer(0.5, lambda: send(bank, "SELECT 1 AS x"))
    later.start()
    started = time.monotonic()
    assert receive(shop) == [(1,)]
    assert time.monotonic() - started < 10
    later.join()


def test_waiting_says_for_whom_and_what(bank, connect, together) -> None:
    shop = connect("shop", timeout=1)
    seen = []

    def watch() -> None:
        time.sleep(0.5)
        seen.append(shop.activity.waiting_for)

    together(watch, lambda: receive(shop))
    assert seen == ["message 'data' from bank"]
    assert shop.activity.waiting_for is None


@pytest.mark.parametrize(
    ("settings_", "needs"),
    [
        ({"exchange": None}, "exchange"),
        ({"exchange": "ftp://x"}, "dir:"),
        ({"exchange": "dir:"}, "dir:"),
        ({"me": None}, "your own name"),
        ({"session": None}, "session"),
        ({"me": "Bank!"}, "a-z"),
        ({"session": "a/b"}, "a-z"),
        ({"timeout": 0}, "more than 0"),
    ],
)
def test_what_an_exchange_needs_is_said(connect, settings_: dict, needs: str) -> None:
    with pytest.raises((InvalidValue, duckdb.Error), match=needs):
        send(connect(**settings_), "SELECT 1 AS x")


def test_one_message_to_several_peers_and_one_of_each(connect) -> None:
    bank, shop, mill = connect("bank"), connect("shop"), connect("mill")
    sent = bank.con.execute("CALL exchange_send('shop,mill', 'm', 'SELECT 7 AS x')").fetchall()
    for party in (shop, mill):
        assert party.con.execute("FROM exchange_recv('bank', 'm')").fetchall() == [(7,)]
    assert bank.con.execute("SELECT exchange_bytes()").fetchall() == [(sent[0][1],)]
    for party, x in ((shop, 1), (mill, 2)):
        party.con.execute(f"CALL exchange_send('bank', 'back', 'SELECT {x} AS x')").fetchall()
    query = "FROM exchange_recv_all('mill,shop', 'back', columns := 'x INTEGER') ORDER BY x"
    assert bank.con.execute(query).fetchall() == [("shop", 1), ("mill", 2)]
    for peers in ("shop,bank", "shop,", "shop, mill"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
            bank.con.execute(f"CALL exchange_send('{peers}', 'n', 'SELECT 1 AS x')").fetchall()


def test_pipes_and_links_in_the_mailbox_are_no_messages(bank, shop, files, tmp_path: Path) -> None:
    send(bank, "SELECT 1 AS x")
    manifest = files[1].read_bytes()
    files[1].unlink()
    os.mkfifo(files[1])
    with pytest.raises(duckdb.Error, match="DUCKPRIV_MESSAGE_REJECTED: in the place of"):
        receive(shop)
    files[1].unlink()
    files[1].write_bytes(manifest)
    files[0].unlink()
    os.mkfifo(files[0])
    with pytest.raises(duckdb.Error, match="has a manifest but no data"):
        receive(shop)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "mailbox" / "s1" / "shop").symlink_to(elsewhere)
    with pytest.raises(duckdb.Error, match="is a link, or in one"):
        send(shop, "SELECT 1 AS x", peer="bank")
    assert not list(elsewhere.iterdir())


def test_long_rows_go_in_small_batches(bank, shop, files) -> None:
    send(bank, "SELECT repeat('x', 1000000) || i AS x FROM range(50) t(i)")
    with pa.ipc.open_stream(files[0].read_bytes()) as reader:
        assert max(batch.nbytes for batch in reader) < 32 << 20
    query = "SELECT count(DISTINCT x) FROM exchange_recv('bank', 'data')"
    assert shop.con.execute(query).fetchall() == [(50,)]


@pytest.mark.parametrize(("rows", "problem"), [([], "empty batch"), ([1], None)])
def test_many_small_batches_are_read_as_few(bank, shop, files, rows, problem) -> None:
    send(bank, "SELECT 1::BIGINT AS x")
    batch = pa.record_batch([pa.array(rows, pa.int64())], ["x"])
    with (
        pa.OSFile(str(files[0]), "wb") as file,
        pa.ipc.new_stream(file, batch.schema) as writer,
    ):
        for _ in range(500):
            writer.write_batch(batch)
    forge(files, rows=500 * len(rows))
    if problem:
        with pytest.raises(duckdb.Error, match=problem):
            receive(shop)
        return
    assert receive(shop) == [(1,)] * 500
    (copy,) = Path(shop._exchange._private.name).glob("*.parquet")
    assert pq.ParquetFile(copy).num_row_groups == 1
