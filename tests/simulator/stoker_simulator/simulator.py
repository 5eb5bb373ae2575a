"""A running simulator: its parts made and joined, its ports open, until it is told to stop."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stoker_simulator import VERSION, consequences, shelf
from stoker_simulator.answers import Speaker
from stoker_simulator.api import Api
from stoker_simulator.clock import Clock
from stoker_simulator.control import Control
from stoker_simulator.engine import Engine, Site
from stoker_simulator.errors import UsageError
from stoker_simulator.faults import Faults
from stoker_simulator.go_time import SECOND, timestamp
from stoker_simulator.hardware import Hardware
from stoker_simulator.http import Server
from stoker_simulator.loaded import Policy
from stoker_simulator.nvml_state import NvmlState
from stoker_simulator.play import Step, play
from stoker_simulator.room import Room
from stoker_simulator.runners import link_program
from stoker_simulator.scheduler import Scheduler
from stoker_simulator.service import Service
from stoker_simulator.settings import Settings
from stoker_simulator.shelf import Shape, Shelf
from stoker_simulator.store import Store

# How long the memory of a GPU takes to be free again.
RECOVERY = SECOND // 2


@dataclass(frozen=True)
class Plan:
    """What to simulate."""

    settings: Settings = field(default_factory=Settings)
    hardware: Hardware = field(default_factory=Hardware)
    installed: tuple[Shape, ...] = ()
    speed: float = 1
    seed: int = 0
    version: str = VERSION
    steps: tuple[Step, ...] = ()
    control_port: int | None = None
    nvml_state: Path | None = None


async def run(plan: Plan) -> None:
    """Serves until SIGTERM or SIGINT, and ends its runners then."""
    with _home() as folder:
        service = build(plan, Path(folder))
        servers = [await _serve_api(plan, service)]
        if plan.control_port is not None:
            servers.append(await _serve_control(plan.control_port, service))
        await _told_to_stop()
        for server in servers:
            server.stop()
        service.engine.kill_all()


def _home() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes with the simulator."""
    try:
        return tempfile.TemporaryDirectory(prefix="stoker-simulator-")
    except OSError as error:
        raise UsageError(
            f"it needs a folder to write into: /tmp, or the one that TMPDIR names"
            f" ({error.strerror})"
        ) from error


async def _serve_api(plan: Plan, service: Service) -> Server:
    host, port = split_host(plan.settings.host)
    api = Api(service, is_local=host in {"127.0.0.1", "localhost", "::1"})
    server = Server(api.handle, service.clock.now)
    port = await _listen(server, host, port)
    log(service.clock, f"Listening on {host}:{port} (version {plan.version})")
    return server


async def _serve_control(port: int, service: Service) -> Server:
    server = Server(Control(service.engine).handle, service.clock.now)
    port = await _listen(server, "127.0.0.1", port)
    log(service.clock, f"Control on 127.0.0.1:{port}")
    return server


async def _listen(server: Server, host: str, port: int) -> int:
    try:
        return await server.start(host, port)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def build(plan: Plan, home: Path) -> Service:
    """The parts of a simulator, joined; what it has to write goes below `home`."""
    settings, clock, faults = plan.settings, Clock(plan.speed), Faults()
    policy = Policy(settings.keep_alive, settings.max_queue, RECOVERY)
    room = Room(plan.hardware.machine, settings.max_loaded)
    site = Site(
        clock, plan.hardware, faults, link_program(home), settings.load_timeout, settings.parallel
    )
    engine = Engine(Scheduler(policy, room), site)
    clock.settle = engine.settle
    consequences.follow(engine)
    play(plan.steps, engine)
    store = Store(Path(settings.models) if settings.models else home / "models")
    with _writing("--nvml-state"):
        if plan.nvml_state is not None:
            NvmlState(plan.nvml_state, engine)
    with _writing("OLLAMA_MODELS"):
        for shape in plan.installed:
            shelf.install(store, shape)
    speaker = Speaker(engine, plan.seed)
    return Service(
        settings,
        store,
        Shelf((*shelf.KNOWN, *plan.installed)),
        engine,
        clock,
        faults,
        speaker,
        plan.version,
    )


@contextmanager
def _writing(setting: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{setting}: cannot write {error.filename}: {error.strerror}") from error


def split_host(text: str) -> tuple[str, int]:
    """Host and port of an address as `OLLAMA_HOST` gives it."""
    text = text.partition("://")[2] or text
    host, colon, port = text.strip("/").rpartition(":")
    if not colon:
        return text or "127.0.0.1", 11434
    if not port.isdigit():
        raise UsageError(
            f"OLLAMA_HOST: `{text}` has no port that is a number; write 127.0.0.1:11434"
        )
    return host.strip("[]") or "0.0.0.0", int(port)


def log(clock: Clock, message: str) -> None:
    """A line in the form of Ollama's log."""
    sys.stderr.write(f'time={timestamp(clock.now())} level=INFO msg="{message}"\n')
    sys.stderr.flush()


async def _told_to_stop() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
