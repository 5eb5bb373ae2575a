"""A gate as tests run it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stoker_sidecar.gate import Gate


@asynccontextmanager
async def at_work(gate: Gate) -> AsyncIterator[Gate]:
    """The gate, which writes while the block lasts."""
    running = asyncio.create_task(gate.run())
    try:
        yield gate
    finally:
        running.cancel()
        await asyncio.wait([running])
        await gate.close()
