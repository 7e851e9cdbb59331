"""Private matching end to end, two processes: RSA against the textbook protocol in plain gmpy2; on
ristretto255 against openmined-psi, and a loop over libsodium."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import duckdb
import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.row import Row
from examples.introduction import introduce

# A second of start-up counts at 10,000 ids, and hardly at 100,000.
RUNS = {10_000: 3, 100_000: 1}
TEXTBOOK_IDS, CURVE_IDS = 300, 3_000


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


def _emails(ids: int) -> tuple[list[str], list[str]]:
    """Return ids of two parties, half of them common."""
    every = [f"user{i}@example.com" for i in range(ids + ids // 2)]
    return every[:ids], every[ids // 2 :]


def openmined(ids: int) -> float | None:
    """Core-microseconds for a pair of ids of openmined-psi (Diffie-Hellman on P-256), in one
    process, without files; None where it is not installed."""
    try:
        import private_set_intersection.python as psi
    except ImportError:
        return None
    host, guest = _emails(ids)
    started = time.process_time()
    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(1e-9, ids, host, psi.DataStructure.RAW)
    found = client.GetIntersection(setup, server.ProcessRequest(client.CreateRequest(guest)))
    assert len(found) == ids - ids // 2
    return (time.process_time() - started) / ids * 1e6


def sodium_loop(ids: int) -> float | None:
    """The same of a loop over libsodium: hash to the group and four multiplications."""
    name = ctypes.util.find_library("sodium")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    out = ctypes.create_string_buffer(32)

    def masked(text: str, scalar: bytes) -> bytes:
        library.crypto_core_ristretto255_from_hash(out, hashlib.sha512(text.encode()).digest())
        return again(out.raw, scalar)

    def again(element: bytes, scalar: bytes) -> bytes:
        library.crypto_scalarmult_ristretto255(out, scalar, element)
        return out.raw

    host, guest = _emails(ids)
    a, b = (secrets.token_bytes(31) + b"\0" for _ in range(2))
    started = time.process_time()
    at_host = {again(masked(x, a), b) for x in host}
    at_guest = {again(masked(x, b), a) for x in guest}
    assert len(at_host & at_guest) == ids - ids // 2
    return (time.process_time() - started) / ids * 1e6


@dataclass(frozen=True)
class Run:
    """What a run of two processes took."""

    seconds: float  # from the start of both to the end of both
    core_seconds: float  # of both
    sent: int  # bytes of all messages
    memory: int  # peak of the larger one, in MiB


def two_processes(script: str, ids: int, *at_host: str, both: tuple[str, ...] = ()) -> Run:
    """Run host and guest of `script` on ids of which half are common."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, first in (("bank", 0), ("shop", ids // 2)):
            with duckdb.connect(str(folder / f"{name}.duckdb")) as con:
                con.execute(
                    "CREATE TABLE people AS SELECT 'user' || (i + $1) || '@example.com' AS email "
                    "FROM range($2) t(i)",
                    [first, ids],
                )
        introduce(folder, "bank", "shop")
        started = time.perf_counter()
        parties = [
            _party(folder, f"{script}/host", "bank", "shop", *at_host, *both),
            _party(folder, f"{script}/guest", "shop", "bank", *both),
        ]
        ended = [os.wait4(party.pid, 0) for party in parties]
        seconds = time.perf_counter() - started
        if any(status for _, status, _ in ended):
            raise RuntimeError("a party failed")
        with duckdb.connect(str(folder / "shop.duckdb")) as con:
            found = con.execute("SELECT count(*) FROM alignment").fetchall()
        assert found == [(ids if script == "private_id" else ids - ids // 2,)]
        manifests = (json.loads(f.read_bytes()) for f in folder.glob("mailbox/*/*/*/*.json"))
        return Run(
            seconds,
            sum(usage.ru_utime + usage.ru_stime for _, _, usage in ended),
            sum(manifest["bytes"] for manifest in manifests),
            max(usage.ru_maxrss for _, _, usage in ended) // 1024,
        )


def _party(
    folder: Path, script: str, me: str, peer: str, *settings: str
) -> subprocess.Popen[bytes]:
    command = [
        *(str(Path(sys.executable).with_name("duckpriv")), "run", script, "--quiet"),
        *("--db", f"{me}.duckdb", "--me", me, "--peer", peer, "--session", "bench"),
        *("--exchange", "dir:mailbox", "--keyring", f"{me}.keys"),
        *("--set", "table=people", "--set", "id=email"),
    ]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, cwd=folder, env=os.environ)


def rows() -> Iterator[Row]:
    by_rsa: dict[int, float] = {}
    for bits in (2048, 3072):
        for ids, runs in RUNS.items():
            baselines, found = [], []
            for _ in range(runs):  # turn by turn: other users of the machine disturb both alike
                baselines.append(textbook(bits, TEXTBOOK_IDS))
                found.append(two_processes("psi", ids, f"bits={bits}", both=("scheme=rsa",)))
            by_rsa.setdefault(ids, median(run.seconds for run in found))
            yield Row(
                f"psi {ids:,} × {ids:,}, RSA-{bits}, both roles, against gmpy2 on one thread",
                median(run.seconds for run in found) / ids * 1e6,
                "µs/element",
                median(baselines),
            )
        yield Row(f"psi RSA-{bits}, all messages", found[-1].sent / ids, "bytes/pair")
    for script, *both in (("psi", "scheme=oprf"), ("private_id",)):
        for ids, runs in RUNS.items():
            yield from _on_curve(script, ids, runs, tuple(both), by_rsa[ids])


def _on_curve(
    script: str, ids: int, runs: int, both: tuple[str, ...], rsa_seconds: float
) -> Iterator[Row]:
    others = {"openmined-psi": openmined, "a loop over libsodium": sodium_loop}
    times: dict[str, list[float]] = {name: [] for name in others}
    found = []
    for _ in range(runs):
        for name, other in others.items():
            if (took := other(CURVE_IDS)) is not None:
                times[name].append(took)
        found.append(two_processes(script, ids, both=both))
    what = " ".join((script, *both)) + f" {ids:,} × {ids:,}"
    seconds = median(run.seconds for run in found)
    yield Row(f"{what}, against RSA-2048", seconds / ids * 1e6, "µs/pair", rsa_seconds / ids * 1e6)
    for name, others_times in times.items():
        if others_times:
            yield Row(
                f"{what}, both parties, against {name}",
                median(run.core_seconds for run in found) / ids * 1e6,
                "core-µs/pair",
                median(others_times),
            )
    yield Row(f"{what}, all messages", found[-1].sent / ids, "bytes/pair")
    yield Row(f"{what}, peak memory of a party", found[-1].memory, "MiB")
