"""The newest measurement of the GPUs, and whether it is of what is loaded now."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from stoker_sidecar.heat.observation import Gpus, Identity, Processes
from stoker_sidecar.question import Question

if TYPE_CHECKING:  # at run time it is there only where there are GPUs
    from stoker_sidecar.gpu import Nvml

MEASURE_SECONDS = 1.0
"""How often the GPUs are measured."""

EMPTY_SECONDS = 3.0
"""How long nothing must have been loaded for what is used to be the GPUs' baseline. The memory of a
process that has ended lingers for a moment."""

_NOTHING = Gpus((), unknown=None, lost=None, runner_bytes=None, baseline_bytes=None, busy=None)


class GpuMeter:
    """Measures now and then, and at once when what is loaded has changed."""

    def __init__(
        self, nvml: "Nvml", wake: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nvml = nvml
        self._wake = wake
        self._clock = clock
        self._question = Question()
        self._gpus = _NOTHING
        self._processes: Processes | None = None
        self._is_empty = False
        self._began_at = -MEASURE_SECONDS
        self._changed_at = clock()
        self._filled_at = clock()
        self._measured_at = -1.0
        """When the newest measurement was begun."""

    @property
    def failures(self) -> int:
        """How often NVML could not tell."""
        return self._nvml.failures

    def newest(self) -> Gpus:
        """The GPUs; what was measured before a change says nothing of the model any more."""
        if self._measured_at > self._changed_at:
            return self._gpus
        return replace(self._gpus, pending=True, runner_bytes=None, busy=None)

    def beat(self, processes: Processes | None, *, empty: bool) -> None:
        """Measures if it is time. `empty`: no model is loaded."""
        if _runner(processes) != _runner(self._processes):
            self.changed()
        self._processes, self._is_empty = processes, empty
        if not empty:
            self._filled_at = self._clock()
        if self._clock() - self._began_at >= MEASURE_SECONDS:
            self._measure()

    def changed(self) -> None:
        """Something was loaded, or is gone: what was measured before it does not count."""
        self._changed_at = self._clock()
        self._measure()

    async def close(self) -> None:
        await self._question.close()
        self._nvml.close()

    def _measure(self) -> None:
        self._question.ask(self._read)

    async def _read(self) -> None:
        while True:
            began = self._began_at = self._clock()
            runner = _runner(self._processes)
            idle = self._is_empty and began - self._filled_at > EMPTY_SECONDS
            self._gpus = await self._nvml.read(runner[0] if runner else None, idle=idle)
            self._measured_at = began
            if began > self._changed_at:
                break
            await asyncio.sleep(0)  # the clock may be as coarse as this is quick
        self._wake()


def _runner(processes: Processes | None) -> Identity | None:
    return processes.runner.identity if processes and processes.runner else None
