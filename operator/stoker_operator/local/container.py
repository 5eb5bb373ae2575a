"""Keeps one process running: started again when it ends, as a kubelet does it."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Mapping

from stoker_operator.local.backoff import Backoff
from stoker_operator.local.process import Process, how

_log = logging.getLogger(__name__)


class Container:
    """One process, and its successors."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Process],
        fields: Mapping[str, object],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.process: Process | None = None
        """The one that runs."""
        self.trouble: str | None = None
        """While none runs: how the last one ended, and when the next one comes."""
        self._start, self._on_end = start, on_end
        self._fields = {"program": name, **fields}
        self._told = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    async def run(self) -> None:
        """Runs it until it is told to end."""
        backoff = Backoff()
        while not self._told.is_set():
            began = time.monotonic()
            ending = await self._once()
            if self._told.is_set():
                self._on_end()
                return
            wait = backoff.ended(time.monotonic() - began)
            self.restarts += 1
            self.trouble = f"{ending}, and is started again {f'in {wait:g} s' if wait else 'now'}"
            self._on_end()
            sentence = f"it {self.trouble} (stoker logs: what it said)"
            _log.warning("process ended", extra={**self._fields, "sentence": sentence})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._told.wait()

    async def _once(self) -> str:
        """Runs it once; how that ended, in words."""
        try:
            process = self.process = self._start()
        except OSError as error:
            return f"could not be started: {error}"
        self.trouble = None
        try:
            return how(await process.wait())
        finally:
            process.kill()  # where this very task is cancelled
            self.process = None

    async def restart(self, grace_seconds: float) -> None:
        """Ends the process, and it is started again."""
        if process := self.process:
            await _end(process, grace_seconds)

    async def stop(self, grace_seconds: float) -> None:
        """Ends the process, for good."""
        self._told.set()
        if process := self.process:
            await _end(process, grace_seconds)


async def _end(process: Process, grace_seconds: float) -> None:
    """Asks it to end, and ends it where it has not within the time it is given."""
    process.tell(signal.SIGTERM)
    try:
        async with asyncio.timeout(grace_seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
