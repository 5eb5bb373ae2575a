"""What has happened since the sidecar started, counted by words from fixed lists."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from stoker_api import wire

Labels = tuple[str, ...]

# From a millisecond to an hour, wide enough that one list serves a pidfd and a pull.
SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900,
    3600,
)  # fmt: skip


class Phase(StrEnum):
    """A part of a cold start."""

    PULL = "pull"
    VERIFY = "verify"
    LOAD = "load"
    FIRST_TOKEN = "first_token"  # noqa: S105 - a word of a model


class CanaryResult(StrEnum):
    GOOD = "good"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class RearmCause(StrEnum):
    """Why the keep-alive was renewed."""

    LEASE = "lease"
    """It was half over."""
    CLIENT = "client"
    """A client's request had shortened it."""


class RecoveryStep(StrEnum):
    """How far it went to get the model back."""

    UNLOAD = "unload"
    KILL = "kill"
    RESTART = "restart"


class RecoveryResult(StrEnum):
    DONE = "done"
    FAILED = "failed"


class Histogram:
    """How often something took how long."""

    def __init__(self) -> None:
        self._counts = [0] * (len(SECONDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self.sum_seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Each upper bound, with how many were no greater."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*SECONDS, float("inf")), self._counts, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else f"{bound:g}", total))
        return found


@dataclass
class Counts:
    """The counters. Each method takes what becomes the labels of its series."""

    transitions: Counter[Labels] = field(default_factory=Counter)
    canaries: Counter[Labels] = field(default_factory=Counter)
    rearms: Counter[Labels] = field(default_factory=Counter)
    reloads: Counter[Labels] = field(default_factory=Counter)
    recoveries: Counter[Labels] = field(default_factory=Counter)
    heat_losses: int = 0
    first_token: Histogram = field(default_factory=Histogram)
    heat_lost: Histogram = field(default_factory=Histogram)
    cold_start: dict[Phase, Histogram] = field(default_factory=dict)

    def transition(self, to: wire.HeatState, reason: StrEnum) -> None:
        self.transitions[to, reason] += 1

    def canary(self, result: CanaryResult) -> None:
        self.canaries[(result,)] += 1

    def rearm(self, cause: StrEnum) -> None:
        self.rearms[(cause,)] += 1

    def reload(self, cause: StrEnum) -> None:
        self.reloads[(cause,)] += 1

    def recovery(self, step: RecoveryStep, result: RecoveryResult) -> None:
        self.recoveries[step, result] += 1

    def heat_loss(self, seconds: float) -> None:
        """Heat was lost; the gate shut so long after the last proof of it."""
        self.heat_losses += 1
        self.heat_lost.observe(seconds)

    def phase(self, phase: Phase, seconds: float) -> None:
        """A part of a cold start has ended."""
        self.cold_start.setdefault(phase, Histogram()).observe(seconds)

    def totals(self, config_errors: int) -> wire.Counters:
        """The same for `/status`, without labels."""
        return wire.Counters(
            transitions=self.transitions.total(),
            heat_losses=self.heat_losses,
            reloads=self.reloads.total(),
            recoveries=self.recoveries.total(),
            canaries=self.canaries.total(),
            config_errors=config_errors,
        )
