"""Is the model in memory, and as it should be?"""

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.facts import (
    has_right_context,
    is_doing,
    is_runner_gone,
    mark_of,
    others_listed,
    runner,
    span,
)
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.memory import Verdict
from stoker_sidecar.heat.observation import Deed, Fault, Loaded

LOAD_STALL_SECONDS = 20.0
"""A load starts a process within a second or two. Ollama may first wait for other models to
leave, so the wait counts only while none of them works."""

REPLACED_SECONDS = 0.25
"""How long a process that takes another's place may take to be there."""

_MOMENT = 2.0
"""A model leaves within this time of its expiry."""


def loading(case: Case) -> Verdict | None:
    memory = case.memory
    if not (is_doing(memory, Deed.LOAD) or memory.own_load):
        return None
    return _stalled(case) or say(
        HeatState.LOADING, Reason.LOADING, f"Loading {case.wanted.pod.model}"
    )


def _stalled(case: Case) -> Verdict | None:
    """The dead-lock of Ollama's scheduler: a load is asked for, and nothing loads."""
    processes, doing = case.seen.processes, case.memory.doing
    if doing is None or doing.deed is not Deed.LOAD:
        return None
    waits = case.now - doing.since
    if processes is None:
        limit = case.wanted.heat.warmup.deadline_seconds
    elif processes.runner is not None or not case.memory.watch.are_others_idle(case.now):
        return None
    else:
        limit = LOAD_STALL_SECONDS
    if waits < limit:
        return None
    return say(
        HeatState.STUCK,
        Reason.LOAD_STALLED,
        f"Ollama was asked to load {case.wanted.pod.model} {span(waits)} ago, and nothing is being"
        " loaded: its scheduler is stuck",
    )


def answered_by_another(case: Case) -> Verdict | None:
    """Ollama ends a runner before it strikes it off its list, and never the other way round."""
    last, own = case.memory.watch.last_listed, runner(case.seen)
    loaded = case.seen.server.loaded
    if loaded is None or last is None or own is None:
        return None
    lives_on = own.identity == case.memory.watch.listed_runner
    if not lives_on or any(model.digest == last.digest for model in loaded):
        return None
    return say(
        HeatState.BLOCKED,
        Reason.WRONG_PROVIDER,
        f"{case.wanted.pod.model} is not listed, though the process that holds it runs: something"
        " else answers in Ollama's place. Find out what listens at its address",
    )


def not_loaded(case: Case) -> Verdict | None:
    gone = is_runner_gone(case.seen, case.memory)
    if case.model is not None and not gone:
        return None
    return _load_failed(case) or _why_cold(case, gone=gone)


def _load_failed(case: Case) -> Verdict | None:
    tries, name = case.memory.load, case.wanted.pod.model
    if tries.fault is None:
        return None
    again = f"Next attempt in {span(max(0.0, tries.not_before - case.now))}"
    failed = f"Loading {name} failed (attempt {tries.failures}): {tries.error}"
    match tries.fault:
        case Fault.BUSY:
            return say(HeatState.COLD, Reason.QUEUE_FULL, f"{failed}. {again}")
        case Fault.NO_MEMORY:
            advice = "give the pod more memory, or name a smaller model or context"
            return say(HeatState.BLOCKED, Reason.DOES_NOT_FIT, f"{failed}: {advice}. {again}")
        case Fault.BAD_REQUEST:
            advice = "check options against what the model can do"
            return say(HeatState.BLOCKED, Reason.BAD_OPTIONS, f"{failed}: {advice}. {again}")
        case _:
            return say(HeatState.COLD, Reason.LOAD_FAILED, f"{failed}. {again}")


def _why_cold(case: Case, *, gone: bool) -> Verdict:
    """Where the model went. Once that is clear it stands until the model is back."""
    memory, name = case.memory, case.wanted.pod.model
    if memory.lost is not None:
        return memory.lost
    if memory.recovery.against is not None:
        cause = memory.recovery.against
        return say(
            HeatState.COLD, Reason.RECOVERING, f"{name} was stuck ({cause}) and is loaded anew"
        )
    if memory.watch.last_listed is None:
        return say(HeatState.COLD, Reason.NOT_LOADED, f"{name} is not in memory yet")
    if memory.verdict.state is HeatState.UNREACHABLE or memory.watch.server_changed:
        return say(
            HeatState.COLD, Reason.SERVER_RESTARTED, "Ollama was restarted; nothing is loaded"
        )
    if case.seen.server.loaded is None or _is_unclear(case):
        return say(HeatState.COLD, Reason.RUNNER_GONE, f"The process that held {name} has ended")
    new = runner(case.seen)
    if new is not None and new.identity != memory.watch.listed_runner:
        return say(
            HeatState.COLD,
            Reason.RELOADED,
            f"A request has {name} loaded anew: with other options, or because it had left memory",
        )
    if gone and case.model is not None:
        return say(
            HeatState.COLD,
            Reason.CRASHED,
            f"The process that held {name} has ended, though Ollama lists the model still: it"
            " crashed, and Ollama's log says why",
        )
    return _left(case, memory.watch.last_listed)


def _is_unclear(case: Case) -> bool:
    """Whether it may just be on its way back: a reload ends one process and starts another."""
    ended = case.memory.watch.ended_at
    return (
        ended is not None
        and case.now - ended < REPLACED_SECONDS
        and runner(case.seen) is None
        and not others_listed(case.seen)
    )


def _left(case: Case, last: Loaded) -> Verdict:
    name = case.wanted.pod.model
    if any(other.digest == last.digest for other in case.seen.server.loaded or ()):
        return say(
            HeatState.COLD,
            Reason.REPLACED,
            f"{name} is other weights now, and the next request would load those: {last.digest}"
            " is in memory still",
        )
    others = ", ".join(others_listed(case.seen)[:3])
    # One that is being loaded is not listed yet, but its process is there.
    if others or (case.seen.processes and case.seen.processes.others):
        room = others or "another model, which is being loaded"
        return say(HeatState.COLD, Reason.EVICTED, f"{name} had to make room for {room}")
    elapsed = case.now - case.memory.watch.last_listed_at
    if last.expires_in_seconds is not None and last.expires_in_seconds - elapsed <= _MOMENT:
        return say(HeatState.COLD, Reason.EXPIRED, f"The keep-alive of {name} was over")
    # With a GPU, the next model's process starts only when this one's memory is free again; and one
    # that crashes under requests is off the list as soon as one that was asked to leave.
    return say(
        HeatState.COLD,
        Reason.UNLOADED,
        f"{name} has left memory: a client had it unloaded, another model is to take its place, or"
        " its process crashed under a request; Ollama's log says which",
    )


def other_options(case: Case) -> Verdict | None:
    model = case.model
    if model is None or has_right_context(model, case.wanted):
        return None
    asked, got = case.wanted.pod.context_length, model.context_length
    own = case.memory.own
    if own is not None and own.merged(mark_of(case.seen, model)):
        return say(
            HeatState.BLOCKED,
            Reason.CONTEXT_REDUCED,
            f"Ollama loaded {model.name} with a context of {got} instead of {asked}: there is no"
            " memory for more. Give the pod more memory, or set options.contextLength to what fits",
        )
    return _load_failed(case) or say(
        HeatState.COLD,
        Reason.RELOADED,
        f"A request had {model.name} loaded with a context of {got} instead of {asked}",
    )
