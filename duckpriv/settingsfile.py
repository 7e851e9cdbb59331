"""The settings file of a party, `duckpriv.toml`: who it is, where its things are, and what was
agreed with its peers. It never holds a passphrase or a key.

    me = "bank"
    database = "bank.duckdb"
    exchange = "dir:mailbox"

    [peers.shop]

    [peers.shop.runs."psi/host"]
    session = "psi-1"
    set = { kind = "email" }

Relative paths in it are relative to its folder.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from .disk import home_expanded
from .errors import InvalidValue
from .names import check_name, partial_of

FILE = "duckpriv.toml"
_PLACES = ("database", "keyring", "exchange", "serve")
_ADDRESS = re.compile(r"[a-z][a-z0-9+]*:.+")
_FOLDER = "dir:"


@dataclass(frozen=True)
class Agreed:
    """What is agreed with a peer on the runs of one script: the session, and settings."""

    session: str | None = None
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """What the file says of a peer; `exchange` only where it is another one than the file's."""

    exchange: str | None = None
    runs: dict[str, Agreed] = field(default_factory=dict)


@dataclass(frozen=True)
class SettingsFile:
    """A settings file, with its values as they stand there. One that is not there has none."""

    path: Path
    me: str | None = None
    database: str | None = None
    keyring: str | None = None
    exchange: str | None = None
    serve: str | None = None
    peers: dict[str, Peer] = field(default_factory=dict)

    def place(self, value: str) -> str:
        """Return a path or an address of the file as seen from the current folder."""
        if value.startswith(_FOLDER):
            return _FOLDER + self.place(value.removeprefix(_FOLDER))
        if value == ":memory:" or _is_address(value):
            return value
        return str(self.path.parent / home_expanded(Path(value)))

    def as_written(self, value: str) -> str:
        """Return a path or an address that was typed in the current folder as the file has it."""
        if value.startswith(_FOLDER):
            return _FOLDER + self.as_written(value.removeprefix(_FOLDER))
        here = self.path.parent.resolve() == Path.cwd()
        if here or value == ":memory:" or _is_address(value):
            return value
        return str(home_expanded(Path(value)).absolute())

    @property
    def text(self) -> str:
        """The file anew."""
        lines = [
            f"{key} = {_quoted(value)}"
            for key in ("me", *_PLACES)
            if (value := getattr(self, key)) is not None
        ]
        return "\n".join([*lines, ""]) + "".join(
            _peer_text(name, peer) for name, peer in self.peers.items()
        )

    def with_peer(self, name: str, exchange: str | None, runs: dict[str, Agreed]) -> SettingsFile:
        """Return it with a peer that has this exchange, and these runs besides those of before."""
        peer = Peer(exchange, self.peer(name).runs | runs)
        return replace(self, peers=self.peers | {name: peer})

    def peer(self, name: str | None) -> Peer:
        """Return what the file says of a peer: nothing of one that it does not know."""
        return self.peers.get(name or "", Peer())

    def text_with_peers(self) -> str:
        """Return the text of the file that is there, with its peers as here, and its comments and
        all else as they are. Raises InvalidValue where its lines have another form than ours."""
        old = read(self.path)
        text = self.path.read_text("utf-8")
        for name, peer in self.peers.items():
            if old.peers.get(name) != peer:
                text = f"{_without_peer(text, name).rstrip()}\n{_peer_text(name, peer)}"
        try:
            same = parsed(text, self.path) == self
        except InvalidValue:
            same = False
        if not same:
            raise InvalidValue(
                f"{self.path} cannot be changed without touching what you wrote there; put each "
                "peer into a table [peers.NAME] of its own, and each of its runs into one "
                '[peers.NAME.runs."SCRIPT"]'
            )
        return text

    def write(self, text: str) -> None:
        """Put `text` in the place of the file, whole."""
        target = self.path.resolve()
        partial = target.with_name(partial_of(target.name))
        try:
            partial.write_text(text, "utf-8")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def read(path: Path) -> SettingsFile:
    """Read a settings file. Raises InvalidValue that says what is wrong where."""
    try:
        return parsed(path.read_text("utf-8"), path)
    except UnicodeDecodeError:
        raise InvalidValue(f"{path} is not a text file in UTF-8; save it as one") from None


def parsed(text: str, path: Path) -> SettingsFile:
    """Return what the text of the settings file `path` says. Raises InvalidValue."""
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidValue(f"{path} is not valid TOML: {error}") from None
    try:
        return _file(values, path)
    except InvalidValue as error:
        raise InvalidValue(f"{path}: {error.message}") from None


def address(value: str) -> str:
    """Return `value` if it has the form of an exchange's address. Raises InvalidValue."""
    if not _ADDRESS.fullmatch(value):
        raise InvalidValue(
            f"'{value}' is no address of an exchange; it is 'dir:' and a folder that all parties "
            "see, s3:, gs: or az: with //BUCKET/PREFIX, or grpc+tls://HOST:PORT where a peer "
            "serves its mailbox"
        )
    return value


def _is_address(value: str) -> bool:
    return "://" in value


def _file(values: dict[str, object], path: Path) -> SettingsFile:
    _known("the file", values, ("me", *_PLACES, "peers"))
    texts = {key: _text(key, values[key]) for key in ("me", *_PLACES) if key in values}
    if "me" in texts:
        check_name("me", texts["me"])
    for key in ("exchange", "serve"):
        if key in texts:
            address(texts[key])
    peers = {name: _peer(name, one) for name, one in _table("peers", values.get("peers")).items()}
    return SettingsFile(path, **texts, peers=peers)


def _peer(name: str, value: object) -> Peer:
    check_name("the name of a peer", name)
    where = f"peers.{name}"
    values = _table(where, value)
    _known(where, values, ("exchange", "runs"))
    exchange = None
    if "exchange" in values:
        exchange = address(_text(f"{where}.exchange", values["exchange"]))
    runs = _table(f"{where}.runs", values.get("runs"))
    return Peer(exchange, {script: _agreed(where, script, one) for script, one in runs.items()})


def _agreed(where: str, script: str, value: object) -> Agreed:
    where = f"{where}.runs.{_quoted(script)}"
    values = _table(where, value)
    _known(where, values, ("session", "set"))
    session = values.get("session")
    if session is not None:
        check_name(f"{where}.session", session)
    settings = {}
    for name, one in _table(f"{where}.set", values.get("set")).items():
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise InvalidValue(f"{where}.set.{name} has to be a text in quotes, or a number")
        settings[name] = str(one)
    return Agreed(None if session is None else str(session), settings)


def _known(where: str, values: dict[str, object], names: Collection[str]) -> None:
    for key in values:
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean '{close[0]}'? It" if close else "it"
            raise InvalidValue(f"{where} has no setting '{key}'; {hint} takes {', '.join(names)}")


def _table(where: str, value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidValue(f"{where} has to be a table: [{where}]")
    return value


def _text(where: str, value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise InvalidValue(f"{where} has to be a text in quotes")


def _quoted(text: str) -> str:
    """Return a text as TOML has it in double quotes: as JSON, but for one character. Raises
    InvalidValue for a text that cannot stand in a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue("a name that is not text in UTF-8 cannot stand in the file") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _quoted(name)


def _peer_text(name: str, peer: Peer) -> str:
    lines = ["", f"[peers.{name}]"]
    if peer.exchange is not None:
        lines.append(f"exchange = {_quoted(peer.exchange)}")
    for script, agreed in peer.runs.items():
        lines += ["", f"[peers.{name}.runs.{_quoted(script)}]"]
        if agreed.session is not None:
            lines.append(f"session = {_quoted(agreed.session)}")
        if agreed.settings:
            pairs = (f"{_key(key)} = {_quoted(one)}" for key, one in agreed.settings.items())
            lines.append(f"set = {{ {', '.join(pairs)} }}")
    return "\n".join([*lines, ""])


def _without_peer(text: str, name: str) -> str:
    """Return a file's text without the tables of a peer; comments before other tables stay."""
    kept = []
    for block in re.split(r"^(?=[ \t]*\[)", text, flags=re.MULTILINE):
        if re.match(rf"[ \t]*\[peers\.{name}[.\]]", block):
            lines = reversed(block.splitlines(keepends=True))
            behind = [*takewhile(lambda line: re.match(r"\s*(#|$)", line), lines)]
            kept += reversed(behind)
        else:
            kept.append(block)
    return "".join(kept)
