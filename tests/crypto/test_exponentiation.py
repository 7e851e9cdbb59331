"""Fixed-base powers and products of powers against Python's pow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.modarith.digits import signed_digits
from duckpriv.crypto.modarith.exponentiation import fixed_base, fixed_bases, multi_power, power_each
from tests.effort import examples

N = 2**512 - 569  # a prime
WIDTH = 64
SAME_FIXTURE = [HealthCheck.function_scoped_fixture]  # it only chooses who computes

residues = st.integers(1, N - 1) | st.sampled_from([1, 2, N - 1])
exponent = st.integers(-(2**40), 2**40) | st.sampled_from([0, 1, -1, 255, 256, -256, 2**62])


def matrix(values, width: int = WIDTH):
    return from_rows([value.to_bytes(width, "big") for value in values], width)


@settings(max_examples=examples(12), deadline=None, suppress_health_check=SAME_FIXTURE)
@given(data=st.data())
def test_multi_power(computed_by, data) -> None:
    rows = data.draw(st.integers(0, 30))
    bases = data.draw(st.lists(residues, min_size=rows, max_size=rows))
    outputs = data.draw(
        st.lists(st.lists(exponent, min_size=rows, max_size=rows), min_size=1, max_size=6)
    )
    exponents = np.array(outputs, dtype=np.int64).reshape(len(outputs), rows)
    results = multi_power(N, matrix(bases), exponents)
    expected = [
        math.prod((pow(b, e, N) for b, e in zip(bases, row, strict=True)), start=1) % N
        for row in outputs
    ]
    assert [int.from_bytes(r, "big") for r in rows_of(results)] == expected


@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (400, 3), (3, 400), (2000, 1)])
def test_both_methods_at_their_sizes(computed_by, rows: int, outputs: int) -> None:
    random = np.random.default_rng(rows)
    bases = [int.from_bytes(random.bytes(60), "big") + 1 for _ in range(rows)]
    exponents = random.integers(-(2**20), 2**20, (outputs, rows))
    results = multi_power(N, matrix(bases), exponents)
    for o in (0, outputs - 1):
        expected = 1
        for base, e in zip(bases, exponents[o].tolist(), strict=True):
            expected = expected * pow(base, e, N) % N
        assert int.from_bytes(results[o].tobytes(), "big") == expected


@settings(max_examples=20, deadline=None, suppress_health_check=SAME_FIXTURE)
@given(
    base=residues,
    pairs=st.lists(st.tuples(st.integers(0, 2**48 - 1), residues), min_size=1, max_size=20),
)
def test_fixed_base(computed_by, base: int, pairs) -> None:
    table = fixed_base(N, base, 6)
    digits = from_rows([e.to_bytes(6, "little") for e, _ in pairs], 6)
    results = table.powers_times(digits, matrix([f for _, f in pairs]))
    assert [int.from_bytes(r, "big") for r in rows_of(results)] == [
        pow(base, e, N) * f % N for e, f in pairs
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=SAME_FIXTURE)
@given(
    bases=st.lists(residues, min_size=5, max_size=5),
    rows=st.lists(st.tuples(st.binary(min_size=5, max_size=5), residues), min_size=1, max_size=20),
)
def test_fixed_bases(computed_by, bases, rows) -> None:
    table = fixed_bases(N, matrix(bases))
    results = table.powers_times(from_rows([e for e, _ in rows], 5), matrix([f for _, f in rows]))
    assert [int.from_bytes(r, "big") for r in rows_of(results)] == [
        math.prod((pow(b, d, N) for b, d in zip(bases, e, strict=True)), start=f) % N
        for e, f in rows
    ]


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1), st.integers(2, 15))
def testsigned_digits_sum_to_the_exponent(values: list[int], window: int) -> None:
    exponents = np.array([values], dtype=np.int64)
    digits = signed_digits(exponents, window)
    assert np.abs(digits).max() <= 1 << (window - 1)
    sums = [
        sum(int(d) << (window * i) for i, d in enumerate(column)) for column in digits[:, 0, :].T
    ]
    assert sums == values


def test_a_base_without_an_inverse_is_refused(computed_by) -> None:
    with pytest.raises(ZeroDivisionError):
        multi_power(N, matrix([3, 0]), np.array([[1, -1]]))
    with pytest.raises(ZeroDivisionError):
        power_each(matrix([3, 0]), np.array([1, -1]), N)


@settings(max_examples=20, deadline=None, suppress_health_check=SAME_FIXTURE)
@given(st.lists(st.tuples(residues, exponent), min_size=1, max_size=20))
def test_power_each(computed_by, pairs) -> None:
    exponents = np.array([e for _, e in pairs], dtype=np.int64)
    results = power_each(matrix([b for b, _ in pairs]), exponents, N)
    assert [int.from_bytes(r, "big") for r in rows_of(results)] == [pow(b, e, N) for b, e in pairs]
