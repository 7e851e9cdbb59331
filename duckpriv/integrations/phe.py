"""Keys and ciphertexts to and from python-paillier: `pip install duckpriv[phe]`.

phe is GPLv3, so nothing else in duckpriv imports this module. phe's fixed point has a base of
16 and an exponent; ours has fractional bits, so an exponent of -s stands for a scale of 4 * s.
"""

from __future__ import annotations

from typing import Any

import phe

from ..columns.ciphertext import Layout, read, write
from ..errors import InvalidValue
from ..keyring import Keyring

_BITS = 4  # of phe's base 16


def public_key(keyring: Keyring, name: str) -> Any:
    """Return the Paillier public key `name` as a `phe.PaillierPublicKey`."""
    return phe.PaillierPublicKey(keyring.paillier.public(name).key.modulus)


def private_key(keyring: Keyring, name: str) -> Any:
    """Return the Paillier private key `name` as a `phe.PaillierPrivateKey`."""
    private = keyring.paillier.private(name).key
    return phe.PaillierPrivateKey(public_key(keyring, name), private.p, private.q)


def import_private_key(keyring: Keyring, name: str, key: Any) -> None:
    """Keep a `phe.PaillierPrivateKey` under `name`, which has to be free."""
    keyring.paillier.import_private(name, int(key.p), int(key.q))


def to_phe(keyring: Keyring, name: str, ciphertext: bytes) -> Any:
    """Return a ciphertext of one number as a `phe.EncryptedNumber`.

    Raises InvalidValue for several numbers, or a scale that is no multiple of 4.
    """
    public = keyring.paillier.public(name)
    (layout,), bodies = read([ciphertext], public)
    if layout.count != 1 or layout.scale % _BITS:
        raise InvalidValue("phe takes one number, with a scale that is a multiple of 4")
    value = int.from_bytes(bodies.tobytes(), "big")
    return phe.EncryptedNumber(public_key(keyring, name), value, -layout.scale // _BITS)


def from_phe(keyring: Keyring, name: str, number: Any, bound: int) -> bytes:
    """Return a `phe.EncryptedNumber` as a ciphertext, re-randomised.

    `bound` says that |x * 2^scale| is below 2^bound, which phe does not record. Raises
    InvalidValue for a positive exponent or another key.
    """
    public = keyring.paillier.public(name)
    if number.exponent > 0 or number.public_key.n != public.key.modulus:
        raise InvalidValue("the number is under another key, or has a positive exponent")
    layout = Layout(
        public.SCHEME,
        public.fingerprint_bytes,
        -number.exponent * _BITS,
        public.key.bits - 2,
        bound,
        1,
    )
    raw = number.ciphertext(be_secure=False).to_bytes(public.key.width, "big")
    _, bodies = read([layout.header() + raw], public)
    blob: bytes = write([layout], public.key.rerandomise(bodies), public.key)[0].as_py()
    return blob
