"""Every number that goes into shares, ciphertexts and fixed point comes out right or is refused:
against a twin in Python's integers, over the whole range of what the functions take."""

from __future__ import annotations

import math
from fractions import Fraction

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import examples

RING = 1 << 64
EDGES = [
    *(0.0, -0.0, 0.5, -0.5, 1.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1e308, -1e308),
    *(s * 2.0**e for e in (31, 41, 42, 43, 50, 51, 53, 61, 62, 63, 64) for s in (1, -1)),
    *(math.nextafter(s * 2.0**e, 0) for e in (42, 43, 51, 62, 63) for s in (1, -1)),
    *(math.nan, math.inf, -math.inf),
]
numbers = st.floats() | st.sampled_from(EDGES)
scales = st.integers(0, 70) | st.sampled_from([-1, -20, 62, 63, 64, 1023, 1024, 70_000, 2**40])
bounds = st.integers(1, 130) | st.sampled_from([-1, 0, 51, 63, 64, 2045, 2046, 2**40])
quick = settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
few = settings(quick, max_examples=examples(12))


@pytest.fixture
def con(party):
    return party.con


def value(con, query: str, *arguments: object):
    """What a query gives, or None where it is refused with an error of ours that says why."""
    try:
        return con.execute(f"SELECT {query}", list(arguments)).fetchall()[0][0]
    except duckdb.Error as error:
        assert "DUCKPRIV_INVALID_VALUE" in str(error), error
        assert "report this" not in str(error)
        return None


def fixed(x: float, scale: int) -> int | None:
    """round(x * 2^scale), halves to even; None for what is no number."""
    return round(Fraction(x) * (1 << scale)) if math.isfinite(x) and 0 <= scale <= 1023 else None


def as_double(n: int, scale: int) -> float:
    return float(Fraction(n, 1 << scale))


def signed(n: int) -> int:
    return (n + RING // 2) % RING - RING // 2


@quick
@given(numbers, scales)
def test_shares(con, x: float, scale: int) -> None:
    n = fixed(x, scale)
    made = value(con, "share_split($1::DOUBLE, scale := $2)", x, scale)
    whole = scale != 0 or x == n
    fits = n is not None and abs(n) < 2**63 and whole and abs(n) < 2**1024
    if made is None:
        assert not fits
        return
    assert fits
    assert (made["keep"] + made["send"]) % RING == n % RING
    pair = (made["keep"], made["send"], scale)
    assert value(con, "share_reveal($1, $2, scale := $3)", *pair) == as_double(n, scale)
    lists = value(con, "share_split_list([$1::DOUBLE, 0], scale := $2)", x, scale)
    assert (lists["keep"][0] + lists["send"][0]) % RING == n % RING


@quick
@given(numbers, scales)
def test_ring(con, x: float, scale: int) -> None:
    n = fixed(x, scale)
    made = value(con, "ring_encode([$1::DOUBLE], scale := $2)", x, scale)
    assert (made is not None) == (n is not None and abs(n) < 2**62)
    if made is not None:
        assert made == [n % RING]
        decoded = value(con, "ring_decode($1::UBIGINT[], scale := $2)", made, scale)
        assert decoded == [as_double(n, scale)]


@quick
@given(st.integers(0, RING - 1), st.integers(0, RING - 1), st.integers(0, 1023))
def test_revealing_any_shares(con, a: int, b: int, scale: int) -> None:
    expected = as_double(signed(a + b), scale)
    assert value(con, "share_reveal($1, $2, scale := $3)", a, b, scale) == expected
    assert value(con, "ring_decode([$1::UBIGINT], scale := $2)", (a + b) % RING, scale) == [
        expected
    ]


@few
@given(numbers, scales, bounds, st.integers(60, 2100))
def test_paillier_encryption(con, x: float, scale: int, bound: int, slot: int) -> None:
    n = fixed(x, scale)
    fits = n is not None and abs(n) < 2 ** min(bound, 1024) and (scale != 0 or x == n) and bound > 0
    ct = value(
        con,
        "paillier_encrypt($1::DOUBLE, 'paillier', scale := $2, bound := $3)",
        *(x, scale, bound),
    )
    assert (ct is not None) == (fits and bound < 2046)
    if ct is not None:
        assert value(con, "paillier_decrypt($1, 'paillier')", ct) == as_double(n, scale)
        assert value(con, "paillier_decrypt_share($1, 'paillier')", ct) == [n % RING]
    ct = value(
        con,
        "paillier_encrypt_list([$1::DOUBLE, 0], 'paillier', scale := $2, bound := $3, "
        "slot_bits := $4)",
        *(x, scale, bound, slot),
    )
    assert (ct is not None) == (fits and bound < slot and slot <= 2046)
    if ct is not None:
        found = value(con, "paillier_decrypt_list($1, 'paillier')", ct)
        assert found == [as_double(n, scale), 0.0]


def weight(x: float, scale: int, bound: int) -> int | None:
    n = fixed(x, scale)
    good = n is not None and 1 <= bound <= 61 and abs(n) < 2**bound and (scale != 0 or n == x)
    return n if good else None


@few
@given(
    st.integers(-(2**50), 2**50),
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6) | st.sampled_from(EDGES),
            st.integers(-1, 60),
            st.integers(0, 62),
        ),
        max_size=4,
    ),
    st.integers(54, 300),
)
def test_repeated_products(con, n: int, factors: list, slot: int) -> None:
    """The scale and the bound grow with each, and the slot does not."""
    ct = value(
        con,
        "paillier_encrypt_list([$1], 'paillier', scale := 0, bound := 52, slot_bits := $2)",
        *(float(n), slot),
    )
    scale, bound = 0, 52
    for x, more, bits in factors:
        w = weight(x, more, bits)
        ct = value(
            con,
            "he_mul($1, $2::DOUBLE, 'paillier', scale := $3, bound := $4)",
            *(ct, x, more, bits),
        )
        assert (ct is not None) == (w is not None and bound + bits < slot)
        if ct is None:
            return
        n, scale, bound = n * w, scale + more, bound + bits
    assert value(con, "paillier_decrypt_list($1, 'paillier')", ct) == [as_double(n, scale)]
    assert value(con, "paillier_decrypt_share($1, 'paillier')", ct) == [n % RING]
    split = value(con, "he_share_split($1, 'paillier')", ct)
    assert (split is not None) == (bound <= 63 and bound + 65 < slot)
    if split is not None:
        theirs = value(con, "paillier_decrypt_share($1, 'paillier')", split["send"])
        assert (theirs[0] + split["keep"][0]) % RING == n % RING


@few
@given(
    st.lists(st.sampled_from([2.0**51 - 1, 1 - 2.0**51, 0.0, 1.0]), min_size=1, max_size=9),
    st.integers(52, 60),
)
def test_sums(con, xs: list[float], slot: int) -> None:
    query = """he_sum(ct, 'paillier') FROM (SELECT
        paillier_encrypt_list([x], 'paillier', scale := 0, slot_bits := $2) AS ct
        FROM (SELECT unnest($1::DOUBLE[]) AS x))"""
    ct = value(con, query, xs, slot)
    assert (ct is not None) == (52 + (len(xs) - 1).bit_length() < slot)
    if ct is not None:
        total = sum(int(x) for x in xs)
        assert value(con, "paillier_decrypt_share($1, 'paillier')", ct) == [total % RING]


@few
@given(numbers, st.integers(0, 60), st.integers(1, 70), numbers)
def test_under_a_joint_key(con, x: float, scale: int, bound: int, y: float) -> None:
    n, m = fixed(x, scale), fixed(y, scale)
    ct = value(
        con, "joint_encrypt($1::DOUBLE, 'part1', scale := $2, bound := $3)", *(x, scale, bound)
    )
    fits = n is not None and abs(n) < 2**bound and (scale != 0 or n == x)
    assert (ct is not None) == fits
    if ct is None:
        return
    more = value(con, "he_add_plain($1, $2::DOUBLE, 'part1')", ct, y)
    assert (more is not None) == (m is not None and abs(m) < 2**bound and (scale != 0 or m == y))
    total, ct = (n, ct) if more is None else (n + m, more)
    opened = (
        "joint_decrypt(partial_decrypt(m.ct, 'part2'), 'part1', mask := m.mask) "
        "FROM (SELECT joint_mask($1, 'part1') AS m)"
    )
    assert value(con, opened, ct) == as_double(total, scale)


LARGE = [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**127 + 1, 10**30 + 1]
TAKE_A_NUMBER = [
    "paillier_encrypt({x}, 'paillier', scale := 0, bound := 200)",
    "paillier_encrypt_list({xs}, 'paillier', scale := 0, bound := 190)",
    "joint_encrypt({x}, 'part1', scale := 0, bound := 200)",
    "joint_encrypt_list({xs}, 'part1', scale := 0, bound := 120)",
    "share_split({x}, scale := 0)",
    "share_split_list({xs}, scale := 0)",
    "ring_encode({xs}, scale := 0)",
    "he_add_plain(paillier_encrypt(1, 'paillier', scale := 0, bound := 200), {x}, 'paillier')",
    "he_mul(paillier_encrypt(1, 'paillier'), {x}, 'paillier', bound := 61)",
    "he_dot([paillier_encrypt(1, 'paillier')], {xs}, 'paillier', bound := 61)",
    "lr_residual({x}, 1)",
    "lr_residual(1, {x})",
    "lr_loss({x}, 1)",
    "exact_double({x})",
    "exact_doubles({xs})",
]


@pytest.mark.parametrize("query", TAKE_A_NUMBER)
def test_integers_are_exact_or_refused(con, query: str) -> None:
    for n in LARGE:
        types = ["HUGEINT", "DECIMAL(38, 0)", "VARCHAR"] if abs(n) < 2**127 else ["VARCHAR"]
        for sql_type in types:
            x = f"'{n}'::{sql_type}"
            with pytest.raises(
                duckdb.Error, match=r"DUCKPRIV_INVALID_VALUE: .*2\^53|too large|which is no"
            ) as e:
                con.execute(f"SELECT {query.format(x=x, xs=f'[{x}]')}").fetchall()
            assert str(abs(n)) not in str(e.value)


def test_an_integer_that_is_refused_is_named_by_its_column(con) -> None:
    con.execute('CREATE TABLE m AS SELECT 1 AS id, 5 AS small, 9007199254740993 AS "large é"')
    for query in (
        "FROM matrix_rows('m', 'id')",
        "FROM matrix_rows('m', 'id', columns := 'small,large é')",
        "SELECT paillier_encrypt(\"large é\", 'paillier', scale := 0, bound := 60) FROM m",
    ):
        with pytest.raises(duckdb.Error, match="large é.* not exact as a DOUBLE"):
            con.execute(query).fetchall()


def test_plain_matrices_are_exact_or_refused(con) -> None:
    con.execute("CREATE TABLE x AS SELECT 1 AS row, [9007199254740993] AS x")
    con.execute(
        "CREATE TABLE e AS SELECT 1 AS row, "
        "paillier_encrypt_list([1], 'paillier', scale := 0, bound := 2) AS ct"
    )
    con.execute("CREATE TABLE r AS SELECT 1 AS row, joint_encrypt(1, 'part1') AS ct")
    for query in (
        "FROM he_matmul('x', 'e', 'paillier', scale := 0, bound := 60)",
        "FROM he_matmul_split('x', 'e', 'paillier', scale := 0, bound := 60)",
        "FROM lr_encrypted_gradient('r', 'x', 'part1', scale := 0, bound := 60)",
        "FROM feature_statistics('x')",
    ):
        with pytest.raises(duckdb.Error, match=r"2\^53"):
            con.execute(query).fetchall()


@pytest.mark.parametrize(
    "query, text",
    [
        ("ring_scale([2], 1.5)", "the factor has to be a whole number"),
        ("ring_scale([2], 9223372036854775808)", "the factor has to be a whole number of 64 bits"),
        ("share_mul_public(2, 1.5)", "the factor has to be a whole number"),
        ("ring_add([1.5], [1])", r"whole numbers from 0 to 2\^64"),
        ("ring_decode([1.5])", r"whole numbers from 0 to 2\^64"),
        ("share_add(1, -2)", "a share is a whole number"),
        ("share_sub(1, 2.5)", "a share is a whole number"),
        ("share_reveal(18446744073709551616, 0)", "a share is a whole number"),
        ("share_sum(1.5)", "a share is a whole number"),
        ("share_reveal(1, 0, scale := 1024)", "use 0 to 1023 fractional bits"),
        ("share_truncate([1], [1], [0], 63, true)", "cannot cut off 63 bits; use 1 to 62"),
        ("batch_key('x', 'seed', -1)", "the epoch is negative"),
        ("gaussian_noise(1, 1e308)", "from 0 to 1e300"),
        ("gaussian_noise(1, 'nan'::DOUBLE)", "from 0 to 1e300"),
        ("helper_activation([0], scale := 31)", "use 0 to 30 fractional bits"),
        (
            "helper_activation(ring_encode([29.2], scale := 40), kind := 'exp')",
            "a prediction, exp of a score",
        ),
        (
            "helper_activation(ring_encode([800], scale := 40), kind := 'exp')",
            "a prediction, exp of a score",
        ),
        (
            "helper_activation(ring_encode([2100], scale := 40), kind := 'identity')",
            "the mean loss of a batch",
        ),
        (
            "lr_residual_add(joint_encrypt(1, 'part1'), 0, 'part1', noise := 1e9)",
            "magnitudes have to be below",
        ),
    ],
)
def test_what_is_refused(con, query: str, text: str) -> None:
    with pytest.raises(duckdb.Error, match=f"DUCKPRIV_INVALID_VALUE: .*{text}"):
        con.execute(f"SELECT {query}").fetchall()


@quick
@given(
    st.lists(
        st.floats(-(2.0**23), 2.0**23, exclude_max=True)
        | st.sampled_from([0.0, 50.0, 800.0, -800.0, 28.9, -1000.0]),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["logistic", "identity", "exp"]),
)
def test_activations(con, z: list[float], kind: str) -> None:
    """Values, and loss terms whose sum is a mean, as floating point has them, or refused."""
    elements = [round(x * 2**40) % RING for x in z]
    found = value(con, "helper_activation($1::UBIGINT[], kind := $2)", elements, kind)

    def exp(x: float) -> float:
        return math.exp(x) if x < 700 else math.inf

    plain = {
        "logistic": (lambda x: 1 / (1 + exp(-x)), lambda x: max(x, 0) + math.log1p(exp(-abs(x)))),
        "identity": (lambda x: x, lambda x: x * x / 2),
        "exp": (exp, exp),
    }[kind]
    values, losses = ([f(x) for x in z] for f in plain)
    mean = sum(losses) / len(z)
    fits = max(map(abs, values)) < 2**42 and mean < 2**21
    if abs(mean - 2**21) > 1 and abs(max(values) - 2**42) > 2**10:
        assert (found is not None) == fits
    if found is not None:
        decoded = [signed(n) / 2**20 for n in found["value"]]
        assert decoded == pytest.approx(values, rel=1e-9, abs=2**-20)
        assert signed(sum(found["loss"])) / 2**40 == pytest.approx(mean, rel=1e-9, abs=2**-38)
        total = signed(sum(found["score"])) / 2**20
        assert total == pytest.approx(sum(z) / len(z), abs=len(z) * 2**-20)
    without = value(
        con, "helper_activation($1::UBIGINT[], kind := $2, with_loss := false)", elements, kind
    )
    assert (without is not None) >= (found is not None)
    assert without is None or without["loss"] == without["score"] == []


@quick
@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=2, max_size=20),
    st.sampled_from([0, 1, 10**6, -(10**12), 10**15, 2**52]),
    st.sampled_from([1.0, 2.0**-30, 2.0**400, 1e-200, 1e200]),
)
def test_statistics_of_large_and_close_numbers(
    con, xs: list[int], offset: int, unit: float
) -> None:
    """Mean and deviation as exact fractions have them, or refused; standardised numbers too."""
    numbers = [(x + offset) * unit for x in xs]
    exact = [Fraction(x) for x in numbers]
    mean = sum(exact) / len(exact)
    variance = sum((x - mean) ** 2 for x in exact) / len(exact)
    con.execute(
        "CREATE OR REPLACE TABLE m AS SELECT row_number() OVER () AS row, 1 AS id, [n] AS x "
        "FROM (SELECT unnest($1::DOUBLE[]) AS n)",
        [numbers],
    )
    standard = value(con, "list(x[1] ORDER BY row) FROM standardise('m')")
    if variance == 0 or max(map(abs, numbers)) > 1e150 or abs(unit) < 1e-150:
        assert standard is None
        return
    ((_, found, deviation),) = con.execute("FROM feature_statistics('m')").fetchall()
    spread = math.sqrt(variance)
    assert abs(Fraction(found) - mean) <= Fraction(spread) / 10**6 + abs(mean) / 2**52
    assert deviation == pytest.approx(spread, rel=1e-9)
    rounding = float(abs(mean)) / 2**51 / spread
    assert standard == pytest.approx(
        [float((x - mean) / Fraction(spread)) for x in exact], rel=1e-9, abs=1e-9 + rounding
    )


def test_a_million_numbers_far_from_0_keep_their_mean(con) -> None:
    """A plain sum of them is rounded: their mean was 4474 off, with a deviation of 0.8."""
    con.execute(
        "CREATE TABLE m AS SELECT i AS row, i AS id, [1e15 + i % 3] AS x FROM range(300000) t(i)"
    )
    ((_, mean, deviation),) = con.execute("FROM feature_statistics('m')").fetchall()
    assert mean == 10**15 + 1
    assert deviation == pytest.approx(math.sqrt(2 / 3))


@pytest.mark.parametrize(
    "x, text",
    [
        ("NULL", "not every row has a number"),
        ("'nan'", "column 1 has NaN or an infinity"),
        ("'inf'", "column 1 has NaN or an infinity"),
        ("1e200", "column 1 has NaN or an infinity, or numbers that are too large"),
    ],
)
def test_what_cannot_be_standardised(con, x: str, text: str) -> None:
    con.execute(
        "CREATE TABLE m AS SELECT i AS row, i AS id, "
        f"[CASE i WHEN 2 THEN {x}::DOUBLE ELSE i END, i] AS x FROM range(9) t(i)"
    )
    with pytest.raises(duckdb.Error, match=f"DUCKPRIV_INVALID_VALUE: {text}"):
        con.execute("FROM standardise('m')").fetchall()


def test_a_batch_needs_a_size(con) -> None:
    con.execute("CREATE TABLE people AS SELECT i AS pid FROM range(5) t(i)")
    for iteration, size in ((1, 0), (1, -2), (0, 2)):
        with pytest.raises(duckdb.Error, match="iteration and size have to be 1 at least"):
            con.execute(f"FROM batch_select('people', 'seed', {iteration}, {size})").fetchall()


def test_noise_of_the_largest_setting_does_not_end_a_training(con) -> None:
    """Factors of residuals ended at 32, which noise of deviation 10 passed in a row of 600."""
    con.execute(
        "CREATE TABLE r AS SELECT joint_encrypt(i, 'part1', bound := 32) AS ct FROM range(3) t(i)"
    )
    found = con.execute(
        "SELECT joint_decrypt(partial_decrypt(lr_residual_add(ct, 0, 'part1', noise := 126.5), "
        "'part2'), 'part1') FROM r"
    ).fetchall()
    assert sorted(x for (x,) in found) == [0, 127.5, 255]


@pytest.mark.parametrize("threshold", ["NULL", "'nan'::DOUBLE"])
def test_a_threshold_is_a_number(con, threshold: str) -> None:
    con.execute("CREATE TABLE s AS SELECT 0.5 AS score, 1 AS label")
    with pytest.raises(duckdb.Error, match="the threshold has to be a number"):
        con.execute(f"FROM confusion('s', threshold := {threshold})").fetchall()


def test_metrics_of_certain_scores_and_of_none(con) -> None:
    con.execute(
        "CREATE TABLE s AS SELECT * "
        "FROM (VALUES (0.0, 0), (1.0, 1), (1.0, 0), (0.0, 1)) t(score, label)"
    )
    assert value(con, "log_loss('s')") == pytest.approx(-math.log(1e-15) / 2, rel=1e-3)
    con.execute("DELETE FROM s WHERE score <> label")
    assert value(con, "log_loss('s')") == pytest.approx(0, abs=1e-14)
    assert value(con, "auc('s')") == 1
    con.execute("DELETE FROM s")
    assert value(con, "log_loss('s')") is None
    assert con.execute("FROM calibration('s')").fetchall() == []
    for metric in ("auc", "ks"):
        with pytest.raises(duckdb.Error, match="no label is 1"):
            con.execute(f"SELECT {metric}('s')").fetchall()
