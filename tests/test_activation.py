"""Activation functions of shared scores, against float64 within what their analysis says."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv.columns.activation import DEALT, Range, fitted_error
from tests.effort import examples, some, takes_long

EXACT = {
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.logaddexp(0, z)),
    "identity": (lambda z: z, lambda z: z * z),
    "exp": (np.exp, np.exp),
}
# A step of 0.5 over 1,000 rows, and what it leaves for the label.
SHAPES = {
    ("logistic", 12): (0, round(0.5 / 1000 * 2**39)),
    ("logistic", 24): (0, round(0.5 / 1000 * 2**39)),
    ("exp", 12): (8, 4099),
    ("identity", 384): (9, 1031),
    ("identity", 6): (12, 4099),
    ("logistic", 96): (0, round(0.5 / 1000 * 2**39)),
}


@pytest.fixture(scope="module")
def con():
    with duckpriv.connect() as party:
        yield party.con


def uniform(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def shares(rng: np.random.Generator, numbers: np.ndarray, parties: int) -> list[np.ndarray]:
    """Additive shares, uniform but for their sum."""
    found = [uniform(rng, len(numbers)) for _ in range(parties - 1)]
    return [*found, numbers - sum(found, np.zeros(len(numbers), np.uint64))]


class Run:
    """All parties and the helper, for some scores z, labels y, and which rows count."""

    def __init__(
        self, con, kind: str, size: int, z, y, m, *, parties=3, loss=True, seed=0, shape=None
    ) -> None:
        rng = np.random.default_rng(seed)
        self.scale, self.factor = shape or SHAPES[kind, size]
        whole = np.rint(np.ldexp(z, 40)).astype(np.int64).view(np.uint64)
        m = m.astype(np.uint64)
        my = m * np.rint(np.ldexp(y, self.scale)).astype(np.int64).view(np.uint64)
        r, a, b = (uniform(rng, len(z)) for _ in range(3))
        series = con.execute("SELECT activation_series($1, $2)", [kind, size]).fetchall()[0][0]
        about = [kind, size, self.scale]
        dealt = con.execute(
            "SELECT activation_deal($1::UBIGINT[], $2::UBIGINT[], $3::UBIGINT[], $4, $5, $6, $7)",
            [r.tolist(), a.tolist(), b.tolist() if loss else [], *about, loss],
        ).fetchall()[0][0]
        self.opened = whole + r
        opened = [self.opened.tolist(), (m - a).tolist(), (my - b).tolist() if loss else []]
        self.views = []
        total: dict[str, np.ndarray] = {}
        for i, own in enumerate(
            zip(
                *(shares(rng, v, parties) for v in (m, my, np.array(dealt, np.uint64))), strict=True
            )
        ):
            (found,) = con.execute(
                "SELECT activation_share($1::UBIGINT[], $2::UBIGINT[], $3::UBIGINT[], "
                "$4::UBIGINT[], $5::UBIGINT[], $6::UBIGINT[], $7::BIGINT[], $8, $9, $10, $11, $12, "
                "$13)",
                [*opened, *(v.tolist() for v in own), series, *about, self.factor, loss, i == 1],
            ).fetchall()[0]
            self.views.append({k: np.array(v, np.uint64) for k, v in found.items()})
            for name, share in self.views[-1].items():
                total[name] = total.get(name, 0) + share
        self.residual = total["residual"].view(np.int64) / 2.0**self.scale / self.factor
        self.guard = total["guard"].view(np.int64) / 2.0**33
        loss_scale = 2 * self.scale if kind == "identity" else 28
        self.loss = total["loss"].view(np.int64) / 2.0**loss_scale
        self.series = np.array(series)


def allowed(kind: str, size: int, scale: int, factor: int, series: np.ndarray) -> float:
    """The deviation of the random errors of a row, as the module's text has it."""
    if kind == "identity":
        return 2.0**-scale
    terms = len(Range(kind, size).terms)
    amplitudes = series[1 : 2 * terms + 1] / 2.0**20
    rounding = np.sqrt((amplitudes**2).sum()) * 2.0**-DEALT / np.sqrt(12)
    cut = np.sqrt(2 * terms) * 2.0 ** (DEALT - scale) / factor / np.sqrt(12)
    angles = 2 * np.pi * 2.0**-19 * np.sqrt((amplitudes**2).sum())
    return float(np.sqrt(rounding**2 + cut**2 + angles**2))


@pytest.mark.parametrize("kind, size", some(SHAPES, 2))
def test_residuals_and_loss_are_those_of_float64(con, kind: str, size: int) -> None:
    rng = np.random.default_rng(1)
    low, high = {"exp": (-2 / 3 * size, size / 3)}.get(kind, (-size, size))
    rows = 1500
    z = np.concatenate([[low, 0, high], rng.uniform(low, high, rows - 3)])
    y = rng.integers(0, 2, rows) if kind == "logistic" else rng.uniform(0, size / 3, rows)
    scale, factor = SHAPES[kind, size]
    y = np.rint(y * 2**scale) / 2**scale
    m = rng.integers(0, 2, rows)
    run = Run(con, kind, size, z, y, m)
    value, loss = (function(z) for function in EXACT[kind])
    error = run.residual - m * (value - y)
    fit = 0 if kind == "identity" else fitted_error(Range(kind, size), run.series)
    deviation = allowed(kind, size, scale, factor, run.series)
    assert fit < 1e-3 and deviation < 0.02
    assert np.abs(error).max() < fit + 6 * deviation
    assert abs(error.mean()) < fit + 4 * deviation / np.sqrt(rows)
    expected = (m * (loss - (2 if kind == "identity" else 1) * y * z)).sum()
    assert (
        abs(run.loss[0] - expected) < rows * (fit + 1e-4) + 4 * np.sqrt(rows) * 2.0**-scale * size
    )
    assert np.abs(run.guard).max() < 0.04


@takes_long
@pytest.mark.parametrize("kind, size, z", [("logistic", 24, 0.7), ("exp", 12, -5.9)])
def test_errors_of_rows_with_one_score_vanish_in_their_sum(con, kind, size, z) -> None:
    """Also where little is left for a residual."""
    rows, scale, factor = 4000, 0, 2**15
    ones = np.ones(rows)
    run = Run(con, kind, size, ones * z, 0 * ones, ones, loss=False, shape=(scale, factor))
    error = run.residual - EXACT[kind][0](z)
    deviation = allowed(kind, size, scale, factor, run.series)
    assert deviation / 3 < error.std() < 1.1 * deviation
    fit = fitted_error(Range(kind, size), run.series)
    assert abs(error.mean()) < fit + 4.5 * error.std() / np.sqrt(rows)


@given(st.integers(0, 2**32), st.sampled_from(list(SHAPES)), st.integers(1, 4), st.booleans())
@settings(max_examples=examples(20), deadline=None)
def test_any_rows_at_any_number_of_parties(con, seed, shape, parties, loss) -> None:
    kind, size = shape
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 40))
    z = rng.normal(scale=rng.choice([0.01, 1]), size=rows).clip(-4, 2)
    y = rng.integers(0, 2, rows).astype(float)
    m = rng.integers(0, 2, rows)
    run = Run(con, kind, size, z, y, m, parties=parties, loss=loss, seed=seed)
    deviation = allowed(kind, size, run.scale, run.factor, run.series)
    error = run.residual - m * (EXACT[kind][0](z) - y)
    assert np.abs(error).max() < 1e-3 + 7 * deviation
    assert len(run.loss) == loss


def test_what_is_opened_and_a_share_alone_say_nothing(con) -> None:
    """The same for scores of 0 and of 12: uniform numbers."""
    for z in (np.zeros(1000), np.full(1000, 12.0)):
        run = Run(con, "logistic", 12, z, np.ones(1000), np.ones(1000), parties=2)
        for numbers in (run.opened, *(view["residual"] for view in run.views)):
            assert abs((numbers >> np.uint64(63)).mean() - 0.5) < 6 * 0.5 / np.sqrt(1000)
            assert len(np.unique(numbers)) == 1000


@pytest.mark.parametrize("kind, size", SHAPES)
def test_scores_outside_the_range_are_noticed(con, kind: str, size: int) -> None:
    """Whatever they are: also where all but the lowest frequencies are in step."""
    range_ = Range(kind, size)
    period, rng = 2.0**range_.period, np.random.default_rng(2)
    series = con.execute("SELECT activation_series($1, $2)", [kind, size]).fetchall()[0][0]
    guard = 2 * len(range_.guard) + 1
    begin = 0 if kind == "identity" else 2 * len(range_.terms) + 1
    constant, *rest = np.array(series[begin : begin + guard]) / 2.0**20
    even, odd = np.split(np.array(rest), 2)

    def value(z: np.ndarray) -> np.ndarray:
        angles = 2 * np.pi * np.outer(z, range_.guard / 2.0**24)
        return constant + np.cos(angles) @ even + np.sin(angles) @ odd

    octaves = np.array([2.0**i * (2 * k + 1) for i in range(20) for k in range(40)])
    near = np.linspace(-0.5, 0.5, 41)
    far = np.concatenate([np.arange(7 / 16, 40, 1 / 64), np.add.outer(octaves, near).ravel()])
    far = np.concatenate([far, 2 ** rng.uniform(-1, 19, 20_000)])
    far = far[(far >= 7 / 16) & (far * period < 2**23)]
    for sign in (1, -1):
        assert value(range_.middle + sign * far * period).min() > 0.98
    inside = range_.middle + np.linspace(-3 / 8, 3 / 8, 5000) * period
    assert 256 * np.abs(value(inside)).max() < 0.03
    for distance in (7 / 16, -0.5, 1, -4, 2.0**10 + 0.1):
        z = np.array([range_.middle + distance * period])
        run = Run(con, kind, size, z, np.zeros(1), np.ones(1), loss=False)
        assert run.guard[0] == pytest.approx(value(z)[0], abs=0.05)


@pytest.mark.parametrize(
    "call, text",
    [
        ("activation_series('logistic', 13)", "the range of scores is 13; use 6, 12"),
        ("activation_series('cubic', 12)", "one of logistic, identity, exp"),
        ("activation_deal([1], [1, 2], [], 'exp', 12, 0, false)", "do not have one length"),
        ("activation_deal([1], [1], [], 'exp', 12, 21, false)", "use 0 to 20 fractional bits"),
        (
            "activation_share([1], [1], [], [1], [1], [1, 2], activation_series('exp', 12), "
            "'exp', 12, 0, 1, false, true)",
            "is not for a batch of this size",
        ),
        (
            "activation_share([1], [1], [], [1], [1], activation_deal([1], [1], [], 'exp', 12, 0, "
            "false), [1, 2], 'exp', 12, 0, 1, false, true)",
            "as many coefficients as its range needs",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(con, call: str, text: str) -> None:
    with pytest.raises(duckdb.Error, match=text):
        con.execute(f"SELECT {call}").fetchall()
