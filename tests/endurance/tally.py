"""What has been counted so far, and the faults."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

SIGNALS = ("SIGKILL", "SIGINT", "SIGTERM")
# A result that is not that of an unbroken run; a process that ended as none may, or not at all; a
# command that did not go on.
KINDS = ("wrong", "crash", "hang", "refused")


@dataclass(eq=False)
class Fault(Exception):
    """Something that may not be, and where: `what` is of several lines where that helps."""

    kind: str
    what: str


@dataclass
class Tally:
    """Counts for each protocol; threads may add at once."""

    started: float = field(default_factory=time.monotonic)
    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    # After how many statements of a script it was killed.
    places: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, protocol: str, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[protocol][what] += number

    def place(self, script: str, statements: int) -> None:
        with self._lock:
            self.places[script][statements] += 1

    def fault(self, protocol: str, fault: Fault, where: str) -> None:
        self.add(protocol, fault.kind)
        with self._lock:
            self.faults.append(f"{fault.kind} in {where}: {fault.what}")
        print(f"FAULT: {self.faults[-1]}", flush=True)

    def total(self, what: str) -> int:
        with self._lock:
            return sum(counts[what] for counts in self.counts.values())

    def line(self) -> str:
        """All counts in a line."""
        minutes = (time.monotonic() - self.started) / 60
        names = ("runs", "kills", "inputs", *KINDS)
        return f"{minutes:.0f} min: " + ", ".join(f"{name} {self.total(name)}" for name in names)

    def report(self) -> str:
        """A table with a line for each protocol, the places of kills, and all faults."""
        names = ("runs", "kills", "retries", "inputs", *KINDS)
        lines = [f"{'':36}" + "".join(f"{name:>9}" for name in names)]
        for protocol, counts in sorted(self.counts.items()):
            lines.append(f"{protocol:36}" + "".join(f"{counts[name]:9}" for name in names))
        lines.append(f"{'all':36}" + "".join(f"{self.total(name):9}" for name in names))
        signals = ", ".join(f"{self.total(f'kills by {name}')} by {name}" for name in SIGNALS)
        lines.append(f"kills: {signals}")
        for script, places in sorted(self.places.items()):
            lines.append(
                f"{script}: went on {places.total()} times, after {len(places)} different numbers "
                f"of statements between {min(places)} and {max(places)}"
            )
        lines += self.faults or ["no faults"]
        return "\n".join(lines)
