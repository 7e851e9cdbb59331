"""Keys from passphrases: scrypt (RFC 7914).

Argon2id (RFC 9106) is the newer choice, but OpenSSL has it since 3.2 only, and not every library
that `cryptography` is built with has it; a keyring should open wherever duckpriv runs.
"""

from __future__ import annotations

import unicodedata

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..errors import InvalidValue

SALT_BYTES = 16
_KEY_BYTES = 32
# 128 * r * N bytes, 128 MiB, and a third of a second for each guess.
_COST, _BLOCK, _PARALLEL = 1 << 17, 8, 1


def normalised(passphrase: str) -> bytes:
    """Return the bytes of a passphrase: the same however a keyboard composes its letters (NFC, as
    in RFC 8265). Raises InvalidValue for an empty one, or one that is no text."""
    if not passphrase:
        raise InvalidValue("the passphrase is empty")
    try:
        return unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise InvalidValue("the passphrase is not text in UTF-8") from None


def derive(passphrase: bytes, salt: bytes) -> bytes:
    """Return the key of a normalised passphrase."""
    kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=_COST, r=_BLOCK, p=_PARALLEL)
    return kdf.derive(passphrase)
