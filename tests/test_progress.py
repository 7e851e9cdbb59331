"""What is shown while a script runs."""

from __future__ import annotations

import io
from io import StringIO

import pytest
from rich.console import Console

from duckpriv import progress
from duckpriv.columns import context
from duckpriv.columns.context import Activity
from duckpriv.progress import Progress
from duckpriv.scripts import Statement

STATEMENT = Statement("SELECT 1", "message 2: our ids, blinded", True)


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def shown(monkeypatch):
    """Return a function that shows an activity `seconds` after the statement began."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(context, "time", clock)

    def show(activity: Activity, seconds: float, terminal: bool = False) -> str:
        output = StringIO()
        console = Console(file=output, force_terminal=terminal, width=120)
        with Progress(console, activity) as bar:
            bar.start(STATEMENT)
            clock.now += seconds
            bar.tick()
            if terminal:
                return bar._status.status.plain
        return output.getvalue().strip()

    return show


def test_rows_rate_and_time_left(shown) -> None:
    activity = Activity()
    activity.done("rsa_blind", 3000, 2.0)
    activity.done("psi_id", 4000, 0.1)
    activity.done("exchange_stage", 3000, 9.0)
    activity.expected_rows = 12_000
    expected = (
        "message 2: our ids, blinded · rsa_blind: 3,000 rows, 200/s, 45 s left of 12,000 rows"
    )
    assert shown(activity, 15) == expected
    assert shown(activity, 15, terminal=True) == expected


def test_no_time_left_where_the_number_of_rows_is_unknown(shown) -> None:
    activity = Activity()
    activity.done("rsa_blind", 3000, 2.0)
    assert shown(activity, 15).endswith("rsa_blind: 3,000 rows, 200/s")


def test_waiting_names_for_whom_what_and_how_long(shown) -> None:
    activity = Activity()
    activity.wait_for("message 'psi/key' from bank")
    assert shown(activity, 65).endswith("waiting for message 'psi/key' from bank, 65 s")


def test_a_line_only_every_ten_seconds_where_there_is_no_terminal(shown) -> None:
    assert shown(Activity(), 9) == ""


def test_control_characters_and_markup_in_a_title_are_shown_as_they_are(shown) -> None:
    activity = Activity()
    activity.wait_for("message '[/red]x' from bank")
    assert "[/red]x" in shown(activity, 10)
    assert "[/red]x" in shown(activity, 10, terminal=True)


def test_a_new_statement_forgets_the_one_before() -> None:
    activity = Activity()
    activity.done("rsa_blind", 3000, 2.0)
    activity.start_statement()
    assert activity.slowest(without=frozenset()) is None


def test_a_terminal_without_unicode_has_another_spinner() -> None:
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    console = Console(file=file, force_terminal=True, legacy_windows=False)
    with Progress(console, Activity()):
        console.print("done")
    file.flush()
    assert b"starting" in file.buffer.getvalue()
