"""A sidecar that does nothing but read its GPUs, when a line on standard input says so.

Run as a script, in the environment that is to be tested: pynvml keeps the first library it finds.
Its event loop beats on beside the reads; each answer tells how often it has.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pynvml

from stoker_api.codec import encode
from stoker_sidecar.gpu import Nvml, of_container, of_machine

BEAT_SECONDS = 0.01


class Child:
    def __init__(self, file: str, deadline_seconds: float) -> None:
        self.ahead_seconds = 0.0
        self.beats = 0
        self.nvml = Nvml(
            of_container(Path(file)) if file else of_machine(),
            clock=lambda: time.monotonic() + self.ahead_seconds,
            deadline_seconds=deadline_seconds,
        )

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self.beats += 1

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.ahead_seconds += request["later"]
        before = self.beats
        gpus = await self.nvml.read(request["pid"], idle=request["idle"])
        return {
            "gpus": encode(gpus),
            "beats": self.beats - before,
            "failures": self.nvml.failures,
            "starts": pynvml._nvmlLib_refcount,  # noqa: SLF001 - a leak is to be seen
        }

    async def run(self) -> None:
        beating = asyncio.create_task(self.beat())
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        async for line in lines:
            print(json.dumps(await self.answer(json.loads(line))), flush=True)  # noqa: T201
        beating.cancel()
        self.nvml.close()


if __name__ == "__main__":
    asyncio.run(Child(sys.argv[1], float(sys.argv[2])).run())
