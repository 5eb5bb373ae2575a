"""Accepted: is the resource valid, and may its objects be what it wants them to be?"""

from stoker_operator.observed.case import Case, Finding, no, yes
from stoker_operator.observed.reasons import Reason

REFUSALS = (Reason.INVALID, Reason.NAME_TAKEN, Reason.REFUSED)
"""What no retry mends."""


def refused(case: Case) -> Finding | None:
    problem = next((each for each in case.seen.problems if each.reason in REFUSALS), None)
    return no(problem.reason, problem.message) if problem else None


def accepted(_: Case) -> Finding:
    return yes(Reason.ACCEPTED, "The resource is valid")


CHECKS = (refused, accepted)
