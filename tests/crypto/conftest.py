from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest

if build := os.environ.get("DUCKPRIV_TEST_KERNEL"):
    # Another build of the kernel, with sanitizers: see the Makefile.
    name = "duckpriv.crypto._modarith.compiled"
    loader = importlib.machinery.ExtensionFileLoader(name, build)
    spec = importlib.util.spec_from_file_location(name, build, loader=loader)
    assert spec is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    loader.exec_module(sys.modules[name])

from duckpriv.crypto import joint_elgamal, paillier
from duckpriv.crypto.modarith import implementation, kernel, libcrypto
from duckpriv.crypto.modarith.arena import prepare

_CACHES = (
    implementation,
    prepare,
    paillier._h_s,
    paillier._short_randomness,
    paillier._full_randomness,
    joint_elgamal._tables,
)
_MISSING = {
    "ifma": not kernel.available(),
    "libcrypto": not libcrypto.available(),
    "gmpy2": False,
}


@pytest.fixture(params=_MISSING)
def computed_by(request, monkeypatch) -> Iterator[str]:
    """The test runs once with each implementation that is here."""
    if _MISSING[request.param]:
        pytest.skip(f"{request.param} is not here")
    monkeypatch.setenv("DUCKPRIV_MODARITH", request.param)
    for cache in _CACHES:
        cache.cache_clear()
    yield request.param
    for cache in _CACHES:
        cache.cache_clear()
