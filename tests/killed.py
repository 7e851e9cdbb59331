"""Runs a party that is killed again and again, and started again with the same settings.

As a program: python -m tests.killed FILE, where FILE is JSON: what `connect` takes, the script, its
settings, and when to kill. Each attempt is a fork, so that modules are loaded once.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

import duckpriv
from duckpriv.exchange.mailbox.outbox import Outbox
from duckpriv.journal import Journal

# Where in a statement the process dies.
MOMENTS = ("before", "not committed", "committed", "between deliveries", "done")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    """Kills this process once at each moment of each statement, as `moments` has it."""

    def __init__(self, notes: Path, moments: list[str], per_statement: float) -> None:
        self.notes, self.moments, self.per_statement = notes, moments, per_statement
        self.died = set(notes.read_text().splitlines()) if notes.exists() else set()
        self.statement = ""

    def at(self, moment: str) -> None:
        if (
            self.statement
            and moment in self.chosen()
            and (note := f"{self.statement} {moment}") not in self.died
        ):
            with self.notes.open("a") as file:
                file.write(note + "\n")
            die()

    def chosen(self) -> list[str]:
        """Of the whole part of `per_statement` moments, and one more as often as its rest says."""
        choice = random.Random(self.statement)
        number = int(self.per_statement + choice.random())
        return choice.sample(self.moments, number)

    def install(self) -> None:
        execute, note, deliver = Journal.execute, Journal._note, Outbox.deliver

        def executing(journal, position, statement, rows_of):
            self.statement = f"{position.part}/{position.round}/{position.statement}"
            self.at("before")
            rows = execute(journal, position, statement, rows_of)
            self.at("done")
            self.statement = ""
            return rows

        def noting(journal, *what):
            note(journal, *what)
            self.at("not committed")

        def delivering(outbox):
            # Who dies at one of these two does not come to the other: what is committed is not run
            # again.
            if outbox._committed and random.Random(self.statement).random() < 0.5:
                first = outbox._committed[0]
                outbox._mailbox.publish(first.manifest, first.content)
                self.at("between deliveries")
            else:
                self.at("committed")
            deliver(outbox)

        Journal.execute, Journal._note, Outbox.deliver = executing, noting, delivering


def attempt(task: dict) -> None:
    """Run the party once, in this process."""
    if task.get("moments"):
        Killer(Path(task["notes"]), task["moments"], task["per_statement"]).install()
    if seconds := task.get("seconds"):  # in which it dies, some time
        threading.Timer(random.uniform(*seconds), die).start()
    with duckpriv.connect(**task["connect"]) as party:
        party.run(task["script"], **task["settings"])


def hashes(folder: Path) -> dict[str, str]:
    """What was sent: no message may ever change."""
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.glob("*/*.*")
        if not file.name.startswith(".")
    }


def main(task: dict) -> None:
    sent = Path(task["sent"])
    before: dict[str, str] = {}
    deaths = 0
    while True:
        if deaths >= task.get("deaths", 10**6):
            task = {**task, "seconds": None}
        child = os.fork()
        if child == 0:
            try:
                attempt(task)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        now = hashes(sent)
        changed = [file for file, digest in before.items() if now.get(file) != digest]
        if changed:
            sys.exit(f"messages changed: {changed}")
        before = now
        if not os.WIFSIGNALED(status):
            print(json.dumps({"deaths": deaths, "status": os.WEXITSTATUS(status)}))
            sys.exit(os.WEXITSTATUS(status))
        deaths += 1


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
