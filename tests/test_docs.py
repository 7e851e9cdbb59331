"""The documentation is true: its commands, Python and SQL run, and nothing is undocumented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import duckdb
import pytest

import duckpriv
from docs import generated
from docs.reference import reference
from docs.settings import settings
from duckpriv.calls import calls
from duckpriv.cli import cli
from duckpriv.consent import RECEIVES
from duckpriv.functions import FUNCTIONS
from duckpriv.scripts import bundled, load
from duckpriv.sends import SENDS, channel_of
from duckpriv.settingsfile import SettingsFile, parsed
from tests.effort import THOROUGH, takes_long

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TOUR = (ROOT / "docs" / "tour.md").read_text()
BIN = Path(sys.executable).parent


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_function_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "functions.md").read_text()
    assert written == reference(), "run 'make docs'"


def test_the_types_of_settings_are_up_to_date() -> None:
    written = (ROOT / "duckpriv" / "settings.py").read_text()
    assert written == settings(), "run 'make docs'"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_every_function_is_documented(function) -> None:
    for text in (function.about, function.reveals, function.example, function.returns):
        assert text.strip()
    assert all(p.type and p.about for p in function.parameters)
    assert f"`{function.name}`" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_is_short_and_its_examples_run(tmp_path: Path) -> None:
    assert len(README.splitlines()) < 200
    examples = blocks(README, "python")
    shown = [
        subprocess.check_output([sys.executable, "-c", e], cwd=tmp_path, text=True)
        for e in examples
    ]
    (written,) = blocks(README, "text")
    assert shown[0].strip() == written.strip()


@takes_long
def test_the_commands_and_snippets_of_the_tour_run_in_order(tmp_path: Path) -> None:
    """In a fresh folder, as a reader would. `make test` goes as far as matching."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    end = len(TOUR) if THOROUGH else TOUR.index("## Count and sum by group")
    found = re.findall(r"^```(\w+)\n(.*?)^```", TOUR[:end], re.DOTALL | re.MULTILINE)
    assert len(found) > 6
    waiting: dict[str, subprocess.Popen[bytes]] = {}
    for language, text in found:
        if language == "python":
            done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=environment)
            assert done.returncode == 0, text
        elif language == "sh":
            for line in text.strip().splitlines():
                me = re.sub(r".*--(?:me|config) (\w+).*", r"\1", line)
                if me in waiting:
                    assert waiting.pop(me).wait(120) == 0, line
                process = subprocess.Popen(["sh", "-c", line], cwd=tmp_path, env=environment)
                if re.search(r" run \S*([/_]host|/helper|_peer)", line):
                    waiting[me] = process  # it waits for the other, which comes later
                else:
                    assert process.wait(120) == 0, line
        elif language == "sql":
            for process in waiting.values():
                assert process.wait(60) == 0
            run_sql(text, tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        assert con.execute("SELECT count(*) FROM alignment").fetchall() == [(100,)]


def run_sql(text: str, folder: Path) -> None:
    """Run a SQL block; its first line says where."""
    where = re.match(r"-- (in|on) .*?([\w.]+)(?:'|$)", text.splitlines()[0])
    assert where, text
    if where[1] == "in":
        with duckdb.connect(str(folder / where[2])) as con:
            for statement in duckdb.extract_statements(text):
                assert con.execute(statement.query).fetchall(), statement.query
    else:
        with duckpriv.connect(keyring=folder / "sql.keys", session=where[2]) as party:
            for statement in duckdb.extract_statements(text):
                party.con.execute(statement.query).fetchall()


@takes_long
def test_the_page_on_settings(tmp_path: Path) -> None:
    """Its settings file is one, its table has all keys, and its commands of SQL run."""
    page = (ROOT / "docs" / "settings.md").read_text()
    (shown,) = blocks(page, "toml")
    file = parsed(shown, tmp_path / "duckpriv.toml")
    assert file.text == shown
    for key in [field.name for field in fields(SettingsFile)][1:]:
        assert re.search(rf"^\| `{key}\b", page, re.MULTILINE), key
    (tmp_path / "duckpriv.toml").write_text('keyring = "keys"\ndatabase = "own.duckdb"\n')
    (tmp_path / "customers.csv").write_text("id\n1\n2\n")
    (tmp_path / "statements.sql").write_text("SELECT 1;\nSELECT 2;\n")
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    for line in "".join(blocks(page, "sh")).splitlines():
        subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=True,
        )


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z-]+)", README)) - {"records"}
    assert {"demo", "test", "lint", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_sql_quoted_from_a_script_is_in_it() -> None:
    quoted = next(
        block for block in blocks(README, "sql") if "from sql/psi/shared/oprf_guest.sql" in block
    )
    plain = re.sub(r"\s+", "", quoted.split("\n", 1)[1])
    script = re.sub(r"\s+", "", (ROOT / "sql/psi/shared/oprf_guest.sql").read_text())
    names = {"getvariable('peer')": "'bank'", "getvariable('key')": "'host'"}
    for variable, name in names.items():
        script = script.replace(variable, name)
    assert plain in script


def test_links_lead_somewhere() -> None:
    pages = generated.pages()
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("sql/**/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
            if "://" not in link and link not in pages:
                assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_the_protocols_readme_names_every_message_its_scripts_send() -> None:
    for name in bundled():
        folder, _, _ = name.partition("/")
        text = (ROOT / "sql" / folder / "README.md").read_text()
        for statement in load(name).statements:
            for call in calls(statement.sql, SENDS + RECEIVES):
                channel = channel_of(call, {})
                assert f"`{channel}`" in text, f"{name} uses {channel}"


def test_every_command_has_help() -> None:
    assert all(command.help for command in cli.commands.values())


def test_the_package_says_one_version() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{duckpriv.__version__}"' in project
    assert duckpriv.__version__ in (ROOT / "CHANGELOG.md").read_text()


def example(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"examples.{name}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.skipif(not THOROUGH, reason="takes long: make test-all")
def test_the_example_of_private_scores_runs(tmp_path: Path) -> None:
    done = example("private_scores.scores", tmp_path)
    assert "The same as computed in the clear" in done.stdout


@takes_long
def test_the_demo_runs(tmp_path: Path) -> None:
    done = example("private_matching.demo", tmp_path)
    assert "148 common patients: the same as the plain join" in done.stdout


@pytest.mark.skipif(not THOROUGH, reason="takes long: make test-all")
def test_the_example_of_joint_credit_scoring_runs(tmp_path: Path) -> None:
    done = example("joint_lr.credit", tmp_path)
    assert "AUC of the joint scores" in done.stdout
    report = (tmp_path / "joint_lr" / "report.html").read_text()
    assert report.count("<svg") == 5


@pytest.mark.skipif(not THOROUGH, reason="takes long: make test-all")
def test_the_example_with_a_helper_runs(tmp_path: Path) -> None:
    done = example("helper.three", tmp_path)
    assert "The clinic has 0 weights in the clear" in done.stdout
    assert (tmp_path / "helper" / "report.html").exists()


@pytest.mark.skipif(not THOROUGH, reason="takes long: make test-all")
def test_the_example_of_joint_moments_runs(tmp_path: Path) -> None:
    done = example("joint_moments.spending", tmp_path)
    assert "Largest error of a correlation" in done.stdout


@pytest.mark.skipif(not THOROUGH, reason="takes long: make test-all")
def test_the_example_of_a_scorecard_runs(tmp_path: Path) -> None:
    done = example("scorecard.loans", tmp_path)
    assert "AUC of the points" in done.stdout


@takes_long
def test_the_example_of_matching_by_clusters_runs(tmp_path: Path) -> None:
    done = example("scale.match", tmp_path)
    assert "10,000 common ids: the same as the plain join" in done.stdout
