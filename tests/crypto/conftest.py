from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duckpriv.crypto import joint_elgamal, paillier
from duckpriv.crypto.modarith import choice, implementation, implementations, kernel
from duckpriv.crypto.modarith.arena import prepare
from duckpriv.crypto.ristretto.choice import engine

if folder := os.environ.get("DUCKPRIV_TEST_KERNELS"):
    # Other builds of the kernels, with sanitizers, and the portable back end: see the Makefile.
    for build in sorted(Path(folder).glob("*/*.so")):
        name = f"duckpriv.crypto.{build.parent.name}.{build.stem}"
        loader = importlib.machinery.ExtensionFileLoader(name, str(build))
        spec = importlib.util.spec_from_file_location(name, build, loader=loader)
        assert spec is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        loader.exec_module(sys.modules[name])
        if build.stem not in choice.KERNELS:
            choice.KERNELS[build.stem] = "nothing"
            choice._ALL += (build.stem,)

_CACHES = (
    implementation,
    engine,
    prepare,
    kernel._public,
    paillier._h_s,
    paillier._short_randomness,
    paillier._full_randomness,
    joint_elgamal._tables,
)


def _computed_by(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if missing := implementations()[name]:
        pytest.skip(missing)
    monkeypatch.setenv("DUCKPRIV_MODARITH", name)
    for cache in _CACHES:
        cache.cache_clear()
    yield name
    for cache in _CACHES:
        cache.cache_clear()


@pytest.fixture(params=implementations())
def computed_by(request, monkeypatch) -> Iterator[str]:
    """The test runs once with each implementation that is here."""
    yield from _computed_by(request.param, monkeypatch)


@pytest.fixture(params=choice.KERNELS)
def backend(request, monkeypatch) -> Iterator[str]:
    """The test runs once with each back end of the kernel that is here."""
    yield from _computed_by(request.param, monkeypatch)
