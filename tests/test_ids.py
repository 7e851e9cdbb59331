"""psi_id: equal text form means equal id."""

from __future__ import annotations

import json
import unicodedata

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
shared_connection = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def one(con: duckdb.DuckDBPyConnection, expression: str, *values: object) -> object:
    return con.execute(f"SELECT psi_id({expression})", list(values)).fetchall()[0][0]


@pytest.mark.parametrize(
    "expression",
    [
        "'42'",
        "42::TINYINT",
        "42::UTINYINT",
        "42::SMALLINT",
        "42::USMALLINT",
        "42::INTEGER",
        "42::UINTEGER",
        "42::BIGINT",
        "42::UBIGINT",
        "42::HUGEINT",
        "42::UHUGEINT",
        "'42'::BLOB",
        "'42'::ENUM('42')",
    ],
)
def test_equal_text_means_equal_id(party, expression: str) -> None:
    assert one(party.con, expression) == "42"
    assert party.con.execute(
        f"SELECT rsa_token({expression}, 'mine') = rsa_token('42', 'mine')"
    ).fetchall() == [(True,)]


@pytest.mark.parametrize(
    "expression",
    [
        "170141183460469231731687303715884105727::HUGEINT",
        "'-170141183460469231731687303715884105728'::HUGEINT",
        "340282366920938463463374607431768211455::UHUGEINT",
        "18446744073709551615::UBIGINT",
        "DATE '2024-02-29'",
        "DATE '12024-02-29'",
        "UUID '00112233-4455-6677-8899-aabbccddeeff'",
        "'\\x00\\xFF\\x41'::BLOB",
    ],
)
def test_every_type_has_duckdbs_own_text(party, expression: str) -> None:
    (duckdbs,) = party.con.execute(f"SELECT ({expression})::VARCHAR").fetchall()[0]
    assert one(party.con, expression) == duckdbs


@pytest.mark.parametrize(
    "expression",
    ["1.5", "1.5::DOUBLE", "true", "now()", "{'a': 1}", "[1.5]", "MAP {1: 2}", "[[1]]"],
)
def test_other_types_are_refused(party, expression: str) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: an id of type .* cannot be"):
        one(party.con, expression)


def test_an_unknown_kind_is_refused(party) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: unknown kind .* raw, trimmed"):
        one(party.con, "'a', 'e-mail'")


@shared_connection
@given(value=text)
def test_raw_is_the_nfc_form(party, value: str) -> None:
    assert one(party.con, "$1", value) == unicodedata.normalize("NFC", value)


@shared_connection
@given(value=text, kind=st.sampled_from(["raw", "trimmed", "lower", "email", "phone"]))
def test_normalising_twice_is_normalising_once(party, value: str, kind: str) -> None:
    once = one(party.con, "$1, $2", value, kind)
    if once is not None:
        assert one(party.con, "$1, $2", once, kind) == once
        assert one(party.con, "$1", once) == once


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("raw", " A ", " A "),
        ("raw", "", ""),
        ("raw", "e\u0301", "\u00e9"),
        ("trimmed", "\t A b\u00a0", "A b"),
        ("trimmed", "   ", None),
        ("lower", " Straße ", "strasse"),
        ("email", " Ann.Lee@Example.COM\n", "ann.lee@example.com"),
        ("phone", "+49 (30) 123-45", "493012345"),
        ("phone", "0049 30 12345", "493012345"),
        ("phone", "\u0660\u0661\u0662\u0663", "0123"),  # Arabic-Indic digits
        ("phone", "no digits", None),
    ],
)
def test_kinds(party, kind: str, value: str, expected: str | None) -> None:
    assert one(party.con, "$1, $2", value, kind) == expected


@shared_connection
@given(parts=st.lists(text, min_size=1, max_size=4), others=st.lists(text, min_size=1, max_size=4))
def test_composite_ids_are_equal_only_part_by_part(party, parts, others) -> None:
    a, b = one(party.con, "$1", parts), one(party.con, "$1", others)
    nfc = [[unicodedata.normalize("NFC", part) for part in ids] for ids in (parts, others)]
    assert json.loads(str(a)) == nfc[0]
    assert (a == b) == (nfc[0] == nfc[1])


@pytest.mark.parametrize("value", ["NULL", "['a', NULL]", "[]::VARCHAR[]", "NULL::VARCHAR[]"])
def test_a_missing_part_is_a_missing_id(party, value: str) -> None:
    assert one(party.con, value) is None


def test_ids_of_a_table(party) -> None:
    con = party.con
    con.execute('CREATE TABLE "my people" ("first name" VARCHAR, born DATE, "a""b" INTEGER)')
    con.execute("INSERT INTO \"my people\" VALUES (' Ann', '1990-05-01', 1), (NULL, NULL, NULL)")
    single = con.execute("FROM psi_ids('my people', 'first name', kind := 'lower')").fetchall()
    assert single == [(" Ann", "ann"), (None, None)]
    assert con.execute("FROM psi_ids('my people', 'a\"b')").fetchall()[0] == (1, "1")
    both = con.execute("FROM psi_ids('my people', 'first name, born', kind := 'lower,raw')")
    assert both.fetchall() == [
        ([" Ann", "1990-05-01"], '["ann", "1990-05-01"]'),
        ([None, None], None),
    ]


def test_ids_of_a_table_in_a_schema_or_a_view(party) -> None:
    con = party.con
    con.execute("CREATE SCHEMA crm; CREATE TABLE crm.t AS SELECT 5 AS id")
    con.execute("CREATE VIEW v AS SELECT id + 1 AS id FROM crm.t")
    assert con.execute("FROM psi_ids('crm.t', 'id')").fetchall() == [(5, "5")]
    assert con.execute("FROM psi_ids('v', 'id')").fetchall() == [(6, "6")]


def test_kinds_that_do_not_fit_the_columns_are_refused(party) -> None:
    party.con.execute("CREATE TABLE t AS SELECT 1 AS a, 2 AS b, 3 AS c")
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: give one kind"):
        party.con.execute("FROM psi_ids('t', 'a,b,c', kind := 'raw,raw')").fetchall()


def test_random_ids_are_uuids_of_version_4(party) -> None:
    ids = [
        row[0] for row in party.con.execute("SELECT random_id(i) FROM range(5000) t(i)").fetchall()
    ]
    assert len(set(ids)) == 5000
    assert {id_.version for id_ in ids} == {4}
    # Each bit that is not fixed is set in about half of them: 6 standard deviations.
    for bit in range(128):
        ones = sum(id_.int >> bit & 1 for id_ in ids)
        if bit not in (62, 63, 76, 77, 78, 79):
            assert abs(ones - 2500) < 6 * (5000**0.5 / 2)


def test_psi_map_random_gives_each_distinct_token_one_random_id(party) -> None:
    party.con.execute("CREATE TABLE tokens AS FROM (VALUES ('a'), ('b'), ('a'), (NULL)) t(token)")
    rows = party.con.execute("FROM psi_map_random('tokens') ORDER BY token").fetchall()
    assert [token for token, _ in rows] == ["a", "b"]
    assert rows[0][1] != rows[1][1]
    assert {pid.version for _, pid in rows} == {4}
