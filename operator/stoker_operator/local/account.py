"""Why a model is hot or is not, in words: what its sidecars find now, and what came before."""

import http.client
from collections.abc import Iterator

from stoker_api import wire
from stoker_api.codec import MalformedError
from stoker_operator.local import LOOPBACK
from stoker_operator.local.state import ChangeStatus, ReplicaStatus, Status
from stoker_operator.local.view import clock

_PATIENCE_SECONDS = 2.0


def account(status: Status) -> Iterator[str]:
    """Line by line."""
    yield f"{status.name} ({status.model}) at {status.address}: {_verdict(status)}"
    for warning in status.warnings:
        yield f"  no effect here: {warning}"
    for replica in status.replicas:
        yield ""
        yield from _replica(replica)


def _verdict(status: Status) -> str:
    if status.wanted == 0:
        return "no replica is wanted (replicas: 0, or suspend)"
    if status.hot == 0:
        return f"no replica of {status.wanted} is hot, so connections are refused"
    return f"{status.hot} of {status.wanted} replicas hot"


def _replica(replica: ReplicaStatus) -> Iterator[str]:
    yield f"replica {replica.number}"
    found = _asked(replica.sidecar_port)
    if found is None:
        yield f"  its sidecar does not answer; the last that it said: {replica.sentence}"
    else:
        gate = "open" if found.hot else "shut"
        yield f"  now: {found.state}, gate {gate}. {found.reason}: {found.message}"
        yield from (f"  worth knowing: {warning}" for warning in found.warnings)
        yield from (f"  {line}" for line in _start(found.cold_start))
    for each in replica.processes:
        if each.restarts:
            yield f"  {each.name} was started again {each.restarts} times: see stoker logs"
    yield "  before, the newest first:"
    yield from (f"    {_change(each)}" for each in reversed(replica.history))


def _change(change: ChangeStatus) -> str:
    gate = "gate open" if change.hot else "gate shut"
    return f"{clock(change.time)}  {gate}  {change.state}/{change.reason}: {change.message}"


def _start(start: wire.ColdStart) -> Iterator[str]:
    phases = {
        "pull": start.pull_seconds,
        "verify": start.verify_seconds,
        "load": start.load_seconds,
        "first token": start.first_token_seconds,
    }
    known = [f"{name} {seconds:.2f} s" for name, seconds in phases.items() if seconds is not None]
    if known:
        yield f"the last start took: {', '.join(known)}"


def _asked(port: int) -> wire.Status | None:
    """What the sidecar says of itself; None where it says nothing."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", wire.STATUS_PATH)
        return wire.Status.from_json(connection.getresponse().read())
    except (OSError, http.client.HTTPException, MalformedError):
        return None
    finally:
        connection.close()
