from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from duckpriv import InvalidValue, KeyMismatch, KeyNotFound, Keyring


def spki(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def test_files_are_for_the_owner_only(keyring: Keyring) -> None:
    keyring.rsa.generate("a", 2048)
    keyring.secret("b")
    assert stat.S_IMODE(keyring.path.stat().st_mode) == 0o700
    files = list(keyring.path.iterdir())
    assert sorted(file.name for file in files) == ["a.private.pem", "b.secret"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_key_is_the_same_when_it_is_read_again(keyring: Keyring) -> None:
    keyring.rsa.generate("a", 2048)
    made = keyring.info("a")
    again = Keyring(keyring.path)
    assert again.info("a") == made
    assert again.rsa.private("a").public == keyring.rsa.public("a")
    assert again.secret("s") == Keyring(keyring.path).secret("s")
    assert again.secret("s") != again.secret("t")


def test_no_key_is_overwritten(keyring: Keyring, rsa_key) -> None:
    keyring.rsa.generate("a", 2048)
    made = keyring.info("a")
    with pytest.raises(KeyMismatch, match="taken"):
        keyring.rsa.generate("a", 2048)
    with pytest.raises(KeyMismatch, match="taken"):
        keyring.import_public("a", spki(rsa_key), "rsa")
    assert keyring.info("a") == made


def test_importing_the_same_key_again_changes_nothing_and_another_is_refused(
    keyring, rsa_key
) -> None:
    first = keyring.import_public("host", spki(rsa_key), "rsa")
    assert keyring.import_public("host", spki(rsa_key), "rsa") == first
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(KeyMismatch, match="another public key already"):
        keyring.import_public("host", spki(other), "rsa")


def test_one_name_is_one_key_of_whatever_kind(keyring: Keyring, rsa_key) -> None:
    keyring.paillier.generate("a", 2048)
    keyring.secret("s")
    for name in ("a", "s"):
        with pytest.raises(KeyMismatch, match="taken"):
            keyring.import_public(name, spki(rsa_key), "rsa")
        with pytest.raises(KeyMismatch, match="taken"):
            keyring.rsa.generate(name, 2048)
    keyring.import_public("b", spki(rsa_key), "rsa")
    with pytest.raises(KeyMismatch, match="taken"):
        keyring.import_public("b", keyring.paillier.public("a").encoded, "paillier")


@pytest.mark.parametrize("bits", [0, 512, 1024, 2047, 2052, 8200, 10**6])
def test_key_sizes(keyring: Keyring, bits: int) -> None:
    with pytest.raises(InvalidValue, match=f"{bits} bits is refused"):
        keyring.rsa.generate("a", bits)
    assert keyring.list() == []


@pytest.mark.parametrize("name", ["", "../a", "A", "a b", "a.b", "a" * 161, None])
def test_unsafe_key_names(keyring: Keyring, name) -> None:
    for use in (keyring.rsa.public, keyring.rsa.private, keyring.secret, keyring.remove):
        with pytest.raises(InvalidValue, match="the key name"):
            use(name)


def weak_keys() -> dict[str, bytes]:
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    n = numbers.public_numbers.n

    def der(modulus: int, exponent: int = 65537) -> bytes:
        # A hand-made SubjectPublicKeyInfo: libraries refuse to make these.
        def tlv(tag: int, body: bytes) -> bytes:
            size = len(body)
            length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
            return bytes([tag]) + length + body

        def integer(x: int) -> bytes:
            return tlv(2, x.to_bytes(x.bit_length() // 8 + 1, "big"))

        key = tlv(0x30, integer(modulus) + integer(exponent))
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        return tlv(0x30, algorithm + tlv(3, b"\0" + key))

    return {
        "1024 bits": der(n >> 1024 | 1),
        "even modulus": der(n - 1),
        "e = 3": der(n, 3),
        "e = 1": der(n, 1),
        "small factor": der((n // 3) * 3 if (n // 3) % 2 else (n // 3 + 1) * 3),
        "a prime": der(numbers.p),
        "truncated": der(n)[:-5],
        "trailing bytes": der(n) + b"\0",
        "empty": b"",
        "elliptic": spki(ec.generate_private_key(ec.SECP256R1())),
    }


WEAK = weak_keys()


@pytest.mark.parametrize("name", WEAK)
def test_weak_keys_of_a_peer_are_refused(keyring: Keyring, name: str) -> None:
    with pytest.raises(InvalidValue):
        keyring.import_public("host", WEAK[name], "rsa")
    assert keyring.list() == []


def test_what_is_missing_is_named_and_what_there_is_listed(keyring: Keyring, rsa_key) -> None:
    keyring.import_public("host", spki(rsa_key), "rsa")
    with pytest.raises(KeyNotFound, match="no key 'hots' .* its keys: host"):
        keyring.rsa.public("hots")
    with pytest.raises(KeyNotFound, match="peer's public key"):
        keyring.rsa.private("host")
    keyring.remove("host")
    with pytest.raises(KeyNotFound, match="none yet"):
        keyring.rsa.public("host")


def test_keys_are_names_in_sql_and_the_errors_too(party) -> None:
    with pytest.raises(duckdb.Error, match="DUCKPRIV_KEY_NOT_FOUND: no key 'nobody'"):
        party.con.execute("SELECT rsa_token('x', 'nobody')").fetchall()
    with pytest.raises(duckdb.Error, match="DUCKPRIV_KEY_NOT_FOUND: key 'theirs' is a peer's"):
        party.con.execute("SELECT key_import('theirs', rsa_public_key('mine'), 'rsa')").fetchall()
        party.con.execute("SELECT blind_sign(rsa_blind('x', 'theirs'), 'theirs')").fetchall()
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE: an RSA key of 1024 bits"):
        party.con.execute("CALL rsa_keygen('small', bits := 1024)").fetchall()
