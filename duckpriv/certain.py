"""Whether a statement that succeeds has surely run the calls that stand in it.

DuckDB does not run what it does not need: LIMIT 0, a condition that is never true, EXISTS, a query
in WITH that nothing reads. For a call that has an effect that would be a success without the
effect. So only places are accepted of which it is known that DuckDB runs them.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from .calls import Token, named_in, tokens

Tokens = list[Token]
# What an error says of a message that may be left out.
SEND_PLAINLY = (
    "DuckDB leaves out what it does not need. Write CALL exchange_send(…), or SELECT … FROM "
    "exchange_send(…) without WHERE, JOIN or the like, and not within an expression"
)
# Statements that claim no effect: they only read or describe another one.
_CLAIMS_NOTHING = frozenset({"describe", "desc", "explain", "prepare", "show"})
_DEFINES = frozenset({"view", "macro", "function"})
# Clauses that may keep a part of a query from running. (A query in WITH is looked at apart.)
_MAY_SKIP = frozenset(
    {"where", "having", "qualify", "offset", "fetch", "sample", "tablesample", "with", "no"}
    | {"join", "using", "intersect", "except", "pivot", "unpivot", "update", "delete", "merge"}
)
_ENDS_FROM = frozenset({"select", "group", "order", "union", "limit", "window"})
_BEFORE_QUERY = frozenset({"from", "union", "all", "name", "as", "copy", "call"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@lru_cache(maxsize=256)  # a script's step runs the same statements again and again
def surely_runs(sql: str, names: tuple[str, ...]) -> bool:
    """Whether the calls of `names` in these statements run whenever they succeed."""
    if not named_in(sql, names):
        return True
    statement: Tokens = []
    for token in tokens(f"{sql};"):
        if token == Token("sign", ";"):
            if not _statement_runs(statement, names):
                return False
            statement = []
        elif token.kind != "comment":
            statement.append(token)
    return not statement


def _statement_runs(code: Tokens, names: Collection[str]) -> bool:
    if not _calls(code, names):
        return True
    first = _word(code, 0)
    if first == "explain" and _word(code, 1) == "analyze":
        code = code[2:]
    elif first in _CLAIMS_NOTHING:
        return True
    if first == "create":
        kind = next((w for i in range(1, 5) if (w := _word(code, i)) in {*_DEFINES, "table"}), "")
        if kind in _DEFINES:
            return True
        if [t.value for t in code[:8] if t.kind == "word"].count("exists"):
            return False  # CREATE TABLE IF NOT EXISTS
    if first == "set":  # SET VARIABLE name = (query)
        start = next((i for i, t in enumerate(code) if t == Token("sign", "=")), len(code))
        return _runs(code[start + 1 :], names)
    return _runs(code, names)


def _runs(code: Tokens, names: Collection[str]) -> bool:
    """Whether a query runs all calls in it."""
    if not _calls(code, names):
        return True
    if _word(code, 0) == "with":
        return _with_runs(code, names)
    inner: list[tuple[int, int]] = []  # what stands in parentheses at this level
    level: list[int] = []
    depth = start = 0
    for i, token in enumerate(code):
        sign = token.value if token.kind == "sign" else ""
        if sign in _CLOSE:
            depth -= 1
            if depth == 0:
                inner.append((start, i))
        if depth == 0 and sign not in _CLOSE:
            level.append(i)
        if sign in _OPEN:
            if depth == 0:
                start = i + 1
            depth += 1
    if depth != 0 or not _level_runs(code, level, names):
        return False
    for start, end in inner:
        part = code[start:end]
        if _calls(part, names):
            before = _word(code, start - 2)
            if start >= 2 and before not in _BEFORE_QUERY:
                return False
            if not _runs(part, names):
                return False
    return True


def _level_runs(code: Tokens, level: list[int], names: Collection[str]) -> bool:
    """Whether the clauses of a query, without what stands in parentheses, let all of it run."""
    in_from = False
    for place, i in enumerate(level):
        word = _word(code, i)
        if word in _MAY_SKIP:
            return False
        if word == "limit":
            limit = code[level[place + 1]] if place + 1 < len(level) else None
            if limit is None or limit.kind != "number" or not limit.value.strip("0"):
                return False
        if word == "from":
            in_from = True
        elif word in _ENDS_FROM:
            in_from = False
        elif in_from and code[i] == Token("sign", ","):
            return False
        if _is_call(code, i, names) and _word(code, _before(code, i)) not in ("from", "call"):
            return False
    return True


def _with_runs(code: Tokens, names: Collection[str]) -> bool:
    """Whether WITH name AS (query) … FROM name … runs the query: DuckDB writes relations so."""
    name = code[1].value if len(code) > 1 else ""
    opens = next((i for i, token in enumerate(code) if token == Token("sign", "(")), len(code))
    words = [_word(code, i) for i in range(2, opens)]
    if words not in (["as"], ["as", "materialized"], ["as", "not", "materialized"]):
        return False
    depth = 0
    for i in range(opens, len(code)):
        sign = code[i].value if code[i].kind == "sign" else ""
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if depth == 0:
            break
    query, rest = code[opens + 1 : i], code[i + 1 :]
    if _word(rest, 0) not in ("select", "from"):  # such as another query that may be read or not
        return False
    reads = [j for j, token in enumerate(rest) if token == Token("word", name)]
    if len(reads) != 1 or _word(rest, reads[0] - 1) != "from" or not _runs(query, names):
        return False
    # The query as if it stood where it is read.
    placed = [*rest[: reads[0]], Token("sign", "("), *query, Token("sign", ")")]
    return _runs([*placed, *rest[reads[0] + 1 :]], names)


def _word(code: Tokens, i: int) -> str:
    return code[i].value if 0 <= i < len(code) and code[i].kind == "word" else ""


def _calls(code: Tokens, names: Collection[str]) -> bool:
    return any(_is_call(code, i, names) for i in range(len(code)))


def _is_call(code: Tokens, i: int, names: Collection[str]) -> bool:
    return _word(code, i) in names and code[i + 1 : i + 2] == [Token("sign", "(")]


def _before(code: Tokens, i: int) -> int:
    """Return the place before a function's name, and before the database and schema in front."""
    while code[i - 1 : i] == [Token("sign", ".")]:
        i -= 2
    return i - 1
