"""Keys for tests that do not care which."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from duckpriv import Keyring
from duckpriv.keys import factors_pem


def rsa_key() -> rsa.RSAPrivateKey:
    """A full-size key."""
    return rsa.generate_private_key(65537, 2048)


def joint_key(folder: Path) -> dict[str, bytes]:
    """Make the files of a joint key's two parts, 'part1' and 'part2', joined."""
    keyring = Keyring(folder)
    names = ("part1", "part2")
    for name in names:
        keyring.joint.generate(name, "rsa-2048")
    for name, peer in (names, names[::-1]):
        share = keyring.joint.part(peer).share
        keyring.joint.join(name, peer, share.commitment(peer), share.encoded)
    return {file.name: file.read_bytes() for file in keyring.path.iterdir()}


def fill(keyring: Keyring, own: rsa.RSAPrivateKey, joint: dict[str, bytes]) -> None:
    """Put in an RSA key 'mine', imported as 'host' too, a Paillier key 'paillier', a key 'oprf',
    both parts of a joint key and of a seed, and a secret 'seed'."""
    pem = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    keyring.write_first("mine.private.pem", pem)
    keyring.import_public("host", keyring.rsa.private("mine").public.der, "rsa")
    numbers = own.private_numbers()
    keyring.write_first("paillier.paillier.private.pem", factors_pem(numbers.p, numbers.q))
    keyring.oprf.generate("oprf")
    for name in ("seed1", "seed2"):
        keyring.seeds.generate(name)
    keyring.keep_secret("seed", b"a seed of 32 bytes for the tests")
    for file, content in joint.items():
        keyring.write_first(file, content)
