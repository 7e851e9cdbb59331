from __future__ import annotations

import gc
import io
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import duckpriv
from duckpriv import engine
from duckpriv.cli import main
from duckpriv.columns.context import Context
from duckpriv.disk import utf8_path
from tests import keys
from tests.effort import THOROUGH
from tests.parties import at_once, match

Connect = Callable[..., duckpriv.Party]
Two = Callable[..., tuple[dict, dict]]


def pytest_collection_finish() -> None:
    """What is there by now stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, and one more: some tests only wait."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def macros_of_a_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let a process create the macros once, into a file that its connections attach: to create them
    takes most of the time of opening a party. `make test-all` opens parties as users do, and so do
    the processes that tests start."""
    if THOROUGH:
        yield
        return
    file = utf8_path(tmp_path_factory.mktemp("macros") / "macros.duckdb")
    attach_anew = engine._attach_macros

    def attach(con: duckdb.DuckDBPyConnection) -> None:
        try:
            con.execute(f"ATTACH {engine.literal(file)} AS duckpriv (READ_ONLY)")
        except duckdb.Error:  # settings that forbid it
            attach_anew(con)

    with duckdb.connect() as con:
        for udf in (udf for function in engine.FUNCTIONS for udf in function.udfs):
            with suppress(duckdb.Error):  # declared for several functions
                engine._register(con, udf, Context(None))
        con.execute(f"ATTACH {engine.literal(file)} AS duckpriv")
        engine.create_macros(con)
    engine._attach_macros = attach
    yield
    engine._attach_macros = attach_anew


_KEYS: dict[tuple[int, int], list[rsa.RSAPrivateKey]] = {}


@pytest.fixture(scope="module", autouse=True)
def keys_of_before() -> Iterator[None]:
    """Let duckpriv take the RSA keys, and the primes of Paillier keys, that the process made for
    earlier files: one takes a tenth of a second and more. No key comes twice in a file. `make
    test-all` makes all anew, and so do the processes that tests start."""
    if THOROUGH:
        yield
        return
    lock, taken = threading.Lock(), Counter[tuple[int, int]]()

    def take(exponent: int, bits: int) -> rsa.RSAPrivateKey:
        with lock:
            made = _KEYS.setdefault((exponent, bits), [])
            if len(made) == taken[exponent, bits]:
                made.append(rsa.generate_private_key(exponent, bits))
            taken[exponent, bits] += 1
            return made[taken[exponent, bits] - 1]

    taking = SimpleNamespace(**{**vars(rsa), "generate_private_key": take})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duckpriv.keyring.pairs.rsa", taking)
        patch.setattr("duckpriv.crypto.paillier.rsa", taking)
        yield


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    """One full-size key for tests that do not care which."""
    return keys.rsa_key()


@pytest.fixture(scope="session")
def joint_key(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a joint key's two parts, 'part1' and 'part2', joined."""
    return keys.joint_key(tmp_path_factory.mktemp("joint"))


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Open parties that share a mailbox below the test's folder; they are closed at its end."""
    opened = []

    def open_party(me: str = "bank", database: str | None = None, **settings: object):
        party = duckpriv.connect(
            database or ":memory:",
            **{
                "me": me,
                "exchange": f"dir:{tmp_path / 'mailbox'}",
                "keyring": tmp_path / f"{me}.keys",
                "session": "s1",
                "timeout": 20.0,
                "unprotected": True,
                **settings,
            },
        )
        opened.append(party)
        return party

    yield open_party
    for party in opened:
        party.close()


@pytest.fixture
def party(
    connect: Connect, rsa_key: rsa.RSAPrivateKey, joint_key: dict[str, bytes]
) -> duckpriv.Party:
    """One party, 'bank', with the keys of `keys.fill`."""
    one = connect()
    keys.fill(one.keyring, rsa_key, joint_key)
    return one


@pytest.fixture
def together() -> Callable[..., list[object]]:
    """Run functions at the same time, each in a thread; return what they returned or raised."""
    return at_once


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[ProcessPoolExecutor, ProcessPoolExecutor]]:
    context = get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as host,
        ProcessPoolExecutor(1, mp_context=context) as guest,
    ):
        yield host, guest


@pytest.fixture(scope="module")
def two(processes) -> Two:
    """Run host and guest, each in its own process on its own database."""

    def run(host_ids: list, guest_ids: list, host=None, guest=None, folder=None, **both):
        with tempfile.TemporaryDirectory() as fresh:
            where = folder or fresh
            jobs = [
                process.submit(match, role, str(where), ids, **both, **(own or {}))
                for process, role, ids, own in zip(
                    processes,
                    ("host", "guest"),
                    (host_ids, guest_ids),
                    (host, guest),
                    strict=True,
                )
            ]
            results = [job.result() for job in jobs]
        return results[0], results[1]

    return run


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process, as one of its own takes a second to begin. Returns
    status, output and errors."""

    def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.chdir(folder)
            for name, value in {"COLUMNS": "200", **environment}.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["duckpriv", *arguments])
            patch.setattr("sys.stdin", io.StringIO())
            patch.setattr("sys.stdout", sys.stdout)  # `main` puts its own in their place
            patch.setattr("sys.stderr", sys.stderr)
            patch.setattr("signal.signal", lambda *_: None)
            main()
        return ended.value.code, *capfd.readouterr()

    return run
