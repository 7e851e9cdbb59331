"""Runs the parties of a script by the command line, kills them, and runs them again."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.endurance.tally import Fault, Tally
from tests.killed import hashes

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
# As long may a step take, and a party that was asked to end: the machine may have other work, too.
LONGEST_STEP, LONGEST_END = 600.0, 120.0
STOPPED = 130  # as the command line ends on Ctrl-C

# Errors that a user meets where a peer was killed or stopped, and the same command is the answer.
EXPECTED = re.compile(
    "has ended its run with an error|has given no sign of life|could not be used for|"
    "no message .* within"
)
OURS = re.compile(r'duckpriv/cli/__init__\.py", line \d+, in main')
WENT_ON = re.compile(r"going on after (\d+) finished statements")
SIGNALS = (signal.SIGKILL,) * 5 + (signal.SIGINT,) * 3 + (signal.SIGTERM,)


@dataclass
class Pace:
    """How long things take on this machine, now: so long is the time over which kills are drawn."""

    start: float = 1.5
    _lengths: defaultdict[str, float] = field(default_factory=lambda: defaultdict(lambda: 5.0))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def length(self, script: str) -> float:
        """Seconds that the script takes, without those in which a process starts."""
        with self._lock:
            return self._lengths[script]

    def learn(self, script: str, seconds: float) -> None:
        with self._lock:
            self._lengths[script] += 0.3 * (min(max(seconds, 0.5), 60) - self._lengths[script])


@dataclass
class Command:
    """What a party runs, again and again until it has finished."""

    me: str
    script: str
    arguments: list[str]
    sent: Path  # the folder with what it has sent: no message may ever change
    serves: bool


@dataclass
class Where:
    """Of which round and step the commands are."""

    protocol: str
    folder: Path  # for what the processes write
    environment: dict[str, str]


class Life:
    """A command's process, and those that come after it."""

    def __init__(self, command: Command, where: Where, kills: list[tuple[float, int]]) -> None:
        self.command, self.kills = command, kills
        self._where = where
        self.process: subprocess.Popen[bytes] | None = None
        self.number, self.finished = 0, False
        self.start_at, self.end_at, self.began = 0.0, 0.0, 0.0
        self.signal: int | None = None
        self.alive = 0.0
        self._sent: dict[str, str] = {}

    def start(self) -> None:
        self.number += 1
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [DUCKPRIV, *self.command.arguments],
                cwd=self._where.folder,
                env=self._where.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us alone
            )
        self.began, self.signal = time.monotonic(), None

    @property
    def output(self) -> Path:
        return self._where.folder / f"{self.command.me}-{self.number:02}.txt"

    @property
    def runs(self) -> bool:
        return self.process is not None

    def kill_if_due(self) -> None:
        assert self.process is not None
        now = time.monotonic()
        if self.signal is not None:
            if now > self.end_at:
                raise Fault("hang", f"{self.command.me} did not end on {self.name_of_signal}")
        elif self.kills and now - self.began >= self.kills[0][0]:
            _, self.signal = self.kills.pop(0)
            self.end_at = now + LONGEST_END
            self.process.send_signal(self.signal)

    @property
    def name_of_signal(self) -> str:
        return signal.Signals(self.signal).name if self.signal is not None else "no signal"

    def ended(self, tally: Tally) -> None:
        """Look at how the process has ended, and plan what comes next. Raises Fault."""
        assert self.process is not None
        code, pid = self.process.returncode, self.process.pid
        self.process = None
        self.alive += time.monotonic() - self.began
        self._check_that_nothing_is_left(pid)
        self._check_sent()
        text = self.output.read_text(errors="replace")
        for after in WENT_ON.findall(text):
            tally.place(self.command.script, int(after))
        by_signal = self.signal is not None and code in (-self.signal, STOPPED)
        if self.signal == signal.SIGINT and "Traceback" in text and not OURS.search(text):
            by_signal = True  # while Python imports us, what Ctrl-C does is not ours
        elif "Traceback" in text:
            raise Fault("crash", f"{self.command.me} ended with a traceback:\n{text}")
        if code == 0:
            self.finished = True
        elif by_signal:
            tally.add(self._where.protocol, "kills")
            tally.add(self._where.protocol, f"kills by {self.name_of_signal}")
        elif code == 1 and EXPECTED.search(text):
            tally.add(self._where.protocol, "retries")
        elif code == 1:
            ended = f"ended with an error after {self.name_of_signal}"
            raise Fault("refused", f"{self.command.me} {ended}:\n{text}")
        else:
            ended = f"ended with {code} after {self.name_of_signal}"
            raise Fault("crash", f"{self.command.me} {ended}:\n{text}")

    def _check_that_nothing_is_left(self, group: int) -> None:
        for _ in range(100):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
        raise Fault("hang", f"{self.command.me} has left processes behind")

    def _check_sent(self) -> None:
        now = hashes(self.command.sent)
        changed = [file for file, digest in self._sent.items() if now.get(file) != digest]
        if changed:
            raise Fault("wrong", f"messages that {self.command.me} sent have changed: {changed}")
        self._sent = now

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End what runs; with SIGABRT, Python writes first what each thread does."""
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def planned(choice: random.Random, most: int, length: float, start: float) -> list:
    """When a party's processes are killed, counted from the start of each, and by which signal.

    The moments are drawn over the whole run; what a process does first, until it goes on where the
    one before was killed, comes on top, and now and then the kill comes in that time.
    """
    moments = sorted(choice.uniform(0, length) for _ in range(choice.randint(1, most)))
    kills, before = [], 0.0
    for moment in moments:
        seconds = choice.uniform(0, start) if choice.random() < 0.2 else start + moment - before
        before = moment
        kills.append((seconds, choice.choice(SIGNALS)))
    return kills


@contextmanager
def _stopped_at_the_end(lives: Iterable[Life]) -> Iterator[None]:
    """Nothing goes on running; where something hangs, its output says where."""
    try:
        yield
    except Fault as fault:
        for life in lives:
            life.stop(signal.SIGABRT if fault.kind == "hang" else signal.SIGKILL)
        raise
    finally:
        for life in lives:
            life.stop()


def run_killed(
    commands: list[Command],
    where: Where,
    choice: random.Random,
    pace: Pace,
    tally: Tally,
    stopped: threading.Event,
    most: int,
) -> None:
    """Run commands at the same time, each killed `most` times at most, until all have finished.

    Raises Fault, and KeyboardInterrupt where everything is to end.
    """
    lives = [
        Life(c, where, planned(choice, most, pace.length(c.script), pace.start)) for c in commands
    ]
    for life in lives:
        life.start_at = time.monotonic() + choice.choice((0, 0, choice.uniform(0, 2)))
    began = time.monotonic()
    with _stopped_at_the_end(lives):
        while any(life.runs or not life.finished for life in lives):
            if stopped.is_set():
                raise KeyboardInterrupt
            if time.monotonic() - began > LONGEST_STEP:
                raise Fault("hang", f"not all have finished after {LONGEST_STEP:.0f} seconds")
            for life in lives:
                _go_on(life, lives, choice, tally)
            time.sleep(0.02)
    for life in lives:
        pace.learn(life.command.script, life.alive - life.number * pace.start)
    tally.add(where.protocol, "runs")


def _go_on(life: Life, lives: list[Life], choice: random.Random, tally: Tally) -> None:
    now = time.monotonic()
    if life.process is None:
        # Who serves the mailbox is needed until the others have finished.
        needed = life.command.serves and not all(one.finished for one in lives)
        if (needed or not life.finished) and now >= life.start_at:
            life.start()
    elif life.process.poll() is None:
        life.kill_if_due()
    else:
        life.ended(tally)
        life.start_at = now + choice.choice((0, 0, choice.uniform(0, 1), choice.uniform(0, 5)))
