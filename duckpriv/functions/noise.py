"""Noise for what is released."""

from __future__ import annotations

import pyarrow as pa

from ..columns.noise import noise_integer
from .declaration import Function, Parameter
from .parameters import volatile_udf

NOISE: tuple[Function, ...] = (
    Function(
        name="noise_integer",
        kind="scalar",
        parameters=(
            Parameter("x", "BIGINT", "an integer, a count for example"),
            Parameter("scale", "DOUBLE", "of the noise: how much a person adds to x, by epsilon"),
        ),
        returns="BIGINT",
        about="Adds noise of the discrete Laplace distribution, P(k) proportional to "
        "exp(-|k|/scale). Where a person adds at most s to x, scale s/epsilon is "
        "epsilon-differentially private for the person. Needs OpenDP: `duckpriv[noise]`.",
        reveals="Nothing leaves. Who sees several answers about the same people adds their "
        "epsilons.",
        example="SELECT noise_integer(120, 1 / 0.5) BETWEEN 0 AND 240 AS near",
        udfs=(volatile_udf(noise_integer, ("BIGINT", "DOUBLE"), "BIGINT", pa.int64()),),
        body="noise.sql",
        randomised=True,
    ),
)
