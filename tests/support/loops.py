"""An event loop whose time is driven: it jumps to the next timer instead of waiting for it.

An hour of back-off passes in microseconds, and a test that would wait for ever fails at once. It
has no sockets, processes or threads.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_LONGEST_SECONDS = 7 * 24 * 3600.0
"""No story takes longer: what does, goes round in circles."""


class DrivenLoop(asyncio.BaseEventLoop):
    """It begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self  # asyncio asks it how long nothing happens

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Lets that time pass: there are no files on which something could happen."""
        if timeout is None:
            raise AssertionError("everything waits, and nothing is due")
        self._now += timeout
        if self._now > _LONGEST_SECONDS:
            raise AssertionError("a week has passed, and the story has not ended")
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns, after all its waits, at once."""
    with asyncio.Runner(loop_factory=DrivenLoop) as runner:
        return runner.run(main)


def now() -> float:
    """The time of the loop."""
    return asyncio.get_running_loop().time()
