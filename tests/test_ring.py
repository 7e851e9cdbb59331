"""Arithmetic in Z_2^64 and truncation against Python's integers; agreed seeds."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.keys import SeedPart
from tests.effort import examples

RING = 1 << 64
elements = st.integers(0, RING - 1)
quick = settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def con(party):
    return party.con


def value(con, query: str, *arguments: object):
    return con.execute(f"SELECT {query}", list(arguments)).fetchall()[0][0]


@quick
@given(
    st.lists(st.tuples(elements, elements), min_size=1, max_size=9),
    st.integers(-(2**63), 2**63 - 1),
)
def test_vectors(con, pairs, factor: int) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    lists = "$1::UBIGINT[], $2::UBIGINT[]"
    assert value(con, f"ring_add({lists})", a, b) == [(x + y) % RING for x, y in pairs]
    assert value(con, f"ring_sub({lists})", a, b) == [(x - y) % RING for x, y in pairs]
    assert value(con, f"ring_mul({lists})", a, b) == [x * y % RING for x, y in pairs]
    assert value(con, "ring_scale($1::UBIGINT[], $2)", a, factor) == [x * factor % RING for x in a]
    assert value(con, "ring_shift($1::UBIGINT[], 13)", a) == [x >> 13 for x in a]
    assert value(con, f"(SELECT ring_sum(v) FROM (SELECT unnest([{lists}]) AS v))", a, b) == [
        (x + y) % RING for x, y in pairs
    ]


@quick
@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_matrices(con, rows: int, columns: int, data) -> None:
    x = data.draw(st.lists(elements, min_size=rows * columns, max_size=rows * columns))
    v = data.draw(st.lists(elements, min_size=columns, max_size=columns))
    u = data.draw(st.lists(elements, min_size=rows, max_size=rows))
    at = [x[r * columns : (r + 1) * columns] for r in range(rows)]
    assert value(con, "ring_matvec($1::UBIGINT[], $2::UBIGINT[])", x, v) == [
        sum(a * b for a, b in zip(row, v, strict=True)) % RING for row in at
    ]
    assert value(con, "ring_vecmat($1::UBIGINT[], $2::UBIGINT[])", u, x) == [
        sum(u[r] * at[r][c] for r in range(rows)) % RING for c in range(columns)
    ]


@quick
@given(
    st.integers(-(2**62), 2**62 - 1) | st.sampled_from([0, 1, -1, -(2**62), 2**62 - 1]),
    elements | st.sampled_from([0, RING - 1, 2**63, 2**63 - 1]),
    st.integers(1, 62),
    elements,
    elements,
)
def test_truncation_is_right_for_every_mask(con, x, r, bits, shifted, top) -> None:
    """Two shares of r's parts, the opened number, and what comes out: the floor, or one more."""
    opened = (x + 2**62 + r) % RING
    parts = ((shifted, top), (((r >> bits) - shifted) % RING, ((r >> 63) - top) % RING))
    total = sum(
        value(
            con,
            "share_truncate([$1]::UBIGINT[], [$2]::UBIGINT[], [$3]::UBIGINT[], $4, $5)",
            opened,
            s,
            t,
            bits,
            leads,
        )[0]
        for (s, t), leads in zip(parts, (True, False), strict=True)
    )
    signed = (total + RING // 2) % RING - RING // 2
    assert signed - (x >> bits) in (0, 1)


@quick
@given(st.lists(st.floats(-(2.0**40), 2.0**40), min_size=1, max_size=6))
def test_numbers_come_back(con, xs: list[float]) -> None:
    found = value(con, "ring_decode(ring_encode($1::DOUBLE[]))", xs)
    assert found == [round(x * 2**20) / 2**20 for x in xs]


@pytest.mark.parametrize(
    "query, text",
    [
        ("ring_add([1], [1, 2])", "do not have the same length"),
        ("ring_add([1, NULL], [1, 2])", "a vector has a NULL"),
        ("ring_matvec([1, 2, 3], [1, 2])", "whole number of rows"),
        ("ring_vecmat([1, 2], [1, 2, 3])", "a row for each element"),
        ("ring_encode(['NaN'::DOUBLE])", "NaN or an infinity"),
        ("ring_encode([1e30])", "too large for the ring"),
        ("helper_activation([0], kind := 'cubic')", "one of logistic, identity, exp"),
        ("share_truncate([1], [1, 2], [0], 3, true)", "do not have one length"),
        ("ring_shift([1], 64)", "cannot cut off 64 bits"),
        ("ring_random('nothing', 'a', 2)", "DUCKPRIV_KEY_NOT_FOUND"),
        ("ring_random('seed', 'a', -1)", "is negative"),
    ],
)
def test_mistakes(con, query: str, text: str) -> None:
    with pytest.raises(duckdb.Error, match=text):
        value(con, query)


def test_two_parties_agree_on_a_seed_that_neither_chose(connect) -> None:
    bank, shop, other = connect("bank"), connect("shop"), connect("other")
    for party, name in ((bank, "b"), (shop, "s"), (other, "s")):
        party.con.execute("CALL seed_keygen($1)", [name]).fetchall()

    def shown(party, name):
        return party.con.execute("SELECT seed_commitment($1), seed_part($1)", [name]).fetchall()[0]

    def agree(party, own, peer, parts):
        return value(party.con, "agreed_seed('seed', $1, $2, $3, $4)", own, peer, *parts)

    with pytest.raises(duckdb.Error, match="is not the one it committed to"):
        agree(bank, "b", "s", (shown(shop, "s")[0], shown(other, "s")[1]))
    for party, own, peer, source in ((bank, "b", "s", shop), (shop, "s", "b", bank)):
        agree(party, own, peer, shown(source, peer))
    numbers = [value(p.con, "ring_random('seed', 'x', 3)") for p in (bank, shop)]
    assert numbers[0] == numbers[1]
    assert value(bank.con, "ring_random('seed', 'y', 3)") != numbers[0]
    secret = bank.keyring.known_secret("seed")
    assert not any(
        secret in text for p in (bank, shop) for text in shown(p, "b" if p is bank else "s")
    )

    sealed = value(bank.con, "seed_seal('seed', 'seed')")
    assert secret not in sealed
    assert value(shop.con, "seed_open('seed', 'seed', $1)", sealed) == "seed"
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: the sealed secret was altered"):
        value(shop.con, "seed_open('seed', 'seed', $1)", sealed[:-1] + bytes([sealed[-1] ^ 1]))
    small = shown(shop, "s")[1][:4] + bytes(32) + bytes(32)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: the peer's part"):
        agree(bank, "b", "s", (SeedPart.commitment("s", small), small))


def test_batches_are_the_same_everywhere_and_new_in_each_epoch(con) -> None:
    con.execute("CREATE TABLE people AS SELECT i AS pid FROM range(10) t(i)")
    batches = [
        [pid for _, pid in con.execute(f"FROM batch_select('people', 'seed', {i}, 4)").fetchall()]
        for i in range(1, 7)
    ]
    assert sorted(len(batch) for batch in batches[:3]) == [3, 3, 4]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(pid for batch in epoch for pid in batch) == list(range(10))
    assert batches[:3] != batches[3:]
