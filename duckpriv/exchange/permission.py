"""Which messages may begin: those of the script's statement that runs, or those that stand in a
statement that somebody wrote by hand.

A view or a macro in the database, or a text that is run as SQL, may send as well. So each message
needs an `exchange_send` of its own in the statement itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..columns.context import Running
from ..errors import InvalidValue, NotAccepted
from ..sends import Send, typed

LONGEST_PARAMETERS = 200
_PROTOCOL = re.compile("[a-z0-9/_.-]{0,64}")
_PARAMETERS = re.compile(f"[ -~]{{0,{LONGEST_PARAMETERS}}}")


class Permission:
    """Lets messages begin. Safe for DuckDB's threads."""

    def __init__(self) -> None:
        self._script: _Allowance | None = None
        self._by_hand: dict[int, _Allowance] = {}  # by the number of a query
        self._lock = threading.Lock()

    @contextmanager
    def only(self, sends: Iterable[Send]) -> Iterator[None]:
        """Let these begin, each once, and nothing else, whoever asks for it."""
        before, self._script = self._script, _Allowance(sends)
        try:
            yield
        finally:
            self._script = before

    def check(
        self,
        receivers: tuple[str, ...],
        channel: str,
        query: str,
        settings: tuple[str, str],
        running: Running,
    ) -> Send:
        """Return what lets a message begin. Raises NotAccepted, InvalidValue."""
        protocol, parameters = settings
        if not (_PROTOCOL.fullmatch(protocol) and _PARAMETERS.fullmatch(parameters)):
            raise InvalidValue(
                "duckpriv_protocol takes at most 64 of a-z, 0-9 and '/_.-', and "
                f"duckpriv_parameters {LONGEST_PARAMETERS} plain characters: who carries a "
                "message can read them"
            )
        with self._lock:
            allowance = self._script or self._by_hand.get(running.number)
            if allowance is None:
                allowance = self._by_hand[running.number] = _Allowance(typed(running.text))
            send = allowance.take(receivers, channel, query)
        what = f"a message '{channel}' to {', '.join(receivers)}"
        if send is None:
            may = "; ".join(map(_shown, allowance.sends)) or "nothing"
            if self._script is None:
                raise NotAccepted(
                    f"{what} would be sent, and the statement that runs does not say so: it sends "
                    f"{may}. Write exchange_send with this receiver and channel into the statement "
                    "itself; what a view, a macro or a text sends is not let out"
                )
            raise NotAccepted(
                f"{what} would be sent, and it is not what was shown before the run: here the "
                f"script may send {may}. Name receiver and channel in the script, or give the "
                "receiver as its peer; look for what sends in views and macros that it uses"
            )
        along = f"{protocol} {parameters}"
        if send.settings is not None and not any(form.matches(along) for form in send.settings):
            raise NotAccepted(
                f"{what} would be sent with other duckpriv_protocol and duckpriv_parameters than "
                f"were shown before the run ({'; '.join(map(str, send.settings))}): make them of "
                "texts, of settings that the script declares, and of numbers up to 9 digits"
            )
        return send


class _Allowance:
    """What one statement may send: each of `sends` once, however often DuckDB reads the
    statement."""

    def __init__(self, sends: Iterable[Send]) -> None:
        self.sends = list(sends)
        # What says more has to be left for what it says.
        self._left = sorted(self.sends, key=lambda s: (s.receivers is None, s.channel is None))
        self._taken: dict[tuple[tuple[str, ...], str, str], Send] = {}

    def take(self, receivers: tuple[str, ...], channel: str, query: str) -> Send | None:
        key = receivers, channel, query
        if key not in self._taken:
            for send in self._left:
                if send.allows(receivers, channel):
                    self._left.remove(send)
                    self._taken[key] = send
                    break
        return self._taken.get(key)


def _shown(send: Send) -> str:
    channel = "something" if send.channel is None else f"'{send.channel}'"
    return f"{channel} to {', '.join(send.receivers or ['anyone'])}"
