"""What the protocols compute, on plain numbers and without cryptography."""

from __future__ import annotations

import numpy as np


def integer_product(x, w, scale: int) -> list[list[int]]:
    """The product of the rounded matrices, in Python's integers."""
    a, b = ([[round(v * 2**scale) for v in row] for row in m] for m in (x, w))
    columns = list(zip(*b, strict=True))
    return [[sum(p * q for p, q in zip(r, c, strict=True)) for c in columns] for r in a]


def standard(x: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    by = x if by is None else by
    return (x - by.mean(axis=0)) / by.std(axis=0)


def descend(
    a: np.ndarray,
    y: np.ndarray,
    present: np.ndarray,
    order: dict[int, np.ndarray],
    *,
    iterations: int,
    batch: int,
    rate: float,
    kind: str = "logistic",
    l2: float = 0.0,
    decay: float = 0.0,
) -> tuple[np.ndarray, list[float]]:
    """The algorithm in float64; `order` is the row numbers of each epoch."""
    rows = a.shape[0]
    batches = -(-rows // batch)
    w, losses = np.zeros(a.shape[1]), []
    for i in range(iterations):
        epoch, number = divmod(i, batches)
        chosen = order[epoch][np.arange(rows) * batches // rows == number]
        x, m, t = a[chosen], present[chosen], y[chosen]
        z = x @ w
        g, loss = {
            "logistic": (1 / (1 + np.exp(-z)), np.logaddexp(0, z) - t * z),
            "identity": (z, (z - t) ** 2 / 2),
            "exp": (np.exp(z), np.exp(z) - t * z),
        }[kind]
        losses.append((m * loss).sum() / len(x))
        pull = l2 * w
        pull[0] = 0
        w = w - rate / (1 + decay * i) * (x.T @ (m * (g - t)) / len(x) + pull)
    return w, losses


def descend_taylor(
    a: np.ndarray,
    y: np.ndarray,
    present: np.ndarray,
    iterations: int,
    batch: int = 10_000,
    rate: float = 0.15,
    l2: float = 0.0,
    start: np.ndarray | None = None,
    share: float = 1.0,
) -> tuple[np.ndarray, list[float], list[np.ndarray]]:
    """Gradient descent on the Taylor loss in float64; rows in the order of the batches, of which
    this share counts."""
    rows = len(a)
    batches = -(-rows // batch)
    number = np.arange(rows) * batches // rows
    w = np.zeros(a.shape[1]) if start is None else start
    shrink = np.full(a.shape[1], l2)
    shrink[0] = 0
    losses, norms = [], []
    for i in range(iterations):
        chosen = number == i % batches
        x, m = a[chosen], present[chosen]
        z = x @ w
        many = len(x) * share
        losses.append(np.log(2) + (m * ((0.5 - y[chosen]) * z + z * z / 8)).sum() / many)
        gradient = x.T @ (m * (z / 4 + 0.5 - y[chosen])) / many + shrink * w
        norms.append(gradient)
        w = w - rate * gradient
    return w, losses, norms
