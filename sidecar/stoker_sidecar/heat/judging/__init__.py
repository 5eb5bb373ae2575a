"""What the model is now, judged from what was seen and what is remembered. Nothing here acts.

A chain of checks, from what makes all else meaningless to mere suspicions. The first that has
something to say decides; if none has, the model is hot.
"""

from collections.abc import Callable

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.facts import span
from stoker_sidecar.heat.judging import life, ollama, quality, residence, store
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.memory import Verdict

Check = Callable[[Case], Verdict | None]

CHECKS: tuple[Check, ...] = (
    # Without these nothing else can be known.
    ollama.wrong_provider,
    ollama.down,
    ollama.stopped,
    ollama.silent,
    ollama.gpu_lost,
    residence.answered_by_another,
    # The right model has to be there.
    store.pulling,
    ollama.unseen,
    store.absent,
    store.other_weights,
    store.unfit,
    # Its process has to run.
    life.stopped,
    life.waits,
    # It has to be in memory, as asked for.
    residence.other_options,
    residence.loading,
    residence.not_loaded,
    # It has to live.
    life.stuck_leaving,
    life.deadlocked,
    life.stalled,
    life.canaries_failed,
    # It has to have answered, and as well as asked for.
    quality.unproven,
    quality.unmeasured,
    quality.too_slow,
    quality.over_budget,
    quality.too_little_offload,
    # Suspicions leave the gate as it is.
    life.paused,
    life.canary_missed,
    life.silent,
    ollama.slow,
)


def judge(case: Case) -> Verdict:
    """The verdict on this case."""
    verdicts = (check(case) for check in CHECKS)
    return next((verdict for verdict in verdicts if verdict), None) or _hot(case)


def _hot(case: Case) -> Verdict:
    findings = quality.findings(case)
    reason = Reason.LESS_THAN_ASKED if findings else Reason.HOT
    if case.memory.verdict.reason is reason:
        # What was true when it began. A sentence with the newest figure would be another one
        # after each canary, and each of them a write to the API server.
        return case.memory.verdict
    answers = f"{case.wanted.pod.model} is loaded and answers"
    if findings:
        return say(HeatState.HOT, reason, ". ".join((answers, *findings)))
    token = case.memory.proof.first_token_seconds
    measured = f"; its first token took {span(token)}" if token is not None else ""
    return say(HeatState.HOT, reason, answers + measured)
