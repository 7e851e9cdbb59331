from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import duckpriv
from duckpriv.keys import factors_pem
from tests.parties import at_once

Connect = Callable[..., duckpriv.Party]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, and one more: some tests only wait."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    """One full-size key for tests that do not care which."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def joint_key(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a joint key's two parts, 'part1' and 'part2', joined."""
    keyring = duckpriv.Keyring(tmp_path_factory.mktemp("joint"))
    names = ("part1", "part2")
    for name in names:
        keyring.generate_joint(name, "rsa-2048")
    for name, peer in (names, names[::-1]):
        share = keyring.joint_part(peer).share
        keyring.join(name, peer, share.commitment(peer), share.encoded)
    return {file.name: file.read_bytes() for file in keyring.path.iterdir()}


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


def give_keys(
    one: duckpriv.Party, rsa_key: rsa.RSAPrivateKey, joint_key: dict[str, bytes]
) -> duckpriv.Party:
    """Give a party its own RSA key 'mine', imported as 'host' too, a Paillier key 'paillier', both
    parts of a joint key and of a seed, and a secret 'seed'."""
    pem = rsa_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    one.keyring._write_first("mine.private.pem", pem)
    one.con.execute("SELECT key_import('host', rsa_public_key('mine'), 'rsa')").fetchall()
    numbers = rsa_key.private_numbers()
    one.keyring._write_first("paillier.paillier.private.pem", factors_pem(numbers.p, numbers.q))
    for name in ("seed1", "seed2"):
        one.keyring.generate_seed_part(name)
    one.keyring.keep_secret("seed", b"a seed of 32 bytes for the tests")
    for file, content in joint_key.items():
        one.keyring._write_first(file, content)
    return one


@pytest.fixture
def party(
    connect: Connect, rsa_key: rsa.RSAPrivateKey, joint_key: dict[str, bytes]
) -> duckpriv.Party:
    """One party, 'bank', with the keys of `give_keys`."""
    return give_keys(connect(), rsa_key, joint_key)


@pytest.fixture
def together() -> Callable[..., list[object]]:
    """Run functions at the same time, each in a thread; return what they returned or raised."""
    return at_once
