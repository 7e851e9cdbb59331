"""A peer that breaks the protocol is found out, and gets nothing for it."""

from __future__ import annotations

from itertools import product

import pytest

from duckpriv import DuckprivError, ExchangeTimeout, ProtocolError
from tests.effort import some
from tests.parties import make_table

BOTH = ["SET VARIABLE duckpriv_protocol = 'psi/1'"] + [
    "SET VARIABLE duckpriv_parameters = 'kind=raw columns=1 scheme=rsa'"
]


@pytest.fixture
def peers(connect):
    """An honest party that runs its script, and a peer that we make say anything."""

    def make(role: str, timeout: float = 15):
        me, other = ("bank", "shop") if role == "host" else ("shop", "bank")
        honest = connect(me, timeout=timeout)
        make_table(honest.con, ["a", "b", "c"])
        bad = connect(other)
        for statement in BOTH:
            bad.con.execute(statement)

        def run() -> object:
            settings = {"scheme": "rsa", **({"bits": 2048} if role == "host" else {})}
            return honest.run(f"psi/{role}", peer=other, table="people", id="id", **settings)

        return honest, bad, run

    return make


def say(bad, to: str, channel: str, query: str) -> None:
    bad.con.execute("CALL exchange_send($1, $2, $3)", [to, channel, query]).fetchall()


def tables(party) -> set[str]:
    """What stands in the user's own schema."""
    found = party.con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' "
        "AND database_name = current_database() AND NOT starts_with(table_name, 'duckpriv_')"
    )
    return {name for (name,) in found.fetchall()} - {"people"}


def assert_refused(error: object) -> None:
    """The honest party found it out, and did not just wait in vain."""
    assert isinstance(error, DuckprivError), error
    assert not isinstance(error, ExchangeTimeout), error


N = "(SELECT n FROM key)"
BAD_BLINDED = {
    "zero": "repeat('\\x00'::BLOB, 256)",
    "one": "repeat('\\x00'::BLOB, 255) || '\\x01'::BLOB",
    "N": N,
    "more than N": "repeat('\\xFF'::BLOB, 256)",
    "too short": "repeat('\\x11'::BLOB, 255)",
    "too long": "repeat('\\x11'::BLOB, 257)",
    "empty": "''::BLOB",
    "NULL": "NULL::BLOB",
    "text": "'hello'",
    "number": "42",
    "list": "['\\x11'::BLOB]",
}


@pytest.mark.parametrize("kind", some(BAD_BLINDED, 2))
def test_the_host_signs_nothing_when_one_blinded_value_is_bad(
    peers, together, tmp_path, kind
) -> None:
    honest, bad, run = peers("host")

    def misbehave() -> None:
        bad.con.execute("CREATE TABLE key (n BLOB)")
        der = bad.con.execute("SELECT key FROM exchange_recv('bank', 'psi/key')").fetchall()[0][0]
        bad.con.execute("SELECT key_import('host', $1, 'rsa')", [der]).fetchall()
        modulus = bad.keyring.rsa.public("host").modulus
        bad.con.execute("INSERT INTO key VALUES ($1)", [modulus.to_bytes(256, "big")])
        good = "rsa_blind('a', 'host')" if kind not in ("number", "list") else BAD_BLINDED[kind]
        say(
            bad,
            "bank",
            "psi/blinded",
            f"SELECT 1::BIGINT AS seq, {good} AS blinded UNION ALL SELECT 2, {BAD_BLINDED[kind]}",
        )

    _, error = together(misbehave, run)
    assert_refused(error)
    assert not (tmp_path / "mailbox/s1/bank/shop/psi.signed.json").exists()
    assert tables(honest) == set()
    assert not list(tmp_path.glob("mailbox/**/*.partial*"))


def key_and_answer(bad, query: str) -> None:
    """Play the host up to the signatures, which are what `query` makes of `answer`."""
    bad.con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()
    say(bad, "shop", "psi/key", "SELECT rsa_public_key('k') AS key, rsa_key_proof('k') AS proof")
    bad.con.execute(
        "CREATE TABLE answer AS SELECT seq, blind_sign(blinded, 'k') AS signed "
        "FROM exchange_recv('shop', 'psi/blinded')"
    ).fetchall()
    say(bad, "shop", "psi/signed", query)


BAD_SIGNED = {
    "swapped rows": "SELECT seq % 3 + 1 AS seq, signed FROM answer",
    "one missing": "FROM answer WHERE seq > 1",
    "none": "FROM answer WHERE false",
    "one twice": "FROM answer UNION ALL FROM answer WHERE seq = 1",
    "one instead of another": "FROM answer WHERE seq > 1 UNION ALL FROM answer WHERE seq = 2",
    "NULL": "SELECT seq, CASE WHEN seq > 1 THEN signed END AS signed FROM answer",
    "zeros": "SELECT seq, repeat('\\x00'::BLOB, 256) AS signed FROM answer",
    "not reduced": "SELECT seq, repeat('\\xFF'::BLOB, 256) AS signed FROM answer",
    "too short": "SELECT seq, unhex(substr(hex(signed), 3)) AS signed FROM answer",
    "no seq": "SELECT signed FROM answer",
    "blinded again": "SELECT seq, blind_sign(signed, 'k') AS signed FROM answer",
}


@pytest.mark.parametrize(
    "kind",
    some(BAD_SIGNED, 2),
)
def test_the_guest_refuses_wrong_signatures(peers, together, tmp_path, kind: str) -> None:
    honest, bad, run = peers("guest")
    done, error = together(lambda: key_and_answer(bad, BAD_SIGNED[kind]), run)
    assert done is None
    assert_refused(error)
    assert tables(honest) == set()
    assert not (tmp_path / "mailbox/s1/shop/bank/psi.map.json").exists()


BAD_TOKENS = {
    "one twice": "SELECT repeat('a', 32)::BLOB AS token FROM range(2)",
    "too short": "SELECT repeat('a', 31)::BLOB AS token",
    "NULL": "SELECT NULL::BLOB AS token",
    "text": "SELECT repeat('a', 32) AS token",
    "another column": "SELECT repeat('a', 32)::BLOB AS tokens",
}


@pytest.mark.parametrize("kind", some(BAD_TOKENS, 2))
def test_the_guest_refuses_malformed_tokens(peers, together, tmp_path, kind: str) -> None:
    honest, bad, run = peers("guest")

    def misbehave() -> None:
        key_and_answer(bad, "FROM answer")
        say(bad, "shop", "psi/tokens", BAD_TOKENS[kind])

    done, error = together(misbehave, run)
    assert done is None
    assert_refused(error)
    assert tables(honest) == set()
    assert not (tmp_path / "mailbox/s1/shop/bank/psi.map.json").exists()


BAD_MAP = {
    "one missing": "SELECT token, random_id(token) AS pid FROM tokens LIMIT 2",
    "one too many": "SELECT token, random_id(token) AS pid FROM tokens "
    "UNION ALL SELECT 'x'::BLOB, random_id(1)",
    "one pid for all": "SELECT token, '00112233-4455-6677-8899-aabbccddeeff'::UUID AS pid "
    "FROM tokens",
    "NULL pid": "SELECT token, NULL::UUID AS pid FROM tokens",
    "one token twice": "SELECT (SELECT min(token) FROM tokens) AS token, random_id(token) AS pid "
    "FROM tokens",
    "text pid": "SELECT token, token::VARCHAR AS pid FROM tokens",
}


@pytest.mark.parametrize("kind", some(BAD_MAP, 2))
def test_the_host_refuses_a_wrong_map(peers, together, kind: str) -> None:
    honest, bad, run = peers("host", timeout=3)

    def misbehave() -> None:
        bad.con.execute(
            "SELECT key_import('k', key, 'rsa') FROM exchange_recv('bank', 'psi/key')"
        ).fetchall()
        say(bad, "bank", "psi/blinded", "SELECT 1::BIGINT AS seq, rsa_blind('a', 'k') AS blinded")
        bad.con.execute(
            "CREATE TABLE tokens AS SELECT token FROM exchange_recv('bank', 'psi/tokens')"
        ).fetchall()
        say(bad, "bank", "psi/map", BAD_MAP[kind])

    done, error = together(misbehave, run)
    assert done is None
    assert_refused(error)
    assert tables(honest) == set()


BAD_KEYS = {
    "none": "SELECT rsa_public_key('k') AS key, rsa_key_proof('k') AS proof WHERE false",
    "two": "SELECT rsa_public_key('k') AS key, rsa_key_proof('k') AS proof FROM range(2)",
    "NULL": "SELECT NULL::BLOB AS key, rsa_key_proof('k') AS proof",
    "garbage": "SELECT 'key'::BLOB AS key, rsa_key_proof('k') AS proof",
    "text": "SELECT rsa_public_key('k')::VARCHAR AS key, rsa_key_proof('k') AS proof",
    "no proof": "SELECT rsa_public_key('k') AS key",
    "empty proof": "SELECT rsa_public_key('k') AS key, ''::BLOB AS proof",
    "wrong proof": "SELECT rsa_public_key('k') AS key, repeat('a', 2048)::BLOB AS proof",
    "another key's proof": "SELECT rsa_public_key('k') AS key, rsa_key_proof('other') AS proof",
}


@pytest.mark.parametrize("kind", some(BAD_KEYS, 3))
def test_the_guest_blinds_nothing_under_a_bad_key(peers, together, tmp_path, kind: str) -> None:
    honest, bad, run = peers("guest")

    def misbehave() -> None:
        bad.con.execute("CALL rsa_keygen('k', bits := 2048)").fetchall()
        bad.con.execute("CALL rsa_keygen('other', bits := 2048)").fetchall()
        say(bad, "shop", "psi/key", BAD_KEYS[kind])

    done, error = together(misbehave, run)
    assert done is None
    assert_refused(error)
    assert tables(honest) == set()
    assert not list(tmp_path.glob("mailbox/s1/shop/*/*.json"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"table": "nothing"}, "nothing"),
        ({"id": "nothing"}, "nothing"),
        ({"kind": "nothing"}, "unknown kind"),
        ({"id": None}, "psi/guest needs id"),
        ({"id": ""}, "psi/guest needs id"),
        ({"table": None}, "psi/guest needs table"),
        ({"peer": None}, "psi/guest needs peer"),
        ({"peer": "Bank"}, "a-z"),
        ({"peer": "shop"}, "your own name"),
        ({"tabel": "people"}, "did you mean 'table'"),
        ({"session": "s3"}, "when the party connects"),
        ({"id": "id,id", "kind": "raw,raw,raw"}, "one kind"),
    ],
)
def test_wrong_settings_end_at_once_and_send_nothing(connect, tmp_path, settings, text) -> None:
    party = connect("shop", timeout=0.5)
    make_table(party.con, ["a"])
    variables = {"peer": "bank", "table": "people", "id": "id", **settings}
    with pytest.raises(Exception, match=text):
        party.run("psi/guest", **variables)
    assert not list(tmp_path.glob("mailbox/*/*/*/*.json"))
    assert tables(party) == set()


def test_a_table_of_the_users_own_named_alignment_is_not_overwritten(connect) -> None:
    party = connect("shop", timeout=0.5)
    make_table(party.con, ["a"])
    for kind, name in product(
        ("TABLE", "TEMP TABLE", "VIEW", "TEMP VIEW"), ("alignment", '"Alignment"', "ALIGNMENT")
    ):
        party.con.execute(f"CREATE {kind} {name} AS SELECT 1 AS wheels").fetchall()
        with pytest.raises(ProtocolError, match='a table "alignment", and you have something else'):
            party.run("psi/guest", peer="bank", table="people", id="id", scheme="rsa")
        assert party.con.execute("FROM alignment").fetchall() == [(1,)]
        party.con.execute(f"DROP {kind.removeprefix('TEMP ')} alignment").fetchall()
    party.con.execute("CREATE SCHEMA other; CREATE TABLE other.alignment AS SELECT 1 AS wheels")
    with pytest.raises(ExchangeTimeout):
        party.run("psi/guest", peer="bank", table="people", id="id", scheme="rsa")


def test_a_host_can_limit_how_many_ids_it_signs(connect, together, tmp_path) -> None:
    host, guest = connect("bank", timeout=10), connect("shop", timeout=2)
    make_table(host.con, ["a"])
    make_table(guest.con, ["a", "b", "c"])
    settings = {"table": "people", "id": "id", "scheme": "rsa"}
    refused, waited = together(
        lambda: host.run("psi/host", peer="shop", bits=2048, most_ids=2, **settings),
        lambda: guest.run("psi/guest", peer="bank", **settings),
    )
    assert isinstance(refused, ProtocolError)
    assert "the guest has 3 ids, more than most_ids allows" in refused.message
    assert isinstance(waited, ProtocolError)
    assert "bank has ended its run with an error" in waited.message
    assert not (tmp_path / "mailbox/s1/bank/shop/psi.signed.json").exists()


def test_other_columns_than_expected_are_named(connect) -> None:
    bank, shop = connect("bank"), connect("shop")
    say(bank, "shop", "data", "SELECT 1 AS token, 'x' AS pid")
    with pytest.raises(Exception, match="DUCKPRIV_MESSAGE_REJECTED") as caught:
        shop.con.execute("FROM exchange_recv('bank', 'data', columns := 'token BLOB, pid UUID')")
    text = str(caught.value)
    assert "(token int32, pid string) instead of (token binary, pid uuid)" in text


def test_nulls_where_none_may_be_are_rejected(connect) -> None:
    bank, shop = connect("bank"), connect("shop")
    say(bank, "shop", "data", "SELECT unnest([1, NULL]) AS x")
    read = "FROM exchange_recv('bank', 'data'{})"
    assert shop.con.execute(read.format("")).fetchall() == [(1,), (None,)]
    with pytest.raises(Exception, match="DUCKPRIV_MESSAGE_REJECTED: .* has NULLs"):
        shop.con.execute(read.format(", columns := 'x INTEGER'")).fetchall()
    with pytest.raises(Exception, match="DUCKPRIV_INVALID_VALUE: columns takes names with types"):
        shop.con.execute(read.format(", columns := 'x FANCY'")).fetchall()
