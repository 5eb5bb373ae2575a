"""The work queue: which LLMDeployment is looked at next, and when again.

A key that is added twice before its pass is passed once; one that is added during its pass is
passed once more. A pass that fails is tried again, later each time. An event does not wait for
that: what has happened may be the very repair. It does wait where the API server has said when to
come back.
"""

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stoker_operator.errors import StokerError

Key = tuple[str, str]
"""Namespace and name."""

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 300.0
_JITTER = 0.25
"""A quarter longer or shorter: what failed together does not come back together."""

_log = logging.getLogger(__name__)


def retry_seconds(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row; `chance` is from 0 to 1."""
    doublings = min(failures - 1, 16)  # beyond any limit, and no overflow
    wait = min(_FIRST_RETRY_SECONDS * 2**doublings, _LAST_RETRY_SECONDS)
    return float(wait * (1 - _JITTER + 2 * _JITTER * chance))


@dataclass(frozen=True)
class Figures:
    """What goes on, for the metrics."""

    waiting: int
    """Keys whose time has come and whose pass has not begun."""
    longest_wait_seconds: float
    running: int
    longest_pass_seconds: float
    retrying: int
    """Keys whose last pass failed."""


class Agenda:
    """Which key is due when. It knows no clock: its callers say what time it is."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._order: list[tuple[float, int, Key]] = []
        """Of `_due`, with entries that are outdated by now."""
        self._serial = itertools.count()
        self._running: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._held: dict[Key, float] = {}
        """Keys that the API server has told when to come back."""

    def add(self, key: Key, at: float) -> None:
        """Wants a pass at that time; an earlier one that is wanted already will do."""
        at = max(at, self._held.get(key, at))
        if at >= self._due.get(key, float("inf")):
            return
        self._due[key] = at
        if key not in self._running:  # otherwise in `finished`
            heapq.heappush(self._order, (at, next(self._serial), key))

    def take(self, now: float) -> Key | None:
        """The key that has been due longest, whose pass begins with this."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, _, key = heapq.heappop(self._order)
        del self._due[key]
        self._held.pop(key, None)
        self._running[key] = now
        return key

    def next_at(self) -> float | None:
        """When the next pass can begin; None where none is wanted."""
        while self._order:
            at, _, key = self._order[0]
            if self._due.get(key) == at and key not in self._running:
                return at
            heapq.heappop(self._order)
        return None

    def finished(self, key: Key) -> None:
        """Its pass is over; one that was wanted meanwhile can begin."""
        del self._running[key]
        if key in self._due:
            heapq.heappush(self._order, (self._due[key], next(self._serial), key))

    def succeeded(self, key: Key) -> None:
        self._failures.pop(key, None)

    def failed(self, key: Key, now: float, chance: float, told_seconds: float | None) -> float:
        """Wants another pass; in how many seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        seconds = retry_seconds(self._failures[key], chance)
        if told_seconds is not None:
            seconds = max(seconds, min(told_seconds, _LAST_RETRY_SECONDS))
            self._held[key] = now + seconds
            if key in self._due:  # wanted before the API server said so
                self._due[key] = max(self._due[key], now + seconds)
        self.add(key, now + seconds)
        return seconds

    def forget(self, key: Key) -> None:
        """Nothing is wanted of a key that no longer stands for anything."""
        for known in (self._due, self._failures, self._held):
            known.pop(key, None)

    def figures(self, now: float) -> Figures:
        waits = [now - at for key, at in self._due.items() if at <= now]
        passes = [now - began for began in self._running.values()]
        return Figures(
            waiting=len(waits),
            longest_wait_seconds=max(waits, default=0.0),
            running=len(passes),
            longest_pass_seconds=max(passes, default=0.0),
            retrying=len(self._failures),
        )


class WorkQueue:
    """Passes for keys, each key's one after the other, several keys' at the same time."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._agenda = Agenda()
        self._changed = asyncio.Event()
        self._passes: set[asyncio.Task[None]] = set()
        self._grace_seconds: float | None = None
        """How long passes may go on; None while there is no end in sight."""
        self.succeeded = 0
        self.failed = 0

    @property
    def figures(self) -> Figures:
        return self._agenda.figures(self._clock())

    @property
    def is_idle(self) -> bool:
        """Whether no pass is under way and none could begin now."""
        figures = self.figures
        return figures.waiting == figures.running == 0

    def add(self, key: Key) -> None:
        """Wants a pass now."""
        self.add_after(key, 0)

    def add_after(self, key: Key, seconds: float) -> None:
        """Wants a pass in so many seconds, or earlier if another reason comes first."""
        self._agenda.add(key, self._clock() + seconds)
        self._changed.set()

    def forget(self, key: Key) -> None:
        """Wants nothing more for this key. A pass that is under way goes on."""
        self._agenda.forget(key)

    def stop(self, grace_seconds: float) -> None:
        """Lets `run` return: no pass begins; those under way are cancelled after the grace."""
        self._grace_seconds = grace_seconds
        self._changed.set()

    async def run(self, process: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Makes the passes until stopped. Cancelled, it cancels those that are under way."""
        try:
            while self._grace_seconds is None:
                self._changed.clear()
                self._begin_passes(process, workers)
                await self._wait(workers)
            if self._passes:
                await asyncio.wait(self._passes, timeout=self._grace_seconds)
        finally:
            for each in self._passes:
                each.cancel()
            await asyncio.gather(*self._passes, return_exceptions=True)

    def _begin_passes(self, process: Callable[[Key], Awaitable[None]], workers: int) -> None:
        now = self._clock()
        while len(self._passes) < workers and (key := self._agenda.take(now)):
            task = asyncio.create_task(self._pass(process, key), name="/".join(key))
            self._passes.add(task)
            task.add_done_callback(self._ended)

    async def _wait(self, workers: int) -> None:
        """Until a pass may be able to begin."""
        next_at = self._agenda.next_at() if len(self._passes) < workers else None
        try:
            async with asyncio.timeout(None if next_at is None else next_at - self._clock()):
                await self._changed.wait()
        except TimeoutError:
            pass  # it is due

    async def _pass(self, process: Callable[[Key], Awaitable[None]], key: Key) -> None:
        try:
            await process(key)
        except Exception as error:  # noqa: BLE001 - one key's trouble must not stop the others
            self._fail(key, error)
        else:
            self._agenda.succeeded(key)
            self.succeeded += 1
        finally:
            self._agenda.finished(key)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._passes.discard(task)
        self._changed.set()

    def _fail(self, key: Key, error: Exception) -> None:
        told_seconds = getattr(error, "retry_after_seconds", None)  # an ApiError's
        seconds = self._agenda.failed(key, self._clock(), self._chance(), told_seconds)
        self.failed += 1
        foreseen = isinstance(error, StokerError)  # its sentence says it all
        _log.log(
            logging.WARNING if foreseen else logging.ERROR,
            "pass failed",
            extra={
                "namespace": key[0],
                "llmdeployment": key[1],
                "sentence": str(error),
                "retry_seconds": round(seconds, 1),
            },
            exc_info=None if foreseen else error,
        )
