"""The operator, as a program that is measured."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.scale import fleet
from bench.scale.usage import cpu_seconds, peak_mib

from bed.kubernetes import API_PORT
from bed.layout import Bed

ACCOUNT = "stoker-operator"
USER = f"system:serviceaccount:{fleet.NAMESPACE}:{ACCOUNT}"
"""Whom the API server takes it for."""

# As in a pod: the files of its ServiceAccount are where the kubelet puts them.
AS_A_POD = (
    *("unshare", "--mount", "sh", "-ec"),
    (
        "mount -t tmpfs stoker /run && mkdir -p /run/secrets/kubernetes.io"
        ' && cp -r "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"'
    ),
)

_REST_SECONDS = 3.0
_REST_CPU_SECONDS = 0.03
_END_SECONDS = 30.0


class Operator:
    """It runs; use `operator()` to start one."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, began: float) -> None:
        self._process = process
        self._log = log
        self.began = began
        """When it was started, by `time.monotonic`."""

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self._process.pid)

    @property
    def peak_mib(self) -> float:
        return peak_mib(self._process.pid)

    async def until_started(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while "operator started" not in self._log.read_text():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the operator does not start:\n{self._log.read_text()}")
            await asyncio.sleep(0.01)

    async def until_at_rest(self, seconds: float = 600) -> None:
        """Returns when it has done next to nothing for a while."""
        deadline = time.monotonic() + seconds
        while True:
            before = self.cpu_seconds
            await asyncio.sleep(_REST_SECONDS)
            if self.cpu_seconds - before <= _REST_CPU_SECONDS:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the operator does not come to rest in {seconds:g} s")

    async def passes(self) -> int:
        """How often it has looked after an LLMDeployment."""
        started = next(line for line in self._lines() if "port" in line)
        url = f"http://127.0.0.1:{started['port']}/metrics"
        metrics = await asyncio.to_thread(_read, url)
        return int(float(metrics.partition("\nstoker_reconcile_seconds_count ")[2].split()[0]))

    def warnings(self) -> list[str]:
        """What it has complained of, each once."""
        bad = [line for line in self._lines() if line["level"] not in ("info", "debug")]
        return sorted({re.sub(r"\d+", "0", str(line.get("sentence", line))) for line in bad})

    def _lines(self) -> list[dict[str, Any]]:
        whole = self._log.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]


@asynccontextmanager
async def operator(bed: Bed, log: Path) -> AsyncIterator[Operator]:
    """The operator, from its start on. What is done with it is cut short if it ends."""
    command = [
        *(*AS_A_POD, str(account_folder(bed)), sys.executable, "-m", "stoker_operator", "operator"),
        *("--pod-addresses", "skip", "--listen", "127.0.0.1:0", "--log-format", "json"),
        *fleet.FLAGS,
    ]
    address = {
        "KUBERNETES_SERVICE_HOST": bed.control_plane.address,
        "KUBERNETES_SERVICE_PORT": str(API_PORT),
    }
    with log.open("wb") as file:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command, stdout=file, stderr=file, env=os.environ | address
        )

    async def outlived() -> None:
        await process.wait()
        raise RuntimeError(f"the operator has ended:\n{_tail(log)}")

    async with asyncio.TaskGroup() as group:
        alive = group.create_task(outlived())
        try:
            yield Operator(process, log, began)
        finally:
            alive.cancel()
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()


def account_folder(bed: Bed) -> Path:
    """Where the files of its ServiceAccount are."""
    return bed.pki / "operator"


def _read(url: str) -> str:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - it is ours
        text: str = answer.read().decode()
    return text


def _tail(log: Path) -> str:
    return log.read_text()[-2000:]
