"""Routed: does the clients' way lead to this very model? Each hot pod's sidecar tries it."""

from stoker_api.wire import Route
from stoker_operator.observed.amounts import pods
from stoker_operator.observed.case import Case, Finding, no, unknown, yes
from stoker_operator.observed.conditions.measured import kept, no_answer, none_hot, out_of_reach
from stoker_operator.observed.pods import Pod
from stoker_operator.observed.readings import answers
from stoker_operator.observed.reasons import Reason

_NOT_YET = ("NoEndpoints", "NotLoaded", "Unknown")
"""What the sidecar says of a way that it cannot judge, or that was tried before a pod was hot."""


def nothing_to_try(case: Case) -> Finding | None:
    if case.resource.spec.routing.apis:
        return None
    return unknown(Reason.NO_API_TRIED, "routing.apis is empty: no way is tried")


def broken(case: Case) -> Finding | None:
    found = [
        (pod, route)
        for pod, route in _routes(case)
        if not route.ok and route.reason not in _NOT_YET
    ]
    return no(found[0][1].reason or "Broken", _told(*found[0])) if found else None


def untried(case: Case) -> Finding | None:
    waiting = [(pod, route) for pod, route in _routes(case) if not route.ok]
    if waiting:
        return unknown(Reason.NOT_TRIED, _told(*waiting[0]))
    if any(told.routes for _, told in answers(case)):
        return None
    return unknown(Reason.NOT_TRIED, "No hot pod has tried the clients' way yet")


def routed(case: Case) -> Finding:
    apis = " and ".join(case.resource.spec.routing.apis)
    told = f"Seen from {pods(len(answers(case)))}, the clients' way leads to this model ({apis})"
    return yes(Reason.ROUTED, told)


def _routes(case: Case) -> list[tuple[Pod, Route]]:
    return [(pod, route) for pod, told in answers(case) for route in told.routes]


def _told(pod: Pod, route: Route) -> str:
    return f"Seen from {pod.name}, on the API {route.api}: {route.message}"


CHECKS = (
    nothing_to_try,
    none_hot,
    out_of_reach,
    broken,
    kept("Routed"),
    no_answer,
    untried,
    routed,
)
