"""Is the model there, and is it the right one?"""

import re

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState, PullPolicy
from stoker_sidecar.heat.facts import is_doing, size, span
from stoker_sidecar.heat.judging.case import Case, say
from stoker_sidecar.heat.memory import Verdict
from stoker_sidecar.heat.observation import Deed, Fault, Stored

_TELLS_A_PERSON = {
    Fault.NOT_FOUND: (
        Reason.MODEL_NOT_FOUND,
        "the registry has no such model. Check `model`, or push it there",
    ),
    Fault.REFUSED: (
        Reason.PULL_REFUSED,
        "the registry refuses it. Check whether the model is public, and Ollama's access to it",
    ),
    Fault.NO_SPACE: (
        Reason.DISK_FULL,
        "the store is full. Give it more room (`storage`), or remove what is not needed",
    ),
}


def pulling(case: Case) -> Verdict | None:
    if not is_doing(case.memory, Deed.PULL):
        return None
    name, pull = case.wanted.pod.model, case.seen.pull
    if pull is None:
        return say(HeatState.PULLING, Reason.PULLING, f"Pulling {name}")
    if "verifying" in pull.phase:
        return say(HeatState.VERIFYING, Reason.VERIFYING, f"Verifying what was pulled of {name}")
    total = f" of {size(pull.total_bytes)}" if pull.total_bytes else ""
    return say(HeatState.PULLING, Reason.PULLING, f"Pulling {name}: {size(pull.done_bytes)}{total}")


def absent(case: Case) -> Verdict | None:
    name, policy = case.wanted.pod.model, case.wanted.pod.pull_policy
    if case.seen.server.stored is not None and not is_update_due(case):
        return None
    if policy is PullPolicy.NEVER:
        return say(
            HeatState.BLOCKED,
            Reason.NOT_IN_STORE,
            f"{name} is not in the store, and the pull policy is Never: put it there, or set"
            " storage.pullPolicy to IfNotPresent",
        )
    tries = case.memory.pull
    if not tries.failures:
        return say(HeatState.ABSENT, Reason.NOT_PULLED, f"{name} has to be pulled")
    again = span(max(0.0, tries.not_before - case.now))
    failed = f"Pulling {name} failed (attempt {tries.failures}): {tries.error}"
    if tries.fault in _TELLS_A_PERSON:
        reason, advice = _TELLS_A_PERSON[tries.fault]
        return say(HeatState.BLOCKED, reason, f"{failed}: {advice}. Next attempt in {again}")
    return say(HeatState.ABSENT, Reason.PULL_FAILED, f"{failed}. Next attempt in {again}")


def is_update_due(case: Case) -> bool:
    """Whether the model is pulled though it is in the store.

    Never under a model that is in memory already: that one was verified, and may be serving.
    """
    stored, pod = case.seen.server.stored, case.wanted.pod
    if stored is None or case.memory.pulled or pod.pull_policy is PullPolicy.NEVER:
        return False
    if pod.digest is not None and pod.digest != stored.digest:
        return True
    is_loaded = case.model is not None or case.memory.opened
    return pod.pull_policy is PullPolicy.ALWAYS and not is_loaded


def other_weights(case: Case) -> Verdict | None:
    stored, pinned = case.seen.server.stored, case.wanted.pod.digest
    if stored is None or pinned in (None, stored.digest):
        return None
    return say(
        HeatState.BLOCKED,
        Reason.DIGEST_MISMATCH,
        f"{case.wanted.pod.model} is {stored.digest} here, but digest pins {pinned}: the tag has"
        " moved. Set digest to the new one, or name a model that keeps the old one",
    )


def unfit(case: Case) -> Verdict | None:
    """What the model itself makes impossible."""
    stored = case.seen.server.stored
    if stored is None:
        return None
    return _incapable(case, stored) or _too_new(case, stored) or _too_long(case, stored)


def _incapable(case: Case, stored: Stored) -> Verdict | None:
    able = stored.capabilities
    if not able or "completion" in able or "embedding" in able:
        return None
    return say(
        HeatState.BLOCKED,
        Reason.CANNOT_SERVE,
        f"{case.wanted.pod.model} can neither generate nor embed (it can: {', '.join(able)}):"
        " name another model",
    )


def _too_new(case: Case, stored: Stored) -> Verdict | None:
    version = case.seen.server.version
    if not stored.requires or not version or _numbers(version) >= _numbers(stored.requires):
        return None
    return say(
        HeatState.BLOCKED,
        Reason.OLLAMA_TOO_OLD,
        f"{case.wanted.pod.model} needs Ollama {stored.requires}, but this is {version}: set"
        " server.image to a newer one",
    )


def _too_long(case: Case, stored: Stored) -> Verdict | None:
    asked, trained = case.wanted.pod.context_length, stored.trained_context
    if asked is None or not trained or asked <= trained:
        return None
    return say(
        HeatState.BLOCKED,
        Reason.BAD_OPTIONS,
        f"{case.wanted.pod.model} was trained for a context of {trained}, and cannot be loaded"
        f" with {asked}: set options.contextLength to {trained} or less",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(
        int(number) for number in re.findall(r"\d+", version.split("-", maxsplit=1)[0])[:3]
    )
