"""`stoker up`: all LLMDeployments of some files, run on this machine until told to end."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stoker_api.resource import KIND, LLMDeployment
from stoker_operator.desired import Settings, desired
from stoker_operator.documents import STANDARD_INPUT
from stoker_operator.errors import StokerError
from stoker_operator.intake import checked
from stoker_operator.local import LOOPBACK, files, state
from stoker_operator.local.effects import without_effect
from stoker_operator.local.fleet import Fleet, Ground
from stoker_operator.local.listener import PortTakenError, bound, free_port
from stoker_operator.local.logfile import Record
from stoker_operator.local.machine import named
from stoker_operator.local.plan import Machine
from stoker_operator.local.process import Leash
from stoker_operator.local.wanted import Wanted, wanted

_log = logging.getLogger(__name__)

_SETTINGS = Settings(sidecar_image="stoker-sidecar")


@dataclass(frozen=True)
class Address:
    """Where clients are to find an LLMDeployment."""

    host: str
    port: int


@dataclass(frozen=True)
class Orders:
    """What `stoker up` was told."""

    files: tuple[str, ...]
    namespace: str
    machine: Machine
    root: Path
    """The folder of all state."""
    addresses: dict[str, Address] = field(default_factory=dict)
    """By the LLMDeployment's name; under no name that of all others. Port 0 is any."""


@dataclass(frozen=True)
class _Member:
    """One LLMDeployment that runs."""

    fleet: Fleet
    ground: Ground
    running: asyncio.Task[None]
    record: Record

    def release(self) -> None:
        """Gives back what it had of this machine."""
        logging.getLogger().removeHandler(self.record)
        self.record.close()
        self.ground.listener.close()
        self.ground.folder.release()


class Up:
    """What runs of the files, kept like what is in them."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._leash = Leash()
        self._members: dict[str, _Member] = {}
        self._listed: dict[str, LLMDeployment] = {}
        """What the files hold, by its name on this machine."""
        self._warned: set[str] = set()
        self._told = asyncio.Event()
        """Set once it is to end."""

    def statuses(self) -> list[state.Status]:
        """How everything is now."""
        return [member.fleet.status() for member in self._members.values()]

    async def run(self) -> None:
        """Runs what the files say, now and later, until a signal says: enough."""
        # Before they are read: what changes meanwhile is then seen.
        known = files.fingerprint(self._orders.files)
        resources = resources_of(self._orders)
        self._listen_to_signals()
        try:
            self._take(resources)
            watching = asyncio.create_task(self._watch(known))
            await self._told.wait()
            watching.cancel()
            await asyncio.wait([watching])
            await asyncio.gather(*self._end_all(at_once=False))
        finally:
            for member in self._members.values():
                member.running.cancel()
            self._release()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        # Heeded also where a script has it in the background, and a shell has them ignored:
        # `stoker down --now` is one.
        heeded = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
            heeded.append(signal.SIGHUP)
        for number in heeded:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        if self._told.is_set() or number is signal.SIGQUIT:
            _log.info("ends at once")
            self._end_all(at_once=True)
        else:
            _log.info("ends", extra={"sentence": "answers under way may finish; again ends it now"})
        self._told.set()

    def _end_all(self, *, at_once: bool) -> list[asyncio.Task[None]]:
        for member in self._members.values():
            member.fleet.stop(at_once=at_once)
        return [member.running for member in self._members.values()]

    def _release(self) -> None:
        for member in self._members.values():
            member.release()
        self._leash.close()

    # --- the files ------------------------------------------------------------------------------

    async def _watch(self, known: str) -> None:
        if STANDARD_INPUT in self._orders.files:
            return  # which cannot be read again
        async for _ in files.changes(self._orders.files, known):
            self._take_anew()

    def _take_anew(self) -> None:
        """Takes up what the files say now; a mistake in them changes nothing."""
        try:
            self._take(resources_of(self._orders))
        except StokerError as error:
            _log.warning("files not taken up", extra={"sentence": f"nothing changes: {error}"})
        else:
            _log.info("files taken up")

    def _take(self, resources: Sequence[LLMDeployment]) -> None:
        """Starts, changes and ends what the files say otherwise than before."""
        self._listed = {key(resource): resource for resource in resources}
        for gone in self._members.keys() - self._listed.keys():
            self._leave(gone)
        for name, resource in self._listed.items():
            member = self._members.get(name)
            if member is None:
                self._begin(resource)
            elif not (resource.is_paused or member.fleet.is_ending):
                member.fleet.apply(*self._read(resource))

    def _leave(self, name: str) -> None:
        """Ends one that is no longer in the files."""
        member = self._members[name]
        if member.fleet.is_ending:
            return

        def left(_: asyncio.Task[None]) -> None:
            if self._told.is_set():
                return  # then all ends
            self._members.pop(name).release()
            if name in self._listed:  # and back again
                self._take_anew()

        member.fleet.stop()

        member.running.add_done_callback(left)

    # --- one of them ----------------------------------------------------------------------------

    def _begin(self, resource: LLMDeployment) -> None:
        asked, warnings = self._read(resource)
        folder = state.Folder(self._orders.root / asked.key)
        folder.make()
        folder.take()
        try:
            listener = self._listener(asked, folder)
        except StokerError:
            folder.release()
            raise
        ground = Ground(self._orders.machine, folder, listener, self._leash)
        fleet = Fleet(asked, warnings, ground)
        owner = state.Owner(os.getpid(), time.time(), fleet.address, self._orders.files)
        folder.name_owner(owner)
        record = Record(folder.logs / "stoker.log", asked.name)
        logging.getLogger().addHandler(record)
        running = asyncio.create_task(fleet.run())
        # One that ends of its own accord has met a mistake of ours: then all ends, and says it.
        running.add_done_callback(lambda _: None if fleet.is_ending else self._told.set())
        self._members[asked.key] = _Member(fleet, ground, running, record)
        sentence = f"at {fleet.address}, by {named(self._orders.machine.server)}"
        _log.info("begins", extra={"llm": asked.name, "sentence": sentence})

    def _read(self, resource: LLMDeployment) -> tuple[Wanted, tuple[str, ...]]:
        """What it asks for; what of that has no effect here is said once."""
        warnings = without_effect(resource, self._orders.machine)
        for warning in warnings:
            sentence = f"{resource.metadata.name}: {warning}"
            if sentence not in self._warned:
                self._warned.add(sentence)
                _log.warning("no effect here", extra={"sentence": sentence})
        return wanted(desired(resource, _SETTINGS)), warnings

    def _listener(self, asked: Wanted, folder: state.Folder) -> socket.socket:
        """At the address that was told; else at that of the last time, the Service's, or any."""
        addresses = self._orders.addresses
        told = addresses.get(asked.name) or addresses.get("")
        wish = told or Address(LOOPBACK, asked.port)
        listener = _last_listener(wish, folder)
        if listener is None and told:
            listener = bound(told.host, told.port or free_port(told.host))
        elif listener is None:
            listener = _listener(asked)
        folder.write_port(wish.port, listener.getsockname()[1])
        return listener


def _last_listener(wish: Address, folder: state.Folder) -> socket.socket | None:
    """At the port of the last time, if that can be had again."""
    with contextlib.suppress(PortTakenError):
        if port := folder.last_port(wish.port):
            return bound(wish.host, port, was_ours=True)
    return None


def _listener(asked: Wanted) -> socket.socket:
    """At the Service's port, or where that is taken at a free one."""
    try:
        return bound(LOOPBACK, asked.port)
    except PortTakenError as error:
        sentence = (
            f"{error}; a free one is taken instead (--listen chooses). If an Ollama runs there,"
            f" --ollama http://{LOOPBACK}:{asked.port} keeps that one hot"
        )
        _log.info("another port", extra={"llm": asked.name, "sentence": sentence})
        return bound(LOOPBACK, free_port(LOOPBACK))


def resources_of(orders: Orders) -> list[LLMDeployment]:
    """The LLMDeployments of the files; `StokerError` where there are none, or wrong ones."""
    found = [each for each in checked(orders.files) if isinstance(each, LLMDeployment)]
    if not found:
        raise StokerError(f"no {KIND} in {', '.join(orders.files)}: there is nothing to run")
    return [each.in_namespace(orders.namespace) for each in found]


def key(resource: LLMDeployment) -> str:
    """What it is called on this machine."""
    return f"{resource.metadata.namespace}.{resource.metadata.name}"
