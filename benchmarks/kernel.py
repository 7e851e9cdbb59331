"""Each back end of the compiled kernel that runs here beside gmpy2 and libcrypto (the same code
with DUCKPRIV_MODARITH), and beside `openssl speed`. Columns are spread over all cores; times are
for one row, the best of several turns, in which one implementation follows the other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.row import Row
from duckpriv.crypto import joint_elgamal, modarith, moduli
from duckpriv.crypto.joint_elgamal import PublicKey
from duckpriv.crypto.modarith.choice import KERNELS
from duckpriv.crypto.packing import pack, slots_in
from duckpriv.crypto.paillier import PrivateKey
from duckpriv.crypto.parallel import ByteMatrix, cores

SLOT_BITS = 96
BITS = (2048, 3072)
SCALE, TURNS = 4, 3
# What OpenSSL is to do without: AVX-512 IFMA, as the processors that the other back ends are for.
NO_IFMA = {"OPENSSL_ia32cap": ":~0x200000"}


def best(function: Callable[[], object], rows: int) -> float:
    """Microseconds a row, the best of three."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times) / rows * 1e6


def below(n: int, rows: int) -> ByteMatrix:
    """Random numbers a little shorter than n."""
    width = (n.bit_length() + 7) // 8
    numbers = np.frombuffer(os.urandom(rows * width), np.uint8).reshape(rows, width).copy()
    numbers[:, 0] = 0
    return numbers


def measure(scale: int) -> Iterator[tuple[str, float]]:
    """Time every operation; `scale` is for how many rows."""
    for bits in BITS:
        key = rsa.generate_private_key(65537, bits)
        der = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        n, sign = key.public_key().public_numbers().n, modarith.rsa_private_operation(der)
        x, rows = below(n, 100 * scale), 100 * scale
        yield f"RSA-{bits}, sign", best(lambda: sign(x), rows)  # noqa: B023
        yield f"RSA-{bits}, verify", best(lambda: modarith.power_public(x, 65537, n), rows)  # noqa: B023
        yield (
            f"RSA-{bits}, unblind",
            best(
                lambda: modarith.multiply(x, modarith.inverse(x, n), n),  # noqa: B023
                rows,
            ),
        )
    for bits in BITS:
        yield from paillier(bits, scale)
    yield from joint(scale)


def paillier(bits: int, scale: int) -> Iterator[tuple[str, float]]:
    key = PrivateKey.generate(bits)
    public, slots = key.public, slots_in(bits, SLOT_BITS)
    values = [i * 12_345_678 - 2**40 for i in range(32 * scale * slots)]
    public.encrypt([0])  # the table of powers is made once a process
    cts = public.encrypt(pack(values, SLOT_BITS, slots))
    rows = len(cts)
    yield (
        f"Paillier-{bits}, encrypt a value, {slots} packed",
        best(lambda: public.encrypt(pack(values, SLOT_BITS, slots)), len(values)),
    )
    yield f"Paillier-{bits}, encrypt a ciphertext", best(lambda: public.encrypt([7] * rows), rows)
    yield f"Paillier-{bits}, decrypt a ciphertext", best(lambda: key.decrypt(cts), rows)
    yield f"Paillier-{bits}, he_add", best(lambda: public.add(cts, cts), rows)
    random = np.random.default_rng(1)
    factors = random.integers(0, 2**31, rows)
    yield f"Paillier-{bits}, he_mul, 31 bits", best(lambda: public.scale(cts, factors), rows)
    x = random.integers(-(2**19), 2**19, (20, rows))
    yield f"Paillier-{bits}, a term of X^T·[[d]]", best(lambda: public.combine(cts, x), 20 * rows)


def joint(scale: int) -> Iterator[tuple[str, float]]:
    n = moduli.RSA_2048
    x = 2**255 + 1
    key = PublicKey(n, joint_elgamal.combined([joint_elgamal.public_share(x, n)], n))
    rows = 32 * scale
    cts = key.encrypt([1] * rows)
    yield "joint key, encrypt", best(lambda: key.encrypt([1] * rows), rows)
    yield "joint key, partial decryption", best(lambda: key.partial(cts, x), rows)
    parts = [key.partial(cts, x)]
    yield "joint key, last decryption", best(lambda: key.decrypt(cts, parts), rows)
    numbers = np.random.default_rng(1).integers(-(2**30), 2**30, (13, rows))
    yield "joint key, a term of the gradient", best(lambda: key.combine(cts, numbers), 13 * rows)


def measured_by(implementation: str, more: dict[str, str]) -> dict[str, float]:
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.kernel", str(SCALE)],
        env={**os.environ, **more, "DUCKPRIV_MODARITH": implementation},
        stdout=subprocess.PIPE,
        check=True,
    )
    times: dict[str, float] = json.loads(output.stdout)
    return times


def openssl(bits: int) -> float:
    """Microseconds for a signature, on one core."""
    output = subprocess.run(
        ["openssl", "speed", "-seconds", "3", f"rsa{bits}"], capture_output=True, text=True
    ).stdout
    (rate,) = re.findall(rf"^rsa +{bits} bits +\S+ +\S+ +(\S+)", output, re.MULTILINE)
    return 1e6 / float(rate)


def rows() -> Iterator[Row]:
    missing = modarith.implementations()
    kernels = [name for name in KERNELS if not missing[name]]
    runs = {name: (name, {}) for name in (*kernels, "gmpy2")}
    if not missing["libcrypto"]:
        runs["libcrypto"] = ("libcrypto", {})
        runs["libcrypto without IFMA"] = ("libcrypto", NO_IFMA)
    found: dict[str, dict[str, float]] = {run: {} for run in runs}
    for _ in range(TURNS):
        for run, how in runs.items():
            for name, value in measured_by(*how).items():
                found[run][name] = min(value, found[run].get(name, value))
    for ours in kernels:
        for other in (run for run in found if run not in kernels):
            if (ours == "ifma") != (other == "libcrypto without IFMA"):
                for name, value in found[ours].items():
                    yield Row(f"{name}, {ours} against {other}", value, "µs", found[other][name])
    if kernels:
        for bits in BITS:
            value = found[kernels[0]][f"RSA-{bits}, sign"] * cores()
            name = f"RSA-{bits}, sign, one core, {kernels[0]} against openssl speed"
            yield Row(name, value, "µs", openssl(bits))


if __name__ == "__main__":
    print(json.dumps(dict(measure(int(sys.argv[1])))))
