"""One Ollama of either side, and what the story does to it."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stoker_demo.asking import HttpError, lines
from stoker_demo.errors import DemoError
from stoker_demo.processes import end_of, end_with_parent, handles, is_stopped, runners
from stoker_demo.record import Loss
from stoker_demo.story import Deed

_HOST = "127.0.0.1"
_GONE_SECONDS = 5.0
"""How long the end of a process is waited for. One that only hangs may not come to it."""
_ANSWER_SECONDS = 30.0
_LAYERS_LEFT = 12
"""Of 17. A field report had 30 of 35 on its GPU, and nobody had noticed."""
_CONTROL = re.compile(r"Control on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Place:
    """Where a replica is."""

    port: int
    pid: Callable[[], int | None]
    """The process that its others descend from, while there is one."""
    log: Path


@dataclass(frozen=True)
class Names:
    """What is asked of it."""

    model: str
    """With its tag, as Ollama lists it."""
    rival: str
    """What does not fit beside the model."""


class Replica:
    """Does to one Ollama what the story tells."""

    def __init__(self, place: Place, names: Names, clock: Callable[[], float]) -> None:
        self._place, self._names, self._clock = place, names, clock
        self._rival: asyncio.Task[None] | None = None

    async def has_model(self) -> bool:
        """Whether Ollama lists the model as loaded, as far as it answers."""
        with suppress(OSError, HttpError, ValueError):
            (found,) = [each async for each in lines(_HOST, self._place.port, "/api/ps")]
            return any(each["name"] == self._names.model for each in found["models"])
        return False

    async def do(self, deed: Deed) -> Loss | None:
        """Does it; the loss, if it takes the model away."""
        match deed:
            case Deed.UNLOAD:
                return await self._losing(self._unload)
            case Deed.EVICT:
                return await self._losing(self._evict)
            case Deed.KILL:
                return await self._losing(self._kill)
            case Deed.STOP:
                return await self._losing(self._stop)
            case Deed.RESTART:
                # Whoever keeps Ollama running starts it again.
                for pid in filter(is_stopped, await self._runners()):
                    end_with_parent(pid)
            case Deed.SHRINK:
                await self._control("POST", {"layers": _LAYERS_LEFT})
            case Deed.GROW:
                await self._control("DELETE", {})
        return None

    async def leave(self) -> None:
        """Waits for nothing any more."""
        if self._rival:
            self._rival.cancel()
            await asyncio.wait([self._rival])

    # --- deeds ----------------------------------------------------------------------------------

    async def _losing(self, take: Callable[[Sequence[int]], Awaitable[None]]) -> Loss:
        """Takes the model away, and waits for the end of its process."""
        with handles(await self._runners()) as held:
            began = self._clock()
            await take(held)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GONE_SECONDS):
                    for handle in held:
                        await end_of(handle)
        return Loss(began, self._clock())

    async def _unload(self, _: Sequence[int]) -> None:
        await self._ask({"model": self._names.model, "keep_alive": 0})

    async def _evict(self, _: Sequence[int]) -> None:
        question = {"model": self._names.rival, "prompt": "Why?", "options": {"num_predict": 1}}
        self._rival = asyncio.create_task(self._ask(question))

    async def _kill(self, held: Sequence[int]) -> None:
        for handle in held:
            signal.pidfd_send_signal(handle, signal.SIGKILL)

    async def _stop(self, held: Sequence[int]) -> None:
        for handle in held:
            signal.pidfd_send_signal(handle, signal.SIGSTOP)

    async def _ask(self, question: dict[str, Any]) -> None:
        with suppress(TimeoutError, OSError, HttpError):
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                aclosing(lines(_HOST, self._place.port, "/api/generate", question)) as answer,
            ):
                async for _ in answer:
                    pass

    async def _runners(self) -> list[int]:
        root = self._place.pid()
        # In a thread: it takes milliseconds, and clients are to ask meanwhile.
        return [] if root is None else await asyncio.to_thread(runners, root)

    async def _control(self, method: str, body: Mapping[str, Any]) -> None:
        """The simulator's own port for faults."""
        ports = _CONTROL.findall(self._place.log.read_text(errors="replace"))
        if not ports:
            raise DemoError(f"no control port is named in {self._place.log}")
        path = "/faults/partial-offload"
        async for _ in lines(_HOST, int(ports[-1]), path, body, method=method):
            pass
