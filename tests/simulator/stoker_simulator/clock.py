"""The simulator's time: real, faster than real, or moved by hand.

Everything that waits for time to pass waits here, so that five hours take no longer than the
control port needs to say so.
"""

import asyncio
import functools
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable

from stoker_simulator.go_time import SECOND

# Most timers are cancelled long before they are due; so many of those are kept.
_MOST_CANCELLED = 100


class Timer:
    """Something that is due at a certain time."""

    def __init__(self, due: int, work: Callable[[], object], cancelled: Callable[[], None]) -> None:
        self.due = due
        self.work: Callable[[], object] | None = work
        self._cancelled = cancelled

    def cancel(self) -> None:
        if self.work is not None:
            self.work = None
            self._cancelled()


class Clock:
    """Time that runs `speed` times as fast as real time; at 0 it stands still until it is moved.

    `settle` returns when nothing is under way that takes no time: when time is moved, all that the
    first due moment causes is done before the next one comes.
    """

    def __init__(self, speed: float = 1, start: int | None = None) -> None:
        self._speed = speed
        self._base = time.time_ns() if start is None else start
        self._origin = time.monotonic_ns()
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0
        self.settle: Callable[[], Awaitable[None]] = _nothing

    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self._base + int((time.monotonic_ns() - self._origin) * self._speed)

    def call_later(self, nanoseconds: int, work: Callable[[], object]) -> Timer:
        """Calls `work` when so much time has passed."""
        timer = Timer(self.now() + nanoseconds, work, self._count_cancelled)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        self._arm()
        return timer

    @property
    def timers(self) -> int:
        """How many timers are kept, the cancelled ones included."""
        return len(self._timers)

    async def sleep(self, nanoseconds: int) -> None:
        """Returns when so much time has passed."""
        if nanoseconds <= 0:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(nanoseconds, functools.partial(woken.set_result, None))
        try:
            await woken
        finally:
            timer.cancel()

    async def advance(self, nanoseconds: int) -> None:
        """Moves time ahead, from one due moment to the next."""
        end = self.now() + nanoseconds
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            self._set(max(self._timers[0][0], self.now()))
            self._run_due()
            await self.settle()
        self._set(max(end, self.now()))

    def _set(self, now: int) -> None:
        self._base += now - self.now()

    def _run_due(self) -> None:
        while self._timers and self._timers[0][0] <= self.now():
            timer = heapq.heappop(self._timers)[2]
            work, timer.work = timer.work, None
            if work is None:
                self._cancelled -= 1
            else:
                work()
        self._arm()

    def _count_cancelled(self) -> None:
        """Throws the cancelled timers away when they are most of all."""
        self._cancelled += 1
        if self._cancelled > max(_MOST_CANCELLED, len(self._timers) // 2):
            self._timers = [entry for entry in self._timers if entry[2].work is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def _arm(self) -> None:
        """Has the event loop wake us for the first timer, unless time stands still."""
        if not self._timers or not self._speed:
            return
        due = self._timers[0][0]
        if self._alarm is not None:
            if self._alarm_at <= due:
                return
            self._alarm.cancel()
        self._alarm_at = due
        seconds = (due - self.now()) / SECOND / self._speed
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._run_due()


async def _nothing() -> None:
    """There is nothing to wait for."""
