"""A dishonest party: a bundled script with changed statements, against the other's real one."""

from __future__ import annotations

import re
import uuid
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from duckpriv.engine import sql_folder
from tests.parties import Folder, at_once


def changed(script: str, into: Path, *changes: tuple[str, str]) -> Path:
    """Write a bundled script with texts replaced, each of which occurs once, in it or in what it
    includes."""
    file = sql_folder() / f"{script}.sql"
    text = file.read_text("utf-8")
    inner = [(old, new) for old, new in changes if old not in text]
    for old, new in changes:
        if (old, new) not in inner:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
    text = whole(text, file.parent)
    for old, new in inner:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    target = into / f"evil-{file.name}"
    target.write_text(text, "utf-8")
    return target


def whole(text: str, folder: Path) -> str:
    """Return a script's text with that of the files that it includes."""

    def included(match: re.Match[str]) -> str:
        file = folder / match[1]
        return whole(file.read_text("utf-8"), file.parent)

    return re.sub("^-- include (.*)$", included, text, flags=re.M)


class HiddenRows(Folder):
    """A host with labels and a guest that has some of its rows, as private matching leaves them."""

    def __init__(self, folder: Path, present: np.ndarray, host: int, guest: int) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(11)
        rows = len(present)
        self.present = present
        self.pids = np.array([str(uuid.uuid4()) for _ in range(rows)])
        self.at_host, self.at_guest = rng.normal(size=(rows, host)), rng.normal(size=(rows, guest))
        self.labels = rng.integers(0, 2, rows)
        names = [f"row {i}" for i in range(rows)]
        self._table("host", names, self.at_host, y=self.labels)
        own = np.flatnonzero(present)
        self._table("guest", [names[i] for i in own], self.at_guest[own])
        self._alignment("host", names, self.pids)
        self._alignment("guest", [names[i] for i in own], self.pids[own])
        self.make_table(
            "guest", pa.table({"text": pa.array(self.pids[~present], pa.string())}), "u"
        )
        self.query("guest", "CREATE TABLE alignment_unmatched AS SELECT text::UUID AS pid FROM u")
        self.query("guest", "DROP TABLE u")

    def _table(self, me: str, names: list[str], x: np.ndarray, **more: np.ndarray) -> None:
        columns = {f"{me}{i}": column for i, column in enumerate(x.T)}
        self.make_table(me, pa.table({"id": names, **columns, **more}))

    def _alignment(self, me: str, names: list[str], pids: np.ndarray) -> None:
        self.make_table(me, pa.table({"name": names, "text": pids}), "texts")
        self.query(me, "CREATE TABLE alignment AS SELECT name AS id, text::UUID AS pid FROM texts")
        self.query(me, "DROP TABLE texts")

    def train(self, evil: Path, prepare, **settings) -> tuple[object, object]:
        """Run a dishonest host against the guest's real script; return what each got or raised."""

        def host() -> object:
            with self.connect("host", "s1") as party:
                prepare(party)
                return party.run(str(evil), peer="guest", table="t", label="y", **settings)

        def guest() -> object:
            with self.connect("guest", "s1") as party:
                return party.run("lr_joint_key/guest", peer="host", table="t", **settings)

        return tuple(at_once(partial(host), partial(guest)))  # type: ignore[return-value]

    def sent(self, sender: str, receiver: str) -> set[str]:
        """The channels on which a party has sent."""
        folder = self.folder / "mailbox" / "s1" / sender / receiver
        return {file.stem for file in folder.glob("*.json")}
