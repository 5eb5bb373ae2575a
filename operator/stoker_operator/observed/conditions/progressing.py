"""Progressing: does it go on towards what is wanted? If not, why not, and who can help?

Each check speaks in the words of who knows: the API server, Kubernetes' controllers, the scheduler,
the kubelet, or the sidecar.
"""

from stoker_operator.observed.amounts import pods, span
from stoker_operator.observed.case import Case, Finding, no, yes
from stoker_operator.observed.conditions import accepted, gaps
from stoker_operator.observed.heats import Heat
from stoker_operator.observed.obstacles import GATED, UNSCHEDULABLE
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.raw import count, said, text
from stoker_operator.observed.reasons import Reason
from stoker_operator.observed.stalls import stalled


def paused(case: Case) -> Finding | None:
    if not case.seen.paused:
        return None
    return no(
        Reason.PAUSED,
        "The annotation stoker.dev/paused keeps the operator from changing anything. Remove it to"
        " go on",
    )


def not_applied(case: Case) -> Finding | None:
    problem = next(iter(case.seen.problems), None)
    return no(problem.reason, problem.message) if problem else None


def suspended(case: Case) -> Finding | None:
    if case.wanted:
        return None
    left = f"; {pods(case.replicas)} still there" if case.replicas else ""
    return yes(Reason.SUSPENDED, f"No pod is wanted{left}")


def unmade(case: Case) -> Finding | None:
    """Nothing is known of a Deployment that Kubernetes has not looked at, but by its pods."""
    if case.seen.deployment and (case.replicas or not _is_new(case)):
        return None
    return yes(Reason.APPLYING, "The objects are being made")


def no_pods(case: Case) -> Finding | None:
    """The Deployment may make no pods: a quota, or an admission rule that refuses them."""
    failure = said(case.seen.deployment, "ReplicaFailure")
    if failure is None or failure.status != "True":
        return None
    if "exceeded quota" in failure.message:
        advice = "Raise the quota, or ask for less"
        return no(Reason.QUOTA_EXCEEDED, f"Kubernetes makes no pod: {failure.message}. {advice}")
    return no(
        failure.reason or Reason.REPLICA_FAILURE, f"Kubernetes makes no pod: {failure.message}"
    )


def no_volume(case: Case) -> Finding | None:
    claim = case.seen.claim
    name, phase = text(claim, "metadata", "name"), text(claim, "status", "phase")
    if phase == "Lost":
        return no(
            Reason.CLAIM_LOST,
            f"The volume of the claim {name} is gone. Delete the claim to have it made anew",
        )
    waits = next((pod for pod in case.others if pod.state.reason == UNSCHEDULABLE), None)
    if phase != "Pending" or waits is None:
        return None
    return no(
        Reason.CLAIM_PENDING,
        f"The claim {name} has no volume yet, and {waits.sentence}. `kubectl describe pvc {name}`"
        " says what it waits for: often a storage class that is not there",
    )


def unschedulable(case: Case) -> Finding | None:
    """No node has what a pod needs; the scheduler says of what there is too little."""
    stranded = [
        pod
        for pod in case.others
        if pod.heat is Heat.PENDING and pod.state.reason in (UNSCHEDULABLE, GATED)
    ]
    if not stranded:
        return None
    gpu = case.resource.spec.gpu
    asks = f" It asks for {gpu.count} {gpu.resource_name}" if gpu and gpu.count else ""
    return no(stranded[0].state.reason, f"{_of(stranded)}.{asks}")


def needs_person(case: Case) -> Finding | None:
    found = [pod for pod in case.others if pod.state.needs_person]
    return no(found[0].state.reason, _of(found)) if found else None


def stuck(case: Case) -> Finding | None:
    found = [pod for pod in case.others if pod.heat is Heat.STUCK]
    return no(found[0].state.reason, _of(found)) if found else None


def no_progress(case: Case) -> Finding | None:
    """What makes no progress is not cancelled: slow is better than never."""
    found = [pod for pod in case.others if stalled(pod)]
    if not found:
        return None
    pulls = found[0].heat in (Heat.ABSENT, Heat.PULLING, Heat.VERIFYING)
    limit = span(case.resource.spec.warmup.deadline.total_seconds())
    return no(
        Reason.PULL_STALLED if pulls else Reason.NO_PROGRESS,
        f"No progress for longer than warmup.deadline ({limit}): {_of(found)}",
    )


def deadline_exceeded(case: Case) -> Finding | None:
    progress = said(case.seen.deployment, "Progressing")
    if progress is None or progress.status != "False":
        return None
    limit = span(case.resource.spec.rollout.progress_deadline.total_seconds())
    worst = f"; {case.others[0].sentence}" if case.others else ""
    return no(
        progress.reason or Reason.PROGRESS_DEADLINE_EXCEEDED,
        f"The roll-out has not moved for rollout.progressDeadline ({limit}){worst}",
    )


def rolling_out(case: Case) -> Finding | None:
    if _is_new(case):
        return None  # Kubernetes makes pods first, and says so later
    updated, there = _updated(case), count(case.seen.deployment, "status", "replicas")
    if _is_current(case) and updated >= there:
        return None
    return yes(
        Reason.ROLLING_OUT,
        f"{updated} of {pods(case.wanted)} {'is' if case.wanted == 1 else 'are'} updated,"
        f" {len(case.hot)} hot{gaps.during(case)}",
    )


def heating_up(case: Case) -> Finding | None:
    if case.is_hot:
        return None
    furthest = f"; {case.others[-1].sentence}" if case.others else ""
    return yes(Reason.HEATING_UP, f"{len(case.hot)} of {pods(case.wanted)} hot{furthest}")


def complete(case: Case) -> Finding:
    is_or_are = "is" if case.wanted == 1 else "are"
    return yes(
        Reason.COMPLETE,
        f"{pods(case.wanted)} {is_or_are} hot and of the newest version{gaps.ahead(case)}",
    )


def _of(found: list[Pod]) -> str:
    """The first of these pods, and how many are like it."""
    more = f" (and {pods(len(found) - 1)} more)" if len(found) > 1 else ""
    return f"{found[0].sentence}{more}"


def _updated(case: Case) -> int:
    return count(case.seen.deployment, "status", "updatedReplicas") if _is_current(case) else 0


def _is_new(case: Case) -> bool:
    """Whether Kubernetes has said nothing of the Deployment yet: there is but its first version."""
    return not count(case.seen.deployment, "status", "observedGeneration")


def _is_current(case: Case) -> bool:
    """Whether the Deployment's figures are about its newest version."""
    deployment = case.seen.deployment
    generation = count(deployment, "metadata", "generation")
    return count(deployment, "status", "observedGeneration") >= generation


CHECKS = (
    # The operator itself goes no further.
    accepted.refused,
    paused,
    not_applied,
    suspended,
    unmade,
    # Kubernetes makes no pod, or finds no place for one.
    no_pods,
    no_volume,
    unschedulable,
    # A pod does not get hot.
    needs_person,
    stuck,
    no_progress,
    deadline_exceeded,
    # It goes on, or is done.
    rolling_out,
    heating_up,
    complete,
)
