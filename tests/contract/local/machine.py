"""`stoker up` as tests run it: the real command, in a state folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from support.waiting import wait_for

PATIENCE_SECONDS = 40
_MARK = "STOKER_TEST_MARK"
_FAST = "--speed 20"

Json = dict[str, Any]

HEAVY = {"env": [{"name": "STOKER_SIMULATOR", "value": f"{_FAST} --model phi3:mini=20GB"}]}
"""A server whose model takes so long to load that no busy machine is taken for that."""


def deployment(name: str = "phi3", **spec: Any) -> Json:
    """An LLMDeployment; drains end soon, for nobody waits in a test."""
    routing = {"drainTimeout": "20s", **spec.pop("routing", {})}
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "LLMDeployment",
        "metadata": {"name": name},
        "spec": {"model": "phi3:mini", "routing": routing, **spec},
    }


class Machine:
    """One state folder, one file, and the `stoker` that uses both."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.file = folder / "llm.yaml"
        self.state = folder / "state"
        self.output = folder / "output"
        self.mark = f"{_MARK.lower()}-{uuid.uuid4()}"
        self.environment = {
            "PATH": "/usr/bin:/bin",  # no Ollama
            "HOME": str(folder),
            "STOKER_SIMULATOR": _FAST,
            "TEST_MARK": self.mark,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, *deployments: Json) -> None:
        """Puts these into the file, as an editor does: a new file in the place of the old."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text("\n---\n".join(map(json.dumps, deployments)))
        fresh.replace(self.file)

    # --- the command ----------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "stoker_operator", *words, "--state", str(self.state)]

    def stoker(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self, *flags: str) -> None:
        if self._process is not None:
            self._process.wait(PATIENCE_SECONDS)  # the one before has been told to end
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command("up", "-f", str(self.file), *flags),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def said(self) -> str:
        return self.output.read_text()

    # --- what runs ------------------------------------------------------------------------------

    def status(self, name: str = "phi3") -> Json:
        found: Json = json.loads((self.state / f"default.{name}" / "status.json").read_text())
        return found

    def until_hot(self, replicas: int = 1, name: str = "phi3") -> Json:
        """How it is once so many replicas are hot, and no others are there."""
        self.until(
            f"{replicas} hot of {name}",
            lambda: self._is_settled(replicas, name),
        )
        status = self.status(name)
        if replicas:
            self.until("an open address", lambda: not refused(status["address"]))
        return status

    def _is_settled(self, replicas: int, name: str) -> bool:
        try:
            status = self.status(name)
        except FileNotFoundError:
            return False
        return bool(status["hot"] == len(status["replicas"]) == replicas)

    def until(self, what: str, condition: Any, seconds: float = PATIENCE_SECONDS) -> None:
        try:
            wait_for(what, condition, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.said()[-4000:]}") from error

    def pid(self, process: str) -> int:
        """The first replica's process of this name; of Ollama the shell that started it."""
        found = self._pid(process)
        assert found is not None
        return found

    def has_another(self, process: str, than: int) -> bool:
        """Whether it has been started again."""
        return self._pid(process) not in (than, None)

    def _pid(self, process: str) -> int | None:
        processes: list[Json] = self.status()["replicas"][0]["processes"]
        found: int | None = next(each["pid"] for each in processes if each["name"] == process)
        return found

    def pids(self) -> list[int]:
        """All that came of it, by the mark in their environment."""
        return sorted(pid for pid in _pids() if self.mark in _environment(pid))

    def named(self, *words: str) -> list[int]:
        """Those whose command line begins with a program of this name and these words."""
        program, *others = words
        return [pid for pid in self.pids() if _is(pid, program, others)]

    def ask(self, status: Json | None = None) -> httpx.Response:
        """A request at the stable address."""
        address = (status or self.status())["address"]
        return httpx.post(
            f"{address}/api/generate",
            json={"model": "phi3:mini", "prompt": "Why?", "stream": False},
            trust_env=False,
            timeout=30,
        )

    def end(self) -> None:
        """Ends it, whatever became of it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        wait_for("the end of all", lambda: not self.pids(), seconds=20)


@contextmanager
def machine(folder: Path, **environment: str) -> Iterator[Machine]:
    made = Machine(folder, **environment)
    try:
        yield made
    finally:
        made.end()


def _pids() -> Iterator[int]:
    return (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _environment(pid: int) -> str:
    return _read(pid, "environ")


def _is(pid: int, program: str, words: list[str]) -> bool:
    first, *rest = _read(pid, "cmdline").split("\0")
    return Path(first).name == program and rest[: len(words)] == words


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def signalled(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


def environment_of(pid: int) -> Mapping[str, str]:
    """The environment that a process was started with."""
    pairs = (each.partition("=") for each in _environment(pid).split("\0") if each)
    return {name: value for name, _, value in pairs}


def refused(address: str) -> bool:
    """Whether a client is told at once that nobody is there."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    began = time.monotonic()
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except ConnectionRefusedError:
        assert time.monotonic() - began < 0.5
        return True
    return False
