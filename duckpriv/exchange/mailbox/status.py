"""Whether a party runs, for the peers that wait for it.

A party that runs a script writes a new status now and then. Whoever waits for it notices
when it says that it failed, and when it has gone silent.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

from ...errors import ExchangeTimeout, ProtocolError
from ..message.untrusted import parse_json

# The most bytes that a status has, and the most seconds between two signs of life.
LARGEST_STATUS = 4096
LONGEST_BEAT = 15.0
_STATES = ("running", "finished", "failed")


@dataclass(frozen=True)
class Status:
    """What a peer says of its run."""

    state: str
    every: float
    script: str | None

    @classmethod
    def from_json(cls, data: bytes | None) -> Status | None:
        """Read a peer's status; None where it is none that this program writes: whoever wrote it
        may have written anything."""
        if data is None or len(data) > LARGEST_STATUS:
            return None
        try:
            found = parse_json(data)
        except ValueError:
            return None
        if not isinstance(found, dict):
            return None
        state, every, script = (found.get(name) for name in ("state", "every", "script"))
        if state not in _STATES or not (script is None or isinstance(script, str)):
            return None
        if not isinstance(every, int | float) or not 0 < every <= LONGEST_BEAT:
            return None
        return cls(str(state), every, script)


@dataclass
class Heart:
    """A party's own status: RUNNING with a number that grows, then FINISHED or FAILED."""

    every: float
    script: str | None
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    _beats: int = 0
    _last: float = 0.0

    def due(self) -> bool:
        """Whether it is time for another sign of life."""
        return time.monotonic() - self._last >= self.every

    def status(self, state: str = "running") -> bytes:
        """Return the next status to publish."""
        self._beats += 1
        self._last = time.monotonic()
        status = {"state": state, "run": self.run, "beat": self._beats, "every": self.every}
        return json.dumps({**status, "script": self.script}).encode()


class Watch:
    """Looks at a peer's status while a message of it is awaited."""

    def __init__(
        self, peer: str, channel: str, silence: float, before: bytes | None, script: str | None
    ) -> None:
        self._peer, self._channel, self._silence, self._script = peer, channel, silence, script
        # What a failed run left before ours began says nothing of the next one, for a while.
        self._before = before
        self._last: bytes | None = None
        self._changed = time.monotonic()

    def look(self, status: bytes | None) -> None:
        """Raise ProtocolError where the peer has failed, ExchangeTimeout where it is silent."""
        now = time.monotonic()
        if status != self._last:
            self._last, self._changed = status, now
        said = Status.from_json(status)
        if said is None:
            return
        # A peer with a longer patience gives its signs more rarely.
        patience = max(self._silence, 4 * said.every)
        silent = now - self._changed > patience
        if said.state == "failed" and (status != self._before or silent):
            raise ProtocolError(
                f"{self._peer} has ended its run with an error, so its message '{self._channel}' "
                f"does not come; see what it says there. When that is mended, both run the same "
                "commands again and go on; otherwise start a new session"
            )
        if said.state == "running" and self._script and said.script == self._script:
            raise ProtocolError(
                f"{self._peer} runs {self._script} too; one of you has to run its counterpart"
            )
        if said.state == "running" and silent:
            raise ExchangeTimeout(
                f"{self._peer} has given no sign of life for {patience:g} seconds, so its "
                f"message '{self._channel}' may never come; was it killed, or its machine cut off?"
            )
