"""What has happened since the sidecar started, counted by words from fixed lists."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

from stoker_api import wire
from stoker_api.reasons import Reason

Labels = tuple[str, ...]

# The first tokens that somebody waits for. Each bound is a series of every pod.
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 15)

REASONS_COUNTED = 5
"""A pod has a series for each reason for which it has lost heat, up to so many."""
OTHER_REASONS = "Other"


class CanaryResult(StrEnum):
    GOOD = "good"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


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


def _at_zero(*words: Iterable[StrEnum]) -> Counter[Labels]:
    """A counter that is there before anything is counted: its first event is an increase."""
    return Counter(dict.fromkeys(product(*words), 0))


@dataclass
class Counts:
    """The counters. Each method takes what becomes the labels of its series."""

    canaries: Counter[Labels] = field(default_factory=lambda: _at_zero(CanaryResult))
    recoveries: Counter[Labels] = field(
        default_factory=lambda: _at_zero(RecoveryStep, RecoveryResult)
    )
    losses: Counter[Labels] = field(default_factory=Counter)
    """Losses of heat by their reasons; few, so that no pod has a series for each that there is."""
    transitions: int = 0
    reloads: int = 0
    rearms: int = 0
    heat_losses: int = 0
    heat_lost_seconds: float = 0.0
    """In all losses together, from the last proof of heat to the gate being shut."""
    first_token: Histogram = field(default_factory=Histogram)
    _is_unexplained: bool = False

    def canary(self, result: CanaryResult) -> None:
        self.canaries[(result,)] += 1

    def recovery(self, step: RecoveryStep, result: RecoveryResult) -> None:
        self.recoveries[step, result] += 1

    def heat_loss(self, seconds: float) -> None:
        """Heat was lost; the gate shut so long after the last proof of it."""
        self.heat_losses += 1
        self.heat_lost_seconds += seconds
        self._is_unexplained = True

    def explain(self, reason: Reason) -> None:
        """The reason as of now. That a process is gone is known first, and why a moment later."""
        if not self._is_unexplained or reason is Reason.RUNNER_GONE:
            return
        self._is_unexplained = False
        is_counted = (reason,) in self.losses or len(self.losses) < REASONS_COUNTED
        self.losses[(reason if is_counted else OTHER_REASONS,)] += 1

    def totals(self, config_errors: int) -> wire.Counters:
        """The same for `/status`, without labels."""
        return wire.Counters(
            transitions=self.transitions,
            heat_losses=self.heat_losses,
            reloads=self.reloads,
            recoveries=self.recoveries.total(),
            canaries=self.canaries.total(),
            config_errors=config_errors,
        )
