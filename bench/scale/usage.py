"""Who has taken how much of the processors: `/proc` knows."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bed.layout import Bed
from bed.processes import running

PROGRAMS = (
    "kube-apiserver",
    "etcd",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
)
_CALM_SECONDS = 2.0
_CALM_CPU_SECONDS = 0.4
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """What a process has taken so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Usage:
    """Processor seconds, up to a moment or between two."""

    cluster: dict[str, float]
    """By program of the bed."""
    bench: float
    machine: float
    """All of this machine's, whoever took them."""

    @classmethod
    def now(cls, bed: Bed) -> Self:
        pids = {name: running(bed, name) for name in PROGRAMS}
        times = os.times()
        return cls(
            {name: cpu_seconds(pid) for name, pid in pids.items() if pid},
            times.user + times.system,
            _machine(),
        )

    def since(self, before: "Usage") -> "Usage":
        cluster = {name: took - before.cluster[name] for name, took in self.cluster.items()}
        return Usage(cluster, self.bench - before.bench, self.machine - before.machine)

    @property
    def of_cluster(self) -> float:
        return sum(self.cluster.values())

    def told(self, operator: float) -> str:
        """In words."""
        programs = ", ".join(f"{name} {took:.1f}" for name, took in self.cluster.items())
        others = self.of_others(operator)
        return f"{programs}; bench {self.bench:.1f}, others on this machine {others:.1f}"

    def of_others(self, operator: float) -> float:
        """What nobody here took."""
        return self.machine - self.of_cluster - self.bench - operator


async def until_calm(bed: Bed, seconds: float = 120) -> None:
    """Returns when the bed's programs have done next to nothing for a while.

    A fresh API server sets itself up for some seconds after it is ready, and again for each CRD.
    """
    deadline = time.monotonic() + seconds
    while True:
        before = Usage.now(bed)
        await asyncio.sleep(_CALM_SECONDS)
        if Usage.now(bed).since(before).of_cluster < _CALM_CPU_SECONDS:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the bed does not come to rest in {seconds:g} s")


def _machine() -> float:
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS
