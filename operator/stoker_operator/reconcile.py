"""One level-triggered pass for one LLMDeployment: read, make, look, tell.

A pass depends on how things are and never on what has changed, so it may be repeated, cut off at
any point, or skipped when another follows. What is as it should be is not written again.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from stoker_api.errors import InvalidManifestError
from stoker_api.resource import LLMDeployment
from stoker_api.status import Status
from stoker_operator.desired import Manifest
from stoker_operator.desired.identity import models_name
from stoker_operator.errors import StokerError
from stoker_operator.making import LeftError, Making
from stoker_operator.measures import Measures
from stoker_operator.observed import Problem, Seen, observed, refused, to_read
from stoker_operator.observed.reasons import Reason
from stoker_operator.sidecars import Sidecars
from stoker_operator.telling import Telling
from stoker_operator.wishes import DEPLOYMENT, Wishes
from stoker_operator.world import Key, World

_UNREAD_SECONDS = 30.0
"""After that a sidecar that did not answer is asked once more."""


class PassFailedError(StokerError):
    """Something could not be done; the status says what, and the queue tries again."""


@dataclass(frozen=True)
class Reconciler:
    """Makes passes; of one LLMDeployment one at a time (the queue sees to that)."""

    world: World
    wishes: Wishes
    making: Making
    telling: Telling
    sidecars: Sidecars | None
    """None where the addresses of pods are out of reach."""
    measures: Measures

    async def reconcile(self, key: Key, now: datetime) -> float | None:
        """One pass; in how many seconds there will be something to do again, if time alone does it.

        PassFailedError where not all could be done.
        """
        body = self.world.resource(key)
        if body is not None and not body["metadata"].get("deletionTimestamp"):
            with self.measures.timed():
                try:
                    return await self._pass(key, body, now)
                except LeftError:
                    self.world.forget(key, body["metadata"]["uid"])
        self.making.forget(key)
        self.telling.forget(key)
        return None

    async def _pass(self, key: Key, body: Manifest, now: datetime) -> float | None:
        before = _status(body)
        try:
            resource, problems = await self._made(key, body)
        except InvalidManifestError as error:
            problems = tuple(Problem(Reason.INVALID, str(problem)) for problem in error.problems)
            generation = body["metadata"].get("generation")
            return await self.telling.tell(body, refused(generation, before, problems, now), now)
        seen, all_read = await self._look(resource, key, before, problems)
        again = await self.telling.tell(body, observed(resource, before, seen, now), now)
        if problems:
            raise PassFailedError("; ".join(problem.message for problem in problems))
        waits = (again, None if all_read else _UNREAD_SECONDS)
        return min((each for each in waits if each is not None), default=None)

    async def _made(self, key: Key, body: Manifest) -> tuple[LLMDeployment, tuple[Problem, ...]]:
        """The LLMDeployment, once all is made that it wants, and what kept that from being so."""
        if settled := self.making.settled(key):
            return settled, ()
        live = self.world.object(key, DEPLOYMENT, key[1])
        wish = self.wishes.wish(self.world.wish(key), body, live)
        if wish.resource.is_paused:
            return wish.resource, ()
        return wish.resource, await self.making.make(key, wish)

    async def _look(
        self, resource: LLMDeployment, key: Key, before: Status, problems: tuple[Problem, ...]
    ) -> tuple[Seen, bool]:
        """All that is to be seen; whether every sidecar that was asked has answered."""
        pods = self.world.pods(key)
        asked = to_read(resource, before, pods) if self.sidecars else ()
        addresses = {
            pod["metadata"]["name"]: pod["status"]["podIP"]
            for pod in pods
            if pod["metadata"]["name"] in asked
        }
        statuses = await self.sidecars.read(addresses) if self.sidecars and addresses else {}
        seen = Seen(
            deployment=self.world.object(key, DEPLOYMENT, resource.metadata.name),
            claim=self.world.object(key, "PersistentVolumeClaim", models_name(resource)),
            pods=pods,
            sidecars=statuses,
            problems=problems,
            paused=resource.is_paused,
            sidecars_in_reach=self.sidecars is not None,
        )
        return seen, len(statuses) == len(addresses)


def _status(body: Manifest) -> Status:
    """What was said before; nothing, where it is not what we would have said."""
    try:
        return Status.model_validate(body.get("status") or {})
    except ValidationError:
        return Status()
