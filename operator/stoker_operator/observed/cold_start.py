"""A pod's start, phase by phase: Kubernetes' part from the pod, the rest from its sidecar."""

from datetime import datetime

from stoker_api import wire
from stoker_api.status import ColdStartStatus
from stoker_operator.desired.identity import Manifest
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.raw import count, instant, items, said, seconds_between
from stoker_operator.observed.readings import positive


def cold_start(pod: Pod, told: wire.ColdStart) -> ColdStartStatus:
    """The ledger of this pod's last start."""
    scheduled = said(pod.manifest, "PodScheduled")
    placed = scheduled.since if scheduled and scheduled.status == "True" else None
    return ColdStartStatus(
        schedule_seconds=seconds_between(pod.created, placed),
        image_seconds=seconds_between(placed, _running(pod.manifest)),
        pull_seconds=positive(told.pull_seconds),
        verify_seconds=positive(told.verify_seconds),
        load_seconds=positive(told.load_seconds),
        first_token_seconds=positive(told.first_token_seconds),
    )


def total_seconds(ledger: ColdStartStatus) -> float | None:
    """All phases together; None where none was measured."""
    phases = [
        ledger.schedule_seconds,
        ledger.image_seconds,
        ledger.pull_seconds,
        ledger.verify_seconds,
        ledger.load_seconds,
        ledger.first_token_seconds,
    ]
    known = [seconds for seconds in phases if seconds is not None]
    return sum(known) if known else None


def _running(pod: Manifest) -> datetime | None:
    """When the last of its containers had started; None where one was started anew since."""
    containers = [
        *items(pod, "status", "initContainerStatuses"),
        *items(pod, "status", "containerStatuses"),
    ]
    if any(count(container, "restartCount") for container in containers):
        return None
    started = [instant(container, "state", "running", "startedAt") for container in containers]
    known = [moment for moment in started if moment]
    return max(known) if known and len(known) == len(started) else None
