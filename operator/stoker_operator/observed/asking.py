"""Which sidecars to ask in a pass, and when to look again though no watch tells of anything.

In a steady state nobody is asked: the pod's condition says when something has changed.
"""

from stoker_api import wire
from stoker_api.resource import LLMDeployment
from stoker_api.status import Status
from stoker_operator.desired.identity import Manifest
from stoker_operator.observed.case import MOST_PODS, Case, condition
from stoker_operator.observed.figures import is_as_listed
from stoker_operator.observed.heats import Heat
from stoker_operator.observed.pods import Pod, pods
from stoker_operator.observed.raw import said, text
from stoker_operator.observed.reasons import Reason

_MEASURED = ("OnDevice", "WithinBudget", "Routed")
_SOON_SECONDS = 3.0
"""A Service needs a moment to lead to a pod that has just become hot; its sidecar tries each second
until then."""
_NOW_AND_THEN_SECONDS = 30.0
"""As often as a sidecar tries a way that leads nowhere."""
_SETTLED = (Reason.NONE_HOT, Reason.OUT_OF_REACH, Reason.NO_API_TRIED)
"""Reasons for not knowing that asking again does not help against."""


def to_read(
    resource: LLMDeployment, before: Status, manifests: tuple[Manifest, ...]
) -> tuple[str, ...]:
    """The names of the pods whose `/status` is wanted in this pass.

    Pods on their way to heat, always. Where something has changed or a figure is missing, the hot
    ones as well: the conditions are about the worst of them all.
    """
    speaking = [pod for pod in pods(manifests, {}) if _speaks(pod)]
    entries = {entry.name: entry for entry in before.pods}
    changed = {
        pod.name
        for pod in speaking
        if pod.name not in entries or not is_as_listed(pod, entries[pod.name])
    }
    missing = any(
        pod.is_hot and pod.name in entries and entries[pod.name].vram_bytes is None
        for pod in speaking
    )
    edited = before.observed_generation != resource.metadata.generation
    everyone = bool(changed) or missing or edited or not _is_settled(before)
    asked = [pod for pod in speaking if everyone or not pod.is_hot]
    asked.sort(key=lambda pod: pod.name not in changed)
    return tuple(pod.name for pod in asked[:MOST_PODS])


def spoken(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    """The addresses of all pods whose sidecars may be asked, by their names, worst first."""
    return {
        pod.name: text(pod.manifest, "status", "podIP")
        for pod in pods(manifests, {})
        if _speaks(pod)
    }


def _speaks(pod: Pod) -> bool:
    """Whether its sidecar has been heard of, and may be asked."""
    has_spoken = said(pod.manifest, wire.HOT_CONDITION) is not None
    return pod.counts and has_spoken and bool(text(pod.manifest, "status", "podIP"))


def _is_settled(before: Status) -> bool:
    """Whether all that sidecars' figures decide is decided, and well."""
    found = [condition(before, kind) for kind in _MEASURED]
    return all(
        each is not None and (each.status == "True" or each.reason in _SETTLED) for each in found
    )


def look_again_seconds(case: Case, status: Status) -> float | None:
    """When something may have changed of which no watch tells."""
    if not case.seen.sidecars_in_reach:
        return None
    waits = [_until_routed(case, status), _until_stalled(case)]
    return min((wait for wait in waits if wait is not None), default=None)


def _until_routed(case: Case, status: Status) -> float | None:
    routed = condition(status, "Routed")
    if not case.hot or routed is None or routed.status == "True" or routed.reason in _SETTLED:
        return None
    return _SOON_SECONDS if routed.reason == Reason.NOT_TRIED else _NOW_AND_THEN_SECONDS


def _until_stalled(case: Case) -> float | None:
    """Progress and its end are the sidecar's to know, and it tells them when it is asked."""
    climbing = [pod for pod in case.others if _speaks(pod) and pod.heat is not Heat.BLOCKED]
    deadline = case.resource.spec.warmup.deadline.total_seconds()
    return max(_NOW_AND_THEN_SECONDS, deadline / 10) if climbing else None
