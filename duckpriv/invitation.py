"""An invitation: a line of text that one party gives another one, with its identity, where the
messages go, and what both are to run. The answer is such a line too, with the identity alone.

It is signed by the identity in it, so a fingerprint that was compared vouches for all of it. Who
reads one has it from a stranger. So it names a bundled script and no file, and of the settings only
those that both parties need alike: never a table, a column or a result of the reader's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache

from .crypto.hashing import labelled
from .errors import InvalidValue
from .keys import Identity, PublicIdentity
from .names import check_name
from .scripts import bundled, load
from .settingsfile import address
from .visible import visible

FORMAT = "duckpriv-invitation-1"
LARGEST = 8192
_LONGEST_ADDRESS = 300
_LINE = re.compile(rf"{FORMAT}\.([\w-]+)\.([\w-]+)\.([0-9a-f]{{8}})", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,;_-]{0,99}")
_FIELDS = {"exchange", "identity", "run", "to"}
_RUN_FIELDS = {"script", "session", "settings"}
# What both parties of a script have to set alike. Nothing that names what is in a database, no key,
# and nothing by which a party alone protects itself, such as accept_disclosure, noise or most_ids.
# fmt: off
AGREED = frozenset((
    "batch", "bits", "bound", "bucket", "epsilon", "first_day", "iterations", "kind", "l2",
    "last_day", "learning_rate", "loss_every", "max_bins", "minimum", "names", "population",
    "reveal", "scale", "scheme", "share_ids", "sigma", "steps", "stop", "to", "totals", "within",
))
# fmt: on
_PAIRS = {"host": "guest", "left": "right", "predict": "predict_peer"}
_OTHERS = _PAIRS | {other: role for role, other in _PAIRS.items()}
_ROLE = re.compile(rf"(.*[/_])({'|'.join(_OTHERS)})")
_BAD = "this is no invitation; give the whole line that 'duckpriv invite' or 'accept' printed"


@dataclass(frozen=True)
class Proposal:
    """What the invited party is to run, in which session, with which settings."""

    script: str
    session: str
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Invitation:
    """Who invites whom, and to what. An answer to an invitation has no exchange and proposal."""

    identity: PublicIdentity
    to: str
    exchange: str | None = None
    proposal: Proposal | None = None

    @property
    def answers(self) -> bool:
        """Whether it is the answer of a party that was invited."""
        return self.exchange is None

    def check(self) -> None:
        """Raise InvalidValue where it says what none may."""
        check_name("the name of who is invited", self.to)
        if self.to == self.identity.name:
            raise InvalidValue(f"'{self.to}' cannot invite itself; give the name of a peer")
        if self.exchange is not None:
            address(self.exchange)
            if len(self.exchange) > _LONGEST_ADDRESS or visible(self.exchange) != self.exchange:
                raise InvalidValue("the exchange's address is too long, or has control characters")
        if self.proposal is not None:
            if self.exchange is None:
                raise InvalidValue("an invitation to run a script needs an exchange")
            check_name("the session", self.proposal.session)
            check_settings(self.proposal.script, self.proposal.settings)

    def signed(self, own: Identity) -> str:
        """Return the line, signed by `own`, whose public half is `identity`."""
        self.check()
        line = _line(self._payload, own.sign(_covered(self._payload)))
        if len(line) > LARGEST:
            raise InvalidValue(f"the invitation would have more than {LARGEST} characters")
        return line

    @classmethod
    def from_text(cls, text: str | bytes) -> Invitation:
        """Read a line, which is untrusted; mail may have broken it into several. Raises
        InvalidValue."""
        if len(text) > 2 * LARGEST:
            raise InvalidValue(_BAD)
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        line = "".join(text.split())
        found = _LINE.fullmatch(line)
        if not found or len(line) > LARGEST:
            if re.match(r"duckpriv-invitation-(?!1\.)\d+\.", line):
                raise InvalidValue("this invitation is of another version; use the same at both")
            raise InvalidValue(_BAD)
        if found[3] != _checksum(f"{FORMAT}.{found[1]}.{found[2]}"):
            raise InvalidValue("this invitation was damaged or cut on its way; copy it anew")
        try:
            payload, signature = _decoded(found[1]), _decoded(found[2])
            invitation = cls._from_payload(payload)
        except (ValueError, TypeError, RecursionError):
            raise InvalidValue(_BAD) from None
        if invitation._payload != payload or _line(payload, signature) != line:
            raise InvalidValue(_BAD)  # in another writing than ours
        if not invitation.identity.verify(signature, _covered(payload)):
            raise InvalidValue(
                f"this invitation was not signed by the '{invitation.identity.name}' in it: "
                "somebody has altered it; tell the peer"
            )
        invitation.check()
        return invitation

    @property
    def _payload(self) -> bytes:
        run = None
        if self.proposal is not None:
            run = {name: getattr(self.proposal, name) for name in _RUN_FIELDS}
        fields = {
            "exchange": self.exchange,
            "identity": json.loads(self.identity.text),
            "run": run,
            "to": self.to,
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def _from_payload(cls, payload: bytes) -> Invitation:
        """Raises ValueError or TypeError where fields are missing, or no texts."""
        fields = json.loads(payload)
        if set(fields) != _FIELDS:
            raise ValueError
        run, proposal = fields["run"], None
        if run is not None:
            if set(run) != _RUN_FIELDS:
                raise ValueError
            settings = {_str(name): _str(value) for name, value in dict(run["settings"]).items()}
            proposal = Proposal(_str(run["script"]), _str(run["session"]), settings)
        exchange = None if fields["exchange"] is None else _str(fields["exchange"])
        identity = PublicIdentity.from_text(json.dumps(fields["identity"]))
        return cls(identity, _str(fields["to"]), exchange, proposal)


def counterpart(script: str) -> str | None:
    """Return the bundled script that the peer runs; None where that is not one other party."""
    found = _ROLE.fullmatch(script)
    if not found or script not in bundled() or "peer" not in _variables(script):
        return None
    other = found[1] + _OTHERS[found[2]]
    return other if other in bundled() else None


def agreed_settings(script: str) -> list[str]:
    """Return the settings that both parties of a bundled script have to have alike."""
    other = counterpart(script)
    both = _variables(script) & _variables(other) if other else set()
    return [v.name for v in load(script).variables if v.name in AGREED & both]


def check_settings(script: str, settings: dict[str, str]) -> None:
    """Raise InvalidValue for a script that no invitation can name, or such settings of it."""
    if counterpart(script) is None:
        pairs = ", ".join(name for name in bundled() if counterpart(name))
        raise InvalidValue(
            f"there is no script '{script}' for two parties to invite to; there are {pairs}"
        )
    names = agreed_settings(script)
    for name, value in settings.items():
        if name not in names:
            raise InvalidValue(
                f"'{name}' is no setting that both parties of {script} have alike; an invitation "
                f"can hold {', '.join(names) or 'none'}, and each party gives its own to "
                "'duckpriv run'"
            )
        if not _VALUE.fullmatch(value):
            raise InvalidValue(
                f"the value of '{name}' cannot stand in an invitation; use at most 100 letters, "
                "digits and . , ; _ -"
            )


@cache
def _variables(script: str) -> set[str]:
    return {variable.name for variable in load(script).variables}


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _covered(payload: bytes) -> bytes:
    return labelled("duckpriv/invitation/v1", payload)


def _line(payload: bytes, signature: bytes) -> str:
    parts = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (payload, signature))
    line = ".".join((FORMAT, *parts))
    return f"{line}.{_checksum(line)}"


def _checksum(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:8]


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None
