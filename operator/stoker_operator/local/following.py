"""What a sidecar tells of its heat, as it tells it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from stoker_api.codec import MalformedError
from stoker_api.wire import HEAT_PATH, HEAT_SILENCE_SECONDS, HeatEvent
from stoker_operator.local import LOOPBACK

AGAIN_SECONDS = 0.1
"""How soon it is tried again, where there is nobody to tell."""

_SILENCE_SECONDS = HEAT_SILENCE_SECONDS * 1.5
_LINE_BYTES = 64 * 1024
_DATA = b"data: "


async def follow(port: int) -> AsyncIterator[HeatEvent | None]:
    """Each event of the sidecar at this port; None whenever there is nobody who tells."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, MalformedError, ValueError):
            async for event in _told(port):
                yield event
        yield None
        await asyncio.sleep(AGAIN_SECONDS)


async def _told(port: int) -> AsyncIterator[HeatEvent]:
    """The events of one connection, until it ends."""
    async with asyncio.timeout(_SILENCE_SECONDS):
        reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=_LINE_BYTES)
    try:
        # HTTP/1.0: the answer is not cut into chunks, and ends with the connection.
        writer.write(f"GET {HEAT_PATH} HTTP/1.0\r\n\r\n".encode())
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                line = await reader.readline()
            if not line:
                return
            if line.startswith(_DATA):
                yield HeatEvent.from_line(line.removeprefix(_DATA))
    finally:
        writer.transport.abort()
