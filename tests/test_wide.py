"""Shares in Z_2^128, and linear equations on them, against plain integers and NumPy."""

from __future__ import annotations

import secrets
from operator import add, mul, sub

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import duckpriv
from tests.effort import examples

RING = 1 << 128


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    with duckpriv.connect(keyring=tmp_path_factory.mktemp("wide") / "keys") as party:
        party.con.execute("CALL paillier_keygen('mine', bits := 2048)").fetchall()
        yield party.con


def value(con, query: str, *arguments: object):
    return con.execute(f"SELECT {query}", list(arguments)).fetchall()[0][0]


def vector(numbers) -> bytes:
    whole = np.array(numbers, dtype=object).ravel()
    return b"".join((int(x) % RING).to_bytes(16, "little") for x in whole)


def numbers_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 16], "little") for i in range(0, len(data), 16)]


def signed(data: bytes) -> list[int]:
    return [x - RING if x >= RING // 2 else x for x in numbers_of(data)]


def shares(numbers) -> tuple[bytes, bytes]:
    first = [secrets.randbits(128) for _ in np.array(numbers, dtype=object).ravel()]
    rest = [int(x) - y for x, y in zip(np.array(numbers, dtype=object).ravel(), first, strict=True)]
    return vector(first), vector(rest)


def added(a: bytes, b: bytes) -> bytes:
    return vector([x + y for x, y in zip(numbers_of(a), numbers_of(b), strict=True)])


ELEMENTS = st.lists(st.integers(0, RING - 1), min_size=1, max_size=8)


@given(ELEMENTS, st.data())
@settings(max_examples=examples(20), deadline=None)
def test_vectors(con, a, data) -> None:
    b = data.draw(st.lists(st.integers(0, RING - 1), min_size=len(a), max_size=len(a)))
    texts = [str(x) for x in a]
    assert value(con, "wide_encode($1::UHUGEINT[])", texts) == vector(a)
    assert value(con, "wide_decode($1::BLOB)", vector(a)) == a
    for name, operation in (("wide_add", add), ("wide_sub", sub), ("wide_mul", mul)):
        found = value(con, f"{name}($1::BLOB, $2::BLOB)", vector(a), vector(b))
        assert numbers_of(found) == [operation(x, y) % RING for x, y in zip(a, b, strict=True)]


@given(st.lists(st.integers(-(2**90), 2**90), min_size=1, max_size=8), st.integers(0, 60))
@settings(max_examples=examples(20), deadline=None)
def test_truncate(con, numbers, bits) -> None:
    query = "wide_truncate($1::BLOB, $2, $3)"
    parts = [value(con, query, s, bits, i == 0) for i, s in enumerate(shares(numbers))]
    for found, x in zip(signed(added(*parts)), numbers, strict=True):
        assert abs(found * 2**bits - x) < 2 << bits


def products(con, factors: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Shares of u t at the owner of `mine` and at the peer, from those of u and of t."""
    (u, t), theirs = factors
    cts = [value(con, "wide_encrypt($1::BLOB, 'mine', 512)", v) for v in (u, t)]
    query = "CREATE OR REPLACE TEMP TABLE split AS SELECT product_split($1::BLOB[], $2::BLOB[], "
    con.execute(query + "$3::BLOB, $4::BLOB, 'mine') AS s", [*cts, *theirs])
    crossed = [
        value(con, "paillier_decrypt_share_wide(s.send, 'mine') FROM split"),
        value(con, "s.keep FROM split"),
    ]
    query = "wide_add(wide_mul($1::BLOB, $2::BLOB), $3::BLOB)"
    return [value(con, query, *f, c) for f, c in zip(factors, crossed, strict=True)]


@given(ELEMENTS, st.data())
@settings(max_examples=examples(5), deadline=None)
def test_products(con, u, data) -> None:
    t = data.draw(st.lists(st.integers(0, RING - 1), min_size=len(u), max_size=len(u)))
    found = products(con, list(zip(shares(u), shares(t), strict=True)))
    assert numbers_of(added(*found)) == [x * y % RING for x, y in zip(u, t, strict=True)]


def test_masks_of_a_product_that_do_not_fit(con) -> None:
    one, two = shares([1]), shares([1, 2])
    with pytest.raises(duckdb.Error, match="not as many as ours"):
        products(con, [(one[0], one[0]), (two[0], one[0])])
    (ct,) = value(con, "[paillier_encrypt(1, 'mine', scale := 0)]")
    with pytest.raises(duckdb.Error, match="other bounds"):
        value(con, "product_split($1, $1, $2::BLOB, $2::BLOB, 'mine')", [ct], one[0])


def test_random_elements_are_uniform(con) -> None:
    found = value(con, "wide_random(4000)")
    bits = np.unpackbits(np.frombuffer(found, np.uint8)).reshape(4000, 128).mean(axis=0)
    assert np.abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(4000)
    assert value(con, "wide_random(2)") != value(con, "wide_random(2)")


@given(st.lists(st.integers(-(2**126), 2**126), min_size=1, max_size=8))
@settings(max_examples=examples(20), deadline=None)
def test_split(con, numbers) -> None:
    found = value(con, "wide_split($1::HUGEINT[])", [str(x) for x in numbers])
    assert signed(added(found["keep"], found["send"])) == numbers


def test_a_vector_to_send_is_uniform(con) -> None:
    found = value(con, "wide_split(list_resize([]::HUGEINT[], 4000, 0))")
    bits = np.unpackbits(np.frombuffer(found["send"], np.uint8)).reshape(4000, 128).mean(axis=0)
    assert np.abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(4000)


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=examples(20), deadline=None)
def test_integer_moments(con, columns, rows, seed) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=rng.choice([1e-3, 1, 1e4]), size=(rows, columns))
    con.execute("CREATE OR REPLACE TEMP TABLE m (row BIGINT, x DOUBLE[])")
    con.executemany("INSERT INTO m VALUES (?, ?)", [(i, r.tolist()) for i, r in enumerate(x)])
    whole = np.rint(x * 2.0**20).astype(np.int64).astype(object)
    found = con.execute("FROM integer_moments('m') ORDER BY row, \"column\"").fetchall()
    assert [t for _, _, t in found] == list((whole.T @ whole).ravel())
    assert [(i, j) for i, j, _ in found] == [
        (i, j) for i in range(1, columns + 1) for j in range(1, columns + 1)
    ]


@pytest.mark.parametrize("values", [[0], [5, -7, 2**60, -(2**53) + 1]])
def test_encrypted_values_become_shares(con, values) -> None:
    query = "CREATE OR REPLACE TEMP TABLE s AS SELECT he_share_split_wide(paillier_encrypt_list("
    con.execute(query + "$1, 'mine', scale := 0, bound := 61), 'mine') AS s", [values])
    theirs = value(con, "paillier_decrypt_share_wide([s.send], 'mine') FROM s")
    assert signed(added(theirs, value(con, "s.keep FROM s"))) == values


class Solver:
    """Both parties, on one connection."""

    def __init__(self, con, size: int) -> None:
        self.con, self.size = con, size

    def begin(self, matrix, right, factor: float, penalty: float, unit: float) -> None:
        parts = zip(shares(matrix), shares(right), (True, False), strict=True)
        self.states = [
            value(
                self.con,
                "quadratic_begin($1::BLOB, $2::BLOB, $3, $4, $5, $6, $7)",
                *(m, b, factor, penalty, unit, 0.0 if leads else penalty * unit, leads),
            )
            for m, b, leads in parts
        ]

    def products(self, masks: list[bytes]) -> list[bytes]:
        cts = value(self.con, "square_encrypt($1::BLOB, 'mine')", masks[1])
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE split AS "
            "SELECT square_split($1::BLOB[], $2::BLOB, 'mine') AS s",
            [cts, masks[0]],
        )
        return [
            value(self.con, "s.keep FROM split"),
            value(self.con, "paillier_decrypt_share_wide(s.send, 'mine') FROM split"),
        ]

    def step(self) -> None:
        masks = [value(self.con, "square_masks($1)", self.size) for _ in range(2)]
        products = self.products(masks)
        squares = [
            value(self.con, "square_shares($1::BLOB, $2::BLOB)", m, p)
            for m, p in zip(masks, products, strict=True)
        ]
        opened = [
            value(self.con, "wide_sub($1::BLOB, $2::BLOB)", s, m)
            for s, m in zip(self.states, masks, strict=True)
        ]
        self.opened = added(*opened)
        self.states = [
            value(
                self.con,
                "square_step($1::BLOB, $2::BLOB, $3::BLOB, $4::BLOB, $5)",
                *(self.states[i], self.opened, masks[i], squares[i], i == 0),
            )
            for i in range(2)
        ]

    def short(self, call: str) -> np.ndarray:
        found = [
            np.array(value(self.con, call, state, i == 0), np.uint64)
            for i, state in enumerate(self.states)
        ]
        return (found[0] + found[1]).view(np.int64)


@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([1.0, 0.25]), st.booleans())
@settings(max_examples=examples(4), deadline=None)
def test_equations_are_solved(con, seed, size, factor, penalised) -> None:
    rng = np.random.default_rng(seed)
    rows, penalty = 50, 0.1 * penalised
    x = np.column_stack([np.ones(rows), rng.normal(size=(rows, size - 1))])
    y = rng.normal(size=rows)
    solver = Solver(con, size)
    whole = [np.rint(m * 2.0**40).astype(np.int64).astype(object) for m in (x.T @ x, x.T @ y)]
    solver.begin(*whole, factor, penalty, rows * 2.0**40)
    for _ in range(14):
        solver.step()
    pull = penalty * np.diag([0.0] + [1.0] * (size - 1))
    w = np.linalg.solve(factor * x.T @ x / rows + pull, x.T @ y / rows)
    solution = solver.short("square_solution($1::BLOB, $2)") / 2.0**20
    assert np.abs(solution - w).max() < 1e-5
    assert abs(solver.short("square_trace($1::BLOB, $2)")) <= 2


def test_what_is_left_of_a_matrix_tells_that_columns_determine_each_other(con) -> None:
    solver = Solver(con, 2)
    ones = np.full((2, 2), 2**40, dtype=object)
    solver.begin(ones, ones[0], 1.0, 0.0, 2.0**40)
    for _ in range(12):
        solver.step()
    assert abs(solver.short("square_trace($1::BLOB, $2)") / 2.0**7 - 1) < 0.02


def test_squares_of_the_largest_masks_are_right(con) -> None:
    solver = Solver(con, 2)
    masks = [vector([RING - 1] * 6), vector([RING - 1, RING // 2, RING // 2, 1, RING - 1, 0])]
    found = [
        value(con, "square_shares($1::BLOB, $2::BLOB)", m, p)
        for m, p in zip(masks, solver.products(masks), strict=True)
    ]
    total = np.array(numbers_of(added(*masks)), dtype=object)
    u, t = total[:4].reshape(2, 2), total[4:]
    assert numbers_of(added(*found)) == [x % RING for x in [*(u @ u).ravel(), *(u @ t)]]


def test_what_is_opened_is_uniform(con) -> None:
    solver = Solver(con, 20)
    matrix = np.diag([2**40] * 20).astype(object)
    solver.begin(matrix, matrix[0], 1.0, 0.0, 2.0**40)
    solver.step()
    bits = np.unpackbits(np.frombuffer(solver.opened, np.uint8)).reshape(420, 128)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 6 * 0.5 / np.sqrt(400)
    assert (np.array(numbers_of(solver.opened)[:400]).reshape(20, 20).T.ravel()
            == np.array(numbers_of(solver.opened)[:400])).all()  # fmt: skip


@pytest.mark.parametrize(
    "call, text",
    [
        ("wide_add(wide_encode([1]), wide_encode([1, 2]))", "vectors of 1 and 2 elements"),
        ("wide_decode('abc'::BLOB)", "does not have 16 an element"),
        ("square_masks(0)", "1 to 1000 go"),
        ("square_encrypt(wide_encode([1, 2, 3]), 'mine')", "no square matrix"),
        (
            "square_split(square_encrypt(square_masks(2), 'mine'), square_masks(1), 'mine')",
            "not for matrices of this size",
        ),
        ("square_shares(square_masks(1), wide_encode([1]))", "not for matrices of this size"),
        (
            "quadratic_begin(wide_encode([1, 2]), wide_encode([1]), 1, 0, 1, 0, true)",
            "fit together",
        ),
        (
            "quadratic_begin(wide_encode([1]), wide_encode([1]), 0, 0, 1, 0, true)",
            "not more than 0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(con, call: str, text: str) -> None:
    with pytest.raises(duckdb.Error, match=text):
        con.execute(f"SELECT {call}").fetchall()
