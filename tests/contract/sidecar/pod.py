"""A pod without a cluster: the simulator for Ollama, the entry script, a GPU's driver, a sidecar.

The simulator is started by the script that starts Ollama in the ollama container, so the sidecar
has the hands that it has in a pod: it can end a runner, and have Ollama restarted.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bed.ollama import OllamaServer, ollama_program, running
from contract.simulator.serving import Simulation, SimulatorServer
from nvml.library import stub_folder
from stoker_api.wire import GPUS_FILE, HANDS_FIFO
from stoker_operator.desired.entry import HANDS_VARIABLE, SCRIPT
from support.sidecars import QUIET, Sidecar, sidecar
from support.waiting import wait_for

MODEL = "llama3.2"


class _ByScript(OllamaServer):
    """An Ollama that is started by its entry script, as in the ollama container."""

    hands: Path
    program_folder: Path

    def command(self) -> list[str]:
        path = f"PATH={self.program_folder}:{os.environ['PATH']}"
        return ["env", "-C", str(self.program_folder), path, "/bin/sh", "-uc", SCRIPT]

    def start(self) -> None:
        super().start()
        for name in (HANDS_FIFO, GPUS_FILE):
            wait_for(name, (self.hands / name).exists)

    def start_again(self) -> None:
        """Does what the kubelet does: waits for the container's end, and starts it again."""
        assert self._process is not None
        self._process.wait(timeout=60)
        self.start()


class Container(_ByScript, SimulatorServer):
    """The ollama container: the entry script, and the simulator where the image has Ollama."""

    def __init__(self, home: Path, options: tuple[str, ...], settings: Mapping[str, str]) -> None:
        self.hands = home / "hands"
        self.hands.mkdir()
        # The script takes no options for Ollama, no more than in a pod.
        environment = {"STOKER_SIMULATOR": shlex.join(options), HANDS_VARIABLE: str(self.hands)}
        super().__init__(home, {**settings, **environment}, ())
        self.program_folder = self._program.parent


class RealContainer(_ByScript):
    """The same, with the real Ollama."""

    def __init__(self, home: Path) -> None:
        self.hands = home / "hands"
        self.hands.mkdir()
        super().__init__(home, {HANDS_VARIABLE: str(self.hands)})
        self.program_folder = ollama_program().parent


class Pod:
    """An Ollama that fails on command, and the sidecars that are started beside it."""

    def __init__(self, folder: Path, container: Container, stack: ExitStack) -> None:
        self.container = container
        self.ollama = Simulation(container)
        self._folder = folder
        self._stack = stack
        stack.callback(self.ollama.http.close)
        stack.callback(self.ollama.control.close)

    def sidecar(self, *flags: str, model: str = MODEL) -> Sidecar:
        """A sidecar, without canaries, that keeps this model hot."""
        told = ("--hands", str(self.container.hands), "--model", model, *QUIET, *flags)
        driver = {
            "LD_LIBRARY_PATH": str(stub_folder()),
            "STOKER_NVML_STATE": str(nvml_state(self._folder)),
        }
        started = sidecar(self._folder, self.container.base_url, *told, **driver)
        return self._stack.enter_context(started)

    def runner(self) -> int:
        return self.ollama.settled_runner()


@dataclass(frozen=True)
class Change:
    """A change of heat, as the sidecar's log tells it."""

    reason: str
    gate: str
    sentence: str


def changes(keeper: Sidecar) -> list[Change]:
    """Every change so far. None is missed, however soon it was over."""
    line = r"heat changed .*?reason=(\w+) gate=(\w+) before=\w+: (.*)"
    return [Change(*found) for found in re.findall(line, keeper.log.read_text())]


def told(keeper: Sidecar, reason: str) -> Change:
    """The latest change for this reason, once there is one."""
    keeper.until_said(reason)
    return next(change for change in reversed(changes(keeper)) if change.reason == reason)


def nvml_state(folder: Path) -> Path:
    """What the GPU's driver knows, in the pod of this folder."""
    return folder / "nvml.json"


@contextmanager
def in_pod(folder: Path, *options: str, **settings: str) -> Iterator[Pod]:
    """A pod whose simulator has these options and settings, and is a hundred times as fast.

    Its clock is, too: where an expiry matters, `--speed 1` has to be among the options.
    """
    told = ("--speed", "100", "--control-port", "0", *options)
    made = running(lambda home: Container(home, told, settings), {})
    with made as container, ExitStack() as stack:
        yield Pod(folder, container, stack)


def sample(keeper: Sidecar, name: str, **labels: str) -> float | None:
    """What `/metrics` says of the series with this name and these labels; None without one."""
    families = text_string_to_metric_families(keeper.http.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return next(
        (each.value for each in samples if (each.name, each.labels) == (name, labels)), None
    )
