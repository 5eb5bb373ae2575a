"""Ollama as people run it today: so many of it, and a plain balancer before them."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from stoker_api.resource import LLMDeployment
from stoker_demo import balancer
from stoker_demo.clients import Service, until_open
from stoker_demo.record import Change
from stoker_demo.replica import Names, Place, Replica
from stoker_operator.desired import Settings, desired
from stoker_operator.local import LOOPBACK, plan
from stoker_operator.local.container import Container
from stoker_operator.local.listener import free_port
from stoker_operator.local.logfile import LogFile
from stoker_operator.local.process import Command, Leash, Process
from stoker_operator.local.wanted import wanted

_START_SECONDS = 30.0
_STOP_SECONDS = 1.0
_OLLAMA = "ollama"


class Today:
    """The Ollamas of the pods that Stoker would make, with the same settings, and nothing else.

    One that ends is started again, as Docker or systemd do it.
    """

    changes: tuple[Change, ...] = ()
    """None, ever: nobody looks."""

    def __init__(self, resource: LLMDeployment, machine: plan.Machine, folder: Path) -> None:
        self.replicas: list[Replica] = []
        self.service = Service(LOOPBACK, free_port(LOOPBACK), str(resource.spec.model))
        self._wanted = wanted(desired(resource, Settings(sidecar_image="none")))
        self._machine, self._folder = machine, folder
        self._running: list[tuple[Container, asyncio.Task[None]]] = []
        self._logs: list[LogFile] = []

    async def start(self, leash: Leash, rival: str, clock: Callable[[], float]) -> None:
        """Starts it all; returns when every port is open, which is all that anybody asks."""
        names = Names(self.service.model, rival)
        ports = []
        for number in range(1, self._wanted.replicas + 1):
            place = self._start_ollama(number, leash)
            ports.append(place.port)
            self.replicas.append(Replica(place, names, clock))
        for port in ports:
            await until_open(Service(LOOPBACK, port, names.model), _START_SECONDS)
        words = (balancer.__file__, f"--listen={self.service.port}", *map(str, ports))
        command = Command((sys.executable, *words), self._machine.environment, str(self._folder))
        self._run(command, self._folder / "balancer.log", leash)

    async def stop(self) -> None:
        """Ends it at once."""
        await asyncio.gather(*(container.stop(_STOP_SECONDS) for container, _ in self._running))
        await asyncio.gather(*(task for _, task in self._running))
        for log in self._logs:
            log.close()

    def _start_ollama(self, number: int, leash: Leash) -> Place:
        home = self._folder / str(number)
        place = plan.Place(
            folder=str(home),
            heat_file="",
            ollama_port=free_port(LOOPBACK),
            sidecar_port=free_port(LOOPBACK),
        )
        pod = plan.pod(self._wanted.template, place, self._machine)
        for folder in pod.folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
        (ollama,) = (each for each in pod.containers if each.name == _OLLAMA)
        command = Command(ollama.argv, ollama.environment, ollama.folder)
        log = home / "ollama.log"
        container = self._run(command, log, leash)
        return Place(place.ollama_port, lambda: container.pid, log)

    def _run(self, command: Command, log: Path, leash: Leash) -> Container:
        file = LogFile(log)
        self._logs.append(file)
        container = Container(log.stem, lambda: Process.start(command, leash, file.write), {})
        self._running.append((container, asyncio.create_task(container.run())))
        return container
