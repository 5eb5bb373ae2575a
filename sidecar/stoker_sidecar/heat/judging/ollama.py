"""Is there an Ollama, is it ours, does it answer?"""

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.facts import span
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.memory import Verdict

STOP_SECONDS = 0.9
"""A process that has been stopped for so long was not just held for a look. A little less than two
of the usual heartbeats, so that the second one does not come a moment too early."""

SLOW_SECONDS = 3.0
"""`/api/ps` waits while Ollama measures memory after an unload: that takes up to 3 s."""

SILENT_SECONDS = 10.0
"""… and up to 5 s more for the memory to come back. After that, silence is silence."""


def wrong_provider(case: Case) -> Verdict | None:
    if case.seen.route is None:
        return None
    return say(HeatState.BLOCKED, Reason.WRONG_PROVIDER, case.seen.route)


def down(case: Case) -> Verdict | None:
    processes = case.seen.processes
    gone = processes is not None and processes.server is None
    if not case.seen.server.down and not gone:
        return None
    what = case.seen.server.error or "its process has ended"
    return say(
        HeatState.UNREACHABLE,
        Reason.SERVER_DOWN,
        f"Ollama is not running: {what}. It is awaited; its container's log says more",
    )


def stopped(case: Case) -> Verdict | None:
    lasts = case.lasts(case.memory.watch.server_stopped_since)
    if lasts < STOP_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.SERVER_STOPPED,
        f"Ollama's process has been stopped for {span(lasts)}: it answers nothing",
    )


def silent(case: Case) -> Verdict | None:
    quiet = case.seen.server.silent_seconds
    if quiet < SILENT_SECONDS or case.now - case.memory.watch.alive_at < SILENT_SECONDS:
        return None
    return say(
        HeatState.STUCK,
        Reason.SERVER_SILENT,
        f"Ollama has not answered for {span(quiet)}, and nothing moves on its connections",
    )


def slow(case: Case) -> Verdict | None:
    quiet = case.seen.server.silent_seconds
    if quiet < SLOW_SECONDS and case.seen.server.error is None:
        return None
    what = case.seen.server.error or f"no answer for {span(quiet)}"
    return say(HeatState.SUSPECT, Reason.SERVER_SLOW, f"Ollama does not say what is loaded: {what}")


def gpu_lost(case: Case) -> Verdict | None:
    gpus = case.seen.gpus
    if gpus is None or gpus.lost is None:
        return None
    return say(HeatState.STUCK, Reason.GPU_LOST, gpus.lost)


def unseen(case: Case) -> Verdict | None:
    """Nothing is known of the store yet."""
    server = case.seen.server
    if server.looked:
        return None
    if case.memory.pulled:
        return say(HeatState.VERIFYING, Reason.VERIFYING, "The pulled model is being looked at")
    if server.error:
        return say(HeatState.UNREACHABLE, Reason.STARTING, f"Ollama answers: {server.error}")
    return say(HeatState.UNREACHABLE, Reason.STARTING, "Waiting for Ollama's first answers")
