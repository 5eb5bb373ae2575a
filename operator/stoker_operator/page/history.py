"""What became of an LLMDeployment and of its pods in the last hour, as its statuses told.

A pure function from what is remembered and the newest status to what is to be remembered. It is
bounded whatever happens: a pod that flaps loses its oldest changes, not the operator its memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stoker_operator.desired import Manifest
from stoker_operator.observed.raw import instant, items, text

SPAN_SECONDS = 3600.0
"""So far back it is remembered."""
GONE = "Gone"
"""The word for a pod that is not listed any more."""

_MOST_CHANGES = 120
_MOST_LANES = 64


@dataclass(frozen=True, slots=True)
class Change:
    """How it was from a moment on."""

    at: float
    word: str
    reason: str = ""


Lane = tuple[Change, ...]
"""One after the other, the oldest first."""


@dataclass(frozen=True, slots=True)
class History:
    """The last hour of one LLMDeployment."""

    phases: Lane = ()
    pods: Mapping[str, Lane] = field(default_factory=dict)
    """By name, also of pods that have gone in this hour."""


def noted(history: History, status: Manifest, now: float) -> History:
    """The history with what a status says that was told at this time."""
    entries = {text(entry, "name"): entry for entry in items(status, "pods")}
    lanes = {name: _noted_pod(history.pods.get(name, ()), entries[name], now) for name in entries}
    for name, lane in history.pods.items():
        if name not in entries:
            lanes[name] = _with(lane, Change(now, GONE))
    return recent(History(_noted_phase(history.phases, status, now), lanes), now)


def recent(history: History, now: float) -> History:
    """The part of it that is not older than the hour."""
    horizon = now - SPAN_SECONDS
    lanes = {name: _since(lane, horizon) for name, lane in history.pods.items()}
    kept = [name for name, lane in lanes.items() if not (len(lane) == 1 and lane[0].word == GONE)]
    kept.sort(key=lambda name: lanes[name][-1].word == GONE)
    return History(
        _since(history.phases, horizon), {name: lanes[name] for name in kept[:_MOST_LANES]}
    )


def _noted_phase(lane: Lane, status: Manifest, now: float) -> Lane:
    # Of what was before the first look this much is known: nothing has changed since.
    at = now if lane else _last_change(status, now)
    return _with(lane, Change(at, text(status, "phase")))


def _last_change(status: Manifest, now: float) -> float:
    moments = [instant(each, "lastTransitionTime") for each in items(status, "conditions")]
    moments += [instant(each, "since") for each in items(status, "pods")]
    return min(max((each.timestamp() for each in moments if each), default=now), now)


def _noted_pod(lane: Lane, entry: Manifest, now: float) -> Lane:
    """`since` is when its gate was set; between two states of a gate that is shut it stands."""
    since = instant(entry, "since")
    at = min(since.timestamp(), now) if since else now
    if lane and at <= lane[-1].at:
        at = now
    return _with(lane, Change(at, text(entry, "heat"), text(entry, "reason")))


def _with(lane: Lane, change: Change) -> Lane:
    if lane and (lane[-1].word, lane[-1].reason) == (change.word, change.reason):
        return lane
    return (*lane, change)[-_MOST_CHANGES:]


def _since(lane: Lane, horizon: float) -> Lane:
    """Without what was over by then."""
    over = sum(1 for change in lane[1:] if change.at <= horizon)
    return lane[over:]
