from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import duckpriv
from tests import keys
from tests.parties import at_once

Connect = Callable[..., duckpriv.Party]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, and one more: some tests only wait."""
    return (os.cpu_count() or 1) + 1


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
