"""A pod as far as heat goes, from what the API server shows of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stoker_api import wire
from stoker_api.reasons import Reason as SidecarReason
from stoker_operator.desired.identity import Manifest
from stoker_operator.observed.heats import BADNESS, OPEN, OVER, Heat, heat_of
from stoker_operator.observed.obstacles import Obstacle, obstacle
from stoker_operator.observed.raw import Said, instant, said, text
from stoker_operator.observed.reasons import Reason

_TERMINAL = ("Failed", "Succeeded")
_TRIES = re.compile(r" \(attempt \d+\)|\. Next attempt in .*$", re.DOTALL)
"""What the sidecar says of its next try."""


@dataclass(frozen=True)
class State:
    """How hot a pod is, why, and since when."""

    heat: Heat
    reason: str
    message: str
    since: datetime | None
    needs_person: bool = False


@dataclass(frozen=True)
class Pod:
    """One pod."""

    name: str
    node: str
    created: datetime | None
    state: State
    sidecar: wire.Status | None
    """What its sidecar has answered in this pass."""
    manifest: Manifest

    @property
    def heat(self) -> Heat:
        return self.state.heat

    @property
    def is_hot(self) -> bool:
        """Whether it takes traffic."""
        return self.heat in OPEN

    @property
    def counts(self) -> bool:
        """Whether it is one of the pods that there are: neither leaving nor ended."""
        return self.heat not in OVER

    @property
    def sentence(self) -> str:
        """What is to be said of it: `phi3-x (Crashed): The process has ended`."""
        return f"{self.name} ({self.state.reason}): {self.state.message}"


def pods(manifests: tuple[Manifest, ...], sidecars: Mapping[str, wire.Status]) -> tuple[Pod, ...]:
    """The pods, worst first."""
    named = (manifest for manifest in manifests if text(manifest, "metadata", "name"))
    return tuple(sorted((_pod(manifest, sidecars) for manifest in named), key=_badness))


def _badness(pod: Pod) -> tuple[int, str]:
    return BADNESS[pod.heat], pod.name


def _pod(manifest: Manifest, sidecars: Mapping[str, wire.Status]) -> Pod:
    name = text(manifest, "metadata", "name")
    return Pod(
        name=name,
        node=text(manifest, "spec", "nodeName"),
        created=instant(manifest, "metadata", "creationTimestamp"),
        state=_state(manifest),
        sidecar=sidecars.get(name),
        manifest=manifest,
    )


def _state(pod: Manifest) -> State:
    gate, hindrance = said(pod, wire.HOT_CONDITION), obstacle(pod)
    begun = gate.since if gate else _begun(pod)
    if text(pod, "metadata", "deletionTimestamp"):
        return State(Heat.LEAVING, Reason.LEAVING, "it is being deleted", begun)
    if text(pod, "status", "phase") in _TERMINAL:
        return _ended(pod)
    if gate is None:
        return _hindered(hindrance, begun) or _starting(pod, begun)
    if gate.status == "True":
        return _open(pod, gate, hindrance)
    return _shut(gate, hindrance)


def _begun(pod: Manifest) -> datetime | None:
    scheduled = said(pod, "PodScheduled")
    since = scheduled.since if scheduled else None
    return since or instant(pod, "metadata", "creationTimestamp")


def _ended(pod: Manifest) -> State:
    ready = said(pod, "Ready")
    return State(
        heat=Heat.FAILED,
        reason=text(pod, "status", "reason") or Reason.POD_FAILED,
        message=text(pod, "status", "message") or "it has ended, and is replaced",
        since=ready.since if ready else None,
    )


def _hindered(hindrance: Obstacle | None, since: datetime | None) -> State | None:
    if hindrance is None:
        return None
    heat = Heat.BLOCKED if hindrance.needs_person else Heat.PENDING
    return State(heat, hindrance.reason, hindrance.message, since, hindrance.needs_person)


def _starting(pod: Manifest, since: datetime | None) -> State:
    if not text(pod, "spec", "nodeName"):
        return State(Heat.PENDING, Reason.SCHEDULING, "it has no node yet", since)
    message = "its node fetches images and starts containers"
    return State(Heat.PENDING, Reason.CREATING, message, since)


def _open(pod: Manifest, gate: Said, hindrance: Obstacle | None) -> State:
    """A gate that is open is worth something only while Kubernetes counts the pod as Ready.

    A sidecar that has died, or a node that is lost, leaves the condition as it was.
    """
    ready = said(pod, "Ready")
    if ready and ready.status == "True":
        return State(heat_of(gate.reason, is_open=True), gate.reason, gate.message, gate.since)
    told = f": {ready.message}" if ready and ready.message else ""
    if not _was_ready(gate, ready):
        message = f"its model is hot, and Kubernetes does not count the pod as Ready yet{told}"
        return State(Heat.WARMING, Reason.NOT_READY, message, gate.since)
    if hindrance:
        return State(Heat.UNREACHABLE, Reason.NOT_READY, hindrance.message, _since(ready))
    message = f"it was hot, but its sidecar or its node has stopped answering{told}"
    return State(Heat.UNREACHABLE, Reason.NOT_READY, message, _since(ready))


def _was_ready(gate: Said, ready: Said | None) -> bool:
    """Whether the pod was Ready after its gate had opened. Before, it has not come so far yet."""
    return bool(ready and ready.since and gate.since and ready.since > gate.since)


def _since(condition: Said | None) -> datetime | None:
    return condition.since if condition else None


def _shut(gate: Said, hindrance: Obstacle | None) -> State:
    if gate.reason == SidecarReason.DRAINING:
        return State(Heat.LEAVING, gate.reason, gate.message, gate.since)
    heat = heat_of(gate.reason, is_open=False)
    # It counts down all the time. A status that did so would be written all the time.
    message = _TRIES.sub("", gate.message)
    # Of a server that is not there the kubelet knows more than the sidecar.
    if heat is Heat.UNREACHABLE and hindrance:
        return State(heat, hindrance.reason, hindrance.message, gate.since, hindrance.needs_person)
    return State(heat, gate.reason, message, gate.since, heat is Heat.BLOCKED)
