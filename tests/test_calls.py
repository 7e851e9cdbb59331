"""The reader of SQL's tokens against DuckDB's own."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duckpriv.calls import tokens

PIECES = [
    *("a", "SELECT", "exchange_send", '"q""u"', '"B c"', "'x''y'", "''", "E'a\\'b'", "e'\\\\'"),
    *("$$ it's $$", "$t$ $$ $t$", "-- it's\n", "/* a 'b */", "/* a /* b */ c */", " ", "\n", ";"),
    *("(", ")", "[", "]", ",", ":=", "=>", "::", "->>", "||", "<>", "*", "1", "1.5", "1e5", "_z9"),
]


def words_of_duckdb(sql: str) -> list[str]:
    data = sql.encode()
    read = duckdb.tokenize(sql)
    ends = [at for at, _ in [*read, (len(data), None)]][1:]
    words = [
        data[at:end].decode().strip()
        for (at, kind), end in zip(read, ends, strict=True)
        if kind in (duckdb.token_type.identifier, duckdb.token_type.keyword)
    ]
    return [w[1:-1].replace('""', '"').lower() if w[0] == '"' else w.lower() for w in words]


@pytest.mark.skipif(
    duckdb.__version__ < "2", reason="before 2.0 comments and texts behind a text belong to it"
)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_words_are_those_of_duckdb(pieces: list[str]) -> None:
    sql = " ".join(pieces)
    assert [t.value for t in tokens(sql) if t.kind == "word"] == words_of_duckdb(sql)
