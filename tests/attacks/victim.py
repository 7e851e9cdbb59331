"""Runs a script as one party, in a process of its own whose memory is limited, and prints as JSON
how it ended and how much memory it took. Arguments: folder, name, script, NAME=VALUE …"""

from __future__ import annotations

import json
import mmap
import resource
import sys
import time
from pathlib import Path

from tests.bombs import peak
from tests.parties import Folder

LIMIT = 2 << 30  # of address space, beyond what the libraries take


def main() -> None:
    folder, me, script, *settings = sys.argv[1:]
    with Folder(Path(folder)).connect(me, "s1", timeout=60) as party:
        limit = LIMIT + mmap.PAGESIZE * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        party.con.execute("SET enable_progress_bar = false")  # it would write where we do
        before, started, outcome = peak(reset=True), time.monotonic(), "finished"
        try:
            party.run(script, **dict(setting.split("=", 1) for setting in settings))
        except Exception as error:
            outcome = str(error)
        grown, seconds = peak() - before, time.monotonic() - started
    print(json.dumps({"outcome": outcome, "mb": grown >> 10, "seconds": seconds}))


if __name__ == "__main__":
    main()
