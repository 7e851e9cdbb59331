"""Which messages may begin, and which may be asked for: those of the script's statement that runs,
or those that stand in a statement that somebody wrote by hand.

A view or a macro in the database, or a text that is run as SQL, may send as well, or ask for
channels whose names tell something. So each message needs an `exchange_send` or `exchange_recv` of
its own in the statement itself. That goes for a script's statements too: another cursor may run one
of its own meanwhile.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from .certain import SEND_PLAINLY, surely_runs
from .columns.context import Running
from .errors import InvalidValue, NotAccepted, ProtocolError
from .sends import SENDS, Receive, Send, typed

LONGEST_PARAMETERS = 200
_PROTOCOL = re.compile("[a-z0-9/_.-]{0,64}")
_PARAMETERS = re.compile(f"[ -~]{{0,{LONGEST_PARAMETERS}}}")
# Of so many statements by hand it is known what they have sent; most are long done.
_MOST_BY_HAND = 1000
_Message = TypeVar("_Message", bound=Receive)


class Permission:
    """Lets messages begin, and be asked for. Safe for DuckDB's threads."""

    def __init__(self) -> None:
        self._script: _Allowance | None = None
        self._by_hand: dict[int, _Allowance] = {}  # by the number of a query
        self._read: tuple[int, str] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def only(self, sends: Iterable[Send], receives: Iterable[Receive] = ()) -> Iterator[None]:
        """Let these begin or be asked for, each once, and nothing else, whoever asks for it."""
        before, self._script = self._script, _Allowance(sends, receives)
        try:
            yield
        finally:
            self._script = before

    @contextmanager
    def reading(self, sql: str) -> Iterator[None]:
        """Say which statement this thread makes a relation of: DuckDB does not."""
        before, self._read = self._read, (threading.get_ident(), sql)
        try:
            yield
        finally:
            self._read = before

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
        standing = typed(running.text)[0]
        with self._lock:
            allowance = self._of(running)
            stands = any(one.allows(receivers, channel) for one in standing)
            send = allowance.sends.take(receivers, channel, query) if stands else None
        what = f"a message '{channel}' to {', '.join(receivers)}"
        if send is None:
            may = _listed(allowance.sends.all, "to")
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
        if not surely_runs(running.text, SENDS):
            raise InvalidValue(
                f"{what} might not be sent although the statement succeeds: {SEND_PLAINLY}"
            )
        known = [one for one in standing if one.peers and one.channel]
        if sum(_same(one, receivers, channel) for one in known) > 1:
            raise ProtocolError(
                f"the statement sends {what} twice, and a channel carries one message in a "
                "session; name another channel for the second one"
            )
        along = f"{protocol} {parameters}"
        if send.settings is not None and not any(form.matches(along) for form in send.settings):
            forms = "; ".join(filter(None, (str(form).strip() for form in send.settings)))
            raise NotAccepted(
                f"{what} would be sent with other duckpriv_protocol and duckpriv_parameters than "
                f"were shown before the run ({forms or 'the text of the script tells none'}): make "
                "them of texts, of settings that the script declares, and of numbers, 9 digits in "
                "all"
            )
        return send

    def check_receive(self, peers: tuple[str, ...], channel: str, running: Running) -> None:
        """Raise NotAccepted unless something lets a message be asked for."""
        with self._lock:
            allowance = self._of(running)
            stands = not running.runs or any(
                one.allows(peers, channel) for one in typed(running.text)[1]
            )
            if stands and allowance.receives.take(peers, channel):
                return
        what = f"a message '{channel}' from {', '.join(peers)}"
        may = _listed(allowance.receives.all, "from")
        if self._script is not None:
            raise NotAccepted(
                f"{what} would be asked for, and it is not what was shown before the run: here the "
                f"script may wait for {may}. Name peer and channel in the script; look for what "
                "receives in views and macros that it uses"
            )
        if not running.runs:
            raise NotAccepted(
                f"{what} would be asked for while a relation is made, and DuckDB does not tell of "
                "what statement: use execute() or the party's sql() instead of the connection's"
            )
        raise NotAccepted(
            f"{what} would be asked for, and the statement that runs does not say so: it waits for "
            f"{may}. Write exchange_recv with this peer and channel into the statement itself; "
            "what a view, a macro or a text asks for is not let out"
        )

    def _of(self, running: Running) -> _Allowance:
        """Return what is allowed now."""
        if self._script is not None:
            return self._script
        if not running.runs:
            thread, sql = self._read or (0, "")
            return _Allowance(*typed(sql if thread == threading.get_ident() else ""))
        if running.number not in self._by_hand:
            while len(self._by_hand) >= _MOST_BY_HAND:
                self._by_hand.pop(next(iter(self._by_hand)))
            self._by_hand[running.number] = _Allowance(*typed(running.text))
        return self._by_hand[running.number]


class _Allowance:
    """What one statement may send, and ask for."""

    def __init__(self, sends: Iterable[Send], receives: Iterable[Receive]) -> None:
        self.sends, self.receives = _Each(sends), _Each(receives)


class _Each(Generic[_Message]):
    """Each of `messages` once, however often DuckDB reads the statement."""

    def __init__(self, messages: Iterable[_Message]) -> None:
        self.all = list(messages)
        # What says more has to be left for what it says.
        self._left = sorted(self.all, key=lambda m: (m.peers is None, m.channel is None))
        self._taken: dict[Hashable, _Message] = {}

    def take(self, peers: tuple[str, ...], channel: str, query: str = "") -> _Message | None:
        key = peers, channel, query
        if key not in self._taken:
            for message in self._left:
                if message.allows(peers, channel):
                    self._left.remove(message)
                    self._taken[key] = message
                    break
        return self._taken.get(key)


def _same(one: Send, receivers: tuple[str, ...], channel: str) -> bool:
    return bool({*(one.peers or ())} & {*receivers}) and str(one.channel) == channel


def _listed(messages: Iterable[Receive], preposition: str) -> str:
    return "; ".join(_shown(message, preposition) for message in messages) or "nothing"


def _shown(message: Receive, preposition: str) -> str:
    channel = "something" if message.channel is None else f"'{message.channel}'"
    return f"{channel} {preposition} {', '.join(message.peers or ['anyone'])}"
