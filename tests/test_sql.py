"""duckpriv sql: statements without a party."""

from __future__ import annotations

import os
import pty
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from duckpriv import Keyring
from tests.test_cli import command as in_a_process
from tests.test_cli import start, wait_for

LONG = "SELECT sum(i * j) FROM range(10000000) t(i), range(10000000) s(j);"
KEYS = ("--keyring", "keys")


def test_functions_and_keys_are_there(tmp_path: Path, command) -> None:
    code, output, errors = command(
        *(tmp_path, "sql", *KEYS, "--db", "own.duckdb", "--rows", "2"),
        *(
            "-c",
            "CREATE TABLE t AS SELECT i, 'x' || i AS name FROM range(5) t(i); FROM t ORDER BY i",
        ),
        *("-c", "CALL paillier_keygen('mine', 2048)"),
        *("-c", "SELECT paillier_decrypt(paillier_encrypt(1.5, 'mine'), 'mine') AS back"),
    )
    assert (code, errors) == (0, "")
    lines = [line.split() for line in output.splitlines()]
    assert lines[:5] == [
        ["5", "rows", "changed"],
        ["i", "BIGINT", "name", "VARCHAR"],
        ["0", "x0"],
        ["1", "x1"],
        ["5", "rows,", "3", "not", "shown"],
    ]
    assert lines[-3:] == [["back", "DOUBLE"], ["1.5"], ["1", "rows"]]
    assert [key.name for key in Keyring(tmp_path / "keys").list()] == ["mine"]
    with duckdb.connect(str(tmp_path / "own.duckdb")) as con:
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(5,)]


def test_values_are_shown_as_sql_has_them_and_names_are_whole(tmp_path: Path, command) -> None:
    query = (
        "SELECT NULL AS none, true AS yes, 1 AS a_number_of_something, 2 AS a_number_of_anything"
    )
    _, output, _ = command(tmp_path, "sql", *KEYS, "-c", query, COLUMNS="40")
    lines = output.splitlines()
    assert lines[-2].split() == ["NULL", "true", "1", "2"]
    assert "…" not in output


def test_all_rows_are_computed_where_few_are_shown(tmp_path: Path, command) -> None:
    make = "CREATE SEQUENCE s; SELECT nextval('s') FROM range(9000); SELECT nextval('s') AS next"
    code, output, _ = command(tmp_path, "sql", *KEYS, "-c", make)
    assert code == 0
    assert output.split()[-3:] == ["9,001", "1", "rows"]


@pytest.mark.parametrize("given", ["file", "-", "standard input"])
def test_statements_of_a_file_and_of_standard_input(tmp_path: Path, given: str) -> None:
    text = "\ufeff-- two\nSELECT 'ü' AS a;\nSELECT 43 AS b"
    (tmp_path / "two.sql").write_text(text, "utf-8")
    own = {"file": ["two.sql"], "-": ["-"], "standard input": []}[given]
    with (tmp_path / "two.sql").open() as stream:
        process = start(tmp_path, "sql", *KEYS, *own, streams=(stream.fileno(), -1, -1))
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output.split() == ["a", "VARCHAR", "ü", "1", "rows", "b", "INTEGER", "43", "1", "rows"]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1; SELECT nothing FROM range(3)", 'Binder Error: Referenced column "nothing"'),
        ("SELEC 1", "Parser Error: syntax error"),
        ("CALL exchange_send('shop', 'x', 'SELECT 1')", "needs an exchange, a session and your"),
        ("FROM exchange_recv('shop', 'x')", "needs an exchange, a session and your"),
        ("SELECT oprf_blind('a', 'host')", "DUCKPRIV_"),
        ("SELECT paillier_encrypt(1.0, 'nothing')", "no key 'nothing'"),
        ("FROM 'nothing.parquet'", "nothing.parquet"),
    ],
)
def test_errors_are_one_line_and_end_it(tmp_path: Path, command, sql: str, problem: str) -> None:
    code, output, errors = command(tmp_path, "sql", *KEYS, "-c", sql, "-c", "SELECT 99")
    assert code == 1
    assert problem in errors
    assert errors.count("\n") == 1
    assert "99" not in output


def test_the_database_of_the_settings_file(tmp_path: Path, command) -> None:
    (tmp_path / "duckpriv.toml").write_text("database = 'own.duckdb'\nkeyring = 'keys'\n")
    assert command(tmp_path, "sql", "-c", "CREATE TABLE t AS SELECT 1 AS a")[0] == 0
    assert (tmp_path / "own.duckdb").exists()
    code, _, errors = command(tmp_path, "sql", "-c", "SELECT 1", "a.sql")
    assert code == 2
    assert "a.sql" in errors


class Terminal:
    """The shell on a terminal."""

    def __init__(self, folder: Path, *more: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = start(
            folder,
            "sql",
            *KEYS,
            *more,
            streams=(theirs, theirs, theirs),
            TERM="dumb",
            DUCKPRIV_HISTORY="",
        )
        os.close(theirs)
        self._unread = ""
        self.until("duckpriv> ")

    def until(self, text: str) -> str:
        """Return what it shows up to `text`."""
        end = time.monotonic() + 60
        while text not in self._unread and time.monotonic() < end:
            try:
                self._unread += os.read(self._ours, 4096).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        before, found, self._unread = self._unread.partition(text)
        assert found, before
        return before

    def type(self, text: str, then: str = "duckpriv> ") -> str:
        os.write(self._ours, text.encode())
        return self.until(then)

    def close(self) -> None:
        os.close(self._ours)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_what_is_typed(tmp_path: Path, terminal: Terminal) -> None:
    terminal.type("SELECT 6 *\n", "...> ")
    assert "42" in terminal.type("7; -- so\n")
    terminal.type("SELECT 'a;\n", "...> ")
    assert "a;\\nb" in terminal.type("b' AS x;\n")
    assert "Parser Error" in terminal.type("SELEC;\n")
    assert "DUCKPRIV_KEY_NOT_FOUND" in terminal.type("SELECT paillier_encrypt(1.0, 'no');\n")
    assert "duckpriv_functions()" in terminal.type(".help\n")
    assert "44" in terminal.type("SELECT 44;\n")
    os.write(terminal._ours, b"\x04")
    assert terminal.process.wait(60) == 0
    assert not list(tmp_path.iterdir())  # no history


@pytest.mark.parametrize("word", ["exit", "quit;", ".quit"])
def test_a_word_ends_it(terminal: Terminal, word: str) -> None:
    os.write(terminal._ours, f"{word}\n".encode())
    assert terminal.process.wait(60) == 0


def test_ctrl_c_stops_a_statement_or_clears_the_line(terminal: Terminal) -> None:
    process = terminal.process
    terminal.type("SELECT 1 +\n", "...> ")
    process.send_signal(signal.SIGINT)
    terminal.until("stopped")
    terminal.until("duckpriv> ")
    assert "45" in terminal.type("SELECT 45;\n")
    terminal.type("CALL paillier_keygen('mine', 2048);\n")
    encrypt = "SELECT count(paillier_encrypt(i::DOUBLE, 'mine')) FROM range(10000000) t(i);"
    for statement in (LONG, encrypt):
        os.write(terminal._ours, f"{statement}\n".encode())
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        terminal.until("stopped")
        terminal.until("duckpriv> ")
    assert "46" in terminal.type("SELECT 46;\n")
    os.write(terminal._ours, f"{LONG}\n".encode())
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)  # that ends it
    assert process.wait(60) == 130


def test_lines_are_kept_where_the_user_says_so(tmp_path: Path) -> None:
    for number in (1, 2):
        one = Terminal(tmp_path, "--history", "lines")
        one.type(f"SELECT {number};\n")
        os.write(one._ours, b"\x04")
        assert one.process.wait(60) == 0
        one.close()
    kept = tmp_path / "lines"
    assert [line for line in kept.read_text().splitlines() if line.startswith("SELECT")] == [
        "SELECT 1;",
        "SELECT 2;",
    ]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_ctrl_c_ends_what_is_not_typed(tmp_path: Path) -> None:
    process = start(tmp_path, "sql", *KEYS, "-c", "COPY (SELECT 1) TO 'begun.csv'", "-c", LONG)
    wait_for((tmp_path / "begun.csv").exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "stopped"


def test_of_another_kind_of_text(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xfc'")
    code, _, errors = in_a_process(tmp_path, "sql", *KEYS, "latin.sql")
    assert code == 1
    assert "not text in UTF-8" in errors
