"""OnDevice: is the model on its GPUs? WithinBudget: does it keep to its share of their memory?"""

from stoker_api.reasons import Reason as SidecarReason
from stoker_operator.observed.amounts import pods, share, size
from stoker_operator.observed.case import Case, Finding, no, unknown, yes
from stoker_operator.observed.conditions.measured import kept, no_answer, none_hot, out_of_reach
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.readings import answers, offload_ratio, taken_bytes
from stoker_operator.observed.reasons import Reason

_HAIR = 0.005
"""A share is compared as people read it: 99.6 % is the whole."""


def no_gpu_wanted(case: Case) -> Finding | None:
    if case.resource.spec.uses_gpu:
        return None
    return yes(Reason.NO_GPU_WANTED, "The spec asks for no GPU: the model runs on the CPU")


def cpu_fallback(case: Case) -> Finding | None:
    least = _least_offloaded(case)
    if least is None or least[1] > 0:
        return None
    return no(
        Reason.CPU_FALLBACK,
        f"{least[0].name} runs the model on the CPU, though it has a GPU. Look at Ollama's log for"
        " the reason: often a driver that does not fit, or too little free GPU memory",
    )


def partly_on_cpu(case: Case) -> Finding | None:
    """Ollama offloads what fits, and says nothing about the rest."""
    least, gpu = _least_offloaded(case), case.resource.spec.gpu
    wanted = float(gpu.min_offload) if gpu and gpu.min_offload else 1.0
    if least is None or least[1] >= wanted - _HAIR:
        return None
    return no(
        Reason.PARTLY_ON_CPU,
        f"{share(least[1])} of the model is on the GPU of {least[0].name}, and the rest on the CPU,"
        " which is slower. Free GPU memory, or name a smaller model or context",
    )


def unmeasured(case: Case) -> Finding | None:
    if len(_offloads(case)) == len(answers(case)):
        return None
    return unknown(Reason.NOT_MEASURED, "Ollama does not say how much of the model is on the GPU")


def on_device(case: Case) -> Finding:
    least = _least_offloaded(case)
    told = f"{share(least[1])} of the model is on the GPU of {least[0].name}" if least else ""
    return yes(Reason.ON_DEVICE, f"{told}, the least of {pods(len(case.hot))}")


def no_budget(case: Case) -> Finding | None:
    gpu = case.resource.spec.gpu
    if gpu and gpu.memory_budget:
        return None
    return yes(Reason.NO_BUDGET, "The spec sets no gpu.memoryBudget")


def blocked_by_budget(case: Case) -> Finding | None:
    found = [pod for pod in case.others if pod.state.reason == SidecarReason.OVER_BUDGET]
    return no(Reason.OVER_BUDGET, found[0].sentence) if found else None


def over_budget(case: Case) -> Finding | None:
    most = _takes_most(case)
    if most is None or most[1] <= _budget(case):
        return None
    return no(
        Reason.OVER_BUDGET,
        f"{most[0].name} takes {size(most[1])} of GPU memory; gpu.memoryBudget is"
        f" {size(_budget(case))}{_in_all(case)}. Raise the budget, or name a smaller model or"
        " context",
    )


def usage_unmeasured(case: Case) -> Finding | None:
    if len(_usages(case)) == len(answers(case)):
        return None
    return unknown(
        Reason.NOT_MEASURED,
        "A GPU does not say how much of its memory is taken; the sidecar's /status says why, under"
        " warnings",
    )


def within_budget(case: Case) -> Finding:
    most = _takes_most(case)
    told = f"{most[0].name} takes most: {size(most[1])} of {size(_budget(case))}" if most else ""
    return yes(Reason.WITHIN_BUDGET, f"{told}{_in_all(case)}")


def _offloads(case: Case) -> list[tuple[Pod, float]]:
    ratios = [(pod, offload_ratio(told)) for pod, told in answers(case)]
    return [(pod, ratio) for pod, ratio in ratios if ratio is not None]


def _least_offloaded(case: Case) -> tuple[Pod, float] | None:
    return min(_offloads(case), key=lambda each: (each[1], each[0].name), default=None)


def _usages(case: Case) -> list[tuple[Pod, int]]:
    usages = [(pod, taken_bytes(told, _budget(case))) for pod, told in answers(case)]
    return [(pod, used) for pod, used in usages if used is not None]


def _takes_most(case: Case) -> tuple[Pod, int] | None:
    return max(_usages(case), key=lambda each: (each[1], each[0].name), default=None)


def _budget(case: Case) -> int:
    gpu = case.resource.spec.gpu
    return gpu.memory_budget.whole if gpu and gpu.memory_budget else 0


def _in_all(case: Case) -> str:
    """The sum, where there is more than one pod to sum up."""
    usages = _usages(case)
    if len(usages) < 2:  # noqa: PLR2004 - one pod is its own sum
        return ""
    used, allowed = sum(used for _, used in usages), _budget(case) * len(usages)
    return f"; in all {size(used)} of {size(allowed)} on {pods(len(usages))}"


ON_DEVICE = (
    no_gpu_wanted,
    none_hot,
    out_of_reach,
    cpu_fallback,
    partly_on_cpu,
    kept("OnDevice"),
    no_answer,
    unmeasured,
    on_device,
)
WITHIN_BUDGET = (
    no_budget,
    blocked_by_budget,
    none_hot,
    out_of_reach,
    over_budget,
    kept("WithinBudget"),
    no_answer,
    usage_unmeasured,
    within_budget,
)
