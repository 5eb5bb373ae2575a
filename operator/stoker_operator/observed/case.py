"""What a check looks at, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from stoker_api.resource import LLMDeployment
from stoker_api.status import ColdStartStatus, Condition, PodStatus, Status
from stoker_operator.observed.heats import LOSSES, OPEN, Heat
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.reasons import Reason
from stoker_operator.observed.seen import Seen

MOST_PODS = 32
"""How many pods `status` lists, and how many sidecars are asked at most."""


@dataclass(frozen=True)
class Case:
    """One LLMDeployment, its objects as seen now, and the status that they had until now."""

    resource: LLMDeployment
    before: Status
    seen: Seen
    pods: tuple[Pod, ...]
    """Worst first."""
    now: datetime
    cold_start: ColdStartStatus | None = None
    """The last one that is known."""

    @property
    def wanted(self) -> int:
        """How many pods should be hot."""
        return 0 if self.resource.spec.suspend else self.resource.spec.replicas

    @cached_property
    def hot(self) -> tuple[Pod, ...]:
        """The pods that take traffic."""
        return tuple(pod for pod in self.pods if pod.is_hot)

    @cached_property
    def others(self) -> tuple[Pod, ...]:
        """The pods that there are and that take none, worst first."""
        return tuple(pod for pod in self.pods if pod.counts and not pod.is_hot)

    @property
    def replicas(self) -> int:
        """How many pods there are."""
        return len(self.hot) + len(self.others)

    @property
    def is_hot(self) -> bool:
        """Whether as many pods are hot as are wanted."""
        return len(self.hot) >= self.wanted > 0

    @property
    def has_lost_heat(self) -> bool:
        """Whether a pod was hot and is not; remembered until as many are hot as are wanted."""
        if self.is_hot or not self.wanted:
            return False
        was = condition(self.before, "Hot")
        if was and was.reason == Reason.HEAT_LOST:
            return True
        return any(self.has_lost(pod) for pod in self.pods)

    def has_lost(self, pod: Pod) -> bool:
        """Whether this pod was hot and is not, without being meant to go."""
        if pod.is_hot or pod.heat in (Heat.LEAVING, Heat.PENDING):
            return False
        fell_silent = (pod.heat, pod.state.reason) == (Heat.UNREACHABLE, Reason.NOT_READY)
        return self.was_hot(pod.name) or fell_silent or pod.state.reason in LOSSES

    def was_hot(self, name: str) -> bool:
        """Whether this pod was hot until now.

        One that is not listed was, if the list was full of worse or equal ones up to a hot one.
        """
        entry = self.entry(name)
        if entry is not None:
            return entry.heat in OPEN
        listed = self.before.pods
        return len(listed) >= MOST_PODS and listed[-1].heat in OPEN

    def entry(self, name: str) -> PodStatus | None:
        """The pod as it was listed until now."""
        return self._entries.get(name)

    @cached_property
    def _entries(self) -> dict[str, PodStatus]:
        return {entry.name: entry for entry in self.before.pods}

    @cached_property
    def youngest(self) -> Pod | None:
        """The hot pod that was made last."""
        dated = [pod for pod in self.hot if pod.created]
        return max(dated, key=lambda pod: (pod.created, pod.name), default=None)


@dataclass(frozen=True)
class Finding:
    """What is so of one aspect, and why."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


Check = Callable[[Case], Finding | None]


def yes(reason: str, message: str) -> Finding:
    return Finding("True", reason, message)


def no(reason: str, message: str) -> Finding:
    return Finding("False", reason, message)


def unknown(reason: str, message: str) -> Finding:
    return Finding("Unknown", reason, message)


def first(checks: tuple[Check, ...], case: Case) -> Finding:
    """The finding of the first check that has one. The last of a chain always has."""
    return next(found for check in checks if (found := check(case)))


def condition(status: Status, kind: str) -> Condition | None:
    """The condition of this type."""
    return next((each for each in status.conditions if each.type == kind), None)
