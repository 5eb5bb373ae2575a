"""Pods that come no nearer to heat, and when to look at them again."""

from stoker_api.wire import DEADLINE_FIELD
from stoker_operator.observed.pods import Pod


def stalled(pod: Pod) -> bool:
    """Whether its sidecar has seen no progress for `warmup.deadline`.

    The sidecar alone knows: bytes that come are progress, and only it counts them.
    """
    warnings = pod.sidecar.warnings if pod.sidecar else ()
    return any(DEADLINE_FIELD in warning for warning in warnings)
