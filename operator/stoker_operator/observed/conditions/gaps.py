"""What a roll-out costs: said before it begins, while somebody can still change it."""

from stoker_api.spec.traffic import is_none
from stoker_operator.observed.amounts import pods, span
from stoker_operator.observed.case import Case
from stoker_operator.observed.cold_start import total_seconds


def during(case: Case) -> str:
    """What a roll-out that is under way costs."""
    gap = _gap(case)
    return f". {gap}" if gap else ""


def ahead(case: Case) -> str:
    """What the next roll-out will cost."""
    notes = [note for note in (_gap(case), _pulls(case)) if note]
    return "".join(f". {note}" for note in notes)


def _gap(case: Case) -> str:
    """Without surge an old pod leaves before its successor is hot."""
    if not is_none(case.resource.spec.rollout.max_surge):
        return ""
    missing = _missing(case)
    took = total_seconds(case.cold_start) if case.cold_start else None
    long = f" for about {span(took)}, as long as the last cold start took" if took else ""
    if missing >= case.wanted:
        return f"rollout.maxSurge is 0: while pods are replaced none is hot{long}"
    return f"rollout.maxSurge is 0: while pods are replaced {pods(missing)} too few are hot{long}"


def _missing(case: Case) -> int:
    """How many pods a roll-out may take away at once; Kubernetes rounds a share down."""
    most = case.resource.spec.rollout.max_unavailable
    if isinstance(most, int):
        return min(most, case.wanted)
    return max(1, case.wanted * int(most.removesuffix("%")) // 100)


def _pulls(case: Case) -> str:
    if case.resource.spec.storage.empty_dir is None:
        return ""
    return "Each new pod pulls the model anew, because storage is an emptyDir"
