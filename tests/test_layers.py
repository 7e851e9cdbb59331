"""Imports go one way: a module imports from its own layer or from lower ones."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "duckpriv"
LAYERS = [
    {"ctrlc", "disk", "stopping", "visible"},
    {"errors"},
    {"calls", "names", "parser", "work"},
    {"certain", "sends"},
    {"crypto"},
    {"keys", "keyfiles"},
    {"keyring"},
    {"columns"},
    {"functions", "permission"},
    {"connection", "engine", "exchange"},
    {"result"},
    {"audit", "database", "scripts", "settingsfile", "values"},
    {"consent", "invitation", "journal", "policies"},
    {"progress", "runner"},
    {"settings"},
    {"party"},
    {"report"},
    {"cli", "integrations"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The top-level parts of duckpriv that a file imports."""
    inside = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = inside[: len(inside) - node.level + 1]
            target = (*folder, *(node.module or "").split("."))
            names = [target] if node.module else [(*folder, alias.name) for alias in node.names]
            found |= {next(part for part in name if part) for name in names}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            modules = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            )
            found |= {m.split(".")[1] for m in modules if m and m.startswith("duckpriv.")}
    return found & RANK.keys()


def test_no_module_imports_from_a_higher_layer() -> None:
    files = [f for f in PACKAGE.rglob("*.py") if part_of(f) != "__init__"]
    assert {part_of(f) for f in files} <= RANK.keys(), "a new module needs a place in LAYERS"
    upward = [
        f"{file.relative_to(PACKAGE)} imports {part}"
        for file in files
        for part in imported_parts(file)
        if RANK[part] > RANK[part_of(file)]
        or (RANK[part] == RANK[part_of(file)] and part != part_of(file))
    ]
    assert not upward


def test_a_message_knows_no_mailbox_and_a_mailbox_no_network() -> None:
    rooms = ["message", "mailbox", "network"]
    for rank, room in enumerate(rooms):
        for file in (PACKAGE / "exchange" / room).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.level == 2 and node.module:
                    assert node.module.split(".")[0] in rooms[:rank], f"{file}: {node.module}"


def test_the_mathematics_know_neither_arrow_nor_duckdb() -> None:
    for file in (PACKAGE / "crypto").rglob("*.py"):
        text = file.read_text()
        assert "pyarrow" not in text
        assert "import duckdb" not in text


def test_the_column_functions_do_not_know_duckdb() -> None:
    for file in (PACKAGE / "columns").rglob("*.py"):
        assert "import duckdb" not in file.read_text()
