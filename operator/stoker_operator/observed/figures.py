"""Figures for people, as of the last transition: a steady state writes nothing."""

from typing import TypeVar

from stoker_api.status import (
    ColdStartStatus,
    GpuStatus,
    LatencyStatus,
    ModelStatus,
    PodStatus,
)
from stoker_operator.observed.amounts import cut, share, size, span
from stoker_operator.observed.case import MOST_PODS, Case
from stoker_operator.observed.cold_start import cold_start
from stoker_operator.observed.heats import OPEN
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.raw import rfc3339
from stoker_operator.observed.readings import (
    answers,
    is_whole,
    offload_ratio,
    positive,
    taken_bytes,
    vram_bytes,
    whole,
)

T = TypeVar("T")

_WORD = 64
_NAME = 253
_DIGEST = 71


def entries(case: Case) -> list[PodStatus]:
    """The pods as status lists them, worst first."""
    return [_entry(case, pod) for pod in case.pods[:MOST_PODS]]


def _entry(case: Case, pod: Pod) -> PodStatus:
    was, told = case.entry(pod.name), pod.sidecar if pod.is_hot else None
    kept = was if was and pod.is_hot and is_as_listed(pod, was) else None
    vram = kept.vram_bytes if kept else None
    token = kept.first_token_seconds if kept else None
    latency = told.latency.first_token_p50_seconds if told else None
    return PodStatus(
        name=cut(pod.name, _NAME),
        node=cut(pod.node, _NAME) or None,
        heat=pod.heat.value,
        reason=cut(pod.state.reason, _WORD) or None,
        since=rfc3339(pod.state.since) if pod.state.since else None,
        vram_bytes=vram if vram is not None else vram_bytes(told),
        first_token_seconds=token if token is not None else positive(latency),
    )


def is_as_listed(pod: Pod, entry: PodStatus) -> bool:
    """Whether the pod is as it was when it was listed, so that its figures are."""
    since = rfc3339(pod.state.since) if pod.state.since else None
    reason = cut(pod.state.reason, _WORD) or None
    return (pod.heat, reason, since) == (entry.heat, entry.reason, entry.since)


def model(case: Case) -> ModelStatus | None:
    """The model, as the youngest pod has it that answers: in a roll-out that is the new one."""
    answered = [
        (pod.is_hot, pod.created.timestamp() if pod.created else 0.0, pod.sidecar.model)
        for pod in case.pods
        if pod.counts and pod.sidecar and pod.sidecar.model
    ]
    if not answered:
        return case.before.model
    told = max(answered, key=lambda each: each[:2])[2]
    return ModelStatus(
        digest=told.digest if _is_digest(told.digest) else None,
        size_bytes=whole(told.size_bytes),
        parameters=cut(told.parameters or "", _WORD) or None,
        quantisation=cut(told.quantisation or "", _WORD) or None,
        context_length=whole(told.context_length),
    )


def gpu(case: Case, listed: list[PodStatus]) -> GpuStatus | None:
    """What the model takes of its GPUs: in the pod that takes most, offloaded least."""
    wanted, before = case.resource.spec.gpu, case.before.gpu
    if wanted is None or not case.resource.spec.uses_gpu:
        return None
    vram = max(
        (entry.vram_bytes for entry in _hot(listed) if entry.vram_bytes is not None), default=None
    )
    offloads = _known([offload_ratio(told) for _, told in answers(case)])
    budget = wanted.memory_budget.whole if wanted.memory_budget else None
    taken = _known([taken_bytes(told, budget) for _, told in answers(case)])
    offload = share(min(offloads)) if offloads else None
    measured = max(taken, default=None)
    if case.hot and before and not is_whole(case):
        offload, measured = before.offload, before.measured_bytes
    return GpuStatus(
        vram=size(vram) if vram is not None else None,
        vram_bytes=vram,
        offload=offload,
        budget_bytes=whole(budget),
        measured_bytes=whole(measured),
    )


def latency(case: Case, listed: list[PodStatus]) -> LatencyStatus | None:
    """How fast answers begin, in the slowest hot pod."""
    tokens = _known([entry.first_token_seconds for entry in _hot(listed)])
    p95s = _known([positive(told.latency.first_token_p95_seconds) for _, told in answers(case)])
    p50, p95 = max(tokens, default=None), max(p95s, default=None)
    if case.hot and case.before.latency and not is_whole(case):
        p95 = case.before.latency.first_token_p95_seconds
    figures = LatencyStatus(
        first_token=span(p50) if p50 is not None else None,
        first_token_p50_seconds=p50,
        first_token_p95_seconds=p95,
        cold_start=case.cold_start,
    )
    return figures if figures.as_json() else None


def last_cold_start(case: Case) -> ColdStartStatus | None:
    """The last cold start that is known: of the hot pod that was made last."""
    if case.youngest is not None and case.youngest.sidecar is not None:
        return cold_start(case.youngest, case.youngest.sidecar.cold_start)
    return case.before.latency.cold_start if case.before.latency else None


def _is_digest(text: str) -> bool:
    return len(text) <= _DIGEST and text.isprintable()


def _hot(listed: list[PodStatus]) -> list[PodStatus]:
    return [entry for entry in listed if entry.heat in OPEN]


def _known(values: list[T | None]) -> list[T]:
    return [value for value in values if value is not None]
