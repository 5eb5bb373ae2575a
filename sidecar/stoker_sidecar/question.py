"""Something that is asked again and again, never twice at a time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Question:
    """A task of its own for each answer, so that one that hangs holds up nobody else."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._task is not None and not self._task.done()

    def ask(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Asks, unless the last answer is still awaited."""
        if not self.is_open:
            self._task = asyncio.create_task(_guarded(work))

    def drop(self) -> None:
        """Wants no answer any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def _guarded(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await work()
    except Exception:  # noqa: BLE001 - nobody awaits it: here it is told, or never
        _log.exception("question broke")
