"""What holds for every SQL function, from its declaration alone."""

from __future__ import annotations

import re

import duckdb
import pytest

import duckpriv
from duckpriv.functions import FUNCTIONS, Function
from tests.effort import THOROUGH, takes_long
from tests.keys import fill

SCALARS = [f for f in FUNCTIONS if f.kind == "scalar"]
BLINDED = "oprf_blind(i, 'oprf')"
CT = "paillier_encrypt(i, 'paillier')"
CTS = "paillier_encrypt_list([i, -1.5], 'paillier')"
JOINT = "joint_encrypt(i, 'part1')"
JOINTS = "joint_encrypt_list([i, -1.5], 'part1')"
# A valid argument for each scalar function's parameters, as SQL over a row number i.
ARGUMENTS = {
    "policy_uses": ["[i::VARCHAR, 'b']", "'train'"],
    "split_names": ["i || ', \"b, c\"'"],
    "plain_name": ["'\"' || i || '\"'"],
    "has_table": ["'t' || i"],
    "rsa_public_key": ["'mine'"],
    "rsa_key_proof": ["'mine'"],
    "key_import": ["'host'", "rsa_public_key('mine')", "'rsa'", "rsa_key_proof('mine')"],
    "psi_id": ["'é ' || i", "'trimmed'"],
    "rsa_blind": ["i", "'host'"],
    "blind_sign": ["rsa_blind(i, 'host')", "'mine'"],
    "rsa_finalize": ["i", "blind_sign(rsa_blind(i, 'host'), 'mine')", "'host'"],
    "rsa_token": ["i", "'mine'"],
    "oprf_public_key": ["'oprf'"],
    "oprf_blind": ["i", "'oprf'"],
    "oprf_evaluate": [f"[{BLINDED}]", "'oprf'"],
    "oprf_finalize": [
        *("[i::VARCHAR]", f"[{BLINDED}]", f"oprf_evaluate([{BLINDED}], 'oprf').evaluated"),
        *(f"oprf_evaluate([{BLINDED}], 'oprf').proof", "'oprf'"),
    ],
    "oprf_token": ["i", "'oprf'"],
    "oprf_verify": [
        *(f"[{BLINDED}]", f"oprf_evaluate([{BLINDED}], 'oprf').evaluated"),
        *(f"oprf_evaluate([{BLINDED}], 'oprf').proof", "'oprf'"),
    ],
    "dh_mask": ["i", "'oprf'"],
    "dh_remask": ["dh_mask(i, 'oprf')", "'oprf'", "'oprf'"],
    "random_id": ["i"],
    "require": ["i >= 0", "'no'"],
    "require_result": ["'free'", "['a']"],
    "exact_double": ["i"],
    "exact_doubles": ["[i, 0.5]"],
    "paillier_public_key": ["'paillier'"],
    "paillier_encrypt": ["i", "'paillier'", "20", "51"],
    "paillier_encrypt_list": ["[i, 0.5]", "'paillier'", "20", "51", "192"],
    "normal_quantile": ["(i + 1) / 1000.0"],
    "normal_cdf": ["i"],
    "sample_variance": ["i + 2", "i", "i * i"],
    "wide_element": ["i"],
    "wide_integer": ["i::UHUGEINT"],
    "paillier_encrypt_measures": ["[i, 5]", "1", "2", "'paillier'", "40", "166"],
    "paillier_decrypt": [CT, "'paillier'"],
    "paillier_decrypt_list": [CTS, "'paillier'"],
    "paillier_decrypt_share": [CTS, "'paillier'"],
    "he_layout": [CT],
    "he_add": [CT, CT, "'paillier'"],
    "he_sub": [CTS, CTS, "'paillier'"],
    "he_add_plain": [CT, "i", "'paillier'"],
    "he_mul": [CT, "i", "'paillier'", "0", "31"],
    "he_dot": [f"[{CT}, {CT}]", "[i, 0.5]", "'paillier'", "4", "31"],
    "he_pack": [f"[{CT}, {CT}]", "'paillier'", "128"],
    "he_share_split": [CTS, "'paillier'", "64"],
    "joint_commitment": ["'part1'"],
    "joint_key_share": ["'part1'"],
    "joint_combine": [
        "'part1'",
        "'part2'",
        "joint_commitment('part2')",
        "joint_key_share('part2')",
    ],
    "joint_public_key": ["'part1'"],
    "joint_encrypt": ["i", "'part1'", "20", "51"],
    "joint_encrypt_list": ["[i, 0.5]", "'part1'", "20", "51", "128"],
    "joint_mask": [JOINT, "'part1'"],
    "partial_decrypt": [JOINT, "'part1'"],
    "joint_decrypt": [f"partial_decrypt({JOINT}, 'part2')", "'part1'", "''::BLOB"],
    "joint_decrypt_list": [f"partial_decrypt({JOINTS}, 'part2')", "'part1'", "''::BLOB"],
    "lr_residual": ["i", "1"],
    "lr_loss": ["i", "1"],
    "lr_residual_add": [JOINT, "i", "'part1'", "i > 1", "0.5", "''::BLOB"],
    "lr_update": ["i", "1", "0.5", "0.1"],
    "lr_predict": ["i"],
    "gaussian_noise": ["i", "0.5"],
    "noise_integer": ["i", "1e12"],
    "noisy_bits": ["i * 0.25"],
    "require_hidden": ["'no'", "i % 2", "100"],
    "seed_commitment": ["'seed1'"],
    "seed_part": ["'seed1'"],
    "agreed_seed": [
        "'s' || i",
        "'seed1'",
        "'seed2'",
        "seed_commitment('seed2')",
        "seed_part('seed2')",
    ],
    "seed_combine": ["'c' || i", "['seed']"],
    "seed_seal": ["'seed'", "'seed'"],
    "seed_open": ["'seed'", "'seed'", "seed_seal('seed', 'seed')"],
    "batch_key": ["i", "'seed'", "3"],
    "ring_encode": ["[i, -0.5]", "20"],
    "ring_decode": ["[i, 5]", "20"],
    "ring_random": ["'seed'", "'a' || i", "3"],
    "ring_add": ["[i, 5]", "[7, i]"],
    "ring_sub": ["[i, 5]", "[7, i]"],
    "ring_mul": ["[i, 5]", "[7, i]"],
    "ring_scale": ["[i, 5]", "-3"],
    "ring_matvec": ["[i, 5, 7, i]", "[1, i]"],
    "ring_vecmat": ["[1, i]", "[i, 5, 7, i]"],
    "ring_shift": ["[i, 5]", "2"],
    "share_truncate": ["[i, 5]", "[1, i]", "[0, 1]", "2", "true"],
    "lr_shared_gradient": ["[i, 5, 7, i]", "[1, i]", "[i, 1]"],
    "helper_activation": ["[i, 5]", "'logistic'", "20", "true"],
    "activation_series": ["'logistic'", "6"],
    "activation_width": ["'logistic'", "6", "true"],
    "activation_deal": ["[i, 5]", "[1, i]", "[2, i]", "'logistic'", "6", "0", "true"],
    "activation_share": [
        *("[i, 5]", "[1, i]", "[]", "[3, i]", "[0, i]"),
        "activation_deal([i, 5], [1, 2], [], 'identity', 6, 4, false)",
        *("activation_series('identity', 6)", "'identity'", "6", "4", "1000", "false", "true"),
    ],
    "wide_encode": ["[i, 5]"],
    "wide_decode": ["wide_encode([i, 5])"],
    "wide_add": ["wide_encode([i, 5])", "wide_encode([7, i])"],
    "wide_sub": ["wide_encode([i, 5])", "wide_encode([7, i])"],
    "wide_mul": ["wide_encode([i, 5])", "wide_encode([7, i])"],
    "wide_truncate": ["wide_encode([1000 * i, 5])", "3", "true"],
    "wide_random": ["i + 1"],
    "wide_encrypt": ["wide_encode([i, 5])", "'paillier'", "512"],
    "product_split": [
        *("wide_encrypt(wide_encode([i, 5]), 'paillier', 512)",) * 2,
        *("wide_encode([7, i])", "wide_encode([i, 7])", "'paillier'"),
    ],
    "variance_inflation": ["[1, i * 0.01, i * 0.01, 1]"],
    "wide_split": ["[i, -5]"],
    "he_share_split_wide": [CTS, "'paillier'", "64"],
    "paillier_decrypt_share_wide": [f"[{CTS}]", "'paillier'"],
    "square_masks": ["1 + i % 2"],
    "square_encrypt": ["wide_encode([i, 5])", "'paillier'"],
    "square_split": [
        "square_encrypt(wide_encode([i, 5]), 'paillier')",
        *("wide_encode([7, i])", "'paillier'"),
    ],
    "square_shares": ["wide_encode([i, 5])", "wide_encode([1, 2, 3, i])"],
    "quadratic_begin": [
        "wide_encode([1000 + i])",
        "wide_encode([i])",
        "1",
        "0",
        "1000",
        "0",
        "true",
    ],
    "square_step": [*["wide_encode([1 + i, 5])"] * 4, "true"],
    "square_trace": ["wide_encode([1 + i, 5])", "true"],
    "square_solution": ["wide_encode([1 + i, 5])", "true"],
    "share_split": ["i", "20"],
    "share_split_list": ["[i, -0.5]", "20"],
    "share_add": ["i", "18446744073709551615"],
    "share_sub": ["i", "18446744073709551615"],
    "share_mul_public": ["i", "-3"],
    "share_reveal": ["i", "18446744073709551615", "20"],
}
# An unknown condition does not hold; without a proof none is checked.
NULL_HAS_A_MEANING = {
    ("require", 0),
    ("require", 1),
    ("key_import", 3),
    ("require_result", 0),
    ("require_result", 1),
    *(("require_hidden", i) for i in range(3)),
    ("joint_decrypt", 2),
    ("joint_decrypt_list", 2),
    ("lr_residual_add", 5),
}


def named(functions):
    return pytest.mark.parametrize("function", functions, ids=lambda f: f.name)


def call(function: Function, arguments: list[str]) -> str:
    names = [f"{p.name} := " if p.default is not None else "" for p in function.parameters]
    given = (name + argument for name, argument in zip(names, arguments, strict=True))
    return f"{function.name}({', '.join(given)})"


@pytest.fixture(scope="module")
def ready(tmp_path_factory, rsa_key, joint_key):
    """One party for the whole file: the functions leave nothing behind that another one sees."""
    folder = tmp_path_factory.mktemp("functions")
    with duckpriv.connect(keyring=folder / "keys", session="s1") as party:
        fill(party.keyring, rsa_key, joint_key)
        yield party.con


def leaves_nothing(function: Function) -> bool:
    """Whether its example makes neither keys nor messages, which another one could trip over."""
    return not function.setup and not re.search("keygen|exchange", function.example)


@named([function for function in FUNCTIONS if leaves_nothing(function)])
def test_an_example_by_itself_runs(function: Function, ready) -> None:
    assert len(ready.cursor().execute(function.example).fetchall()) > 0


@takes_long
@named([function for function in FUNCTIONS if not leaves_nothing(function)])
def test_the_example_runs_on_a_cursor_as_it_is(function: Function, connect) -> None:
    con = connect().con.cursor()
    assert con.execute("SELECT current_setting('search_path')").fetchall() == [("",)]
    if "'question'" in function.example:
        question = "CALL duckpriv.exchange_send('bank', 'question', 'SELECT 7 AS question')"
        connect("shop").con.execute(question).fetchall()
    for statement in function.setup:
        con.execute(statement).fetchall()
    assert len(con.execute(function.example).fetchall()) > 0


@named(SCALARS)
def test_null_gives_null(function: Function, ready) -> None:
    arguments = ARGUMENTS[function.name]
    for i in range(len(arguments)):
        if (function.name, i) in NULL_HAS_A_MEANING:
            continue
        with_null = [*arguments[:i], "NULL", *arguments[i + 1 :]]
        query = f"SELECT {call(function, with_null)} FROM range(2) t(i)"
        assert ready.execute(query).fetchall() == [(None,), (None,)]


@named(SCALARS)
def test_no_rows_give_no_rows(function: Function, ready) -> None:
    query = f"SELECT {call(function, ARGUMENTS[function.name])} FROM range(0) t(i)"
    assert ready.execute(query).fetchall() == []


@named([f for f in SCALARS if not f.randomised])
def test_the_result_does_not_depend_on_the_chunks(function: Function, ready) -> None:
    value = call(function, ARGUMENTS[function.name])
    rows = 40 if THOROUGH else 10
    together = ready.execute(f"SELECT {value} FROM range({rows}) t(i) ORDER BY i").fetchall()
    apart = [
        ready.execute(f"SELECT {value} FROM (SELECT {k} AS i)").fetchall()[0] for k in range(rows)
    ]
    assert together == apart


@named([f for f in SCALARS if f.randomised])
def test_equal_inputs_of_a_randomised_function_give_different_outputs(
    function: Function, ready
) -> None:
    constant = [re.sub(r"\bi\b", "1", argument) for argument in ARGUMENTS[function.name]]
    query = f"SELECT count(DISTINCT {call(function, constant)}) FROM range(200)"
    assert ready.execute(query).fetchall() == [(200,)]


@named(FUNCTIONS)
def test_the_catalog_has_what_the_declaration_says(function: Function, ready) -> None:
    found = ready.execute(
        "SELECT parameters, comment, macro_definition FROM duckdb_functions() "
        "WHERE database_name = 'duckpriv' AND function_name = $1",
        [function.name],
    ).fetchall()
    assert len(found) == 1
    assert found[0][0] == [p.name for p in function.parameters]
    assert found[0][1] == f"{function.signature}: {function.about}"


@named([f for f in FUNCTIONS if f.body])
def test_defaults_in_the_sql_files_are_the_declared_ones(function: Function) -> None:
    from duckpriv.engine import sql_folder

    text = (sql_folder() / "macros" / function.body).read_text()
    assert f"CREATE MACRO {function.signature} AS" in text


def test_duckpriv_functions_lists_all(ready) -> None:
    listed = ready.execute("SELECT name, reveals FROM duckpriv_functions()").fetchall()
    assert [name for name, _ in listed] == [f.name for f in FUNCTIONS]
    assert all(reveals for _, reveals in listed)


def test_an_unknown_condition_does_not_hold(ready) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: unclear"):
        ready.execute("SELECT require(NULL, 'unclear')").fetchall()


def test_a_key_that_differs_between_rows_is_refused(ready) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: the key has to be the same"):
        ready.execute("SELECT rsa_token(i, 'mine' || i) FROM range(3) t(i)").fetchall()
