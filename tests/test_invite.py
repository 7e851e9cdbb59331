"""Two parties that never met: init, invite, accept, and a run with what they agreed on."""

from __future__ import annotations

import os
import pty
import time
from pathlib import Path

import duckdb
import pytest

from duckpriv import DuckprivError, Keyring
from duckpriv.invitation import (
    AGREED,
    LARGEST,
    Invitation,
    Proposal,
    agreed_settings,
    counterpart,
)
from duckpriv.keys import Identity
from duckpriv.scripts import bundled, load
from duckpriv.settingsfile import FILE, Agreed, read
from tests.effort import some
from tests.test_cli import command as in_a_process
from tests.test_cli import start

RUN = ("--set", "table=people", "--set", "id=email")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return party(tmp_path, "bank", "'user' || i || '@example.com' FROM range(0, 20)")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return party(tmp_path, "shop", "'User' || i || '@Example.com ' FROM range(10, 40)")


def party(folder: Path, name: str, emails: str) -> Path:
    own = folder / name
    own.mkdir()
    with duckdb.connect(str(own / f"{name}.duckdb")) as con:
        con.execute(f"CREATE TABLE people AS SELECT email FROM (SELECT {emails} t(i)) AS p(email)")
    return own


def init(command, folder: Path, *more: str) -> None:
    name = folder.name
    options = ("--me", name, "--db", f"{name}.duckdb", "--keyring", "keys", "--peer", "")
    code, output, errors = command(folder, "init", *options, "--exchange", "dir:../mailbox", *more)
    assert code == 0, errors
    assert Keyring(folder / "keys").identity(name).public.fingerprint[:4] in output


def fingerprint(folder: Path) -> str:
    return Keyring(folder / "keys").identity(folder.name).public.fingerprint


def invited(command, folder: Path, *more: str, to: str = "shop") -> str:
    """A party's invitation to another one."""
    code, line, errors = command(folder, "invite", to, *more)
    assert code == 0, errors
    assert line.count("\n") == 1
    return line.strip()


def accepted(command, folder: Path, line: str, peer: Path, *more: str) -> tuple[str, str]:
    (folder / "invitation").write_text(line)
    known = () if (folder / FILE).exists() else ("--keyring", "keys")
    code, output, errors = command(
        *(folder, "accept", "invitation", "--fingerprint", fingerprint(peer), "--yes"),
        *(*known, *more),
    )
    assert code == 0, errors
    return output.strip(), errors


def common(folder: Path) -> int:
    with duckdb.connect(str(folder / f"{folder.name}.duckdb")) as con:
        query = "SELECT count(*) FROM alignment JOIN people ON id = email"
        return con.execute(query).fetchall()[0][0]


@pytest.mark.parametrize("shop_has_a_file", some([False, True], 1))
def test_from_nothing_to_a_match(command, bank: Path, shop: Path, shop_has_a_file) -> None:
    init(command, bank)
    if shop_has_a_file:
        init(command, shop)
    line = invited(command, bank, "psi/host", "--set", "kind=email")
    answer, shown = accepted(command, shop, line, bank, "--exchange", "dir:../mailbox")
    text = " ".join(shown.split())
    assert "psi/guest sends: channel to columns" in text
    assert "how many distinct ids the guest has" in text
    assert "kind email instead of raw" in text
    assert "duckpriv run psi/guest --set table=… --set id=…" in shown
    nothing, shown = accepted(command, bank, answer, shop)
    assert nothing == ""
    assert "duckpriv run psi/host --set table=… --set id=…" in shown
    host = start(bank, "run", "psi/host", *RUN)
    code, _, errors = in_a_process(shop, "run", "psi/guest", *RUN)
    assert code == 0, errors
    assert host.wait(60) == 0
    assert common(shop) == 10
    # The second invitation is another session, and takes the place of the first.
    first = read(bank / FILE).peers["shop"].runs["psi/host"].session
    code, line, errors = command(bank, "invite", "shop", "psi/host")
    assert code == 0
    assert "takes the place of the psi/host agreed before" in errors
    assert f"in session {first}" in errors
    again = Invitation.from_text(line).proposal
    assert read(bank / FILE).peers["shop"].runs == {"psi/host": Agreed(again.session)}


def typed(folder: Path, command_line: str, *answers: tuple[str, str]) -> str:
    """Run a command on a terminal, and answer what it asks."""
    ours, theirs = pty.openpty()
    process = start(folder, *command_line.split(), streams=(theirs, theirs, theirs))
    os.close(theirs)
    shown, waiting, until = "", list(answers), time.monotonic() + 60
    while time.monotonic() < until:
        try:
            shown += os.read(ours, 4096).decode(errors="replace")
        except OSError:  # the other end is closed
            break
        if waiting and waiting[0][0] in shown:
            os.write(ours, waiting.pop(0)[1].encode() + b"\n")
    os.close(ours)
    assert process.wait(60) == 0, shown
    assert not waiting, shown
    return shown


def test_what_is_asked_on_a_terminal(command, bank: Path, shop: Path) -> None:
    typed(
        *(bank, "init --keyring keys", ("Your name", "bank"), ("database file", "")),
        *(("Their address", "dir:../mailbox"), ("peer's name", "shop")),
    )
    made = read(bank / FILE)
    assert (made.me, made.database, made.exchange) == ("bank", "bank.duckdb", "dir:../mailbox")
    assert [*made.peers] == ["shop"]
    (shop / "line").write_text(invited(command, bank, "psi/host"))
    shown = typed(
        *(shop, "accept line --keyring keys", ("told you this fingerprint", "abcd")),
        ("this is no fingerprint", fingerprint(bank)),
        *(("Where do you see it", "dir:../mailbox"), ("Your database", ""), ("Accept", "y")),
    )
    assert "dir:../mailbox" in shown
    assert Keyring(shop / "keys").trusted("bank").fingerprint == fingerprint(bank)
    assert read(shop / FILE).database == "shop.duckdb"


def test_nothing_is_written_over_without_asking(command, bank: Path) -> None:
    init(command, bank)
    before = (bank / FILE).read_text()
    again = ("init", "--me", "bank", "--db", "x", "--exchange", "dir:x", "--peer", "")
    code, _, _ = command(bank, *again)
    assert code == 130
    assert (bank / FILE).read_text() == before
    assert command(bank, *again, "--overwrite")[0] == 0
    assert read(bank / FILE).database == "x"


def test_a_peer_with_a_mailbox_of_its_own(command, bank: Path, shop: Path) -> None:
    """Its address is kept with the peer; the own one stays."""
    init(command, bank, "--serve", "grpc+tls://0.0.0.0:7443")
    init(command, shop)
    code, _, errors = command(bank, "invite", "shop", "psi/host")
    assert code == 2
    assert "say with --exchange where the peer reaches" in errors
    line = invited(command, bank, "psi/host", "--exchange", "grpc+tls://bank.example:7443")
    accepted(command, shop, line, bank)
    own = read(shop / FILE)
    assert own.exchange == "dir:../mailbox"
    assert own.peers["bank"].exchange == "grpc+tls://bank.example:7443"
    _, _, errors = command(shop, "run", "psi/guest", *RUN, "--timeout", "0.2")
    assert "bank.example:7443" in errors
    # The shop invites back, to where the bank serves: it is asked, and keeps its own.
    back = invited(command, shop, "psi/host", to="bank")
    (bank / "invitation").write_text(back)
    told = ("--fingerprint", fingerprint(shop), "--yes")
    assert "say with --exchange" in command(bank, "accept", "invitation", *told)[2]
    accepted(command, bank, back, shop, "--exchange", "dir:../mailbox")
    assert read(bank / FILE).peers["shop"].exchange is None
    # And to the folder again.
    line = invited(command, bank, "psi/host", "--exchange", "dir:../mailbox")
    accepted(command, shop, line, bank, "--exchange", "dir:../mailbox")
    assert read(shop / FILE).peers["bank"].exchange is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["bank", "psi/host"], "cannot invite itself"),
        (["shop", "psi/hots"], "no script 'psi/hots' for two parties"),
        (["shop", "lr_helper/host"], "no script 'lr_helper/host' for two parties"),
        (["shop", "psi/host", "--set", "table=people"], "'table' is no setting that both"),
        (["shop", "psi/host", "--set", "kind=a\x1b[2J"], "cannot stand in an invitation"),
        (["shop", "psi/host", "--session", "../x"], "the session is not a name"),
        (["shop", "--session", "s1"], "name its SCRIPT"),
        (["Shop"], "not a name"),
    ],
)
def test_mistakes_of_the_inviter(command, bank: Path, arguments: list[str], problem: str) -> None:
    init(command, bank)
    code, output, errors = command(bank, "invite", *arguments)
    assert code in (1, 2)
    assert problem in errors
    assert output == ""
    assert not read(bank / FILE).peers


def test_every_pair_of_scripts_and_every_setting_of_the_list() -> None:
    pairs = {name: counterpart(name) for name in bundled()}
    assert all(pairs[other] == name for name, other in pairs.items() if other)
    assert pairs["moments/regression_host"] == "moments/regression_guest"
    assert pairs["matmul/left"] == "matmul/right"
    assert pairs["lr_helper/predict_guest"] is None
    used = {name for script in pairs for name in agreed_settings(script)}
    assert used == AGREED
    private = {"table", "id", "key", "columns", "label", "result", "model", "alignment", "log"}
    guards = {"accept_disclosure", "noise", "most_ids", "max_groups", "modulus", "most_features"}
    assert not AGREED & (private | guards | {"peer", "host", "guest", "guests", "helper"})


def test_the_longest_invitation_is_short_enough() -> None:
    me = Identity.generate("b" * 64)
    for script in filter(counterpart, bundled()):
        settings = dict.fromkeys(agreed_settings(script), "x" * 100)
        both = {variable.name for variable in load(script).variables}
        assert settings.keys() <= both
        proposal = Proposal(script, "s" * 64, settings)
        line = Invitation(me.public, "a" * 64, "dir:" + "é" * 296, proposal).signed(me)
        assert len(line) <= LARGEST
        assert Invitation.from_text(line).proposal == proposal


def test_mail_may_break_the_line() -> None:
    me = Identity.generate("bank")
    line = Invitation(me.public, "shop").signed(me)
    broken = "\r\n".join(line[i : i + 72] for i in range(0, len(line), 72)) + "\n"
    assert Invitation.from_text(broken) == Invitation.from_text(line.encode())
    for damaged in (line[:-1], line[:300] + line[301:], line.replace("A", "B", 1)):
        with pytest.raises(DuckprivError, match="damaged or cut|no invitation"):
            Invitation.from_text(damaged)
    with pytest.raises(DuckprivError, match="of another version"):
        Invitation.from_text(line.replace("invitation-1", "invitation-2"))
