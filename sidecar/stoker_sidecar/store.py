"""The model as it lies in Ollama's store, looked at now and then, for a tag that moved."""

import asyncio
import time
from collections.abc import Callable

from stoker_sidecar.exchange import ExchangeError
from stoker_sidecar.heat.observation import Stored
from stoker_sidecar.ollama import Ollama
from stoker_sidecar.question import Question

ANSWER_SECONDS = 15.0
"""How long an answer is waited for. `/api/ps` may wait for 8 s while a model leaves memory."""

STORE_SECONDS = 10.0
"""How often the store is looked into."""

AGAIN_SECONDS = 0.5
"""How soon it is looked into again when that failed."""


class Store:
    """What was found there last."""

    def __init__(
        self,
        ollama: Ollama,
        wake: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.looked = False
        """Whether it has been looked into since the last time that it may have changed."""
        self.stored: Stored | None = None
        self.version: str | None = None
        """Ollama's own."""
        self.error: str | None = None
        """Why it cannot be looked into."""
        self._ollama = ollama
        self._wake = wake
        self._clock = clock
        self._question = Question()
        self._look_at = 0.0

    def beat(self) -> None:
        """Looks into it if that is due."""
        if not self.looked or self._clock() >= self._look_at:
            self._question.ask(self._look)

    def forget(self) -> None:
        """It may be another one, or have changed: answers to earlier questions say nothing."""
        self.looked = False
        self._question.drop()
        self._question.ask(self._look)

    async def close(self) -> None:
        await self._question.close()

    async def _look(self) -> None:
        try:
            await self._find()
        except ExchangeError as error:
            if self.looked:
                return  # as long as it was looked into once, the next look is early enough
            self.error = str(error)
            await asyncio.sleep(AGAIN_SECONDS)
            return
        self.looked, self.error = True, None
        self._look_at = self._clock() + STORE_SECONDS
        self._wake()

    async def _find(self) -> None:
        if not self.looked:
            self.version = await self._ollama.version(ANSWER_SECONDS)
        installed = await self._ollama.installed(ANSWER_SECONDS)
        known = self.stored.digest if self.stored else None
        if not self.looked or (installed and installed[0]) != known:
            self.stored = await self._ollama.stored(ANSWER_SECONDS)
