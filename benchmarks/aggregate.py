"""Encrypted sums by group: he_sum in DuckDB, against its multiplications alone, and against phe;
and a table by group of two parties, in two processes, beside phe.

Times are those of all cores together, so that others on the machine disturb them less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import phe

import duckpriv
from benchmarks import moments, parties
from benchmarks.row import Row
from duckpriv import Keyring
from duckpriv.columns.ciphertext import HEADER_BYTES
from duckpriv.crypto.bytecolumns import from_rows, to_integers
from duckpriv.crypto.paillier import PublicKey

BITS, ROWS, GROUPS, DIFFERENT, SAMPLE, TIMES = 2048, 200_000, 1_000, 2_000, 5_000, 3


def core_time(function: Callable[[], object], count: int) -> float:
    """Microseconds of a core for one of the `count` things that the function does; the least of a
    few times."""
    took = []
    for _ in range(TIMES):
        started = time.process_time()
        function()
        took.append(time.process_time() - started)
    return min(took) / count * 1e6


def rows() -> Iterator[Row]:
    yield from of_groups()
    yield from of_two_parties(1_000_000)


def of_two_parties(count: int) -> Iterator[Row]:
    """Three measures of the host by 100 groups of the guest, which has nine of ten rows, from the
    alignment to the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with duckdb.connect(str(folder / "host.duckdb")) as con:
            con.execute(
                "CREATE TABLE t AS SELECT i AS id, (i % 10007 / 100.0)::DECIMAL(9, 2) AS spend, "
                "i % 13 AS orders, CASE WHEN i % 3 > 0 THEN i % 101 END AS visits "
                f"FROM range({count}) t(i)"
            )
        with duckdb.connect(str(folder / "guest.duckdb")) as con:
            con.execute(
                f"CREATE TABLE t AS SELECT i AS id, i % 100 AS segment FROM range({count}) t(i)"
            )
        moments.align(folder, count)
        both = ["table=t", "key=id"]
        scripts = {
            "host": [
                "aggregate/host",
                "bench",
                *both,
                "peer=guest",
                "measures=spend,orders,visits",
            ],
            "guest": ["aggregate/guest", "bench", *both, "peer=host", "groups=segment"],
        }
        found = list(
            parties.run(
                f"aggregate, {count:,} rows, 3 measures, 100 groups (bar: 60)", folder, scripts
            )
        )
        with duckdb.connect(str(folder / "guest.duckdb")) as con:
            shown = con.execute(
                "SELECT sum(rows)::BIGINT, sum(orders_sum) FROM aggregate"
            ).fetchone()
            assert shown == (count - count // 10, sum(i % 13 for i in range(count) if i % 10))
    yield replace(found[0], baseline=phe_takes(count))
    yield from found[1:]
    yield Row("    bytes a row (bar: 600)", found[-1].value * 1e6 / count, "bytes")


def phe_takes(count: int) -> float:
    """Seconds that phe takes to encrypt one packed number a row and to add it, from a sample."""
    key = phe.generate_paillier_keypair(n_length=BITS)[0]
    started = time.perf_counter()
    total = key.encrypt(1)
    for i in range(SAMPLE // 50):
        total = total + key.encrypt(i)
    return (time.perf_counter() - started) / (SAMPLE // 50) * count


def of_groups() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        duckpriv.register(con, keyring=folder)
        con.execute(f"CALL paillier_keygen('k', bits := {BITS})").fetchall()
        con.execute(
            "CREATE TABLE few AS SELECT i, paillier_encrypt(i, 'k') AS ct "
            f"FROM range({DIFFERENT}) t(i)"
        )
        con.execute(
            f"CREATE TABLE facts AS SELECT n % {GROUPS} AS g, n % 3 AS h, ct "
            f"FROM range({ROWS}) t(n) JOIN few ON i = n % {DIFFERENT}"
        )
        cts = [ct for (ct,) in con.execute("SELECT ct FROM few ORDER BY i").fetchall()]
        public = Keyring(folder).homomorphic_public("k").key
        assert isinstance(public, PublicKey)
        column = from_rows([ct[HEADER_BYTES:] for ct in cts], public.width)
        base = alone(public, column, [GROUPS])
        yield Row(
            f"he_sum, {ROWS:,} rows, {GROUPS:,} groups, Paillier-{BITS}, core time a row (bar: 2), "
            "against its multiplications",
            core_time(summed(con, "g"), ROWS),
            "µs",
            base,
        )
        yield Row(
            "of that, products of the groups alone", alone(public, column, [GROUPS], False), "µs"
        )
        base = alone(public, column, [3 * GROUPS, GROUPS, 1]) / 3
        yield Row(
            f"he_sum, the same by ROLLUP to {4 * GROUPS + 1:,} groups, core time a row and set, "
            "against its multiplications",
            core_time(summed(con, "ROLLUP (g, h)"), 3 * ROWS),
            "µs",
            base,
        )
        yield Row(
            f"he_sum, {ROWS:,} rows, {GROUPS:,} groups, Paillier-{BITS}, core time a row, "
            "against phe",
            core_time(summed(con, "g"), ROWS),
            "µs",
            by_phe(public, column),
        )


def summed(con: duckdb.DuckDBPyConnection, by: str) -> Callable[[], object]:
    return lambda: con.execute(f"SELECT he_sum(ct, 'k') FROM facts GROUP BY {by}").fetchall()


def alone(
    public: PublicKey, column: np.ndarray, groups: list[int], randomised: bool = True
) -> float:
    """The kernel's products of so many groups, each re-randomised, without anything around."""
    blocks = [np.concatenate([column] * 2) for _ in range(ROWS // (2 * DIFFERENT))]
    chosen = np.arange(ROWS)

    def products() -> None:
        for count in groups:
            starts = np.arange(count + 1) * ROWS // count
            sums = public.sums(blocks, 0, chosen, starts)
            if randomised:
                public.rerandomise(sums)

    return core_time(products, ROWS)


def by_phe(public: PublicKey, column: np.ndarray) -> float:
    """Sums of as many rows a group, of a sample; phe re-randomises one when it is sent."""
    key = phe.PaillierPublicKey(public.modulus)
    numbers = [phe.EncryptedNumber(key, int(x)) for x in to_integers(column)]
    size = ROWS // GROUPS

    def sums() -> None:
        for start in range(0, SAMPLE, size):
            total = numbers[start % DIFFERENT]
            for i in range(start + 1, start + size):
                total = total + numbers[i % DIFFERENT]
            total.ciphertext()

    return core_time(sums, SAMPLE)
