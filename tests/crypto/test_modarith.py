from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.modarith import (
    choice,
    implementation,
    implementations,
    inverse,
    kernel,
    libcrypto,
    multiply,
    power_public,
    rsa_private_operation,
    with_gmpy2,
)
from duckpriv.crypto.modarith.grouped import group_products
from duckpriv.crypto.modarith.secret_power import secret_power
from duckpriv.errors import InvalidValue
from tests.effort import examples

# The fixture only chooses who computes, so it may stay from example to example.
for_each_example = settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WIDTH = 256
MODULUS = 2**2048 - 1942289  # odd; any odd number will do here


def matrix(values: list[int], width: int = WIDTH):
    return from_rows([value.to_bytes(width, "big") for value in values], width)


def integers(rows) -> list[int]:
    return [int.from_bytes(row, "big") for row in rows_of(rows)]


residues = st.one_of(
    st.sampled_from([0, 1, 2, MODULUS - 1, MODULUS - 2, 2**1024, 2**2047]),
    st.integers(0, MODULUS - 1),
)


@for_each_example
@given(st.lists(residues, min_size=1, max_size=70), st.sampled_from([0, 1, 2, 3, 65537]))
def test_power_is_pythons_pow(computed_by, values: list[int], exponent: int) -> None:
    powers = power_public(matrix(values), exponent, MODULUS)
    assert integers(powers) == [pow(value, exponent, MODULUS) for value in values]


@for_each_example
@given(st.lists(st.tuples(residues, residues), min_size=1, max_size=40))
def test_multiply_is_pythons_product(computed_by, pairs: list[tuple[int, int]]) -> None:
    a, b = matrix([x for x, _ in pairs]), matrix([y for _, y in pairs])
    assert integers(multiply(a, b, MODULUS)) == [x * y % MODULUS for x, y in pairs]


@for_each_example
@given(
    st.lists(st.integers(1, 20) | st.sampled_from([64, 65, 700, 3000]), max_size=30),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_products_of_groups_are_pythons(computed_by, lengths, per_block: int, source) -> None:
    """Whatever the groups are: some are cut into pieces, and these multiplied again."""
    values = [0, 1, MODULUS - 1] * (source.random() < 0.1)
    values += [source.randrange(MODULUS) for _ in range(3 * per_block - len(values))]
    rows = np.concatenate([matrix(values), matrix(values)], axis=1)
    blocks = [rows[i : i + per_block].copy() for i in range(0, len(rows), per_block)]
    chosen = [source.randrange(len(values)) for _ in range(sum(lengths))]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    found = group_products(
        blocks, slice(WIDTH, 2 * WIDTH), np.array(chosen, np.int64), starts, MODULUS
    )
    expected = []
    for start, stop in pairwise(starts.tolist()):
        product = 1
        for row in chosen[start:stop]:
            product = product * values[row] % MODULUS
        expected.append(product)
    assert integers(found) == expected


def test_a_row_out_of_range_fails_the_products(computed_by) -> None:
    rows = matrix([5] * 300)
    starts = np.array([0, 1, 100, 300])
    for place in (0, 1, 99, 299):
        bad = rows.copy()
        bad[place] = matrix([MODULUS])[0]
        with pytest.raises(ValueError, match="not below the modulus"):
            group_products([bad], slice(0, WIDTH), np.arange(300), starts, MODULUS)


@for_each_example
@given(st.lists(residues.filter(lambda x: math.gcd(x, MODULUS) == 1), min_size=1, max_size=40))
def test_inverse_is_pythons_inverse(computed_by, values: list[int]) -> None:
    assert integers(inverse(matrix(values), MODULUS)) == [pow(v, -1, MODULUS) for v in values]


@for_each_example
@given(st.lists(residues, min_size=1, max_size=20), st.integers(1, 2**200) | st.integers(1, 9))
def test_secret_power_is_pythons_pow(computed_by, values: list[int], exponent: int) -> None:
    powers = secret_power(matrix(values), exponent, MODULUS)
    assert integers(powers) == [pow(value, exponent, MODULUS) for value in values]


def test_one_row_without_an_inverse_fails_the_column(computed_by) -> None:
    with pytest.raises(ZeroDivisionError):
        inverse(matrix([5, 0, 7]), MODULUS)


def pkcs8(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_the_private_operation_is_the_power_by_d(computed_by, rsa_key: rsa.RSAPrivateKey) -> None:
    numbers = rsa_key.private_numbers()
    n = numbers.public_numbers.n
    private = rsa_private_operation(pkcs8(rsa_key))

    @settings(max_examples=examples(5), deadline=None)
    @given(
        st.lists(st.integers(0, n - 1) | st.sampled_from([0, 1, n - 1]), min_size=1, max_size=70)
    )
    def check(values: list[int]) -> None:
        assert integers(private(matrix(values))) == [pow(v, numbers.d, n) for v in values]

    check()


def test_a_fault_in_one_half_of_the_crt_is_never_released_by_gmpy2(rsa_key) -> None:
    private = with_gmpy2.RsaPrivateOperation(pkcs8(rsa_key))
    private._dp += 2
    with pytest.raises(ArithmeticError, match="failed its check"):
        private(matrix([3]))


@pytest.mark.skipif(not libcrypto.available(), reason="no libcrypto here")
def test_a_fault_in_one_half_of_the_crt_is_never_released_by_libcrypto(rsa_key) -> None:
    # OpenSSL checks the result and computes it again without the CRT. A private key with a
    # wrong d mod (p - 1) shows that it does.
    good = rsa_key.private_numbers()
    width = (good.dmp1.bit_length() + 7) // 8  # a short number stands without leading zeros
    right, wrong = (number.to_bytes(width, "big") for number in (good.dmp1, good.dmp1 ^ 2))
    der = pkcs8(rsa_key)
    assert der.count(right) == 1
    faulty = libcrypto.RsaPrivateOperation(der.replace(right, wrong))
    n = good.public_numbers.n
    assert integers(faulty(matrix([3, 5]))) == [pow(3, good.d, n), pow(5, good.d, n)]


def test_a_fault_in_one_half_of_the_crt_is_never_released_by_the_kernel(
    backend, rsa_key, monkeypatch
) -> None:
    good, digits = rsa_key.private_numbers().dmp1, kernel._digits
    monkeypatch.setattr(kernel, "_digits", lambda e, bits: digits(e + 2 * (e == good), bits))
    private = kernel.RsaPrivateOperation(pkcs8(rsa_key))
    with pytest.raises(ArithmeticError, match="failed its check"):
        private(matrix([3, 5]))


@pytest.mark.parametrize("rows", [1, 2, 15, 31, 32, 33, 100])
def test_splitting_over_cores_keeps_the_order(computed_by, rows: int) -> None:
    values = list(range(2, rows + 2))
    assert np.array_equal(power_public(matrix(values), 1, MODULUS), matrix(values))


@pytest.fixture
def another_choice() -> Iterator[None]:
    """The test changes what there is to choose from."""
    implementation.cache_clear()
    yield
    implementation.cache_clear()


@pytest.mark.parametrize(
    "here", [("ifma", "avx512", "avx2", "libcrypto"), ("avx2",), ("libcrypto",), ()]
)
@pytest.mark.parametrize("wanted", ["ifma", "avx512", "avx2", "libcrypto", "gmpy2", "", "openssl"])
def test_the_environment_chooses(wanted: str, here, monkeypatch, another_choice) -> None:
    monkeypatch.setenv("DUCKPRIV_MODARITH", wanted)
    available = (*here, "gmpy2")
    monkeypatch.setattr(choice, "_missing", lambda name: "" if name in available else "it is away")
    if wanted == "openssl":
        with pytest.raises(InvalidValue, match="use ifma, avx512, avx2, libcrypto, gmpy2"):
            implementation()
    elif wanted in ("", *available):
        assert implementation() == wanted or available[0]
    else:
        with pytest.raises(InvalidValue, match=f"is {wanted}, but it is away"):
            implementation()


def test_without_the_compiled_kernel_another_one_computes(monkeypatch, another_choice) -> None:
    monkeypatch.delenv("DUCKPRIV_MODARITH", raising=False)
    for name in choice.KERNELS:
        monkeypatch.setitem(sys.modules, f"duckpriv.crypto._modarith.{name}", None)
    assert implementation() in ("libcrypto", "gmpy2")
    assert implementations()["avx2"] == "it was not compiled when duckpriv was installed"


def test_on_an_older_processor_another_one_computes(monkeypatch, another_choice) -> None:
    monkeypatch.delenv("DUCKPRIV_MODARITH", raising=False)
    for name in choice.KERNELS:
        older = SimpleNamespace(available=lambda: False)
        monkeypatch.setitem(sys.modules, f"duckpriv.crypto._modarith.{name}", older)
    assert implementation() in ("libcrypto", "gmpy2")
    assert "this processor, or its operating system, has no AVX2" in implementations()["avx2"]
