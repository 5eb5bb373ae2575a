"""Time that is moved by hand."""

from collections.abc import Coroutine
from functools import partial

import pytest

from stoker_simulator.clock import Clock
from stoker_simulator.go_time import SECOND


def finish(work: Coroutine[None, None, None]) -> None:
    """Runs what never waits for anything outside, without an event loop."""
    with pytest.raises(StopIteration):
        work.send(None)


def test_what_is_due_happens_in_order_and_at_its_time() -> None:
    clock = Clock(speed=0, start=0)
    seen: list[tuple[str, int]] = []

    def note(name: str) -> None:
        seen.append((name, clock.now()))

    for name, due in (("b", 2), ("a", 1), ("c", 3)):
        clock.call_later(due * SECOND, partial(note, name))
    finish(clock.advance(2 * SECOND))
    assert seen == [("a", SECOND), ("b", 2 * SECOND)]
    assert clock.now() == 2 * SECOND


def test_what_a_due_moment_causes_is_due_too() -> None:
    clock = Clock(speed=0, start=0)
    seen: list[int] = []

    def again() -> None:
        seen.append(clock.now())
        clock.call_later(SECOND, again)

    clock.call_later(SECOND, again)
    finish(clock.advance(3 * SECOND))
    assert seen == [SECOND, 2 * SECOND, 3 * SECOND]


def test_what_is_cancelled_never_happens_and_is_forgotten() -> None:
    clock = Clock(speed=0, start=0)
    seen: list[int] = []
    for _ in range(10_000):
        clock.call_later(10 * SECOND, lambda: seen.append(1)).cancel()
    kept = clock.call_later(10 * SECOND, lambda: seen.append(2))
    assert clock.timers < 300
    finish(clock.advance(10 * SECOND))
    kept.cancel()
    assert seen == [2]
