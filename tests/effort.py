"""How many examples the slowest property tests try: few in `make test`, many in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

THOROUGH = bool(os.environ.get("DUCKPRIV_THOROUGH"))


def examples(few: int) -> int:
    return 8 * few if THOROUGH else few


def thorough(*values: object) -> list[object]:
    """Parameters that only `make test-all` tries."""
    return list(values) if THOROUGH else []


def some(values: Iterable[object], few: int) -> list[object]:
    """The first few of a test's parameters; `make test-all` tries all of them."""
    return list(values) if THOROUGH else list(values)[:few]


# A test that only `make test-all` runs; `make test` has shorter ones of its kind.
takes_long = pytest.mark.skipif(not THOROUGH, reason="it takes long: make test-all")
