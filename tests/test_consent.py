"""What a script will send is shown before it sends."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import duckpriv
from duckpriv.consent import announced, shown_channel
from duckpriv.scripts import bundled, load
from tests.parties import match

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
VALUES = {"peer": "shop", "helper": "carol", "host": "bank"}


@pytest.mark.parametrize("name", bundled())
def test_every_message_of_a_bundled_script_is_described(name: str) -> None:
    script = load(name)
    found = announced(script, VALUES)
    sends = sum(len(re.findall(r"exchange_send\s*\(", s.sql)) for s in script.statements)
    assert len(found) == sends > 0
    for message in found:
        assert message.columns, message
        assert message.reveals not in ("", "not described"), message
        assert message.receiver


def test_what_was_announced_is_what_was_sent(tmp_path: Path, together) -> None:
    together(
        lambda: match("host", str(tmp_path), ["a", "b"]),
        lambda: match("guest", str(tmp_path), ["b", "c"]),
    )
    for role, me, peer in (("host", "bank", "shop"), ("guest", "shop", "bank")):
        sent = {f.stem for f in tmp_path.glob(f"mailbox/s1/{me}/{peer}/*.json")}
        told = announced(load(f"psi/{role}"), {"peer": peer})
        assert {message.channel.replace("/", ".") for message in told} == sent
        assert {message.receiver for message in told} == {peer}
    types = {m.channel: m.columns for m in announced(load("psi/guest"), {"peer": "bank"})}
    assert types == {
        "psi/blinded": "seq BIGINT, blinded BLOB",
        "psi/map": "token BLOB, pid UUID",
    }


def test_channels_as_people_read_them() -> None:
    assert shown_channel("'psi/key'") == "psi/key"
    assert shown_channel("'lr/residual-' || getvariable('iteration')") == "lr/residual-N"
    assert shown_channel("getvariable('c')") == "(decided while running)"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    with duckpriv.connect(tmp_path / "bank.duckdb", keyring=tmp_path / "k") as party:
        party.con.execute("CREATE TABLE t AS SELECT 1 AS id").fetchall()
    (tmp_path / "own.sql").write_text("CALL exchange_send('shop', 'x', 'SELECT id FROM t');\n")
    return [
        *(DUCKPRIV, "run", "own.sql", "--db", "bank.duckdb", "--me", "bank"),
        *("--exchange", "dir:mailbox", "--session", "s1", "--keyring", "k", "--unprotected"),
    ]


def test_a_dry_run_sends_nothing(tmp_path: Path, arguments) -> None:
    done = subprocess.run(
        [*arguments, "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "own.sql sends:" in done.stdout
    assert re.search(r"x +shop", done.stdout)
    assert not (tmp_path / "mailbox").exists()


@pytest.mark.parametrize(("answer", "sent"), [("y", True), ("n", False), (None, True)])
def test_on_a_terminal_one_is_asked(tmp_path: Path, arguments, answer, sent) -> None:
    ours, theirs = pty.openpty()
    command = [*arguments, *(["--yes"] if answer is None else [])]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if b"send these?" in shown and answer:
            os.write(ours, answer.encode() + b"\n")
            answer = ""
    process.wait(60)
    assert (b"send these?" in shown) == (answer is not None)
    assert bool(list(tmp_path.glob("mailbox/s1/bank/shop/x.json"))) == sent
