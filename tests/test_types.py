"""Every type of DuckDB's, every way that values take: all of a value arrives, or it is refused by
name, before anything is sent. The cells are made from the lists here; a type that is not in them
fails a test."""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

import duckdb
import numpy as np
import pytest

from duckpriv.engine import sql_folder
from duckpriv.errors import InvalidValue, ProtocolError, from_text
from tests.effort import takes_long

NEW = (
    duckdb.__version__ >= "2"
)  # 1.5 has no TUPLE, no TIMESTAMPTZ_NS, and shows Arrow no GEOMETRY or VARIANT


class Type(NamedTuple):
    """A type: values as SQL casts them to it, as which type a message has it (None: refused), and
    whether it can be an id, and is a number."""

    values: tuple[str, ...]
    arrives: str | None
    id: bool = False
    number: bool = False


INFINITE = ("'infinity'", "'-infinity'", "'1970-01-01'")
FLOATS = ("'NaN'", "'inf'", "'-inf'", "'-0.0'", "0.1")


def whole(name: str, low: int, high: int, arrives: bool = True) -> Type:
    values = tuple(f"'{x}'" for x in (low, 0, high, high - 1))
    return Type(values, name if arrives else None, True, True)


def decimal(name: str, *values: str) -> Type:
    return Type((*(f"'{x}'" for x in values), "0", "'-0.1'"), name, number=True)


TYPES = {
    "BOOLEAN": Type(("true", "false"), "BOOLEAN", number=True),
    "TINYINT": whole("TINYINT", -(2**7), 2**7 - 1),
    "SMALLINT": whole("SMALLINT", -(2**15), 2**15 - 1),
    "INTEGER": whole("INTEGER", -(2**31), 2**31 - 1),
    "BIGINT": whole("BIGINT", -(2**63), 2**63 - 1),
    "HUGEINT": whole("HUGEINT", -(2**127), 2**127 - 1, arrives=False),
    "UTINYINT": whole("UTINYINT", 0, 2**8 - 1),
    "USMALLINT": whole("USMALLINT", 0, 2**16 - 1),
    "UINTEGER": whole("UINTEGER", 0, 2**32 - 1),
    "UBIGINT": whole("UBIGINT", 0, 2**64 - 1),
    "UHUGEINT": whole("UHUGEINT", 0, 2**128 - 1, arrives=False),
    "FLOAT": Type((*FLOATS, "3.4028235e38", "1e-45"), "FLOAT", number=True),
    "DOUBLE": Type((*FLOATS, "1.7976931348623157e308", "5e-324"), "DOUBLE", number=True),
    "DECIMAL(4,1)": decimal("DECIMAL(4,1)", "999.9", "-999.9"),
    "DECIMAL(9,2)": decimal("DECIMAL(9,2)", "9999999.99"),
    "DECIMAL(15,6)": decimal("DECIMAL(15,6)", "999999999.999999", "-123456789.123457"),
    "DECIMAL(18,2)": decimal("DECIMAL(18,2)", "12345678.91", "9999999999999999.99"),
    "DECIMAL(18,17)": decimal("DECIMAL(18,17)", "0.30000000000000004", "0.12345678901234567"),
    "DECIMAL(38,0)": decimal("DECIMAL(38,0)", "9" * 38, "1" + "0" * 22, str(2**53 + 1)),
    "DECIMAL(38,10)": decimal("DECIMAL(38,10)", "12345678.91", "9" * 28 + "." + "9" * 10),
    "DECIMAL(38,38)": decimal("DECIMAL(38,38)", "0." + "9" * 38, "0.25", "0." + "0" * 37 + "1"),
    "VARCHAR": Type(
        ("''", "'a' || chr(0) || 'b'", "'😀 e' || chr(769)", "' A '", "'5'", "repeat('x', 3000)"),
        "VARCHAR",
        id=True,
    ),
    "BLOB": Type(("''", "'\\x00\\xFF\\x5C'::BLOB", "'a'"), "BLOB", id=True),
    "BIT": Type(("'010'", "'1'"), None),
    "UUID": Type(("'00000000-0000-0000-0000-000000000000'", f"'{'f' * 32}'"), "UUID", id=True),
    "DATE": Type((*INFINITE, "'5877642-06-25 (BC)'", "'5881580-07-10'"), "DATE", id=True),
    "TIME": Type(("'00:00:00'", "'23:59:59.999999'"), "TIME"),
    "TIME_NS": Type(("'12:00:00.123456789'", "'23:59:59.999999999'"), None),
    "TIMETZ": Type(("'12:00:00+05:30'", "'00:00:00-15:59:59'"), None),
    "TIMESTAMP": Type(
        (*INFINITE, "'290309-12-22 (BC) 00:00:00'", "'294247-01-10 04:00:54.775806'"),
        "TIMESTAMP",
    ),
    "TIMESTAMP_S": Type(
        ("'1970-01-01'", "'290309-12-22 (BC) 00:00:00'", "'294247-01-10 04:00:54'"), "TIMESTAMP"
    ),
    "TIMESTAMP_MS": Type(
        (*INFINITE, "'290309-12-22 (BC) 00:00:00'", "'294247-01-10 04:00:54.775'"), "TIMESTAMP"
    ),
    "TIMESTAMP_NS": Type(
        (*INFINITE, "'1677-09-22 00:00:00'", "'2262-04-11 23:47:16.854775806'"), "TIMESTAMP_NS"
    ),
    "TIMESTAMPTZ": Type(
        (*INFINITE, "'2024-01-01 00:00:00+05'", "'294247-01-10 04:00:54.775806+00'"),
        "TIMESTAMP WITH TIME ZONE",
    ),
    "INTERVAL": Type(("'1 month'", "'-1 microsecond'"), None),
    "ENUM('a', 'BIT', '''')": Type(("'a'", "'BIT'", "''''"), "VARCHAR", id=True),
    "JSON": Type(("'{\"a\": 1}'", "'null'", "'1'"), "VARCHAR"),
    "MAP(INTEGER, VARCHAR)": Type(("MAP {1: 'a'}", "MAP {}"), None),
    "UNION(i INTEGER, s VARCHAR)": Type(("union_value(i := 1)", "union_value(s := '1')"), None),
    "BIGNUM": Type(("'1'", "'123456789012345678901234567890123456789012345'"), None),
    "VARIANT": Type(("1", "'x'"), None),
    "STRUCT(BIT INTEGER, b VARCHAR)": Type(
        ("{'BIT': 1, 'b': NULL}", "{'BIT': NULL, 'b': NULL}"), "STRUCT(BIT INTEGER, b VARCHAR)"
    ),
    "NULL": Type(("NULL",), None),
}
if NEW:
    TYPES |= {
        "TYPE": Type(("get_type(1)",), None),
        "PARQUET_VARIANT": Type(
            ("{'metadata': ''::BLOB, 'value': ''::BLOB}",), "STRUCT(metadata BLOB, value BLOB)"
        ),
        "TIMESTAMPTZ_NS": Type(("'2024-01-01 00:00:00.123456789+05'",), None),
        "GEOMETRY": Type(("'POINT (1 2)'",), None),
        "TUPLE(INTEGER, VARCHAR)": Type(("row(1, 'a')",), None),
    }
NO_COLUMN = ("NULL", "TYPE")  # no table can have one
# Values that Arrow or Parquet have not, of types that a message may have.
NO_VALUES = [("TIME", "'24:00:00'")] + [("TIMESTAMP_S", f"'{sign}infinity'") for sign in ("", "-")]


def nested() -> dict[str, Type]:
    """Return lists, arrays and structs of all types; what is in them arrives as it does alone."""
    found = {}
    for name, one in TYPES.items():
        if name in NO_COLUMN:
            continue
        inner = None if name == "UUID" or name.startswith("ENUM") else one.arrives
        first, last = (f"({value})::{name}" for value in (one.values[0], one.values[-1]))
        field = 'STRUCT("a ""b" {0}, é {0}[])'
        for outer, arrives, *values in (
            ("{}[]", "{}[]", "[]", f"[{first}, NULL, {last}]"),
            ("{}[2]", "{}[]", f"[{first}, NULL]"),
            ("{}[][]", "{}[][]", f"[[{first}], [], NULL, [NULL]]"),
            (field, field, f"{{'a \"b': {first}, 'é': [{last}]}}"),
            (field + "[]", field + "[]", "[]", "[{'a \"b': NULL, 'é': []}]"),
        ):
            found[outer.format(name)] = Type(tuple(values), inner and arrives.format(inner))
    return found


ALL = TYPES | nested()
SENT = {name: one for name, one in ALL.items() if one.arrives}
REFUSED = {name: one for name, one in ALL.items() if not one.arrives}


def cast(name: str, value: str) -> str:
    return value if name in NO_COLUMN else f"({value})::{name}"


def query(con: duckdb.DuckDBPyConnection, sql: str) -> list:
    """Run SQL; duckpriv's errors come as their own classes, DuckDB's as they are."""
    try:
        return con.execute(sql).fetchall()
    except duckdb.Error as error:
        raise from_text(str(error)) or error from None


def spelled(con: duckdb.DuckDBPyConnection, name: str, one: Type) -> str:
    """Return how DuckDB writes the type."""
    ((text,),) = query(con, f"SELECT typeof({cast(name, one.values[0])})")
    return text


def test_every_type_is_here(party) -> None:
    types = "SELECT DISTINCT type_name, logical_type FROM duckdb_types()"
    # A type over another one, such as JSON, is written in capitals.
    named = {name if name.isupper() else logical for name, logical in query(party.con, types)}
    here = {spelled(party.con, name, one).partition("(")[0] for name, one in TYPES.items()}
    assert named - {name.strip('"') for name in here} == {
        *("LIST", "ARRAY"),  # see nested()
        *(() if NEW else ("GEOMETRY", "TYPE")),
    }


PADDING = "SELECT NULL AS row, repeat('x', 2000) AS padding FROM range(200)"


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_message_has_every_value_or_is_refused(connect, size: str) -> None:
    bank, shop = connect("bank"), connect("shop")
    columns = {f"c{i}": name for i, name in enumerate(SENT)}
    lists = [
        f"unnest([{', '.join(cast(name, value) for value in SENT[name].values)}]) AS {column}"
        for column, name in columns.items()
    ]
    query(
        bank.con,
        f"CREATE TABLE cells AS SELECT *, row_number() OVER () AS row FROM "
        f"(SELECT {', '.join(lists)})",
    )
    sent = "FROM cells" if size == "small" else f"FROM cells FULL JOIN ({PADDING}) USING (row)"
    query(bank.con, f"CALL exchange_send('shop', 'cells', $$ {sent} $$)")

    def seen(con: duckdb.DuckDBPyConnection, source: str, casts: bool) -> list[tuple]:
        """Return types and values as texts; JSON has another one within a list than VARCHAR."""
        asked = [
            f"[typeof({column}), {column}{f'::{SENT[name].arrives}' if casts else ''}::VARCHAR]"
            for column, name in columns.items()
        ]
        rows = query(con, f"SELECT {', '.join(asked)} FROM {source} WHERE row > 0 ORDER BY row")
        return list(zip(*rows, strict=True))

    before = seen(bank.con, "cells", casts=True)
    after = seen(shop.con, "exchange_recv('bank', 'cells')", casts=False)
    expected = query(
        bank.con, "SELECT " + ", ".join(f"typeof(NULL::{t.arrives})" for t in SENT.values())
    )
    for name, type_, ours, theirs in zip(SENT, expected[0], before, after, strict=True):
        assert theirs == tuple([type_, text] for _, text in ours), name


def test_a_message_refuses_what_it_cannot_have(connect, tmp_path) -> None:
    bank = connect("bank")
    cells = [(name, one.values[0], spelled(bank.con, name, one)) for name, one in REFUSED.items()]
    cells += [(name, value, name) for name, value in NO_VALUES]
    cells += [(f"{name}[]", f"[{cast(name, value)}]", f"{name}[]") for name, value in NO_VALUES]
    for name, value, written in cells:
        sent = f"SELECT 1 AS a, {cast(name, value)} AS b"
        with pytest.raises((InvalidValue, duckdb.NotImplementedException)) as caught:
            query(bank.con, f"CALL exchange_send('shop', 'no', $$ {sent} $$)")
        if isinstance(caught.value, InvalidValue):
            assert re.search(f"column 'b' (has|of) type {re.escape(written)}", str(caught.value))
        else:  # DuckDB itself has no Arrow type for it, and says so
            own = re.search("TYPE" if NEW else "VARIANT", name)
            assert own is not None
            assert own[0] in str(caught.value)
    assert not [*(tmp_path / "mailbox").rglob("*no*")]


def test_an_id_is_the_text_of_the_value(party) -> None:
    ids = {name for name, one in TYPES.items() if one.id}
    for name, one in ALL.items():
        if name in ids:
            values = ", ".join(cast(name, value) for value in (*one.values, "NULL"))
            source = f"(SELECT unnest([{values}]) AS x)"
            rows = query(party.con, f"SELECT x::VARCHAR, psi_id(x) FROM {source}")
            for text, id_ in rows:
                assert id_ == (text and unicodedata.normalize("NFC", text)), name
            assert len({id_ for _, id_ in rows}) == len(set(rows)), name
        elif name.removesuffix("[]") in ids:
            cells = f"psi_id({cast(name, one.values[1])}), psi_id([x, x]), psi_id(x)"
            source = f"(SELECT {cast(name[:-2], TYPES[name[:-2]].values[0])} AS x)"
            ((with_null, both, id_),) = query(party.con, f"SELECT {cells} FROM {source}")
            assert (with_null, json.loads(both)) == (None, [id_, id_]), name
        elif name == "NULL":
            assert query(party.con, "SELECT psi_id(NULL)") == [(None,)]
        else:
            with pytest.raises(InvalidValue) as caught:
                query(party.con, f"SELECT psi_id({cast(name, one.values[0])})")
            assert f"type {spelled(party.con, name, one)[:60]} " in str(caught.value)


def double(name: str, text: str | None) -> float | None:
    """Return what a number is as a DOUBLE. Raises ValueError where that would lose something."""
    if text is None or name == "BOOLEAN":
        return None if text is None else float(text == "true")
    number = float(np.float32(text)) if name == "FLOAT" else float(text)
    if "INT" in name and int(text) != int(number):
        raise ValueError(text)
    if name.startswith("DECIMAL") and Decimal(repr(number)) != Decimal(text):
        raise ValueError(text)
    return number


def numbers(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, dict[str, float | None]], list]:
    """Return for each type of numbers its values that a DOUBLE holds, as SQL has them, and all
    cells that it does not hold, other types included: type, value, and how DuckDB writes it."""
    held: dict[str, dict[str, float | None]] = {}
    refused = []
    for name, one in ALL.items():
        if name == "NULL":
            continue
        if not one.number:
            refused.append((name, cast(name, one.values[0]), spelled(con, name, one)))
            continue
        held[name] = {}
        values = [cast(name, value) for value in (*one.values, "NULL")]
        texts = query(con, f"SELECT unnest([{', '.join(values)}])::VARCHAR")
        for value, (text,) in zip(values, texts, strict=True):
            try:
                held[name][value] = double(name, text)
            except ValueError:
                refused.append((name, value, name))
    return held, refused


def same(found: list, expected: list) -> bool:
    """Whether two lists have the same numbers: also of NaN and -0.0."""
    return [*map(repr, found)] == [*map(repr, expected)]


def test_a_number_is_a_double_or_refused(party) -> None:
    held, refused = numbers(party.con)
    assert {name for name, _, _ in refused} > {"DECIMAL(38,10)", "UHUGEINT", "BIGINT", "DATE"}
    for name, values in held.items():
        cells = ", ".join(values)
        asked = f"[exact_double(x) FOR x IN [{cells}]], exact_doubles([{cells}])"
        asked += f", exact_doubles([{cells}]::{name}[{len(values)}])"
        for found in query(party.con, f"SELECT {asked}")[0]:
            assert same(found, [*values.values()]), name
    for _, value, written in refused:
        for call in (f"exact_double({value})", f"exact_doubles([{value}])"):
            with pytest.raises(InvalidValue) as caught:
                query(party.con, f"SELECT {call}")
            assert f"type {written[:58]}" in str(caught.value), call
    lists = {f"{number}{end}" for number in held for end in ("[]", "[2]")}
    for name, one in ALL.items():
        if name not in lists and name != "NULL":
            with pytest.raises(InvalidValue, match="which is no list of numbers"):
                query(party.con, f"SELECT exact_doubles({cast(name, one.values[0])})")


# Functions that take numbers, and what gives the number back.
DECRYPTED, OPENED = "paillier_decrypt({y}, 'paillier')", "partial_decrypt({y}, 'part2'), 'part1'"
CT, ONE = (f"getvariable('{name}')" for name in ("zero", "one"))
TAKE_A_NUMBER = {
    "paillier_encrypt({x}, 'paillier')": DECRYPTED,
    "joint_encrypt({x}, 'part1')": f"joint_decrypt({OPENED})",
    f"he_add_plain({CT}, {{x}}, 'paillier')": DECRYPTED,
    f"he_mul({ONE}, {{x}}, 'paillier', scale := 20, bound := 51)": DECRYPTED,
    "share_split({x})": "share_reveal({y}.keep, {y}.send)",
}
TAKE_A_LIST = {
    "paillier_encrypt_list({x}, 'paillier')": "paillier_decrypt_list({y}, 'paillier')",
    "joint_encrypt_list({x}, 'part1')": f"joint_decrypt_list({OPENED})",
    f"he_dot([{ONE}], {{x}}, 'paillier', scale := 20, bound := 51)": f"[{DECRYPTED}]",
    "share_split_list({x})": "ring_decode(ring_add({y}.keep, {y}.send))",
    "ring_encode({x})": "ring_decode({y})",
}


@takes_long
def test_functions_take_numbers_of_every_type(party) -> None:
    for number, name in enumerate(("zero", "one")):
        query(party.con, f"SET VARIABLE {name} = (SELECT paillier_encrypt({number}, 'paillier'))")
    held, refused = numbers(party.con)
    cells = {
        f"({x})": y
        for values in held.values()
        for x, y in values.items()
        if y is not None and abs(y) < 2**30
    }
    assert len(cells) > 2 * len(held)
    wanted = pytest.approx([*cells.values()], abs=2**-20)
    for form, calls in (("{}", TAKE_A_NUMBER), ("[{}]", TAKE_A_LIST)):
        for call, back in calls.items():
            made = [call.format(x=form.format(x)) for x in cells]
            made = [f"unnest([{', '.join(made)}]) AS y"]
            found = query(party.con, f"SELECT {back.format(y='y')} FROM (SELECT {made[0]})")
            assert [row[0][0] if form == "[{}]" else row[0] for row in found] == wanted, call
            for name, value, written in refused:
                if name in TYPES:
                    with pytest.raises(InvalidValue) as caught:
                        query(party.con, f"SELECT {call.format(x=form.format(value))}")
                    assert f"type {written[:58]}" in str(caught.value), call


WAYS = {
    "columns": "matrix_rows('{0}', 'id', columns := 'x')",
    "names": "matrix_rows('{0}', 'id', names := ['x'])",
    "all": "matrix_rows('{0}', 'id')",
    "list": "matrix_rows('{0}_list', 'id', list := 'x')",
}


@takes_long
def test_a_matrix_has_every_number_or_is_refused(party) -> None:
    held, refused = numbers(party.con)

    def make(name: str, values: list[str]) -> None:
        rows = ", ".join(f"({i}, {value})" for i, value in enumerate(values))
        query(party.con, f"CREATE OR REPLACE VIEW {name} AS FROM (VALUES {rows}) t(id, x)")
        query(party.con, f"CREATE OR REPLACE VIEW {name}_list AS SELECT id, [x] AS x FROM {name}")

    for name, values in held.items():
        make("numbers", [*values])
        for way in WAYS.values():
            rows = query(party.con, f"SELECT x FROM {way.format('numbers')} ORDER BY id")
            assert same([x for ((x,),) in rows], [*values.values()]), (name, way)
    for name, value, written in refused:
        if name not in TYPES or name == "TYPE":
            continue
        make("others", [value])
        for way in WAYS.values():
            with pytest.raises(InvalidValue, match='column "x" (has|of) type') as caught:
                query(party.con, f"FROM {way.format('others')}")
            assert f"type {written[:58]}" in str(caught.value), way


def test_features_of_every_type(party) -> None:
    held, _ = numbers(party.con)
    kinds = {f"f{i}": name for i, name in enumerate(held) if name != "DECIMAL(38,38)"}  # below 1
    columns = [f"(id % 2)::{name} AS {f}" for f, name in kinds.items()]
    query(
        party.con,
        f"CREATE TABLE t AS SELECT id, id % 2 = 0 AS label, {', '.join(columns)}, "
        "DATE '2024-01-01' AS born, 'x' AS text FROM range(10) t(id)",
    )
    found = query(party.con, "FROM feature_columns('t', '', ['id', 'label'])")
    assert [f for (f,) in found] == [f for f, name in kinds.items() if name != "BOOLEAN"]

    def train_on(features: list[str]) -> list:
        """Do what the scripts of the trainings do with their columns."""
        query(party.con, f"SET VARIABLE features = {features}")
        chosen = ", ".join(f"'{f}'" for f in [*features, "label"])
        rows = f"matrix_rows('t', 'id', names := [{chosen}])"
        query(
            party.con,
            f"CREATE OR REPLACE TEMP TABLE lr_named AS SELECT id AS name, x[:-2] AS x FROM {rows}",
        )
        query(party.con, (sql_folder() / "shared" / "features.sql").read_text())
        return query(party.con, "SELECT name, mean, deviation FROM lr_statistics ORDER BY feature")

    assert train_on([*kinds]) == [(f, 0.5, 0.5) for f in kinds]
    for column, kind in (("born", "DATE"), ("text", "VARCHAR")):
        with pytest.raises(InvalidValue, match=f'column "{column}" has type {kind}'):
            train_on(["f1", column])
    for value in ("'NaN'", "'-inf'", "NULL"):
        query(party.con, f"UPDATE t SET f12 = {value} WHERE id = 3")
        with pytest.raises(ProtocolError, match="not every row has a number in f12"):
            train_on(["f1", "f12"])
    assert kinds["f12"] == "DOUBLE"
