"""Column functions on clusters of two workers, of Ray and of Spark: the same as DuckDB."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import duckpriv
from duckpriv import InvalidValue
from duckpriv.integrations.workers import column_function
from tests.effort import takes_long
from tests.parties import at_once
from tests.test_docs import blocks

pytestmark = takes_long
IDS = 4000


def need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make .venv/tools")


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Any]:
    """Two machines of one core each, as processes."""
    need("ray")
    import ray
    from ray.cluster_utils import Cluster

    from duckpriv.integrations import ray as integration

    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=100 << 20)
    ray.init(address=cluster.address, log_to_driver=False)
    yield integration
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Two executors of one core each, as processes."""
    need("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none: install Java 17")
    import pyspark
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        session = (
            SparkSession.builder.master("local-cluster[2,1,1024]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.fixture(params=["ray", "spark"])
def cluster(request: pytest.FixtureRequest) -> Any:
    """What applies a function to the files of a folder, with the rows as a table, and what runs
    partitions."""
    if request.param == "ray":
        on_ray = request.getfixturevalue("on_ray")
        import ray

        def apply_on_ray(folder: Path, function: Any, **how: Any) -> pa.Table:
            done = on_ray.apply(ray.data.read_parquet(str(folder)), function, **how)
            return pa.concat_tables(ray.get(done.to_arrow_refs()))

        return apply_on_ray, on_ray.run_partitions
    session = request.getfixturevalue("spark")
    from duckpriv.integrations import spark as on_spark

    def apply_on_spark(folder: Path, function: Any) -> pa.Table:
        return on_spark.apply(session.read.parquet(str(folder)), function).toArrow()

    def run_on_spark(*args: Any, **how: Any) -> Any:
        return on_spark.run_partitions(session, *args, **how)

    return apply_on_spark, run_on_spark


@pytest.fixture
def party(tmp_path: Path) -> Iterator[duckpriv.Party]:
    with duckpriv.connect(keyring=tmp_path / "keys", session="s1", me="bank") as party:
        party.keyring.oprf.generate("oprf")
        party.keyring.import_public("server", party.keyring.oprf.public("oprf").encoded, "oprf")
        yield party


def write_ids(folder: Path, files: int = 4) -> None:
    folder.mkdir()
    for i in range(files):
        ids = [f"p{n}" for n in range(i * IDS // files, (i + 1) * IDS // files)]
        pq.write_table(pa.table({"id": [*ids, None]}), folder / f"part-{i}.parquet")


def test_tokens_are_those_of_duckdb(tmp_path: Path, party, cluster) -> None:
    apply, run = cluster
    write_ids(tmp_path / "in")
    token = column_function("oprf_token", party.keyring, key="oprf", session="s1")
    computed = apply(tmp_path / "in", token)
    assert computed.num_rows == IDS + 4
    pattern = f"{tmp_path}/in/*.parquet"
    assert {one.skipped for one in run(pattern, tmp_path / "out", token)} == {False}
    assert {one.skipped for one in run(pattern, tmp_path / "out", token)} == {True}
    written = f"read_parquet('{tmp_path}/out/*.parquet')"
    for relation in ("computed", written):
        differ = party.con.execute(
            f"SELECT count(*), count(token), count(*) FILTER "
            f"(token IS DISTINCT FROM oprf_token(id, 'oprf')) FROM {relation}"
        ).fetchall()
        assert differ == [(IDS + 4, IDS, 0)]


def test_lists_and_their_proofs_pass_through(tmp_path: Path, party, cluster) -> None:
    """Blinded, evaluated and finalized on the cluster; DuckDB makes the lists between."""
    apply, run = cluster
    write_ids(tmp_path / "in")
    con, keyring = party.con, party.keyring
    peer = {"key": "server", "session": "s1", "me": "bank"}
    con.register("blinded", apply(tmp_path / "in", column_function("oprf_blind", keyring, **peer)))
    for folder in ("lists", "answered"):
        (tmp_path / folder).mkdir()
    con.execute(
        f"COPY (SELECT list(id) AS ids, list(blinded) AS blinded FROM blinded WHERE id IS NOT NULL "
        f"GROUP BY hash(id) % 7) TO '{tmp_path}/lists/a.parquet' (FORMAT parquet)"
    )
    own = {"key": "oprf", "session": "s1"}
    con.register(
        "answers", apply(tmp_path / "lists", column_function("oprf_evaluate", keyring, **own))
    )
    con.execute(
        "COPY (SELECT ids, blinded, answer.evaluated AS evaluated, answer.proof AS proof "
        f"FROM answers) TO '{tmp_path}/answered/a.parquet' (FORMAT parquet)"
    )
    run(
        f"{tmp_path}/answered/*.parquet",
        tmp_path / "tokens",
        column_function("oprf_finalize", keyring, **peer),
    )
    differ = con.execute(
        "SELECT count(*), count(*) FILTER (token IS DISTINCT FROM oprf_token(id, 'oprf')) FROM "
        "(SELECT unnest(ids) AS id, unnest(tokens) AS token "
        f"FROM read_parquet('{tmp_path}/tokens/a.parquet'))"
    ).fetchall()
    assert differ == [(IDS, 0)]


def test_what_a_worker_refuses_comes_back(tmp_path: Path, party, cluster) -> None:
    _, run = cluster
    write_ids(tmp_path / "in")
    pattern = f"{tmp_path}/in/*.parquet"
    for session in ("s1", "s2"):
        token = column_function("oprf_token", party.keyring, key="oprf", session=session)
        if session == "s1":
            run(pattern, tmp_path / "out", token)
    with pytest.raises(InvalidValue, match=r"part-\d.parquet is there and was made by another ses"):
        run(pattern, tmp_path / "out", token)


def test_two_parties_match_by_clusters(tmp_path: Path, monkeypatch, cluster) -> None:
    from examples.scale import match

    _, run = cluster
    monkeypatch.setattr(match, "FOLDER", tmp_path)
    monkeypatch.setattr(match, "ROWS", 700)
    with duckdb.connect(str(tmp_path / "bank.duckdb")) as con:
        con.execute("CREATE TABLE customers AS SELECT 'c' || i AS email FROM range(2000) t(i)")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("CREATE TABLE clients AS SELECT 'C' || i AS mail FROM range(1500, 3000) t(i)")
    for result in at_once(lambda: match.host(run), lambda: match.guest(run)):
        assert result is None, result
    with duckdb.connect() as con:
        both = con.execute(
            f"SELECT count(*), count(*) FILTER (b.psi_id = s.psi_id), count(DISTINCT b.psi_id) "
            f"FROM read_parquet('{tmp_path}/bank/alignment/*.parquet') b "
            f"JOIN read_parquet('{tmp_path}/shop/alignment/*.parquet') s USING (pid)"
        ).fetchall()
    assert both == [(500, 500, 500)]


def test_the_snippets_of_the_page_run(tmp_path: Path) -> None:
    """In order, each in a process of its own."""
    for package in ("ray", "pyspark"):
        need(package)
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none: install Java 17")
    root = Path(__file__).parent.parent
    snippets = blocks((root / "docs" / "scale.md").read_text(), "python")
    assert len(snippets) == 3
    environment = {**os.environ, "PYTHONPATH": str(root), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["RAY_ADDRESS"] = "local"  # not the cluster of other tests
    for code in snippets:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    tokens = [
        pq.read_table(tmp_path / folder).sort_by("id")
        for folder in ("tokens", "tokens-of-ray", "tokens-of-spark")
    ]
    assert len(tokens[0]) == 4000 and tokens[0] == tokens[1] == tokens[2]
