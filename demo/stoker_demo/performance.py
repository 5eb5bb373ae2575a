"""One performance from beginning to end: both sides, the stage, and who watches."""

import asyncio
import os
import signal
from pathlib import Path

from stoker_demo.cast import Cast
from stoker_demo.record import Run
from stoker_demo.screen import Screen
from stoker_demo.stage import Stage
from stoker_demo.today import Today
from stoker_demo.with_stoker import Setting, WithStoker
from stoker_operator.local.machine import machine


async def perform(cast: Cast, folder: Path, screen: Screen) -> Run:
    """Plays it, in a folder of its own; nothing runs any more when this returns.

    SIGTERM cancels it, as Ctrl-C does.
    """
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    resource = cast.resource()
    own = folder / "today"
    own.mkdir()
    today = Today(resource, machine(cast.ollama, own), own)
    stoker = WithStoker(resource, Setting(cast.file, cast.flags, os.environ, folder))
    stage = Stage(cast, today, stoker)
    showing = asyncio.create_task(screen.show(stage.run, cast.replicas))
    try:
        return await stage.play()
    finally:
        showing.cancel()
        await asyncio.wait([showing])
