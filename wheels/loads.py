"""Whether what is installed has the kernel: its modules load, and say whether they run here."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from platform import machine

from duckpriv.crypto import _modarith
from duckpriv.crypto.modarith import implementation

names = [f"{_modarith.__name__}.{module.name}" for module in iter_modules(_modarith.__path__)]
assert names, "no kernel was installed"
for name in names:
    print(name, "runs here:", import_module(name).available())

# A processor that has what the kernel needs gets the kernel. (Under qemu the file is the host's.)
processor = Path("/proc/cpuinfo")
if machine() == "x86_64" and processor.exists() and " avx2 " in processor.read_text():
    assert implementation() not in ("libcrypto", "gmpy2"), implementation()
