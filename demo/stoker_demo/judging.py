"""What became of the requests of a run: which were good, slow, cold, failed or hung. Pure."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stoker_demo.record import End, Request, Run, Side

_COLD_TIMES = 20.0
_SLOW_TIMES = 5.0
"""How many times as long as a warm one usually takes is no longer warm."""
_LOAD_SHARE = 0.2
"""Who has waited for less of a load has waited for something else: a busy machine."""
_LEAST_WARM = 20
"""From fewer requests than these no limit is derived."""
_TOLD_SECONDS = 0.1
"""How soon after a loss nobody is to pay for it any more."""


class Verdict(StrEnum):
    """What became of a request, the best first."""

    GOOD = "good"
    SLOW = "slow"
    COLD = "cold"
    ERROR = "error"
    HANG = "hang"


class TooFewError(Exception):
    """There were not enough warm requests to say what is warm."""


@dataclass(frozen=True)
class Limits:
    """What is no longer warm, from the warm requests of the very same run."""

    cold_seconds: float
    """To the first token."""
    load_seconds: float
    """Of waiting for the model to be loaded."""
    slow_seconds: float
    """To the last."""


@dataclass(frozen=True)
class Figures:
    """The requests of one side, counted."""

    requests: int
    good: int
    slow: int
    cold: int
    errors: int
    hangs: int
    worst_first_token: float | None
    """None where nobody got one."""


@dataclass(frozen=True)
class Promise:
    """What Stoker promises, and the requests that it was broken to."""

    caught: int
    """Cold, and under way when a replica lost its model, or begun within 100 ms after it."""
    cold_late: tuple[Request, ...]
    """Cold at another time."""
    hung: tuple[Request, ...]

    @property
    def is_kept(self) -> bool:
        return not (self.cold_late or self.hung)


def limits(run: Run) -> Limits:
    """The limits that the calm scene sets; `TooFewError` where there was not enough of it."""
    warm = [
        request
        for side in run.sides
        for request in (side.within(run.calm.begin, run.calm.end) if run.calm else ())
        if request.end is End.ANSWERED
    ]
    if len(warm) < _LEAST_WARM:
        raise TooFewError(
            f"only {len(warm)} requests were answered while all models were hot, and it takes"
            f" {_LEAST_WARM} to say what is warm: is this machine very busy?"
        )
    first = statistics.median(each.first_token_seconds or 0.0 for each in warm)
    whole = statistics.median(each.seconds for each in warm)
    # The first requests of all wait for a whole load: nothing has been loaded before.
    begun = run.today.within(run.scenes[0].begin, run.scenes[0].end)
    load = max((each.load_seconds for each in begun), default=0.0)
    return Limits(_COLD_TIMES * first, _LOAD_SHARE * load, _SLOW_TIMES * whole)


def verdict(request: Request, than: Limits | None) -> Verdict:
    """What became of it. Without limits yet, all that is answered is good."""
    if request.end is End.SILENT:
        return Verdict.HANG
    if request.end is End.FAILED:
        return Verdict.ERROR
    if than is None:
        return Verdict.GOOD
    waited = request.first_token_seconds or 0.0
    # A busy machine makes a request late, too. Ollama tells whether it was a load.
    if waited > than.cold_seconds and request.load_seconds > than.load_seconds:
        return Verdict.COLD
    is_slow = waited > than.cold_seconds or request.seconds > than.slow_seconds
    return Verdict.SLOW if is_slow else Verdict.GOOD


def figures(requests: Iterable[Request], than: Limits | None) -> Figures:
    """These requests, counted."""
    requests = tuple(requests)
    verdicts = [verdict(each, than) for each in requests]
    waited = [each.first_token_seconds for each in requests if each.first_token is not None]
    return Figures(
        requests=len(requests),
        good=verdicts.count(Verdict.GOOD),
        slow=verdicts.count(Verdict.SLOW),
        cold=verdicts.count(Verdict.COLD),
        errors=verdicts.count(Verdict.ERROR),
        hangs=verdicts.count(Verdict.HANG),
        worst_first_token=max((each for each in waited if each is not None), default=None),
    )


def promise(side: Side, than: Limits) -> Promise:
    """Whether a cold start was paid only where a loss could not be known yet, and nobody hung."""
    verdicts = [(each, verdict(each, than)) for each in side.requests]
    cold = [each for each, found in verdicts if found is Verdict.COLD]
    late = tuple(each for each in cold if not _is_at_a_loss(each, side))
    return Promise(
        caught=len(cold) - len(late),
        cold_late=late,
        hung=tuple(each for each, found in verdicts if found is Verdict.HANG),
    )


def _is_at_a_loss(request: Request, side: Side) -> bool:
    """Whether it was under way when a model was lost, or began before that was known."""
    return any(
        request.began <= loss.ended + _TOLD_SECONDS and loss.ended <= request.ended
        for loss in side.losses
    )
