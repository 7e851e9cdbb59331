"""Activation functions of shared scores, from numbers that a helper deals ahead, as SQL functions.

A score z is shared in Z_2^64 at scale 40, so it is a number modulo 2^24. The helper shares a
uniform r, and of some of its multiples the cosine and the sine. The parties open d = z + r, which
is uniform whatever z is. Then a Fourier series of z,

    g(z) = c + sum over k of a_k cos(2 pi f_k (d - r)) + b_k sin(2 pi f_k (d - r)),

is linear in what was dealt, with factors that follow from d (the angle-difference formulas), so
each party computes its share of g(z) by itself. (Fourier series on shares: Zheng, Zhang, Chen et
al., "Secure Softmax/Sigmoid for Machine-learning Computation", ACSAC 2023.) The frequencies f_k are
multiples of 1 / L for a period L that is a power of two, so that r modulo L is uniform too. On part
of its period a series fits functions that are not periodic (Fourier extension: Huybrechs, SIAM J.
Numer. Anal. 47, 2010). The identity needs no series: z = d - r, where r is dealt without its last
bits.

**Rows that do not count.** What is wanted is m (g(z) - y) for a shared m of 0 or 1. The helper has
a mask a of m, for good; m - a is opened once, and a times each number is dealt too (Beaver's
triples with one factor opened ahead). b is the same for my, the shared product of m and label, in
the loss.

**Scores outside the range** would get the value of another score. So a second series of the same
numbers, the guard, is nearly 0 on the range and at least 1 everywhere beyond its margin, in the
whole ring: for that its frequencies go down to 1 / 2^24 by factors of 4. Its sum over some rows is
opened, with noise of each party, and has to be below 0.6 (sql/lr_helper/blind/step.sql).

**Errors** of a share of m (g(z) - y), in units of g:

- the fit's, at most `fitted_error`, as a function of z. The others depend on r and d, which are
  uniform. With S the root of the sum of (a_k^2 + b_k^2):
- dealt numbers are rounded to 2^-13: a deviation of S 2^-13 / sqrt(12);
- the parties' factors are rounded to what `factor` (the length of a step by rows) leaves them: to
  2^(13 - label scale) / factor, and there are 2 K of them: a deviation of sqrt(2 K / 12) of that.
  They are rounded up or down by numbers that hang together with no angle (`_dithers`). The nearest
  number would be off by something that depends on z and does not vanish in a sum over rows;
- angles are rounded to 2^-18 of a turn: less than 2 pi 2^-19 S;
- coefficients are rounded to 2^-20;
- the identity is rounded to the label's scale, up or down by chance.

What comes before the gradient's product is so short that this product fits into 64 bits without
another truncation (sql/lr_helper/blind/limits.sql).

Factors are computed with integers alone, from coefficients that one party sends to all: they
multiply shares, which are large, so all parties have to have the very same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import shake_256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import InvalidValue
from .arrays import constant
from .context import Context
from .ring import VECTOR, Vector, elements, vector

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Bits behind the point: of scores, of dealt numbers, of coefficients, and of the table of cosines.
SCORE, DEALT, COEFFICIENT, TABLE = 40, 13, 20, 22
LOSS = 28  # bits of a loss, but with the identity: twice the label's
RING = 24  # bits of the scores that the ring tells apart
# A guard's sum is over as many rows: more would add up to too much of what it has on the range.
GUARDED = 256
SHARE = pa.struct({"residual": VECTOR, "guard": VECTOR, "loss": VECTOR})
_TURN = 18  # bits of an angle
_POINTS = 4096  # of a fit
_SLICE = 1 << 15  # rows at once
_GUARD_TERMS = 16
KINDS = ("logistic", "identity", "exp")


@dataclass(frozen=True)
class Range:
    """The scores of a series: from -`size` to `size`, or for exp from -2/3 to 1/3 of it."""

    kind: str
    size: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidValue(f"the kind of model is one of {', '.join(KINDS)}")
        if self.kind == "exp" and self.size not in (6, 12, 24):
            raise InvalidValue(
                f"the range of scores is {self.size}; use 6, 12 or 24 with the kind exp"
            )
        if self.size not in [3 << i for i in range(1, 10)]:
            raise InvalidValue(
                f"the range of scores is {self.size}; use 6, 12, 24, 48, 96, 192, 384, 768 or 1536"
            )

    @cached_property
    def period(self) -> int:
        """Bits of the period. Three quarters of it are the range."""
        return (self.size * (4 if self.kind == "exp" else 8) // 3).bit_length() - 1

    @property
    def middle(self) -> float:
        """The middle of the scores."""
        return -self.size / 6 if self.kind == "exp" else 0.0

    @cached_property
    def terms(self) -> NDArray[np.uint64]:
        """Frequencies of the activation's series, times 2^24: as many as its bends need."""
        period = 1 << self.period
        count = {"logistic": max(16, period * 13 // 32), "exp": 2 * period, "identity": 0}[
            self.kind
        ]
        return np.arange(1, count + 1, dtype=np.uint64) << np.uint64(RING - self.period)

    @cached_property
    def guard(self) -> NDArray[np.uint64]:
        """Frequencies of the guard, times 2^24: multiples of 1 / L, and lower ones."""
        base = 1 << (RING - self.period)
        lower = [1 << i for i in range(0, RING - self.period - 3, 2)]
        lower += [base // 8, base // 4, base // 2]
        multiples = [base * i for i in range(1, _GUARD_TERMS + 1)]
        return np.array(multiples + lower, np.uint64)

    @cached_property
    def more(self) -> NDArray[np.uint64]:
        """Frequencies of the guard that the activation does not have."""
        return self.guard[min(len(self.terms), _GUARD_TERMS) :]

    def points(self) -> Floats:
        """Chebyshev's points, up to the guard's margin, a sixth more than the range."""
        half = 7 / 16 * (1 << self.period)
        return self.middle + half * np.cos(np.pi * (np.arange(_POINTS) + 0.5) / _POINTS)


def activation_series(context: Context, kinds: pa.Array, sizes: pa.Array) -> pa.Array:
    """Return the coefficients of the activation, the guard and the loss, one behind the other, each
    with its constant, cosines and sines, times 2^20."""
    pairs = zip(kinds.to_pylist(), sizes.to_pylist(), strict=True)
    return pa.array([_series(Range(kind, size)) for kind, size in pairs], pa.list_(pa.int64()))


@cache
def _series(range_: Range) -> Integers:
    series = [_guard(range_)]
    if range_.kind != "identity":
        series.insert(0, _fit(range_, _exact(range_.kind)))
    if range_.kind == "logistic":
        series.append(_fit(range_, lambda z: np.logaddexp(0, z)))
    return np.rint(np.ldexp(np.concatenate(series), COEFFICIENT)).astype(np.int64)


def activation_width(
    context: Context, kinds: pa.Array, sizes: pa.Array, with_loss: pa.Array
) -> pa.Array:
    """Return how many numbers are dealt for a score."""
    columns = (column.to_pylist() for column in (kinds, sizes, with_loss))
    widths = [
        sum(_layout(Range(kind, size), loss).values())
        for kind, size, loss in zip(*columns, strict=True)
    ]
    return pa.array(widths, pa.int64())


def activation_deal(
    context: Context,
    rs: pa.Array,
    masks: pa.Array,
    label_masks: pa.Array,
    kinds: pa.Array,
    sizes: pa.Array,
    label_scales: pa.Array,
    with_loss: pa.Array,
) -> pa.Array:
    """Return what is dealt for scores with the numbers r: the first number for each score, then the
    second for each, in the order of `_layout`."""
    range_, scale, loss = _settings(kinds, sizes, label_scales, with_loss)
    layout = _layout(range_, loss)
    rows = []
    for row in zip(*map(elements, (rs, masks, label_masks)), strict=True):
        r, a, b = map(vector, row)
        if not len(r) == len(a) or len(b) != (len(r) if loss else 0):
            raise InvalidValue("the random numbers of a batch do not have one length")
        dealt = np.empty((sum(layout.values()), len(r)), np.uint64)
        for part in _slices(len(r)):
            blocks = dict(_dealt(range_, scale, loss, r[part]))
            for name in layout:
                if name[:2] in ("a ", "b "):
                    blocks[name] = blocks[name[2:]] * (a if name[0] == "a" else b)[part]
            np.concatenate([blocks[name] for name in layout], out=dealt[:, part])
        rows.append(dealt.ravel())
    return pa.array(rows, VECTOR)


def activation_share(
    context: Context,
    opened: pa.Array,
    opened_masks: pa.Array,
    opened_labels: pa.Array,
    masks: pa.Array,
    labels: pa.Array,
    dealt: pa.Array,
    series: pa.Array,
    kinds: pa.Array,
    sizes: pa.Array,
    label_scales: pa.Array,
    factors: pa.Array,
    with_loss: pa.Array,
    leads: pa.Array,
) -> pa.Array:
    """Return shares of factor * m (g(z) - y) at the label's scale, of the guard's sums at scale 33,
    and of the sum of the rows' losses, at scale 28 or, for the identity, twice the label's.

    `opened` is z + r, `opened_masks` m - a, `opened_labels` my - b. The loss of a row is
    m (l(z) - y z) for l(z) = log(1 + exp(z)), z^2 / 2 or exp(z); for the identity it is doubled.
    One party leads.
    """
    range_, scale, loss = _settings(kinds, sizes, label_scales, with_loss)
    lead = bool(constant(leads, "whether this party leads"))
    layout = _layout(range_, loss)
    out: tuple[list[Vector], ...] = ([], [], [])
    vectors = map(elements, (opened, opened_masks, opened_labels, masks, labels, dealt))
    for *row, coefficients, factor in zip(
        *vectors, series.to_pylist(), factors.to_pylist(), strict=True
    ):
        d, mu, nu, m, my, numbers = map(vector, row)
        if not len(d) == len(mu) == len(m) == len(my) or len(nu) != (len(d) if loss else 0):
            raise InvalidValue("the vectors of a batch do not have one length")
        if len(numbers) != sum(layout.values()) * len(d):
            raise InvalidValue("what was dealt is not for a batch of this size, kind and range")
        whole = numbers.reshape(-1, len(d))
        known = _Series(range_, np.array(coefficients, np.int64))
        results = []
        for part in _slices(len(d)):
            blocks, first = {}, 0
            for name, count in layout.items():
                blocks[name], first = whole[first : first + count, part], first + count
            batch = _Batch(range_, scale, known, d[part], mu[part], m[part], blocks, lead)
            results.append(
                (
                    batch.value(factor) - my[part] * np.uint64(factor % (1 << 64)),
                    batch.guarded(),
                    batch.loss(my[part], nu[part]) if loss else np.zeros(0, np.uint64),
                )
            )
        residuals, guards, losses = zip(*results, strict=True)
        out[0].append(np.concatenate(residuals))
        out[1].append(np.concatenate(guards))
        out[2].append(np.sum(losses, axis=0, dtype=np.uint64))
    arrays = [pa.array(column, VECTOR) for column in out]
    return pa.StructArray.from_arrays(arrays, fields=list(SHARE))


def score_bits(kind: str, scale: int) -> int:
    """The scale of a score that meets the label: that of both together is what a loss has."""
    return scale if kind == "identity" else LOSS - scale


def fitted_error(range_: Range, series: Integers) -> float:
    """Return the largest distance of the activation from its series, up to the guard's margin."""
    z = np.linspace(range_.points().min(), range_.points().max(), _POINTS)
    fitted = np.ldexp(_basis(z, range_.terms) @ _Series(range_, series).activation, -COEFFICIENT)
    return float(np.abs(fitted - _exact(range_.kind)(z)).max())


class _Series:
    """The coefficients that `activation_series` gives, apart."""

    def __init__(self, range_: Range, coefficients: Integers) -> None:
        activation, guard = (2 * len(f) + 1 for f in (range_.terms, range_.guard))
        if range_.kind == "identity":
            activation = 0
        more = activation if range_.kind == "logistic" else 0
        if len(coefficients) != activation + guard + more:
            raise InvalidValue("the series does not have as many coefficients as its range needs")
        if len(coefficients) and np.abs(coefficients).max() >= 1 << 38:
            raise InvalidValue("the coefficients of a series are too large")
        self.activation, self.guard, self.loss = np.split(
            coefficients, [activation, activation + guard]
        )
        if range_.kind == "exp":
            self.loss = self.activation


@dataclass
class _Batch:
    """Some rows, with this party's shares of what was dealt for them."""

    range_: Range
    scale: int
    series: _Series
    d: Vector
    mu: Vector
    m: Vector
    dealt: dict[str, Vector]
    lead: bool

    def value(self, factor: int) -> Vector:
        """Shares of factor * m g(z), at the label's scale."""
        if self.range_.kind == "identity":
            return self.rounded(self.scale, self.m, self.mu, "a ") * np.uint64(factor % (1 << 64))
        return self.masked_series(self.series.activation, self.scale, factor)

    def masked_series(self, series: Integers, scale: int, factor: int) -> Vector:
        """Shares of factor * m times a series, at a scale."""
        cos = self.dealt["cos"] * self.mu + self.dealt["a cos"]
        sin = self.dealt["sin"] * self.mu + self.dealt["a sin"]
        shift = DEALT + COEFFICIENT + TABLE - scale
        u, v = _factors(self.d, self.range_.terms, series, factor, shift)
        constant_term = (int(series[0]) * factor << (DEALT + TABLE)) + (1 << shift >> 1) >> shift
        share: Vector = (u * cos + v * sin).sum(axis=0, dtype=np.uint64)
        return share + self.m * np.uint64(constant_term % (1 << 64))

    def opened_score(self, bits: int) -> tuple[Vector, Vector]:
        """Return D and S with z at scale `bits` = D - (r without its last bits) + S * (its top
        bit), rounded up or down (`ring.share_truncate`)."""
        cut = np.uint64(SCORE - bits)
        c = self.d + np.uint64(1 << 62)
        low = (c >> np.uint64(63)) == 0
        top = np.where(low, np.uint64(1) << (np.uint64(64) - cut), np.uint64(0))
        return (c >> cut) - np.uint64(1 << (62 - SCORE + bits)), top

    def rounded(self, bits: int, share: Vector, opened: Vector, name: str) -> Vector:
        """Shares of a shared number times z at scale `bits`."""
        d, s = self.opened_score(bits)
        low, top = self.dealt["low"][0], self.dealt["top"][0]
        masked_low, masked_top = self.dealt[name + "low"][0], self.dealt[name + "top"][0]
        result: Vector = share * d - (opened * low + masked_low) + s * (opened * top + masked_top)
        return result

    def guarded(self) -> Vector:
        """Shares of the guard's sums, over 256 rows each, at scale 33."""
        cos, sin = (
            np.concatenate([self.dealt[name][:_GUARD_TERMS], self.dealt["more " + name]])
            if name in self.dealt
            else self.dealt["more " + name]
            for name in ("cos", "sin")
        )
        u, v = _factors(self.d, self.range_.guard, self.series.guard, 1, TABLE)
        rows = (u * cos + v * sin).sum(axis=0, dtype=np.uint64)
        if self.lead:
            rows += np.uint64((int(self.series.guard[0]) << DEALT) % (1 << 64))
        return np.add.reduceat(rows, np.arange(0, len(rows), GUARDED), dtype=np.uint64)

    def loss(self, my: Vector, nu: Vector) -> Vector:
        """Share of the sum of the rows' losses, at the scale of label and score together."""
        bits = score_bits(self.range_.kind, self.scale)
        if self.range_.kind == "identity":
            positive = self.squared()
            negative = self.rounded(bits, my, nu, "b ") * np.uint64(2)
        else:
            positive = self.masked_series(self.series.loss, self.scale + bits, 1)
            negative = self.rounded(bits, my, nu, "b ")
        return np.atleast_1d((positive - negative).sum(dtype=np.uint64))

    def squared(self) -> Vector:
        """Shares of m z^2."""
        d, s = self.opened_score(self.scale)
        two = np.uint64(2)
        names = ("low", "top", "low low", "low top")
        low, top, low_low, low_top = (
            self.mu * self.dealt[name][0] + self.dealt["a " + name][0] for name in names
        )
        square: Vector = self.m * d * d + low_low + s * s * top
        result: Vector = square + two * (d * (s * top - low) - s * low_top)
        return result


def _layout(range_: Range, with_loss: bool) -> dict[str, int]:
    """What is dealt, by name, and how many numbers a score of each; with `a ` times the mask of m,
    with `b ` times that of my."""
    terms, more = len(range_.terms), len(range_.more)
    if range_.kind == "identity":
        layout = {"low": 1, "top": 1, "a low": 1, "a top": 1}
        if with_loss:
            layout |= {"low low": 1, "low top": 1, "a low low": 1, "a low top": 1}
    else:
        layout = {"cos": terms, "sin": terms, "a cos": terms, "a sin": terms}
        if with_loss:
            layout |= {"low": 1, "top": 1}
    if with_loss:
        layout |= {"b low": 1, "b top": 1}
    return layout | {"more cos": more, "more sin": more}


def _dealt(range_: Range, scale: int, loss: bool, r: Vector) -> Iterator[tuple[str, Vector]]:
    # The terms are multiples of the first: powers of one complex number, by products.
    first = np.broadcast_to(_on_circle(range_.terms[:1], r), (len(range_.terms), len(r)))
    for name, points in (
        ("", np.multiply.accumulate(first, axis=0)),
        ("more ", _on_circle(range_.more, r)),
    ):
        for part, numbers in (("cos", points.real), ("sin", points.imag)):
            whole = np.rint(np.ldexp(numbers, DEALT)).astype(np.int64)
            yield name + part, whole.view(np.uint64)
    if loss or range_.kind == "identity":
        low = (r >> np.uint64(SCORE - score_bits(range_.kind, scale)))[None]
        top = (r >> np.uint64(63))[None]
        yield from (("low", low), ("top", top), ("low low", low * low), ("low top", low * top))


def _on_circle(frequencies: NDArray[np.uint64], r: Vector) -> NDArray[np.complex128]:
    # 53 bits of the angle are more than a cosine of 13 bits needs.
    angles = np.multiply.outer(frequencies, r) >> np.uint64(11)
    turns = angles.astype(np.float64) * (2 * np.pi / 2.0**53)
    points: NDArray[np.complex128] = np.cos(turns) + 1j * np.sin(turns)
    return points


def _factors(
    d: Vector, frequencies: NDArray[np.uint64], series: Integers, factor: int, shift: int
) -> tuple[Vector, Vector]:
    """Return the factors of the dealt cosines and sines: times `factor`, without `shift` bits."""
    angles = np.multiply.outer(frequencies, d) >> np.uint64(64 - _TURN - 1)
    turns = ((angles + np.uint64(1)) >> np.uint64(1)).astype(np.int64) & ((1 << _TURN) - 1)
    table = _table()
    cos, sin = table[turns], table[turns - (1 << (_TURN - 2))]
    a, b = (part[:, None] for part in np.split(series[1:], 2))
    largest = int(np.abs(a).max() + np.abs(b).max()) if len(a) else 0
    # What a product of 64 bits has no room for is cut off before.
    before = max(0, (largest * abs(factor)).bit_length() + TABLE - 62)
    if before >= shift:
        raise InvalidValue(
            "a step does not fit into 64 bits: the factor is too large for its scale"
        )

    def cut(number: Integers) -> Vector:
        number = (number + (1 << before >> 1) >> before) * factor
        return (number + next(dithers) >> (shift - before)).view(np.uint64)

    dithers = _dithers(d, len(frequencies), shift - before)
    return cut(a * cos + b * sin), cut(a * sin - b * cos)


def _dithers(d: Vector, count: int, bits: int) -> Iterator[Integers]:
    """Yield the cosines' and the sines' dithers, below 2^bits, the same ones at all parties.

    They are the first bits of multiples of d by odd numbers of 64 bits. Together with an angle, the
    first bits of a multiple by a frequency, such a number is a point of a lattice without short
    vectors: for uniform d nearly uniform, whatever the angle is (Korobov's rule).
    """
    digest = shake_256(b"duckpriv/activation/dither").digest(16 * count)
    for multiples in np.frombuffer(digest, "<u8").reshape(2, count) | np.uint64(1):
        yield (np.multiply.outer(multiples, d) >> np.uint64(64 - bits)).view(np.int64)


@cache
def _table() -> Integers:
    turns = np.arange(1 << _TURN) / (1 << _TURN)
    return np.rint(np.ldexp(np.cos(2 * np.pi * turns), TABLE)).astype(np.int64)


def _exact(kind: str) -> Callable[[Floats], Floats]:
    functions: dict[str, Callable[[Floats], Floats]] = {
        "logistic": lambda z: 1 / (1 + np.exp(-z)),
        "identity": lambda z: z,
        "exp": np.exp,
    }
    return functions[kind]


def _fit(range_: Range, function: Callable[[Floats], Floats]) -> Floats:
    z = range_.points()
    basis = _basis(z, range_.terms)
    # Ridge: without it coefficients of an extension are large, and so are errors of fixed point.
    ridge = 1e-5 * np.sqrt(len(z)) * np.eye(basis.shape[1])
    values = np.append(function(z), np.zeros(basis.shape[1]))
    series: Floats = np.linalg.lstsq(np.vstack([basis, ridge]), values, rcond=None)[0]
    return series


def _guard(range_: Range) -> Floats:
    """Nearly 0 on the range, and at least 1 from the margin on, in the whole ring. Where the lowest
    frequencies alone can tell, all others are in step: near the multiples of the period."""
    period = 2.0**range_.period
    inside = np.linspace(0, 3 / 8, 400)
    near = np.arange(7 / 16, 16, 1 / 64)
    multiples = np.outer(2.0 ** np.arange(RING - range_.period), np.arange(1, 64, 2)).ravel()
    far = np.add.outer(multiples, np.arange(-32, 33) / 64).ravel()
    far = far[(far >= 7 / 16) & (far <= 2.0 ** (RING - 1 - range_.period))]
    outside = np.concatenate([near, far])
    near_margin = 30 * np.exp(-10 * (outside - 7 / 16))
    weights = np.concatenate([np.full(len(inside), 1e6), 1 + near_margin])
    frequencies = np.ldexp(range_.guard.astype(np.float64), -RING) * period
    basis = np.cos(2 * np.pi * np.outer(np.concatenate([inside, outside]), frequencies))
    basis = np.hstack([np.ones((len(basis), 1)), basis])
    target = np.where(np.arange(len(basis)) < len(inside), 0.0, 2.0)
    even = np.linalg.lstsq(basis * weights[:, None], target * weights, rcond=None)[0]
    even /= (basis[len(inside) :] @ even).min()
    turned = 2 * np.pi * frequencies * range_.middle / period
    return np.concatenate([even[:1], even[1:] * np.cos(turned), even[1:] * np.sin(turned)])


def _basis(z: Floats, frequencies: NDArray[np.uint64]) -> Floats:
    angles = 2 * np.pi * np.outer(z, np.ldexp(frequencies.astype(np.float64), -RING))
    return np.hstack([np.ones((len(z), 1)), np.cos(angles), np.sin(angles)])


def _settings(
    kinds: pa.Array, sizes: pa.Array, label_scales: pa.Array, with_loss: pa.Array
) -> tuple[Range, int, bool]:
    scale = int(constant(label_scales, "the label's scale"))
    if not 0 <= scale <= 20:
        raise InvalidValue(f"the label's scale is {scale}; use 0 to 20 fractional bits")
    range_ = Range(constant(kinds, "the kind of model"), int(constant(sizes, "the range")))
    return range_, scale, bool(constant(with_loss, "whether the loss is wanted"))


def _slices(rows: int) -> list[slice]:
    return [slice(first, first + _SLICE) for first in range(0, max(rows, 1), _SLICE)]
