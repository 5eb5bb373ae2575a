"""What keeps a pod from running, in the words of who knows: the scheduler and the kubelet.

A chain of checks; the first that has something to say is believed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stoker_operator.desired.identity import Manifest
from stoker_operator.observed.raw import count, items, said, text


@dataclass(frozen=True)
class Obstacle:
    """Why a pod does not run."""

    reason: str
    message: str
    needs_person: bool


Check = Callable[[Manifest], Obstacle | None]

_NEED_A_PERSON = {
    "CreateContainerConfigError": "what its container refers to is not there or not allowed",
    "CreateContainerError": "its container cannot be made",
    "CrashLoopBackOff": "its log says why: `kubectl logs POD -c CONTAINER --previous`",
    "ErrImageNeverPull": "the image is not on the node",
    "ErrImagePull": "check the image's name, and podTemplate.imagePullSecrets if it is private",
    "ImagePullBackOff": "check the image's name, and podTemplate.imagePullSecrets if it is private",
    "InvalidImageName": "check the image's name",
    "RunContainerError": "its container cannot be started",
}
"""What the kubelet waits for in vain, and what to do about it."""

UNSCHEDULABLE, GATED = "Unschedulable", "SchedulingGated"
REASONS = (UNSCHEDULABLE, GATED, *_NEED_A_PERSON)
"""All reasons that are handed on from the scheduler and the kubelet."""


def obstacle(pod: Manifest) -> Obstacle | None:
    """What keeps this pod from running; None where nothing is known to."""
    return next((found for check in CHECKS if (found := check(pod))), None)


def _unscheduled(pod: Manifest) -> Obstacle | None:
    scheduled = said(pod, "PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return None
    reason = scheduled.reason or UNSCHEDULABLE
    return Obstacle(reason, f"no node takes it: {scheduled.message}", needs_person=False)


def _waiting(pod: Manifest) -> Obstacle | None:
    for container in _containers(pod):
        reason = text(container, "state", "waiting", "reason")
        if reason in _NEED_A_PERSON:
            return Obstacle(reason, _sentence(container, reason), needs_person=True)
    return None


def _sentence(container: Manifest, reason: str) -> str:
    name, image = text(container, "name"), text(container, "image")
    said = text(container, "state", "waiting", "message")
    ended = text(container, "lastState", "terminated", "reason")
    code = count(container, "lastState", "terminated", "exitCode")
    end = f"; it ended last with {ended}, exit code {code}" if ended else ""
    told = f": {said}" if said else ""
    return f"container {name} ({image}) waits{told}{end}; {_NEED_A_PERSON[reason]}"


def _containers(pod: Manifest) -> Iterator[Manifest]:
    yield from items(pod, "status", "initContainerStatuses")
    yield from items(pod, "status", "containerStatuses")


CHECKS: tuple[Check, ...] = (_unscheduled, _waiting)
