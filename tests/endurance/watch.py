"""Watches the process that fuzzes: counts what it tries, and keeps what it dies of."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.endurance.fuzz import NAME, tried
from tests.endurance.tally import Fault, Tally

# It tells every few seconds what it has tried; the machine may have other work, too.
LONGEST_SILENCE = 120.0
MOST_ALIKE = 3  # faults of one kind whose inputs are kept
REPOSITORY = Path(__file__).parent.parent.parent


class Fuzzer:
    """Runs fuzzing processes one after the other, each until it dies or hangs."""

    def __init__(self, seed: int, folder: Path, kept: Path, tally: Tally) -> None:
        self._seed, self._folder, self._kept, self._tally = seed, folder, kept, tally
        self._number, self._starts = 0, True
        self._seen: Counter[tuple[str, str, str]] = Counter()
        folder.mkdir()
        (folder / "tmp").mkdir()

    def run(self, over: Callable[[], bool]) -> None:
        while self._starts and not over():
            self._number += 1
            self._watch(f"{self._seed}/{self._number}", over)

    def _watch(self, seed: str, over: Callable[[], bool]) -> None:
        errors = self._folder / "errors.txt"
        with errors.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.endurance.fuzz", str(self._folder), seed],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "TMPDIR": str(self._folder / "tmp"),
                    "PYTHONFAULTHANDLER": "1",
                },
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        told: queue.Queue[str] = queue.Queue()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                told.put(line)
            told.put("")

        reader = threading.Thread(target=read)
        reader.start()
        try:
            waited = 0.0
            while not over():
                try:
                    line = told.get(timeout=1)
                except queue.Empty:
                    waited += 1
                    if waited > LONGEST_SILENCE:
                        self._fault("hang", seed, f"no answer in {LONGEST_SILENCE:g} seconds")
                        return
                    continue
                waited = 0.0
                if not line:
                    code = process.wait()
                    text = f"it ended with {code}:\n{errors.read_text(errors='replace')}"
                    self._fault("crash", seed, text)
                    return
                self._count(json.loads(line), seed)
        finally:
            process.kill()
            process.wait()
            reader.join()

    def _count(self, told: dict, seed: str) -> None:
        for name, number in told.get("counts", {}).items():
            self._tally.add(f"fuzz: {name}", "inputs", number)
        for name, number in told.get("accepted", {}).items():
            self._tally.add(f"fuzz: {name}", "accepted", number)
        if "fault" in told:
            self._keep(
                told["kind"], told["fault"], bytes.fromhex(told["input"]), seed, told["what"]
            )

    def _fault(self, kind: str, seed: str, what: str) -> None:
        """Of the whole process: at what it tried last, or at its start, and then it is over."""
        name = self._folder / NAME
        self._starts = name.exists()
        if not self._starts:
            self._tally.fault("fuzz", Fault(kind, what), f"the start of fuzzing, seed {seed}")
            return
        self._keep(kind, name.read_text(), tried(self._folder), seed, what)

    def _keep(self, kind: str, name: str, data: bytes, seed: str, what: str) -> None:
        alike = (kind, name, what.strip().splitlines()[-1])
        self._seen[alike] += 1
        if self._seen[alike] > MOST_ALIKE:
            self._tally.add(f"fuzz: {name}", kind)
            return
        folder = self._kept / f"fuzz-{len(self._tally.faults) + 1}"
        shutil.copytree(self._folder / "keys", folder / "keys")
        file = folder / "input"
        file.write_bytes(data)
        again = f"python -m tests.endurance.fuzz {folder} {seed} '{name}:{file}'"
        where = f"parser '{name}' of seed {seed}; {again}"
        self._tally.fault(f"fuzz: {name}", Fault(kind, what), where)
