"""The processes of pods. All machines of a bed share the real machine's process ids, so that a test
can look at what runs in a pod, and kill it, without being in there."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def processes(pod_uid: str) -> dict[int, list[str]]:
    """The command lines of all processes in a pod, by process id."""
    return dict(_processes(f"/pod{pod_uid}/"))


def resident_bytes(pid: int) -> int:
    """How much of its memory is in RAM."""
    status = (PROC / str(pid) / "status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def processor_seconds(pid: int) -> float:
    """How long it has computed, to the hundredth of a second."""
    stat = (PROC / str(pid) / "stat").read_text()
    # The name in parentheses may hold anything; what follows the last one begins with field 3.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _processes(pod: str) -> Iterator[tuple[int, list[str]]]:
    for folder in PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if pod in (folder / "cgroup").read_text():
                yield int(folder.name), (folder / "cmdline").read_text().rstrip("\0").split("\0")
