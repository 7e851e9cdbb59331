"""The site's pages are true: their commands run in order, and what they show comes out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from docs import cells, pages, pictures
from duckpriv import errors
from tests.effort import takes_long, thorough

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
_BLOCK = re.compile(r'^( *)```(\w+)(?: title="At the (\w+)")?\n(.*?)^\1```', re.M | re.S)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Return a page's blocks: language, whose they are, text."""
    found = _BLOCK.findall((ROOT / "docs" / page).read_text())
    return [(language, party, textwrap.dedent(text)) for _, language, party, text in found]


def run(language: str, text: str, folder: Path, **kept: str) -> subprocess.Popen[str]:
    command = {"sh": ["bash", "-ec", text], "python": [sys.executable, "-c", text]}[language]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **kept}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("y\n")  # where a page has the reader confirm something
    process.stdin.close()
    process.stdin = None
    return process


def result(process: subprocess.Popen[str], text: str) -> str:
    shown, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    return shown


def follow(page: str, folder: Path) -> None:
    """Run a page's blocks in one folder, in order; a block of text is what the one before shows."""
    shown = None
    for language, _, text in blocks(page):
        if language == "text":
            assert shown is not None
            assert _lines(shown) == _lines(text), page
        else:
            shown = result(run(language, text, folder), text)
    assert shown is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@takes_long
@pytest.mark.parametrize(
    "page", ["index.md", "versions.md", "errors.md", *thorough("keys.md", "resume.md")]
)
def test_a_page_can_be_followed(page: str, tmp_path: Path) -> None:
    follow(page, tmp_path)


TABLES = """
import duckdb
with duckdb.connect("bank/bank.duckdb") as con:
    con.execute("CREATE TABLE customers AS SELECT 'user' || i AS email FROM range(0, 200) t(i)")
with duckdb.connect("shop/shop.duckdb") as con:
    con.execute("CREATE TABLE clients AS SELECT 'user' || i AS mail FROM range(100, 400) t(i)")
"""


def meet(page: str, folder: Path) -> None:
    """Run the blocks of two parties, each in a folder and with a keyring of its own: those of one
    in order, beside those of the other. Public identities come to the other one as by e-mail."""
    running: dict[str, tuple[subprocess.Popen[str], str]] = {}
    for language, party, text in blocks(page):
        assert language == "sh"
        for name in (party, *running) if "duckpriv run " not in text else (party,):
            if name in running:
                result(*running.pop(name))
        for file in folder.glob("*/*.identity"):
            for own in ("bank", "shop"):
                if file.parent.name != own:
                    shutil.copy(file, folder / own)
        here = text.replace("bank.example", "localhost")
        keys = str(folder / party / "keys")
        running[party] = run(language, here, folder / party, DUCKPRIV_KEYRING=keys), text
    for process in running.values():
        result(*process)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    (tmp_path / "bank").mkdir()
    (tmp_path / "shop").mkdir()
    subprocess.run([sys.executable, "-c", TABLES], cwd=tmp_path, check=True)
    return tmp_path


def common(folder: Path) -> int:
    count = "import duckdb; print(duckdb.connect('shop.duckdb').sql('FROM alignment').shape[0])"
    return int(result(run("python", count, folder / "shop"), count))


@takes_long
def test_two_companies_meet_over_the_network(two: Path) -> None:
    meet("network.md", two)
    assert common(two) == 100


@contextmanager
def synchronised(folder: Path) -> Iterator[None]:
    """Copy between the parties' mailboxes what is a party's own: of messages that are there, the
    contents first, each by another name until it is whole."""
    ended = threading.Event()

    def copy(sender: str, receiver: str) -> None:
        root = folder / sender / "mailbox"
        manifests = list(root.glob(f"*/{sender}/**/[!.]*.json"))
        contents = [file.with_suffix(".arrow") for file in manifests]
        for file in (*filter(Path.exists, contents), *manifests):
            to = folder / receiver / "mailbox" / file.relative_to(root)
            to.parent.mkdir(parents=True, exist_ok=True)
            partial = shutil.copy(file, to.with_name(f".{to.name}.partial"))
            Path(partial).replace(to)

    def work() -> None:
        while not ended.wait(0.1):
            copy("bank", "shop")
            copy("shop", "bank")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@takes_long
def test_two_parties_meet_in_a_synchronised_folder(two: Path) -> None:
    network = blocks("network.md")
    for step in range(2):  # identities, then trust
        for _, party, text in network[2 * step : 2 * step + 2]:
            keys = str(two / party / "keys")
            result(run("sh", text, two / party, DUCKPRIV_KEYRING=keys), text)
        shutil.copy(two / "bank" / "bank.identity", two / "shop")
        shutil.copy(two / "shop" / "shop.identity", two / "bank")
    with synchronised(two):
        meet("folder.md", two)
    assert common(two) == 100


def test_every_error_has_a_section() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    found = dict(re.findall(r"^## DUCKPRIV_(\w+)\n\n(?:Class|The class) `(\w+)`", text, re.M))
    classes = [errors.DuckprivError, *errors.DuckprivError.__subclasses__()]
    assert found == {
        error.code: error.__name__ for error in classes if error.__module__ == errors.__name__
    }


def test_every_protocol_is_in_the_tables_for_choosing_one() -> None:
    for page in ("which.md", "what-each-party-sees.md"):
        text = (ROOT / "docs" / page).read_text()
        for readme in ROOT.glob("sql/*/README.md"):
            assert f"../sql/{readme.parent.name}/README.md" in text, f"{page}: {readme.parent.name}"


@pytest.mark.parametrize("picture", pictures.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_that_of_its_table(picture: pictures.Picture) -> None:
    written = (ROOT / "docs" / f"{picture.name}.svg").read_text()
    assert written == pictures.svg(picture), "run 'make docs'"


def test_all_messages_between_two_parties_are_drawn() -> None:
    """A word of a table that no picture knows raises KeyError; what is left out is named."""
    drawn = {m.channel for picture in pictures.PICTURES for m in pictures.drawn(picture)}
    text = (ROOT / "sql/aggregate/README.md").read_text()
    channels = {message.channel for message in pictures.messages(text)}
    assert len(channels) == 18 and channels <= drawn


def test_the_pages_are_all_in_the_sites_list() -> None:
    """What `make docs` finds too, but needs its environment for."""
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = re.findall(r"^ +- (?:[^#].*: )?(\S+\.md)$", nav, re.MULTILINE)
    written = [at for at in pages.collect() if not at.startswith("source/")]
    assert sorted(listed) == sorted(written)


def test_links_between_pages_lead_somewhere() -> None:
    found = pages.collect()
    pictured = {file.name for kind in ("svg", "png") for file in (ROOT / "docs").glob(f"*.{kind}")}
    for at, text in found.items():
        if at.startswith("source/"):
            continue
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" in link or link.startswith("data:"):
                continue
            target = os.path.normpath(Path(at).parent / link)
            assert target in found or target in pictured, f"{at}: {link}"


def test_lists_are_written_as_python_markdown_wants_them() -> None:
    text = "Text:\n- one\n  more\n  - two\n\n  ```sh\n  a\n    b\n  ```\n\n"
    text += "1. x\n\n    ```sh\n    c\n    ```\n"
    assert list(pages._as_python_markdown(text)) == [
        *("Text:", "", "- one", "    more", "    - two", ""),
        *("    ```sh", "    a", "      b", "    ```", ""),
        *("1. x", "", "    ```sh", "    c", "    ```"),
    ]


def test_a_notebook_becomes_a_page() -> None:
    frame = '<style scoped>\n  td {}\n</style>\n<table border="1" class="dataframe">\n\n</table>'
    made = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": "%%sql\nSELECT 1",
            "outputs": [
                {"output_type": "stream", "text": ["a\n", "b\n"]},
                {
                    "output_type": "execute_result",
                    "data": {"text/html": frame, "text/plain": ""},
                },
                {"output_type": "display_data", "data": {"image/png": "AAAA\n"}},
            ],
        },
    ]
    page = cells.markdown(json.dumps({"cells": made}))
    assert "# Title\ntext\n" in page
    assert "```sql\n%%sql\nSELECT 1\n```\n\n```text\na\nb\n```\n" in page
    assert "<div>\n<table>\n</table>\n</div>\n" in page and "data:image/png;base64,AAAA" in page
    broken = {
        "cell_type": "code",
        "source": "1/0",
        "outputs": [{"output_type": "error", "ename": "E"}],
    }
    with pytest.raises(ValueError, match="run the notebook again"):
        cells.markdown(json.dumps({"cells": [broken]}))


@takes_long
def test_the_site_is_built_without_a_warning_and_fetches_nothing() -> None:
    pages.main()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    site = ROOT / "build" / "site"
    assert (site / "protocols" / "psi.html").exists()
    for file in site.glob("**/*.html"):
        text = file.read_text()
        fetched = re.findall(r'<(?:script|img|iframe)[^>]* src="?(https?:)?//', text)
        fetched += re.findall(r'<link[^>]* href="?(https?:)?//', text)
        assert not fetched, file
