"""What the page shows of one LLMDeployment: a line of the list, and all of it. Pure functions.

Names of fields are the status's own where they mean the same. Moments are in seconds since 1970: a
browser says them in the words and the time of whoever looks.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from stoker_api import wire
from stoker_operator.desired import Manifest
from stoker_operator.observed.case import MOST_PODS
from stoker_operator.observed.pods import Pod, pods
from stoker_operator.observed.raw import at, count, instant, items, text
from stoker_operator.observed.readings import positive, used_bytes, vram_bytes
from stoker_operator.page.history import GONE, History, Lane
from stoker_operator.world import Key

Json = dict[str, Any]

_ASKED_FIRST = ("Accepted", "Progressing", "Hot", "OnDevice", "WithinBudget", "Routed")
"""Conditions in the order in which a False one is the reason for all that follows."""
_COLD_START = ("schedule", "image", "pull", "verify", "load", "firstToken")


def identity(key: Key) -> str:
    """What the page calls an LLMDeployment."""
    return "/".join(key)


def line(key: Key, body: Manifest, history: History) -> Json:
    """What the list shows of it."""
    spec, status = at(body, "spec"), at(body, "status")
    told = _worst(status)
    return {
        "id": identity(key),
        "namespace": key[0],
        "name": key[1],
        "model": text(spec, "model"),
        # Of one that the operator has not come to yet there is no status.
        "phase": text(status, "phase") or "Pending",
        "hot": count(status, "hotReplicas"),
        "wanted": 0 if at(spec, "suspend") else _wanted(spec),
        "reason": text(told, "reason"),
        "why": text(told, "message"),
        "concern": text(told, "status") == "False" and text(status, "phase") == "Hot",
        "vramBytes": at(status, "gpu", "vramBytes"),
        "measuredBytes": at(status, "gpu", "measuredBytes"),
        "budgetBytes": at(status, "gpu", "budgetBytes"),
        "offload": text(status, "gpu", "offload"),
        "firstTokenSeconds": at(status, "latency", "firstTokenP50Seconds"),
        "changes": _changes(history.phases),
    }


def whole(
    key: Key,
    body: Manifest,
    manifests: tuple[Manifest, ...],
    sidecars: Mapping[str, wire.Status],
    history: History,
) -> Json:
    """All that is shown of it; what sidecars have just answered is newer than the status."""
    status = at(body, "status")
    return line(key, body, history) | {
        "endpoint": text(status, "endpoint"),
        "modelFigures": at(status, "model") or {},
        "firstTokenP95Seconds": at(status, "latency", "firstTokenP95Seconds"),
        "coldStart": [
            [phase, at(status, "latency", "coldStart", f"{phase}Seconds")] for phase in _COLD_START
        ],
        "conditions": [_condition(each) for each in items(status, "conditions")],
        "pods": [*_pods(status, manifests, sidecars, history), *_gone(manifests, history)],
    }


def _wanted(spec: Any) -> int:
    replicas = at(spec, "replicas")
    return replicas if isinstance(replicas, int) else 1


def _worst(status: Any) -> Manifest:
    """The condition that says best why things are as they are."""
    told = {text(each, "type"): each for each in items(status, "conditions")}
    wrong = (told[kind] for kind in _ASKED_FIRST if text(told.get(kind), "status") == "False")
    return next(wrong, told.get("Hot", {}))


def _condition(each: Manifest) -> Json:
    named = {name: text(each, name) for name in ("type", "status", "reason", "message")}
    return named | {"at": _seconds(instant(each, "lastTransitionTime"))}


def _pods(
    status: Any,
    manifests: tuple[Manifest, ...],
    sidecars: Mapping[str, wire.Status],
    history: History,
) -> Iterator[Json]:
    listed = {text(entry, "name"): entry for entry in items(status, "pods")}
    for pod in pods(manifests, sidecars)[:MOST_PODS]:
        known = {"changes": _changes(history.pods.get(pod.name, ()))}
        yield _pod(pod) | known | _figures(pod.sidecar, listed.get(pod.name, {}))


def _pod(pod: Pod) -> Json:
    return {
        "name": pod.name,
        "node": pod.node,
        "heat": pod.heat.value,
        "isHot": pod.is_hot,
        "reason": pod.state.reason,
        "why": pod.state.message,
        "at": _seconds(pod.state.since),
    }


def _figures(told: wire.Status | None, listed: Manifest) -> Json:
    """As its sidecar has just answered; where it has not, as the status has it."""
    if told is None:
        figures = {name: listed.get(name) for name in ("vramBytes", "firstTokenSeconds")}
        return figures | {"isLive": False}
    return {
        "vramBytes": vram_bytes(told),
        "firstTokenSeconds": positive(told.latency.first_token_p50_seconds),
        "measuredBytes": used_bytes(told),
        "isLive": True,
        "gpus": [[gpu.name, gpu.utilisation_ratio] for gpu in told.gpus],
        "pull": [told.pull.done_bytes, told.pull.total_bytes] if told.pull else None,
        "warnings": list(told.warnings),
    }


def _gone(manifests: tuple[Manifest, ...], history: History) -> Iterator[Json]:
    """Pods of this hour that are there no more."""
    here = {text(each, "metadata", "name") for each in manifests}
    for name, lane in history.pods.items():
        if name not in here and lane[-1].word == GONE:
            yield {"name": name, "heat": GONE, "at": lane[-1].at, "changes": _changes(lane)}


def _changes(lane: Lane) -> list[list[Any]]:
    return [[round(each.at, 3), each.word, each.reason] for each in lane]


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
