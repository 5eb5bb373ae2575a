"""The conditions: each a chain of checks, of which the first that has something to say decides."""

from datetime import datetime

from stoker_api.status import Condition, Status
from stoker_operator.observed.amounts import cut
from stoker_operator.observed.case import Case, Check, Finding, condition, first
from stoker_operator.observed.conditions import accepted, gpu, heat, progressing, routed
from stoker_operator.observed.raw import rfc3339

CHAINS: dict[str, tuple[Check, ...]] = {
    "Accepted": accepted.CHECKS,
    "Progressing": progressing.CHECKS,
    "Hot": heat.HOT,
    "OnDevice": gpu.ON_DEVICE,
    "WithinBudget": gpu.WITHIN_BUDGET,
    "Routed": routed.CHECKS,
    "Available": heat.AVAILABLE,
}

_WORD = 64
_SENTENCE = 1024


def conditions(case: Case) -> list[Condition]:
    """All conditions, in the order in which a person asks for them."""
    generation = case.resource.metadata.generation
    return [
        dated(kind, first(chain, case), case.before, generation, case.now)
        for kind, chain in CHAINS.items()
    ]


def dated(
    kind: str, finding: Finding, before: Status, generation: int | None, now: datetime
) -> Condition:
    """The finding as a condition: its time moves only when its status does."""
    was = condition(before, kind)
    unmoved = was is not None and was.status == finding.status
    return Condition(
        type=kind,
        status=finding.status,
        reason=cut(finding.reason, _WORD),
        message=cut(finding.message, _SENTENCE),
        last_transition_time=was.last_transition_time if was and unmoved else rfc3339(now),
        observed_generation=generation,
    )
