"""A blob on its way: how much of it is there, and who still wants it."""

import asyncio
from collections.abc import AsyncGenerator

# Progress is told when so much more of the blob is there.
SHARE_TOLD = 0.01


class Download:
    """A blob on its way, for as long as somebody wants it."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.waiting = 0
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def tell(self, completed: int) -> None:
        self.completed = completed
        self._changed.set()

    async def progress(self) -> AsyncGenerator[int, None]:
        """The bytes that are there, whenever there are more; then the failure, if there is one."""
        assert self.task is not None
        told = -1
        while not self.task.done():
            changed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({self.task, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            self._changed.clear()
            if self.completed - told > self.total * SHARE_TOLD and self.completed < self.total:
                told = self.completed
                yield told
        self.task.result()
        yield self.total
