"""What an LLMDeployment's objects say: pure functions from what is seen to its status.

    observed(resource, before, seen, now) -> Observed

No I/O, no clock, no memory: all that is remembered is the status that was written last (`before`).
So the same input gives the same status, twice the same input gives no write and no event, and an
operator that was restarted goes on where the last one stopped.

- `seen`: what is known, as values.
- `raw`: reading objects that may hold anything.
- `obstacles`, `pods`, `heats`: what a pod is now, and why.
- `case`: what a check looks at.
- `conditions`, `phase`: what is so, by aspect and in one word.
- `figures`, `cold_start`, `readings`: numbers, as of the last transition.
- `events`: what is new.
- `asking`: which sidecars to ask, and when to look again.
"""

from dataclasses import replace
from datetime import datetime

from stoker_api.resource import LLMDeployment
from stoker_api.status import Status
from stoker_operator.desired.identity import selector
from stoker_operator.desired.service import service_url
from stoker_operator.observed.asking import look_again_seconds, spoken, to_read
from stoker_operator.observed.case import Case
from stoker_operator.observed.conditions import conditions
from stoker_operator.observed.events import notices
from stoker_operator.observed.figures import entries, gpu, last_cold_start, latency, model
from stoker_operator.observed.phase import phase
from stoker_operator.observed.pods import pods
from stoker_operator.observed.refusal import refused
from stoker_operator.observed.seen import Notice, Observed, Problem, Seen

__all__ = ["Notice", "Observed", "Problem", "Seen", "observed", "refused", "spoken", "to_read"]


def observed(resource: LLMDeployment, before: Status, seen: Seen, now: datetime) -> Observed:
    """The status of `resource` as its objects have it now, and what is new in it."""
    case = Case(resource, before, seen, pods(seen.pods, seen.sidecars), now)
    case = replace(case, cold_start=last_cold_start(case))
    status = _status(case)
    return Observed(status, notices(case, status), look_again_seconds(case, status))


def _status(case: Case) -> Status:
    listed = entries(case)
    return Status(
        observed_generation=case.resource.metadata.generation,
        phase=phase(case),
        conditions=conditions(case),
        replicas=case.replicas,
        hot_replicas=len(case.hot),
        hot=f"{len(case.hot)}/{case.wanted}",
        selector=",".join(f"{key}={value}" for key, value in selector(case.resource).items()),
        endpoint=service_url(case.resource),
        model=model(case),
        gpu=gpu(case, listed),
        latency=latency(case, listed),
        pods=listed,
    )
