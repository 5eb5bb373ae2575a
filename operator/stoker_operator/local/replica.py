"""One replica: a sidecar and its Ollama, kept as a kubelet keeps the containers of a pod."""

import asyncio
import functools
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

from stoker_api.wire import HeatEvent, HeatState
from stoker_operator.desired.sidecar import CONTAINER_NAME as SIDECAR
from stoker_operator.local import plan, probing
from stoker_operator.local.container import Container
from stoker_operator.local.following import follow
from stoker_operator.local.logfile import LogFile
from stoker_operator.local.process import Command, Leash, Process

_log = logging.getLogger(__name__)

_TO_STOP_SECONDS = 10.0
"""What Ollama gets at the least to end in."""
_NOW_SECONDS = 1.0
_KEPT = 50

_WITHOUT_MODEL = (
    None,
    HeatState.UNREACHABLE,
    HeatState.ABSENT,
    HeatState.PULLING,
    HeatState.VERIFYING,
    HeatState.BLOCKED,
)


@dataclass(frozen=True)
class Change:
    """One change of a replica's heat."""

    time: float
    event: HeatEvent


@dataclass(frozen=True)
class Home:
    """Where a replica lives: what it shares with the others of its LLMDeployment."""

    name: str
    logs: Path
    leash: Leash
    changed: Callable[[], None]
    """Called when something about the replica is news."""


class Replica:
    """The processes of one pod, its probes, and what its sidecar tells."""

    def __init__(self, number: int, revision: str, slot: int, pod: plan.Pod, home: Home) -> None:
        self.number = number
        self.slot = slot
        self.revision = revision
        self.pod = pod
        self.heat: HeatEvent | None = None
        """What its sidecar told last; None where there is no sidecar that tells."""
        self._said = "starting"
        """What its sidecar said last, with how far it is."""
        self.answers = True
        """False where its sidecar takes no questions any more."""
        self.is_leaving = False
        self.history: deque[Change] = deque(maxlen=_KEPT)
        self._home = home
        self._fields = {"llm": home.name, "replica": number}
        self._logs = {
            each.name: LogFile(home.logs / f"{each.name}-{number}.log") for each in pod.containers
        }
        self.containers = {
            each.name: Container(
                each.name, functools.partial(self._start, each), self._fields, home.changed
            )
            for each in pod.containers
        }

    @property
    def is_hot(self) -> bool:
        """Whether traffic may come."""
        return bool(self.heat and self.heat.hot and self.answers and not self.is_leaving)

    @property
    def sentence(self) -> str:
        """How it is: what its sidecar says, or what is wrong with a process that does not run."""
        for container in self.containers.values():
            if container.trouble:
                return f"{container.name} {container.trouble}"
        return self._said

    @property
    def has_model(self) -> bool:
        """Whether it is past everything that fetches the model."""
        return (self.heat.state if self.heat else None) not in _WITHOUT_MODEL

    async def run(self) -> None:
        """Runs it until `stop` has ended it."""
        self._make_folders()
        watching = [asyncio.create_task(each) for each in self._watches()]
        try:
            async with asyncio.TaskGroup() as group:
                for container in self.containers.values():
                    group.create_task(container.run())
        finally:
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
            for log in self._logs.values():
                log.close()
            shutil.rmtree(self.pod.folder, ignore_errors=True)  # as a pod's emptyDir goes with it

    async def stop(self, *, at_once: bool = False) -> None:
        """Drains it, and ends it.

        In a cluster `preStop` asks the sidecar to drain, and the sidecar asks the API server
        whether its pod is leaving. Here there is none to ask: a sidecar that is told to end shuts
        the gate, waits for answers under way, and ends. So it is told first, and Ollama after it.
        """
        self.is_leaving = True
        self._home.changed()
        began = time.monotonic()
        grace = _NOW_SECONDS if at_once else self.pod.grace_seconds
        await self.containers[SIDECAR].stop(grace)
        left = max(_NOW_SECONDS if at_once else _TO_STOP_SECONDS, grace - time.monotonic() + began)
        for name, container in self.containers.items():
            if name != SIDECAR:
                await container.stop(left)

    def _make_folders(self) -> None:
        # One that was killed has left what it had.
        shutil.rmtree(self.pod.folder, ignore_errors=True)
        for folder in self.pod.folders:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    # --- starting -------------------------------------------------------------------------------

    def _start(self, container: plan.Container) -> Process:
        command = Command(container.argv, container.environment, container.folder)
        process = Process.start(command, self._home.leash, self._logs[container.name].write)
        self._home.changed()
        return process

    # --- watching -------------------------------------------------------------------------------

    def _watches(self) -> Iterator[Coroutine[None, None, None]]:
        yield self._follow()
        for container in self.pod.containers:
            if probe := container.readiness:
                yield probing.watch(probe, self._is_ready(probe))
            if probe := container.liveness:
                running = self.containers[container.name]
                yield probing.watch(probe, self._is_alive(probe, running))

    async def _follow(self) -> None:
        async for event in follow(self.pod.sidecar_port):
            if event != self.heat:
                self.heat = event
                self._heard(event)

    def _heard(self, event: HeatEvent | None) -> None:
        if event is not None:
            self.answers = True
            self._said = f"{event.reason}: {event.message}"
            self.history.append(Change(time.time(), event))
            fields = {**self._fields, "state": event.state, "reason": event.reason}
            gate = {"gate": "open" if event.hot else "shut", "sentence": event.message}
            _log.info("heat changed", extra={**fields, **gate})
        self._home.changed()

    def _is_ready(self, wanted: plan.Probe) -> probing.Tell:
        """The kubelet's half of the gate: a sidecar that takes no questions holds no heat."""

        async def tell(answer: probing.Answer, bad: int) -> None:
            before = self.answers, self._said
            if answer.status is not None:
                self.answers, self._said = True, answer.text
            elif bad >= wanted.failure_threshold:
                self.answers = False
            if (self.answers, self._said) != before:
                self._home.changed()

        return tell

    def _is_alive(self, wanted: plan.Probe, container: Container) -> probing.Tell:
        """A sidecar that hangs is started again."""

        async def tell(_: probing.Answer, bad: int) -> None:
            if self.is_leaving or not bad or bad % wanted.failure_threshold:
                return
            sentence = f"it has not said {bad} times that it is alive, and is started again"
            fields = {**self._fields, "program": container.name, "sentence": sentence}
            _log.warning("process hangs", extra=fields)
            await container.restart(wanted.grace_seconds)

        return tell
