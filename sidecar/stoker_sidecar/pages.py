"""What the sidecar's HTTP server has to say."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest

from stoker_api import wire
from stoker_sidecar import VERSION
from stoker_sidecar.drain import Drain
from stoker_sidecar.figures import Figures
from stoker_sidecar.gate import Gate, WriteResult
from stoker_sidecar.heat import Wanted
from stoker_sidecar.keeper import Keeper
from stoker_sidecar.metrics import SidecarCollector
from stoker_sidecar.news import Change, is_alike
from stoker_sidecar.observe import Observer
from stoker_sidecar.page import Transition
from stoker_sidecar.report import Account, status
from stoker_sidecar.ways import Ways

STALE_SECONDS = 5.0
"""A verdict so much older than its heartbeat says nothing: the loop stands still."""

DEAD_SECONDS = 30.0
"""… and so much older, the sidecar has to be started anew."""

# An opening that was overtaken is nothing that anybody looks for.
_COUNTED = (WriteResult.WRITTEN, WriteResult.REFUSED, WriteResult.FAILED)

LOOK_SECONDS = 1.0
"""How often it is looked, for who follows the heat, whether the verdict has become so old."""


@dataclass(frozen=True)
class Parts:
    """Those that know something."""

    keeper: Keeper
    observer: Observer
    ways: Ways
    gate: Gate | None


class StokerPages:
    """Readiness, status, metrics and the page, from what the parts know."""

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keeper = parts.keeper
        self._observer = parts.observer
        self._ways = parts.ways
        self._gate = parts.gate
        self._clock = clock
        self._drain = Drain(parts.keeper, parts.observer, parts.gate)
        self._registry = CollectorRegistry()
        self._registry.register(SidecarCollector(self._figures))

    @property
    def model(self) -> str:
        return self._keeper.settings.wanted.pod.model

    def ready(self) -> tuple[bool, str]:
        """Whether the gate is open, as far as anybody has looked lately."""
        last = self._keeper.last
        age = self._age()
        if age > STALE_SECONDS:
            return False, f"Stale: the last look was {age:.0f} s ago"
        return last.gate.open, f"{last.gate.reason}: {last.gate.message}"

    def alive(self) -> tuple[bool, str]:
        age = self._age()
        return age <= DEAD_SECONDS, f"the last look was {age:.1f} s ago"

    async def heat(self) -> AsyncIterator[wire.HeatEvent | None]:
        """The gate as it is, and whenever it or its reason changes; None in times of silence."""
        change = self._keeper.news.next
        said, said_at = self._event(), self._clock()
        yield said
        while True:
            if await _came(change) and change.event and change.after:
                event, change = change.event, change.after
            else:
                event = self._event()
            is_silent = self._clock() - said_at >= wire.HEAT_SILENCE_SECONDS
            if not is_alike(event, said) or is_silent:
                yield None if is_alike(event, said) else event
                said, said_at = event, self._clock()

    def _event(self) -> wire.HeatEvent:
        last = self._keeper.last
        is_ready, why = self.ready()
        reason, _, message = why.partition(": ")
        return wire.HeatEvent(is_ready, last.verdict.state, reason, message)

    def status(self) -> wire.Status:
        """Everything that is known."""
        keeper = self._keeper
        account = Account(
            model=self.model,
            measurements=keeper.measurements,
            routes=self._ways.routes,
            counters=keeper.counts.totals(keeper.settings.errors),
            config_error=keeper.settings.error,
            blind=self._observer.blind,
            gate_error=self._gate.error if self._gate else None,
            told_wrong=self._observer.told_wrong,
            since=keeper.since,
        )
        return status(keeper.last, keeper.seen, account)

    def transitions(self) -> Sequence[Transition]:
        return tuple(self._keeper.transitions)

    def metrics(self) -> bytes:
        return generate_latest(self._registry)

    async def drain(self) -> str:
        return await self._drain.asked()

    def _age(self) -> float:
        interval = self._keeper.settings.wanted.heat.heartbeat.interval_seconds
        return max(0.0, self._clock() - self._keeper.stepped_at - interval)

    def _figures(self) -> Figures:
        traffic, gate = self._observer.traffic, self._gate
        listed = self._keeper.last.memory.watch.listed
        wanted = self._keeper.settings.wanted
        gpu = wanted.heat.gpu
        return Figures(
            status=self.status(),
            counts=self._keeper.counts,
            version=VERSION,
            offload_wanted_ratio=_offload_wanted_ratio(wanted),
            first_token_target_seconds=wanted.heat.warmup.target_first_token_seconds,
            expires_in_seconds=listed.expires_in_seconds if listed else None,
            vram_budget_bytes=gpu.memory_budget_bytes if gpu else None,
            connections_open=traffic.open if traffic else None,
            connections_busy=traffic.busy if traffic else None,
            nvml_errors=self._observer.nvml_failures,
            gate_in_step=gate.in_step if gate else None,
            gate_writes={result: gate.writes[result] for result in _COUNTED} if gate else {},
        )


def _offload_wanted_ratio(wanted: Wanted) -> float | None:
    """How much of the model should be on the GPU; None where none is wanted."""
    if not wanted.pod.gpus:
        return None
    gpu = wanted.heat.gpu
    return 1.0 if gpu is None or gpu.min_offload_ratio is None else gpu.min_offload_ratio


async def _came(change: Change) -> bool:
    """Whether the change has come, before it is time to look how old the verdict is."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await change.has_come.wait()
    except TimeoutError:
        return False
    return True
