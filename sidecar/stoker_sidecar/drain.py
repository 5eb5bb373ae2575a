"""Leaving without cutting anybody off.

On a pod's way out the kubelet calls `/drain` before it ends Ollama, and ends Ollama when the call
returns. So the call shuts the gate and returns when no answer is under way any more.

Anybody can call it; what it does depends on what the API server says of the pod. Of one that is not
leaving, nothing changes. If the API server cannot say, the caller is held until all is quiet, and
the gate stays as it is: while the API server is away, endpoints cannot change anyway.
"""

import asyncio
import time
from collections.abc import Callable

from stoker_sidecar.gate import Gate
from stoker_sidecar.heat.watch import IDLE_SECONDS
from stoker_sidecar.keeper import Keeper
from stoker_sidecar.observe import Observer
from stoker_sidecar.traffic import is_drained

LOOK_SECONDS = 1.0
"""How far two looks at the connections are apart."""

TELL_SECONDS = 3.0
"""How long a kubelet may take to tell the API server that it evicts a pod."""

SETTLE_SECONDS = 2.0
"""How long clients' proxies may take to learn that the gate is shut."""


class Drain:
    """Ends with the last answer, or with its time."""

    def __init__(
        self,
        keeper: Keeper,
        observer: Observer,
        gate: Gate | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper = keeper
        self._observer = observer
        self._gate = gate
        self._clock = clock

    async def asked(self) -> str:
        """What `/drain` answers, once it is time to."""
        if self._gate is None:
            return "this is no pod: end the sidecar with SIGTERM, and it drains by itself"
        leaving = await self._known_leaving(self._gate)
        if leaving is False:
            return "this pod is not leaving; nothing has been changed"
        if leaving:
            self._observer.leave()
        return await self._quiet()

    async def _known_leaving(self, gate: Gate) -> bool | None:
        """What the API server says, once the kubelet has had the time to tell it.

        A deletion is known there before anybody calls. A kubelet that evicts by itself calls while
        it is still telling.
        """
        asked = self._clock()
        while (leaving := await gate.leaving()) is False:
            if self._clock() - asked >= TELL_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return leaving

    async def leave(self) -> str:
        """Drains because the sidecar itself was told to end."""
        self._observer.leave()
        return await self._quiet()

    async def _quiet(self) -> str:
        """Waits until nothing is under way, and says what it waited for."""
        began = self._clock()
        timeout = self._keeper.settings.wanted.pod.drain_timeout_seconds
        before = self._observer.traffic
        while (waited := self._clock() - began) < timeout:
            if self._is_dead():
                return f"Ollama has ended; drained after {waited:.1f} s"
            await asyncio.sleep(min(LOOK_SECONDS, timeout - waited))
            if self._gate and not self._observer.leaving and await self._gate.leaving():
                self._observer.leave()
            after = self._observer.traffic
            settled = self._clock() - began >= SETTLE_SECONDS
            idle = before and after and is_drained(before, after, is_working=self._is_working())
            if settled and idle:
                return f"no answer is under way; drained after {self._clock() - began:.1f} s"
            before = after
        return f"the drain timeout of {timeout:g} s is over; answers may be under way still"

    def _is_dead(self) -> bool:
        seen = self._keeper.seen
        gone = seen.processes is not None and seen.processes.server is None
        return gone or seen.server.down

    def _is_working(self) -> bool:
        computed_at = self._keeper.last.memory.watch.computed_at
        return self._keeper.stepped_at - computed_at < IDLE_SECONDS
