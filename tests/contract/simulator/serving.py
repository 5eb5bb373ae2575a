"""A simulator as tests bring it up: like a real Ollama, with its log, processes and store."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

import stoker_simulator
from bed.models import Model
from bed.ollama import OllamaServer, running
from contract.ollama.api import Ollama
from stoker_simulator.runners import link_program

SERVER = Path(stoker_simulator.__file__).with_name("__main__.py")
NOTHING: Mapping[str, Any] = MappingProxyType({})


class SimulatorServer(OllamaServer):
    """`stoker-simulator` with these options, in the place of an Ollama."""

    def __init__(
        self, home: Path, environment: Mapping[str, str], options: tuple[str, ...]
    ) -> None:
        # All that this process can import; but not from the folder of a script.
        python = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
        super().__init__(home, {**python, **environment})
        self._options = options
        folder = home / "bin"
        folder.mkdir()
        self._program = link_program(folder, "serve", SERVER)

    def command(self) -> list[str]:
        # `env` only changes the folder, and is no process of its own then.
        return ["env", "-C", str(self._program.parent), "./ollama", "serve", *self._options]

    @property
    def control_url(self) -> str:
        """Where the control port is, once the log has told it."""
        found = re.search(r"Control on (127\.0\.0\.1:\d+)", self.log.read_text())
        assert found, self.log_tail()
        return f"http://{found[1]}"


@contextmanager
def serving(
    models: Mapping[str, Model],
    environment: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[SimulatorServer]:
    """A running simulator that has these models, under these names."""
    with running(lambda home: SimulatorServer(home, environment or {}, options), models) as server:
        yield server


class Simulation(Ollama):
    """A simulator under test, with its control port."""

    def __init__(self, server: SimulatorServer) -> None:
        super().__init__(server)
        self.store = server.store
        self.control = httpx.Client(base_url=server.control_url, timeout=60)

    def inject(self, fault: str, /, **parameters: Any) -> None:
        self._ask("POST", f"/faults/{fault}", parameters)

    def clear(self, fault: str) -> None:
        self._ask("DELETE", f"/faults/{fault}")

    def advance(self, length: str) -> None:
        """Moves its time ahead."""
        self._ask("POST", "/time", {"advance": length})

    def state(self) -> dict[str, Any]:
        return dict(self._ask("GET", "/state"))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] = NOTHING) -> Any:
        answer = self.control.request(method, path, json=dict(body))
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def simulating(*options: str, **environment: str) -> Iterator[Simulation]:
    """A simulator with these options and a control port."""
    with serving({}, environment, (*options, "--control-port", "0")) as server:
        simulation = Simulation(server)
        with simulation.http, simulation.control:
            yield simulation
