"""Paillier against phe (python-paillier), in one run; and a joint product of two matrices."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import phe

from benchmarks.row import Row
from duckpriv.crypto.packing import pack, slots_in
from duckpriv.crypto.paillier import PrivateKey
from examples.introduction import introduce

SLOT_BITS = 96
# X^T·[[d]]: 10,000 ciphertexts, 20 columns of 20-bit integers.
TERMS, OUTPUTS = 10_000, 20


def each(function: Callable[[], object], count: int) -> float:
    """Microseconds for one of the `count` things that the function does."""
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) / count * 1e6


def rows() -> Iterator[Row]:
    for bits in (2048, 3072):
        yield from operations(bits)
    yield from product()


def operations(bits: int) -> Iterator[Row]:
    key = PrivateKey.generate(bits)
    public, slots = key.public, slots_in(bits, SLOT_BITS)
    theirs = phe.PaillierPrivateKey(phe.PaillierPublicKey(public.modulus), key.p, key.q)
    values = [random.randrange(-(2**30), 2**30) for _ in range(200 * slots)]
    packed = pack(values, SLOT_BITS, slots)
    public.encrypt([0])  # the table of powers is made once a process

    few = values[:20]
    theirs_ct = [theirs.public_key.encrypt(v) for v in few]
    base = each(lambda: [theirs.public_key.encrypt(v) for v in few], len(few))
    ours = public.encrypt(packed)
    value = each(lambda: public.encrypt(packed), len(values))
    yield Row(f"paillier {bits}, encrypt a value, packed, against phe", value, "µs", base)
    value = each(lambda: public.encrypt(values[:500]), 500)
    yield Row(f"paillier {bits}, encrypt a value, unpacked, against phe", value, "µs", base)

    base = each(lambda: [theirs.decrypt(c) for c in theirs_ct], len(few))
    value = each(lambda: key.decrypt(ours), len(values))
    yield Row(f"paillier {bits}, decrypt a value, packed, against phe", value, "µs", base)

    base = each(lambda: [a + b for a, b in zip(theirs_ct, theirs_ct[::-1], strict=True)], len(few))
    value = each(lambda: public.add(ours, ours), len(ours))
    yield Row(f"paillier {bits}, add two ciphertexts, against phe", value, "µs", base)

    weights = [random.randrange(-(2**19), 2**19) for _ in few]

    def dot() -> None:
        total = theirs_ct[0] * weights[0]
        for ct, weight in zip(theirs_ct[1:], weights[1:], strict=True):
            total = total + ct * weight

    base = each(dot, len(few))
    column = np.concatenate([ours] * (TERMS // len(ours)))
    x = np.random.default_rng(1).integers(-(2**19), 2**19, (OUTPUTS, len(column)))
    value = each(lambda: public.combine(column, x), OUTPUTS * len(column))
    yield Row(
        f"paillier {bits}, a term of X^T·[[d]], n = 10,000, k = 20, against phe", value, "µs", base
    )


def product() -> Iterator[Row]:
    """10,000 × 20 by 20 × 4 with two processes and a 2048-bit key."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, rows_, columns in (("left", 10_000, 20), ("right", 20, 4)):
            numbers = ", ".join(f"random() * 100 - 50 AS c{i}" for i in range(columns))
            with duckdb.connect(str(folder / f"{side}.duckdb")) as con:
                con.execute(f"CREATE TABLE m AS SELECT i AS id, {numbers} FROM range({rows_}) t(i)")
        introduce(folder, "left", "right")
        started = time.perf_counter()
        parties = [_side(folder, "left", "right"), _side(folder, "right", "left")]
        if max(party.wait() for party in parties):
            raise RuntimeError("a party failed")
        yield Row("matmul 10,000×20 by 20×4, Paillier-2048", time.perf_counter() - started, "s")
        manifests = (json.loads(f.read_bytes()) for f in folder.glob("mailbox/*/*/*/*.json"))
        sent = sum(manifest["bytes"] for manifest in manifests)
        yield Row("matmul 10,000×20 by 20×4, all messages", sent / 1e6, "MB")


def _side(folder: Path, me: str, peer: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("duckpriv")), "run", f"matmul/{me}", "--quiet"),
            *("--db", f"{me}.duckdb", "--me", me, "--peer", peer, "--session", "bench"),
            *("--exchange", "dir:mailbox", "--keyring", f"{me}.keys"),
            *("--set", "table=m", "--set", "id=id", "--set", "bits=2048"),
        ],
        cwd=folder,
    )
