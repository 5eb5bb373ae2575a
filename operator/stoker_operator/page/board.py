"""The operator's side of the page: what it remembers of the last hour, and what it hands out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from stoker_operator.observed import spoken
from stoker_operator.observed.case import MOST_PODS
from stoker_operator.observed.pods import pods
from stoker_operator.page.audience import Audience
from stoker_operator.page.history import History, recent, with_pod, with_status, without_pod
from stoker_operator.page.views import Json, line, whole
from stoker_operator.sidecars import Sidecars
from stoker_operator.world import POD, RESOURCE, Change, Key, World

MOST_FOLLOWERS = 16


@dataclass
class Board:
    """What is known of every LLMDeployment, for as long as the operator runs."""

    world: World
    sidecars: Sidecars | None
    """None where the addresses of pods are out of reach."""
    clock: Callable[[], float] = time.time
    audience: Audience = field(default_factory=lambda: Audience(MOST_FOLLOWERS))
    _histories: dict[Key, History] = field(default_factory=dict)

    def saw(self, key: Key, change: Change) -> None:
        """Takes in what is known anew."""
        if change.kind not in (RESOURCE, POD):
            return
        if change.gone and self.world.resource(key) is None:
            self._histories.pop(key, None)
        else:
            before, now = self._histories.get(key, History()), self.clock()
            self._histories[key] = recent(_with(before, change, now), now)
        self.audience.tell(key)

    @property
    def remembered(self) -> int:
        """Of how many LLMDeployments anything is remembered."""
        return len(self._histories)

    def line(self, key: Key) -> Json | None:
        """What the list shows of an LLMDeployment; None of one that is no more."""
        body = self.world.resource(key)
        return None if body is None else line(key, body, self._history(key))

    async def whole(self, key: Key) -> Json | None:
        """All that is shown of it, with what its sidecars answer now."""
        told = await self.sidecars.read(self._addresses(key)) if self.sidecars else {}
        body = self.world.resource(key)
        if body is None:
            return None
        return whole(key, body, self.world.pods(key), told, self._history(key))

    def _history(self, key: Key) -> History:
        return recent(self._histories.get(key, History()), self.clock())

    def _addresses(self, key: Key) -> dict[str, str]:
        return dict(islice(spoken(self.world.pods(key)).items(), MOST_PODS))


def _with(history: History, change: Change, now: float) -> History:
    """The history with what this change says."""
    if change.kind == RESOURCE:
        status = change.body.get("status")
        return with_status(history, status, now) if status else history
    if change.gone:
        return without_pod(history, str(change.body["metadata"]["name"]), now)
    (pod,) = pods((change.body,), {})
    return with_pod(history, pod, now)
