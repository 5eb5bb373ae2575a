"""Hot: are as many pods hot as are wanted? Available: does any pod take traffic at all?"""

from stoker_api.reasons import Reason as SidecarReason
from stoker_operator.desired.service import service_url
from stoker_operator.observed.amounts import pods
from stoker_operator.observed.case import Case, Finding, no, yes
from stoker_operator.observed.reasons import Reason


def suspended(case: Case) -> Finding | None:
    if case.wanted:
        return None
    why = "suspend is true" if case.resource.spec.suspend else "replicas is 0"
    return no(Reason.SUSPENDED, f"No pod is wanted: {why}")


def opened_by_hand(case: Case) -> Finding | None:
    forced = [pod for pod in case.hot if pod.state.reason == SidecarReason.TREATED_AS_HOT]
    if not (forced and case.is_hot):
        return None
    return yes(
        Reason.TREATED_AS_HOT,
        f"{_so_many(case)}, of which {pods(len(forced))} by hand: {forced[0].sentence}. Remove the"
        " annotation stoker.dev/treat-as-hot to have the gates follow the heat again",
    )


def hot(case: Case) -> Finding | None:
    return yes(Reason.HOT, _so_many(case)) if case.is_hot else None


def lost(case: Case) -> Finding | None:
    if not case.has_lost_heat:
        return None
    return no(Reason.HEAT_LOST, f"{_so_many(case)}{_worst(case)}")


def blocked(case: Case) -> Finding | None:
    if not any(pod.state.needs_person for pod in case.others):
        return None
    return no(Reason.BLOCKED, f"{_so_many(case)}{_worst(case)}")


def heating(case: Case) -> Finding:
    return no(Reason.HEATING_UP, f"{_so_many(case)}{_worst(case)}")


def available(case: Case) -> Finding | None:
    if not case.hot:
        return None
    verb = "takes" if len(case.hot) == 1 else "take"
    where = service_url(case.resource)
    return yes(Reason.AVAILABLE, f"{pods(len(case.hot))} {verb} traffic at {where}")


def unavailable(case: Case) -> Finding:
    return no(Reason.NONE_HOT, f"No pod takes traffic at {service_url(case.resource)}")


def _so_many(case: Case) -> str:
    verb = "is" if case.wanted == 1 else "are"
    return f"{len(case.hot)} of {pods(case.wanted)} {verb} hot"


def _worst(case: Case) -> str:
    return f"; {case.others[0].sentence}" if case.others else ""


HOT = (suspended, opened_by_hand, hot, lost, blocked, heating)
AVAILABLE = (suspended, available, unavailable)
