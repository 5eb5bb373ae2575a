"""The heart: what was seen, and when, becomes a verdict and at most one deed.

    step(memory, seen, wanted, now) -> Step

It is pure: no I/O, no clock, no randomness. So a five-hour dead-lock is a list of observations, and
what a pod did in production can be replayed line by line.

- `observation`: what was seen, as values.
- `memory`, `watch`: what is remembered from step to step.
- `fold`: how an observation changes it.
- `judging`: what the model is now, and why.
- `plan`: what to do about it.
"""

from dataclasses import dataclass, replace

from stoker_api.reasons import Reason
from stoker_api.wire import DEADLINE_FIELD, HeatState
from stoker_sidecar.heat.fold import fold, load_begun
from stoker_sidecar.heat.judging import judge
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.judging.life import held_up
from stoker_sidecar.heat.judging.quality import findings
from stoker_sidecar.heat.memory import Doing, Done, Memory, Proof, Recovery, Tries, Verdict, Wanted
from stoker_sidecar.heat.observation import Deed, Observation
from stoker_sidecar.heat.plan import (
    LATELY_SECONDS,
    LIMITS,
    Action,
    is_exhausted,
    is_recovering,
    plan,
)

_LASTING_SECONDS = 60.0
"""Heat that lasts so long was worth its load: earlier ones are forgotten."""

_UNCLEAR = (Reason.RUNNER_GONE, Reason.LOAD_FAILED, Reason.QUEUE_FULL)
"""Reasons for being cold that do not say where the model went."""


@dataclass(frozen=True)
class Gate:
    """What the pod says of itself."""

    open: bool
    reason: Reason
    message: str


@dataclass(frozen=True)
class Step:
    """What one observation led to."""

    memory: Memory
    gate: Gate
    action: Action | None
    before: Verdict | None
    """The verdict until now, if it was another one."""
    lost_heat: bool
    """Whether the model was hot until now, and is not, without having been meant to go."""
    findings: tuple[str, ...]
    """What is less than asked for, in sentences."""

    @property
    def verdict(self) -> Verdict:
        return self.memory.verdict


def step(memory: Memory, seen: Observation, wanted: Wanted, now: float) -> Step:
    """Takes in what was seen, judges it, and says what to do."""
    before = memory.verdict
    memory = fold(memory, seen, wanted, now)
    case = Case(seen, memory, wanted, now)
    verdict = _held(case) or judge(case)
    memory = _turned(memory, verdict, now)
    case = replace(case, memory=memory)
    action = plan(case)
    if action is not None:
        memory = _begun(memory, action, wanted, now)
    elif is_exhausted(case):
        memory = replace(memory, verdict=_exhausted(case))
    changed = (before.state, before.reason) != (verdict.state, verdict.reason)
    return Step(
        memory=memory,
        gate=_gate(replace(case, memory=memory)),
        action=action,
        before=before if changed else None,
        lost_heat=before.is_hot and not verdict.is_hot and not seen.leaving,
        findings=findings(case) + tuple(filter(None, (_no_progress(case), held_up(case)))),
    )


def _held(case: Case) -> Verdict | None:
    """While something is done about being stuck, it stays stuck: no glimmer ends that early."""
    stuck = case.memory.verdict.state is HeatState.STUCK
    return case.memory.verdict if stuck and is_recovering(case.memory) else None


def _turned(memory: Memory, verdict: Verdict, now: float) -> Memory:
    """The memory with this verdict, and what follows from it."""
    memory = replace(memory, verdict=verdict)
    if verdict.is_hot:
        return _is_hot(memory, now)
    memory = replace(memory, hot_since=None)
    if verdict.state is HeatState.STUCK:
        # What is stuck has to prove itself anew, whatever it did before.
        memory = replace(memory, proof=Proof(of=memory.proof.of))
    if verdict.state is HeatState.COLD and verdict.reason not in _UNCLEAR:
        return replace(memory, lost=verdict)
    is_back = verdict.state in (HeatState.WARMING, HeatState.STUCK)
    return replace(memory, lost=None) if is_back else memory


def _is_hot(memory: Memory, now: float) -> Memory:
    recovery = Recovery(done=memory.recovery.done)
    load = memory.load
    since = memory.hot_since if memory.hot_since is not None else now
    if now - since >= _LASTING_SECONDS:
        load = Tries()
    return replace(
        memory,
        hot_since=since,
        heated=memory.proof.of,
        lost=None,
        load=load,
        progress_at=now,
        recovery=recovery,
    )


def _begun(memory: Memory, action: Action, wanted: Wanted, now: float) -> Memory:
    memory = replace(memory, doing=Doing(action.deed, now))
    if action.deed is Deed.REARM:
        return replace(memory, rearmed_at=now)
    if action.deed is Deed.LOAD:
        return replace(memory, load=load_begun(memory.load, wanted, now))
    if action.deed in LIMITS:
        recovery = memory.recovery
        lately = tuple(done for done in recovery.done if now - done.at < LATELY_SECONDS)
        return replace(
            memory,
            recovery=Recovery(
                done=(*lately, Done(now, action.deed)),
                tried=(*recovery.tried, action.deed),
                against=memory.verdict.reason,
            ),
        )
    return memory


def _exhausted(case: Case) -> Verdict:
    verdict = case.memory.verdict
    tried = ", ".join(case.memory.recovery.tried) or "nothing could be"
    return say(
        verdict.state,
        verdict.reason,
        f"{verdict.message}. Tried: {tried}. Stoker can do no more for now: look at the node, and"
        " delete the pod to have it made anew",
    )


def _gate(case: Case) -> Gate:
    verdict = case.memory.verdict
    if case.seen.leaving:
        return Gate(open=False, reason=Reason.DRAINING, message="The pod is on its way out")
    if case.wanted.heat.gate.treat_as_hot and not verdict.is_hot:
        return Gate(
            open=True,
            reason=Reason.TREATED_AS_HOT,
            message=f"Opened by hand, though it is {verdict.state}: {verdict.message}",
        )
    return Gate(open=verdict.is_hot, reason=verdict.reason, message=verdict.message)


def _no_progress(case: Case) -> str | None:
    deadline = case.wanted.heat.warmup.deadline_seconds
    since = case.now - case.memory.progress_at
    if case.memory.verdict.is_hot or since < deadline:
        return None
    return f"No progress towards heat for longer than {DEADLINE_FIELD} ({deadline:g} s)"


__all__ = ["Action", "Gate", "Memory", "Observation", "Step", "Verdict", "Wanted", "step"]
