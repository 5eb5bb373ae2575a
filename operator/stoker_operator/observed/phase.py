"""All of it in one word, for people. Nothing is ever decided by it."""

from stoker_api.status import Phase
from stoker_operator.observed.case import Case
from stoker_operator.observed.conditions.accepted import REFUSALS
from stoker_operator.observed.heats import Heat
from stoker_operator.observed.obstacles import UNSCHEDULABLE
from stoker_operator.observed.pods import Pod

_UP: tuple[Phase, ...] = ("Pending", "Pulling", "Loading", "Warming")
"""The way up."""

_ON_THE_WAY: dict[Heat, Phase] = {
    Heat.PENDING: "Pending",
    Heat.UNREACHABLE: "Pending",
    Heat.ABSENT: "Pulling",
    Heat.PULLING: "Pulling",
    Heat.VERIFYING: "Pulling",
    Heat.COLD: "Loading",
    Heat.LOADING: "Loading",
    Heat.STUCK: "Loading",
    Heat.WARMING: "Warming",
}


def phase(case: Case) -> Phase:
    """The word."""
    if any(problem.reason in REFUSALS for problem in case.seen.problems):
        return "Blocked"
    if not case.wanted:
        return "Suspended"
    if case.is_hot:
        return "Hot"
    if case.hot:
        return "Degraded" if _is_hurt(case) else _way_up(case)
    if any(pod.state.needs_person for pod in case.others):
        return "Blocked"
    return "Cold" if case.has_lost_heat else _way_up(case)


def _is_hurt(case: Case) -> bool:
    """Whether a pod that is not hot is in trouble, and not just on its way."""
    return case.has_lost_heat or any(_is_in_trouble(pod) for pod in case.others)


def _is_in_trouble(pod: Pod) -> bool:
    cannot_run = pod.heat is Heat.PENDING and pod.state.reason == UNSCHEDULABLE
    return pod.heat in (Heat.STUCK, Heat.BLOCKED) or pod.state.needs_person or cannot_run


def _way_up(case: Case) -> Phase:
    """Where the pod is that has come furthest."""
    steps = (_UP.index(_ON_THE_WAY[pod.heat]) for pod in case.others if pod.heat in _ON_THE_WAY)
    return _UP[max(steps, default=0)]
