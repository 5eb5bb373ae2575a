"""The gate: the pod condition `stoker.dev/hot`, kept like what the sidecar wants it to be.

`want` says what the gate should be, and `run` sees to it that the API server says the same: the
first write at once, a failed one again until it sticks. Only the newest wish counts, and a wish
that is fulfilled already writes nothing. How fast: `pace.py`.

Outside Kubernetes there is no gate; readiness is `/readyz` alone.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import StrEnum
from typing import Any

from stoker_api.wire import HotCondition
from stoker_sidecar.apiserver import ApiServerError, AwayError, GoneError, Pod, PodClient
from stoker_sidecar.pace import TEMPO, Pace, Tempo, same_gate

_log = logging.getLogger(__name__)

_AT_ONCE = 0.0
"""As a time limit: one that is over."""


class WriteResult(StrEnum):
    """How a write ended."""

    WRITTEN = "written"
    REFUSED = "refused"
    """The API server said no: a person has to do something."""
    FAILED = "failed"
    """No answer in time, or one that says: later."""
    OVERTAKEN = "overtaken"
    """An opening that was given up because heat was lost meanwhile."""


class _OvertakenError(AwayError):
    """What was under way must not go on."""


class Gate:
    """The pod condition of one pod."""

    def __init__(
        self,
        client: PodClient,
        *,
        tempo: Tempo = TEMPO,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._tempo = tempo
        self._clock = clock
        self._chance = chance
        self._pace = Pace(tempo)
        self._wanted: HotCondition | None = None
        self._stored: HotCondition | None = None
        self._changed = asyncio.Event()
        self._looked = False
        self._look_at = 0.0
        self._limit: asyncio.Timeout | None = None
        """The time limit of what is under way, where a loss of heat may end it."""
        self._asking: asyncio.Task[bool | None] | None = None
        self._asked_at = 0.0
        self.writes: Counter[WriteResult] = Counter()
        self.error: str | None = None
        """Why the newest wish is not fulfilled yet, in a sentence."""

    @property
    def in_step(self) -> bool:
        """Whether the API server is known to have what is wanted, but for the message."""
        return bool(self._wanted and self._stored and same_gate(self._wanted, self._stored))

    def want(self, condition: HotCondition) -> None:
        """Says what the gate should be from now on."""
        before, self._wanted = self._wanted, condition
        if condition == before:
            return
        self._changed.set()
        lost = before is not None and before.hot and not condition.hot
        if lost and self._limit and not self._limit.expired():
            self._limit.reschedule(_AT_ONCE)

    async def run(self) -> None:
        """Keeps the API server's copy like what is wanted, until cancelled."""
        while True:
            self._changed.clear()
            await self._step()

    async def leaving(self) -> bool | None:
        """Whether the pod is on its way out; None where the API server cannot say.

        A deletion is known there before the pod's `preStop` hooks run. A kubelet that evicts says
        so at the same time as it runs them: who waits for the end of a drain should ask again.
        """
        now = self._clock()
        asking = self._asking
        if not asking or (asking.done() and now - self._asked_at > self._tempo.leaving_known):
            self._asked_at = now
            asking = self._asking = asyncio.create_task(self._ask_leaving())
        return await asyncio.shield(asking)

    async def close(self) -> None:
        """Ends what `leaving` may have under way."""
        if self._asking:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask_leaving(self) -> bool | None:
        try:
            async with asyncio.timeout(self._tempo.patience):
                return (await self._client.look()).leaving
        except GoneError:
            return True
        except (ApiServerError, TimeoutError):
            return None

    async def _step(self) -> None:
        """Looks, or writes, or waits until one of it is due or something has changed."""
        wanted, now = self._wanted, self._clock()
        if wanted is None:
            await self._changed.wait()
            return
        due = self._pace.due(wanted, self._stored, now)
        if not self._looked or (due is None and self._look_at <= now):
            await self._look()
        elif due is not None and due <= now:
            await self._write(wanted)
        else:
            await self._wait((self._look_at if due is None else due) - now)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass  # it is due

    async def _look(self) -> None:
        """Learns what the API server has.

        Before the first write, so that the time of a transition survives a restart of the sidecar,
        and a gate that is right already is left alone. In vain, it is written all the same.
        """
        self._looked = True
        try:
            pod = await self._ask(self._client.look(), gives_way=True)
        except ApiServerError:
            self._look_at = self._clock() + self._tempo.check_again
        else:
            self._stored = pod.condition
            self._look_at = self._clock() + self._tempo.check

    async def _write(self, wanted: HotCondition) -> None:
        self._pace.sent(wanted, self._clock())
        sent = self._dated(wanted)
        self._stored = None  # until the answer is there nobody knows
        try:
            pod = await self._ask(self._client.write(sent), gives_way=wanted.hot)
            if pod.condition is None or pod.condition.hot != sent.hot:
                raise AwayError(
                    "the API server took the gate and has not kept it: something in the cluster,"
                    " perhaps an admission webhook, changes pods/status"
                )
        except ApiServerError as error:
            self._failed(error)
        else:
            self._succeeded(sent)

    async def _ask(self, call: Coroutine[Any, Any, Pod], *, gives_way: bool) -> Pod:
        """The answer, within the time limit; one that gives way ends when heat is lost."""
        limit = asyncio.timeout(self._tempo.patience)
        try:
            async with limit:
                self._limit = limit if gives_way else None
                return await call
        except TimeoutError as error:
            if limit.when() == _AT_ONCE:
                raise _OvertakenError("heat was lost before the gate was open") from error
            raise AwayError(
                f"the API server has not answered within {self._tempo.patience:g} s"
            ) from error
        finally:
            self._limit = None

    def _dated(self, wanted: HotCondition) -> HotCondition:
        """The wish, with the time of an earlier transition where this is none."""
        stored = self._stored
        if stored and stored.hot == wanted.hot and stored.last_transition_time:
            return replace(wanted, last_transition_time=stored.last_transition_time)
        return wanted

    def _succeeded(self, sent: HotCondition) -> None:
        self._stored = sent
        self._pace.succeeded()
        self.writes[WriteResult.WRITTEN] += 1
        self.error = None
        _log.info(
            "gate written",
            extra={"hot": sent.hot, "reason": sent.reason, "sentence": sent.message},
        )

    def _failed(self, error: ApiServerError) -> None:
        now = self._clock()
        if isinstance(error, _OvertakenError):
            result = WriteResult.OVERTAKEN
        elif isinstance(error, AwayError):
            result = WriteResult.FAILED
            self._pace.failed(
                now, self._chance(), refused=False, told_seconds=error.retry_after_seconds
            )
        else:
            result = WriteResult.REFUSED
            self._pace.failed(now, self._chance(), refused=True)
        self.writes[result] += 1
        # A write without an answer may still be carried out, behind the one that comes next.
        self._look_at = now + self._tempo.patience
        if str(error) != self.error and result is not WriteResult.OVERTAKEN:
            self.error = str(error)
            _log.warning("gate not written", extra={"sentence": self.error})
