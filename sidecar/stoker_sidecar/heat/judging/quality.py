"""Is the model, which is in memory and lives, as good as was asked for?

What is only soft may delay the first opening. Afterwards it is reported, unless the spec lets it
shut the gate: a soft reason is often true of every pod at once.
"""

from stoker_api.reasons import Reason
from stoker_api.wire import BUDGET_FIELD, HeatState, OnOverBudget, SoftReason
from stoker_sidecar.heat.facts import contradiction, gpu_bytes, offload_ratio, size, span
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.memory import Verdict


def unproven(case: Case) -> Verdict | None:
    good, needed = case.memory.proof.good, case.wanted.heat.warmup.consecutive
    if good >= needed:
        return None
    failed = f"; the last one failed: {case.memory.warm.error}" if case.memory.warm.error else ""
    return say(
        HeatState.WARMING,
        Reason.WARMING_UP,
        f"{case.wanted.pod.model} is loaded; {good} of {needed} answers in a row are good{failed}",
    )


def unmeasured(case: Case) -> Verdict | None:
    """What depends on a measurement of the GPU waits for it, once."""
    gpus, gpu = case.seen.gpus, case.wanted.heat.gpu
    if case.memory.opened or gpus is None or not gpus.pending or gpu is None:
        return None
    if gpu.memory_budget_bytes is None and gpu.min_offload_ratio is None:
        return None
    return say(
        HeatState.WARMING, Reason.WARMING_UP, "The GPU memory that it takes is being measured"
    )


def too_slow(case: Case) -> Verdict | None:
    return _shut(case, SoftReason.LATENCY, slowness(case), HeatState.WARMING, Reason.TOO_SLOW)


def over_budget(case: Case) -> Verdict | None:
    gpu = case.wanted.heat.gpu
    blocks = gpu is not None and gpu.on_over_budget is OnOverBudget.BLOCK
    message = excess(case)
    if message is None or not (blocks or SoftReason.BUDGET in case.wanted.heat.gate.shut_on):
        return None
    advice = f"{message}: raise gpu.memoryBudget, or name a smaller model or context"
    return _shut(case, SoftReason.BUDGET, advice, HeatState.BLOCKED, Reason.OVER_BUDGET)


def too_little_offload(case: Case) -> Verdict | None:
    message = shortfall(case)
    advice = message and f"{message}: free GPU memory, or lower gpu.minOffload"
    return _shut(case, SoftReason.OFFLOAD, advice, HeatState.BLOCKED, Reason.OFFLOAD_TOO_LOW)


def _shut(
    case: Case, soft: SoftReason, message: str | None, state: HeatState, reason: Reason
) -> Verdict | None:
    may_shut = not case.memory.opened or soft in case.wanted.heat.gate.shut_on
    return say(state, reason, message) if message and may_shut else None


def slowness(case: Case) -> str | None:
    """By how much the first token is late, in a sentence."""
    target = case.wanted.heat.warmup.target_first_token_seconds
    measured = case.memory.proof.first_token_seconds
    if target is None or (measured is not None and measured <= target):
        return None
    if measured is None:
        return "Its first token has not been measured yet"
    return f"Its first token takes {span(measured)}; warmup.targetFirstToken is {span(target)}"


def excess(case: Case) -> str | None:
    """By how much it is over its budget. What cannot be measured is not over it."""
    gpu, used = case.wanted.heat.gpu, gpu_bytes(case.seen)
    budget = gpu.memory_budget_bytes if gpu else None
    if budget is None or used is None or used <= budget:
        return None
    return f"It takes {size(used)} of GPU memory; {BUDGET_FIELD} is {size(budget)}"


def shortfall(case: Case) -> str | None:
    """How much less of it is on the GPU than was asked for."""
    gpu, model = case.wanted.heat.gpu, case.model
    least = gpu.min_offload_ratio if gpu else None
    ratio = offload_ratio(case.seen, model) if model else None
    if least is None or ratio is None or ratio >= least - 0.005:
        return None
    said = model and contradiction(case.seen, model)
    detail = f" ({said})" if said else ""
    return f"{ratio:.0%} of it is on the GPU; gpu.minOffload is {least:.0%}{detail}"


def findings(case: Case) -> tuple[str, ...]:
    """All that is less than asked for, whether it shuts the gate or not."""
    model = case.model
    said = [
        slowness(case) if case.memory.proof.first_tokens else None,
        excess(case),
        shortfall(case),
        contradiction(case.seen, model) if model else None,
    ]
    return tuple(message for message in said if message)
