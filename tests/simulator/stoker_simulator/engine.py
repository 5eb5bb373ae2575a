"""The scheduler with hands: real runner processes, real time, and the requests that wait."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stoker_simulator import runners
from stoker_simulator.clock import Clock, Timer
from stoker_simulator.effects import Check, Effect, End, Grant, Load, Refuse
from stoker_simulator.errors import ApiError
from stoker_simulator.faults import Faults
from stoker_simulator.go_time import SECOND
from stoker_simulator.hardware import Hardware
from stoker_simulator.requests import Request
from stoker_simulator.runners import RunnerProcess
from stoker_simulator.scheduler import Scheduler

CHECK_TIMEOUT = 10 * SECOND
# How many turns of the event loop without an event count as rest.
_IDLE_TURNS = 5
# How often a load looks whether the runner still makes progress.
LOAD_STEPS = 20


@dataclass
class Holding:
    """A runner with its process, as answers use it."""

    process: RunnerProcess
    load: Load
    slots: asyncio.Semaphore
    is_cold: bool = True
    """Whether nothing was asked of it yet: the first token takes longer."""
    on_gpu: int = 0
    """What really lies in the GPU's memory, whatever is told."""
    answers: int = 0
    """How many answers it is giving."""

    @property
    def gpu_share(self) -> float:
        return self.on_gpu / max(1, self.load.placement.bytes)


@dataclass(frozen=True)
class Site:
    """Where runners run."""

    clock: Clock
    hardware: Hardware
    faults: Faults
    program: Path
    load_timeout: int
    """Nanoseconds that a load may go on without progress."""
    parallel: int


class Engine:
    """Runs what the scheduler decides."""

    def __init__(self, scheduler: Scheduler, site: Site) -> None:
        self.scheduler = scheduler
        self.clock = site.clock
        self.hardware = site.hardware
        self.faults = site.faults
        self.holdings: dict[int, Holding] = {}
        self.leaked_bytes = 0
        """What runners left behind in the GPU's memory."""
        self.listeners: list[Callable[[str], None]] = []
        """Called with what happened: `loaded`, `unloaded`, `answered`, `pulled`, or "" for less."""
        self._site = site
        self._granted: dict[int, asyncio.Future[int]] = {}
        self._loading: dict[int, RunnerProcess | None] = {}
        self._aborted: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None
        self._ids = itertools.count(1)

    def next_id(self) -> int:
        """A number for a request."""
        return next(self._ids)

    @asynccontextmanager
    async def runner(self, request: Request) -> AsyncIterator[Holding]:
        """A runner for this request, for as long as the block lasts; ApiError if there is none."""
        granted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._granted[request.id] = granted
        self.scheduler.submit(request, self.clock.now())
        self.carry_out()
        try:
            yield self.holdings[await granted]
        finally:
            del self._granted[request.id]
            self._leave(request, granted)

    def unload(self, key: str) -> None:
        """Lets the model with these weights leave when its requests are done."""
        self.scheduler.unload(key, self.clock.now())
        self.carry_out()

    def carry_out(self) -> None:
        """Does what the scheduler wants done now."""
        while effects := self.scheduler.take():
            for effect in effects:
                self._do(effect)
        self._arm()

    def happened(self, event: str) -> None:
        """Tells whoever listens."""
        for listener in self.listeners:
            listener(event)

    def kill_all(self) -> None:
        """Ends every runner, as a server does that is shut down."""
        for process in self._processes():
            process.kill_now()

    def _processes(self) -> list[RunnerProcess]:
        loading = [process for process in self._loading.values() if process is not None]
        return [*loading, *(holding.process for holding in self.holdings.values())]

    async def settle(self) -> None:
        """Returns when everything has been done that takes no time."""
        idle = 0
        while idle < _IDLE_TURNS:
            await asyncio.sleep(0)
            busy = [process for process in self._processes() if process.is_moving]
            if busy:
                with suppress(TimeoutError):
                    await asyncio.wait_for(busy[0].moved(), 1)
            idle = 0 if busy or None in self._loading.values() else idle + 1

    # Requests

    def _leave(self, request: Request, granted: asyncio.Future[int]) -> None:
        if granted.done() and not granted.cancelled() and granted.exception() is not None:
            return
        if request.id in self._loading:
            # The client has hung up: nobody wants this load any more.
            self._aborted.add(request.id)
            process = self._loading[request.id]
            if process is not None:
                process.kill_now()
        self.scheduler.finish(request, self.clock.now())
        self.carry_out()

    # Effects

    def _do(self, effect: Effect) -> None:
        match effect:
            case Check():
                self._check(effect)
            case Load():
                self._start(self._load(effect))
            case End():
                self._start(self._end(effect))
            case Grant():
                self._answer(effect.request).set_result(effect.runner_id)
            case Refuse():
                self._answer(effect.request).set_exception(ApiError(effect.status, effect.message))

    def _answer(self, request: Request) -> asyncio.Future[int]:
        """Where the request waits, or a place that nobody looks at if it has gone."""
        waiting = self._granted.get(request.id)
        if waiting is not None and not waiting.done():
            return waiting
        nobody: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        nobody.add_done_callback(lambda done: done.exception())
        return nobody

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check(self, check: Check) -> None:
        answer = self.holdings[check.runner_id].process.ping()
        timer = self.clock.call_later(CHECK_TIMEOUT, answer.cancel)

        def checked(answer: asyncio.Future[None]) -> None:
            timer.cancel()
            healthy = not answer.cancelled() and answer.exception() is None
            self.scheduler.checked(check, is_healthy=healthy, now=self.clock.now())
            self.carry_out()

        answer.add_done_callback(checked)

    async def _load(self, load: Load) -> None:
        self._loading[load.request.id] = None
        process = await runners.start(self._site.program, Path(load.request.key))
        self._loading[load.request.id] = process
        process.ended.add_done_callback(lambda _: self.happened(""))
        failure = await self._failure_of_load(load, process)
        del self._loading[load.request.id]
        self._aborted.discard(load.request.id)
        if failure is None:
            slots = asyncio.Semaphore(self._site.parallel)
            on_gpu = self.faults.real_gpu_bytes(load.placement)
            self.holdings[load.runner_id] = Holding(process, load, slots, on_gpu=on_gpu)
        else:
            await process.kill()
        self.scheduler.load_ended(load, failure, self.clock.now())
        self.carry_out()
        self.happened("" if failure else "loaded")

    async def _failure_of_load(self, load: Load, process: RunnerProcess) -> str | None:
        """None when the model is in memory, or why it is not."""
        seconds = self.faults.number("slow-disk", "factor", 1) * self.hardware.load_seconds(
            load.request.demand
        )
        crashes = self.faults.is_on("crash-loop")
        for step in range(LOAD_STEPS):
            if load.request.id in self._aborted:
                return "timed out waiting for llama runner to start: context canceled"
            if crashes and step:
                process.kill_now()
            await self.either(process.ended, int(seconds * SECOND / LOAD_STEPS))
            answer = process.ping()
            await self.either(answer, self._site.load_timeout)
            if self.faults.is_on("load-stall"):
                await self.clock.sleep(self._site.load_timeout)
            if process.ended.done() or (answer.done() and answer.exception()):
                return "llama runner process has terminated: signal: killed"
            if not answer.done() or self.faults.is_on("load-stall"):
                progress = step / LOAD_STEPS
                return f"timed out waiting for llama runner to start - progress {progress:.2f} - "
        return None

    async def either(self, event: asyncio.Future[Any], nanoseconds: int) -> None:
        """Returns when the event has come, or this time has passed."""
        alarm = asyncio.ensure_future(self.clock.sleep(nanoseconds))
        await asyncio.wait([event, alarm], return_when=asyncio.FIRST_COMPLETED)
        alarm.cancel()

    async def _end(self, end: End) -> None:
        holding = self.holdings[end.runner_id]
        process = holding.process
        stuck: asyncio.Future[Any] = asyncio.ensure_future(self.faults.until_over("stuck-stopping"))
        # Whoever kills the process from outside cures it.
        await asyncio.wait([stuck, process.ended], return_when=asyncio.FIRST_COMPLETED)
        stuck.cancel()
        await process.kill()
        if self.faults.is_on("vram-leak"):
            self.leaked_bytes += holding.on_gpu
        del self.holdings[end.runner_id]
        self.scheduler.ended(end.runner_id, self.clock.now())
        self.carry_out()
        self.happened("unloaded")

    # Time

    def _arm(self) -> None:
        deadline = self.scheduler.deadline()
        if self._timer is not None:
            if deadline == self._timer.due:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self.clock.call_later(deadline - self.clock.now(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.scheduler.tick(self.clock.now())
        self.carry_out()
