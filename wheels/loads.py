"""Whether what is installed has the kernels: their modules load, and say whether they run here."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from platform import machine

from duckpriv.crypto import _modarith, _ristretto
from duckpriv.crypto.modarith import implementation
from duckpriv.crypto.ristretto.choice import engine_name

for kernel in (_modarith, _ristretto):
    names = [f"{kernel.__name__}.{module.name}" for module in iter_modules(kernel.__path__)]
    assert names, f"no module of {kernel.__name__} was installed"
    for name in names:
        print(name, "runs here:", import_module(name).available())
assert engine_name() in ("ifma", "avx512", "avx2", "portable"), engine_name()

# A processor that has what the kernel needs gets the kernel. (Under qemu the file is the host's.)
processor = Path("/proc/cpuinfo")
if machine() == "x86_64" and processor.exists() and " avx2 " in processor.read_text():
    assert implementation() not in ("libcrypto", "gmpy2"), implementation()
    assert engine_name() == implementation(), engine_name()
