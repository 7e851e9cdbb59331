"""Keyrings with a passphrase: nothing secret is readable, and nothing is lost when it changes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv import InvalidValue, KeyMismatch, KeyNotFound, Keyring
from duckpriv.cli import cli
from duckpriv.crypto import passphrase
from duckpriv.errors import DuckprivError
from duckpriv.keyfiles import LOCK, KeyFiles, is_private
from tests.effort import examples, some, takes_long

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
PHRASE, OTHER = "correct horse battery staple", "Zaubertränke"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving takes a third of a second; here it need not be expensive."""
    monkeypatch.setattr(passphrase, "_COST", 1 << 10)
    monkeypatch.delenv("DUCKPRIV_PASSPHRASE", raising=False)


def fill(keyring: Keyring) -> Keyring:
    """A private file of every kind, and public ones."""
    keyring.rsa.generate("rsa", 2048)
    keyring.paillier.generate("paillier", 2048)
    keyring.joint.generate("part", "rsa-2048")
    keyring.seeds.generate("seed")
    keyring.keep_secret("secret", bytes(range(32)))
    keyring.create_identity("bank")
    keyring.import_public("shop", keyring.paillier.public("paillier").encoded, "paillier")
    return keyring


@pytest.fixture(scope="module")
def plain_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(Keyring(tmp_path_factory.mktemp("plain") / "keys")).path


@pytest.fixture
def plain(plain_files: Path, tmp_path: Path) -> Keyring:
    """A keyring without a passphrase."""
    return Keyring(shutil.copytree(plain_files, tmp_path / "keys"))


def held(keyring: Keyring) -> tuple:
    """Everything that is in a keyring of `fill`, told from its keys."""
    return (
        keyring.list(),
        keyring.rsa.private("rsa").public,
        keyring.paillier.private("paillier").key.p,
        keyring.joint.part("part"),
        keyring.seeds.part("seed"),
        keyring.secret("secret"),
        keyring.identity("bank").encoded,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def leaks(folder: Path, secrets: dict[str, bytes]) -> list[str]:
    """Private files of `secrets` of which a part is readable in a file of the folder."""
    there = b"\0".join(contents(folder).values())
    return [
        name
        for name, content in secrets.items()
        if is_private(name) and any(content[i : i + 24] in there for i in range(0, len(content), 8))
    ]


def test_every_private_file_is_encrypted_and_public_ones_are_not(plain, plain_files) -> None:
    before = contents(plain_files)
    private = {name for name in before if is_private(name)}
    assert len(private) == 6
    assert set(leaks(plain.path, before)) == private
    plain.protect(PHRASE)
    assert leaks(plain.path, before) == []
    assert plain.protected
    after = contents(plain.path)
    assert after.keys() == {*before, LOCK}  # no partial file is left
    assert {n for n in before if before[n] == after[n]} == before.keys() - private
    assert {stat.S_IMODE(f.stat().st_mode) for f in plain.path.iterdir()} == {0o600}
    assert PHRASE.encode() not in b"".join(after.values())


def test_a_protected_keyring_works_with_its_passphrase_and_only_with_it(plain) -> None:
    before = held(plain)
    plain.protect(PHRASE)
    assert held(Keyring(plain.path, PHRASE)) == before == held(plain)
    for use in (lambda k: k.secret("secret"), lambda k: k.identity("bank"), Keyring.list):
        with pytest.raises(KeyMismatch, match="passphrase is not that of this keyring") as wrong:
            use(Keyring(plain.path, OTHER))
        with pytest.raises(KeyNotFound, match="DUCKPRIV_PASSPHRASE"):
            use(Keyring(plain.path))
        assert OTHER not in str(wrong.value)
    for refused in (Keyring(plain.path), Keyring(plain.path, OTHER)):
        with pytest.raises(DuckprivError):
            refused.keep_secret("new", bytes(32))
        with pytest.raises(DuckprivError):
            refused.protect("another")
        assert refused.paillier.public("shop").key.bits == 2048  # public
    assert held(Keyring(plain.path, PHRASE)) == before


def test_a_new_keyring_is_protected_from_its_first_private_file(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "new", PHRASE)
    assert keyring.list() == []
    assert not keyring.protected
    secret = keyring.secret("s")
    assert keyring.protected
    assert leaks(keyring.path, {"s.secret": secret}) == []
    assert Keyring(keyring.path, PHRASE).secret("s") == secret
    assert stat.S_IMODE(keyring.path.stat().st_mode) == 0o700


def test_a_passphrase_for_plain_keys_is_refused_until_they_are_encrypted(plain) -> None:
    keyring = Keyring(plain.path, PHRASE)
    for use in (lambda: keyring.secret("secret"), lambda: keyring.secret("new")):
        with pytest.raises(InvalidValue, match="keys protect"):
            use()
    keyring.protect(PHRASE)
    assert keyring.secret("secret") == bytes(range(32))


def test_files_cannot_be_exchanged_altered_or_replaced_by_plain_ones(plain) -> None:
    plain.keep_secret("other", bytes(32))
    plain.protect(PHRASE)
    file, other = plain.path / "secret.secret", plain.path / "other.secret"
    good = file.read_bytes()
    altered = {
        "another file": other.read_bytes(),
        "plain": bytes(32),
        "empty": b"",
        "cut": good[:-1],
        "longer": good + b"\0",
        **{f"bit {i}": good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in range(len(good))},
    }
    for what, data in altered.items():
        file.write_bytes(data)
        with pytest.raises(InvalidValue):
            Keyring(plain.path, PHRASE).secret("secret")
            pytest.fail(what)
    kinds = {info.name: info.kind for info in Keyring(plain.path, PHRASE).list()}
    assert kinds["rsa"] == "RSA private key"
    file.write_bytes(good)
    assert Keyring(plain.path, PHRASE).secret("secret") == bytes(range(32))


def test_a_sealed_file_without_the_passphrase_file_is_explained(plain) -> None:
    plain.protect(PHRASE)
    (plain.path / LOCK).unlink()
    with pytest.raises(InvalidValue, match=f"no {LOCK}"):
        Keyring(plain.path).secret("secret")
    with pytest.raises(InvalidValue, match="not encrypted"):
        Keyring(plain.path, PHRASE).secret("secret")


def test_changing_and_removing(plain) -> None:
    before = held(plain)
    plain.protect(PHRASE)
    first = contents(plain.path)
    plain.protect(OTHER)
    second = contents(plain.path)
    assert all(first[name] != second[name] for name in first if is_private(name) or name == LOCK)
    assert held(Keyring(plain.path, OTHER)) == before
    with pytest.raises(KeyMismatch):
        Keyring(plain.path, PHRASE).secret("secret")
    plain.protect(None)
    assert not plain.protected
    assert held(Keyring(plain.path)) == before


class Killed(Exception):
    pass


@pytest.mark.parametrize("old", some([PHRASE, None], 1))
@pytest.mark.parametrize("new", some([OTHER, None], 1))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_step_nothing_is_lost(
    tmp_path: Path, plain, old: str | None, new: str | None, moment: str, monkeypatch
) -> None:
    """Each write is a step; the process dies before or after it. The next run goes on from there,
    and may be killed too."""
    if old:
        plain.protect(old)
    before = held(Keyring(plain.path, old))
    start = contents(plain.path)
    put = KeyFiles._put
    steps, dies_at = 0, -1

    def step(self, file: str, data: bytes, new: bool = False) -> None:
        nonlocal steps
        steps += 1
        if steps == dies_at and moment == "before":
            raise Killed
        put(self, file, data, new)
        if steps == dies_at:
            raise Killed

    monkeypatch.setattr(KeyFiles, "_put", step)
    for dies_at in range(1, 9 if old or new else 1):
        folder = tmp_path / f"killed{dies_at}"
        folder.mkdir()
        for name, data in start.items():
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)
        (folder / ".0123.partial").write_bytes(b"of a process that was killed")
        steps = 0
        try:
            Keyring(folder, old).protect(new)
        except Killed:
            pass
        else:
            assert steps < dies_at
        # Who has the one passphrase or the other opens the keyring, or is told what to do.
        works = []
        for phrase in {old, new}:
            try:
                works.append(held(Keyring(folder, phrase)) == before)
            except DuckprivError as error:
                told = str(error)
                assert any(
                    text in told for text in ("keys protect", "passphrase is not", "protected by")
                )
        assert all(works)
        if not works:
            assert json.loads((folder / LOCK).read_text())["state"] == "changing"
        steps = -100 if dies_at % 2 else dies_at - 3  # every second one is killed again
        for _ in range(2):
            for phrase in (new, old):
                try:
                    Keyring(folder, phrase).protect(new)
                    break
                except (Killed, DuckprivError):
                    pass
        assert held(Keyring(folder, new)) == before
        assert contents(folder).keys() == {*start.keys() - {LOCK}, *([LOCK] if new else [])}
        if new:
            assert leaks(folder, {"secret.secret": bytes(range(32))}) == []


def test_a_damaged_file_stops_the_change_before_it_begins(plain) -> None:
    plain.protect(PHRASE)
    file = plain.path / "seed.seed.private"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    before = contents(plain.path)
    with pytest.raises(InvalidValue, match=r"seed\.seed\.private"):
        plain.protect(OTHER)
    assert contents(plain.path) == before


def test_a_file_that_came_while_the_keyring_was_protected_is_named(plain) -> None:
    plain.protect(PHRASE)
    (plain.path / "late.secret").write_bytes(bytes(32))
    (plain.path / "late.secret").chmod(0o600)
    with pytest.raises(InvalidValue, match=r"late\.secret.*keys protect"):
        plain.secret("late")
    plain.protect(PHRASE)
    assert plain.secret("late") == bytes(32)


def test_another_process_sees_that_the_keyring_was_protected(plain) -> None:
    Keyring(plain.path).protect(PHRASE)
    with pytest.raises(KeyNotFound, match="passphrase"):
        plain.keep_secret("new", bytes(32))


lock_fields = st.sampled_from(["format", "state", "salt", "opens"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    Keyring(tmp_path / "k", PHRASE).secret("s")
    return tmp_path / "k"


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(change=st.binary(max_size=300) | st.dictionaries(lock_fields | st.text(), json_values))
def test_a_damaged_passphrase_file_is_a_clear_error(locked: Path, change) -> None:
    good = (locked / LOCK).read_bytes()
    try:
        if isinstance(change, dict):
            if not change:
                return
            change = json.dumps({**json.loads(good), **change}).encode()
        (locked / LOCK).write_bytes(change)
        with pytest.raises((InvalidValue, KeyMismatch)):
            Keyring(locked, PHRASE).secret("s")
    finally:
        (locked / LOCK).write_bytes(good)


@pytest.mark.parametrize("phrase", ["", "\ud800"])
def test_what_is_no_passphrase(tmp_path: Path, phrase: str) -> None:
    with pytest.raises(InvalidValue, match="passphrase"):
        Keyring(tmp_path / "k", phrase)


def test_composed_letters_are_the_same_as_their_parts(tmp_path: Path) -> None:
    secret = Keyring(tmp_path / "k", "Zaubertr\u00e4nke").secret("s")
    assert Keyring(tmp_path / "k", "Zaubertra\u0308nke").secret("s") == secret


def test_the_key_is_derived_once(plain, monkeypatch) -> None:
    plain.protect(PHRASE)
    derived = []
    derive = passphrase.derive
    monkeypatch.setattr(passphrase, "derive", lambda *a: derived.append(a) or derive(*a))
    keyring = Keyring(plain.path, PHRASE)
    held(keyring)
    keyring.secret("new")
    assert len(derived) == 1


def test_scrypt_of_rfc_7914(monkeypatch) -> None:
    """The third vector of its section 12, cut to our length."""
    monkeypatch.setattr(passphrase, "_COST", 1 << 14)
    assert passphrase.derive(b"pleaseletmein", b"SodiumChloride").hex() == (
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    )


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_private_file_that_others_may_open_is_refused(plain, mode: int) -> None:
    (plain.path / "secret.secret").chmod(mode)
    (plain.path / "shop.paillier.public").chmod(0o644)
    keyring = Keyring(plain.path)
    with pytest.raises(InvalidValue, match="chmod 600"):
        keyring.secret("secret")
    assert keyring.paillier.public("shop")


def test_connect_and_register_take_a_passphrase(tmp_path: Path) -> None:
    with duckpriv.connect(keyring=tmp_path / "k", session="s", passphrase=PHRASE) as party:
        party.con.execute("CALL rsa_keygen('mine', bits := 2048)").fetchall()
        settings_ = party.con.execute("FROM duckdb_settings()").fetchall()
        assert PHRASE not in str(settings_)
    with (
        duckpriv.connect(keyring=tmp_path / "k") as party,
        pytest.raises(duckpriv.DuckprivError, match="passphrase"),
    ):
        party.sql("CALL rsa_keygen('other', bits := 2048)")
    with duckpriv.connect() as outer:
        party = duckpriv.register(outer.con, keyring=tmp_path / "k", passphrase=PHRASE)
        assert party.keyring.info("mine").bits == 2048


def test_the_command_line_takes_it_from_the_environment(plain, monkeypatch) -> None:
    def command(*arguments: str, phrase: str | None, typed: str = "") -> tuple[int, str]:
        environment = {"DUCKPRIV_PASSPHRASE": phrase}
        done = CliRunner().invoke(
            cli, [*arguments, "--keyring", str(plain.path)], typed, environment
        )
        return done.exit_code, done.output + str(done.exception or "")

    assert command("keys", "protect", phrase=PHRASE)[0] == 0
    assert plain.protected
    assert "own identity" in command("keys", "list", phrase=PHRASE)[1]
    assert command("identity", "show", "bank", phrase=PHRASE)[0] == 0
    assert command("identity", "create", "other", phrase=PHRASE)[0] == 0
    code, output = command("keys", "list", phrase=None)
    assert code
    assert "DUCKPRIV_PASSPHRASE" in output
    code, output = command("keys", "list", phrase=OTHER)
    assert code
    assert "passphrase is not that" in output
    assert OTHER not in output
    code, output = command("keys", "protect", phrase=PHRASE, typed=f"{OTHER}\n{OTHER}\n")
    assert code == 0
    assert OTHER not in output  # it is not shown while it is typed
    assert command("keys", "show", "rsa", phrase=OTHER)[0] == 0
    assert command("keys", "protect", "--remove", phrase=OTHER)[0] == 0
    assert not plain.protected
    assert command("keys", "show", "rsa", phrase=None)[0] == 0


@takes_long
def test_on_a_terminal_one_is_asked(tmp_path: Path) -> None:
    """With the real cost, in a process of its own whose terminal is ours."""
    keyring = str(tmp_path / "k")
    for arguments, answers in (
        (["keys", "protect"], [PHRASE, PHRASE]),
        (["identity", "create", "bank"], [PHRASE]),
        (["keys", "protect", "--remove"], [PHRASE]),
    ):
        process, terminal = pty.fork()
        if process == 0:
            os.execv(DUCKPRIV, [DUCKPRIV, *arguments, "--keyring", keyring])
        shown, asked = b"", 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # the process has ended
                break
            if shown.count(b": ") > asked and shown.endswith(b": ") and asked < len(answers):
                os.write(terminal, answers[asked].encode() + b"\n")
                asked += 1
        assert os.waitpid(process, 0)[1] == 0, shown
        os.close(terminal)
        assert asked == len(answers)
        assert PHRASE.encode() not in shown
    environment = {k: v for k, v in os.environ.items() if k != "DUCKPRIV_PASSPHRASE"}
    shown_identity = subprocess.run(
        [DUCKPRIV, "identity", "show", "bank", "--keyring", keyring],
        capture_output=True,
        env=environment,
    )
    assert shown_identity.returncode == 0
