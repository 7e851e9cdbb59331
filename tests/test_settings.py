"""Settings of a user's own connection change nothing in a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import duckpriv
import numpy as np
import pyarrow as pa
import pytest

from duckpriv.engine import extend_search_path
from duckpriv.errors import InvalidValue, from_text
from tests.conftest import give_keys
from tests.effort import THOROUGH
from tests.parties import Folder, at_once
from tests.test_functions import ARGUMENTS, SCALARS
from tests.test_functions import call as call_of

UPPERCASE = "'uppercase'" if duckdb.__version__ >= "2" else "false"
# Odd values of all settings that could reach into a result; None of a version that has it not.
SETTINGS = {
    "Calendar": "'buddhist'",
    "TimeZone": "'Asia/Kathmandu'",
    "arrow_large_buffer_size": "true",
    "arrow_lossless_conversion": "true",
    "arrow_output_list_view": "true",
    "arrow_output_version": "'1.5'",
    "asof_loop_join_threshold": "0",
    "binary_as_string": "true",
    "cache_local_files": "true",
    "catalog_error_max_schemas": "0",
    "default_collation": "'NOCASE.NOACCENT'",
    "default_null_order": "'NULLS_FIRST'",
    "default_order": "'DESC'",
    "deprecated_using_key_syntax": "'UNION_AS_UNION_ALL'",
    "disable_timestamptz_casts": "true",
    "disabled_optimizers": "'filter_pushdown,statistics_propagation,common_subexpressions'",
    "dynamic_or_filter_threshold": "0",
    "enable_external_file_cache": "false",
    "enable_fsst_vectors": "true",
    "enable_macro_dependencies": "true",
    "enable_object_cache": "true",
    "enable_optimizer": "false",
    "enable_profiling": "'json'",  # before profiling_output
    "profiling_output": "'{folder}/profile.json'",
    "enable_logging": "true",  # before warnings_as_errors
    "enable_progress_bar": "true",
    "enable_progress_bar_print": "false",
    "enable_view_dependencies": "true",
    "errors_as_json": "true",
    "explain_output": "'ALL'",
    "file_search_path": "'/nowhere'",
    "ieee_floating_point_ops": "false",
    "immediate_transaction_mode": "true",
    "integer_division": "true",
    "lambda_syntax": "'DISABLE_SINGLE_ARROW'",
    "late_materialization_max_rows": "0",
    "max_expression_depth": "20",
    "memory_limit": "'300MB'",
    "merge_join_threshold": "0",
    "nested_loop_join_threshold": "0",
    "old_implicit_casting": "true",
    "order_by_non_integer_literal": "true",
    "ordered_aggregate_threshold": "1",
    "parquet_metadata_cache": "true",
    "perfect_ht_threshold": "0",
    "pivot_filter_threshold": "1",
    "pivot_limit": "1",
    "prefer_range_joins": "true",
    "preserve_identifier_case": UPPERCASE,
    "preserve_insertion_order": "false",
    "produce_arrow_string_view": "true",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "true",
    "scalar_subquery_error_on_multiple_rows": "false",
    "scheduler_process_partial": "true",
    "search_path": "'other,main'",
    "show_behavior": "'setting'",
    "streaming_buffer_size": "'1KB'",
    "threads": "1",
    "validate_external_file_cache": "'NO_VALIDATION'",
    "warnings_as_errors": "true",
}
IDS = [f"{'Aaá'[i % 3]}{i // 3}" for i in range(30)]  # they differ in case and accents only
EXACT = {"noise": 0, "accept_disclosure": "yes", "iterations": 1, "table": "t"}
JOINT = {**EXACT, "start": "zero", "assistant": "third"}
PRODUCT = {"reveal": "left", "bits": 2048}
Scripts = dict[str, tuple[str, dict]]
RUNS: dict[str, Scripts] = {
    "match": {
        "host": ("psi/host", {"table": "t", "peer": "guest", "id": "who", "bits": 2048}),
        "guest": ("psi/guest", {"table": "t", "peer": "host", "id": "who"}),
    },
    "joint": {
        "host": ("lr_joint_key/host", {"peer": "guest", "label": "y", "columns": "a", **JOINT}),
        "guest": ("lr_joint_key/guest", {"peer": "host", "columns": "b,c", **JOINT}),
        "third": (
            "lr_joint_key/assistant",
            {"host": "host", "guest": "guest", "modulus": "rsa-2048"},
        ),
    },
    "joint-predict": {
        "host": ("lr_joint_key/predict", {"peer": "guest", "table": "t"}),
        "guest": ("lr_joint_key/predict_peer", {"peer": "host", "table": "t"}),
    },
    "helper": {
        "host": ("lr_helper/host", {"helper": "third", "label": "y", "columns": "a", **EXACT}),
        "guest": ("lr_helper/guest", {"helper": "third", "columns": "b,c", **EXACT}),
        "third": ("lr_helper/helper", {"helper": "third"}),
    },
    "helper-predict": {
        "host": ("lr_helper/predict_host", {"helper": "third", "table": "t"}),
        "guest": ("lr_helper/predict_guest", {"helper": "third", "table": "t"}),
        "third": ("lr_helper/predict_helper", {"helper": "third"}),
    },
    "matmul": {
        "host": (
            "matmul/left",
            {"peer": "guest", "table": "t", "id": "who", "columns": "a", **PRODUCT},
        ),
        "guest": ("matmul/right", {"peer": "host", "table": "w", "id": "i", **PRODUCT}),
    },
}
MODEL = "SELECT feature, weight_original FROM model"
SCORES = "SELECT id, score FROM predictions"
RESULTS = {
    "match": ("SELECT id FROM alignment", "SELECT id FROM alignment"),
    "joint": (MODEL, MODEL),
    "joint-predict": (SCORES, "SELECT count(*) FROM model"),
    "helper": (MODEL, MODEL),
    "helper-predict": (SCORES, "SELECT count(*) FROM model"),
    "matmul": ("SELECT id, value[1] FROM product", "SELECT count(*) FROM product_share"),
}
Results = dict[str, list[list[tuple]]]


def apply(con: duckdb.DuckDBPyConnection, settings: dict[str, str], folder: Path) -> None:
    """Set what this version of DuckDB has."""
    known = {name for (name,) in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
    for name, value in settings.items():
        if name in known:
            con.execute(f"SET {name} = {value.format(folder=folder)}")


def state(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return all settings; where our functions stand is left out of the path."""
    found = dict(con.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    found["search_path"] = found["search_path"].replace(",duckpriv.main", "")
    return found


def run(folder: Path, settings: dict[str, str], runs: dict[str, Scripts] = RUNS) -> Results:
    """Run the scripts with these settings at all parties; return their results."""
    parties = Folder(folder)
    rng = np.random.default_rng(4)
    a, b, c = rng.normal(size=(3, 30))
    parties.make_table("host", pa.table({"who": IDS, "a": a, "y": rng.integers(0, 2, 30)}))
    parties.make_table("guest", pa.table({"who": IDS, "b": b, "c": c}))
    parties.make_table("guest", pa.table({"i": [1], "w": [0.5]}), "w")
    for me in ("host", "guest", "third"):
        parties.query(me, "CREATE SCHEMA other")
    schema = "other" if "search_path" in settings else "main"

    def work(me: str, session: str, script: str, variables: dict) -> None:
        with parties.connect(me, session) as party:
            apply(party.con, settings, folder)
            before = state(party.con)
            party.run(script, **variables)
            assert state(party.con) == before

    found: Results = {}
    for name, scripts in runs.items():
        for error in at_once(*(partial(work, me, name, *what) for me, what in scripts.items())):
            if error is not None:
                raise error
        found[name] = [
            sorted(parties.query(me, f"USE {schema}; {sql}"))
            for me, sql in zip(("host", "guest"), RESULTS[name], strict=True)
        ]
    return found


CASES = {"all": SETTINGS} | {name: {name: value} for name, value in SETTINGS.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Results:
    return run(tmp_path_factory.mktemp("plain"), {})


@pytest.mark.parametrize("name", CASES if THOROUGH else ["all"])
def test_the_same_results_under_other_settings(tmp_path, plain, name: str) -> None:
    found = run(tmp_path, CASES[name])
    for step, both in plain.items():
        for ours, theirs in zip(found[step], both, strict=True):
            assert [row[0] for row in ours] == [row[0] for row in theirs], step
            numbers = [[row[1] for row in rows if len(row) > 1] for rows in (ours, theirs)]
            assert numbers[0] == pytest.approx(numbers[1], abs=1e-4), step


# Tables that functions work on, and what they give: the same, whatever is set.
TABLES = """
CREATE TABLE points AS FROM (VALUES ('B', 2, 0.5), ('a', -1, 0.25), ('A', 7, 4)) t(id, x, y);
CREATE TABLE scored AS SELECT i % 7 / 7.0 AS score, i % 3 // 2 AS label FROM range(40) t(i);
CREATE TABLE matrix AS SELECT row, id, x FROM matrix_rows('points', 'id');
CREATE TABLE encrypted AS SELECT i AS row, paillier_encrypt_list([i, i * i], 'paillier') AS ct FROM range(1, 3) t(i);
CREATE TABLE residuals AS SELECT row, joint_encrypt(row, 'part1') AS ct FROM matrix;
CREATE TABLE pids AS SELECT ('00000000-0000-0000-0000-00000000000' || i)::UUID AS pid FROM range(5) t(i);
CREATE TABLE tokens AS FROM (VALUES ('a'), ('A'), ('á'), (NULL)) t(token);
"""
BY_HAND = (
    "FROM matrix",
    "FROM matrix_rows('points', 'id', columns := 'y,x')",
    "FROM psi_ids('points', 'id')",
    "FROM psi_ids('points', 'id,x', kind := 'raw')",
    "FROM feature_columns('points', '', [])",
    "FROM feature_statistics('matrix')",
    "FROM standardise('matrix')",
    "SELECT row, paillier_decrypt_list(ct, 'paillier') FROM he_matmul('matrix', 'encrypted', 'paillier')",
    """SELECT feature, joint_decrypt(partial_decrypt(ct, 'part2'), 'part1', mask)
       FROM lr_encrypted_gradient('residuals', 'matrix', 'part1')""",
    "FROM roc('scored')",
    "SELECT auc('scored'), ks('scored'), log_loss('scored')",
    "FROM confusion('scored')",
    "FROM calibration('scored', bins := 3)",
    "FROM batch_select('pids', 'seed', 2, 2)",
    "SELECT count(*), count(DISTINCT pid) FROM psi_map_random('tokens')",
    "SELECT is_numbered(row, 3) FROM matrix",
    "SELECT require_result('matrix', ['row', 'x', 'id'])",
    "FROM exchange_recv('bank', 'rows')",
    "FROM exchange_recv('bank', 'none', columns := 'b BLOB, u UUID')",
)
SENT = {
    "rows": """SELECT '\\x41\\xFF'::BLOB AS b, uuid AS u, 'é' AS t, [true, NULL] AS l, {'a': 'x'} AS s, 1.5 AS m,
                      TIMESTAMPTZ '2024-01-01 00:00:00+00' AS z, '[1]'::JSON AS j
               FROM (VALUES ('00000000-0000-0000-0000-000000000001'::UUID)) v(uuid)""",
    "none": "SELECT 'x'::BLOB AS b, uuid() AS u WHERE false",
}


# By hand DuckDB says itself that an expression is too deep, and we say the rest (see below).
REFUSED_BY_HAND = ("max_expression_depth", "arrow_output_list_view", "enable_optimizer")


def by_hand(
    folder: Path, keyring: Path, settings: dict[str, str]
) -> dict[str, list[tuple] | InvalidValue]:
    """Call functions on two connections with these settings; return what they give."""
    given = {"exchange": f"dir:{folder}/mailbox", "session": "s1", "unprotected": True}
    found: dict[str, list[tuple] | InvalidValue] = {}
    with (
        duckpriv.connect(me="bank", keyring=keyring, **given) as bank,
        duckpriv.connect(me="shop", keyring=folder / "shop.keys", timeout=5, **given) as shop,
    ):
        for party in (bank, shop):
            party.con.execute("CREATE SCHEMA other")
            apply(party.con, settings, folder)
            extend_search_path(party.con)
        for channel, query in SENT.items():
            call = f"CALL exchange_send('shop', '{channel}', $$ {query} $$)"
            try:
                found[channel] = bank.con.execute(call).fetchall()[0][:1]
            except duckdb.Error as error:
                found[channel] = from_text(str(error))
        bank.con.execute(TABLES)
        scalars = [f for f in SCALARS if not f.randomised]
        values = {
            f.name: f"SELECT {call_of(f, ARGUMENTS[f.name])} FROM range(3) t(i)" for f in scalars
        }
        for name, query in values.items() | {query: query for query in BY_HAND}.items():
            party = shop if "exchange_recv" in query else bank
            try:
                found[name] = party.con.execute(query).fetchall()
            except duckdb.Error as error:
                found[name] = from_text(str(error)) or error
    return found


@pytest.fixture(scope="module")
def keyring(tmp_path_factory, rsa_key, joint_key) -> Path:
    folder = tmp_path_factory.mktemp("by-hand") / "keys"
    with duckpriv.connect(keyring=folder, session="s1") as party:
        give_keys(party, rsa_key, joint_key)
    return folder


@pytest.fixture(scope="module")
def plain_by_hand(tmp_path_factory, keyring) -> dict:
    return by_hand(tmp_path_factory.mktemp("plain"), keyring, {})


@pytest.mark.parametrize("name", CASES if THOROUGH else ["all"])
def test_functions_give_the_same_by_hand(tmp_path, keyring, plain_by_hand, name: str) -> None:
    settings = {n: value for n, value in CASES[name].items() if n not in REFUSED_BY_HAND}
    found = by_hand(tmp_path, keyring, settings)
    assert found == plain_by_hand
