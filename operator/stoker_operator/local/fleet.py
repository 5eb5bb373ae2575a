"""One LLMDeployment on this machine: its replicas, and the address before them."""

import asyncio
import json
import logging
import os
import socket
import sys
from dataclasses import asdict, dataclass

from stoker_operator.errors import StokerError
from stoker_operator.local import LOOPBACK, plan, state
from stoker_operator.local.backoff import FIRST_SECONDS
from stoker_operator.local.container import Container
from stoker_operator.local.forwarder import Target
from stoker_operator.local.listener import free_port, stop_listening
from stoker_operator.local.logfile import LogFile
from stoker_operator.local.process import Command, Leash, Process
from stoker_operator.local.replica import Home, Replica
from stoker_operator.local.rollout import Seen, Size, moves
from stoker_operator.local.wanted import Wanted

_log = logging.getLogger(__name__)

_FORWARDER = "forwarder"
_LOGS_KEPT = 20
"""Of so many replicas before those that run, the logs stay."""

_FORWARDER_SECONDS = 1.0
"""What it gets to end in, once no replica is left."""


@dataclass(frozen=True)
class Ground:
    """What a fleet stands on."""

    machine: plan.Machine
    folder: state.Folder
    listener: socket.socket
    leash: Leash

    @property
    def address(self) -> str:
        host, port = self.listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}"


class Fleet:
    """Keeps one LLMDeployment as it should be, until it is stopped."""

    def __init__(self, wanted: Wanted, warnings: tuple[str, ...], ground: Ground) -> None:
        self._ground = ground
        self._replicas: dict[int, Replica] = {}
        self._living: dict[int, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._have_model: set[str] = set()
        self._woken = asyncio.Event()
        self.is_ending = False
        self._number = 0
        self._orders: int | None = None
        self._ordered = b""
        self._untold = ""
        self._fields = {"llm": wanted.name}
        self._forwarder_log = LogFile(ground.folder.logs / f"{_FORWARDER}.log")
        self._forwarder = Container(
            _FORWARDER, self._start_forwarder, self._fields, self._forwarder_ended
        )
        self.apply(wanted, warnings)

    @property
    def address(self) -> str:
        return self._ground.address

    def apply(self, wanted: Wanted, warnings: tuple[str, ...]) -> None:
        """What is wanted from now on."""
        self._wanted, self._warnings = wanted, warnings
        self._ground.folder.write_heat(wanted.heat_at(self.address))
        self._woken.set()

    async def run(self) -> None:
        """Makes it so, and keeps it so."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forwarder.run())
                while not (self.is_ending and not self._replicas):
                    self._step()
                    await self._woken.wait()
                    self._woken.clear()
                await self._forwarder.stop(_FORWARDER_SECONDS)
        finally:
            for task in self._living.values():
                task.cancel()
            self._forwarder_log.close()

    def stop(self, *, at_once: bool = False) -> None:
        """Ends all replicas; `run` returns when they have ended."""
        self.is_ending = True
        for replica in self._replicas.values():
            if at_once or not replica.is_leaving:
                self._end(replica, at_once=at_once)
        self._woken.set()

    # --- replicas -------------------------------------------------------------------------------

    def _step(self) -> None:
        wanted = self._wanted
        if not self.is_ending:
            todo = moves(self._size(), [self._seen(each) for each in self._replicas.values()])
            for number in todo.end:
                self._end(self._replicas[number])
            for _ in range(todo.start):
                self._start(wanted)
        self._order()
        self._tell()

    def _size(self) -> Size:
        wanted = self._wanted
        self._have_model |= {each.revision for each in self._replicas.values() if each.has_model}
        one = self._ground.machine.server.is_attached
        return Size(
            replicas=min(1, wanted.replicas) if one else wanted.replicas,
            max_surge=wanted.max_surge,
            max_unavailable=wanted.max_unavailable,
            has_model=wanted.revision in self._have_model,
        )

    def _seen(self, replica: Replica) -> Seen:
        return Seen(
            number=replica.number,
            is_current=replica.revision == self._wanted.revision,
            is_hot=replica.is_hot,
            is_leaving=replica.is_leaving,
        )

    def _start(self, wanted: Wanted) -> None:
        ground = self._ground
        self._number += 1
        pods = [each.pod for each in self._replicas.values()]
        spoken_for = {port for pod in pods for port in (pod.sidecar_port, pod.ollama_address[1])}
        ollama_port = free_port(LOOPBACK, spoken_for)
        place = plan.Place(
            folder=str(ground.folder.replica(self._number)),
            heat_file=str(ground.folder.heat_file),
            ollama_port=ollama_port,
            sidecar_port=free_port(LOOPBACK, {ollama_port, *spoken_for}),
            slot=self._free_slot(),
        )
        home = Home(wanted.name, ground.folder.logs, ground.leash, self._woken.set)
        pod = plan.pod(wanted.template, place, ground.machine)
        replica = Replica(self._number, wanted.revision, place.slot, pod, home)
        self._replicas[replica.number] = replica
        self._living[replica.number] = asyncio.create_task(self._live(replica))
        _log.info("replica started", extra={**self._fields, "replica": replica.number})

    def _free_slot(self) -> int:
        taken = {each.slot for each in self._replicas.values()}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    async def _live(self, replica: Replica) -> None:
        try:
            await replica.run()
        except Exception:  # noqa: BLE001 - the border of one replica
            # Whatever it is, it may not be there the next time; and the others go on.
            _log.exception("replica broke", extra={**self._fields, "replica": replica.number})
            await asyncio.sleep(FIRST_SECONDS)
        finally:
            del self._replicas[replica.number], self._living[replica.number]
            self._ground.folder.forget_logs(min(self._replicas, default=self._number) - _LOGS_KEPT)
            self._woken.set()
        _log.info("replica ended", extra={**self._fields, "replica": replica.number})

    def _end(self, replica: Replica, *, at_once: bool = False) -> None:
        task = asyncio.create_task(replica.stop(at_once=at_once))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        replica.is_leaving = True

    # --- the address ----------------------------------------------------------------------------

    def _start_forwarder(self) -> Process:
        listener = self._ground.listener.fileno()
        orders, self._orders = os.pipe()
        os.set_blocking(self._orders, False)
        module = "stoker_operator.local.forwarder"
        argv = (sys.executable, "-m", module, f"--listener={listener}", f"--orders={orders}")
        folder = self._ground.folder.path
        command = Command(argv, os.environ, str(folder), given=(listener, orders))
        try:
            return Process.start(command, self._ground.leash, self._forwarder_log.write)
        finally:
            os.close(orders)
            self._ordered = b""
            self._woken.set()

    def _forwarder_ended(self) -> None:
        """Until the next one is there, clients are to be refused and not to wait."""
        stop_listening(self._ground.listener)
        if self._orders is not None:
            os.close(self._orders)
            self._orders = None

    def _order(self) -> None:
        """Tells the forwarder which replicas there are, where it does not know."""
        targets = [
            asdict(Target(str(each.number), *each.pod.ollama_address, each.pod.sidecar_port))
            for each in self._replicas.values()
            if each.answers and not each.is_leaving
        ]
        order = json.dumps(targets).encode() + b"\n"
        if self._orders is None or order == self._ordered:
            return
        try:
            os.write(self._orders, order)
        except OSError:
            # It has ended, or reads no more: its successor is told.
            if process := self._forwarder.process:
                process.kill()
        else:
            self._ordered = order

    # --- telling --------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Writes down how it is; where that cannot be, what runs goes on."""
        try:
            self._ground.folder.write_status(self.status())
        except StokerError as error:
            if str(error) != self._untold:
                _log.warning("status not written", extra={**self._fields, "sentence": str(error)})
            self._untold = str(error)
        else:
            self._untold = ""

    def status(self) -> state.Status:
        """How it is now."""
        wanted = self._wanted
        replicas = tuple(map(_status, self._replicas.values()))
        return state.Status(
            name=wanted.name,
            namespace=wanted.namespace,
            model=plan.model_wanted(wanted.template["spec"]),
            address=self.address,
            ollama=self._ground.machine.server.path,
            wanted=self._size().replicas,
            hot=sum(each.hot for each in replicas),
            grace_seconds=wanted.template["spec"]["terminationGracePeriodSeconds"],
            forwarder=_process(self._forwarder),
            warnings=self._warnings,
            replicas=replicas,
        )


def _status(replica: Replica) -> state.ReplicaStatus:
    return state.ReplicaStatus(
        number=replica.number,
        revision=replica.revision,
        hot=replica.is_hot,
        leaving=replica.is_leaving,
        state=replica.heat.state if replica.heat else None,
        sentence=replica.sentence,
        ollama_port=replica.pod.ollama_address[1],
        sidecar_port=replica.pod.sidecar_port,
        processes=tuple(map(_process, replica.containers.values())),
        history=tuple(
            state.ChangeStatus(
                each.time,
                each.event.hot,
                each.event.state,
                each.event.reason,
                each.event.message,
            )
            for each in replica.history
        ),
    )


def _process(container: Container) -> state.ProcessStatus:
    return state.ProcessStatus(container.name, container.pid, container.restarts)
