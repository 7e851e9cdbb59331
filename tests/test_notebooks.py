"""Notebooks: the tutorials, docs/notebooks.md, a kernel's interrupt, and what an editor sees. A
kernel is large: it is there in `make test-all`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.effort import takes_long
from tests.test_docs import blocks

ROOT = Path(__file__).parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_what_the_tutorials_show_is_kept(path: Path) -> None:
    text = path.read_text()
    cells = json.loads(text)["cells"]
    outputs = [one for cell in cells for one in cell.get("outputs", ())]
    assert {one["output_type"] for one in outputs} <= {"stream", "display_data", "execute_result"}
    assert any("image/png" in one.get("data", {}) for one in outputs)
    assert not re.search(r"/tmp|site-packages|/home/", text)
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", "".join(cell["source"])):
                assert "://" in link or (path.parent / link).exists(), link


@takes_long
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_tutorials_run(path: Path) -> None:
    """They check what comes out themselves, against pandas."""
    from docs.notebooks import executed

    assert any(cell.get("outputs") for cell in executed(path).cells)


class Kernel:
    """A kernel in a folder."""

    def __init__(self, folder: Path) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel(
            cwd=str(folder), extra_arguments=["--HistoryManager.enabled=False"]
        )
        self._client = self.manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)

    def run(self, code: str, during: Callable[[list[str]], bool] = lambda _: True) -> list[dict]:
        """Run a cell; return what it shows, and its error. `during` is called with the lines of
        progress until it returns true."""
        asked = self._client.execute(code)
        found: list[dict] = []
        done, until = False, time.monotonic() + 120
        while time.monotonic() < until:
            message = self._client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if content.get("execution_state") == "idle":
                return found
            found.append({"kind": kind, **content})
            done = done or during(lines(found))
        raise TimeoutError(code)

    def end(self) -> None:
        self._client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def lines(found: list[dict]) -> list[str]:
    shown = ("display_data", "update_display_data")
    return [one["data"]["text/plain"] for one in found if one["kind"] in shown]


def error(found: list[dict]) -> str | None:
    return next((one["ename"] for one in found if one["kind"] == "error"), None)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    one = Kernel(tmp_path)
    yield one
    one.end()


def page() -> list[str]:
    return blocks((ROOT / "docs" / "notebooks.md").read_text(), "python")


@takes_long
def test_the_page_on_notebooks_runs(kernel: Kernel) -> None:
    for block in page():
        found = kernel.run(block)
        assert error(found) is None, found
        if "gather" in block:
            assert any(line.startswith("bank: psi/host finished in ") for line in lines(found))
            assert any(line.startswith("shop: psi/guest finished in ") for line in lines(found))
            (result,) = [one["data"] for one in found if one["kind"] == "execute_result"]
            assert "<b>psi/guest</b>" in result["text/html"]


@takes_long
@pytest.mark.parametrize("call", ["bank.run", "await bank.arun"])
def test_a_kernels_interrupt_ends_a_run(kernel: Kernel, call: str) -> None:
    identities, connects, *_ = page()
    kernel.run(f"{identities}\n{connects.replace('timeout=60', 'timeout=3600')}")
    kernel.run("import pandas as pd\ntable = pd.DataFrame({'id': ['a', 'b']})")

    def interrupt(shown: list[str]) -> bool:
        waits = bool(shown) and "waiting for message 'psi/blinded' from shop" in shown[-1]
        if waits:
            kernel.manager.interrupt_kernel()
        return waits

    found = kernel.run(f"{call}('psi/host', peer='shop', table=table, id='id')", interrupt)
    assert error(found) in ("KeyboardInterrupt", "CancelledError")
    assert "psi/host ended after" in lines(found)[-1]
    after = kernel.run(
        "import asyncio\n"
        "host, guest = await asyncio.gather(\n"
        "    bank.arun('psi/host', peer='shop', table=table, id='id'),\n"
        "    shop.arun('psi/guest', peer='bank', table=table, id='id'),\n"
        ")\n"
        "assert guest[0]['matched'] == 2"
    )
    assert error(after) is None, [one.get("traceback") for one in after]


SNIPPET = """
from pathlib import Path

import duckpriv
from duckpriv.scripts import load
from duckpriv.settings import PsiGuest


async def right(party: duckpriv.Party, settings: PsiGuest) -> int:
    rows = party.run("psi/host", peer="shop", table=load, id=["email"], most_ids=9, progress=False)
    party.run(Path("own.sql"), anything=1)
    party.run(load("psi/host"), anything=1)
    party.run("psi/guest", **settings)
    return (await party.arun("psi/guest", **settings)).sent[0].rows + len(rows)


async def wrong(party: duckpriv.Party) -> None:
    party.run("psi/host", peer="shop", table="t", id="email", tabel="t")  # wrong
    party.run("psi/host", peer="shop", table="t")  # wrong
    party.run("psi/host", peer="shop", table="t", id=object())  # wrong
    await party.arun("psi/guest", peer="shop", table="t", id="email", bits=2048)  # wrong
    settings: PsiGuest = {"peer": "shop", "table": "t", "id": "mail", "scheem": "rsa"}  # wrong
    print(settings)
"""


@takes_long
def test_an_editor_sees_wrong_settings(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "snippet.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    found = {int(line) for line in re.findall(r"^snippet.py:(\d+): error", done.stdout, re.M)}
    expected = {n for n, line in enumerate(SNIPPET.split("\n"), 1) if line.endswith("# wrong")}
    assert found == expected, done.stdout + done.stderr
