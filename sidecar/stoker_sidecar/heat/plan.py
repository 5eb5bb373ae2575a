"""What to do about a verdict: at most one deed at a time, and none that makes it worse."""

from dataclasses import dataclass

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.facts import (
    FOREVER_SECONDS,
    is_asking,
    is_doing,
    is_pending,
    others_listed,
    runner,
)
from stoker_sidecar.heat.judging.case import Case
from stoker_sidecar.heat.judging.life import NOTHING_SECONDS
from stoker_sidecar.heat.memory import Memory
from stoker_sidecar.heat.observation import Deed

LATELY_SECONDS = 1800.0
"""For so long what was done about being stuck is remembered."""

LIMITS = {Deed.KILL: 6, Deed.UNLOAD: 6, Deed.RESTART: 3}
"""What is done about being stuck, and how often in that time. After that a person is needed."""

REARM_SECONDS = 10.0
"""How far two renewals of the keep-alive are apart at least."""

UNLOAD_SECONDS = 10.0

WARM_SECONDS = 600.0
"""How long a warm-up prompt may take. It is no deadline for slow machines, but an end."""


WARM_TOKENS = 8
"""So many warm it up, and tell how fast they come."""

CANARY_TOKENS = 1


@dataclass(frozen=True)
class Action:
    """Something to be done now; what is under way is given up for it."""

    deed: Deed
    timeout_seconds: float | None = None
    """None: it takes as long as it takes. A load that is cut off is lost (P11)."""
    models: tuple[str, ...] = ()
    """What to unload, if it is not the model itself."""
    tokens: int = 0
    """The most that it may answer with, where it is asked."""


def plan(case: Case) -> Action | None:
    """The deed that this case calls for."""
    if case.seen.leaving:
        return None
    verdict = case.memory.verdict
    if verdict.state is HeatState.STUCK:
        return _recover(case)
    if case.memory.doing is not None and not _is_pointless(case):
        return None
    match verdict.state:
        case HeatState.ABSENT:
            return _when(case, case.memory.pull.not_before, Action(Deed.PULL))
        case HeatState.COLD:
            return _load(case)
        case HeatState.BLOCKED:
            return _try_again(case)
        case HeatState.WARMING:
            return _when(case, case.memory.warm.not_before, _warm(case.memory))
        case HeatState.HOT | HeatState.SUSPECT:
            return _rearm(case) or _canary(case)
        case _:
            return None


def _when(case: Case, not_before: float, action: Action) -> Action | None:
    return action if case.now >= not_before else None


def _warm(memory: Memory) -> Action:
    """As many answers for each way to heat, but short ones for what was hot before.

    A token proves that it answers. The others were to warm it up and to measure it, which waits
    for a canary while clients wait for the gate.
    """
    heated, now = memory.heated, memory.proof.of
    is_back = heated is not None and now is not None and heated.is_alike(now)
    return Action(Deed.WARM, WARM_SECONDS, tokens=CANARY_TOKENS if is_back else WARM_TOKENS)


def _is_pointless(case: Case) -> bool:
    """An answer of a model that is not in memory need not be waited for."""
    return case.memory.verdict.state is HeatState.COLD and is_doing(
        case.memory, Deed.WARM, Deed.CANARY, Deed.REARM
    )


def _load(case: Case) -> Action | None:
    if case.memory.verdict.reason is Reason.RUNNER_GONE:
        return None  # why is known in a moment, and tells whether it is gone for good
    return _when(case, case.memory.load.not_before, Action(Deed.LOAD))


def _try_again(case: Case) -> Action | None:
    """What needs a person may have been mended by one."""
    match case.memory.verdict.reason:
        case Reason.MODEL_NOT_FOUND | Reason.PULL_REFUSED | Reason.DISK_FULL:
            return _when(case, case.memory.pull.not_before, Action(Deed.PULL))
        case Reason.DOES_NOT_FIT:
            return _when(case, case.memory.load.not_before, Action(Deed.LOAD))
        case Reason.BAD_OPTIONS if case.memory.load.failures:
            return _when(case, case.memory.load.not_before, Action(Deed.LOAD))
        case _:
            return None


# --- keeping it hot -----------------------------------------------------------------------------


def _rearm(case: Case) -> Action | None:
    """Renews the keep-alive, only when it is needed: the request itself is not harmless (P7)."""
    model, wanted = case.model, case.wanted.heat.keep_alive_seconds
    left = model.expires_in_seconds if model else None
    if left is None or left < 0 or left > FOREVER_SECONDS:
        return None
    if 0 <= wanted / 2 < left:
        return None
    last = case.memory.rearmed_at
    if last is not None and case.now - last < min(REARM_SECONDS, max(wanted / 4, 1.0)):
        return None
    return Action(Deed.REARM, case.wanted.heat.heartbeat.canary.timeout_seconds)


def _canary(case: Case) -> Action | None:
    """Asks for a token, when nothing else proves life."""
    memory, canary = case.memory, case.wanted.heat.heartbeat.canary
    if memory.proof.doubt_since is not None or is_pending(case.seen, memory):
        return None
    if case.now < memory.warm.not_before:
        return None
    quiet = case.now - (memory.proof.at or 0)
    waiting = bool(case.seen.traffic and case.seen.traffic.busy)
    if waiting and not memory.watch.is_idle(case.now):
        return None  # it would queue behind them, and prove nothing
    hanging = waiting and memory.watch.is_idle(case.now) and quiet >= NOTHING_SECONDS
    if quiet < canary.idle_after_seconds and not hanging and not memory.proof.misses:
        return None
    tokens = CANARY_TOKENS if memory.proof.speed_known else WARM_TOKENS
    return Action(Deed.CANARY, canary.timeout_seconds, tokens=tokens)


# --- getting it unstuck -------------------------------------------------------------------------


def _recover(case: Case) -> Action | None:
    return None if is_recovering(case.memory) or _has_time_left(case) else _next_rung(case)


def is_recovering(memory: Memory) -> bool:
    """Whether something is being done about being stuck."""
    return is_doing(memory, *LIMITS)


def _next_rung(case: Case) -> Action | None:
    """The mildest that has not been tried since the model was last hot."""
    memory = case.memory
    for action in ladder(case):
        if action.deed in memory.recovery.tried:
            continue
        if count_of(memory, action.deed, case.now) < LIMITS[action.deed]:
            return action
    return None


def ladder(case: Case) -> tuple[Action, ...]:
    """What may help against what it is stuck in, the mildest first."""
    restart = (Action(Deed.RESTART),) if case.seen.can_restart else ()
    match case.memory.verdict.reason:
        case Reason.SERVER_STOPPED | Reason.SERVER_SILENT | Reason.GPU_LOST:
            return restart
        case Reason.LOAD_STALLED:
            # A model that was to leave and was revived blocks all loads; unloading it does not.
            others = others_listed(case.seen)
            unload = (Action(Deed.UNLOAD, UNLOAD_SECONDS, others),) if others else ()
            return (*unload, *restart)
        case _ if case.seen.can_kill and runner(case.seen):
            # An unload waits for the request that hangs in the runner; an end does not.
            return (Action(Deed.KILL), *restart)
        case _:
            return (Action(Deed.UNLOAD, UNLOAD_SECONDS), *restart)


_TAKES_EFFECT_SECONDS = {Deed.KILL: 5.0, Deed.UNLOAD: 5.0, Deed.RESTART: 60.0}


def _has_time_left(case: Case) -> bool:
    """Whether the last rung may still take effect."""
    if not case.memory.recovery.done:
        return False
    last = case.memory.recovery.done[-1]
    return case.now - last.at < _TAKES_EFFECT_SECONDS[last.deed]


def count_of(memory: Memory, deed: Deed, now: float) -> int:
    """How often it was done lately."""
    return sum(
        done.deed is deed and now - done.at < LATELY_SECONDS for done in memory.recovery.done
    )


def is_exhausted(case: Case) -> bool:
    """Whether the model is stuck and nothing is left to be tried."""
    memory = case.memory
    if memory.verdict.state is not HeatState.STUCK or is_asking(memory) or is_recovering(memory):
        return False
    return not _has_time_left(case) and _next_rung(case) is None
