"""Asks a container whether it is well, as a kubelet does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stoker_operator.local import LOOPBACK
from stoker_operator.local.plan import Probe

_MOST_BYTES = 16 * 1024
_GOOD = range(200, 400)


@dataclass(frozen=True)
class Answer:
    """What came back: whether it is well, and its words; no status where nothing came in time."""

    status: int | None
    text: str = ""

    @property
    def is_good(self) -> bool:
        return self.status in _GOOD


async def ask(probe: Probe) -> Answer:
    """Asks once."""
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            return await _asked(probe)
    except (OSError, TimeoutError, ValueError, IndexError):
        return Answer(None)


async def _asked(probe: Probe) -> Answer:
    reader, writer = await asyncio.open_connection(LOOPBACK, probe.port)
    try:
        writer.write(f"GET {probe.path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = (await reader.read(_MOST_BYTES)).partition(b"\r\n\r\n")
        return Answer(int(head.split()[1]), body.decode("utf-8", "replace").strip())
    finally:
        writer.transport.abort()


Tell = Callable[[Answer, int], Awaitable[None]]
"""Takes an answer, and how many bad ones in a row there were with it."""


async def watch(probe: Probe, tell: Tell) -> None:
    """Asks every so often, and tells of each answer."""
    bad = 0
    while True:
        await asyncio.sleep(probe.period_seconds)
        answer = await ask(probe)
        bad = 0 if answer.is_good else bad + 1
        await tell(answer, bad)
