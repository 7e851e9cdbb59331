"""Private matching with several keys, of which the first match counts; and ids that repeat."""

from __future__ import annotations

import random
from functools import partial
from itertools import count

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from duckpriv import DuckprivError, ExchangeTimeout
from duckpriv.columns.ids import KINDS
from tests.conftest import Two
from tests.effort import examples, some, takes_long, thorough
from tests.parties import Folder, at_once, make_wide_table

NAMES = ("email", "phone", "name", "born")
Record = tuple[str | None, ...]


def normal(value: str | None, kind: str) -> str | None:
    text = None if value is None else KINDS[kind](value)
    return None if text == "" and kind != "raw" else text


def ids_of(row: dict[str, str | None], keys: list[list[str]], kinds: list[list[str]]) -> Record:
    found: list[str | None] = []
    for columns, of in zip(keys, kinds, strict=True):
        parts = [normal(row[column], kind) for column, kind in zip(columns, of, strict=True)]
        found.append(None if None in parts else repr(parts))
    return tuple(found)


class Waterfall:
    """What a run should find, in plain Python."""

    def __init__(self, host: list, guest: list, id_: str, kind: str, duplicates: str) -> None:
        self.keys = [[c.strip() for c in key.split(",")] for key in id_.split(";")]
        kinds = [[k.strip() for k in of.split(",")] for of in kind.split(";")]
        kinds *= len(self.keys) if len(kinds) == 1 else 1
        self.kinds = [
            of * len(columns) if len(of) == 1 else of
            for of, columns in zip(kinds, self.keys, strict=True)
        ]
        self.first = duplicates == "first"
        self.host, self.guest = self.records(host), self.records(guest)
        left, right = set(self.host), set(self.guest)
        self.pairs: set[tuple[Record, Record]] = set()
        self.matched_by = []
        for k in range(len(self.keys)):
            found = {(h, g) for h in left for g in right if h[k] is not None and h[k] == g[k]}
            self.pairs |= found
            self.matched_by.append(len({h for h, _ in found}))
            left -= {h for h, _ in found}
            right -= {g for _, g in found}

    def records(self, rows: list) -> dict[Record, set[tuple]]:
        """The rows of each record, by its ids."""
        found: dict[Record, set[tuple]] = {}
        seen: set[tuple[int, str]] = set()
        for row in rows:
            ids = ids_of(dict(zip(NAMES, row, strict=True)), self.keys, self.kinds)
            if self.first:
                ids = tuple(None if (k, x) in seen else x for k, x in enumerate(ids))
            seen |= {(k, x) for k, x in enumerate(ids) if x is not None}
            if any(x is not None for x in ids):
                found.setdefault(ids, set()).add(self.listed(row))
        return found

    def listed(self, row: tuple) -> tuple:
        """The id in the alignment."""
        by_name = dict(zip(NAMES, row, strict=True))
        return tuple(by_name[column] for columns in self.keys for column in columns)

    def summary(self, rows: list) -> dict[str, object]:
        ids = [ids_of(dict(zip(NAMES, row, strict=True)), self.keys, self.kinds) for row in rows]
        columns = [[x for x in column if x is not None] for column in zip(*ids, strict=True)]
        return {
            "rows": len(rows),
            "without_id": sum(set(one) == {None} for one in ids),
            "distinct_ids": [len(set(column)) for column in columns],
            "repeated": [len(column) - len(set(column)) for column in columns],
        }

    def check(self, host: dict, guest: dict, host_rows: list, guest_rows: list) -> None:
        assert "error" not in host, host
        assert "error" not in guest, guest
        pid_of = {}
        at_host = {(tuple(id_), pid) for id_, pid in host["alignment"]}
        assert len(at_host) == len(host["alignment"])
        for record, rows in self.host.items():
            (pid_of[record],) = {pid for row, pid in at_host if row in rows}
        assert at_host == {(row, pid_of[h]) for h, rows in self.host.items() for row in rows}
        assert len(set(pid_of.values())) == len(self.host)
        at_guest = {(tuple(id_), pid) for id_, pid in guest["alignment"]}
        assert len(at_guest) == len(guest["alignment"])
        assert at_guest == {(row, pid_of[h]) for h, g in self.pairs for row in self.guest[g]}
        matched = {h for h, _ in self.pairs}
        assert {pid for (pid,) in guest["unmatched"]} == {
            pid for h, pid in pid_of.items() if h not in matched
        }
        assert host["unmatched"] == []
        if host_rows:
            assert host["summary"] == {**self.summary(host_rows), "records": len(self.host)}
        if guest_rows:
            assert guest["summary"] == {
                **self.summary(guest_rows),
                "records": len(self.guest),
                "matched": len(matched),
                "matched_by": self.matched_by,
                "host_only": len(self.host) - len(matched),
            }


# Few of each, so that ids repeat, are shared, and stand in other columns too.
email = st.sampled_from(["a@x", "A@X ", "é@x", "e\u0301@x", "1", "", " ", "007", "💚", "b@x"])
phone = st.sampled_from(["1", "007", "+7", "a@x", "", "\u0661", "12", "345", "']; --"])
name = st.sampled_from(["Ann", "ann", "ß", "SS", "", '["1", "a@x"]', "1"])
born = st.sampled_from(["1990", "1991", "1"])
rows = st.lists(
    st.tuples(st.none() | email, st.none() | phone, st.none() | name, st.none() | born), max_size=14
)
SPECS = [
    ("email;phone", "email;phone"),
    ("email; name, born; phone", "email;lower,raw;phone"),
    ("phone;email", "raw"),
    ("born, name;email", "trimmed;lower"),
    ("email;email", "raw;email"),
]
E1, E2 = ("a@x", "1", None, None), ("b@x", "1", None, None)


@takes_long
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    host=rows, guest=rows, spec=st.sampled_from(SPECS), duplicates=st.sampled_from(["first", "all"])
)
@example(host=[E1, E2], guest=[("a@x", None, "x", None), E2, E1], spec=SPECS[0], duplicates="all")
# One record of the host has the e-mail of one of the guest's and the phone number of another.
@example(
    host=[("a@x", "2", None, None)],
    guest=[("c@x", "2", None, None), ("a@x", "3", None, None)],
    spec=SPECS[0],
    duplicates="first",
)
# The same text as e-mail address and as phone number.
@example(
    host=[("1", None, None, None), (None, "2", None, None)],
    guest=[(None, "1", None, None), ("2", None, None, None), ("1", "2", None, None)],
    spec=("email;phone", "raw"),
    duplicates="first",
)
def test_any_rows(two: Two, host: list, guest: list, spec: tuple, duplicates: str) -> None:
    expected = Waterfall(host, guest, *spec, duplicates)
    without = [
        bool(rows) and not found for rows, found in ((host, expected.host), (guest, expected.guest))
    ]
    of_host, of_guest = two(
        host,
        guest,
        names=NAMES,
        id=spec[0],
        kind=spec[1],
        duplicates=duplicates,
        timeout=3 if any(without) else 60,
    )
    if any(without):
        for missing, found in zip(without, (of_host, of_guest), strict=True):
            assert not missing or "has an id" in found["text"]
    else:
        expected.check(of_host, of_guest, host, guest)


@takes_long
def test_thousands_of_rows(two: Two) -> None:
    rng = random.Random(7)

    def people(n: int) -> list[tuple]:
        def some(text: str) -> str | None:
            return None if rng.random() < 0.3 else text

        return [
            (some(f"p{rng.randrange(4 * n)}@x"), some(str(rng.randrange(4 * n))), None, None)
            for _ in range(n)
        ]

    host, guest = people(2_500), people(2_500)
    expected = Waterfall(host, guest, *SPECS[0], "first")
    assert min(expected.matched_by) > 50
    of_host, of_guest = two(
        host, guest, names=NAMES, id=SPECS[0][0], kind=SPECS[0][1], duplicates="first"
    )
    expected.check(of_host, of_guest, host, guest)


def test_repeated_ids_are_refused_before_anything_is_sent(two: Two, tmp_path) -> None:
    host, guest = two([E1, E2, E1], [E1], names=NAMES, id="email;phone", timeout=3, folder=tmp_path)
    assert (
        "1 rows repeat an id of another row in email, and 2 rows repeat an id of another row in "
        "phone" in host["text"]
    )
    assert "duplicates=first" in host["text"]
    assert not list(tmp_path.glob("mailbox/s1/bank/shop/*.json"))
    assert "error" in guest


@pytest.mark.parametrize("duplicates", some(["all", "first", "refuse"], 1))
def test_repeated_ids_of_one_key(two: Two, duplicates: str) -> None:
    """The other party's table has none that repeat, and leaves the setting as it is."""
    ids = ["a", " A", "b", "b", None]
    host, guest = two(ids, ["c", "A"], host={"duplicates": duplicates, "timeout": 10}, kind="lower")
    if duplicates == "refuse":
        assert "2 rows repeat an id of another row in id;" in host["text"]
        return
    assert "error" not in host, host
    found = {id_ for id_, _ in host["alignment"]}
    assert found == ({"a", "b"} if duplicates == "first" else {"a", " A", "b"})
    assert len({pid for _, pid in host["alignment"]}) == 2
    assert host["summary"]["repeated"] == 2
    ((id_, pid),) = guest["alignment"]
    assert (id_, pid) == ("A", dict(host["alignment"])["a"])


@pytest.mark.parametrize(
    ("host", "guest"),
    [
        ({"id": "email;phone"}, {"id": "email"}),
        *thorough(
            ({"id": "email;phone,born"}, {"id": "email,born;phone"}),
            ({"id": "email;phone", "duplicates": "all"}, {"id": "email;phone"}),
            ({"id": "email;phone", "kind": "email;phone"}, {"id": "phone;email"}),
        ),
    ],
)
def test_parties_with_other_keys_learn_so(two: Two, host: dict, guest: dict) -> None:
    of_host, of_guest = two([E1], [E1], {**host, "timeout": 5}, guest, names=NAMES)
    assert of_guest["error"] == "ProtocolError"
    assert "agree on one" in of_guest["text"]
    assert "error" in of_host


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"id": "email;"}, "there is no column"),
        ({"id": "email;nothing"}, "nothing"),
        ({"kind": "email;phone;raw"}, "one kind of id for all keys"),
        ({"kind": "email;phone,raw"}, "one kind of id for all id columns"),
        ({"id": ";".join(["email"] * 9)}, "no more than 8 keys"),
        ({"duplicates": "some"}, "duplicates is refuse, first or all"),
    ],
)
def test_wrong_settings_end_at_once(connect, tmp_path, wrong: dict, text: str) -> None:
    party = connect("shop", timeout=0.5)
    make_wide_table(party.con, [E1], NAMES)
    with pytest.raises(Exception, match=text):
        party.run("psi/guest", **{"peer": "bank", "table": "people", "id": "email;phone", **wrong})
    assert not list(tmp_path.glob("mailbox/s1/shop/bank/*.json"))


# A peer that does not follow the script

PARAMETERS = "kind=raw columns-of-keys=11 all=0 scheme=rsa"
PEOPLE = [("a", "1", None, None), ("b", None, None, None), (None, "3", None, None)]


@pytest.fixture
def peers(connect):
    """An honest party that runs its script, and a peer that says anything."""

    def make(role: str, **more: object):
        me, other = ("bank", "shop") if role == "host" else ("shop", "bank")
        honest = connect(me, timeout=15)
        make_wide_table(honest.con, PEOPLE, NAMES)
        bad = connect(other)
        bad.con.execute("SET VARIABLE duckpriv_protocol = 'psi/1'")
        bad.con.execute(f"SET VARIABLE duckpriv_parameters = '{PARAMETERS}'")
        settings = {"table": "people", "id": "email;phone", "peer": other, "scheme": "rsa", **more}
        if role == "host":
            settings["bits"] = 2048
        return honest, bad, lambda: honest.run(f"psi/{role}", **settings)

    return make


def say(bad, to: str, channel: str, query: str) -> None:
    bad.con.execute("CALL exchange_send($1, $2, $3)", [to, channel, query]).fetchall()


def as_host(bad, records: str) -> None:
    bad.con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()
    say(bad, "shop", "psi/key", "SELECT rsa_public_key('k') AS key, rsa_key_proof('k') AS proof")
    bad.con.execute(
        "CREATE TABLE signed AS SELECT seq, blind_sign(blinded, 'k') AS signed "
        "FROM exchange_recv('shop', 'psi/blinded')"
    ).fetchall()
    say(bad, "shop", "psi/signed", "FROM signed")
    bad.con.execute(
        "CREATE TABLE good AS SELECT record, key, rsa_token(psi_id([key::VARCHAR, "
        "(record + 10 * key)::VARCHAR]), 'k') AS token FROM range(1, 4) r(record), "
        "range(1, 3) k(key) ORDER BY ALL"
    ).fetchall()
    say(bad, "shop", "psi/records", records)


BAD_RECORDS = {
    "a token is missing": "FROM good WHERE (record, key) <> (2, 2)",
    "a record's first token is missing": "FROM good WHERE (record, key) <> (3, 1)",
    "only the first key": "FROM good WHERE key = 1",
    "a third key": "SELECT record, key + 1 AS key, token FROM good",
    "key 0": "SELECT record, key - 1 AS key, token FROM good",
    "a row twice": "FROM good UNION ALL FROM good WHERE (record, key) = (1, 1)",
    "a record twice": "FROM good UNION ALL FROM good WHERE record = 1",
    "one in place of another": "SELECT least(record, 2) AS record, key, token FROM good",
    "records are not numbered from 1": "SELECT record + 1 AS record, key, token FROM good",
    "a number too far": "SELECT CASE record WHEN 3 THEN 9223372036854775807 ELSE record END "
    "AS record, key, token FROM good",
    "a negative number": "SELECT -record AS record, key, token FROM good",
    "short": "SELECT record, key, token[1:31]::BLOB AS token FROM good",
    "long": "SELECT record, key, token || 'a'::BLOB AS token FROM good",
    "an empty one": "SELECT record, key, CASE record WHEN 2 THEN ''::BLOB ELSE token END AS token "
    "FROM good",
    "NULL": "SELECT record, key, CASE record WHEN 2 THEN NULL ELSE token END AS token FROM good",
    "a token in two records": "SELECT record, key, CASE record WHEN 2 THEN (SELECT token FROM good "
    "WHERE record = 1 AND key = g.key) ELSE token END AS token FROM good g",
    "a token under two keys": "SELECT record, key, (SELECT token FROM good WHERE key = 1 AND "
    "record = g.record) AS token FROM good g",
    "as with one key": "SELECT token FROM good",
}


@pytest.mark.parametrize(
    "kind",
    some(BAD_RECORDS, 3),
)
def test_the_guest_refuses_wrong_records(peers, together, tmp_path, kind: str) -> None:
    honest, bad, run = peers("guest")
    done, error = together(lambda: as_host(bad, BAD_RECORDS[kind]), run)
    assert done is None
    assert_refused(error, honest)
    assert not (tmp_path / "mailbox/s1/shop/bank/psi.pids.json").exists()


def test_a_token_in_two_records_counts_where_both_agreed_on_it(peers, together) -> None:
    """With duplicates=all, an id of the guest's has several pids."""
    honest, bad, run = peers("guest", duplicates="all")
    parameters = PARAMETERS.replace("all=0", "all=1")
    bad.con.execute(f"SET VARIABLE duckpriv_parameters = '{parameters}'")
    records = (
        "SELECT record, key, CASE key WHEN 1 THEN rsa_token(psi_id(['1', 'a']), 'k') "
        "ELSE token END AS token FROM good"
    )
    done, rows = together(lambda: as_host(bad, records), run)
    assert done is None
    assert rows[0]["matched_by"] == [3, 0]
    found = honest.con.execute("SELECT id, count(DISTINCT pid) FROM alignment GROUP BY id")
    assert found.fetchall() == [(["a", "1"], 3)]


BAD_PIDS = {
    "one missing": "FROM pids WHERE record > 1",
    "one too many": "FROM pids UNION ALL SELECT 4, random_id(1)",
    "a record twice": "FROM pids UNION ALL SELECT 1, random_id(1)",
    "another record": "SELECT record + 1 AS record, pid FROM pids",
    "one pid for all": "SELECT record, (SELECT any_value(pid) FROM pids) AS pid FROM pids",
    "NULL": "SELECT record, CASE record WHEN 1 THEN NULL ELSE pid END AS pid FROM pids",
    "text": "SELECT record, pid::VARCHAR AS pid FROM pids",
}


@pytest.mark.parametrize("kind", some(BAD_PIDS, 2))
def test_the_host_refuses_wrong_pids(peers, together, kind: str) -> None:
    honest, bad, run = peers("host")

    def misbehave() -> None:
        bad.con.execute(
            "SELECT key_import('k', key, 'rsa') FROM exchange_recv('bank', 'psi/key')"
        ).fetchall()
        say(bad, "bank", "psi/blinded", "SELECT 1::BIGINT AS seq, rsa_blind('a', 'k') AS blinded")
        bad.con.execute(
            "CREATE TABLE pids AS SELECT record, random_id(record) AS pid "
            "FROM exchange_recv('bank', 'psi/records') WHERE key = 1"
        ).fetchall()
        say(bad, "bank", "psi/pids", BAD_PIDS[kind])

    done, error = together(misbehave, run)
    assert done is None
    assert_refused(error, honest)


def assert_refused(error: object, honest) -> None:
    assert isinstance(error, DuckprivError), error
    assert not isinstance(error, ExchangeTimeout), error
    made = honest.con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'alignment')"
    )
    assert made.fetchall() == []


# A peer that is curious


def received(folder, me: str, peer: str) -> dict[str, pa.Table]:
    """What a party was sent."""
    return {
        file.stem: pa.ipc.open_stream(file.read_bytes()).read_all()
        for file in sorted((folder / "mailbox/s1" / peer / me).glob("psi.*.arrow"))
    }


def shapes(messages: dict[str, pa.Table]) -> dict[str, object]:
    """All of messages but what is random, or looks so: of that how many values there are."""
    found: dict[str, object] = {}
    for name, table in messages.items():
        found[name] = table.schema
        for column in table.column_names:
            values = table[column].to_pylist()
            plain = isinstance(values[0], int)
            found[f"{name}: {column}"] = values if plain else (len(values), len(set(values)))
    return found


NUMBER = count()


def views(two: Two, folder, host: list, guest: list, **more: object) -> tuple[dict, dict]:
    where = folder / str(next(NUMBER))
    where.mkdir()
    of_host, of_guest = two(
        host, guest, names=NAMES, id="email;phone", duplicates="first", folder=where, **more
    )
    assert "error" not in of_host, of_host
    assert "error" not in of_guest, of_guest
    return received(where, "bank", "shop"), received(where, "shop", "bank")


@takes_long
def test_the_host_sees_no_more_than_how_many_ids_the_guest_has(two: Two, tmp_path) -> None:
    """None of the ids are common, or all, or those of one key: what the host gets is alike."""
    host = [(f"h{i}", f"1{i}", None, None) for i in range(6)]
    guests = [
        [(f"g{i}", f"2{i}", None, None) for i in range(6)],
        host,
        [(f"h{i}", f"1{5 - i}", None, None) for i in range(6)],
        [(f"h{i}", None, None, None) for i in range(6)]
        + [(None, f"2{i}", None, None) for i in range(6)],
        [(f"{'gh'[i < 6]}{i}", None, None, None) for i in range(12)],
    ]
    seen = [shapes(views(two, tmp_path, host, guest)[0]) for guest in guests]
    assert all(one == seen[0] for one in seen)
    assert {"psi.blinded", "psi.pids"} == {name for name in seen[0] if ":" not in name}
    assert seen[0]["psi.blinded: blinded"] == (12, 12)


@takes_long
def test_the_guest_sees_not_which_ids_others_lack_or_repeat(two: Two, tmp_path) -> None:
    """What the guest gets of records that do not match is alike, whatever is in them."""
    shared = [("a", "1", None, None), (None, "2", None, None)]
    others = [
        [(f"h{i}", f"9{i}", None, None) for i in range(4)],
        [(f"h{i}", None, None, None) for i in range(4)],
        [(f"h{i}", "99", None, None) for i in range(4)],
        [(None, f"a{i}", None, None) for i in range(4)],
    ]
    guest = [("a", "3", None, None), ("b", "2", None, None)]
    seen = []
    for more in others:
        tables = views(two, tmp_path, shared + more, guest)[1]
        seen.append(shapes({n: t for n, t in tables.items() if n != "psi.key"}))
    assert all(one == seen[0] for one in seen)
    assert seen[0]["psi.records: token"] == (12, 12)


@takes_long
def test_records_are_in_random_order(two: Two, tmp_path) -> None:
    host = [(f"h{i:02}", None, None, None) for i in range(30)]
    orders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        of_host, _ = two(host, host, names=NAMES, id="email;phone", folder=tmp_path / name)
        sent = received(tmp_path / name, "bank", "shop")["psi.pids"].to_pylist()
        number = {row["pid"].hex: row["record"] for row in sent}
        orders.append([number[pid.hex] for _, pid in sorted(of_host["alignment"])])
        assert sorted(orders[-1]) == list(range(1, 31))
    assert orders[0] != orders[1]
    assert list(range(1, 31)) not in orders


@takes_long
def test_later_scripts_join_ids_of_several_columns_with_and_without_values(tmp_path) -> None:
    """Sums by group, a training and a product of moments, over rows of which some lack an id."""
    folder = Folder(tmp_path)
    host = [(f"h{i}" if i % 3 else None, f"1{i}" if i % 3 != 1 else None) for i in range(60)]
    guest = [(f"h{i}" if i % 3 else None, f"1{i}" if i % 3 == 0 else None) for i in range(20, 90)]
    for me, ids in (("host", host), ("guest", guest)):
        table = {"email": [e for e, _ in ids], "phone": [p for _, p in ids]}
        table |= {f"x{me[0]}": [float(i * 7 % 11) for i in range(len(ids))]}
        table |= {"y": [i % 2 for i in range(len(ids))]} if me == "host" else {}
        folder.make_table(me, pa.table(table))

    def run(session: str, script: str, of_host: dict, of_guest: dict, **both: object) -> None:
        def work(me: str, peer: str, more: dict) -> None:
            with folder.connect(me, session) as party:
                party.run(f"{script}/{me}", peer=peer, table="t", **more, **both)

        for error in at_once(
            partial(work, "host", "guest", of_host), partial(work, "guest", "host", of_guest)
        ):
            if error is not None:
                raise error

    run("s1", "psi", {"bits": 2048}, {}, id="email; phone")
    common = 40
    assert folder.query("guest", "SELECT count(*) FROM alignment") == [(common,)]
    key = {"key": "email, phone"}
    run("s2", "aggregate", {"measures": "xh"}, {"measures": "xg"}, minimum=1, **key)
    expected = sum(float(i * 7 % 11) for i in range(20, 60)), sum(i * 7 % 11 for i in range(40))
    query = "SELECT rows, xh_sum, xg_sum FROM aggregate"
    assert folder.query("host", query) == [(common, *map(float, expected))]
    run("s3", "moments", {"label": "y"}, {"bits": 2048}, **key)
    columns = folder.query("guest", "SELECT max(common), max(rows) FROM moments_columns")
    assert columns == [(common, 60)]
    training = {"iterations": 1, "accept_disclosure": "yes"}
    run("s4", "lr_joint_key", {"label": "y"}, {}, **training, **key)
    assert folder.query("guest", "SELECT feature FROM model") == [("(intercept)",), ("xg",)]
