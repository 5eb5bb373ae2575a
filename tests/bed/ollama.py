"""Real Ollama: compiled from its Go module once, then served on loopback with a store of its own.

It is built for the CPU alone, which every machine has: what Ollama does with a GPU cannot be seen
here.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bed import debian
from bed.cache import cached, digest_of
from bed.errors import BedError
from bed.golang import go, go_version, module_folder
from bed.models import Model
from bed.progress import step, wait_until

VERSION = "0.17.4"

# Headers that Ollama's C++ sources include and its module archive lacks.
HEADER_PACKAGES = ("libstb-dev", "nlohmann-json3-dev")
MINIAUDIO = ("github.com/gen2brain/malgo", "v0.11.24")

START_SECONDS = 30
STOP_SECONDS = 10


@functools.cache
def ollama_program() -> Path:
    """The program, built at the first call (minutes) and cached."""
    ldflags = f"-s -w -X=github.com/ollama/ollama/version.Version={VERSION}"
    package = f"github.com/ollama/ollama@v{VERSION}"

    def build(folder: Path) -> None:
        if shutil.which("g++") is None:
            raise BedError("the test bed compiles Ollama: install a C++ compiler (g++)")
        with step(f"Ollama {VERSION} (compiling takes some minutes)"), _includes() as flags:
            install = ["install", "-trimpath", "-ldflags", ldflags, package]
            go(install, cwd=folder, GOBIN=str(folder), CGO_ENABLED="1", CGO_CPPFLAGS=flags)

    key = digest_of(package, *HEADER_PACKAGES, "@".join(MINIAUDIO), ldflags, go_version())
    return cached("ollama", key, build) / "ollama"


class OllamaServer:
    """`ollama serve` and the runner processes that it starts, one for each loaded model."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.store = home / "models"
        self.log = home / "ollama.log"
        # Nothing of this machine's own settings may leak in: tests are about the defaults.
        self._environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "OLLAMA_MODELS": str(self.store),
            **environment,
        }
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process that answers HTTP; also its process group, which its runners are in."""
        if self._process is None:
            raise BedError("this Ollama has not been started")
        return self._process.pid

    def command(self) -> list[str]:
        """What is run: a server that is like Ollama has another one."""
        return [str(ollama_program()), "serve"]

    def runners(self) -> frozenset[int]:
        """The processes that hold a model now, those that outlived their server included."""
        return frozenset(pid for pid in _processes_of_group(self.pid) if _is_runner(pid))

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Sends a signal to the server or to a runner of its."""
        os.kill(pid, number)

    def start(self) -> None:
        """Starts it and waits until it answers; a second start takes the same port again."""
        command = self.command()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**self._environment, "OLLAMA_HOST": f"127.0.0.1:{self._port}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._is_listening, "Ollama listening", START_SECONDS)
        except TimeoutError as error:
            raise BedError(f"{error}; its log:\n{self.log_tail()}") from error

    def stop(self) -> None:
        """Ends the server and every runner, also those that no longer heed anything."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in _processes_of_group(self.pid):
            _kill(pid)
        wait_until(lambda: not _processes_of_group(self.pid), "end of Ollama", STOP_SECONDS)
        self._process = None

    def _is_listening(self) -> bool:
        # The kernel chooses the port, so that two servers never race for one; the log tells it.
        match = re.search(r"Listening on 127\.0\.0\.1:(\d+)", self.log.read_text(errors="replace"))
        if match:
            self._port = int(match[1])
        elif self._process is not None and self._process.poll() is not None:
            raise BedError(f"Ollama ended at its start; its log:\n{self.log_tail()}")
        return match is not None

    def log_tail(self) -> str:
        """The end of what the server and its runners printed."""
        return self.log.read_text(errors="replace")[-4000:]


Server = TypeVar("Server", bound=OllamaServer)


@contextmanager
def serving(
    models: Mapping[str, Model], environment: Mapping[str, str] | None = None
) -> Iterator[OllamaServer]:
    """A running Ollama that has these models, under these names, and no other."""
    with running(lambda home: OllamaServer(home, environment or {}), models) as server:
        yield server


@contextmanager
def running(make: Callable[[Path], Server], models: Mapping[str, Model]) -> Iterator[Server]:
    """A server made in a home of its own, with these models in its store, while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="stoker-ollama-") as folder:
        server = make(Path(folder))
        for name, model in models.items():
            model.install(server.store, name)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _processes_of_group(group: int) -> list[int]:
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if _group(pid) == group]


def _group(pid: int) -> int | None:
    """The process group, or None for a process that has ended, even if nobody has reaped it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything; what follows the last one is state, parent, group.
    state, _, group, *_ = status.rpartition(")")[2].split()
    return None if state == "Z" else int(group)


def _is_runner(pid: int) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # Ollama also starts runners without a model, for a moment, to ask for GPUs.
    return b"runner" in arguments and b"--model" in arguments


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def _includes() -> Iterator[str]:
    """The compiler flags by which the sources find the headers that their archive lacks."""
    packages = debian.unpacked(HEADER_PACKAGES) / "usr/include"
    with tempfile.TemporaryDirectory(prefix="stoker-ollama-") as folder:
        # The module has the header at its top, the sources say `miniaudio/miniaudio.h`.
        Path(folder, "miniaudio").symlink_to(module_folder(*MINIAUDIO))
        yield f"-I{packages} -I{folder}"
