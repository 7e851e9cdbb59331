"""How many examples the slowest property tests try: few in `make test`, many in `make test-all`."""

from __future__ import annotations

import os

import pytest

THOROUGH = bool(os.environ.get("DUCKPRIV_THOROUGH"))


def examples(few: int) -> int:
    return 8 * few if THOROUGH else few


def thorough(*values: object) -> list[object]:
    """Parameters that only `make test-all` tries."""
    return list(values) if THOROUGH else []


# A test that only `make test-all` runs; `make test` has shorter ones of its kind.
takes_long = pytest.mark.skipif(not THOROUGH, reason="it takes long: make test-all")
