"""Collect the pages of the site in build/pages, as plain Markdown: `make docs` builds from there.

Pages stand where they are read in the repository too: in docs/, and a protocol's beside its
scripts. Here they are put together, their links are turned to where the pages go, and what can be
generated is: scripts, command line, Python, and a page for each source file that one links to.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from docs import cells, generated
from docs.reference import reference

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)")
_ITEM = re.compile(r" *(?:[-*]|\d+\.) ")
_FENCE = re.compile(r" *```")
# A fence is longer than those in what it holds.
_SOURCE = "# {name}\n\n`````{language}\n{text}`````\n"
_LANGUAGES = {".sql": "sql", ".py": "python", ".h": "c", ".c": "c", ".toml": "toml"}


def place(path: str) -> str:
    """Return where the page of a file of the repository goes."""
    file = PurePosixPath(path)
    if file.parts[0] == "docs" and file.suffix in (".md", ".svg", ".png"):
        return file.relative_to("docs").as_posix()
    if file.parts[0] == "docs" and file.suffix == ".ipynb":
        return file.relative_to("docs").with_suffix(".md").as_posix()
    if file.parts[0] == "sql" and file.name == "README.md":
        return f"protocols/{file.parts[1]}.md"
    return {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}.get(
        path, f"source/{path.lstrip('.')}.md"
    )


class Site:
    """The pages, by where they go."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self._sources: set[str] = set()

    def add(self, path: str, text: str) -> None:
        """Add the page of a file of the repository, or one that is generated, as if it stood
        there."""
        at = place(path)
        self.pages[at] = "\n".join(_as_python_markdown(self._links(path, at, text))) + "\n"

    def add_sources(self) -> None:
        """Add the source files that pages link to."""
        for path in sorted(self._sources):
            language = _LANGUAGES.get(Path(path).suffix, "text")
            text = (ROOT / path).read_text()
            self.pages[place(path)] = _SOURCE.format(name=path, language=language, text=text)

    def _links(self, path: str, at: str, text: str) -> str:
        """Return `text` with its links turned to where their pages go."""

        def turned(found: re.Match[str]) -> str:
            label, link = found.groups()
            link, mark, anchor = link.partition("#")
            if "://" in link or not link:
                return found[0]
            target = (ROOT / path).parent.joinpath(link).resolve()
            to = target.relative_to(ROOT).as_posix()
            if to.startswith("docs/") or (target / "README.md").exists():
                to = f"{to}/README.md" if target.is_dir() else to
            elif target.is_dir():
                return label[1:-1]  # a folder has no page
            elif place(to).startswith("source/"):
                self._sources.add(to)
            up = "../" * (len(PurePosixPath(at).parts) - 1)
            return f"{label}({up}{place(to)}{mark}{anchor})"

        return "".join(
            part if fenced else _LINK.sub(turned, part) for fenced, part in _split_fences(text)
        )


def _split_fences(text: str) -> Iterator[tuple[bool, str]]:
    """Give the parts of a page, and whether each is a block of code."""
    fenced, part = False, ""
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line) and not fenced:
            yield False, part
            fenced, part = True, line
        elif _FENCE.match(line):
            yield True, part + line
            fenced, part = False, ""
        else:
            part += line
    yield fenced, part


def _as_python_markdown(text: str) -> Iterator[str]:
    """Give the lines of a page as Python-Markdown reads them: it wants an empty line before a list,
    and four spaces where CommonMark takes two."""
    before, in_list, fence, wide = "", False, "", False
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if fence:
            yield fence[:-1] + line if line else line
            fence = "" if _FENCE.match(line) else fence
            before = line
            continue
        item = _ITEM.match(line) is not None
        if item and before and not indent and not in_list:
            yield ""
        if item and not indent:
            wide = line[0].isdigit()  # what is in a numbered item stands three or four spaces in
        in_list = item or (in_list and (not line or bool(indent)))
        extra = "" if not in_list else " " * (4 - len(indent)) if wide and indent else indent
        if _FENCE.match(line):
            fence = extra + "|"  # how much further in its lines stand
        yield extra + line
        before = line


def collect() -> dict[str, str]:
    """Return all pages by where they go."""
    site = Site()
    for file in sorted((ROOT / "docs").glob("*.md")):
        site.add(f"docs/{file.name}", file.read_text())
    for file in sorted((ROOT / "docs").glob("**/*.ipynb")):
        site.add(file.relative_to(ROOT).as_posix(), cells.markdown(file.read_text()))
    for file in sorted((ROOT / "sql").glob("*/README.md")):
        site.add(file.relative_to(ROOT).as_posix(), file.read_text())
    site.add("docs/functions.md", reference())
    for path, text in generated.pages().items():
        site.add(f"docs/{path}", text)
    site.add("CHANGELOG.md", (ROOT / "CHANGELOG.md").read_text())
    site.add_sources()
    return site.pages


def main() -> None:
    """Write all pages and pictures into build/pages, anew."""
    folder = ROOT / "build" / "pages"
    shutil.rmtree(folder, ignore_errors=True)
    for at, text in collect().items():
        (folder / at).parent.mkdir(parents=True, exist_ok=True)
        (folder / at).write_text(text)
    docs = ROOT / "docs"
    for file in (*docs.glob("*.svg"), *docs.glob("*.png"), docs / "site.css"):
        shutil.copy(file, folder)


if __name__ == "__main__":
    main()
