"""Private matching end to end, two processes, against the textbook protocol in plain gmpy2."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import duckdb
import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.row import Row
from examples.introduction import introduce

# A second of start-up counts at 10,000 ids, and hardly at 100,000.
RUNS = {10_000: 3, 100_000: 1}
TEXTBOOK_IDS = 300


def textbook(bits: int, ids: int) -> float:
    """Microseconds per element of the same protocol in plain gmpy2: both roles, one thread, row
    by row, the private key through the CRT, no encoding, no files."""
    key = rsa.generate_private_key(65537, bits).private_numbers()
    n, p, q = (gmpy2.mpz(x) for x in (key.public_numbers.n, key.p, key.q))
    dp, dq, q_inverse = (gmpy2.mpz(x) for x in (key.dmp1, key.dmq1, key.iqmp))

    def hashed(text: str) -> gmpy2.mpz:
        return gmpy2.mpz.from_bytes(hashlib.shake_256(text.encode()).digest(bits // 8 - 1), "big")

    def sign(x: gmpy2.mpz) -> gmpy2.mpz:
        mod_p, mod_q = gmpy2.powmod(x, dp, p), gmpy2.powmod(x, dq, q)
        return mod_q + (mod_p - mod_q) * q_inverse % p * q

    started = time.perf_counter()
    host = [f"user{i}@example.com" for i in range(ids)]
    guest = [f"user{i + ids // 2}@example.com" for i in range(ids)]
    tokens = {hashlib.sha256(sign(hashed(x)).to_bytes(bits // 8, "big")).digest() for x in host}
    matched = 0
    for text in guest:
        r = gmpy2.mpz(secrets.randbelow(int(n)))
        signed = sign(hashed(text) * gmpy2.powmod(r, 65537, n) % n)
        signature = signed * gmpy2.invert(r, n) % n
        assert gmpy2.powmod(signature, 65537, n) == hashed(text)
        matched += hashlib.sha256(signature.to_bytes(bits // 8, "big")).digest() in tokens
    assert matched == ids - ids // 2
    return (time.perf_counter() - started) / ids * 1e6


def two_processes(bits: int, ids: int, folder: Path) -> tuple[float, int]:
    """Seconds from the start of both `duckpriv run` commands to the end of both, and the
    bytes of all messages."""
    for name, first in (("bank", 0), ("shop", ids // 2)):
        with duckdb.connect(str(folder / f"{name}.duckdb")) as con:
            con.execute(
                "CREATE TABLE people AS SELECT 'user' || (i + $1) || '@example.com' AS email "
                "FROM range($2) t(i)",
                [first, ids],
            )
    introduce(folder, "bank", "shop")
    started = time.perf_counter()
    host = _party(folder, "host", "bank", "shop", f"bits={bits}")
    guest = _party(folder, "guest", "shop", "bank")
    if host.wait() or guest.wait():
        raise RuntimeError("a party failed")
    seconds = time.perf_counter() - started
    with duckdb.connect(str(folder / "shop.duckdb")) as con:
        assert con.execute("SELECT count(*) FROM alignment").fetchall() == [(ids - ids // 2,)]
    manifests = (json.loads(f.read_bytes()) for f in folder.glob("mailbox/*/*/*/*.json"))
    return seconds, sum(manifest["bytes"] for manifest in manifests)


def _party(folder: Path, role: str, me: str, peer: str, *settings: str) -> subprocess.Popen[bytes]:
    command = [
        *(str(Path(sys.executable).with_name("duckpriv")), "run", f"psi/{role}", "--quiet"),
        *("--db", f"{me}.duckdb", "--me", me, "--peer", peer, "--session", "bench"),
        *("--exchange", "dir:mailbox", "--keyring", f"{me}.keys"),
        *("--set", "table=people", "--set", "id=email"),
    ]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, cwd=folder, env=os.environ)


def rows() -> Iterator[Row]:
    for bits in (2048, 3072):
        for ids, runs in RUNS.items():
            baselines, times = [], []
            for _ in range(runs):  # turn by turn: other users of the machine disturb both alike
                baselines.append(textbook(bits, TEXTBOOK_IDS))
                with tempfile.TemporaryDirectory() as folder:
                    seconds, sent = two_processes(bits, ids, Path(folder))
                times.append(seconds)
            yield Row(
                f"psi {ids:,} × {ids:,}, RSA-{bits}, both roles, against gmpy2 on one thread",
                median(times) / ids * 1e6,
                "µs/element",
                median(baselines),
            )
        yield Row(f"psi RSA-{bits}, all messages", sent / ids, "bytes/element")
