"""Whether a party runs, for the peers that wait for it.

A party that runs a script writes a new status now and then. Whoever waits for it notices
when it says that it failed, and when it has gone silent.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

from ..errors import ExchangeTimeout, ProtocolError


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
        parsed = _parsed(status)
        state, every = parsed.get("state"), parsed.get("every")
        # A peer with a longer patience gives its signs more rarely.
        patience = max(self._silence, 4 * every if isinstance(every, int | float) else 0)
        silent = now - self._changed > patience
        if state == "failed" and (status != self._before or silent):
            raise ProtocolError(
                f"{self._peer} has ended its run with an error, so its message '{self._channel}' "
                f"does not come; see what it says there. When that is mended, both run the same "
                "commands again and go on; otherwise start a new session"
            )
        if state == "running" and self._script and parsed.get("script") == self._script:
            raise ProtocolError(
                f"{self._peer} runs {self._script} too; one of you has to run its counterpart"
            )
        if state == "running" and silent:
            raise ExchangeTimeout(
                f"{self._peer} has given no sign of life for {patience:g} seconds, so its "
                f"message '{self._channel}' may never come; was it killed, or its machine cut off?"
            )


def state_of(status: bytes | None) -> object:
    """Return the state that a peer's status tells, or None."""
    return _parsed(status).get("state")


def _parsed(status: bytes | None) -> dict[str, object]:
    """Read a peer's status: it may have written anything."""
    try:
        parsed = json.loads(status or b"null")
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
