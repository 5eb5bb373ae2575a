"""Makes what an LLMDeployment wants so, and takes away what it no longer wants."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from stoker_api.resource import API_VERSION, KIND, LLMDeployment
from stoker_operator.api_errors import ApiError, ConflictError
from stoker_operator.cluster import Cluster
from stoker_operator.desired import Manifest
from stoker_operator.differences import is_applied
from stoker_operator.measures import Measures
from stoker_operator.observed import Problem
from stoker_operator.observed.reasons import Reason
from stoker_operator.ownership import Whose, is_owned, whose
from stoker_operator.wishes import DEPLOYMENT, Name, Wish, name_of
from stoker_operator.world import Change, Key, Stored, World

_log = logging.getLogger(__name__)

_REFUSALS = {400, 403, 404, 405, 415, 422}
"""What an API server answers to what it will not do today either."""


@dataclass(frozen=True)
class _Settled:
    """An LLMDeployment, and the objects that were found to be all that it wants."""

    resource: LLMDeployment
    text: bytes
    """What it was read from."""
    stored: Stored


class LeftError(Exception):
    """The LLMDeployment is not there any more."""


class Making:
    """Brings the cluster to what `desired` says, with the fewest requests that can."""

    def __init__(self, cluster: Cluster, world: World, measures: Measures) -> None:
        self._cluster = cluster
        self._world = world
        self._measures = measures
        self._settled: dict[Key, _Settled] = {}

    def forget(self, key: Key) -> None:
        """Nothing is to be made for it any more."""
        self._settled.pop(key, None)

    def settled(self, key: Key) -> LLMDeployment | None:
        """The LLMDeployment, where all is as it was when there was nothing to be made for it.

        Most passes are about pods. To find out anew what is wanted would be most of their work.
        """
        known, world = self._settled.get(key), self._world
        if known is None or known.text != world.wish(key) or known.stored != world.stored(key):
            return None
        return known.resource

    async def make(self, key: Key, wish: Wish) -> tuple[Problem, ...]:
        """Makes it so; what could not be done. LeftError where nobody wants it any more."""
        text, stored = self._world.wish(key), self._world.stored(key)
        live = self._world.objects(key)
        due = _due(wish, live)
        problems = await self._mend(wish, live, due)
        if due and not problems:  # as it is now, for the passes to come
            stored, live = self._world.stored(key), self._world.objects(key)
            due = _due(wish, live)
        if not (due or problems) and live.keys() <= wish.objects.keys():
            self._settled[key] = _Settled(wish.resource, text, stored)
        return problems

    async def _mend(
        self, wish: Wish, live: Mapping[Name, Manifest], due: Mapping[Name, Manifest]
    ) -> tuple[Problem, ...]:
        """Writes what is due, and takes away what is too much."""
        # One that has nothing yet is new, and what is made for it in vain has no owner to keep it.
        if due and live and not await self._is_there(wish.resource):
            raise LeftError
        # The Deployment leans on all the others: its pods need the account and the files.
        first = [name for name in due if name[0] != DEPLOYMENT]
        last = [name for name in due if name[0] == DEPLOYMENT]
        problems: list[Problem | None] = []
        for wave in (first, last):
            results = await asyncio.gather(
                *(self._write(due[name], live.get(name), wish.resource) for name in wave)
            )
            problems += results
            if any(map(_is_in_pods, wave, results)):
                break
        for name, found in live.items():
            if name not in wish.objects and is_owned(found, wish.resource):
                problems.append(await self._prune(found))
        return tuple(problem for problem in problems if problem)

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

    async def _write(
        self, wanted: Manifest, live: Manifest | None, resource: LLMDeployment
    ) -> Problem | None:
        """Writes one object; what kept it from being written."""
        kind, name = name_of(wanted)
        try:
            if live is None:
                live = await self._made(wanted)
            if live is None:
                return None
            match whose(live, resource):
                case Whose.OTHERS:
                    return _taken(kind, name)
                case Whose.OURS if not is_applied(wanted, live):
                    self._note(wanted, await self._cluster.apply(wanted))
        except ApiError as error:
            self._measures.applied(kind, "error")
            return _problem(wanted, error)
        return None

    async def _made(self, wanted: Manifest) -> Manifest | None:
        """Makes an object of which no watch has told; what has its name, where it is taken."""
        try:
            self._note(wanted, await self._cluster.apply_new(wanted))
        except ConflictError:
            kind, name = name_of(wanted)
            namespace = wanted["metadata"]["namespace"]
            return await self._cluster.get(wanted["apiVersion"], kind, namespace, name)
        return None

    def _note(self, wanted: Manifest, written: Manifest) -> None:
        """The watch will tell of it; the next pass may be sooner."""
        kind, _ = name_of(wanted)
        self._world.see(Change(kind, written))
        self._measures.applied(kind, "ok")
        _log.info("applied", extra={"kind": kind, "object": _full(wanted)})

    async def _prune(self, found: Manifest) -> Problem | None:
        try:
            await self._cluster.delete(found)
        except ApiError as error:
            return _problem(found, error)
        _log.info("deleted", extra={"kind": found["kind"], "object": _full(found)})
        return None


def _due(wish: Wish, live: Mapping[Name, Manifest]) -> dict[Name, Manifest]:
    """What has to be written."""
    return {
        name: wanted
        for name, wanted in wish.objects.items()
        if name not in live or not is_applied(wanted, live[name])
    }


def _is_in_pods(name: Name, problem: Problem | None) -> bool:
    """Whether pods would have what is somebody else's: their rights, their files, their data.

    Who may write an LLMDeployment chooses its name, and thereby what its objects are called.
    """
    kind, _ = name
    lent = kind in ("ServiceAccount", "ConfigMap", "PersistentVolumeClaim")
    return lent and problem is not None and problem.reason == Reason.NAME_TAKEN


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
    kind, name = name_of(manifest)
    if "because it is being terminated" in error.message:
        return None  # the namespace goes, and everything in it
    if "exceeded quota" in error.message:
        return Problem(Reason.QUOTA_EXCEEDED, f"{kind} {name}: {error.message}")
    reason = Reason.REFUSED if error.status in _REFUSALS else Reason.API_ERROR
    return Problem(reason, f"{kind} {name}: {error}")
