"""Leadership: whose turn it is, and that no two ever lead.

The Lease is kept by a few lines that refuse a write of an outdated version, as the API server does;
tests/cluster has the API server itself.
"""

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker_operator.api_errors import ConflictError, UnreachableError
from stoker_operator.desired import Manifest
from stoker_operator.lease import (
    Candidate,
    Leadership,
    LeadershipLostError,
    Turn,
    decide,
)
from support.loops import now, run

ME, OTHER = "me", "another"


def lease(holder: str | None, duration: int | None = 15) -> Manifest:
    return {"spec": {"holderIdentity": holder, "leaseDurationSeconds": duration}}


@pytest.mark.parametrize(
    ("seen", "age", "turn"),
    [
        pytest.param(None, 0, Turn.TAKE, id="there is none yet"),
        pytest.param({"metadata": {}}, 0, Turn.TAKE, id="it says nothing"),
        pytest.param(lease(None), 0, Turn.TAKE, id="it was given back"),
        pytest.param(lease(""), 0, Turn.TAKE, id="it was given back by another program"),
        pytest.param(lease(ME), 0, Turn.RENEW, id="mine"),
        pytest.param(lease(ME), 100, Turn.RENEW, id="still mine, however old"),
        pytest.param(lease(OTHER), 14.9, Turn.WAIT, id="another's"),
        pytest.param(lease(OTHER), 15, Turn.TAKE, id="another's, and over"),
        pytest.param(lease(OTHER, 60), 59, Turn.WAIT, id="its own duration counts, not mine"),
        pytest.param(lease(OTHER, None), 0, Turn.TAKE, id="another's, for no time"),
    ],
)
def test_whose_turn_it_is(seen: Manifest | None, age: float, turn: Turn) -> None:
    assert decide(seen, observed_at=1000, me=ME, now=1000 + age) == turn


@dataclass
class Server:
    """One Lease, and what goes wrong on the way to it."""

    lease: Manifest | None = None
    version: int = 0
    delay: float = 0.01
    away_until: float = 0
    lost_answers: int = 0
    """Of so many writes to come the answer is lost."""
    writes: list[tuple[float, str | None]] = field(default_factory=list)

    async def get(self, *_: str) -> Manifest | None:
        await self._travel()
        return copy.deepcopy(self.lease)

    async def create(self, manifest: Mapping[str, Any]) -> Manifest:
        await self._travel()
        if self.lease:
            raise ConflictError(409, "AlreadyExists", "there is one")
        return await self._store(manifest)

    async def replace(self, manifest: Mapping[str, Any]) -> Manifest:
        await self._travel()
        if not self.lease or manifest["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError(409, "Conflict", "it is another one by now")
        return await self._store(manifest)

    async def _travel(self) -> None:
        await asyncio.sleep(self.delay)
        if now() < self.away_until:
            raise UnreachableError("nobody answers")

    async def _store(self, manifest: Mapping[str, Any]) -> Manifest:
        self.version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**manifest, "metadata": metadata}
        self.writes.append((now(), self.holder))
        if self.lost_answers:
            self.lost_answers -= 1
            raise UnreachableError("the connection broke")
        await asyncio.sleep(self.delay)
        return copy.deepcopy(self.lease)

    @property
    def holder(self) -> str | None:
        holder: str | None = (self.lease or {})["spec"].get("holderIdentity")
        return holder

    def candidate(self, holder: str, chance: float = 0) -> Leadership:
        who = Candidate("stoker", "operator", holder)
        return Leadership(self, who, clock=now, chance=lambda: chance)


def test_the_first_one_leads_and_renews_every_two_seconds() -> None:
    async def story() -> list[float]:
        server = Server()
        async with server.candidate(ME).held() as lost:
            await asyncio.sleep(7)
            assert not lost.done()
            assert server.lease
            assert server.lease["spec"]["leaseTransitions"] == 0
            return [round(at) for at, _ in server.writes]

    assert run(story()) == [0, 2, 4, 6]


def test_a_lease_that_is_given_back_is_taken_at_the_next_look() -> None:
    async def story() -> tuple[float, int]:
        server = Server()
        async with server.candidate(OTHER).held():
            waiting = asyncio.create_task(_lead_once(server.candidate(ME)))
            await asyncio.sleep(30)
            assert not waiting.done()
            given_back_at = now()
        taken_at = await waiting
        assert server.lease
        return taken_at - given_back_at, server.lease["spec"]["leaseTransitions"]

    seconds, transitions = run(story())
    assert seconds < 2.1
    assert transitions == 1


async def _lead_once(candidate: Leadership) -> float:
    async with candidate.held():
        return now()


def test_the_lease_of_one_who_died_is_taken_after_its_duration() -> None:
    async def story() -> float:
        server = Server()
        async with server.candidate(OTHER).held():
            await asyncio.sleep(7)
            dead = copy.deepcopy(server.lease)
            died_at, _ = server.writes[-1]
            version = server.version
        server.lease, server.version = dead, version  # it was never given back
        await _lead_once(server.candidate(ME))
        return server.writes[-2][0] - died_at

    assert 15 <= run(story()) < 18


def test_a_leader_that_reaches_nobody_leads_until_the_deadline_and_no_longer() -> None:
    async def story() -> tuple[float, str, bool]:
        server = Server()
        candidate = server.candidate(ME)
        async with candidate.held() as lost:
            await asyncio.sleep(3)
            server.away_until = 1e9
            renewed_at, _ = server.writes[-1]
            await asyncio.wait([lost])
            assert isinstance(lost.exception(), LeadershipLostError)
            return now() - renewed_at, str(lost.exception()), candidate.is_leading

    seconds, sentence, leading = run(story())
    assert seconds == pytest.approx(10, abs=0.1)
    assert not leading
    assert sentence == (
        "leadership is lost: the Lease stoker/operator could not be renewed for 10 s:"
        " nobody answers"
    )


@pytest.mark.parametrize("delay", [100, 3600])
def test_an_api_server_that_hangs_costs_no_more_than_one_that_refuses(delay: float) -> None:
    async def story() -> float:
        server = Server()
        async with server.candidate(ME).held() as lost:
            renewed_at, _ = server.writes[-1]
            server.delay = delay
            await asyncio.wait([lost])
            lost.exception()
            lost_at = now()
        assert now() == lost_at  # nothing is given back that is no longer ours
        return lost_at - renewed_at

    assert run(story()) == pytest.approx(10, abs=0.1)


def test_a_short_absence_of_the_api_server_changes_nothing() -> None:
    async def story() -> bool:
        server = Server()
        async with server.candidate(ME).held() as lost:
            await asyncio.sleep(3)
            server.away_until = now() + 6
            await asyncio.sleep(60)
            return lost.done()

    assert not run(story())


def test_a_lost_answer_is_no_lost_leadership() -> None:
    async def story() -> tuple[bool, int]:
        server = Server(lost_answers=1)
        async with server.candidate(ME).held() as lost:
            await asyncio.sleep(5)
            server.lost_answers = 2
            await asyncio.sleep(30)
            assert server.lease
            return lost.done(), server.lease["spec"]["leaseTransitions"]

    assert run(story()) == (False, 0)


@pytest.mark.parametrize(
    ("spec", "whose"),
    [
        pytest.param({"holderIdentity": OTHER}, "another's", id="another has it"),
        pytest.param({}, "nobody's", id="it was given back in our name"),
    ],
)
def test_a_lease_that_has_been_out_of_our_hands_is_lost_at_once(spec: Manifest, whose: str) -> None:
    async def story() -> tuple[float, str]:
        server = Server()
        candidate = server.candidate(ME)
        async with candidate.held() as lost:
            await asyncio.sleep(3)
            assert server.lease
            server.version += 1
            server.lease["spec"] = spec
            server.lease["metadata"]["resourceVersion"] = str(server.version)
            changed_at = now()
            await asyncio.wait([lost])
            assert not candidate.is_leading
            return now() - changed_at, str(lost.exception())

    seconds, sentence = run(story())
    assert seconds < 4.1
    assert sentence.endswith(f"the Lease stoker/operator is {whose}")


def test_a_process_that_was_stopped_for_too_long_leads_no_more_the_moment_it_goes_on() -> None:
    time = 0.0

    async def story() -> bool:
        nonlocal time
        who = Candidate("stoker", "operator", ME)
        candidate = Leadership(Server(), who, clock=lambda: time, chance=lambda: 0)
        async with candidate.held():
            assert candidate.is_leading
            time += 11
            return candidate.is_leading

    assert not run(story())


class Stage:
    """Several candidates, and who believes to lead."""

    def __init__(self) -> None:
        self.server = Server()
        self.leading: dict[str, Leadership] = {}
        self.terms = 0

    async def play(self, name: str, chance: float) -> None:
        """Takes part for ever: leads for a while, gives back or loses it, and comes again."""
        while True:
            candidate = self.server.candidate(name, chance)
            async with candidate.held() as lost:
                # A belief can only end by itself: two at once would show when the second begins.
                assert not [each for each in self.leading.values() if each.is_leading]
                self.leading[name] = candidate
                self.terms += 1
                await asyncio.wait([lost], timeout=20 + 20 * chance)
            del self.leading[name]


@settings(max_examples=30)
@given(
    chances=st.lists(st.floats(0, 1), min_size=2, max_size=4),
    faults=st.lists(
        st.tuples(st.floats(0.1, 20), st.sampled_from(["away", "slow", "lost"]), st.floats(0, 30)),
        max_size=8,
    ),
)
def test_no_two_ever_lead_whatever_the_network_does(
    chances: list[float], faults: list[tuple[float, str, float]]
) -> None:
    async def story() -> int:
        stage = Stage()
        tasks = [asyncio.create_task(stage.play(f"c{n}", it)) for n, it in enumerate(chances)]
        for after, fault, size in faults:
            await asyncio.sleep(after)
            if fault == "away":
                stage.server.away_until = now() + size
            stage.server.delay = size / 10 if fault == "slow" else 0.01
            stage.server.lost_answers = int(size) if fault == "lost" else 0
        stage.server.lost_answers, stage.server.delay = 0, 0.01
        terms = stage.terms
        await asyncio.sleep(60)
        for each in tasks:
            assert not each.done() or each.exception() is None
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return stage.terms - terms

    assert run(story()) >= 1
