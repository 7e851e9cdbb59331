"""Checks dist/: each wheel that can run here is installed where no compiler is, and tested.

That of this machine runs in a fresh venv. That of aarch64 runs under qemu, with a Python that
apt-get downloads below build/; nothing is installed on the machine. Without apt-get it is left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from wheels.make import DIST, WORK, has_kernels, only

TOUR = "tests/test_docs.py::test_the_commands_and_snippets_of_the_tour_run_in_order"


def main() -> None:
    """Check everything."""
    source = only(DIST, "*.tar.gz")
    folder = fresh("tests")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = only(folder, "duckpriv-*")
    for wheel in DIST.glob("*.whl"):
        check_contents(wheel, unpacked)
    for name in ("duckpriv", "sql"):  # tests are to find what was installed
        shutil.rmtree(unpacked / name)
    check_without_compiler(source)
    check_native(only(DIST, f"*manylinux*_{platform.machine()}.whl"), unpacked)
    if platform.machine() != "aarch64":
        if shutil.which("apt-get"):
            check_aarch64(only(DIST, "*manylinux*_aarch64.whl"), unpacked)
        else:
            print("aarch64 is not checked: that takes apt-get")


def fresh(name: str) -> Path:
    """Return an empty folder below build/."""
    folder = WORK / "check" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def check_contents(wheel: Path, unpacked: Path) -> None:
    """All of sql/ and the kernels are in it, and no link of its description is relative."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    sql = {f"duckpriv/{f.relative_to(unpacked)}" for f in unpacked.glob("sql/**/*.*")}
    assert sql and sql <= names, sql - names
    assert has_kernels(wheel)
    assert "](docs/" not in metadata and "](sql/" not in metadata


def check_without_compiler(source: Path) -> None:
    """The source archive installs without one; but not where the kernel is needed."""
    for needed in ("", "1"):
        folder = fresh("no-compiler")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", source],
            cwd=folder,
            env={**os.environ, "CC": "false", "DUCKPRIV_NEED_KERNEL": needed},
            stderr=subprocess.DEVNULL if needed else None,
        )
        assert (done.returncode != 0) == bool(needed)


def check_native(wheel: Path, unpacked: Path) -> None:
    """It installs and works in a fresh venv; of the machine's programs there is a shell only."""
    folder = fresh("native")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    found = f"{folder / 'venv' / 'bin'}{os.pathsep}{programs}"
    environment = {**os.environ, "PATH": found, "CC": "false"}
    assert not any(shutil.which(compiler, path=found) for compiler in ("cc", "gcc", "clang"))

    def python(*arguments: str | Path) -> None:
        command = [folder / "venv" / "bin" / "python", *arguments]
        subprocess.run(command, check=True, cwd=unpacked, env=environment)

    python(*("-m", "pip", "install", "-q", "--only-binary", ":all:", f"{wheel}[test]"))
    python("wheels/loads.py")
    python(*("-m", "duckpriv", "info"))
    python(*("-m", "pytest", "tests/crypto", "tests/test_cli.py"))
    environment["DUCKPRIV_THOROUGH"] = "1"  # the tour is none of the quick tests
    python(*("-m", "pytest", TOUR))


def check_aarch64(wheel: Path, unpacked: Path) -> None:
    """It installs and works under qemu, with Debian's or Ubuntu's Python."""
    folder = fresh("aarch64")
    for name in ("state/lists/partial", "cache/archives/partial", "root", "site"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()  # nothing is installed, so all that Python needs is downloaded
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    for architecture, packages in (
        (machine, ["qemu-user-static"]),
        ("arm64", ["python3", "libstdc++6"]),
    ):
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "1",
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
        }
        apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
        subprocess.run([*apt, "update"], check=True)
        install = ["install", "--download-only", "--yes", "--no-install-recommends", *packages]
        subprocess.run([*apt, *install], check=True)
    root = folder / "root"
    for package in (folder / "cache" / "archives").glob("*.deb"):
        if not package.name.endswith(f"_{machine}.deb") or "qemu" in package.name:
            subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    python = only(root / "usr" / "bin", "python3.[0-9]*[0-9]")
    version = python.name.removeprefix("python")
    tags = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, 37))]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--target", folder / "site"),
            *("--only-binary", ":all:", "--implementation", "cp", "--python-version", version),
            *(f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")),
            *(f"--platform={tag}_aarch64" for tag in tags),
            *(f"{wheel}[phe]", "pytest", "pytest-xdist", "hypothesis"),
        ],
        check=True,
    )
    for arguments in (
        ["wheels/loads.py"],
        ["-m", "duckpriv", "info"],
        ["-m", "pytest", "tests/crypto"],
    ):
        subprocess.run(
            [root / "usr" / "bin" / "qemu-aarch64-static", "-L", root, python, *arguments],
            check=True,
            cwd=unpacked,
            env={**os.environ, "PYTHONPATH": str(folder / "site")},
        )


if __name__ == "__main__":
    main()
