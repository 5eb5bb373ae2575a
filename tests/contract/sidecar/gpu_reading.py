"""The sidecar's eyes on its GPUs, in a process with a library of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract.nvml.machines import GPU, StubMachine
from nvml.library import stub_folder
from nvml.state import State
from stoker_api.codec import decode
from stoker_sidecar.heat.observation import Gpus

OTHER = replace(GPU, uuid="GPU-00000000-0000-0000-0000-000000000002", minor=1)
PAIR = State(devices=(GPU, OTHER))

CHILD = Path(__file__).with_name("gpu_child.py")

# A machine that is busy answers late; a test that expects a hang names a shorter deadline.
DEADLINE_SECONDS = 20.0
BEYOND_EVERY_RETRY_SECONDS = 61.0


@dataclass(frozen=True)
class Answer:
    gpus: Gpus
    beats: int
    """How often the event loop has come round in the meantime."""
    failures: int
    starts: int
    """How often NVML is started, less how often it is ended."""


class Reader:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, pid: int | None = None, *, idle: bool = False, later: float = 0) -> Answer:
        """Reads the GPUs; `later` moves the child's clock on before."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"pid": pid, "idle": idle, "later": later}) + "\n")
        self.process.stdin.flush()
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return Answer(**{**reply, "gpus": decode(Gpus, reply["gpus"])})

    def read(self, pid: int | None = None, *, idle: bool = False, later: float = 0) -> Gpus:
        return self.ask(pid, idle=idle, later=later).gpus

    def read_once_retried(self) -> Gpus:
        """Reads when NVML has had its next start, however long the last ones were apart."""
        return self.read(later=BEYOND_EVERY_RETRY_SECONDS)


@contextmanager
def reading(
    environment: Mapping[str, str],
    *,
    file: Path | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Iterator[Reader]:
    """Reads the GPUs that the container has written into `file`; without one, the machine's."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(CHILD), str(file or ""), str(deadline_seconds)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Reader(process)
        finally:
            process.kill()  # it may hang, so it is not asked


@contextmanager
def reads(
    stub: StubMachine,
    *,
    given: str | None = None,
    without: tuple[str, ...] = (),
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Iterator[Reader]:
    """A sidecar whose ollama container was `given` these GPUs; None: it has not said yet."""
    file = stub.path.with_name("gpus")
    if given is not None:
        file.write_text(given)
    environment = {
        "LD_LIBRARY_PATH": str(stub_folder(without=without)),
        "STOKER_NVML_STATE": str(stub.path),
    }
    with reading(environment, file=file, deadline_seconds=deadline_seconds) as reader:
        yield reader
