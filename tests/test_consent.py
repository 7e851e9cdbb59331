"""What a script will send is shown before it sends."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv.calls import calls
from duckpriv.consent import NOT_DESCRIBED, UNKNOWN, Consent
from duckpriv.exchange.message.types import expected_columns
from duckpriv.scripts import bundled, load, parse
from duckpriv.sends import RECEIVES, SENDS, channel_of, literal
from tests.effort import examples, some
from tests.parties import match

DUCKPRIV = str(Path(sys.executable).with_name("duckpriv"))
VALUES = {"peer": "shop", "helper": "carol", "host": "bank", "guests": "shop"}


@pytest.mark.parametrize("name", bundled())
def test_every_message_of_a_bundled_script_is_described(name: str) -> None:
    script = load(name)
    found = Consent(script, VALUES).messages
    sends = sum(len(re.findall(r"exchange_send\s*\(", s.sql)) for s in script.statements)
    assert len(found) == sends > 0
    for message in found:
        assert expected_columns(message.columns), message
        assert message.reveals not in ("", NOT_DESCRIBED), message
        assert {*message.receiver.split(", ")} <= {*VALUES.values()}, message


@pytest.mark.parametrize("name", bundled())
def test_a_channel_of_a_bundled_script_has_one_form(name: str) -> None:
    folder, _, role = name.partition("/")
    forms: dict[str, set[str]] = {}
    for other in bundled():
        if other.startswith(f"{folder}/") and ("predict" in other) == ("predict" in role):
            for statement in load(other).statements:
                for call in calls(statement.sql, RECEIVES):
                    form = literal(call.argument(2, "columns"))
                    forms.setdefault(str(channel_of(call, {})), set()).add(str(form))
    assert all(len(form) == 1 for form in forms.values()), forms


def test_what_goes_along_with_messages_is_shown() -> None:
    given = {"peer": "shop", "table": "t", "id": "a,b", "kind": "lower"}
    script = load("psi/host")
    assert Consent(script, script.values(given)).settings == [
        "psi/1 kind=lower columns=N scheme=oprf",
        "psi/1 kind=lower columns-of-keys=N all=N scheme=oprf",
    ]
    assert Consent(load("lr_helper/helper"), VALUES).settings == ["lr_helper/2"]
    assert Consent(parse("own.sql", "SELECT 1"), {}).settings == []


def test_receivers_that_a_script_computes_are_the_parties_of_its_settings() -> None:
    script = load("lr_helper/host")
    given = {"host": "bank", "guests": "shop, mill", "helper": "carol", "table": "t", "label": "y"}
    found = Consent(script, script.values(given), "bank").messages
    assert {m.receiver for m in found} == {"shop, mill, carol", "shop, mill", "carol"}
    script = load("lr_joint_key/guest")
    for assistant, receivers in (("", "bank"), ("carol", "carol")):
        given = {"peer": "bank", "table": "t", "assistant": assistant}
        found = Consent(script, script.values(given), "shop").messages
        to = {m.channel: m.receiver for m in found}
        assert (to["lr/gradient-N"], to["lr/shape"]) == (receivers, "bank")


def test_a_space_after_a_comma_is_no_part_of_a_name(tmp_path: Path) -> None:
    script = load("lr_helper/helper")
    assert script.values({"guests": "shop , mill", "host": " bank"}) == (
        script.values({"guests": "shop,mill", "host": "bank"})
    )
    (tmp_path / "own.sql").write_text(
        "CALL exchange_send(getvariable('peer'), 'x', 'SELECT 1 AS i');"
    )
    with duckpriv.connect(
        me="bank",
        exchange=f"dir:{tmp_path / 'mailbox'}",
        keyring=tmp_path / "k",
        session="s1",
        unprotected=True,
    ) as party:
        party.run(str(tmp_path / "own.sql"), peer="shop, mill")
    for name in ("shop", "mill"):
        assert (tmp_path / f"mailbox/s1/bank/{name}/x.json").exists()


def test_what_a_script_waits_for_is_shown() -> None:
    assert Consent(load("psi/host"), {"peer": "shop"}).waits == {
        "shop": ["psi/blinded", "psi/map", "psi/pids"]
    }
    given = {"host": "bank", "guest": "shop"}
    assert Consent(load("lr_joint_key/assistant"), given).waits == {
        "shop": ["lr/gradient-N", "lr/partial-N"],
        "bank": ["lr/gradient-N", "lr/partial-N", "lr/progress-N"],
    }
    own = parse("own.sql", "FROM query('FROM exchange_recv(''shop'', ''x'')');")
    assert Consent(own, {}).waits == {UNKNOWN: [UNKNOWN]}
    for name in bundled():
        assert UNKNOWN not in str(Consent(load(name), VALUES).waits)


def test_what_was_announced_is_what_was_sent(tmp_path: Path, together) -> None:
    together(
        lambda: match("host", str(tmp_path), ["a", "b"]),
        lambda: match("guest", str(tmp_path), ["b", "c"]),
    )
    for role, me, peer in (("host", "bank", "shop"), ("guest", "shop", "bank")):
        sent = {f.stem for f in tmp_path.glob(f"mailbox/s1/{me}/{peer}/*.json")}
        messages = Consent(load(f"psi/{role}"), {"peer": peer}).messages
        several = {m.channel for m in messages if m.part == "if getvariable('keys') > 1"}
        assert len(several) == 1
        shown = {m.channel for m in messages if "oprf" not in m.part} - several
        assert {channel.replace("/", ".") for channel in shown} == sent
        assert {message.receiver for message in messages} == {peer}
    types = {m.channel: m.columns for m in Consent(load("psi/guest"), {"peer": "bank"}).messages}
    assert types == {
        "psi/blinded": "seq BIGINT, blinded BLOB",
        "psi/map": "token BLOB, pid UUID",
        "psi/pids": "record BIGINT, pid UUID",
    }


SHOWN = {
    "'psi/key'": "psi/key",
    "$$psi/key$$": "psi/key",
    "'psi' || '/key'": "psi/key",
    "'lr/residual-' || getvariable('iteration')": "lr/residual-N",
    "'a-' || GetVariable ( 'i' ) /* step */ || '-b'": "a-N-b",
    "'a' || (b || 'c')": "aN",
    "'a' || 'b' = 'c'": "aN",
    "'a' || b || c || '' || d": "aN",
    "a || b": "None",
    "'a-' || getvariable('kind')": "a-raw",
    "getvariable('c') || 'x'": "Nx",
    "getvariable('c')": "None",
    "lower('X')": "None",
    "E'\\x61'": "None",
    "x'61'": "None",
    "''": "",
}


@pytest.mark.parametrize("expression", SHOWN)
def test_channels_as_people_read_them(expression: str) -> None:
    (call,) = calls(f"CALL exchange_send('p', {expression}, 'FROM t')", SENDS)
    assert str(channel_of(call, {"kind": "raw"})) == SHOWN[expression]


def told(sql: str) -> list[tuple[str, str]]:
    """What a script of this statement is said to send: channels and receivers."""
    found = Consent(parse("own.sql", sql), {"peer": "shop"}).messages
    return [(m.channel, m.receiver) for m in found]


TOLD = {
    "CALL exchange_send('shop', 'x', getvariable('q'))": [("x", "shop")],
    "CALL exchange_send('shop', 'x', 'FROM ' || getvariable('t'))": [("x", "shop")],
    "CALL exchange_send('shop', 'x', concat('FROM ', 't'))": [("x", "shop")],
    "call Exchange_Send (\n'shop' , -- to whom, ('\n 'x', $q$ FROM t $q$)": [("x", "shop")],
    "FROM duckpriv.main.exchange_send('shop', 'x', 'FROM t')": [("x", "shop")],
    "FROM \"exchange_send\"('shop', 'x', 'FROM t')": [("x", "shop")],
    "FROM exchange_send(query := 'FROM t', channel := 'x', peer := 'shop')": [("x", "shop")],
    "FROM exchange_send(getvariable('peer'), query => 'FROM t', channel => 'x')": [("x", "shop")],
    "CALL exchange_send(lower('SHOP'), 'x', 'FROM t')": [("x", "shop")],
    "CALL exchange_send(concat('a', ',b)'), 'it''s, (', 'FROM t')": [("it's, (", "shop")],
    "CALL exchange_send('shop,mill', 'x', 'FROM t')": [("x", "shop, mill")],
    "CALL exchange_send(/* 'bank', */ 'shop', 'x', 'FROM t')": [("x", "shop")],
    "CALL exchange_send('shop', 'x', (SELECT max(q) FROM t))": [("x", "shop")],
    "CALL exchange_send(['shop', 'bank'][1], ['x', 'y'][2], 'FROM t')": [(UNKNOWN, "shop")],
    "CREATE MACRO m(p, q) AS TABLE FROM exchange_send(p, 'x', q)": [("x", "shop")],
    "SELECT 1 -- exchange_send('shop', 'x', 'FROM t')": [],
    "SELECT 1 /* /* exchange_send( */ exchange_send( */": [],
    "FROM query('FROM Exchange_Send(''shop'', ''x'', ''FROM t'')')": [(UNKNOWN, UNKNOWN)],
    "SET VARIABLE q = $$ CALL exchange_send('a', 'b', 'c') $$": [(UNKNOWN, UNKNOWN)],
    "PREPARE p AS FROM exchange_send($1, $2, $3)": [(UNKNOWN, "shop")],
    "CALL exchange_send('shop', 'x', 'FROM exchange_send(''a'', ''b'', ''c'')')": [
        ("x", "shop"),
        (UNKNOWN, UNKNOWN),
    ],
}


@pytest.mark.parametrize("sql", TOLD)
def test_every_way_to_write_a_call_is_told(sql: str) -> None:
    assert told(sql) == TOLD[sql]


@pytest.fixture(scope="module")
def serialized():
    """DuckDB's own reading of a SELECT, as JSON; an error's text where it is none."""
    with duckdb.connect() as con:
        yield lambda sql: con.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchone()[0]


def test_the_oracle_finds_calls(serialized) -> None:
    tree = serialized("SELECT 1 FROM exchange_send('a', 'b', 'c')")
    assert '"function_name":"exchange_send"' in tree


FRAGMENTS = [
    *("exchange_send", "EXCHANGE_SEND", '"exchange_send"', "exchange_send('a', 'b', 'c')"),
    *(
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "'",
        "''",
        '"',
        "$$",
        "$t$",
        "$",
        "\\",
        "\n",
        "\r",
        " ",
        "\u00a0",
    ),
    *(
        "--",
        "/*",
        "*/",
        "E'",
        "e",
        "1",
        "1E",
        "x",
        "é",
        "U&",
        "||",
        ":=",
        "-",
        "*",
        "/",
        "FROM",
        ";",
    ),
]


@settings(
    max_examples=examples(700),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pieces=st.lists(st.sampled_from(FRAGMENTS), max_size=14))
def test_no_call_that_duckdb_finds_is_missed(serialized, pieces: list[str]) -> None:
    for sql in (
        "SELECT 'x' FROM " + "".join(pieces),
        "SELECT " + "".join(pieces) + " FROM exchange_send('a', 'b', 'c')",
    ):
        tree = serialized(sql)
        called = len(re.findall(r'"function_name":"exchange_send"', tree, re.IGNORECASE))
        assert len(calls(sql, SENDS)) >= called, sql


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    with duckpriv.connect(tmp_path / "bank.duckdb", keyring=tmp_path / "k") as party:
        party.con.execute("CREATE TABLE t AS SELECT 1 AS id").fetchall()
    (tmp_path / "own.sql").write_text(
        "CALL exchange_send('shop', 'x', 'SELECT id FROM t');\n"
        "-- part never if false\nFROM exchange_recv('mill', 'y');\n"
    )
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
    assert "waits for, from mill: y" in done.stdout
    assert not (tmp_path / "mailbox").exists()


@pytest.mark.parametrize("width", ["60", "80"])
def test_nothing_is_cut(tmp_path: Path, arguments, width: str) -> None:
    names = ("peer-" + "a" * 58, "channel-" + "b" * 80 + "-1", "channel-" + "b" * 80 + "-2")
    condition = f"'{'c' * 3200}' <> 'd'"
    (tmp_path / "own.sql").write_text(
        f"SELECT 1;\n-- part long if {condition}\n"
        + "".join(f"CALL exchange_send('{names[0]}', '{name}', 'FROM t');\n" for name in names[1:])
        + f"FROM exchange_recv('{names[0]}', '{names[1]}/{'e' * 3000}');\n"
    )
    done = subprocess.run(
        [*arguments, "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": width},
    )
    assert "…" not in done.stdout
    letters = "".join(done.stdout.split())
    assert letters.count("c") >= 3200
    assert letters.count("a") >= 3 * 58
    assert letters.count("b") >= 3 * 80
    assert letters.count("e") >= 3000


@pytest.mark.parametrize(("answer", "sent"), some([("n", False), ("y", True), (None, True)], 1))
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
