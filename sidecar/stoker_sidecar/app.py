"""Puts the parts together, runs them, and takes them down again."""

import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stoker_api import wire
from stoker_sidecar import VERSION, apiserver
from stoker_sidecar.act import Deeds
from stoker_sidecar.config import HeatFile
from stoker_sidecar.drain import Drain
from stoker_sidecar.gate import Gate
from stoker_sidecar.hands import Hands
from stoker_sidecar.keeper import Body, Keeper, Settings
from stoker_sidecar.meter import GpuMeter
from stoker_sidecar.observe import Observer, Senses
from stoker_sidecar.ollama import Ollama, runner_options
from stoker_sidecar.orders import Orders
from stoker_sidecar.pages import Parts, StokerPages
from stoker_sidecar.routing import Routes
from stoker_sidecar.runner import OllamaProcesses
from stoker_sidecar.server import Server
from stoker_sidecar.site import Site
from stoker_sidecar.sockets import OllamaConnections
from stoker_sidecar.timeline import Timeline
from stoker_sidecar.ways import Plan, Ways

if TYPE_CHECKING:
    from stoker_sidecar.gpu import Nvml

_log = logging.getLogger(__name__)


async def run(orders: Orders, environment: Mapping[str, str]) -> None:
    """Keeps the model hot until SIGTERM or SIGINT."""
    source = HeatFile(orders.heat) if isinstance(orders.heat, Path) else orders.heat
    # For back-offs alone, so that pods do not all try again at once.
    settings = Settings(orders.pod, source, jitter=random.random())  # noqa: S311
    who = apiserver.identity(environment)
    gate = Gate(apiserver.PodClient(who)) if who else None
    timeline = Timeline(orders.record) if orders.record else None
    woken = asyncio.Event()
    senses = _senses(orders, woken.set)
    observer = Observer(senses, woken.set)
    deeds = Deeds(
        senses.ollama,
        senses.hands,
        insecure_registry=orders.pod.insecure_registry,
        on_end=woken.set,
    )
    keeper = Keeper(settings, Body(observer, deeds, woken), gate=gate, timeline=timeline)
    ways = _ways(orders, environment, keeper, observer, senses.ollama)
    pages = StokerPages(Parts(keeper, observer, ways, gate))
    server = Server(pages)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(deeds.close)
        stack.push_async_callback(observer.close)
        port = await server.start(orders.listen)
        stack.push_async_callback(server.stop)
        _log.info(
            "sidecar started",
            extra={"version": VERSION, "model": orders.pod.model, "port": port},
        )
        loops = [keeper.run(), ways.run()]
        if gate:
            stack.push_async_callback(gate.close)
            loops.append(gate.run())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in loops]
            await _told_to_end()
            said = await Drain(keeper, observer, gate).leave()
            _log.info("sidecar ends", extra={"sentence": said})
            for task in tasks:
                task.cancel()


def _senses(orders: Orders, wake: Callable[[], None]) -> Senses:
    site = Site(orders.ollama_url)
    port = urlsplit(orders.ollama_url).port or wire.OLLAMA_PORT
    meter = GpuMeter(_nvml(orders), wake) if orders.pod.gpus and orders.is_beside else None
    processes = (
        OllamaProcesses(server_pid=orders.server_pid, port=port) if orders.is_beside else None
    )
    connections = OllamaConnections(port) if orders.is_beside else None
    return Senses(
        ollama=Ollama(site, orders.pod.model, runner_options(orders.pod)),
        processes=processes,
        connections=connections,
        meter=meter,
        hands=Hands(orders.hands),
    )


def _nvml(orders: Orders) -> "Nvml":
    # pynvml takes some MiB, which a pod without GPUs does not have to have.
    from stoker_sidecar.gpu import Nvml, of_container, of_machine  # noqa: PLC0415

    if orders.gpu_devices is None:
        return Nvml(of_container(orders.hands / wire.GPUS_FILE))
    return Nvml(of_machine(orders.gpu_devices))


def _ways(
    orders: Orders,
    environment: Mapping[str, str],
    keeper: Keeper,
    observer: Observer,
    ollama: Ollama,
) -> Ways:
    address = environment.get("POD_IP")
    host = f"[{address}]" if address and ":" in address else address
    # The OpenAI-compatible API cannot carry options: where they are not the server's own, a
    # request on it would have the model loaded anew. In a pod the context is the server's own.
    others = orders.pod.batch is not None or orders.pod.threads is not None
    asks = {wire.Api.OLLAMA} if others or not address else {wire.Api.OLLAMA, wire.Api.OPENAI}
    return Ways(
        Routes(ollama),
        Plan(f"http://{host}:{wire.OLLAMA_PORT}" if host else None, frozenset(asks)),
        routing=lambda: keeper.settings.wanted.heat.routing,
        is_hot=lambda: keeper.last.verdict.is_hot,
        on_own=observer.found_route,
    )


async def _told_to_end() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        # A second one ends it without waiting any longer.
        loop.add_signal_handler(number, os._exit, 130)
