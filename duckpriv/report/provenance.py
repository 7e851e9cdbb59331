"""Who did what with whom, when, with which settings and versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from .. import __version__
from ..audit import Audit
from ..errors import InvalidValue
from ..journal import settings_of, told_state
from ..scripts import bundled, load
from .blocks import MOST_ROWS, Block, Facts, Section, Table, Text
from .tables import columns, exists, read

_RELEASES = "duckpriv_releases"
_RELEASED = {
    "when (UTC)": "strftime(released_at, '%Y-%m-%d %H:%M')",
    "session": "session",
    "script": "script",
    "to": "peer",
    "of table": "table_name",
    "what": "what",
    "numbers": "numbers",
    "minimum": "minimum",
    "epsilon": "epsilon",
}
_NEEDED = {"number", "released_at", "table_name", "what", "numbers", "minimum", "epsilon"}


def heading(database: str, runs: list[dict[str, Any]], notes: list[str]) -> Section:
    """Return the section that says what this is a report on; `notes` are about what is not in
    it."""
    given = [settings_of(run) for run in runs]
    facts: list[tuple[str, object, str]] = [
        ("report made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", ""),
        ("database", database, ""),
    ]
    for name, title, meaning in (("me", "party", "who owns the database"), ("peer", "peer", "")):
        found = sorted({values[name] for values in given if values.get(name)})
        if found:
            facts.append((title, ", ".join(found), meaning))
    facts += [
        ("duckpriv", __version__, "the version that made this report"),
        ("DuckDB", duckdb.__version__, ""),
    ]
    return Section("About this report", [Facts(facts), *map(Text, notes)])


def provenance(con: duckdb.DuckDBPyConnection, runs: list[dict[str, Any]]) -> list[Section]:
    """Return the section about the runs, messages and releases that the results come from; none
    where nothing is noted."""
    blocks: list[Block] = [*_runs(runs), *_messages(con)]
    if exists(con, _RELEASES) and columns(con, _RELEASES).keys() >= _NEEDED:
        about = "Results that a peer could compute from this party's data."
        order = "ORDER BY number DESC"
        blocks.append(read(con, _RELEASES, "What was released", _RELEASED, order, about))
    return [Section("Where the results come from", blocks)] if blocks else []


def said(run: Mapping[str, Any]) -> str:
    """Return who ran what, and until when."""
    given = settings_of(run)
    with_whom = f" with {given['peer']}" if given.get("peer") else ""
    table = f", table {given['table']}" if given.get("table") else ""
    ran = f"Session {run['session']}: {run['script']}{with_whom}{table}"
    return f"{ran}, ended {when(run['ended_at'])} UTC."


def maker(runs: Sequence[dict[str, Any]], name: str, setting: str) -> list[Block]:
    """Return a line about the latest finished run whose `setting` names the result `name`."""
    for run in reversed(runs):
        if run["state"] == "finished" and settings_of(run).get(setting) == name:
            return [Text(f"{said(run)} It is the latest run with a result of this name.")]
    return []


def when(moment: datetime | None) -> str:
    """Return a time to the minute."""
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _runs(runs: list[dict[str, Any]]) -> list[Block]:
    if not runs:
        return []
    bundle = set(bundled())
    scripts = {run["script"]: load(run["script"]) for run in runs if run["script"] in bundle}
    lines = []
    for run in reversed(runs[-MOST_ROWS:]):
        script = scripts.get(run["script"])
        same = script is not None and script.sha256 == run["text_sha256"]
        usual = {v.name: v.default for v in script.variables} if script and same else {}
        given = ", ".join(
            f"{name}={value}"
            for name, value in settings_of(run).items()
            if name != "me" and value != usual.get(name, "")
        )
        version = f"duckpriv {__version__}" if same else "another"
        times = (when(run["began_at"]), when(run["ended_at"]))
        lines.append((run["session"], run["script"], told_state(run), *times, version, given))
    head = ("session", "script", "state", "began (UTC)", "ended", "version", "settings")
    about = (
        "A session is what two or more parties agreed to compute together; a script is what this "
        "party ran for it. The latest come first. Settings that are not named have the script's "
        "defaults. “another” marks a script of your own, or of another version."
    )
    return [Table("Runs", head, lines, len(runs), "duckpriv_runs", about)]


def _messages(con: duckdb.DuckDBPyConnection) -> list[Block]:
    try:
        entries = Audit(con).entries()
    except InvalidValue as error:
        return [Text(f"Messages are not listed: {error.message}.")]
    if not entries:
        return []
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    marks: dict[tuple[str, str], set[str]] = defaultdict(set)
    protocols: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        _, _, session, direction, peer, _, _, size, _, _, protection, agreed, _ = entry
        key, place = (str(session), str(peer)), 0 if direction == "sent" else 2
        counts[key][place] += 1
        counts[key][place + 1] += int(str(size))
        marks[key].add(str(protection).split(",")[0])
        protocols[key].add(str(agreed or "").split(" ")[0])
    lines = [
        (*key, ", ".join(sorted(protocols[key])), *numbers, ", ".join(sorted(marks[key])))
        for key, numbers in reversed(counts.items())
    ]
    head = ("session", "peer", "protocol", "sent", "bytes", "received", "bytes", "protection")
    about = "The latest session comes first. “sealed” are messages encrypted and signed."
    return [Table("Messages", head, lines[:MOST_ROWS], len(lines), "duckpriv_audit", about)]
