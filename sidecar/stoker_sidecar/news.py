"""Each change of the heat, for as many as follow it, and nothing where nobody does."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from stoker_api.wire import HeatEvent


@dataclass
class Change:
    """One that is to come, and once it has come, what it is and the one after it."""

    has_come: asyncio.Event = field(default_factory=asyncio.Event)
    event: HeatEvent | None = None
    after: Self | None = None


class News:
    """A chain of changes. Who follows holds on to one of them; what nobody holds is forgotten."""

    def __init__(self) -> None:
        self.next = Change()
        self._told: HeatEvent | None = None

    def tell(self, event: HeatEvent) -> None:
        """Takes in how it is now; a change where gate, state or reason are others than before."""
        if self._told is None or not is_alike(event, self._told):
            come, self.next = self.next, Change()
            come.event, come.after = event, self.next
            come.has_come.set()
        self._told = event


def is_alike(one: HeatEvent, other: HeatEvent) -> bool:
    """Whether they differ in their words at most."""
    return (one.hot, one.state, one.reason) == (other.hot, other.state, other.reason)
