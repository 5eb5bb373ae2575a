"""The same Ollamas with Stoker: `stoker up`, run as anybody would run it."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stoker_api.resource import LLMDeployment
from stoker_demo.clients import Service
from stoker_demo.errors import DemoError
from stoker_demo.record import Change
from stoker_demo.replica import Names, Place, Replica
from stoker_demo.timeline import changes
from stoker_operator.local import LOOPBACK, state
from stoker_operator.local.listener import free_port
from stoker_operator.local.logfile import LogFile
from stoker_operator.local.process import Command, Leash, Process
from stoker_operator.local.up import key

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_SAID_BYTES = 2000


@dataclass(frozen=True)
class Setting:
    """How `stoker up` is run."""

    file: Path
    flags: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


class WithStoker:
    """What `stoker up` runs, and what its sidecars tell."""

    def __init__(self, resource: LLMDeployment, setting: Setting) -> None:
        self.replicas: list[Replica] = []
        self.service = Service(LOOPBACK, free_port(LOOPBACK), str(resource.spec.model))
        self._setting = setting
        self._root = setting.folder / "state"
        self._state = state.Folder(self._root / key(resource))
        self._said = setting.folder / "stoker.log"
        self._log = LogFile(self._said)
        self._process: Process | None = None
        self._zero = 0.0

    @property
    def changes(self) -> tuple[Change, ...]:
        """All that the sidecars have told so far."""
        found = [
            change
            for number in range(1, len(self.replicas) + 1)
            for change in changes(_text(self._log_of("sidecar", number)), number, self._zero)
        ]
        return tuple(sorted(found, key=lambda each: each.at))

    async def start(self, leash: Leash, rival: str, clock: Callable[[], float]) -> None:
        """Starts it; returns when all replicas have processes, hot or not."""
        self._zero = time.time() - clock()
        setting = self._setting
        listen = f"--listen={self.service.host}:{self.service.port}"
        words = ("up", f"--filename={setting.file}", listen, *setting.flags)
        argv = (sys.executable, "-m", "stoker_operator", *words, f"--state={self._root}")
        command = Command(argv, setting.environment, str(setting.folder))
        self._process = Process.start(command, leash, self._log.write)
        names = Names(self.service.model, rival)
        for replica in await self._begun(self._process):
            place = self._place(replica.number, replica.ollama_port)
            self.replicas.append(Replica(place, names, clock))

    async def stop(self) -> None:
        """Ends it at once; answers under way are not waited for."""
        if self._process:
            self._process.tell(signal.SIGQUIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
            self._process.kill()
        self._log.close()

    # --- what it says of itself -----------------------------------------------------------------

    async def _begun(self, process: Process) -> tuple[state.ReplicaStatus, ...]:
        """The replicas, once all have their processes."""
        ended = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not ended.done():
                    if found := self._complete():
                        return found
                    await asyncio.wait([ended], timeout=_LOOK_SECONDS)
        except TimeoutError:
            pass
        finally:
            ended.cancel()
        raise DemoError(f"`stoker up` has not begun. It said:\n{_text(self._said)[-_SAID_BYTES:]}")

    def _complete(self) -> tuple[state.ReplicaStatus, ...]:
        status = self._state.status()
        if status is None or len(status.replicas) < status.wanted:
            return ()
        pids = [process.pid for each in status.replicas for process in each.processes]
        return status.replicas if all(pids) else ()

    def _place(self, number: int, port: int) -> Place:
        return Place(port, lambda: self._pid(number), self._log_of("ollama", number))

    def _pid(self, number: int) -> int | None:
        """The process of this replica's Ollama, as `stoker status` has it now."""
        status = self._state.status()
        return next(
            (
                process.pid
                for replica in (status.replicas if status else ())
                for process in replica.processes
                if replica.number == number and process.name == "ollama"
            ),
            None,
        )

    def _log_of(self, process: str, number: int) -> Path:
        return self._state.logs / f"{process}-{number}.log"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
