"""With dbt, SQLMesh, Dagster, SQLAlchemy and JupySQL, in the environments that `make test-all`
makes for them. The parties of an example are processes that work at the same time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from duckpriv import Keyring
from examples.introduction import introduce
from tests.effort import takes_long

ROOT = Path(__file__).parent.parent
PIPELINES, SQLMESH = (ROOT / "build" / name / "bin" for name in ("pipelines", "sqlmesh"))
QUIET = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1",
}
PASSPHRASE = "correct horse battery staple"

pytestmark = takes_long


def start(folder: Path, *command: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **QUIET, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def dbt(folder: Path, me: str, *words: str) -> subprocess.Popen[str]:
    secret = {"DUCKPRIV_PASSPHRASE": PASSPHRASE} if me == "bank" else {}
    return start(folder / me, PIPELINES / "dbt", *words, **secret)


def query(file: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(file), read_only=True) as con:
        return con.execute(sql).fetchall()


def attached(bank: Path, shop: Path, sql: str) -> list[tuple]:
    """What a party that had both databases would know."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{bank}' (READ_ONLY); ATTACH '{shop}' (READ_ONLY)")
        return con.execute(sql).fetchall()


def messages(folder: Path) -> dict[Path, bytes]:
    return {
        file: file.read_bytes()
        for file in (folder / "mailbox").rglob("*")
        if file.is_file() and file.name.endswith(".json") and "status" not in file.name
    }


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """The example's two projects, whose parties trust each other."""
    folder = tmp_path / "dbt"
    shutil.copytree(ROOT / "examples" / "dbt", folder)
    introduce(folder, "bank", "shop")
    Keyring(folder / "bank.keys").protect(PASSPHRASE)
    return folder


def build_both(projects: Path, *words: str) -> None:
    for process in [dbt(projects, me, "build", *words) for me in ("bank", "shop")]:
        end(process)


def test_two_dbt_projects_match_and_aggregate_and_a_rerun_runs_nothing(projects: Path) -> None:
    bank, shop = projects / "bank" / "bank.duckdb", projects / "shop" / "shop.duckdb"
    build_both(projects)
    joined = "bank.customers JOIN shop.clients ON email = lower(trim(mail))"
    matching = query(shop, "SELECT mail FROM matching ORDER BY mail")
    assert matching == attached(bank, shop, f"SELECT mail FROM {joined} ORDER BY mail")
    pids = "FROM bank.matching b JOIN shop.matching s USING (pid)"
    paired = attached(bank, shop, f"SELECT count(*), bool_and(email = lower(trim(mail))) {pids}")
    assert paired == [(100, True)]
    groups = attached(
        *(bank, shop),
        f"SELECT orders, count(*), sum(balance), avg(balance), avg(repaid::INTEGER) FROM {joined} "
        "GROUP BY orders ORDER BY orders",
    )
    for database in (bank, shop):
        found = query(
            database,
            "SELECT orders, customers, balance_sum, balance_avg, repaid_avg FROM balances "
            "ORDER BY orders",
        )
        assert [row[:3] for row in found] == [row[:3] for row in groups]
        assert [row[3:] for row in found] == [pytest.approx(row[3:]) for row in groups]
    assert len(query(shop, "FROM offers")) == 100

    # Again, with data that have changed: the journal has the finished runs, and nothing is sent.
    before, model = messages(projects), projects / "shop" / "models" / "clients.sql"
    model.write_text(model.read_text().replace("range(100, 400)", "range(150, 400)"))
    end(dbt(projects, "shop", "run"))
    end(dbt(projects, "bank", "build"))
    assert before and messages(projects) == before
    assert query(shop, "SELECT mail FROM matching ORDER BY mail") == matching

    # A new session runs anew, and the results of the old one stay.
    build_both(projects, "--vars", "month: 2026-02")
    assert query(shop, "SELECT count(*) FROM matching") == [(50,)]
    assert query(shop, 'SELECT count(*) FROM "alignment match-2026-01"') == [(100,)]
    written = [file for file in (projects / "bank").rglob("*") if file.is_file()]
    assert any(file.name == "dbt.log" for file in written)
    assert not [file for file in written if PASSPHRASE.encode() in file.read_bytes()]


def test_dbt_says_that_the_peer_is_not_there_and_goes_on_once_it_is(projects: Path) -> None:
    profile = projects / "bank" / "profiles.yml"
    text = profile.read_text()
    # To compile sends nothing, and says so.
    assert "is not finished in session 'match-2026-01'" in end(dbt(projects, "bank", "compile"), 2)
    assert not messages(projects)
    profile.write_text(text.replace("timeout: 600", "timeout: 2"))
    output = end(dbt(projects, "bank", "build"), 1)
    assert "no message 'psi/blinded' from shop within 2 seconds" in output
    profile.write_text(text)
    for process in (dbt(projects, "shop", "run"), dbt(projects, "bank", "retry")):
        end(process)
    assert query(projects / "shop" / "shop.duckdb", "SELECT count(*) FROM matching") == [(100,)]
    # Four threads that read one source.
    model = projects / "bank" / "models" / "matching.sql"
    for name in ("two", "three", "four"):
        shutil.copy(model, model.with_name(f"{name}.sql"))
    end(dbt(projects, "bank", "run", "-s", "matching", "two", "three", "four"))
    # What is wrong in a profile is an error of dbt's, without a traceback.
    profile.write_text(text.replace("me: bank", "me: bank\n            passphrase: a"))
    output = end(dbt(projects, "bank", "run"), 2)
    assert "the plugin has no setting 'passphrase'" in output
    assert "Traceback" not in output


def test_sqlmesh_at_the_bank_and_dagster_at_the_shop(tmp_path: Path) -> None:
    for name in ("sqlmesh", "dagster"):
        shutil.copytree(ROOT / "examples" / name, tmp_path / name)
    introduce(tmp_path, "bank", "shop")
    bank, shop = tmp_path / "sqlmesh" / "bank.duckdb", tmp_path / "dagster" / "shop.duckdb"
    select = ("--select", "*", "-f", "shop.py", "--partition", "2026-01-01")
    found = []
    for restated in ((), ("--restate-model", "crm.matching")):
        plan = ("plan", "--auto-apply", "--no-prompts", *restated)
        processes = [
            start(tmp_path / "sqlmesh", SQLMESH / "sqlmesh", *plan),
            start(tmp_path / "dagster", PIPELINES / "dagster", "asset", "materialize", *select),
        ]
        for process in processes:
            end(process)
        pids = 'FROM bank.crm.with_pid b JOIN shop."matching_2026-01" s USING (pid)'
        found.append(attached(bank, shop, f"SELECT id, balance {pids} ORDER BY id"))
    joined = "bank.crm.customers JOIN shop.clients ON email = lower(trim(mail))"
    expected = attached(bank, shop, f"SELECT mail, balance FROM {joined} ORDER BY mail")
    assert len(expected) == 100 and found == [expected, expected]


def test_sqlalchemy_and_jupysql_find_the_functions(tmp_path: Path) -> None:
    script = ROOT / "tests" / "clients.py"
    end(start(tmp_path, PIPELINES / "python", script, tmp_path / "own.duckdb", tmp_path / "keys"))


def test_the_page_about_them_is_true(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "dbt.md").read_text()
    found = dict(re.findall(r"^```(python|sh|sql)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    files = {file.name: file.read_text() for file in (ROOT / "examples/dbt/bank").rglob("*.*")}
    assert found["sql"] in re.sub("-- Every.*\n", "", files["matching.sql"])
    for name, block in re.findall(r"^```yaml\n# (.*?)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        assert files[Path(name).name].startswith(block)
    output = end(start(tmp_path, PIPELINES / "python", "-c", found["python"]))
    assert "('ann@example.com',)" in output
    shutil.copytree(ROOT / "examples" / "dbt", tmp_path / "examples" / "dbt")
    path = f"{PIPELINES}{os.pathsep}{os.environ['PATH']}"
    output = end(start(tmp_path, "sh", "-ec", found["sh"], PATH=path))
    assert output.count("Completed successfully") == 2, output
