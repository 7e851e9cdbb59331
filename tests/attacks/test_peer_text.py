"""What a peer wrote reaches no terminal as it is: neither sequences nor markup."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import InvalidValue, ProtocolError
from duckpriv.errors import DuckprivError, from_text, translated
from duckpriv.report import write_report
from duckpriv.visible import visible, visible_lines
from tests.effort import takes_long
from tests.parties import Folder

EVIL = (
    "x\x1b[2J\x1b]0;owned\x07\r\nDone. \x9b8m[bold]all[/] [link=http://e.il]well[/] \u202egnp\u2028"
)
SHOWN = r"x\x1b[2J\x1b]0;owned\x07\r\nDone. \x9b8m[bold]all[/] [link=http://e.il]well[/] \u202egnp"
JOINERS = "\u200c\u200d"
anything = st.text(st.characters(codec=None), max_size=60)


def safe(text: str) -> bool:
    return not any(
        unicodedata.category(c).startswith("C") or unicodedata.category(c) in ("Zl", "Zp")
        for c in text
        if c not in JOINERS
    )


@settings(deadline=None)
@given(anything)
def test_every_text_is_made_safe_once(text: str) -> None:
    shown = visible(text)
    assert safe(shown)
    assert visible(shown) == shown
    shown.encode()  # no lone surrogate is left
    for i, c in enumerate(shown):
        if c in JOINERS:
            assert ord(shown[i - 1]) > 0x58F
            assert ord(shown[i + 1]) > 0x58F


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=60))
def test_ordinary_text_of_any_script_stays(text: str) -> None:
    assert visible(text) == text


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=100), st.integers(8, 50))
def test_no_more_than_asked_for_is_shown(text: str, most: int) -> None:
    assert len(visible(text, most)) <= most
    assert len(visible(text * 1000, most)) <= most


@settings(deadline=None)
@given(st.lists(anything, max_size=4))
def test_lines_cannot_pass_for_another_message(lines: list[str]) -> None:
    first, *rest = visible_lines("\n".join(lines)).split("\n")
    assert safe(first)
    assert all(line.startswith("    ") and safe(line) for line in rest)


def test_words_with_joiners_stay_and_hidden_ones_show() -> None:
    for text in ("می‌خواهم", "क्‍ष", "👨‍👩‍👧"):
        assert visible(text) == text
    assert visible("pay\u200dpal") == r"pay\u200dpal"
    assert visible("\udcff\U000e0041\ue000") == r"\udcff\U000e0041\ue000"


def test_errors_are_one_visible_line_that_ends_as_it_was_written() -> None:
    for error in (ProtocolError(EVIL), from_text(f"Error: DUCKPRIV_PROTOCOL: {EVIL}")):
        assert SHOWN in str(error)
        assert safe(str(error))
    long = InvalidValue("\x1b" * 10_000_000 + "; do this")
    assert len(str(long)) < 4000
    assert str(long).endswith("; do this")
    own = translated(duckdb.ConversionException(f"Could not convert '{EVIL}'"))
    assert isinstance(own, duckdb.ConversionException)
    assert safe(str(own).replace("\n    ", ""))


def test_plain_sql_raises_visible_errors(connect) -> None:
    con = connect().con
    for query in ("SELECT require(false, $1)", "SELECT * FROM exchange_recv('shop', $1)"):
        with pytest.raises(duckdb.Error) as caught:
            con.execute(query, [EVIL]).fetchall()
        assert "\x1b" not in str(caught.value)


def test_what_duckdb_says_of_a_value_is_visible_too(connect, tmp_path) -> None:
    (tmp_path / "cast.sql").write_text("SELECT value::BIGINT FROM t;")
    party = connect()
    party.con.execute("CREATE TABLE t AS SELECT $1 AS value", [EVIL])
    with pytest.raises(duckdb.ConversionException) as caught:
        party.run(str(tmp_path / "cast.sql"))
    assert r"x\x1b[2J" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def on_terminal(folder: Path, *arguments: object) -> str:
    """Run duckpriv on a terminal of its own; return what it wrote there."""
    command = [str(Path(sys.executable).parent / "duckpriv"), *map(str, arguments)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm-256color"},
    ):
        os.close(theirs)
        output = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # so a terminal ends
                break
            if not data:
                break
            output += data
    os.close(ours)
    return output.decode()


def check(output: str) -> None:
    for sequence in ("\x1b[2J", "\x1b]0;", "\x1b]8;", "\x07", "\x9b", "\u202e", "\u2028"):
        assert sequence not in output
    assert r"x\x1b[2J\x1b]0;owned\x07" in output


@pytest.fixture
def parties(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@takes_long
def test_an_error_that_quotes_the_peers_settings(parties) -> None:
    parties.query("shop", "CREATE TABLE clients AS SELECT i AS id, i / 7 AS a FROM range(50) t(i)")
    with parties.connect("bank", "s1") as bank:
        con = bank.con
        con.execute("SET VARIABLE duckpriv_protocol = 'lr_joint_key/1'")
        con.execute("SET VARIABLE duckpriv_parameters = 'modulus=rsa-2048'")
        con.execute("CREATE TABLE start AS SELECT $1 || repeat('z', 1000000) AS settings", [EVIL])
        con.execute(
            "CALL exchange_send('shop', 'lr/start', $$ SELECT settings, 's' AS seed, 50::BIGINT AS "
            "rows, 'd' AS digest, 2::BIGINT AS width FROM start $$)"
        ).fetchall()
    output = on_terminal(
        parties.folder,
        *("run", "lr_joint_key/guest", "--db", "shop.duckdb", "--me", "shop", "--peer", "bank"),
        *("--exchange", "dir:mailbox", "--session", "s1", "--keyring", "k", "--unprotected"),
        *("--set", "table=clients", "--set", "id=id", "--timeout", 20),
    )
    check(output)
    assert "agree on one and start a new session" in output
    assert len(output) < 20_000


def test_a_message_is_shown_without_its_sequences_and_markup(parties) -> None:
    with parties.connect("bank", "s1") as bank:
        bank.con.execute('CREATE TABLE t AS SELECT $1 AS x, [$1] AS "[bold]y[/]"', [EVIL[:30]])
        bank.con.execute("CALL exchange_send('shop', 'm', 'FROM t')").fetchall()
    at = ("--exchange", "dir:mailbox", "--session", "s1", "--keyring", "k")
    shown = on_terminal(
        parties.folder, "messages", "show", "m", "--me", "shop", "--peer", "bank", *at,
        "--unprotected",
    )  # fmt: skip
    check(shown)
    listed = on_terminal(parties.folder, "messages", "list", *at)
    for output in (shown, listed):
        assert "[bold]y[/] VARCHAR[]" in output or "[bold]y[/] string[]" in output


@takes_long
def test_what_stands_in_a_database_is_shown_as_it_is(parties) -> None:
    (parties.folder / "send.sql").write_text(
        "-- set note  a note\nCALL exchange_send('shop', 'm', 'SELECT 1 AS n');\n"
        "SELECT getvariable('note') AS note, 2 AS \"[red]b[/]\";"
    )
    arguments = (
        *("--db", "bank.duckdb", "--me", "bank", "--exchange", "dir:mailbox", "--session", "s1"),
        *("--keyring", "k", "--unprotected", "--set", f"note={EVIL[:24]}"),
    )
    output = on_terminal(parties.folder, "run", "send.sql", *arguments)
    check(output)
    assert "[red]b[/] 2" in output
    parties.query("bank", "UPDATE duckpriv_runs SET state = chr(27) || '[2J[bold]'")
    listed = on_terminal(parties.folder, "runs", "list", "--db", "bank.duckdb")
    assert r"\x1b[2J[bold]" in "".join(listed.split())


def test_a_name_of_a_file_in_an_error(parties) -> None:
    output = on_terminal(parties.folder, "report", "--db", "no\x1b[2J.duckdb", "--scored", "t")
    assert "\x1b[2J" not in output


def test_the_report_has_no_marks_that_turn_text_around(parties) -> None:
    parties.query(
        "bank",
        "CREATE TABLE model AS SELECT 'a<b>' || chr(8238) AS feature, 1.0 AS weight, "
        "NULL::DOUBLE AS weight_original",
    )
    target = parties.folder / "report.html"
    write_report(parties.folder / "bank.duckdb", target, None, "score", "label")
    assert r"a&lt;b&gt;\u202e" in target.read_text()


def test_our_errors_keep_their_class(connect) -> None:
    with pytest.raises(DuckprivError):
        connect().run("no/such\x1b[2J")
