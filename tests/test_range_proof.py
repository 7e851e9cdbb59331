"""Proofs that encrypted values are small, and what a dishonest owner of the key may try."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

import duckpriv
from duckpriv.columns.range_proof import SUBSETS

ROWS, BOUND = 30, 50  # of the proof: 30 values below 2^10 and 40 bits more


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with duckpriv.connect(keyring=tmp_path_factory.mktemp("range") / "keys") as party:
        for name in ("mine", "other"):
            party.con.execute(f"CALL paillier_keygen('{name}', bits := 2048)").fetchall()
        yield party.con


def prove(con, values: str, *, slots: int = 64, masks: str = "range_masks(any_value(ct), 50, $k)",
          key: str = "mine", challenge: str = "random") -> None:  # fmt: skip
    """Make the tables `encrypted` and `products` for ROWS lists of values in i."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE encrypted AS SELECT i AS row, paillier_encrypt_list("
        f"{values}, '{key}', scale := 0, bound := 62, slot_bits := {slots}) AS ct "
        f"FROM range({ROWS}) t(i)"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE products AS SELECT range_products((SELECT "
        f"{masks.replace('$k', repr(key))} FROM encrypted LIMIT 1), list(ct ORDER BY row), "
        f"list(row ORDER BY row), '{challenge}', '{key}') AS products FROM encrypted"
    )


def check(con, opened: str = "range_open(products, 'mine')", bound: int = BOUND + 1) -> bool:
    query = f"SELECT range_check(products, {opened}, {bound}, 'mine') FROM products"
    return con.execute(query).fetchall()[0][0]


@pytest.mark.parametrize("values", ["[i, -i, 1023]", "[0]", "list_resize([0], 70, i)"])
def test_small_values_are_accepted(con, values: str) -> None:
    prove(con, values)
    assert check(con)


def test_blocks_and_all_at_once_are_the_same(con) -> None:
    prove(con, "[i, 1]")
    found = con.execute(
        "SELECT range_products(range_products(first, list(ct ORDER BY row) FILTER (row < 7), "
        "list(row ORDER BY row) FILTER (row < 7), 'random', 'mine'), list(ct ORDER BY row) FILTER "
        "(row >= 7), list(row ORDER BY row) FILTER (row >= 7), 'random', 'mine') = "
        "range_products(first, list(ct ORDER BY row), list(row ORDER BY row), 'random', 'mine') "
        "FROM encrypted, (SELECT range_masks(ct, 50, 'mine') AS first FROM encrypted LIMIT 1) "
        "GROUP BY first"
    ).fetchall()
    assert found == [(True,)]


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("large", [2**55, -(2**55)])
def test_one_large_value_is_found(con, place: int, large: int) -> None:
    values = ["i"] * 3
    values[place] = f"CASE WHEN i = 5 THEN {large} ELSE i END"
    prove(con, f"[{', '.join(values)}]")
    with pytest.raises(duckdb.Error, match="larger than agreed"):
        check(con)


def test_values_packed_otherwise_are_found(con) -> None:
    """A number beyond the last slot, behind a header that says the same."""
    prove(con, "[i, i, i]")
    wide = con.execute("SELECT ct FROM encrypted WHERE row = 1").fetchall()[0][0]
    prove(con, "[i, i, i, i]")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE encrypted AS SELECT row, "
        "unhex(substr(hex($1::BLOB), 1, 64) || substr(hex(ct), 65)) AS ct FROM encrypted",
        [wide],
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE products AS SELECT range_products((SELECT "
        "range_masks(any_value(ct), 50, 'mine') FROM encrypted), list(ct ORDER BY row), "
        "list(row ORDER BY row), 'random', 'mine') AS products FROM encrypted"
    )
    with pytest.raises(duckdb.Error, match="larger than agreed"):
        check(con)


def test_half_of_all_subsets_find_a_large_value(con) -> None:
    """What a cheat that knows all but one subset could still hope for."""
    prove(con, "[CASE WHEN i = 5 THEN 2.0 ** 55 ELSE 0 END]")
    sums = con.execute(
        "SELECT paillier_decrypt_list(ct, 'mine')[1] FROM (SELECT unnest(products) AS ct "
        "FROM products)"
    ).fetchall()
    hits = sum(abs(total) > 2.0**54 for (total,) in sums)
    assert SUBSETS / 5 < hits < SUBSETS * 4 / 5


@pytest.mark.parametrize(
    "opened, text",
    [
        ("list_reverse(range_open(products, 'mine'))", "opens another ciphertext"),
        ("range_open(products, 'mine')[2:]", "the length that it should"),
        ("[NULL::BLOB] || range_open(products, 'mine')[2:]", "the length that it should"),
        ("list_transform(range_open(products, 'mine'), lambda b: b[:10])", "the length that"),
        (
            "list_transform(range_open(products, 'mine'), lambda b: "
            "repeat('\\xFF'::BLOB, octet_length(b)))",
            "a number that is not below N",
        ),
        (
            "list_transform(range_open(products, 'mine'), lambda b: "
            "repeat('\\x00'::BLOB, octet_length(b)))",
            "a number that is not below N",
        ),
        (
            "list_transform(range_open(products, 'mine'), lambda b: repeat('\\x00'::BLOB, "
            "octet_length(b) // 2) || b[octet_length(b) // 2 + 1:])",
            "opens another ciphertext",
        ),
    ],
)
def test_answers_that_do_not_open_are_refused(con, opened: str, text: str) -> None:
    prove(con, "[i, 1]")
    with pytest.raises(duckdb.Error, match=text):
        check(con, opened)


def test_an_answer_to_another_challenge_is_refused(con) -> None:
    prove(con, "[i, 1]", challenge="one")
    con.execute("CREATE OR REPLACE TEMP TABLE other AS FROM products")
    prove(con, "[i, 1]", challenge="another")
    with pytest.raises(duckdb.Error, match="opens another ciphertext"):
        check(con, "(SELECT range_open(o.products, 'mine') FROM other o)")


@pytest.mark.parametrize(
    "masks, text",
    [
        ("range_masks(any_value(ct), 50, $k)[2:]", "there are not 40 products"),
        (
            "range_masks(any_value(paillier_encrypt_list([1, 2], $k, scale := 0, bound := 60, "
            "slot_bits := 80)), 50, $k)",
            "not packed as the rows",
        ),
    ],
)
def test_masks_that_do_not_fit_are_refused(con, masks: str, text: str) -> None:
    with pytest.raises(duckdb.Error, match=text):
        prove(con, "[i, 1]", masks=masks)


def test_what_is_opened_tells_nothing_of_the_values(con) -> None:
    """The masks are 40 bits longer than the sums here, and roots are uniform."""
    for value in ("0", "1023"):
        prove(con, f"[{value}]")
        opened = con.execute("SELECT range_open(products, 'mine') FROM products").fetchall()[0][0]
        plaintexts = [int.from_bytes(proof[:256], "big") for proof in opened]
        assert all(0 <= p < 2**50 + 2**15 for p in plaintexts)
        assert len({p >> 30 for p in plaintexts}) == SUBSETS
        ones = np.unpackbits(np.frombuffer(b"".join(p[300:] for p in opened), np.uint8)).mean()
        assert abs(ones - 0.5) < 0.02
