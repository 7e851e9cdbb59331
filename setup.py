"""The compiled parts, and the README as a page of its own; all else is in pyproject.toml.

They are optional: without a compiler, or the Python headers, the package installs without it.
With DUCKPRIV_NEED_KERNEL that is an error: a wheel has to have them.
"""

import os
import re
import sysconfig
import tomllib
from pathlib import Path

from setuptools import Extension, setup

CRYPTO = Path("duckpriv/crypto")
BACKENDS = ("ifma", "avx512", "avx2")  # of the kernels: duckpriv/crypto/_modarith/backend.h
MEMORY = CRYPTO / "_modarith" / "memory.c"  # of both kernels
# One build for Python 3.11 and all later ones. Free-threaded Python has no limited API.
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")


def long_description() -> str:
    """Return the README with links to the project's files that work from anywhere."""
    source = tomllib.loads(Path("pyproject.toml").read_text())["project"]["urls"]["Source"]

    def absolute(link: re.Match[str]) -> str:
        return f"{link[0]}{source}/{'raw' if link[1] else 'blob'}/HEAD/"

    readme = Path("README.md").read_text(encoding="utf-8")
    return re.sub(r"(!?)\[[^]]*\]\((?!https?://|#)", absolute, readme)


def extension(name: str, module: str, *macros: str, also: tuple[Path, ...] = ()) -> Extension:
    """Return a module of a folder of C."""
    limited = [("Py_LIMITED_API", "0x030B0000")] if LIMITED else []
    return Extension(
        f"duckpriv.crypto.{name}.{module}",
        sources=sorted(str(source) for source in (*(CRYPTO / name).glob("*.c"), *also)),
        depends=sorted(str(header) for header in CRYPTO.glob("_*/*.h")),
        define_macros=[*limited, *((macro, None) for macro in macros)],
        extra_compile_args=[
            *("-O3", "-std=gnu11", "-fvisibility=hidden"),
            *("-Wall", "-Wextra", "-Wno-unknown-pragmas"),
        ],
        py_limited_api=LIMITED,
        optional=not os.environ.get("DUCKPRIV_NEED_KERNEL"),
    )


setup(
    long_description=long_description(),
    long_description_content_type="text/markdown",
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
    ext_modules=[
        extension("_hashing", "compiled"),
        *(extension("_modarith", name, f"BACKEND_{name.upper()}") for name in BACKENDS),
        *(
            extension("_ristretto", name, f"BACKEND_{name.upper()}", also=(MEMORY,))
            for name in (*BACKENDS, "portable")
        ),
    ],
)
