"""Programs compiled from Go modules, cached by what they are made of."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from bed.cache import cached, digest_of
from bed.errors import BedError

MODULES = Path(__file__).parent / "go"


def built_module(name: str, ldflags: str = "", links: tuple[str, ...] = ()) -> Path:
    """The folder with the program of the module `go/NAME` of this package, and links to it."""
    source = MODULES / name
    flags = ["-trimpath", "-ldflags", f"-s -w {ldflags}"]

    def build(folder: Path) -> None:
        go(["build", *flags, "-o", str(folder / name), "."], cwd=source)
        for link in links:
            (folder / link).symlink_to(name)

    return cached(name, digest_of(source, *flags, *links, go_version()), build)


def installed_program(package: str, version: str) -> Path:
    """The program of a published package, e.g. ("helm.sh/helm/v4/cmd/helm", "v4.3.1")."""
    name = package.rpartition("/")[2]

    def build(folder: Path) -> None:
        install = ["install", "-trimpath", "-ldflags", "-s -w", f"{package}@{version}"]
        go(install, cwd=folder, GOBIN=str(folder))

    return cached(name, digest_of(package, version, go_version()), build) / name


def module_folder(module: str, version: str) -> Path:
    """The folder with the sources of a published module."""
    facts = go(["mod", "download", "-json", f"{module}@{version}"], cwd=MODULES)
    return Path(json.loads(facts)["Dir"])


@functools.cache
def go_version() -> str:
    """The compiler's version, which every compiled thing is made of too."""
    return go(["env", "GOVERSION"], cwd=MODULES).strip()


def go(arguments: list[str], cwd: Path, **env: str) -> str:
    """What `go` printed; without cgo, unless the environment says otherwise."""
    program = shutil.which("go")
    if program is None:
        raise BedError("the test bed compiles its programs: it needs Go 1.25 or newer on the PATH")
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={**os.environ, "CGO_ENABLED": "0", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BedError(f"go {' '.join(arguments)} failed in {cwd}:\n{done.stderr[-2000:]}")
    return done.stdout
