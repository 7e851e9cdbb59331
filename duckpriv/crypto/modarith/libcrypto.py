"""The RSA private-key operation on OpenSSL's libcrypto, through ctypes.

`EVP_PKEY_decrypt` without padding is the bare x^d mod N: fixed-window Montgomery
exponentiation through the CRT, constant-time recombination, and base blinding, in a well-kept
library that uses AVX-512 IFMA where the processor has it. It checks each result against the
public exponent and falls back to x^d without the CRT where that fails (rsa_ossl_mod_exp in
crypto/rsa/rsa_ossl.c), so we do not check again. ctypes releases the GIL during the call.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import threading
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import cache

import numpy as np

from ..bytecolumns import rows_of
from ..parallel import ByteMatrix, map_rows

_RSA_NO_PADDING = 3
_SIGNATURES = {
    "d2i_AutoPrivateKey": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "EVP_PKEY_free": (None, [c_void_p]),
    "EVP_PKEY_CTX_new": (c_void_p, [c_void_p, c_void_p]),
    "EVP_PKEY_CTX_free": (None, [c_void_p]),
    "EVP_PKEY_decrypt_init": (c_int, [c_void_p]),
    "EVP_PKEY_CTX_set_rsa_padding": (c_int, [c_void_p, c_int]),
    "EVP_PKEY_decrypt": (c_int, [c_void_p, c_void_p, POINTER(c_size_t), c_char_p, c_size_t]),
}


@cache
def library() -> ctypes.CDLL | None:
    """Return libcrypto, or None where there is none or it is older than OpenSSL 3.0."""
    # On macOS the name leads to a library that ends the process when it is loaded.
    name = None if sys.platform == "darwin" else ctypes.util.find_library("crypto")
    if name is None:
        return None
    try:
        loaded = ctypes.CDLL(name)
        for symbol, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, symbol)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):  # not loadable, or older than OpenSSL 3.0
        return None
    return loaded


def available() -> bool:
    """Whether a libcrypto with the needed functions (OpenSSL 3.0 or newer) is here."""
    return library() is not None


class RsaPrivateOperation:
    """x^d mod N for one key. Each thread has a copy of the key in OpenSSL, so that they do
    not wait for one another's blinding."""

    def __init__(self, pkcs8: bytes) -> None:
        self._pkcs8 = pkcs8
        self._contexts = threading.local()

    def __call__(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row."""
        return map_rows(self._part, x)

    def _part(self, x: ByteMatrix) -> ByteMatrix:
        context: _Context | None = getattr(self._contexts, "value", None)
        if context is None:
            context = self._contexts.value = _Context(self._pkcs8)
        return context.power(x)


class _Context:
    """An EVP_PKEY_CTX set up for bare RSA with one private key. Not for several threads."""

    def __init__(self, pkcs8: bytes) -> None:
        lib = library()
        if lib is None:
            raise RuntimeError("libcrypto is not available")
        self._library = lib
        start = c_char_p(pkcs8)
        key = lib.d2i_AutoPrivateKey(None, byref(start), len(pkcs8))
        if not key:
            raise ValueError("libcrypto cannot read this private key")
        self._pointer = lib.EVP_PKEY_CTX_new(key, None)
        lib.EVP_PKEY_free(key)  # the context keeps its own reference
        if (
            not self._pointer
            or lib.EVP_PKEY_decrypt_init(self._pointer) != 1
            or lib.EVP_PKEY_CTX_set_rsa_padding(self._pointer, _RSA_NO_PADDING) != 1
        ):
            raise RuntimeError("libcrypto cannot set up the RSA operation")

    def power(self, x: ByteMatrix) -> ByteMatrix:
        """Return x^d mod N of every row, one after the other."""
        width = x.shape[1]
        length = c_size_t(width)
        output = np.empty(x.shape, dtype=np.uint8)
        start = output.ctypes.data
        decrypt, pointer = self._library.EVP_PKEY_decrypt, self._pointer
        for i, row in enumerate(rows_of(x)):
            length.value = width
            if decrypt(pointer, start + i * width, byref(length), row, width) != 1:
                raise ArithmeticError("libcrypto refused an RSA private-key operation")
        return output

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            self._library.EVP_PKEY_CTX_free(self._pointer)
