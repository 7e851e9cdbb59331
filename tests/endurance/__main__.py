"""python -m tests.endurance MINUTES [--seed N]: `make endurance MINUTES=60 SEED=1`.

Rounds until the minutes are over, one at each core: parties of the bundled protocols run by the
command line, are killed at random moments, and the same commands are given again; the results have
to be those of an unbroken run. Beside them, a process gives every parser damaged bytes. What shows
a fault is kept in build/endurance, and the exit code says whether there was any.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.endurance.lives import DUCKPRIV, Pace
from tests.endurance.rounds import Endurance
from tests.endurance.tally import Tally
from tests.endurance.watch import Fuzzer

KEPT = Path(__file__).parent.parent.parent / "build" / "endurance"
EVERY = 60.0  # seconds between two lines of progress


def main(minutes: float, seed: int, jobs: int) -> int:
    # In a process that a shell has started in the background, SIGINT is ignored, and the processes
    # that we start would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"{minutes:g} minutes, seed {seed}", flush=True)
    began = time.monotonic()
    subprocess.run([DUCKPRIV, "--help"], check=True, stdout=subprocess.DEVNULL)
    pace = Pace(start=2 * (time.monotonic() - began))
    tally = Tally()
    kept = KEPT / f"{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    with tempfile.TemporaryDirectory(prefix="duckpriv-endurance-") as temporary:
        endurance = Endurance(seed, Path(temporary), kept, tally, pace, threading.Event())
        fuzzer = Fuzzer(seed, Path(temporary) / "fuzz", kept, tally)
        numbers = iter(range(10**9))
        failed: list[BaseException] = []

        def over() -> bool:
            return time.monotonic() - began > 60 * minutes or endurance.stopped.is_set()

        def rounds() -> None:
            while not over():
                endurance.round(next(numbers))

        def work(what: Callable[[], None]) -> None:
            try:
                what()
            except BaseException as error:
                if not endurance.stopped.is_set():
                    failed.append(error)
                    endurance.stopped.set()

        todo = [partial(fuzzer.run, over), *[rounds] * jobs]
        threads = [threading.Thread(target=work, args=(what,)) for what in todo]
        for thread in threads:
            thread.start()
        try:
            told = began
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.2)
                if time.monotonic() - told > EVERY:
                    told = time.monotonic()
                    print(tally.line(), flush=True)
        except KeyboardInterrupt:
            print("stopped", flush=True)
            endurance.stopped.set()
        for thread in threads:
            thread.join()
    print(tally.report(), flush=True)
    if failed:
        raise failed[0]
    return 1 if tally.faults else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rounds at a time")
    options = parser.parse_args()
    sys.exit(main(options.minutes, options.seed, options.jobs))
