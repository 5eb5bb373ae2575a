"""What a person would want to know of: how a status differs from the one before.

Nothing is remembered besides the status itself. So an operator that was restarted tells nothing
twice, and what happened while it was away it tells when it is back.
"""

from collections.abc import Iterator

from stoker_api.reasons import Reason as SidecarReason
from stoker_api.status import Condition, PodStatus, Status
from stoker_api.wire import HeatState
from stoker_operator.observed.amounts import size, span
from stoker_operator.observed.case import Case, condition
from stoker_operator.observed.heats import LOSSES, OPEN, STATES, Heat
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.raw import moment, seconds_between
from stoker_operator.observed.readings import positive
from stoker_operator.observed.reasons import Reason
from stoker_operator.observed.seen import Notice

_BEFORE_LOADING = (Heat.ABSENT, Heat.PULLING, Heat.VERIFYING)
_AFTER_PULLING = (Heat.COLD, Heat.LOADING, Heat.WARMING, *OPEN)
_NOT_RECOVERED = (Heat.STUCK, Heat.BLOCKED, Heat.FAILED, Heat.LEAVING)
_STUCK = {reason.value for reason, state in STATES.items() if state is HeatState.STUCK}


def notices(case: Case, after: Status) -> tuple[Notice, ...]:
    """What is new in `after`."""
    by_name = {pod.name: pod for pod in case.pods}
    told = [notice for entry in after.pods for notice in _of_pod(case, by_name[entry.name])]
    return (*told, *new_conditions(case.before, after))


def new_conditions(before: Status, after: Status) -> tuple[Notice, ...]:
    """What is new in the conditions of `after`."""
    return tuple(_of_all(before, after))


def _of_pod(case: Case, pod: Pod) -> Iterator[Notice]:
    was = case.entry(pod.name)
    if pod.is_hot:
        yield from _became_hot(case, pod, was)
    elif case.has_lost(pod) and case.was_hot(pod.name):
        yield _warning("HeatLost", f"{pod.name} has lost its heat: {_why(pod)}", pod)
    yield from _unstuck(pod, was)
    if was and was.heat in _BEFORE_LOADING and pod.heat in _AFTER_PULLING:
        yield from _pulled(pod)


def _became_hot(case: Case, pod: Pod, was: PodStatus | None) -> Iterator[Notice]:
    if pod.state.reason == SidecarReason.TREATED_AS_HOT:
        if not (was and was.reason == pod.state.reason):
            yield _warning("TreatedAsHot", f"{pod.name} takes traffic by hand: {_why(pod)}", pod)
    elif not case.was_hot(pod.name):
        yield _reheated(pod, was) if _has_lost_before(pod, was) else _hot(pod)


def _has_lost_before(pod: Pod, was: PodStatus | None) -> bool:
    """Whether this is heat regained: its sidecar counts, or the last reason tells."""
    if pod.sidecar and pod.sidecar.counters.heat_losses:
        return True
    return bool(was and (was.reason in LOSSES or was.heat == Heat.STUCK))


def _hot(pod: Pod) -> Notice:
    took = seconds_between(pod.created, pod.state.since)
    after = f" {span(took)} after it was made" if took is not None else ""
    return Notice("Normal", "Hot", f"{pod.name} is hot{after}{_told(pod)}", pod.name)


def _reheated(pod: Pod, was: PodStatus | None) -> Notice:
    lost = moment(was.since) if was and was.since else None
    took = seconds_between(lost, pod.state.since)
    after = f" after {span(took)}" if took is not None else ""
    message = f"{pod.name} is hot again{after}{_told(pod)}"
    return Notice("Normal", "Reheated", message, pod.name)


def _unstuck(pod: Pod, was: PodStatus | None) -> Iterator[Notice]:
    was_stuck = was is not None and was.heat == Heat.STUCK
    if pod.heat is Heat.STUCK and not was_stuck:
        yield _warning("Stuck", f"{pod.name} is stuck: {_why(pod)}", pod)
    elif was is not None and was_stuck and pod.heat not in _NOT_RECOVERED:
        message = f"{pod.name} is no longer stuck ({was.reason}); it is {pod.heat} now"
        yield Notice("Normal", "Recovered", message, pod.name)


def _pulled(pod: Pod) -> Iterator[Notice]:
    told = pod.sidecar
    took = positive(told.cold_start.pull_seconds) if told else None
    of_size = f": {size(told.model.size_bytes)}" if told and told.model else ""
    within = f" in {span(took)}" if took else ""
    yield Notice("Normal", "Pulled", f"{pod.name} has pulled the model{of_size}{within}", pod.name)


def _of_all(before: Status, after: Status) -> Iterator[Notice]:
    told: set[str] = set()
    for kind in ("Accepted", "WithinBudget", "OnDevice", "Progressing", "Routed"):
        notice = _worsened(condition(before, kind), condition(after, kind))
        if notice and notice.reason not in told | _STUCK:
            told.add(notice.reason)
            yield notice
    was, progress = condition(before, "Progressing"), condition(after, "Progressing")
    rolled = was and was.reason == Reason.ROLLING_OUT
    if rolled and progress and progress.reason == Reason.COMPLETE:
        yield Notice("Normal", "RolledOut", progress.message)


def _worsened(was: Condition | None, now: Condition | None) -> Notice | None:
    """What has become false, or is false for another reason now."""
    if now is None or now.status != "False":
        return None
    if was and (was.status, was.reason) == (now.status, now.reason):
        return None
    return Notice("Warning", now.reason, now.message)


def _told(pod: Pod) -> str:
    return f": {pod.state.message}" if pod.state.message else ""


def _why(pod: Pod) -> str:
    return f"{pod.state.reason}: {pod.state.message}"


def _warning(reason: str, message: str, pod: Pod) -> Notice:
    return Notice("Warning", reason, message, pod.name)
