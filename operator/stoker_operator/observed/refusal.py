"""The status of an LLMDeployment that cannot be read."""

from datetime import datetime

from stoker_api.status import Status
from stoker_operator.observed.case import no
from stoker_operator.observed.conditions import dated
from stoker_operator.observed.events import new_conditions
from stoker_operator.observed.reasons import Reason
from stoker_operator.observed.seen import Observed, Problem

_REFUSED = ("Accepted", "Progressing")


def refused(
    generation: int | None, before: Status, problems: tuple[Problem, ...], now: datetime
) -> Observed:
    """What is wrong with it. Its objects are left alone, and so is what was said of them."""
    reason = problems[0].reason if problems else Reason.INVALID
    message = "; ".join(problem.message for problem in problems)
    finding = no(reason, f"{message}. Its objects are left as they are")
    stands = [each for each in before.conditions if each.type not in _REFUSED]
    told = [dated(kind, finding, before, generation, now) for kind in _REFUSED]
    status = before.model_copy(
        update={
            "observed_generation": generation,
            "phase": "Blocked",
            "conditions": [*told, *stands],
        }
    )
    return Observed(status, new_conditions(before, status))
