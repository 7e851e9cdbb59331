"""How many records matched: counts alone, and never ids or what stands for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ..engine import quoted
from ..exchange.message.arrowstream import CompressedError, read_batches
from ..journal import settings_of
from .blocks import Block, Facts, Section, Table, Text, counted, number
from .provenance import said
from .tables import exists, query, read, size

_SCRIPTS = ("psi/", "private_id/", "psi_size/")
_MOST_RUNS = 10
# What the last query of such a script says, and what it means.
_MEANINGS = {
    "rows": ("rows", "of this party's table"),
    "without_id": ("without id", "rows that took no part"),
    "distinct_ids": ("distinct ids", "an id is what records are matched by"),
    "repeated": ("repeated", "rows whose id an earlier row has"),
    "records": ("records", "rows with the same ids together are one"),
    "lists": ("lists", "of this party"),
    "ids": ("ids", "in this party's lists"),
    "peer_lists": ("peer's lists", ""),
    "peer_ids": ("peer's ids", "distinct ones"),
    "matched": ("matched", "that both parties have"),
    "both_ids": ("matched", "distinct ids that both parties have"),
    "host_only": ("only there", "that the peer has and this party lacks"),
}
_BY_KEY = {"distinct_ids": "distinct ids", "repeated": "repeated", "matched_by": "matched by it"}


def is_matching(run: Mapping[str, Any]) -> bool:
    """Whether a run matched records, to the end."""
    return run["state"] == "finished" and str(run["script"]).startswith(_SCRIPTS)


def matching(
    con: duckdb.DuckDBPyConnection,
    runs: Sequence[dict[str, Any]],
    alignment: str | None,
    sizes: str | None,
) -> Section:
    """Return the section about runs that matched records, the table `alignment` that they left, and
    the table `sizes` of psi_size."""
    blocks: list[Block] = [
        Text(
            "Matching finds the records that two parties have in common. Neither sees ids that it "
            "lacks: each id gets a random one instead. This report shows counts only."
        )
    ]
    for run in list(reversed(runs))[:_MOST_RUNS]:
        blocks += _run(run)
    if len(runs) > _MOST_RUNS:
        blocks.append(Text(f"{_MOST_RUNS} of {number(len(runs))} runs are shown, the latest ones."))
    if alignment is not None:
        blocks += _alignment(con, alignment)
    if sizes is not None:
        head = {
            "host's list": "host_list",
            "guest's list": "guest_list",
            "host's ids": "host_ids",
            "guest's ids": "guest_ids",
            "in both": "coalesce(both_ids::VARCHAR, 'suppressed')",
        }
        about = "How many ids two lists have in common; suppressed below the agreed minimum."
        blocks.append(read(con, sizes, "Sizes of matches", head, about=about))
    return Section("Matching", blocks)


def _run(run: Mapping[str, Any]) -> list[Block]:
    found, given = _summary(run), settings_of(run)
    blocks: list[Block] = [Text(said(run))]
    facts: list[tuple[str, object, str]] = []
    for name, (heading, meaning) in _MEANINGS.items():
        value = found.get(name)
        if isinstance(value, int):
            facts.append((heading, value, meaning))
    matched, ids = found.get("matched", found.get("both_ids")), found.get("distinct_ids")
    if isinstance(matched, int) and isinstance(ids, int) and ids > 0:
        facts.append(("share matched", f"{100 * matched / ids:.3g} %", "of this party's ids"))
    if facts:
        blocks.append(Facts(facts))
    if run["script"] == "psi/host":
        blocks.append(Text("The host does not learn how many of its ids matched. The guest does."))
    lists = {name: v for name in _BY_KEY if isinstance(v := found.get(name), list)}
    if lists:
        keys = [key.strip() for key in given.get("id", "").split(";")]
        height = max(map(len, lists.values()))
        keys += [f"key {i + 1}" for i in range(len(keys), height)]
        lines = [
            (keys[i], *(values[i] if i < len(values) else None for values in lists.values()))
            for i in range(height)
        ]
        head = ("key", *(_BY_KEY[name] for name in lists))
        about = "A record goes on to the next key if it has no match by this one."
        blocks.append(Table("Matches by key", head, lines, about=about))
    return blocks


def _summary(run: Mapping[str, Any]) -> dict[str, int | list[int]]:
    """Return the counts in a run's last query, and nothing else of it. Who wrote the database is
    not known here, so what stands there is read with care."""
    stored = run.get("result")
    if not isinstance(stored, bytes):
        return {}
    try:
        schema, batches = read_batches(pa.BufferReader(stored))
        table = pa.Table.from_batches(batches, schema)
        table.validate(full=True)
    except (pa.ArrowException, CompressedError, OSError, ValueError):
        return {}
    if table.num_rows != 1:
        return {}
    counts: dict[str, int | list[int]] = {}
    for name, value in table.to_pylist()[0].items():
        whole = value if isinstance(value, list) else [value]
        if name in _MEANINGS | _BY_KEY and all(type(one) is int for one in whole):
            counts[name] = value
    return counts


def _alignment(con: duckdb.DuckDBPyConnection, name: str) -> list[Block]:
    ((ids, pids),) = query(con, f"SELECT count(*), count(DISTINCT pid) FROM {quoted(name)}")
    said = f"The table {name} has {counted(ids, 'id', 'ids')} of this party"
    said += f" and {counted(pids, 'random id', 'random ids')} for them"
    unmatched = f"{name}_unmatched"
    more = size(con, unmatched) if exists(con, unmatched) else 0
    if more:
        said += f"; {counted(more, 'more is', 'more are')} of the peer alone"
    return [Text(f"{said}.")]
