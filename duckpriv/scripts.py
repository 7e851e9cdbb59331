"""Scripts: SQL files, bundled or the user's, with the variables they declare.

A script declares its variables in comment lines at its top, one each:

    -- set NAME             what it is; it has to be given
    -- set NAME = DEFAULT   what it is

The default stands before at least two spaces, and more lines of text are indented. Behind them the
script may say what its user can do next, in one line or several; ${NAME} stands for a variable's
value:

    -- next TEXT

A comment above a statement names it for the progress display. A script may have parts that run on a
condition, a SQL expression:

    -- part NAME                  runs once
    -- part NAME if CONDITION     runs once if the condition holds
    -- part NAME while CONDITION  runs again as long as the condition holds

and take statements from another file, beside it:

    -- include FILE

Where it computes a variable of peers, a line may say which ones that can be: those that settings
name, but the party itself. Without such a line they are all parties that its settings name.

    -- peers NAME = SETTING, SETTING
    -- peers NAME = SETTING or SETTING    those of the first one that is given

Statements name a table by a variable as "${NAME}" or "${NAME}_suffix", in double quotes.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import duckdb

from .calls import tokens
from .engine import sql_folder
from .errors import InvalidValue
from .parser import statements as statements_of

_DECLARATION = re.compile(r"-- set (\w+)(?: = (.*?))?(?:\s{2,}(.*))?$")
_NEXT = "-- next "
_VALUE = re.compile(r"\$\{(\w+)\}")
_PART = re.compile(r"^-- part (\S+)(?: (if|while) (.+))?$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- include (\S+)$", re.MULTILINE)
_PEERS = re.compile(r"^-- peers (\w+) = (\w+(?:(?:, | or )\w+)*)$", re.MULTILINE)
_SET_VARIABLE = re.compile(r'(?:RE)?SET\s+VARIABLE\s+"?((?:[^"\s=]|"")+)"?', re.IGNORECASE)
_ENCODING = "utf-8-sig"  # some editors write a byte order mark
# What may stand between two words of SQL; with re.DOTALL.
GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
_LEADING = re.compile(f"{GAP}*", re.DOTALL)
_SHOWING = (duckdb.StatementType.SELECT, duckdb.StatementType.CALL)
_CONNECTING = (
    duckdb.StatementType.ATTACH,
    duckdb.StatementType.DETACH,
    duckdb.StatementType.LOAD,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.SET,
)
_NOTES_RELEASE = re.compile(r"INSERT\s+INTO\s+duckpriv_releases\b", re.IGNORECASE)
_TABLE = re.compile(r'"\$\{(\w+)\}(\w*)"')
_TABLE_NAME = re.compile(r"\w(?:[\w -]*\w)?")
# What the session sets for every script.
PROVIDED = ("me", "session")
# The settings that name parties, in all scripts.
PARTIES = ("peer", "host", "guest", "guests", "helper", "assistant", "asker")
# Statements that run other ones, from a file or a text: some versions of DuckDB parse to those.
_RUN_OTHERS = (
    ("import", "database"),
    ("pragma", "import_database"),
    ("pragma", "json_execute_serialized_sql"),
)


@dataclass(frozen=True)
class Variable:
    """A variable that a script declares."""

    name: str
    default: str | None
    about: str


@dataclass(frozen=True)
class Statement:
    """One statement and the comment above it."""

    sql: str
    title: str
    shows_rows: bool
    sets_variable: str | None = None
    # Of the connection, not the database (SET, ATTACH, LOAD): run again where a run goes on.
    about_connection: bool = False

    @property
    def is_call(self) -> bool:
        """Whether it is called for its effect: it sends a message, or makes a key."""
        return self.sql.upper().startswith("CALL")

    @property
    def notes_release(self) -> bool:
        """Whether it writes into the ledger what the next message reveals."""
        return _NOTES_RELEASE.match(self.sql) is not None


@dataclass(frozen=True)
class Part:
    """Statements that run together: once, or while or if `condition` holds."""

    name: str
    condition: str | None
    repeats: bool
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Script:
    """A parsed script. Without declared variables it takes any."""

    name: str
    about: str
    variables: tuple[Variable, ...]
    parts: tuple[Part, ...]
    sha256: str  # of the text, with what it includes
    # For variables of peers the settings that name them; of each tuple the first that is given.
    peers: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    next: str = ""  # what its user can do when it is finished

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, each once."""
        return tuple(statement for part in self.parts for statement in part.statements)

    @property
    def takes_table(self) -> bool:
        """Whether it works on a table of the party's; if nothing is declared, it may."""
        return not self.variables or any(v.name == "table" for v in self.variables)

    def with_tables(self, values: dict[str, object]) -> Script:
        """Return it with the names that variables give to tables. Raises InvalidValue where one
        cannot be a name here, or two tables would have the same."""
        made: dict[str, str] = {}

        def name_of(found: re.Match[str]) -> str:
            setting, suffix = found.groups()
            name = values.get(setting)
            if not isinstance(name, str) or not _TABLE_NAME.fullmatch(name):
                raise InvalidValue(
                    f"{setting} is not a name for a table here; use letters, digits, '_', '-' and "
                    "spaces between them, without a schema: tables are in your current one (USE)"
                )
            name += suffix
            if made.setdefault(name.lower(), found[0]) != found[0]:
                raise InvalidValue(
                    f"two tables would have the name {name}; choose another {setting}"
                )
            return f'"{name}"'

        parts = tuple(
            replace(
                part,
                statements=tuple(
                    replace(statement, sql=_TABLE.sub(name_of, statement.sql))
                    for statement in part.statements
                ),
            )
            for part in self.parts
        )
        return replace(self, parts=parts)

    def next_step(self, values: dict[str, object]) -> str:
        """Return what its user can do next, with the values of its variables."""
        return _VALUE.sub(lambda found: str(values.get(found[1], found[0])), self.next)

    def values(self, given: dict[str, object]) -> dict[str, object]:
        """Return the value of each variable: given, or the default.

        Raises InvalidValue where one is missing or unknown.
        """
        given = {name: _parties(v) if name in PARTIES else v for name, v in given.items()}
        if not self.variables:
            return given
        names = [variable.name for variable in self.variables]
        for name in given:
            if name not in names:
                close = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean '{close[0]}'? It" if close else "it"
                raise InvalidValue(
                    f"{self.name} has no variable '{name}'; {hint} takes {', '.join(names)}"
                )
        missing = [v for v in self.variables if v.default is None and not _given(given, v.name)]
        if missing:
            needed = "; ".join(f"{v.name} ({v.about})" for v in missing)
            raise InvalidValue(f"{self.name} needs {needed}")
        return {
            v.name: given[v.name] if _given(given, v.name) else v.default for v in self.variables
        }


def _given(values: dict[str, object], name: str) -> bool:
    return values.get(name) not in (None, "", [])


def _parties(value: object) -> object:
    """Names of parties, without spaces around the commas."""
    return ",".join(map(str.strip, value.split(","))) if isinstance(value, str) else value


def bundled() -> list[str]:
    """Return the names of the bundled scripts, such as 'psi/host'."""
    return [*_bundled()]


@cache
def _bundled() -> tuple[str, ...]:
    folder = sql_folder()
    files = sorted(folder.glob("*/*.sql"))
    return tuple(
        file.relative_to(folder).with_suffix("").as_posix()
        for file in files
        if file.parent.name not in ("macros", "shared")
    )


def load(what: str | os.PathLike[str]) -> Script:
    """Read a bundled script by its name, or a file by its path. Raises InvalidValue."""
    name = os.fspath(what)
    path = sql_folder() / f"{name}.sql" if name in bundled() else Path(name)
    if path.is_file():
        try:
            script = parse(name, _with_includes(path))
        except UnicodeDecodeError:
            raise InvalidValue(f"{name} is not a text file in UTF-8; save it as one") from None
        if not script.parts:
            raise InvalidValue(f"there is no statement in {name}; write SQL into it")
        return script
    close = difflib.get_close_matches(name.removesuffix(".sql"), bundled(), 1)
    hint = f"did you mean '{close[0]}'? The" if close else "the"
    raise InvalidValue(
        f"there is no script or file '{name}'; {hint} bundled scripts are {', '.join(bundled())}"
    )


def _with_includes(path: Path, within: tuple[Path, ...] = ()) -> str:
    def included(line: re.Match[str]) -> str:
        file = (path.parent / line[1]).resolve()
        if not file.is_file():
            raise InvalidValue(f"{path.name} includes {line[1]}, which is not there")
        if file in within:
            raise InvalidValue(f"{line[1]} includes itself")
        return _with_includes(file, (*within, file))

    return _INCLUDE.sub(included, path.read_text(_ENCODING))


@lru_cache(maxsize=64)  # the bundled ones, for every run and for what their counterparts accept
def parse(name: str, text: str) -> Script:
    """Parse a script's text. Raises InvalidValue where it is not SQL."""
    variables, about, next_ = [], [], []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        match = _DECLARATION.match(line)
        if match:
            variables.append(Variable(match[1], match[2], (match[3] or "").strip()))
        elif line.startswith(_NEXT):
            next_.append(line.removeprefix(_NEXT).strip())
        elif variables and line.startswith("--   "):
            begun = variables[-1]
            variables[-1] = replace(begun, about=f"{begun.about} {line.removeprefix('--').strip()}")
        elif not variables:
            about.append(line.removeprefix("--").strip())
    digest = hashlib.sha256(text.encode()).hexdigest()
    peers = {
        line[1]: tuple(tuple(one.split(" or ")) for one in line[2].split(", "))
        for line in _PEERS.finditer(text)
    }
    about_it, next_step = " ".join(about).strip(), " ".join(next_)
    return Script(name, about_it, tuple(variables), _parts(name, text), digest, peers, next_step)


def _parts(name: str, text: str) -> tuple[Part, ...]:
    for line in text.splitlines():
        if line.startswith("-- part ") and not _PART.fullmatch(line):
            raise InvalidValue(
                f"{name}: '{line}' is no part; write -- part NAME, -- part NAME if CONDITION, or "
                "-- part NAME while CONDITION"
            )
    # The text before the first part, then name, kind and condition of each part, and its text.
    first, *rest = _PART.split(text)
    parts = [Part("", None, False, _statements(name, first))]
    for part, kind, condition, body in zip(*(rest[i::4] for i in range(4)), strict=True):
        statements = _statements(name, body)
        if kind == "while":  # what was sent is shown, but not in every round
            statements = tuple(
                replace(statement, shows_rows=False) if statement.is_call else statement
                for statement in statements
            )
        parts.append(Part(part, condition, kind == "while", statements))
    return tuple(part for part in parts if part.statements)


def _statements(name: str, text: str) -> tuple[Statement, ...]:
    words = [token.value for token in tokens(text) if token.kind != "comment"]
    for pair in pairwise(words):
        if pair in _RUN_OTHERS:
            raise InvalidValue(
                f"{name}: {' '.join(pair).upper()} runs statements that do not stand in the "
                "script; write them into it"
            )
    try:
        parsed = statements_of(text)
    except duckdb.ParserException as error:
        problem = " ".join(str(error).split())  # with the line, but not over several
        raise InvalidValue(f"{name} is not valid SQL: {problem}") from None
    statements = []
    title = _comment(text[: text.find(parsed[0].query)] if parsed else "")
    for statement in parsed:
        # DuckDB 2.0 counts the comments behind a statement to it, 1.5 those before it.
        found = _LEADING.match(statement.query)
        begin = found.end() if found else 0
        title = _comment(statement.query[:begin]) or title
        lines = statement.query[begin:].strip().splitlines()
        end = len(lines)
        while end and (not lines[end - 1].strip() or lines[end - 1].startswith("--")):
            end -= 1
        sql = "\n".join(lines[:end])
        if statement.type == duckdb.StatementType.TRANSACTION:
            raise InvalidValue(
                f"{name}: '{sql}': each statement is a transaction of its own; leave this out"
            )
        variable = _SET_VARIABLE.match(sql)
        statements.append(
            Statement(
                sql,
                title or sql.splitlines()[0][:70],
                shows_rows=statement.type in _SHOWING,
                sets_variable=variable[1].replace('""', '"') if variable else None,
                about_connection=variable is None and statement.type in _CONNECTING,
            )
        )
        title = _comment("\n".join(lines[end:])) or title
    return tuple(statements)


def _comment(text: str) -> str:
    """Return the last block of comment lines in `text`, as one line."""
    block = text.strip().split("\n\n")[-1].splitlines()
    return " ".join(
        line.removeprefix("--").strip()
        for line in block
        if line.startswith("--") and not _PEERS.match(line)
    )
