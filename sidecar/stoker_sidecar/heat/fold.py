"""How an observation changes the memory: proofs gained, proofs void, failures counted."""

from dataclasses import replace

from stoker_sidecar.heat.facts import is_runner_gone, listed, mark_of
from stoker_sidecar.heat.memory import Memory, Proof, Tries, Wanted
from stoker_sidecar.heat.observation import Deed, Fault, Observation, Outcome
from stoker_sidecar.heat.watch import IDLE_SECONDS, Watch, watched

_DOUBT_SECONDS = 1.0
"""How long a server may take to notice that the sidecar has hung up on it."""

_COLD_SECONDS = 0.1
"""An answer that says it loaded for so long was given by a cold model. A hot one says 1-2 ms."""

_FIRST_TOKENS = 5

_AT_ONCE = 2
"""So many loads in a row may follow each other at once."""

_FOR_PEOPLE = (Fault.NOT_FOUND, Fault.REFUSED, Fault.NO_SPACE, Fault.NO_MEMORY, Fault.BAD_REQUEST)
"""What waiting a little does not mend. It is tried again all the same, but seldom."""

SELDOM_SECONDS = 300.0


def fold(memory: Memory, seen: Observation, wanted: Wanted, now: float) -> Memory:
    """The memory after this observation; nothing is judged yet."""
    for outcome in seen.outcomes:
        memory = _after(memory, outcome, seen, wanted, now)
    was = memory.watch
    watch = watched(was, seen, listed(seen, memory), now)
    memory = replace(memory, watch=watch)
    if watch.pulled_bytes != was.pulled_bytes:
        memory = replace(memory, progress_at=now)
    memory = _marked(memory, seen)
    memory = _traffic_counted(memory, was, seen, wanted, now)
    return _doubt_settled(memory, seen, now)


def back_off(failures: int, cap: float, wanted: Wanted) -> float:
    """1 s, 2 s, 4 s … up to the cap, a quarter more or less from pod to pod."""
    return min(cap, 2.0 ** min(failures - 1, 16)) * (0.75 + wanted.jitter / 2)


# --- what has been done -------------------------------------------------------------------------


def _after(
    memory: Memory, outcome: Outcome, seen: Observation, wanted: Wanted, now: float
) -> Memory:
    if memory.doing is not None and memory.doing.deed is outcome.deed:
        memory = replace(memory, doing=None)
    memory = replace(memory, answered_at=now)
    if outcome.given_up:
        return memory
    if outcome.ok:
        memory = replace(memory, progress_at=now)
    match outcome.deed:
        case Deed.WARM | Deed.CANARY:
            return _after_answer(memory, outcome, seen, wanted, now)
        case Deed.PULL:
            tries = _tried(memory.pull, outcome, wanted, now, cap=300)
            return replace(memory, pull=tries, pulled=memory.pulled or outcome.ok)
        case Deed.LOAD:
            return _after_load(memory, outcome, wanted, now)
        case Deed.REARM:
            # It moves the expiry as an answered request does, and proves nothing.
            return replace(memory, watch=replace(memory.watch, listed=None))
        case _:
            return memory


def load_begun(tries: Tries, wanted: Wanted, now: float) -> Tries:
    """One more load. Until there is lasting heat each counts, whatever comes of it.

    So a model that is lost again and again is loaded ever more seldom, and not in a storm.
    """
    loads = tries.failures + 1
    wait = back_off(loads - _AT_ONCE, 60, wanted) if loads > _AT_ONCE else 0.0
    return Tries(failures=loads, not_before=now + wait)


def _after_load(memory: Memory, outcome: Outcome, wanted: Wanted, now: float) -> Memory:
    if not outcome.ok:
        # It was counted when it began.
        before = replace(memory.load, failures=max(0, memory.load.failures - 1))
        return replace(memory, load=_tried(before, outcome, wanted, now, cap=60))
    return replace(
        memory,
        own_load=True,  # what came of it is not listed yet
        proof=Proof(),
        watch=replace(memory.watch, listed=None, runner_known=False),
    )


def _tried(tries: Tries, outcome: Outcome, wanted: Wanted, now: float, *, cap: float) -> Tries:
    if outcome.ok:
        return Tries()
    failures = tries.failures + 1
    seldom = outcome.fault in _FOR_PEOPLE
    wait = SELDOM_SECONDS if seldom else back_off(failures, cap, wanted)
    return Tries(failures, now + wait, outcome.fault, outcome.error or "no answer")


def _after_answer(
    memory: Memory, outcome: Outcome, seen: Observation, wanted: Wanted, now: float
) -> Memory:
    proof = memory.proof
    if outcome.ok:
        if seen.processes is None and (outcome.load_seconds or 0) > _COLD_SECONDS:
            # Where processes are out of sight, only the answer tells that it had been away.
            proof = replace(proof, good=0)
        tokens = proof.first_tokens
        if outcome.first_token_seconds is not None:
            tokens = (*tokens, outcome.first_token_seconds)[-_FIRST_TOKENS:]
        speed_known = proof.speed_known or outcome.tokens_per_second is not None
        proof = replace(proof, first_tokens=tokens, speed_known=speed_known)
        proof = _answered(proof, wanted, now)
        return replace(memory, proof=proof, warm=Tries())
    warm = _tried(memory.warm, outcome, wanted, now, cap=30)
    if outcome.fault is Fault.BUSY:
        return replace(memory, warm=warm)
    if outcome.fault is Fault.TIMED_OUT:
        return replace(memory, warm=warm, proof=replace(proof, doubt_since=now))
    if seen.processes is None:
        # No slowness: a crash, most likely, which only an error tells of where processes do not.
        return replace(memory, warm=warm, proof=Proof(of=proof.of, misses=proof.misses + 1))
    return replace(memory, warm=warm, proof=_missed(memory))


def _answered(proof: Proof, wanted: Wanted, now: float) -> Proof:
    """One more good answer. More than enough of them prove nothing more."""
    good = min(proof.good + 1, wanted.heat.warmup.consecutive)
    return replace(proof, good=good, misses=0, at=now, doubt_since=None)


def _missed(memory: Memory) -> Proof:
    proof = memory.proof
    # On the way to heat good answers count in a row; once hot, misses do.
    good = proof.good if memory.verdict.is_hot else 0
    return replace(proof, good=good, misses=proof.misses + 1, doubt_since=None)


def _doubt_settled(memory: Memory, seen: Observation, now: float) -> Memory:
    """A canary that waited behind others proves nothing; one that waited alone was missed."""
    since = memory.proof.doubt_since
    if since is None or now - since < _DOUBT_SECONDS:
        return memory
    if seen.traffic and (seen.traffic.runner_requests or seen.traffic.busy):
        return replace(memory, proof=replace(memory.proof, doubt_since=None))
    return replace(memory, proof=_missed(memory))


# --- what was seen ------------------------------------------------------------------------------


def _marked(memory: Memory, seen: Observation) -> Memory:
    """Proofs are void as soon as what they prove is not there any more."""
    model = memory.watch.listed
    mark = mark_of(seen, model) if model and not is_runner_gone(seen, memory) else None
    if memory.own_load and seen.server.loaded is not None:
        memory = replace(memory, own=mark, own_load=False)
    known = memory.proof.of
    if known and mark and (merged := known.merged(mark)):
        return replace(memory, proof=replace(memory.proof, of=merged))
    return replace(memory, proof=Proof(of=mark))


def _traffic_counted(
    memory: Memory, was: Watch, seen: Observation, wanted: Wanted, now: float
) -> Memory:
    """Requests of clients that are answered prove more than a canary does."""
    proof, watch = memory.proof, memory.watch
    if proof.of is None:
        return memory
    before, after = was.listed, watch.listed
    finished = before and after and before.expires_at != after.expires_at
    # An empty prompt moves the expiry, too, though the model did nothing.
    worked = seen.processes is None or now - watch.worked_at <= _recently(wanted)
    # … and an answer to ourselves, which is counted already.
    is_ours = now - memory.answered_at <= _recently(wanted)
    if finished and worked and not is_ours:
        return replace(memory, proof=_answered(proof, wanted, now))
    # Ollama asks a runner for its health before each request, and a runner that spins answers that:
    # while one request waits for its first byte, bytes of others prove nothing (P32).
    if was.runner == watch.runner and watch.sent_at > was.sent_at and watch.silent_since is None:
        return replace(memory, proof=replace(proof, at=now, misses=0))
    return memory


def _recently(wanted: Wanted) -> float:
    return IDLE_SECONDS + wanted.heat.heartbeat.interval_seconds
