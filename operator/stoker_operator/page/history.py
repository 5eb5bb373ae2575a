"""The last hour of an LLMDeployment, by its statuses, and of its pods, by their gates.

Pure functions from what is remembered, and what is new, to what is to be remembered. It is bounded
whatever happens: a pod that flaps loses its oldest changes, not the operator its memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stoker_operator.desired import Manifest
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.raw import instant, items, text

SPAN_SECONDS = 3600.0
"""So far back it is remembered."""
GONE = "Gone"
"""The word for a pod that is not listed any more."""

_MOST_STEPS = 120
_MOST_LANES = 64


@dataclass(frozen=True, slots=True)
class Step:
    """How it was from a moment on."""

    at: float
    word: str
    reason: str = ""


Lane = tuple[Step, ...]
"""One after the other, the oldest first."""


@dataclass(frozen=True, slots=True)
class History:
    """The last hour of one LLMDeployment."""

    phases: Lane = ()
    pods: Mapping[str, Lane] = field(default_factory=dict)
    """By name, also of pods that have gone in this hour."""


def with_status(history: History, status: Manifest, now: float) -> History:
    """The history with what a status says that was written at this time."""
    # Of what was before the first look this much is known: nothing has changed since.
    at = now if history.phases else _last_change(status, now)
    return replace(history, phases=_with(history.phases, Step(at, text(status, "phase"))))


def with_pod(history: History, pod: Pod, now: float) -> History:
    """The history with a pod as it was seen at this time."""
    lane = history.pods.get(pod.name, ())
    # When its gate was set: between two states of a gate that is shut that stays as it is.
    since = pod.state.since
    at = min(since.timestamp(), now) if since else now
    if lane and at <= lane[-1].at:
        at = now
    return _stepped(history, pod.name, Step(at, pod.heat.value, pod.state.reason))


def without_pod(history: History, pod: str, now: float) -> History:
    """The history with a pod that is there no more."""
    return _stepped(history, pod, Step(now, GONE))


def recent(history: History, now: float) -> History:
    """The part of it that is not older than the hour."""
    horizon = now - SPAN_SECONDS
    lanes = {name: _since(lane, horizon) for name, lane in history.pods.items()}
    kept = [name for name, lane in lanes.items() if not (len(lane) == 1 and lane[0].word == GONE)]
    kept.sort(key=lambda name: (lanes[name][-1].word == GONE, -lanes[name][-1].at))
    return History(
        _since(history.phases, horizon), {name: lanes[name] for name in kept[:_MOST_LANES]}
    )


def _stepped(history: History, name: str, step: Step) -> History:
    lane = _with(history.pods.get(name, ()), step)
    return replace(history, pods={**history.pods, name: lane})


def _last_change(status: Manifest, now: float) -> float:
    moments = [instant(each, "lastTransitionTime") for each in items(status, "conditions")]
    moments += [instant(each, "since") for each in items(status, "pods")]
    return min(max((each.timestamp() for each in moments if each), default=now), now)


def _with(lane: Lane, step: Step) -> Lane:
    if lane and (lane[-1].word, lane[-1].reason) == (step.word, step.reason):
        return lane
    return (*lane, step)[-_MOST_STEPS:]


def _since(lane: Lane, horizon: float) -> Lane:
    """Without what was over by then."""
    over = sum(1 for step in lane[1:] if step.at <= horizon)
    return lane[over:]
