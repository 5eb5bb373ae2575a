"""What the conditions that sidecars' figures decide have in common."""

from stoker_operator.observed.case import Case, Check, Finding, condition, unknown
from stoker_operator.observed.readings import answers, is_whole
from stoker_operator.observed.reasons import Reason


def none_hot(case: Case) -> Finding | None:
    return None if case.hot else unknown(Reason.NONE_HOT, "No pod is hot")


def out_of_reach(case: Case) -> Finding | None:
    if case.seen.sidecars_in_reach:
        return None
    return unknown(
        Reason.OUT_OF_REACH,
        "The operator runs outside the cluster and cannot ask the sidecars. Run it in the cluster,"
        " or ask one yourself: `kubectl port-forward POD 9464`, then `/status`",
    )


def kept(kind: str) -> Check:
    """The condition as it was, unless all hot pods have been asked: figures are as of then."""

    def check(case: Case) -> Finding | None:
        was = condition(case.before, kind)
        if was is None or was.status == "Unknown" or is_whole(case):
            return None
        if was.observed_generation != case.resource.metadata.generation:
            return None
        return Finding(was.status, was.reason, was.message)

    return check


def no_answer(case: Case) -> Finding | None:
    if answers(case):
        return None
    return unknown(
        Reason.NO_ANSWER,
        "No sidecar of a hot pod has answered the operator yet. If that lasts, see whether a"
        " network policy keeps the operator from port 9464 of the pods",
    )
