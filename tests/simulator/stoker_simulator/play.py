"""Lets a scenario happen."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stoker_simulator.engine import Engine

EVENTS = ("loaded", "unloaded", "answered", "pulled")


@dataclass(frozen=True)
class Step:
    """One thing that is to happen: a fault begins or ends."""

    fault: str
    begins: bool
    parameters: Mapping[str, Any]
    at: int = 0
    """Nanoseconds after the start, unless it comes after an event."""
    after: str = ""
    times: int = 1


def play(steps: Iterable[Step], engine: Engine) -> None:
    """Sets every step on its time or behind its event."""
    waiting = [step for step in steps if step.after]
    for step in steps:
        if not step.after:
            engine.clock.call_later(step.at, functools.partial(_do, step, engine))
    seen: Counter[str] = Counter()

    def happened(event: str) -> None:
        seen[event] += 1
        due = [step for step in waiting if step.after == event and step.times <= seen[event]]
        for step in due:
            waiting.remove(step)
            _do(step, engine)

    if waiting:
        engine.listeners.append(happened)


def _do(step: Step, engine: Engine) -> None:
    if step.begins:
        engine.faults.inject(step.fault, step.parameters)
    else:
        engine.faults.clear(step.fault)
