"""The compiled kernel; everything else about the package is in pyproject.toml.

It is optional: without a compiler, or the Python headers, the package installs without it.
"""

from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("duckpriv/crypto/_modarith")

setup(
    ext_modules=[
        Extension(
            "duckpriv.crypto._modarith.compiled",
            sources=sorted(str(source) for source in KERNEL.glob("*.c")),
            depends=sorted(str(header) for header in KERNEL.glob("*.h")),
            extra_compile_args=["-O3", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unknown-pragmas"],
            optional=True,
        )
    ]
)
