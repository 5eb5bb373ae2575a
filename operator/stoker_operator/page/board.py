"""The operator's side of the page: what it remembers of the last hour, and what it hands out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from stoker_operator.observed import spoken
from stoker_operator.observed.case import MOST_PODS
from stoker_operator.page.audience import Audience
from stoker_operator.page.history import History, noted, recent
from stoker_operator.page.views import Json, line, whole
from stoker_operator.sidecars import Sidecars
from stoker_operator.world import POD, RESOURCE, Key, World

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

    def saw(self, kind: str, key: Key) -> None:
        """Takes in that something is known anew."""
        if kind == RESOURCE:
            self._note(key)
        if kind in (RESOURCE, POD):
            self.audience.tell(key)

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

    def _note(self, key: Key) -> None:
        status = self.world.status(key)
        if status is None:
            self._histories.pop(key, None)
        elif status:
            before = self._histories.get(key, History())
            self._histories[key] = noted(before, status, self.clock())

    def _history(self, key: Key) -> History:
        return recent(self._histories.get(key, History()), self.clock())

    def _addresses(self, key: Key) -> dict[str, str]:
        return dict(islice(spoken(self.world.pods(key)).items(), MOST_PODS))
