"""he_sum by group: against plain sums over the same rows, and what is refused."""

from __future__ import annotations

import secrets
import threading
import time

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.columns import staging
from duckpriv.columns.ciphertext import HEADER_BYTES, Layout, layout_of
from duckpriv.columns.staging import Staged, Staging
from duckpriv.errors import InvalidValue
from tests.effort import examples, some

several = settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KEYS = {
    "paillier": ("paillier_encrypt", "paillier_decrypt({}, 'paillier')"),
    "part1": ("joint_encrypt", "joint_decrypt(partial_decrypt({}, 'part2'), 'part1')"),
}
POOL = 40


def opened(key: str, ct: str) -> str:
    return KEYS[key][1].format(ct)


@pytest.fixture(params=KEYS)
def key(request, party) -> str:
    """A key, and a table `pool(v, ct)` under it."""
    party.con.execute(
        f"CREATE TABLE pool AS SELECT v, {KEYS[request.param][0]}(v, '{request.param}') AS ct "
        f"FROM (SELECT i * 1.5 - 20 AS v FROM range({POOL}) t(i))"
    )
    return request.param


def make_rows(con, groups: list[int], missing: int = 7) -> None:
    """Make `facts(g, h, v, ct)` with so many rows of each group, in an order of its own; in some, v
    and ct are NULL."""
    of = [g for g, rows in enumerate(groups) for _ in range(rows)]
    con.execute(
        "CREATE OR REPLACE TABLE facts AS WITH rows AS (SELECT unnest($1::INTEGER[]) AS g, "
        f"unnest(range({len(of)})) AS i), numbered AS (SELECT rowid AS i, v, ct FROM pool) "
        "SELECT g, rows.i % 3 AS h, CASE WHEN rows.i % $2 <> 3 THEN v END AS v, "
        "CASE WHEN rows.i % $2 <> 3 THEN ct END AS ct "
        f"FROM rows JOIN numbered ON numbered.i = hash(rows.i) % {POOL} ORDER BY hash(rows.i)",
        [of, missing],
    )


def both(con, key: str, by: str, columns: str) -> tuple[list, list]:
    """Return the encrypted sums by these groups, and the plain ones."""
    encrypted = opened(key, f"he_sum(ct, '{key}')")
    return tuple(
        con.execute(f"SELECT {columns}, {what} FROM facts {by} ORDER BY ALL").fetchall()
        for what in (encrypted, "sum(v)::DOUBLE")
    )


@several
@given(groups=st.lists(st.integers(1, 30), max_size=12), missing=st.sampled_from([4, 7, 1000]))
def test_sums_are_those_of_the_values(party, key, groups: list[int], missing: int) -> None:
    make_rows(party.con, groups, missing)
    ours, plain = both(party.con, key, "GROUP BY g", "g")
    assert ours == plain
    assert len(ours) == len(groups)
    ours, plain = both(party.con, key, "", "count(*)")
    assert ours == plain


@pytest.mark.parametrize(
    "by",
    [
        "GROUP BY ROLLUP (g, h)",
        "GROUP BY CUBE (g, h)",
        "GROUP BY GROUPING SETS ((g), (h), (g, h), ())",
        "GROUP BY g, h",
    ],
)
def test_sets_of_groups_are_those_of_separate_queries(party, key, by: str) -> None:
    make_rows(party.con, [1, 300, 2, 40, 1, 1, 7])
    ours, plain = both(party.con, key, by, "g, h")
    assert ours == plain
    if "(h)" in by:
        alone = both(party.con, key, "GROUP BY h", "h")[0]
        assert [(h, total) for g, h, total in ours if g is None and h is not None] == alone


def test_thousands_of_groups_and_one_large_one(party, key) -> None:
    make_rows(party.con, [1500] + [1] * 2100)
    sums = f"SELECT g, he_sum(ct, '{key}') AS ct, sum(v) AS v FROM facts GROUP BY g"
    total = opened(key, f"he_sum(ct, '{key}')")
    found = party.con.execute(
        f"SELECT least(g, 1 + g % 9), {total}, sum(v)::DOUBLE FROM ({sums}) GROUP BY 1"
    ).fetchall()
    assert len(found) == 10
    assert all(ours == plain for _, ours, plain in found)


@pytest.mark.parametrize("key", KEYS)
def test_ciphertexts_of_several_bodies_and_lengths(party, key: str) -> None:
    """Lists of one length in each group, of another one in another; each needs several bodies."""
    encrypt, decrypt = (
        ("paillier_encrypt_list", "paillier_decrypt_list({}, 'paillier')")
        if key == "paillier"
        else ("joint_encrypt_list", "joint_decrypt_list(partial_decrypt({}, 'part2'), 'part1')")
    )
    party.con.execute(
        f"CREATE TABLE lists AS SELECT i % 4 AS g, list_transform(range(5 + 9 * (i % 4)), "
        f"lambda j: i + j) AS xs, {encrypt}(xs, '{key}') AS ct FROM range(30) t(i)"
    )
    total = decrypt.format(f"he_sum(ct, '{key}')")
    for g, sums in party.con.execute(f"SELECT g, {total} FROM lists GROUP BY g").fetchall():
        rows = party.con.execute("SELECT xs FROM lists WHERE g = $1", [g]).fetchall()
        assert sums == np.sum([xs for (xs,) in rows], axis=0).tolist()
    with pytest.raises(duckdb.Error, match="of another number of values cannot be combined: 5"):
        party.con.execute(f"SELECT he_sum(ct, '{key}') FROM lists").fetchall()


def test_what_was_doubled_before_is_added_to_what_was_not(party) -> None:
    """Sums under a joint key are doubled, sums of sums twice, and a group may have all of them."""
    party.con.execute(
        "CREATE TABLE mixed AS WITH a AS MATERIALIZED (SELECT i, joint_encrypt(i, 'part1') AS ct "
        "FROM range(12) t(i)), b AS MATERIALIZED (SELECT i // 3 AS i, sum(i) AS v, "
        "he_sum(ct, 'part1') AS ct FROM a GROUP BY 1), c AS MATERIALIZED (SELECT sum(v) AS v, "
        "he_sum(ct, 'part1') AS ct FROM b) SELECT i % 2 AS g, i AS v, ct FROM a UNION ALL "
        "SELECT i % 3, v, ct FROM b UNION ALL SELECT unnest([1, 5]), v, ct FROM c"
    )
    doublings = party.con.execute(
        "SELECT list_sort(list(DISTINCT he_layout(ct).doublings)) FROM mixed WHERE g = 1"
    ).fetchall()
    assert doublings == [([0, 1, 2],)]
    total = opened("part1", "he_sum(ct, 'part1')")
    found = party.con.execute(f"SELECT g, {total}, sum(v)::DOUBLE FROM mixed GROUP BY g").fetchall()
    assert len(found) == 4
    assert all(ours == plain for _, ours, plain in found)


def test_the_bound_grows_with_the_rows_of_a_group(party) -> None:
    party.con.execute(
        "CREATE TABLE bounds AS SELECT i, i % 2 AS g, paillier_encrypt(i, 'paillier', bound := "
        "CASE WHEN i < 4 THEN 30 ELSE 33 END) AS ct FROM range(9) t(i) WHERE i < 4 UNION ALL "
        "SELECT i, i % 2, paillier_encrypt(i, 'paillier', bound := 33) FROM range(4, 9) t(i)"
    )
    query = (
        "SELECT g, he_layout(ct).bound, paillier_decrypt(ct, 'paillier') FROM "
        "(SELECT g, he_sum(ct, 'paillier') AS ct FROM bounds GROUP BY g) ORDER BY g"
    )
    assert party.con.execute(query).fetchall() == [(0, 33 + 1 + 3, 20.0), (1, 33 + 1 + 2, 16.0)]


def test_results_are_rerandomised(party, key) -> None:
    make_rows(party.con, [1, 3])
    query = f"SELECT he_sum(ct, '{key}') FROM facts GROUP BY g"
    before = {ct for (ct,) in party.con.execute("SELECT ct FROM pool").fetchall()}
    first, second = ({ct for (ct,) in party.con.execute(query).fetchall()} for _ in range(2))
    assert len(first | second | before) == 4 + POOL


@pytest.mark.parametrize("place", some([0, 399, 1, 63, 64, 200], 2))
def test_an_invalid_body_is_refused_wherever_it_stands(party, key, place: int) -> None:
    make_rows(party.con, [1, 150, 249], missing=1000)
    good = party.con.execute("SELECT ct FROM pool").fetchall()[0][0]
    public = party.keyring.homomorphic_public(key).key
    width = public.width
    parts = (
        [(0, width, public.square)]
        if key == "paillier"
        else [(0, public.half, public.modulus), (public.half, width, public.square)]
    )
    for start, stop, modulus in parts:
        for value in (0, modulus, 2 ** (8 * (stop - start)) - 1):
            at = HEADER_BYTES + start
            bad = good[:at] + value.to_bytes(stop - start, "big") + good[at + stop - start :]
            for query in ("GROUP BY g", "", "GROUP BY ROLLUP (g, h)"):
                with pytest.raises(duckdb.Error, match=r"1 of \d+ ciphertext bodies are not valid"):
                    party.con.execute(
                        f"SELECT he_sum(CASE WHEN rowid = $1 THEN $2 ELSE ct END, '{key}') "
                        f"FROM facts {query}",
                        [place, bad],
                    ).fetchall()
    ours, plain = both(party.con, key, "GROUP BY g", "g")
    assert ours == plain


def test_a_multiple_of_a_factor_is_refused(party) -> None:
    """It is in range, and would tell a factor of N; also where another one makes it 0."""
    private = party.keyring.paillier.private("paillier").key
    p, q = private.p, private.q
    ct = party.con.execute("SELECT paillier_encrypt(1, 'paillier')").fetchall()[0][0]
    width = private.public.width

    def of(value: int) -> bytes:
        return ct[:HEADER_BYTES] + value.to_bytes(width, "big")

    for bad in ([p], [q * q], [p * q * 5], [p, q, p * q], [p * p, q * q]):
        cts = [ct, *(of(value) for value in bad)]
        with pytest.raises(duckdb.Error, match=rf"{len(bad)} of {len(cts)} ciphertext bodies"):
            party.con.execute(
                "SELECT he_sum(ct, 'paillier') FROM (SELECT unnest($1::BLOB[]) AS ct)", [cts]
            ).fetchall()


def test_headers_are_checked_in_every_row(party, key) -> None:
    make_rows(party.con, [5, 5], missing=1000)
    good = party.con.execute("SELECT ct FROM pool").fetchall()[0][0]
    layout = layout_of(good)
    other = "part1" if key == "paillier" else "paillier"
    (foreign,) = party.con.execute(f"SELECT {KEYS[other][0]}(1, '{other}')").fetchall()[0]
    wide = Layout(layout.scheme, layout.fingerprint, 20, 60000, 51, 1).header()
    for bad, message in (
        (b"", "shorter than its header"),
        (good[:31], "shorter than its header"),
        (good[:-1], "does not have the length"),
        (good + b"\0", "does not have the length"),
        (b"xx" + good[2:], "no ciphertext of duckpriv"),
        (good[:2] + b"\x09" + good[3:], "this duckpriv reads"),
        (good[:3] + b"\x03" + good[4:], "partially decrypted, and this operation takes"),
        (foreign, "KEY_MISMATCH: a ciphertext is under key"),
        (wide + good[HEADER_BYTES:], "slots are wider than its key"),
        (good[:20] + b"\0\1" + good[22:], "of another scale cannot be combined: 1 and 20"),
    ):
        for place in (0, 4, 9):
            with pytest.raises(duckdb.Error, match=message):
                party.con.execute(
                    f"SELECT he_sum(CASE WHEN rowid = $1 THEN $2 ELSE ct END, '{key}') FROM facts",
                    [place, bad],
                ).fetchall()
    with pytest.raises(duckdb.Error, match="KEY_MISMATCH"):
        party.con.execute(f"SELECT he_sum(ct, '{other}') FROM facts").fetchall()
    with pytest.raises(duckdb.Error, match="the key has to be the same for all rows"):
        party.con.execute(
            f"SELECT he_sum(ct, CASE g WHEN 1 THEN '{key}' ELSE '{other}' END) "
            "FROM facts GROUP BY g"
        ).fetchall()


def test_nothing_gives_null(party) -> None:
    for query in (
        "SELECT he_sum(NULL, 'paillier')",
        "SELECT he_sum(ct, 'paillier') FROM (SELECT paillier_encrypt(1, 'paillier') AS ct) "
        "WHERE ct IS NULL",
        "SELECT he_sum(CASE WHEN i > 9 THEN paillier_encrypt(1, 'paillier') END, 'paillier') "
        "FROM range(3) t(i)",
        "SELECT he_sum(paillier_encrypt(1, 'paillier'), NULL)",
    ):
        assert party.con.execute(query).fetchall() == [(None,)]
    query = "SELECT i, he_sum(NULL::BLOB, 'paillier') FROM range(3) t(i) WHERE i > 9 GROUP BY i"
    assert party.con.execute(query).fetchall() == []


def test_ciphertexts_are_made_once(party) -> None:
    """The argument is computed once for each row, whatever the groups."""
    party.con.execute(
        "SELECT i % 2, he_sum(paillier_encrypt(i, 'paillier'), 'paillier') FROM range(50) t(i) "
        "GROUP BY ROLLUP (i % 2)"
    ).fetchall()
    assert party._context.activity.rows["paillier_encrypt"] == 50


def test_every_way_to_run_a_statement(party, key) -> None:
    make_rows(party.con, [3, 50, 1])
    con, query = party.con, f"SELECT g, he_sum(ct, '{key}') AS ct FROM facts GROUP BY g"
    plain = con.execute("SELECT g, sum(v)::DOUBLE FROM facts GROUP BY g ORDER BY g").fetchall()
    con.execute(f"CREATE VIEW summed AS {query}")
    con.execute(f"PREPARE again AS {query}")

    def right(relation: str) -> bool:
        con.execute(f"CREATE OR REPLACE TEMP TABLE kept AS {relation}")
        return (
            con.execute(f"SELECT g, {opened(key, 'ct')} FROM kept ORDER BY g").fetchall() == plain
        )

    assert right(query)
    assert right("FROM summed")
    assert right("SELECT a.g, a.ct FROM summed a JOIN summed b USING (g)")
    assert right(f"SELECT g, he_sum(ct, '{key}') AS ct FROM summed GROUP BY g")
    assert right(f"SELECT g, (SELECT he_sum(ct, '{key}') FROM facts i WHERE i.g = o.g) AS ct FROM "
                 "(SELECT DISTINCT g FROM facts) o")  # fmt: skip
    con.execute(f"EXPLAIN {query}").fetchall()
    con.execute(f"EXPLAIN ANALYZE {query}").fetchall()
    for begin, end in (("SELECT 1", "SELECT 1"), ("BEGIN", "COMMIT")):
        con.execute(begin)
        for _ in range(3):
            assert [g for g, _ in sorted(con.execute("EXECUTE again").fetchall())] == [0, 1, 2]
        con.execute(end)
    assert sorted(con.sql(query).select(f"g, {opened(key, 'ct')}").fetchall()) == plain
    con.execute("PRAGMA disable_optimizer")
    assert right(query)
    con.execute("PRAGMA enable_optimizer")
    cursor = con.cursor()
    found = cursor.execute(
        f"SELECT g, duckpriv.he_sum(ct, '{key}') FROM facts GROUP BY g ORDER BY g LIMIT 1"
    )
    assert [g for g, _ in found.fetchall()] == [0]


def held(party) -> int:
    return len(party._context.staging._by_connection)


def test_one_statement_of_a_connection_is_held_whatever_became_of_the_others(party) -> None:
    con = party.con
    con.execute(
        "CREATE TABLE pool AS SELECT paillier_encrypt(i, 'paillier') AS ct FROM range(9) t(i)"
    )
    sum_of = "SELECT he_sum(ct, 'paillier') FROM pool"
    for _ in range(3):
        con.execute(sum_of).fetchall()
        with pytest.raises(duckdb.Error, match="shorter than its header"):
            con.execute("SELECT he_sum(ct[:9], 'paillier') FROM pool").fetchall()
        con.execute(
            "SELECT rowid, he_sum(ct, 'paillier') FROM pool GROUP BY rowid LIMIT 1"
        ).fetchone()
        con.execute("SELECT rowid, he_sum(ct, 'paillier') FROM pool GROUP BY rowid")  # not fetched
        with pytest.raises(duckdb.Error, match="boundless"):
            con.execute(f"SELECT error('boundless') FROM ({sum_of} HAVING count(*) > 0)").fetchall()
    assert held(party) == 1
    party._context.staging.let_go_of_idle()
    assert held(party) == 1
    party.con.execute(sum_of).fetchall()


def test_cursors_in_threads_sum_side_by_side(party, key, together) -> None:
    make_rows(party.con, [1, 200, 30, 9])
    plain = party.con.execute(
        "SELECT g, sum(v)::DOUBLE FROM facts GROUP BY g ORDER BY g"
    ).fetchall()
    total = opened(key, f"duckpriv.he_sum(ct, '{key}')")
    for name in ("paillier_decrypt", "joint_decrypt(", "partial_decrypt"):
        total = total.replace(name, f"duckpriv.{name}")

    def work() -> list:
        with party.con.cursor() as cursor:
            return [
                cursor.execute(f"SELECT g, {total} FROM facts GROUP BY g ORDER BY g").fetchall()
                for _ in range(4)
            ]

    assert together(*[work] * 4) == [[plain] * 4] * 4


def test_after_an_interrupt_sums_are_right(party, key) -> None:
    make_rows(party.con, [400] * 4)
    for after in (0.0, 0.01, 0.03, 0.1, 0.2):
        timer = threading.Timer(after, party.con.interrupt)
        timer.start()
        try:
            both(party.con, key, "GROUP BY CUBE (g, h)", "g, h")
        except (duckdb.InterruptException, duckdb.Error) as error:
            assert "nterrupt" in str(error) or "stopped" in str(error)
        timer.join()
        while True:
            try:
                ours, plain = both(party.con, key, "GROUP BY g", "g")
                break
            except duckdb.InterruptException:  # the one that came too late
                continue
        assert ours == plain


def function_of(con, written: str) -> str:
    names = con.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE starts_with(function_name, $1)",
        [written],
    ).fetchall()
    return names[0][0]


def test_handles_of_elsewhere_are_refused(party) -> None:
    con = party.con
    stage, add = (function_of(con, f"duckpriv_udf_{name}") for name in ("he_stage", "he_sum"))
    now = "current_connection_id(), current_query_id(), epoch_us(now())"
    staged = f"{stage}(paillier_encrypt(i, 'paillier'), 'paillier', {now})"
    (kept,) = con.execute(f"SELECT list({staged}) FROM range(3) t(i)").fetchall()[0]
    for handles in (kept, [1], [2**62], [kept[0] - 1], [-1]):
        with pytest.raises(duckdb.Error, match="were let go"):
            con.execute(f"SELECT {add}($1::BIGINT[], 'paillier', {now})", [handles]).fetchall()
        with pytest.raises(duckdb.Error, match="were let go"):  # beside good ones
            con.execute(
                f"SELECT {add}(list({staged}) || $1::BIGINT[], 'paillier', {now}) "
                "FROM range(3) t(i)",
                [handles],
            ).fetchall()
    with pytest.raises(duckdb.Error, match="KEY_MISMATCH"):
        con.execute(f"SELECT {add}(list({staged}), 'part1', {now}) FROM range(3) t(i)").fetchall()


class Key:
    """As much of a key as staging knows."""

    fingerprint_bytes = b"f" * 16


LAYOUT = Layout(1, b"f" * 16, 20, 192, 51, 1)


def test_rows_come_back_from_all_blocks_in_any_order(monkeypatch) -> None:
    monkeypatch.setattr(staging, "_BLOCK_BYTES", 64 * 10)
    staged, source = Staged((1, 1)), np.random.default_rng(1)
    wide = Layout(1, b"f" * 16, 20, 192, 51, 3)
    bodies = [source.integers(0, 256, (n, 64), np.uint8) for n in (3, 25, 1, 7)]
    longer = source.integers(0, 256, (5, 128), np.uint8)
    handles = [staged.add(Key, LAYOUT, part) for part in bodies[:2]]
    handles_of_longer = staged.add(Key, wide, longer)
    handles += [staged.add(Key, LAYOUT, part) for part in bodies[2:]]
    given, rows = np.concatenate(handles), np.concatenate(bodies)
    assert len(set(given.tolist()) | set(handles_of_longer.tolist())) == len(rows) + 5
    order = source.permutation(len(rows))
    found = staged.find(given[order])
    assert np.array_equal(np.concatenate(found.rows[0].blocks)[found.place], rows[order])
    assert {found.layouts[i] for i in found.layout} == {LAYOUT}
    found = staged.find(np.concatenate([handles_of_longer[::-1], given[:1]]))
    assert found.kind.tolist() == [1] * 5 + [0]
    assert [found.layouts[i] for i in found.layout] == [wide] * 5 + [LAYOUT]
    assert np.array_equal(np.concatenate(found.rows[1].blocks)[found.place[:5]], longer[::-1])
    # Held once: no more than a block of each kind beside the rows.
    size = sum(block.nbytes for kind in found.rows for block in kind.blocks)
    assert size <= rows.nbytes + longer.nbytes + 2 * 64 * 10
    for handle in (given.max() + 1, given.min() - 1, 0):
        with pytest.raises(InvalidValue, match="were let go"):
            staged.find(np.array([given[0], handle]))


def test_handles_are_never_given_twice() -> None:
    source = np.zeros((3, 64), np.uint8)
    seen: set[int] = set()
    lock = threading.Lock()

    def work() -> None:
        for i in range(20):
            handles = Staged((i, 0)).add(Key, LAYOUT, source).tolist()
            with lock:
                assert not seen & set(handles)
                seen.update(handles)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4 * 20 * 3


def test_statements_let_go_of_one_another_and_of_themselves(monkeypatch) -> None:
    all_of = Staging()
    with all_of.begin(1, (1, 1)) as first, all_of.begin(2, (2, 1)) as other:
        assert first is not other
    with all_of.begin(1, (1, 1)) as again:
        assert again is first
    with all_of.begin(1, (1, 2)) as second:  # the same number at another time
        assert second is not first
    with pytest.raises(InvalidValue, match="CREATE TABLE"), all_of.found(1, (1, 1)):
        pass
    with all_of.found(2, (2, 1)) as found:
        assert found is other
        monkeypatch.setattr(staging, "_IDLE_SECONDS", -1.0)
        all_of.let_go_of_idle()  # not what is in use
    with all_of.found(2, (2, 1)):
        pass
    with pytest.raises(InvalidValue, match="were let go"), all_of.found(1, (1, 2)):
        pass
    all_of.let_go_of_idle()
    assert not all_of._by_connection


def test_what_is_idle_goes_by_itself(monkeypatch) -> None:
    monkeypatch.setattr(staging, "_IDLE_SECONDS", 0.1)
    all_of = Staging()
    with all_of.begin(1, (1, 1)):
        time.sleep(0.3)
        assert all_of._by_connection
    deadline = time.monotonic() + 30
    while all_of._by_connection and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not all_of._by_connection
    assert not all_of._watched


def test_random_bytes_are_no_ciphertexts(party) -> None:
    with pytest.raises(duckdb.Error, match="no ciphertext of duckpriv"):
        party.con.execute("SELECT he_sum($1, 'paillier')", [b"x" + secrets.token_bytes(600)])
