"""The command line, as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from duckpriv import __version__
from duckpriv.cli import cli, main
from duckpriv.crypto import modarith
from tests.effort import some, takes_long
from tests.parties import make_table

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
COMMON = ["--exchange", "dir:mailbox", "--session", "s1", "--keyring"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the databases of both parties."""
    for name, ids in (("bank", ["a", "b", "c", None, "c"]), ("shop", ["b", "c", "d"])):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as con:
            make_table(con, ids)
    return tmp_path


def start(
    folder: Path,
    *arguments: str,
    streams: tuple[int | None, int, int] = (None, subprocess.PIPE, subprocess.PIPE),
    **environment: str,
) -> subprocess.Popen[str]:
    """Start a command with these as standard input, output and errors."""
    return subprocess.Popen(
        [DUCKPRIV, *arguments],
        cwd=folder,
        text=True,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def command(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = start(folder, *arguments, **environment)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def party(role: str, *more: str) -> list[str]:
    me, peer = ("bank", "shop") if role == "host" else ("shop", "bank")
    return [
        *("run", f"psi/{role}", "--db", f"{me}.duckdb", "--me", me, "--peer", peer),
        *(*COMMON, f"{me}.keys", "--unprotected", "--set", "table=people", "--set", "id=id", *more),
    ]


def matched(folder: Path) -> list:
    with duckdb.connect(str(folder / "shop.duckdb")) as con:
        return con.execute("SELECT id FROM alignment ORDER BY id").fetchall()


@takes_long
def test_the_two_commands_of_private_matching(folder: Path) -> None:
    host = start(folder, *party("host", "--memory", "200MB"))
    code, output, errors = command(folder, *party("guest"))
    host_output, host_errors = host.communicate(timeout=60)
    assert (code, host.returncode) == (0, 0), errors + host_errors
    assert matched(folder) == [("b",), ("c",)]
    assert "rows 3, without_id 0, distinct_ids 3, repeated 0, matched 2, host_only 1" in output
    assert "rows 5, without_id 1, distinct_ids 3, repeated 1" in host_output
    assert "Next: Your records that both have are in alignment." in " ".join(errors.split())

    code, output, _ = command(
        folder, "messages", "list", "--exchange", "dir:mailbox", "--session", "s1"
    )
    assert code == 0
    lines = [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()[1:]]
    assert [line[:4] for line in lines] == [
        ["bank", "shop", "psi/key", "1"],
        ["shop", "bank", "psi/blinded", "3"],
        ["bank", "shop", "psi/evaluated-1", "1"],
        ["bank", "shop", "psi/tokens", "3"],
        ["shop", "bank", "psi/map", "3"],
    ]
    assert "seq int64, blinded binary" in output
    assert "token binary, pid uuid" in output

    code, output, _ = command(folder, "keys", "list", "--keyring", "bank.keys")
    assert code == 0
    assert "psi-s1-bank  OPRF private key" in output
    code, output, _ = command(folder, "keys", "show", "psi-s1-bank", DUCKPRIV_KEYRING="bank.keys")
    assert code == 0
    assert re.search(r"fingerprint\s+[0-9a-f]{64}", output)
    assert "PRIVATE" not in output
    code, output, _ = command(
        folder, "keys", "remove", "psi-s1-bank", "--yes", "--keyring", "bank.keys"
    )
    assert code == 0
    assert [file.name for file in (folder / "bank.keys").iterdir()] == ["journal.private"]


def test_a_run_that_did_not_finish_is_listed_with_its_whole_session(folder: Path) -> None:
    session = "a-session-with-a-long-name-20260301"
    began = ("--session", session, "--set", "kind=email", "--timeout", "1", "--quiet")
    assert command(folder, *party("guest"), *began)[0] == 1
    code, shown, _ = command(folder, "runs", "list", "--db", "shop.duckdb", COLUMNS="80")
    assert code == 0
    assert session in shown
    assert "not finished" in shown
    assert "kind=email" in command(folder, "runs", "list", "--db", "shop.duckdb", COLUMNS="200")[1]


def test_quiet_prints_nothing_and_errors_are_one_line_with_status_1(folder: Path) -> None:
    code, output, errors = command(folder, *party("guest", "--quiet", "--timeout", "0.2"))
    assert code == 1
    assert output == ""
    assert errors.startswith("DUCKPRIV_EXCHANGE_TIMEOUT: no message 'psi/key' from bank")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "psi/hots"], "Missing option"),
        (party("guest", "--set", "table"), "--set takes NAME=VALUE"),
        (party("guest", "--set", "tabel=x"), "did you mean 'table'"),
        (party("guest", "--timeout", "-1"), "--timeout"),
        (party("guest", "--db", "nothing.duckdb"), "there is no database nothing.duckdb"),
        (party("guest", "--me", "Shop"), "your own name"),
        (party("guest", "--exchange", "ftp:x"), "'dir:'"),
        (party("guest", "--set", "table=nothing"), "nothing"),
        (["run", "nothing.sql", *party("guest")[2:]], "no script or file 'nothing.sql'"),
        (["functions", "nothing"], "no function 'nothing'"),
        (["keys", "show", "nothing", "--keyring", "k"], "DUCKPRIV_KEY_NOT_FOUND"),
        (["messages", "list", "--exchange", "dir:mailbox", "--session", "../x"], "the session"),
    ],
)
def test_mistakes_are_explained(
    folder: Path, arguments: list[str], text: str, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["duckpriv", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    errors = capfd.readouterr().err
    assert text in errors
    assert "Traceback" not in errors
    assert not list(folder.glob("mailbox/*/*/*/*.json"))


def test_help_lists_and_descriptions(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    def shown(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0
        return result.output

    for arguments in ([], ["run"], ["functions"], ["keys"], ["keys", "list"], ["messages"]):
        assert "Usage: " in shown(*arguments, "--help")
    assert "rsa_keygen(name, bits := 3072)" in shown("functions")
    assert "RFC 9474" in shown("functions", "rsa_blind")
    assert f"cores: {modarith.implementation()}" in shown("info")
    scripts = shown("scripts")
    assert "psi/host" in scripts
    assert "bits (default 3072)" in scripts


def test_python_runs_the_package_as_the_command() -> None:
    run = [sys.executable, "-m", "duckpriv", "--version"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == f"python -m duckpriv, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("duckpriv ru", ["plain,run", "plain,runs"]),
        ("duckpriv run psi/", ["file,psi/", "plain,psi/guest", "plain,psi/host"]),
        ("duckpriv run ./mine", ["file,./mine"]),
        ("duckpriv run psi/host --db ba", ["file,ba"]),
        ("duckpriv functions rsa_b", ["plain,rsa_blind"]),
        ("duckpriv in", ["plain,info", "plain,init", "plain,invite"]),
        ("duckpriv invite shop private_id/h", ["file,private_id/h", "plain,private_id/host"]),
        ("duckpriv accept ba", ["file,ba"]),
        ("duckpriv --config ba", ["file,ba"]),
        ("duckpriv --config bank.toml run psi/h", ["file,psi/h", "plain,psi/host"]),
    ],
)
def test_names_are_completed(words: str, completed: list[str]) -> None:
    environment = {
        "_DUCKPRIV_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    result = CliRunner().invoke(cli, prog_name="duckpriv", env=environment)
    assert result.output.splitlines() == completed


def test_a_script_of_ones_own(folder: Path) -> None:
    (folder / "mine.sql").write_text(
        "-- say hello\nCALL exchange_send(getvariable('peer'), 'hello', 'SELECT 1 AS x');\n"
        "-- count\nSELECT count(*) AS people, getvariable('extra') AS extra FROM people;\n"
    )
    code, output, errors = command(
        folder, "run", "mine.sql", *party("guest", "--set", "extra=5")[2:]
    )
    assert code == 0, errors
    assert "people 3, extra 5" in output
    assert (folder / "mailbox/s1/shop/bank/hello.json").exists()


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("moment", some(["waiting", "computing"], 1))
def test_ctrl_c_leaves_no_half_message_and_no_half_table(folder: Path, moment: str) -> None:
    if moment == "computing":
        with duckdb.connect(str(folder / "shop.duckdb")) as con:
            con.execute("INSERT INTO people SELECT 'user' || i, i FROM range(300_000) t(i)")
        # The peer's key is there, so blinding begins; it takes longer than this test.
        assert command(folder, *party("host", "--timeout", "0.1", "--set", "bits=2048"))[0] == 1
    guest = start(folder, *party("guest"))
    if moment == "waiting":
        wait_for(lambda: guest.poll() is not None or _uses(folder, guest))
        time.sleep(2)
    else:
        wait_for(lambda: list(folder.glob("shop.keys/blinding-*")))  # it blinds
        time.sleep(1)
    guest.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    _, errors = guest.communicate(timeout=30)
    assert time.monotonic() - interrupted < 10
    assert guest.returncode == 130, errors
    assert "stopped" in errors
    assert "Traceback" not in errors
    assert not list(folder.glob("mailbox/s1/shop/*/*.*"))
    with duckdb.connect(str(folder / "shop.duckdb")) as con:
        query = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
        tables = {name for (name,) in con.execute(query).fetchall()}
        assert tables - {"duckpriv_audit", "duckpriv_releases"} == {
            *("duckpriv_journal", "duckpriv_runs", "people")
        }


def test_ctrl_c_while_duckdb_works_for_the_main_thread(folder: Path) -> None:
    """As it does for the journal, or here for a condition: DuckDB raises no KeyboardInterrupt."""
    (folder / "again.sql").write_text(
        "-- part again while (SELECT count(*) FROM range(2000000) t(i) WHERE i % 7 = 3) > 0\n"
        "SET VARIABLE x = 1;\n"
    )
    process = start(folder, "run", "again.sql", *party("guest")[2:])
    wait_for(lambda: process.poll() is not None or _uses(folder, process))
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors


def _uses(folder: Path, process: subprocess.Popen[str]) -> bool:
    """Whether the process has opened its database."""
    files = Path(f"/proc/{process.pid}/fd")
    try:
        return any("shop.duckdb" in str(file.readlink()) for file in files.iterdir())
    except OSError:
        return False


@pytest.mark.parametrize("size", ["400", "much", "1MB; DROP TABLE t"])
def test_a_size_of_memory_that_is_none(folder: Path, size: str) -> None:
    code, _, errors = command(folder, *party("guest", "--memory", size))
    assert code == 2
    assert "is no size" in errors
