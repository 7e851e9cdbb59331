"""A round: a protocol on tables of its own, over an exchange, with kills; all is compared."""

from __future__ import annotations

import os
import random
import shutil
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from examples.introduction import introduce
from tests.endurance.lives import Command, Pace, Where, run_killed
from tests.endurance.protocols import PROTOCOLS, Step
from tests.endurance.tally import Fault, Tally
from tests.network import free_port
from tests.parties import Folder, assert_nothing_left, check_receivers

EXCHANGES = ("dir", "grpc+tls")
PARTIES = ("host", "guest", "guest1", "guest2", "helper", "assistant", "left", "right")


@dataclass
class Endurance:
    """What all rounds have in common."""

    seed: int
    temporary: Path
    kept: Path  # for what shows a fault
    tally: Tally
    pace: Pace
    stopped: threading.Event
    most_kills: int = 5  # of a party in a step

    def round(self, number: int) -> None:
        """Run a round. What it does follows from the seed and its number, but for the moments of
        kills, which follow from the machine, too."""
        choice, kills = (random.Random(f"{self.seed}/{number}{what}") for what in ("", "/kills"))
        kinds = [(protocol, exchange) for protocol in PROTOCOLS for exchange in EXCHANGES]
        order = random.Random(f"{self.seed}/{number // len(kinds)}")
        protocol, exchange = order.sample(kinds, len(kinds))[number % len(kinds)]
        name, folder = f"{protocol} over {exchange}", self.temporary / f"round-{number}"
        where = f"round {number} of seed {self.seed} ({name})"
        folder.mkdir()
        try:
            self._run(name, protocol, exchange, folder, choice, kills)
        except Fault as fault:
            shutil.copytree(folder, self.kept / folder.name)
            self.tally.fault(name, fault, f"{where}, kept in {self.kept / folder.name}")
        finally:
            shutil.rmtree(folder)

    def _run(
        self,
        name: str,
        protocol: str,
        exchange: str,
        base: Path,
        choice: random.Random,
        kills: random.Random,
    ) -> None:
        folder, temporary = Folder(base), base / "tmp"
        temporary.mkdir()
        # A hang says where it is.
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONFAULTHANDLER": "1"}
        protected = exchange != "dir" or choice.random() < 0.5
        if protected:
            introduce(base, *PARTIES)
        for step in PROTOCOLS[protocol](folder, choice):
            texts = base / f"output-{step.session}"
            texts.mkdir()
            commands = list(self._commands(step, exchange, protected, base, choice))
            run_killed(
                commands,
                Where(name, texts, environment),
                kills,
                self.pace,
                self.tally,
                self.stopped,
                self.most_kills,
            )
            try:
                step.check()
                check_receivers(base, step.session, step.scripts)
                for me in step.scripts:
                    assert_nothing_left(folder, me)
                    query = "SELECT session, direction, peer, channel FROM duckpriv_audit"
                    moved = folder.query(me, query)
                    assert len(moved) == len(set(moved)), "a message is noted twice"
            except Exception as error:
                raise Fault("wrong", f"{step.session}: {_explained(error)}") from error

    def _commands(
        self, step: Step, exchange: str, protected: bool, base: Path, choice: random.Random
    ) -> Iterator[Command]:
        server = choice.choice(list(step.scripts)) if exchange != "dir" else None
        address, mailbox = f"grpc+tls://localhost:{free_port()}", f"dir:{base / 'mailbox'}"
        silence = choice.choice((5, 20, 60))
        for me, (script, settings) in step.scripts.items():
            arguments = [
                *("run", script, "--me", me, "--db", str(base / f"{me}.duckdb")),
                *("--keyring", str(base / f"{me}.keys"), "--session", step.session),
                *("--exchange", mailbox if server in (None, me) else address),
                *("--timeout", "300", "--silence", str(silence)),
            ]
            if server == me:
                arguments += ["--serve", address]
            if not protected:
                arguments.append("--unprotected")
            for setting, value in settings.items():
                arguments += ["--set", f"{setting}={value}"]
            sent = base / "mailbox" / step.session / me
            yield Command(me, script, arguments, sent, server == me)


def _explained(error: Exception) -> str:
    """The error, and where in the checks it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    places = ", ".join(f"{frame.name}: {frame.line}" for frame in frames[-3:])
    return f"{type(error).__name__} {error} ({places})"
