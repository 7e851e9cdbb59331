"""How many examples the slowest property tests try: few in `make test`, many in `make test-all`."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("DUCKPRIV_THOROUGH"))


def examples(few: int) -> int:
    return 8 * few if THOROUGH else few
