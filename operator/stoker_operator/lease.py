"""Leadership: of several operators one works, by a Lease as Kubernetes' own controllers have it.

Clocks of machines differ, so nobody reads the times that are written there: a Lease is over when it
has not changed for its duration by the clock of the one who looks. Whoever has it gives up well
before that. No two can write the same version of a Lease; the API server sees to it.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Protocol

from stoker_operator.api_errors import ClusterError, ConflictError
from stoker_operator.desired import Manifest
from stoker_operator.errors import StokerError

API_VERSION = "coordination.k8s.io/v1"
KIND = "Lease"

_log = logging.getLogger(__name__)


class LeadershipLostError(StokerError):
    """Somebody else may lead by now."""


class Leases(Protocol):
    """What is needed of a client for the API server."""

    async def get(
        self, api_version: str, kind: str, namespace: str, name: str
    ) -> Manifest | None: ...

    async def create(self, manifest: Mapping[str, Any]) -> Manifest: ...

    async def replace(self, manifest: Mapping[str, Any]) -> Manifest: ...


@dataclass(frozen=True)
class Candidate:
    """Who wants to lead what."""

    namespace: str
    name: str
    holder: str
    """This process and no other, not even its successor in the same pod."""


@dataclass(frozen=True)
class Tempo:
    """How long things take; Kubernetes' own controllers use the same figures."""

    duration_seconds: int = 15
    """A Lease that has not changed for so long is anybody's."""
    deadline_seconds: float = 10.0
    """A leader that has not renewed its Lease for so long leads no more."""
    period_seconds: float = 2.0
    """Between two attempts."""
    attempt_seconds: float = 4.0
    """For one attempt; the deadline leaves time for a second."""


TEMPO = Tempo()
_JITTER = 0.2


class Turn(Enum):
    """What a candidate may do with a Lease."""

    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def decide(lease: Manifest | None, observed_at: float, me: str, now: float) -> Turn:
    """What `me` may do with a Lease that has been as it is since `observed_at`."""
    spec = _spec(lease)
    if not spec.get("holderIdentity"):
        return Turn.TAKE
    if spec["holderIdentity"] == me:
        return Turn.RENEW
    over_at = observed_at + (spec.get("leaseDurationSeconds") or 0)
    return Turn.TAKE if now >= over_at else Turn.WAIT


def taken(lease: Manifest | None, who: Candidate, duration_seconds: int, at: datetime) -> Manifest:
    """The Lease, taken or renewed by `who`. Its times are for people to read."""
    before = _spec(lease)
    spec = {
        "holderIdentity": who.holder,
        "leaseDurationSeconds": duration_seconds,
        "renewTime": _micro_time(at),
        "acquireTime": _micro_time(at),
        "leaseTransitions": (before.get("leaseTransitions") or 0) + (1 if lease else 0),
    }
    if before.get("holderIdentity") == who.holder:
        kept = ("acquireTime", "leaseTransitions")
        spec |= {name: before[name] for name in kept if name in before}
    if lease:
        return {**lease, "spec": {**before, **spec}}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"namespace": who.namespace, "name": who.name},
        "spec": spec,
    }


def released(lease: Manifest, at: datetime) -> Manifest:
    """The Lease, free for anybody."""
    spec = {**_spec(lease), "leaseDurationSeconds": 1, "renewTime": _micro_time(at)}
    del spec["holderIdentity"]
    return {**lease, "spec": spec}


def _spec(lease: Manifest | None) -> Manifest:
    return (lease or {}).get("spec") or {}


def _micro_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leadership:
    """One candidate's part in it."""

    def __init__(
        self,
        leases: Leases,
        who: Candidate,
        tempo: Tempo = TEMPO,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._leases = leases
        self._who = who
        self._tempo = tempo
        self._clock = clock
        self._chance = chance
        self._lease: Manifest | None = None
        """As it was last seen or written."""
        self._observed_at = clock()
        """When it was first seen like that."""
        self._is_current = False
        """Whether it is what we wrote last, as far as anybody can know."""
        self._renewed_at: float | None = None
        """When our last write that succeeded was sent; None for who does not lead."""
        self._complaint = ""

    @property
    def is_leading(self) -> bool:
        """Whether nobody else can lead now; false at once after a stop that was too long."""
        return self._left() > 0

    @property
    def holder(self) -> str | None:
        """Who leads, as far as is known."""
        holder: str | None = _spec(self._lease).get("holderIdentity")
        return holder

    @asynccontextmanager
    async def held(self) -> AsyncIterator[asyncio.Task[None]]:
        """Leadership: waited for, kept while the block lasts, and then given back.

        The task that the block is given ends with LeadershipLostError if it is lost before.
        """
        while not await self._attempt(self._tempo.attempt_seconds):
            await self._pause(self._tempo.period_seconds)
        _log.info("leadership taken", extra={"holder": self._who.holder})
        keeping = asyncio.create_task(self._keep(), name="leadership")
        try:
            yield keeping
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._release()

    async def _keep(self) -> None:
        """Renews the Lease until that has not worked for too long, or it is no longer ours."""
        while True:
            await self._pause(min(self._tempo.period_seconds, self._left()))
            seconds = min(self._tempo.attempt_seconds, self._left())
            if seconds > 0 and await self._attempt(seconds):
                continue
            if self.holder != self._who.holder:
                self._renewed_at = None
                raise self._lost(f"is {self.holder or 'nobody'}'s")
            if not self.is_leading:
                why = self._complaint or "this process did not get to run"
                seconds = self._tempo.deadline_seconds
                raise self._lost(f"could not be renewed for {seconds:g} s: {why}")

    def _lost(self, how: str) -> LeadershipLostError:
        lease = f"{self._who.namespace}/{self._who.name}"
        return LeadershipLostError(f"leadership is lost: the Lease {lease} {how}")

    async def _release(self) -> None:
        """Lets the next one lead at once."""
        if not self.is_leading:
            return
        self._renewed_at = None
        try:
            async with asyncio.timeout(self._tempo.attempt_seconds):
                await self._look()
                if self._lease and self.holder == self._who.holder:
                    await self._leases.replace(released(self._lease, datetime.now(UTC)))
        except (ClusterError, TimeoutError) as error:
            _log.warning("leadership not given back", extra={"sentence": str(error)})
        else:
            _log.info("leadership given back", extra={"holder": self._who.holder})

    async def _attempt(self, seconds: float) -> bool:
        """Whether the Lease is ours by this attempt to take or renew it."""
        try:
            async with asyncio.timeout(seconds):
                await self._look()
                return await self._write()
        except ConflictError:
            return False  # somebody was faster, or a write of ours without an answer: look again
        except TimeoutError:
            self._complain(f"the API server has not answered within {seconds:.1f} s")
        except ClusterError as error:
            self._complain(str(error))
        return False

    async def _look(self) -> None:
        """Learns how the Lease is, unless we have just written it."""
        if self._is_current:
            return
        who = self._who
        before = self.holder
        lease = await self._leases.get(API_VERSION, KIND, who.namespace, who.name)
        if _spec(lease) != _spec(self._lease):
            self._observed_at = self._clock()
        self._lease = lease
        if self.holder not in (None, before, who.holder):
            _log.info("another leads", extra={"holder": self.holder})

    async def _write(self) -> bool:
        sent_at = self._clock()
        turn = decide(self._lease, self._observed_at, self._who.holder, sent_at)
        if turn is Turn.WAIT or (turn is Turn.TAKE and self._renewed_at is not None):
            return False  # who leads and may take it has lost it before
        duration = self._tempo.duration_seconds
        wanted = taken(self._lease, self._who, duration, datetime.now(UTC))
        self._is_current = False  # until the answer is there nobody knows
        put = self._leases.replace if self._lease else self._leases.create
        self._lease = await put(wanted)
        self._is_current = True
        self._observed_at = self._clock()
        self._renewed_at = sent_at
        self._complaint = ""
        return True

    def _left(self) -> float:
        """For how long we lead if no attempt succeeds any more."""
        if self._renewed_at is None:
            return 0.0
        return max(0.0, self._renewed_at + self._tempo.deadline_seconds - self._clock())

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (1 - _JITTER * self._chance()))

    def _complain(self, sentence: str) -> None:
        """Says what is wrong, once."""
        if sentence != self._complaint:
            self._complaint = sentence
            _log.warning("lease not written", extra={"sentence": sentence})
