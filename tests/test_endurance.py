"""That `make endurance` runs, counts, and finds what is wrong; for hours it runs by hand."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import pytest

from duckpriv import DuckprivError
from tests.effort import takes_long
from tests.endurance import lives, rounds
from tests.endurance.fuzz import Fuzzing
from tests.endurance.lives import Pace
from tests.endurance.protocols import PROTOCOLS, Step, same
from tests.endurance.rounds import Endurance
from tests.endurance.tally import Tally
from tests.parsers import TEXTS, Parser


@pytest.fixture
def endurance(tmp_path: Path, monkeypatch) -> Endurance:
    monkeypatch.setattr(rounds, "EXCHANGES", ("dir",))
    monkeypatch.setattr(rounds, "PROTOCOLS", {"psi": PROTOCOLS["psi"]})
    (tmp_path / "rounds").mkdir()
    return Endurance(
        7, tmp_path / "rounds", tmp_path / "kept", Tally(), Pace(), threading.Event(), most_kills=1
    )


@takes_long
def test_a_round_is_killed_and_right(endurance, monkeypatch) -> None:
    monkeypatch.setattr(lives, "planned", lambda *_: [(0.3, signal.SIGKILL)])
    endurance.round(0)
    assert endurance.tally.faults == []
    assert endurance.tally.total("runs") == 1
    assert endurance.tally.total("kills") == 2
    assert list(endurance.temporary.iterdir()) == []


@takes_long
def test_a_wrong_result_and_an_error_are_found_and_kept(endurance, monkeypatch) -> None:
    def wrong(folder, choice):
        (step,) = PROTOCOLS["psi"](folder, choice)
        yield Step("s1", step.scripts, lambda: same(1, 2))

    def refused(folder, choice):
        (step,) = PROTOCOLS["psi"](folder, choice)
        script, settings = step.scripts["host"]
        yield Step(
            "s1", {"host": (script, {**settings, "scheme": "rsa", "bits": 1024})}, lambda: None
        )

    monkeypatch.setattr(lives, "planned", lambda *_: [])
    for number, steps in enumerate((wrong, refused)):
        monkeypatch.setattr(rounds, "PROTOCOLS", {"psi": steps})
        endurance.round(number)
    first, second = endurance.tally.faults
    assert first.startswith("wrong in round 0 of seed 7")
    assert second.startswith("refused in round 1 of seed 7")
    assert "1024 bits" in second
    assert sorted(f.name for f in endurance.kept.iterdir()) == ["round-0", "round-1"]


def test_every_moment_of_a_run_can_be_one_of_a_kill() -> None:
    moments = [lives.planned(random.Random(i), 4, 10.0, 2.0) for i in range(200)]
    first = [kills[0][0] for kills in moments]
    assert min(first) < 0.5
    assert max(first) > 9
    assert {number for kills in moments for _, number in kills} == set(lives.SIGNALS)


def test_fuzzing_tells_what_is_not_refused(tmp_path: Path, capsys) -> None:
    def read(data: bytes) -> None:
        if data == b"bad":
            raise IndexError
        raise DuckprivError("refused")

    fuzzing = Fuzzing(tmp_path, "1")
    for data in (b"good", b"bad"):
        fuzzing.try_one("mine", Parser([b"good"], read), data)
    assert '"input": "626164"' in capsys.readouterr().out
    for name, parser in TEXTS.items():
        fuzzing.slice(name, parser)
    fuzzing.tell()
    assert "fault" not in capsys.readouterr().out
