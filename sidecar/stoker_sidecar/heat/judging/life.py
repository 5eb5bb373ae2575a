"""Does the model, which is in memory, still live? Hung and busy look alike from afar.

They are told apart by what costs nothing to see: the state of the process, the processor time that
it takes, the bytes that come from it.
"""

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.facts import is_asking, is_pending, span
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.judging.ollama import STOP_SECONDS
from stoker_sidecar.heat.memory import Verdict

WAIT_SECONDS = 5.0
"""Reading weights from a slow disk is a wait, too, but with work in between."""

LEAVE_SECONDS = 10.0

NOTHING_SECONDS = 2.0
"""How long a request may be in the model while nothing at all happens."""

QUIET_SECONDS = 5.0
"""How long a working model may be silent before that is said."""


def stopped(case: Case) -> Verdict | None:
    lasts = case.lasts(case.memory.watch.runner_stopped_since)
    if lasts < STOP_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.RUNNER_STOPPED,
        f"The process that holds the model has been stopped for {span(lasts)}",
    )


def paused(case: Case) -> Verdict | None:
    if case.memory.watch.runner_stopped_since is None:
        return None
    return say(
        HeatState.SUSPECT, Reason.RUNNER_PAUSED, "The process that holds the model is stopped"
    )


def waits(case: Case) -> Verdict | None:
    lasts = case.lasts(case.memory.watch.runner_waits_since)
    if lasts < WAIT_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.RUNNER_WAITS,
        f"The process that holds the model has hung in a driver or on a disk for {span(lasts)}",
    )


def stuck_leaving(case: Case) -> Verdict | None:
    lasts = case.lasts(case.memory.watch.leaving_since)
    if lasts < LEAVE_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.STUCK_LEAVING,
        f"The model's keep-alive has been over for {span(lasts)}, nothing works on it, and it does"
        " not leave",
    )


def deadlocked(case: Case) -> Verdict | None:
    """A request is in it, and nothing happens: no byte, no processor time, no GPU."""
    seen, memory, watch = case.seen, case.memory, case.memory.watch
    if seen.processes is None or not is_pending(seen, memory):
        return None
    if case.wanted.pod.gpus and (seen.gpus is None or seen.gpus.busy is None):
        return None  # the GPU may be working, for all that is known
    since = [watch.worked_at]
    if watch.silent_since is not None:
        since.append(watch.silent_since)
    if is_asking(memory) and memory.doing is not None:
        since.append(memory.doing.since)
    lasts = case.now - max(since)
    if lasts < NOTHING_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.DEADLOCKED,
        f"A request has been in the model for {span(lasts)} without a byte, and neither processor"
        " nor GPU works",
    )


def held_up(case: Case) -> str | None:
    """That a client keeps the model from computing, in a sentence."""
    lasts = case.lasts(case.memory.watch.computed_at)
    busy = case.seen.gpus is not None and case.seen.gpus.busy
    if not case.seen.is_held_up or busy or lasts < NOTHING_SECONDS:
        return None
    return (
        f"A client does not take its answer, and nothing has been computed for {span(lasts)}: until"
        " it does, or hangs up, Ollama may keep others waiting"
    )


def stalled(case: Case) -> Verdict | None:
    stall = case.wanted.heat.heartbeat.stall_seconds
    lasts = case.lasts(case.memory.watch.silent_since)
    if stall is None or lasts < stall:
        return None
    return say(
        HeatState.STUCK,
        Reason.STALLED,
        f"A request has kept the model busy for {span(lasts)} without a byte; heartbeat.stall"
        f" allows {span(stall)}",
    )


def silent(case: Case) -> Verdict | None:
    lasts = case.lasts(case.memory.watch.silent_since)
    if lasts < QUIET_SECONDS:
        return None
    stall = case.wanted.heat.heartbeat.stall_seconds
    end = "waited for" if stall is None else f"called a stall after {span(stall)}"
    return say(
        HeatState.SUSPECT,
        Reason.SILENT,
        f"A request has kept the model busy for {span(QUIET_SECONDS)} or more without a byte: a"
        f" long prompt, or a spin. It is {end}",
    )


def canaries_failed(case: Case) -> Verdict | None:
    misses, limit = case.memory.proof.misses, case.wanted.heat.heartbeat.canary.failure_threshold
    if misses < limit:
        return None
    return say(
        HeatState.STUCK,
        Reason.CANARY_FAILED,
        f"{misses} small requests in a row were not answered{_error(case)}",
    )


def canary_missed(case: Case) -> Verdict | None:
    misses, limit = case.memory.proof.misses, case.wanted.heat.heartbeat.canary.failure_threshold
    if not misses:
        return None
    return say(
        HeatState.SUSPECT,
        Reason.CANARY_MISSED,
        f"{misses} of {limit} small requests in a row were not answered{_error(case)}",
    )


def _error(case: Case) -> str:
    return f": {case.memory.warm.error}" if case.memory.warm.error else ""
