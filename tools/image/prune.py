"""Takes out of a virtual environment what its one program never uses.

    python3 prune.py PROGRAM

Run by the environment's own Python, while an image is built.
"""

import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

GENERATED = ("client/api", "client/models", "aio/client/api", "aio/client/models")
"""A module for every kind and every group that Kubernetes has: 72 MB. The operator speaks to the
API server by itself, and needs only the package's kubeconfig reader."""


def main(program: str) -> None:
    for file in (*unused_programs(program), *unused_classes()):
        file.unlink()


def unused_programs(program: str) -> Iterator[Path]:
    """The commands of libraries, and what would prepare a shell."""
    for file in Path(sysconfig.get_path("scripts")).iterdir():
        if file.name != program and not file.name.startswith("python"):
            yield file


def unused_classes() -> Iterator[Path]:
    """The generated modules that the kubeconfig reader does not import."""
    if importlib.util.find_spec("kubernetes") is None:
        return
    importlib.import_module("kubernetes.aio.config")
    used = {getattr(module, "__file__", None) for module in sys.modules.values()}
    package = Path(sysconfig.get_path("purelib"), "kubernetes")
    for folder in GENERATED:
        for file in (package / folder).rglob("*.py"):
            if str(file) not in used:
                yield file


if __name__ == "__main__":
    main(sys.argv[1])
