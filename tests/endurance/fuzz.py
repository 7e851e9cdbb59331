"""Changed bytes for every parser, in a process of its own: see `tests/parsers.py`.

As a program: python -m tests.endurance.fuzz FOLDER SEED tries inputs until it is ended, and prints
lines of JSON: what it has tried, and the inputs that were not refused as they should be. The input
that it tries stands in a file in FOLDER (`tried`), also when the process dies of it. With a third
argument, PARSER:FILE, it tries that input alone, with the keys in FOLDER.
"""

from __future__ import annotations

import json
import mmap
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from duckpriv import Keyring
from tests.bombs import LIMIT
from tests.endurance.mutation import mutated
from tests.keys import fill, joint_key, rsa_key
from tests.parsers import Parser, all_parsers

TOLD_EVERY = 5.0  # seconds
SLICE = 0.2  # seconds for a parser at a time: some are a thousand times as quick as others
GROWTH = 200 << 10  # kB that reading a small input may take at most
TRIED, NAME = "tried", "parser"  # the files
LARGEST = 1 << 20


def tried(folder: Path) -> bytes:
    """Return the input that was tried last."""
    data = (folder / TRIED).read_bytes()
    return data[8 : 8 + int.from_bytes(data[:8], "big")]


def peak() -> int:
    """The most memory that this process had, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


class Fuzzing:
    """Tries inputs and counts them."""

    def __init__(self, folder: Path, seed: str) -> None:
        self._folder = folder
        self._choice = random.Random(seed)
        self._counts: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._told = time.monotonic()
        self._peak = peak()
        (folder / TRIED).write_bytes(bytes(LARGEST))
        with (folder / TRIED).open("r+b") as file:
            self._tried = mmap.mmap(file.fileno(), LARGEST)

    def slice(self, name: str, parser: Parser) -> None:
        """Try inputs of a parser for a moment."""
        (self._folder / NAME).write_text(name)
        until = time.monotonic() + SLICE
        while time.monotonic() < until:
            self.try_one(name, parser, mutated(self._choice, parser.starts))
        if time.monotonic() - self._told > TOLD_EVERY:
            self.tell()

    def try_one(self, name: str, parser: Parser, data: bytes) -> None:
        self._tried[: 8 + len(data)] = len(data).to_bytes(8, "big") + data
        self._counts[name] += 1
        try:
            self._accepted[name] += parser.accepts(data)
        except Exception as error:
            kind = "wrong" if isinstance(error, AssertionError) else "crash"
            tell(fault=name, kind=kind, input=data.hex(), what=traceback.format_exc())
        before, self._peak = self._peak, peak()
        if (grown := self._peak - before) > GROWTH:
            tell(fault=name, kind="crash", input=data.hex(), what=f"it took {grown >> 10} MB")

    def tell(self) -> None:
        tell(counts=self._counts, accepted=self._accepted)
        self._counts.clear()
        self._accepted.clear()
        self._told = time.monotonic()


def main(folder: Path, seed: str, again: str | None = None) -> None:
    keyring = Keyring(folder / "keys")
    if not keyring.path.exists():
        with tempfile.TemporaryDirectory() as temporary:
            fill(keyring, rsa_key(), joint_key(Path(temporary)))
    with tempfile.TemporaryDirectory() as temporary:
        parsers = all_parsers(Path(temporary), keyring)
        limit = LIMIT + mmap.PAGESIZE * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for parser in parsers.values():  # what they load is not the first input's
            for start in parser.starts:
                parser.accepts(start)
        fuzzing = Fuzzing(folder, seed)
        if again is not None:
            name, _, file = again.partition(":")
            fuzzing.try_one(name, parsers[name], Path(file).read_bytes())
            fuzzing.tell()
            return
        while True:
            for name, parser in parsers.items():
                fuzzing.slice(name, parser)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
