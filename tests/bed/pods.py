"""The processes of pods.

All machines of a bed share the real machine's process ids, so that a test can look at what runs in
a pod, and kill it, without being in there.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def processes(pod_uid: str) -> dict[int, list[str]]:
    """The command lines of all processes in a pod, by process id."""
    return dict(_processes(f"/pod{pod_uid}/"))


def resident_bytes(pid: int) -> int:
    """How much of its memory is in RAM."""
    return int(_status(pid, "VmRSS")) * 1024


def capabilities(pid: int) -> int:
    """The privileges that it has, as the kernel's bits."""
    return int(_status(pid, "CapEff"), 16)


def has_read_only_root(pid: int) -> bool:
    """Whether nothing can be written but where something is mounted."""
    mounts = (line.split() for line in (PROC / str(pid) / "mounts").read_text().splitlines())
    (options,) = (options for _, place, _, options, *_ in mounts if place == "/")
    return "ro" in options.split(",")


def _status(pid: int, field: str) -> str:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return value


def _processes(pod: str) -> Iterator[tuple[int, list[str]]]:
    for folder in PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if pod in (folder / "cgroup").read_text():
                yield int(folder.name), (folder / "cmdline").read_text().rstrip("\0").split("\0")
