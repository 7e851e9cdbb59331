"""The report in a browser, as wide as a phone and as a desktop: nothing is cut off.

`make test-all` runs this where Chromium is installed. With DUCKPRIV_PICTURES=FOLDER it leaves its
pictures there, to be looked at."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.effort import takes_long
from tests.reports import report, strange_database, two_shops

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = [
    takes_long,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium"),
]

# What a reader could not see: parts of the page beyond its side, texts that their box cuts off, and
# letters outside of their picture. A box that scrolls shows all of its content.
CUT_OFF = """() => {
    const found = [], wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > wide) found.push('the page scrolls sideways');
    const scrolls = (e) => e && (['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
                                 || scrolls(e.parentElement));
    for (const e of document.body.querySelectorAll('*')) {
        const box = e.getBoundingClientRect(), style = getComputedStyle(e);
        const name = `${e.tagName} ${e.textContent.slice(0, 40)}`;
        if (e.closest('svg') && e.tagName !== 'svg') continue;
        if ((box.right > wide + 1 || box.left < -1) && !scrolls(e.parentElement))
            found.push(`beyond the page: ${name}`);
        const hides = ['hidden', 'clip'].includes(style.overflowX);
        if (hides && e.tagName !== 'svg' && e.scrollWidth > e.clientWidth)
            found.push(`cut off: ${name}`);
    }
    for (const svg of document.querySelectorAll('svg')) {
        const box = svg.getBoundingClientRect();
        if (box.width < 200 || box.height < 60)
            found.push(`a picture of ${box.width}×${box.height}`);
        for (const text of svg.querySelectorAll('text')) {
            const t = text.getBoundingClientRect();
            if (t.left < box.left - 1 || t.right > box.right + 1 || t.top < box.top - 1
                || t.bottom > box.bottom + 1)
                found.push(`outside its picture: ${text.textContent}`);
            if (t.height < 6) found.push(`too small to read: ${text.textContent}`);
        }
    }
    for (const cell of document.querySelectorAll('td, th'))
        if (cell.scrollWidth > cell.clientWidth + 1)
            found.push(`beyond its cell: ${cell.textContent}`);
    return found;
}"""
# Names above bars, and numbers beside them, that lie over each other.
OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap((svg) => {
    const texts = [...svg.querySelectorAll('text')];
    const boxes = texts.map((t) => [t.textContent, t.getBoundingClientRect()]);
    return boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
        .filter(([b, q]) => p.left < q.right - 1 && q.left < p.right - 1
                            && p.top < q.bottom - 2 && q.top < p.bottom - 2)
        .map(([b]) => `${a} over ${b}`));
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="make .venv/tools")
    with playwright.sync_playwright() as running:
        # No sandbox: tests may run as root, where Chromium has none.
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    two_shops(folder, lift=True)
    strange_database(folder / "strange.duckdb")
    for name in ("host", "guest"):
        report(folder / f"{name}.duckdb")
    report(folder / "strange.duckdb", "scored")
    return {name: folder / f"{name}.html" for name in ("host", "guest", "strange")}


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["host", "guest", "strange"])
def test_nothing_is_cut_off(browser, pages, tmp_path, name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(pages[name].as_uri())
    folder = Path(os.environ.get("DUCKPRIV_PICTURES", tmp_path))
    picture = folder / f"{name}-{width}.png"
    page.screenshot(path=picture, full_page=True)
    found = struct.unpack(">II", picture.read_bytes()[16:24])
    assert found == (width, page.evaluate("document.documentElement.scrollHeight"))
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OVERLAPS) == []
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert said == []
    page.close()


def test_the_checks_find_what_is_cut_off(browser, tmp_path) -> None:
    """A page with a fault of each kind."""
    file = tmp_path / "bad.html"
    text = "a name that is too long for its place"
    file.write_text(
        "<!doctype html><meta charset=utf-8><body style='margin: 0'>"
        f"<div style='width: 400px'>{text}</div>"
        f"<div style='width: 60px; overflow: hidden; white-space: nowrap'>{text}</div>"
        f"<table style='table-layout: fixed; width: 50px'><td style='white-space: nowrap'>{text}"
        "</table><svg width='300' height='80'><text x='200' y='20'>a name that goes beyond it"
        "</text><text x='10' y='40'>one</text><text x='12' y='42'>two</text>"
        "<text x='10' y='70' font-size='3'>tiny</text></svg>"
    )
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(file.as_uri())
    found = page.evaluate(CUT_OFF)
    for sign in (
        "the page scrolls sideways",
        "beyond the page: DIV",
        "cut off: DIV",
        "outside its picture: a name that goes beyond it",
        "too small to read: tiny",
        "beyond its cell",
    ):
        assert any(one.startswith(sign) for one in found), (sign, found)
    assert page.evaluate(OVERLAPS) == ["one over two"]
    page.close()
