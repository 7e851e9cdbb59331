"""A dishonest inviter, or one who carries invitations and alters them: nothing in one chooses what
is the reader's own, and nothing is kept of one that is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from duckpriv import Keyring, invitation
from duckpriv.invitation import Invitation, Proposal
from duckpriv.keys import Identity
from duckpriv.settingsfile import FILE, Agreed, read

BANK = Identity.generate("bank")
GOOD = Invitation(
    BANK.public, "shop", "dir:mailbox", Proposal("psi/guest", "s1", {"kind": "email"})
)


def signed(payload: bytes, by: Identity = BANK) -> str:
    """The line of a payload that is none, with what an honest party never signs."""
    return invitation._line(payload, by.sign(invitation._covered(payload)))


def altered(run: dict | None = None, **fields: object) -> str:
    payload = json.loads(GOOD._payload)
    if run is not None:
        payload["run"] |= run
    payload |= fields
    return signed(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode())


@pytest.fixture
def accept(command) -> Callable[..., tuple[int, str, str]]:
    def run(folder: Path, line: str, *more: str) -> tuple[int, str, str]:
        (folder / "line").write_text(line)
        told = ("--fingerprint", BANK.public.fingerprint, "--yes", "--keyring", "keys")
        return command(folder, "accept", "line", *told, "--exchange", "dir:here", *more)

    return run


def test_a_good_one_is_accepted(tmp_path: Path, accept) -> None:
    code, _, errors = accept(tmp_path, altered())
    assert code == 0, errors
    own = read(tmp_path / FILE)
    assert own.peers["bank"].runs == {"psi/guest": Agreed("s1", {"kind": "email"})}


LINES = [
    *(
        altered({"settings": {"kind": "raw", name: "people"}})
        for name in (
            *("table", "id", "result", "duplicates", "most_ids", "peer", "accept_disclosure", "x"),
        )
    ),
    # paths, own scripts, and those that are none of two parties
    *(
        altered({"script": script, "settings": {}})
        for script in (
            *(
                "/etc/passwd",
                "../psi/guest",
                "psi/guest.sql",
                "./psi/guest",
                "psi/../psi/guest",
                "",
            ),
            *("shared/policy", "macros/rsa_keygen", "lr_helper/guest", "lr_joint_key/assistant"),
        )
    ),
    *(altered({"session": name}) for name in ("../../x", "S1", "a/b", "", "a" * 65, "s1\n")),
    *(
        altered({"settings": {"kind": value}})
        for value in ("a\x1b[2J", "raw\n", "a'b", 'a"b', "$(x)", "a\u202eb", "", "x" * 101)
    ),
    *(
        altered(exchange=where)
        for where in (
            *("dir:a\x1b]0;x\x07", "dir:a\nb", "dir:a\u202eb", "mailbox", "", ":x", "dir:"),
            *("dir:" + "x" * 300, "dir:\ud800"),
        )
    ),
    altered({"table": "people"}),
    altered(fingerprint="x"),
    altered(exchange=None),
    altered(to="../shop"),
    altered(to="bank"),
    altered(exchange=["dir:x"]),
    altered({"settings": [["kind", "raw"]]}),
    altered({"settings": {"kind": 1}}),
    # twice the same field, of which the reader and the one who shows it might take another
    signed(GOOD._payload.replace(b'"to":"shop"', b'"to":"clinic","to":"shop"')),
    signed(b" " + GOOD._payload),
    # another one's signature, and another identity under the bank's name
    signed(GOOD._payload, Identity.generate("bank")),
    altered(identity={**json.loads(BANK.public.text), "name": "clinic"}),
    altered() + "." + altered(),
    "x" * 100_000,
]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_what_may_not_stand_in_one_is_refused(tmp_path: Path, accept, line: str) -> None:
    code, output, errors = accept(tmp_path, line)
    assert (code, output) == (1, ""), errors
    assert errors.startswith("DUCKPRIV_INVALID_VALUE: ")
    assert len(errors.splitlines()) == 1
    assert errors.rstrip("\n").isprintable()
    assert [file.name for file in tmp_path.iterdir()] == ["line"]


def test_one_for_another_party_is_refused(tmp_path: Path, accept) -> None:
    code, _, errors = accept(tmp_path, altered(), "--me", "clinic")
    assert code == 1
    assert "this is for a party called 'shop', and you are 'clinic'" in errors
    assert [file.name for file in tmp_path.iterdir()] == ["line"]


def test_an_inviter_that_takes_anothers_name_is_not_trusted(tmp_path: Path, accept) -> None:
    """Its line is in order, and its fingerprint is not the one that was told."""
    mallory = Identity.generate("bank")
    line = replace(GOOD, identity=mallory.public).signed(mallory)
    code, output, errors = accept(tmp_path, line)
    assert (code, output) == (1, "")
    assert "not the one you gave" in errors
    assert not (tmp_path / FILE).exists()
    assert not Keyring(tmp_path / "keys").all_trusted()
    assert accept(tmp_path, altered())[0] == 0
    before = (tmp_path / FILE).read_text()
    code, _, errors = accept(tmp_path, line, "--fingerprint", mallory.public.fingerprint)
    assert code == 1
    assert "you trust another identity of 'bank'" in errors
    assert (tmp_path / FILE).read_text() == before


def test_a_fingerprint_that_is_given_is_compared_also_where_the_peer_is_trusted(
    tmp_path: Path, accept
) -> None:
    assert accept(tmp_path, altered())[0] == 0
    before = (tmp_path / FILE).read_text()
    other = Identity.generate("bank").public.fingerprint
    code, _, errors = accept(tmp_path, altered(), "--fingerprint", other)
    assert code == 1
    assert "not the one you gave" in errors
    assert (tmp_path / FILE).read_text() == before


def test_the_inviters_mailbox_is_for_messages_with_it_alone(tmp_path: Path, command) -> None:
    (tmp_path / "line").write_text(altered(exchange="grpc+tls://bank.example:7443"))
    told = ("--fingerprint", BANK.public.fingerprint, "--keyring", "keys")
    assert command(tmp_path, "accept", "line", *told, "--yes")[0] == 0
    file = read(tmp_path / FILE)
    assert (file.exchange, file.peers["bank"].exchange) == (None, "grpc+tls://bank.example:7443")


def test_a_folder_of_the_inviters_is_taken_only_if_the_user_says_so(
    tmp_path: Path, command
) -> None:
    (tmp_path / "line").write_text(altered(exchange=f"dir:{tmp_path}/elsewhere"))
    told = ("--fingerprint", BANK.public.fingerprint, "--keyring", "keys")
    code, _, errors = command(tmp_path, "accept", "line", *told, "--yes")
    assert code == 2
    assert "say with --exchange where you see it" in errors
    assert not (tmp_path / FILE).exists()
    assert not Keyring(tmp_path / "keys").all_trusted()
    assert command(tmp_path, "accept", "line", *told, "--yes", "--exchange", "dir:here")[0] == 0
    assert read(tmp_path / FILE).exchange == "dir:here"


def test_settings_that_protect_less_are_shown_as_such(tmp_path: Path, accept) -> None:
    line = altered({"script": "aggregate/guest", "settings": {"minimum": "1", "to": "host"}})
    _, _, errors = accept(tmp_path, line)
    shown = " ".join(errors.split())
    assert "minimum 1 instead of 20" in shown
    assert "to host instead of both" in shown
    assert "epsilon 0 as by default" in shown


def test_an_answer_that_nobody_asked_for_is_refused(tmp_path: Path, accept) -> None:
    assert accept(tmp_path, altered())[0] == 0
    mallory = Identity.generate("mallory")
    line = Invitation(mallory.public, "shop").signed(mallory)
    code, _, errors = accept(tmp_path, line, "--fingerprint", mallory.public.fingerprint)
    assert code == 2
    assert "has no mallory" in errors
    assert [one.name for one in Keyring(tmp_path / "keys").all_trusted()] == ["bank"]


def test_ones_own_invitation_is_refused(tmp_path: Path, accept) -> None:
    Keyring(tmp_path / "keys").create_identity("bank")
    code, _, errors = accept(tmp_path, altered())
    assert code == 2
    assert "a keyring of its own" in errors
