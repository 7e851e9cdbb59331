from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is baseline / value: of times, how many times less than the baseline; of
    rates, how many times the baseline is faster."""

    name: str
    value: float
    unit: str
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.baseline is None else self.baseline / self.value

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio}
