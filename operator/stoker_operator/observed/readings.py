"""What sidecars measure, as far as it can be believed and written down."""

from stoker_api import wire
from stoker_operator.observed.case import MOST_PODS, Case
from stoker_operator.observed.pods import Pod

_MOST = 2**63
"""Kubernetes keeps whole numbers in 64 bits; and no length of time comes near."""

_CONTRADICTED = 0.5
"""A GPU that has less than this share of what Ollama claims to have put there contradicts it."""

Answer = tuple[Pod, wire.Status]


def answers(case: Case) -> list[Answer]:
    """The hot pods whose sidecars have answered in this pass, with what they have said."""
    return [(pod, pod.sidecar) for pod in case.hot if pod.sidecar]


def is_whole(case: Case) -> bool:
    """Whether all hot pods have answered, as far as they are asked."""
    return len(answers(case)) >= min(len(case.hot), MOST_PODS) > 0


def vram_bytes(told: wire.Status | None) -> int | None:
    """GPU memory of the model, as Ollama has it."""
    return whole(told.residency.vram_bytes) if told and told.residency else None


def used_bytes(told: wire.Status) -> int | None:
    """GPU memory that is taken, as the pod's GPUs measure it; None where one of them does not."""
    used = [whole(gpu.used_bytes) for gpu in told.gpus]
    known = [each for each in used if each is not None]
    return sum(known) if known and len(known) == len(used) else None


def taken_bytes(told: wire.Status, budget: int | None) -> int | None:
    """GPU memory that this pod takes.

    Where others share the GPU they are in what it measures. The sidecar can often tell them apart,
    and says so where its own pod is over the budget. If it does not, Ollama's figure is nearer.
    """
    used = used_bytes(told)
    if used is None or budget is None or used <= budget or _says_over_budget(told):
        return used
    return vram_bytes(told)


def _says_over_budget(told: wire.Status) -> bool:
    return any(wire.BUDGET_FIELD in warning for warning in told.warnings)


def offload_ratio(told: wire.Status) -> float | None:
    """The share of the model that is on the GPU. What a GPU contradicts is not on it."""
    vram = vram_bytes(told)
    total = whole(told.residency.total_bytes) if told.residency else None
    if vram is None or not total:
        return None
    used = used_bytes(told)
    if used is not None and used < _CONTRADICTED * vram:
        vram = used
    return min(vram / total, 1.0)


def whole(number: int | None) -> int | None:
    """A number of bytes as the status may hold it."""
    return number if number is not None and 0 <= number < _MOST else None


def positive(seconds: float | None) -> float | None:
    """A length of time as the status may hold it."""
    return seconds if seconds is not None and 0 <= seconds < _MOST else None
