"""Homomorphic encryption and shares in SQL, against plain arithmetic and phe."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import duckdb
import numpy as np
import phe
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv.columns.ciphertext import _HEADER, layout_of
from duckpriv.integrations.phe import (
    from_phe,
    import_private_key,
    private_key,
    public_key,
    to_phe,
)

several = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
number = st.floats(-(2**30), 2**30, allow_nan=False).map(lambda x: round(x * 2**20) / 2**20)
whole = st.integers(-(2**30), 2**30)


def one(con: duckdb.DuckDBPyConnection, expression: str, *values: object):
    return con.execute(f"SELECT {expression}", list(values)).fetchall()[0][0]


@several
@given(xs=st.lists(number, min_size=1, max_size=30), bits=st.integers(53, 400))
def test_lists_come_back_as_they_were(party, xs: list[float], bits: int) -> None:
    expression = "paillier_encrypt_list($1, 'paillier', slot_bits := $2)"
    assert one(party.con, f"paillier_decrypt_list({expression}, 'paillier')", xs, bits) == xs


@several
@given(x=number, y=number, w=whole)
def test_arithmetic_on_single_numbers(party, x: float, y: float, w: int) -> None:
    a, b = "paillier_encrypt($1, 'paillier')", "paillier_encrypt($2, 'paillier')"
    for expression, expected in (
        (f"he_add({a}, {b}, 'paillier')", x + y),
        (f"he_sub({a}, {b}, 'paillier')", x - y),
        (f"he_add_plain({a}, $2, 'paillier')", x + y),
        (f"he_mul({a}, $3, 'paillier')", x * w),
        (f"he_mul({a}, $2, 'paillier', scale := 20, bound := 51)", x * y),
        (f"he_dot([{a}, {b}], [$3, -1], 'paillier')", x * w - y),
    ):
        query = f"paillier_decrypt({expression}, 'paillier')"
        used = [v for i, v in enumerate((x, y, w), 1) if f"${i}" in query]
        names = [f"${i}" for i in (1, 2, 3) if f"${i}" in query]
        for i, name in enumerate(names, 1):
            query = query.replace(name, f"${i}::DOUBLE")
        assert one(party.con, query, *used) == pytest.approx(expected, rel=1e-15)


@several
@given(data=st.data(), terms=st.integers(1, 6), count=st.integers(1, 25))
def test_dot_products_of_packed_lists_are_exact(party, data, terms: int, count: int) -> None:
    xs = data.draw(
        st.lists(st.lists(whole, min_size=count, max_size=count), min_size=terms, max_size=terms)
    )
    ws = data.draw(st.lists(whole, min_size=terms, max_size=terms))
    query = """
        SELECT paillier_decrypt_share(he_dot(
            (SELECT list(paillier_encrypt_list(x, 'paillier', scale := 0)) FROM
                (SELECT unnest($1::DOUBLE[][]) AS x)), $2, 'paillier'), 'paillier')"""
    expected = [sum(w * x[i] for w, x in zip(ws, xs, strict=True)) % 2**64 for i in range(count)]
    assert party.con.execute(query, [xs, ws]).fetchall() == [(expected,)]


@several
@given(x=st.floats(-1000, 1000), y=st.floats(-1000, 1000))
def test_keys_and_ciphertexts_go_to_phe_and_come_back(party, x: float, y: float) -> None:
    ring = party.keyring
    ours = one(party.con, "paillier_encrypt($1::DOUBLE, 'paillier')", x)
    theirs = to_phe(ring, "paillier", ours)
    key = private_key(ring, "paillier")
    rounded = round(x * 2**20) / 2**20
    assert key.decrypt(theirs) == rounded
    total = theirs + public_key(ring, "paillier").encrypt(y, precision=2**-20)
    back = from_phe(ring, "paillier", total, bound=200)
    assert one(party.con, "paillier_decrypt($1, 'paillier')", back) == key.decrypt(total)
    again = from_phe(ring, "paillier", total, bound=200)
    assert back != again


def test_a_key_of_phe_works_here(party) -> None:
    public, private = phe.generate_paillier_keypair(n_length=2048)
    import_private_key(party.keyring, "from-phe", private)
    blob = one(party.con, "paillier_encrypt(-2.5, 'from-phe')")
    assert one(party.con, "paillier_decrypt($1, 'from-phe')", blob) == -2.5
    assert private.decrypt(to_phe(party.keyring, "from-phe", blob)) == -2.5
    assert public == public_key(party.keyring, "from-phe")


def test_nothing_else_imports_phe() -> None:
    package = Path(duckpriv.__file__).parent
    users = [f.name for f in package.rglob("*.py") if "import phe" in f.read_text()]
    assert users == ["phe.py"]


def test_sums_by_group(party) -> None:
    query = """
        SELECT g, paillier_decrypt(he_sum(ct, 'paillier'), 'paillier') FROM (
            SELECT i % 3 AS g, CASE WHEN i <> 4 THEN paillier_encrypt(i, 'paillier') END AS ct
            FROM range(10) t(i)) GROUP BY g ORDER BY g"""
    assert party.con.execute(query).fetchall() == [(0, 18.0), (1, 8.0), (2, 15.0)]


def test_phe_decrypts_our_ciphertexts(party) -> None:
    blob = one(party.con, "he_mul(paillier_encrypt(-2.5, 'paillier'), 3, 'paillier')")
    private = party.keyring.paillier.private("paillier").key
    n = private.p * private.q
    theirs = phe.PaillierPrivateKey(phe.PaillierPublicKey(n), private.p, private.q)
    value = theirs.raw_decrypt(int.from_bytes(blob[_HEADER.size :], "big"))
    assert value - n == -2.5 * 3 * 2**20


@several
@given(xs=st.lists(number, min_size=1, max_size=24), sigma=st.sampled_from([40, 64, 100]))
def test_shares_of_encrypted_values_add_up(party, xs: list[float], sigma: int) -> None:
    party.con.execute(
        "CREATE OR REPLACE TEMP TABLE s AS SELECT "
        "he_share_split(paillier_encrypt_list($1, 'paillier'), 'paillier', sigma := $2) AS s",
        [xs, sigma],
    ).fetchall()
    rows = party.con.execute(
        "SELECT share_reveal(a, b) FROM (SELECT unnest(s.keep) AS a, "
        "unnest(paillier_decrypt_share(s.send, 'paillier')) AS b FROM s)"
    ).fetchall()
    assert [x for (x,) in rows] == xs


def test_a_result_does_not_tell_the_weights(party) -> None:
    party.con.execute(
        "CREATE TEMP TABLE c AS SELECT [paillier_encrypt(i, 'paillier'), "
        "paillier_encrypt(1, 'paillier')] AS cts FROM range(1) t(i)"
    )
    headers = {
        one(party.con, "he_dot(cts, $1::DOUBLE[], 'paillier') FROM c", weights)[: _HEADER.size]
        for weights in ([0, 0], [1, 1], [2**30, -(2**30)])
    }
    assert len(headers) == 1
    zero = {one(party.con, "he_dot(cts, [0, 0], 'paillier') FROM c") for _ in range(5)}
    assert len(zero) == 5  # re-randomised even where nothing is left of the inputs


@pytest.mark.parametrize(
    "call",
    [
        "paillier_encrypt({}, 'paillier', scale := 0, bound := 60)",
        "paillier_encrypt_list([{}], 'paillier', scale := 0, bound := 60)",
        "joint_encrypt({}, 'part1', scale := 0, bound := 60)",
        "he_mul(paillier_encrypt(1, 'paillier'), {}, 'paillier', bound := 60)",
        "he_add_plain(paillier_encrypt(1, 'paillier', scale := 0, bound := 60), {}, 'paillier')",
        "share_split({}, scale := 0)",
        "share_split_list([{}], scale := 0)",
        "ring_encode([{}], scale := 0)",
    ],
)
def test_integers_stay_exact_or_are_refused(party, call: str) -> None:
    for number in (2**53, -(2**53), 2**54):
        party.con.execute(f"SELECT {call.format(number)}").fetchall()
    for number in (2**53 + 1, -(2**53) - 1, 2**62 + 1, f"{2**80 + 1}::HUGEINT"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE.*beyond 2.53"):
            party.con.execute(f"SELECT {call.format(number)}").fetchall()


def test_a_bound_beyond_any_double(party) -> None:
    query = "paillier_decrypt(paillier_encrypt(1.5, 'paillier', bound := 1024), 'paillier')"
    assert one(party.con, query) == 1.5


ERRORS = {
    "another key": "he_add({ct}, paillier_encrypt(1, 'second'), 'paillier')",
    "another scale": "he_add({ct}, paillier_encrypt(1, 'paillier', scale := 4), 'paillier')",
    "another count": "he_add({cts}, paillier_encrypt_list([1], 'paillier'), 'paillier')",
    "other slots": "he_add({cts}, paillier_encrypt_list([1, 2], 'paillier', slot_bits := 96), "
    "'paillier')",
    "single and list": "he_add({ct}, {cts}, 'paillier')",
    "NaN": "paillier_encrypt('nan'::DOUBLE, 'paillier')",
    "infinity": "paillier_encrypt('-inf'::DOUBLE, 'paillier')",
    "too large": "paillier_encrypt(2147483648.0, 'paillier')",
    "too large to scale": "paillier_encrypt(1e308, 'paillier', scale := 60000)",
    "empty list": "paillier_encrypt_list([], 'paillier')",
    "NULL in a list": "paillier_encrypt_list([1, NULL], 'paillier')",
    "no room in a slot": "paillier_encrypt_list([1], 'paillier', slot_bits := 51)",
    "slots too wide": "paillier_encrypt_list([1], 'paillier', slot_bits := 3000)",
    "negative scale": "paillier_encrypt(1, 'paillier', scale := -1)",
    "no integer": "he_mul({ct}, 0.5, 'paillier')",
    "weight beyond its bound": "he_mul({ct}, 2147483648, 'paillier')",
    "weights of another length": "he_dot([{ct}], [1, 2], 'paillier')",
    "NULL weight": "he_dot([{ct}], [NULL], 'paillier')",
    "NULL ciphertext": "he_dot([{ct}, NULL], [1, 2], 'paillier')",
    "NaN weight": "he_mul({ct}, 'nan'::DOUBLE, 'paillier')",
    "overflow of a slot": "he_mul(he_mul(he_mul(he_mul(he_mul({cts}, 1, 'paillier'), 1, "
    "'paillier'), 1, 'paillier'), 1, 'paillier'), 1, 'paillier')",
    "list as one number": "paillier_decrypt({cts}, 'paillier')",
    "sigma too small": "he_share_split({cts}, 'paillier', sigma := 39)",
    "no room for the mask": "he_share_split({cts}, 'paillier', sigma := 150)",
    "no private key": "paillier_decrypt({ct}, 'theirs')",
    "RSA key": "paillier_encrypt(1, 'mine')",
    "no such key": "paillier_encrypt(1, 'nobody')",
    "empty BLOB": "he_add(''::BLOB, ''::BLOB, 'paillier')",
    "no ciphertext": "paillier_decrypt(repeat('a', 542)::BLOB, 'paillier')",
}


@pytest.fixture
def keys(party, rsa_key):
    con = party.con
    con.execute("CALL paillier_keygen('second', bits := 2048)").fetchall()
    con.execute("SELECT key_import('theirs', paillier_public_key('second'), 'paillier')").fetchall()
    return con


def test_mistakes_have_their_errors(keys) -> None:
    ct, cts = "paillier_encrypt(1, 'paillier')", "paillier_encrypt_list([1, 2], 'paillier')"
    codes = {}
    for name, expression in ERRORS.items():
        with pytest.raises(duckdb.Error, match="DUCKPRIV_") as caught:
            keys.execute(f"SELECT {expression.format(ct=ct, cts=cts)}").fetchall()
        codes[name] = str(caught.value).split("DUCKPRIV_")[1].split(":")[0]
    special = {
        "another key": "KEY_MISMATCH",
        "no private key": "KEY_NOT_FOUND",
        "RSA key": "KEY_NOT_FOUND",
        "no such key": "KEY_NOT_FOUND",
    }
    assert codes == {name: special.get(name, "INVALID_VALUE") for name in ERRORS}


def test_malformed_ciphertexts_are_refused(party) -> None:
    con = party.con
    private = party.keyring.paillier.private("paillier").key
    good = one(con, "paillier_encrypt(1, 'paillier')")
    header, width = good[: _HEADER.size], private.public.width
    square = private.public.square

    def body(value: int) -> bytes:
        return header + value.to_bytes(width, "big")

    def changed(at: int, form: str, value: int) -> bytes:
        data = bytearray(good)
        struct.pack_into(form, data, at, value)
        return bytes(data)

    bad = {
        "0": body(0),
        "N^2": body(square),
        "more than N^2": body(2 ** (8 * width) - 1),
        "p": body(private.p),
        "N": body(private.p * private.q),
        "short": good[:-1],
        "long": good + b"\0",
        "header only": header,
        "version": changed(2, ">B", 1),
        "scheme": changed(3, ">B", 9),
        "no slots": changed(22, ">H", 0),
        "wide slots": changed(22, ">H", 65535),
        "bound over slot": changed(24, ">H", 65535),
        "too often doubled": changed(26, ">H", 65535),
        "count 0": changed(28, ">I", 0),
        "huge count": changed(28, ">I", 2**32 - 1),
    }
    for name, blob in bad.items():
        for use in (
            "paillier_decrypt($1, 'paillier')",
            "he_add($1, $1, 'paillier')",
            "he_mul($1, 2, 'paillier')",
        ):
            with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
                one(con, use, blob)
                pytest.fail(name)


def test_a_ciphertext_of_paillier_is_never_doubled(party) -> None:
    data = bytearray(one(party.con, "paillier_encrypt(1.5, 'paillier', scale := 1)"))
    struct.pack_into(">H", data, 26, 1)
    with pytest.raises(duckdb.Error, match="says that it was doubled"):
        one(party.con, "paillier_decrypt($1, 'paillier')", bytes(data))


@given(data=st.binary(max_size=80))
def test_any_bytes_as_a_header(data: bytes) -> None:
    from duckpriv import InvalidValue

    for blob in (data, b"dp\x02\x01" + data):
        try:
            layout = layout_of(blob)
        except InvalidValue:
            continue
        assert layout.header() == blob[: _HEADER.size]


def test_a_peers_key_is_checked(party) -> None:
    good = one(party.con, "paillier_public_key('paillier')")
    for bad in (good[:-1], good + b"\0", b"dpk\x01\x01", good[:7] + good[8:] + b"\0"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: the Paillier public key"):
            one(party.con, "key_import('p2', $1, 'paillier')", bad)
    assert one(party.con, "key_import('p2', $1, 'paillier')", good)
    assert {k.kind for k in party.keyring.list() if k.name == "p2"} == {"Paillier public key"}


def test_a_key_survives_a_restart(party, connect) -> None:
    blob = one(party.con, "paillier_encrypt(42, 'paillier')")
    assert one(connect().con, "paillier_decrypt($1, 'paillier')", blob) == 42


def test_a_table_as_a_matrix(party) -> None:
    con = party.con
    con.execute('CREATE TABLE "a b" ("the id" VARCHAR, u INTEGER, "v w" DOUBLE, xs DOUBLE[])')
    con.execute("""INSERT INTO "a b" VALUES ('z', 1, 2.5, [7, 8]), ('y', 3, NULL, [9])""")

    def rows(arguments: str) -> list:
        return con.execute(f"FROM matrix_rows('a b', 'the id', {arguments})").fetchall()

    assert rows("columns := 'u, v w'") == [(1, "y", [3.0, None]), (2, "z", [1.0, 2.5])]
    assert rows("columns := 'u'") == [(1, "y", [3.0]), (2, "z", [1.0])]
    assert rows("list := 'xs'") == [(1, "y", [9.0]), (2, "z", [7.0, 8.0])]
    con.execute('CREATE VIEW v AS SELECT * EXCLUDE (xs) FROM "a b"')
    assert con.execute("FROM matrix_rows('v', 'the id')").fetchall()[1] == (2, "z", [1.0, 2.5])
    con.execute(
        "CREATE TABLE mixed AS SELECT 1 AS ID, 12345678.91::DECIMAL(12, 2) AS d, 0.5::FLOAT AS f, "
        "16777217 AS i, true AS b, 1e-20::DECIMAL(38, 30) AS s"
    )
    exact = [12345678.91, 0.5, 16777217.0, 1.0, 1e-20]
    assert con.execute("FROM matrix_rows('mixed', 'id')").fetchall() == [(1, 1, exact)]
    con.execute("CREATE VIEW dated AS SELECT *, DATE '2026-01-01' AS born FROM mixed")
    with pytest.raises(duckdb.Error, match="born"):
        con.execute("FROM matrix_rows('dated', 'id')").fetchall()
    con.execute("CREATE TABLE none AS SELECT 1 AS id, 2 AS x WHERE false")
    assert con.execute("FROM matrix_rows('none', 'id')").fetchall() == []
    with pytest.raises(duckdb.Error, match="nothing"):
        rows("columns := 'nothing'")


@several
@given(
    m=st.integers(0, 6),
    k=st.integers(1, 6),
    n=st.integers(1, 14),
    zero=st.booleans(),
    data=st.data(),
)
def test_the_encrypted_product_is_the_integer_product(party, m, k, n, zero, data) -> None:
    """Bit for bit, in fixed point: the product of the rounded inputs."""
    con = party.con
    any_number = st.just(0.0) if zero else st.floats(-1000, 1000, allow_nan=False)

    def matrix(name: str, rows: int, columns: int) -> np.ndarray:
        values = data.draw(
            st.lists(
                st.lists(any_number, min_size=columns, max_size=columns),
                min_size=rows,
                max_size=rows,
            )
        )
        con.execute(f"CREATE OR REPLACE TABLE {name} (id INTEGER, x DOUBLE[])")
        for i, row in enumerate(values):
            con.execute(f"INSERT INTO {name} VALUES ($1, $2)", [i, row])
        rounded = [[round(x * 2**20) for x in row] for row in values]
        return np.array(rounded, dtype=object).reshape(rows, columns)

    left, right = matrix("l", m, k), matrix("r", k, n)
    con.execute(
        "CREATE OR REPLACE TABLE plain AS SELECT row, x FROM matrix_rows('l', 'id', list := 'x')"
    )
    con.execute(
        "CREATE OR REPLACE TABLE encrypted AS FROM "
        "paillier_encrypt_matrix('r', 'paillier', id := 'id', list := 'x')"
    ).fetchall()
    products = con.execute(
        "SELECT paillier_decrypt_share(ct, 'paillier') "
        "FROM he_matmul('plain', 'encrypted', 'paillier') ORDER BY row"
    ).fetchall()
    expected = left.dot(right) if m else np.zeros((0, n), dtype=object)
    assert [row for (row,) in products] == [[int(x) % RING for x in row] for row in expected]


RING = 2**64
share = st.integers(0, RING - 1) | st.sampled_from([0, 1, RING - 1, 2**63])


@several
@given(a=share, b=share, k=st.integers(-(2**63), 2**63 - 1))
def test_shares_are_arithmetic_modulo_2_to_the_64(party, a: int, b: int, k: int) -> None:
    con = party.con
    assert one(con, "share_add($1::UBIGINT, $2::UBIGINT)", a, b) == (a + b) % RING
    assert one(con, "share_sub($1::UBIGINT, $2::UBIGINT)", a, b) == (a - b) % RING
    assert one(con, "share_mul_public($1::UBIGINT, $2::BIGINT)", a, k) == a * k % RING
    assert one(con, "share_sum(x) FROM (VALUES ($1::UBIGINT), ($2::UBIGINT)) t(x)", a, b) == (
        (a + b) % RING
    )
    total = (a + b) % RING
    signed = total - RING if total >= 2**63 else total
    assert one(con, "share_reveal($1::UBIGINT, $2::UBIGINT, scale := 20)", a, b) == signed / 2**20


@several
@given(x=st.floats(-(2**42), 2**42, allow_nan=False))
def test_a_split_number_comes_back(party, x: float) -> None:
    query = "share_reveal(s.keep, s.send) FROM (SELECT share_split($1::DOUBLE) AS s)"
    assert abs(one(party.con, query, x) - x) <= 2**-21


@several
@given(xs=st.lists(number, max_size=10))
def test_a_split_list_comes_back(party, xs: list[float]) -> None:
    rows = party.con.execute(
        "SELECT share_reveal(a, b) FROM (SELECT unnest(s.keep) AS a, unnest(s.send) AS b "
        "FROM (SELECT share_split_list($1::DOUBLE[]) AS s))",
        [xs],
    ).fetchall()
    assert [x for (x,) in rows] == xs


def test_shares_are_uniform(party) -> None:
    for column in ("keep", "send"):
        rows = party.con.execute(
            f"SELECT s.{column} FROM (SELECT share_split(0.0) AS s FROM range(4000))"
        ).fetchall()
        for bit in range(64):
            ones = sum(x >> bit & 1 for (x,) in rows)
            assert abs(ones - 2000) < 6 * math.sqrt(4000) / 2


def test_weighted_sums_of_the_first_values_only(party) -> None:
    """Of 20 values, 15 stand in a ciphertext's first body."""
    con = party.con
    con.execute(
        "CREATE OR REPLACE TEMP TABLE cts AS SELECT i AS row, paillier_encrypt_list("
        "list_transform(range(20), lambda j: (i + j)::DOUBLE), 'paillier', slot_bits := 136) AS ct "
        "FROM range(1, 6) t(i); CREATE OR REPLACE TEMP TABLE xs AS "
        "SELECT i AS row, [i, -2]::DOUBLE[] AS x FROM range(1, 6) t(i)"
    )
    query = "FROM he_weighted_sums('cts', 'xs', 'paillier', scale := 0, first := {})"
    decrypted = "SELECT paillier_decrypt_list(ct, 'paillier') "
    every = np.array([[i + j for j in range(20)] for i in range(1, 6)])
    expected = np.array([[i, -2] for i in range(1, 6)]).T @ every
    for first, count in ((0, 20), (1, 15), (15, 15), (16, 20), (99, 20)):
        found = con.execute(f"{decrypted} {query.format(first)} ORDER BY feature").fetchall()
        assert [row for (row,) in found] == expected[:, :count].tolist()
