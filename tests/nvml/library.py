"""The stub `libnvidia-ml.so.1`, compiled once and cached by its sources and flags."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bed.cache import cached, digest_of
from bed.errors import BedError

SOURCE = Path(__file__).parent / "source"
NAME = "libnvidia-ml.so.1"

FLAGS = (
    *("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-g"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"),
    *("-shared", "-fPIC", "-pthread", "-fvisibility=hidden", f"-Wl,-soname,{NAME}"),
)
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def stub_folder(*, without: Iterable[str] = (), sanitized: bool = False) -> Path:
    """A folder for LD_LIBRARY_PATH: it holds the stub and nothing else.

    The functions in `without` are hidden, as in the library of an older driver. `sanitized` makes a
    library that ends its process at the first wrong access to memory; see `sanitizer_runtime`.
    """
    hidden = sorted(without)
    flags = (*FLAGS, *(SANITIZE if sanitized else ()))

    def build(folder: Path) -> None:
        script = folder / "hidden.map"
        script.write_text(f"{{ local: {' '.join(f'{name};' for name in hidden)} }};\n")
        hide = [f"-Wl,--version-script={script}"] if hidden else []
        sources = sorted(SOURCE.glob("*.c"))
        _cc(*flags, *hide, "-o", str(folder / NAME), *map(str, sources))
        script.unlink()

    return cached("nvml-stub", digest_of(SOURCE, *flags, "without", *hidden, _version()), build)


def sanitizer_runtime() -> Path | None:
    """What LD_PRELOAD has to name when Python loads the sanitized stub; None if it is missing."""
    # The compiler answers with the bare name when it does not have the file.
    runtime = Path(_cc("-print-file-name=libasan.so").strip())
    return runtime.resolve() if runtime.is_absolute() else None


@functools.cache
def functions() -> frozenset[str]:
    """The names of the functions that the stub answers."""
    text = "".join(path.read_text() for path in SOURCE.glob("*.c"))
    return frozenset(re.findall(r"^EXPORT [^(]*\b(nvml\w+)\(", text, re.MULTILINE))


@functools.cache
def _version() -> str:
    return _cc("--version")


def _cc(*arguments: str) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        raise BedError("the NVML stub is compiled: install a C compiler (cc)")
    done = subprocess.run([compiler, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"the NVML stub does not compile:\n{done.stderr[-2000:]}")
    return done.stdout
