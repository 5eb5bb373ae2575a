"""What a sidecar is measured beside, and how."""

import math
import os
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bed import models, ollama
from contract.ollama.api import Ollama
from stoker_api.wire import HeatConfig
from stoker_sidecar.config import defaults
from support.sidecars import Sidecar, sidecar
from support.waiting import wait_for


def calm() -> HeatConfig:
    """The defaults, without canaries."""
    heat = defaults(uses_gpu=False)
    canary = replace(heat.heartbeat.canary, idle_after_seconds=3600.0)
    return replace(heat, heartbeat=replace(heat.heartbeat, canary=canary))


@contextmanager
def real(**environment: str) -> Iterator[Ollama]:
    """A real Ollama with two small models."""
    small = {"tiny": models.tiny(), "other": models.other()}
    with ollama.serving(small, environment) as server:
        seen = Ollama(server)
        with seen.http:
            yield seen


@contextmanager
def keeping(server: Ollama, *flags: str, **environment: str) -> Iterator[Sidecar]:
    """A sidecar beside it, once it is hot."""
    with tempfile.TemporaryDirectory(prefix="stoker-bench-") as folder:
        url = server.processes.base_url
        with sidecar(Path(folder), url, "--model", "tiny", *flags, **environment) as keeper:
            keeper.until_ready()
            yield keeper


@contextmanager
def bare(folder: Path, url: str, *flags: str, **environment: str) -> Iterator[tuple[int, str]]:
    """A sidecar as a user starts it, which records nothing: its process, and where it answers."""
    log = folder / "bare.log"
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "stoker_sidecar", "run", "--ollama", url),
                *("--listen", "127.0.0.1:0", "--log-format", "text", *flags),
            ],
            env={"PATH": os.environ["PATH"], **environment},
            stderr=file,
        )
    try:
        wait_for("heat", lambda: "reason=Hot" in log.read_text(), seconds=60)
        found = re.search(r"sidecar started .*port=(\d+)", log.read_text())
        if found is None:
            raise SystemExit(log.read_text())
        yield process.pid, f"http://127.0.0.1:{found[1]}"
    finally:
        process.kill()
        process.wait(10)


def shut_at(keeper: Sidecar) -> float:
    """When `/readyz` first says no, asked every millisecond; never is infinitely late.

    Without a pause, who asks would take the processor that the sidecar needs.
    """
    deadline = time.monotonic() + 30
    while keeper.is_ready():
        if time.monotonic() > deadline:
            return math.inf
        time.sleep(0.001)
    return time.monotonic()


def moment(wait: Callable[[], object]) -> Callable[[], float]:
    """Waits from now on in a thread of its own; the answer is when that was over."""
    over: list[float] = []

    def watch() -> None:
        wait()
        over.append(time.monotonic())

    thread = threading.Thread(target=watch)
    thread.start()

    def when() -> float:
        thread.join()
        return over[0]

    return when


def end_of(pid: int) -> Callable[[], float]:
    """When this process has ended."""
    pidfd = os.pidfd_open(pid)

    def wait() -> None:
        select.select([pidfd], [], [], 60)
        os.close(pidfd)

    return moment(wait)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
