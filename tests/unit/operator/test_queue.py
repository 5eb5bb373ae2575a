"""The work queue: what is passed, when, and when again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_operator.api_errors import ApiError
from stoker_operator.queue import Agenda, Figures, Key, WorkQueue, retry_seconds
from support.loops import now, run

A, B, C = ("llms", "a"), ("llms", "b"), ("llms", "c")
MIDDLE = 0.5
"""The chance at which a wait is neither longer nor shorter."""


@dataclass
class Passes:
    """A queue at work, and what it has done: which key's pass began when."""

    queue: WorkQueue
    log: list[tuple[float, Key]] = field(default_factory=list)
    ended: list[Key] = field(default_factory=list)
    cancelled: list[Key] = field(default_factory=list)
    act: Callable[[Key], Awaitable[None]] | None = None
    """What a pass does; nothing unless said."""

    async def process(self, key: Key) -> None:
        self.log.append((now(), key))
        try:
            if self.act:
                await self.act(key)
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        self.ended.append(key)

    @property
    def times(self) -> list[float]:
        return [round(at, 3) for at, _ in self.log]

    @property
    def keys(self) -> list[Key]:
        return [key for _, key in self.log]


@asynccontextmanager
async def at_work(workers: int = 2) -> AsyncIterator[Passes]:
    """A queue that makes passes while the block lasts."""
    passes = Passes(WorkQueue(clock=now, chance=lambda: MIDDLE))
    running = asyncio.create_task(passes.queue.run(passes.process, workers))
    try:
        yield passes
    finally:
        passes.queue.stop(grace_seconds=0)
        await running


def taking(seconds: float) -> Callable[[Key], Awaitable[None]]:
    async def act(_: Key) -> None:
        await asyncio.sleep(seconds)

    return act


def failing(*errors: Exception) -> Callable[[Key], Awaitable[None]]:
    """Fails with these, one after the other, and then no more."""
    left = list(errors)

    async def act(_: Key) -> None:
        if left:
            raise left.pop(0)

    return act


def test_a_key_that_is_added_twice_is_passed_once() -> None:
    async def story() -> list[Key]:
        async with at_work() as passes:
            for key in (A, B, A, A):
                passes.queue.add(key)
            await asyncio.sleep(10)
            return passes.keys

    assert run(story()) == [A, B]


def test_a_key_that_is_added_during_its_pass_is_passed_once_more_afterwards() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.act = taking(5)
            passes.queue.add(A)
            for _ in range(3):
                await asyncio.sleep(1)
                passes.queue.add(A)
            await asyncio.sleep(60)
            return passes.times

    assert run(story()) == [0, 5]


def test_no_more_passes_run_at_a_time_than_there_are_workers_and_none_waits_for_nothing() -> None:
    async def story() -> list[tuple[float, Key]]:
        async with at_work(workers=2) as passes:
            passes.act = taking(5)
            for key in (A, B, C):
                passes.queue.add(key)
            await asyncio.sleep(60)
            return passes.log

    assert run(story()) == [(0, A), (0, B), (5, C)]


def test_the_earliest_of_several_timers_wins() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.queue.add_after(A, 60)
            passes.queue.add_after(A, 20)
            passes.queue.add_after(A, 40)
            await asyncio.sleep(100)
            return passes.times

    assert run(story()) == [20]


def test_an_event_comes_before_a_timer_and_takes_its_place() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.queue.add_after(A, 60)
            await asyncio.sleep(1)
            passes.queue.add(A)
            await asyncio.sleep(100)
            return passes.times

    assert run(story()) == [1]


def test_a_pass_can_ask_for_the_next() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:

            async def act(key: Key) -> None:
                passes.queue.add_after(key, 30)

            passes.act = act
            passes.queue.add(A)
            await asyncio.sleep(70)
            return passes.times

    assert run(story()) == [0, 30, 60]


def test_failures_are_retried_later_each_time_and_a_success_forgets_them() -> None:
    async def story() -> tuple[list[float], int, int]:
        async with at_work() as passes:
            passes.act = failing(*[OSError("no")] * 3)
            passes.queue.add(A)
            await asyncio.sleep(100)
            passes.act = failing(OSError("no"))
            passes.queue.add(A)
            await asyncio.sleep(100)
            return passes.times, passes.queue.succeeded, passes.queue.failed

    assert run(story()) == ([0, 1, 3, 7, 100, 101], 2, 4)


def test_the_trouble_of_one_key_holds_up_no_other() -> None:
    async def story() -> list[tuple[float, Key]]:
        async with at_work(workers=1) as passes:

            async def act(key: Key) -> None:
                if key == A:
                    raise KeyError(key)

            passes.act = act
            passes.queue.add(A)
            passes.queue.add(B)
            await asyncio.sleep(0.5)
            passes.queue.add(C)
            await asyncio.sleep(2)
            return passes.log

    assert run(story()) == [(0, A), (0, B), (0.5, C), (1, A)]


def test_an_event_does_not_wait_for_the_retry() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.act = failing(*[OSError("no")] * 9)
            passes.queue.add(A)
            await asyncio.sleep(200)  # the next retry is due at 255
            passes.act = None  # a person mends it
            passes.queue.add(A)
            await asyncio.sleep(1000)
            return passes.times

    assert run(story()) == [0, 1, 3, 7, 15, 31, 63, 127, 200]


def test_what_the_api_server_says_about_the_time_is_heeded_by_events_too() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.act = failing(ApiError(429, "TooManyRequests", "later", retry_after_seconds=20))
            passes.queue.add(A)
            await asyncio.sleep(5)
            passes.queue.add(A)
            await asyncio.sleep(100)
            return passes.times

    assert run(story()) == [0, 20]


def test_an_event_during_the_pass_that_is_told_to_wait_waits_as_well() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:

            async def act(key: Key) -> None:
                passes.queue.add(key)
                await failing(ApiError(429, "TooManyRequests", "later", 20))(key)

            passes.act = act
            passes.queue.add(A)
            await asyncio.sleep(15)
            passes.act = None
            await asyncio.sleep(100)
            return passes.times

    assert run(story()) == [0, 20]


def test_nobody_is_told_to_wait_for_ever() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.act = failing(ApiError(503, "ServiceUnavailable", "later", 10**9))
            passes.queue.add(A)
            await asyncio.sleep(1000)
            return passes.times

    assert run(story()) == [0, 300]


def test_a_forgotten_key_is_not_passed_and_begins_anew_when_it_comes_back() -> None:
    async def story() -> list[float]:
        async with at_work() as passes:
            passes.act = failing(*[OSError("no")] * 4)
            passes.queue.add(A)
            await asyncio.sleep(5)
            passes.queue.forget(A)
            assert passes.queue.figures.retrying == 0
            await asyncio.sleep(95)
            passes.queue.add(A)
            await asyncio.sleep(100)
            return passes.times

    assert run(story()) == [0, 1, 3, 100, 101]


def test_the_figures_say_what_waits_and_what_runs() -> None:
    async def story() -> tuple[Figures, bool, Figures, bool]:
        async with at_work(workers=1) as passes:
            passes.act = taking(10)
            passes.queue.add(A)
            await asyncio.sleep(1)
            passes.queue.add(B)
            passes.queue.add_after(C, 60)
            await asyncio.sleep(3)
            busy = passes.queue.figures, passes.queue.is_idle
            await asyncio.sleep(30)
            return *busy, passes.queue.figures, passes.queue.is_idle

    assert run(story()) == (
        Figures(
            waiting=1,
            longest_wait_seconds=3,
            running=1,
            longest_pass_seconds=4,
            retrying=0,
        ),
        False,
        Figures(0, 0, 0, 0, 0),
        True,
    )


def test_a_pass_that_outlasts_the_grace_is_cancelled() -> None:
    async def story() -> tuple[list[Key], float]:
        passes = Passes(WorkQueue(clock=now), act=taking(3600))
        passes.queue.add(A)
        running = asyncio.create_task(passes.queue.run(passes.process, 2))
        await asyncio.sleep(1)
        passes.queue.stop(grace_seconds=10)
        await running
        return passes.cancelled, now()

    assert run(story()) == ([A], 11)


def test_a_stop_begins_no_pass_and_waits_for_those_under_way() -> None:
    async def story() -> tuple[list[Key], float]:
        passes = Passes(WorkQueue(clock=now), act=taking(3))
        passes.queue.add(A)
        running = asyncio.create_task(passes.queue.run(passes.process, 2))
        await asyncio.sleep(1)
        passes.queue.add_after(B, 1)
        passes.queue.stop(grace_seconds=10)
        await running
        return passes.ended, now()

    assert run(story()) == ([A], 3)


def test_a_cancelled_queue_takes_its_passes_with_it() -> None:
    async def story() -> tuple[list[Key], float]:
        passes = Passes(WorkQueue(clock=now), act=taking(3600))
        passes.queue.add(A)
        running = asyncio.create_task(passes.queue.run(passes.process, 2))
        await asyncio.sleep(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return passes.cancelled, now()

    assert run(story()) == ([A], 1)


@pytest.mark.parametrize(
    ("error", "traceback"),
    [
        pytest.param(ApiError(403, "Forbidden", "not you"), False, id="a foreseen error"),
        pytest.param(ZeroDivisionError("oh"), True, id="a mistake of ours"),
    ],
)
def test_a_failure_is_logged_with_its_key(
    error: Exception,
    traceback: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with at_work() as passes:
            passes.act = failing(error)
            passes.queue.add(A)
            await asyncio.sleep(0.5)

    run(story())

    (record,) = caplog.records
    assert record.levelno == (logging.ERROR if traceback else logging.WARNING)
    assert (record.__dict__["namespace"], record.__dict__["llmdeployment"]) == A
    assert record.__dict__["sentence"] == str(error)
    assert bool(record.exc_info) == traceback


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_retry_waits_a_second_at_first_and_never_much_more_than_five_minutes(
    failures: int, chance: float
) -> None:
    seconds = retry_seconds(failures, chance)

    assert 0.75 <= seconds <= 375
    assert retry_seconds(failures + 1, chance) >= seconds
    if failures >= 10:
        assert seconds >= 225


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from([A, B, C]), st.floats(0, 10)),
            st.tuples(st.just("take"), st.just(A), st.floats(0, 10)),
            st.tuples(st.just("finish"), st.sampled_from([A, B, C]), st.booleans()),
        )
    )
)
def test_whatever_happens_every_wanted_pass_is_made_once_and_one_at_a_time(
    steps: list[tuple[str, Key, float]],
) -> None:
    agenda, clock = Agenda(), 0.0
    wanted: set[Key] = set()
    running: set[Key] = set()
    for what, key, number in steps:
        if what == "add":
            agenda.add(key, clock + number)
            wanted.add(key)
        elif what == "take":
            clock += number
            taken = agenda.take(clock)
            if taken:
                assert taken in wanted - running
                wanted.remove(taken)
                running.add(taken)
        elif key in running:
            if number:
                agenda.succeeded(key)
            else:
                agenda.failed(key, clock, MIDDLE, None)
                wanted.add(key)
            agenda.finished(key)
            running.remove(key)
    for key in running:
        agenda.finished(key)
    left = set(iter(lambda: agenda.take(clock + 1000), None))
    assert left == wanted
