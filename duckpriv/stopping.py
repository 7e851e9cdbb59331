"""Whether the work that this thread does is to stop.

Long work calls `check` now and then. What it does is set where a function of SQL begins, so that
the layers below need to know nothing of parties and statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("duckpriv_stopping", default=None)


def check() -> None:
    """Raise what the check of this thread's work raises, where it is to stop."""
    found = _CHECK.get()
    if found is not None:
        found()


@contextmanager
def by(check_: Callable[[], None]) -> Iterator[None]:
    """Within this, `check` calls `check_`."""
    token = _CHECK.set(check_)
    try:
        yield
    finally:
        _CHECK.reset(token)
