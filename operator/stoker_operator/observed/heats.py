"""How hot a pod is, in one word, and how bad that is.

The sidecar's states, and three more for pods whose sidecar does not have the last word.
"""

from enum import StrEnum

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState


class Heat(StrEnum):
    """The words in the list of pods, worst first."""

    STUCK = HeatState.STUCK
    BLOCKED = HeatState.BLOCKED
    COLD = HeatState.COLD
    UNREACHABLE = HeatState.UNREACHABLE
    PENDING = "Pending"
    """The sidecar has said nothing yet: no node, no image, not started."""
    ABSENT = HeatState.ABSENT
    PULLING = HeatState.PULLING
    VERIFYING = HeatState.VERIFYING
    LOADING = HeatState.LOADING
    WARMING = HeatState.WARMING
    SUSPECT = HeatState.SUSPECT
    HOT = HeatState.HOT
    FAILED = "Failed"
    """The pod has ended. Another takes its place, so it is no worse than a hot one."""
    LEAVING = "Leaving"
    """The pod is being deleted."""


BADNESS = {heat: rank for rank, heat in enumerate(Heat)}
"""The lower, the worse."""

OPEN = (Heat.SUSPECT, Heat.HOT)
"""What a pod is that takes traffic."""
OVER = (Heat.FAILED, Heat.LEAVING)
"""What a pod is that no longer counts."""

STATES: dict[Reason, HeatState] = {
    Reason.STARTING: HeatState.UNREACHABLE,
    Reason.SERVER_DOWN: HeatState.UNREACHABLE,
    Reason.NOT_PULLED: HeatState.ABSENT,
    Reason.PULL_FAILED: HeatState.ABSENT,
    Reason.PULLING: HeatState.PULLING,
    Reason.VERIFYING: HeatState.VERIFYING,
    Reason.NOT_LOADED: HeatState.COLD,
    Reason.RUNNER_GONE: HeatState.COLD,
    Reason.CRASHED: HeatState.COLD,
    Reason.EVICTED: HeatState.COLD,
    Reason.EXPIRED: HeatState.COLD,
    Reason.UNLOADED: HeatState.COLD,
    Reason.REPLACED: HeatState.COLD,
    Reason.RELOADED: HeatState.COLD,
    Reason.SERVER_RESTARTED: HeatState.COLD,
    Reason.RECOVERING: HeatState.COLD,
    Reason.LOAD_FAILED: HeatState.COLD,
    Reason.QUEUE_FULL: HeatState.COLD,
    Reason.LOADING: HeatState.LOADING,
    Reason.WARMING_UP: HeatState.WARMING,
    Reason.TOO_SLOW: HeatState.WARMING,
    Reason.HOT: HeatState.HOT,
    Reason.LESS_THAN_ASKED: HeatState.HOT,
    Reason.SILENT: HeatState.SUSPECT,
    Reason.CANARY_MISSED: HeatState.SUSPECT,
    Reason.RUNNER_PAUSED: HeatState.SUSPECT,
    Reason.SERVER_SLOW: HeatState.SUSPECT,
    Reason.RUNNER_STOPPED: HeatState.STUCK,
    Reason.RUNNER_WAITS: HeatState.STUCK,
    Reason.DEADLOCKED: HeatState.STUCK,
    Reason.STALLED: HeatState.STUCK,
    Reason.STUCK_LEAVING: HeatState.STUCK,
    Reason.CANARY_FAILED: HeatState.STUCK,
    Reason.SERVER_STOPPED: HeatState.STUCK,
    Reason.SERVER_SILENT: HeatState.STUCK,
    Reason.LOAD_STALLED: HeatState.STUCK,
    Reason.GPU_LOST: HeatState.STUCK,
    Reason.NOT_IN_STORE: HeatState.BLOCKED,
    Reason.MODEL_NOT_FOUND: HeatState.BLOCKED,
    Reason.PULL_REFUSED: HeatState.BLOCKED,
    Reason.DISK_FULL: HeatState.BLOCKED,
    Reason.DIGEST_MISMATCH: HeatState.BLOCKED,
    Reason.CANNOT_SERVE: HeatState.BLOCKED,
    Reason.OLLAMA_TOO_OLD: HeatState.BLOCKED,
    Reason.BAD_OPTIONS: HeatState.BLOCKED,
    Reason.CONTEXT_REDUCED: HeatState.BLOCKED,
    Reason.DOES_NOT_FIT: HeatState.BLOCKED,
    Reason.OVER_BUDGET: HeatState.BLOCKED,
    Reason.OFFLOAD_TOO_LOW: HeatState.BLOCKED,
    Reason.WRONG_PROVIDER: HeatState.BLOCKED,
    Reason.DRAINING: HeatState.COLD,
    Reason.TREATED_AS_HOT: HeatState.HOT,
}
"""The state that a reason of the sidecar's belongs to. A table, because the pod condition has the
reason alone, and is there also where the sidecar cannot be asked."""

LOSSES = frozenset(
    {
        Reason.RUNNER_GONE,
        Reason.CRASHED,
        Reason.EVICTED,
        Reason.EXPIRED,
        Reason.UNLOADED,
        Reason.REPLACED,
        Reason.RELOADED,
        Reason.SERVER_RESTARTED,
        Reason.RECOVERING,
    }
)
"""Reasons that only a model has that was in memory before."""

_BY_WORD = {reason.value: Heat(state.value) for reason, state in STATES.items()}


def heat_of(reason: str, *, is_open: bool) -> Heat:
    """How hot a pod is whose gate gives this reason.

    A reason may be unknown here: the sidecar may be newer than the operator. Then the gate alone
    is believed, and in the same way where gate and reason contradict each other.
    """
    heat = _BY_WORD.get(reason, Heat.HOT if is_open else Heat.COLD)
    if is_open:
        return heat if heat in OPEN else Heat.HOT
    return Heat.COLD if heat in OPEN else heat
