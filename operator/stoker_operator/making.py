"""Makes what an LLMDeployment wants so, and takes away what it no longer wants."""

import asyncio
import logging

from stoker_api.resource import API_VERSION, KIND, LLMDeployment
from stoker_operator.api_errors import ApiError
from stoker_operator.cluster import Cluster
from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.marks import marked, with_running_sidecar
from stoker_operator.differences import is_applied
from stoker_operator.measures import Measures
from stoker_operator.observed import Problem
from stoker_operator.observed.reasons import Reason
from stoker_operator.ownership import Whose, controller, whose
from stoker_operator.world import Change, Key, World

_log = logging.getLogger(__name__)

DEPLOYMENT = "Deployment"

_Name = tuple[str, str]
"""Kind and name."""

_REFUSALS = {400, 403, 404, 405, 415, 422}
"""What an API server answers to what it will not do today either."""


class LeftError(Exception):
    """The LLMDeployment is not there any more."""


class Making:
    """Brings the cluster to what `desired` says, with the fewest requests that can."""

    def __init__(
        self, cluster: Cluster, world: World, settings: Settings, measures: Measures
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._settings = settings
        self._measures = measures

    async def make(self, resource: LLMDeployment, key: Key) -> tuple[Problem, ...]:
        """Makes it so; what could not be done. LeftError where nobody wants it any more."""
        live = self._world.objects(key)
        wanted = {_name(each): each for each in self._wanted(resource, live)}
        due = [
            each
            for name, each in wanted.items()
            if name not in live or not is_applied(each, live[name])
        ]
        if due and not await self._is_there(resource):
            raise LeftError
        # The Deployment leans on all the others: its pods need the account and the files.
        first = [each for each in due if each["kind"] != DEPLOYMENT]
        last = [each for each in due if each["kind"] == DEPLOYMENT]
        problems = [
            problem
            for wave in (first, last)
            for problem in await asyncio.gather(
                *(self._apply(each, live.get(_name(each)), resource) for each in wave)
            )
        ]
        for name, found in live.items():
            if name not in wanted and _is_owned(found, resource):
                problems.append(await self._prune(found))
        return tuple(problem for problem in problems if problem)

    def _wanted(self, resource: LLMDeployment, live: dict[_Name, Manifest]) -> list[Manifest]:
        return [
            marked(
                with_running_sidecar(each, live.get(_name(each)), resource, self._settings)
                if each["kind"] == DEPLOYMENT
                else each
            )
            for each in desired(resource, self._settings)
        ]

    async def _is_there(self, resource: LLMDeployment) -> bool:
        """Whether it is still there, and to stay: its end may be why something is due.

        The garbage collector takes its objects away, or orphans them, and the watch on those may
        tell of that first. What got its owner back then would be deleted with it.
        """
        metadata = resource.metadata
        found = await self._cluster.get(API_VERSION, KIND, metadata.namespace or "", metadata.name)
        if found is None or found["metadata"]["uid"] != metadata.uid:
            return False
        return "deletionTimestamp" not in found["metadata"]

    async def _apply(
        self, wanted: Manifest, live: Manifest | None, resource: LLMDeployment
    ) -> Problem | None:
        """Applies one object, unless its name is another's."""
        kind, name = _name(wanted)
        try:
            found = live or await self._cluster.get(
                wanted["apiVersion"], kind, wanted["metadata"]["namespace"], name
            )
            match found and whose(found, resource):
                case Whose.OTHERS:
                    return _taken(kind, name)
                case Whose.LEAVING:
                    return None
            if found is None or not is_applied(wanted, found):
                found = await self._cluster.apply(wanted)
                self._measures.applied(kind, "ok")
                _log.info("applied", extra={"kind": kind, "object": _full(wanted)})
            self._world.see(Change(kind, found))
        except ApiError as error:
            self._measures.applied(kind, "error")
            return _problem(wanted, error)
        return None

    async def _prune(self, found: Manifest) -> Problem | None:
        try:
            await self._cluster.delete(found)
        except ApiError as error:
            return _problem(found, error)
        _log.info("deleted", extra={"kind": found["kind"], "object": _full(found)})
        return None


def _is_owned(found: Manifest, resource: LLMDeployment) -> bool:
    owner = controller(found)
    return owner is not None and owner.get("uid") == resource.metadata.uid


def _name(manifest: Manifest) -> _Name:
    return manifest["kind"], manifest["metadata"]["name"]


def _full(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def _taken(kind: str, name: str) -> Problem:
    return Problem(
        Reason.NAME_TAKEN,
        f"there is a {kind} {name} that is not Stoker's, and it is left alone: delete or rename it,"
        " or give this LLMDeployment another name",
    )


def _problem(manifest: Manifest, error: ApiError) -> Problem | None:
    """What an API server that says no means for the LLMDeployment."""
    kind, name = _name(manifest)
    if "because it is being terminated" in error.message:
        return None  # the namespace goes, and everything in it
    if "exceeded quota" in error.message:
        return Problem(Reason.QUOTA_EXCEEDED, f"{kind} {name}: {error.message}")
    reason = Reason.REFUSED if error.status in _REFUSALS else Reason.API_ERROR
    return Problem(reason, f"{kind} {name}: {error}")
