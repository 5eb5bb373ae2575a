"""Clients of one side: so many requests a second, whatever becomes of those before."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from stoker_demo.asking import HttpError, lines
from stoker_demo.errors import DemoError
from stoker_demo.record import End, Request

PATIENCE_SECONDS = 5.0
"""How long a client waits for its whole answer."""

_AGAIN_SECONDS = 0.01


@dataclass(frozen=True)
class Service:
    """What clients ask, and where."""

    host: str
    port: int
    model: str


@dataclass(frozen=True)
class Traffic:
    """How much is asked."""

    per_second: float
    """Requests, of the clients of one side."""
    words: int
    """Of each answer, at the most."""
    threads: int | None = None
    """With which the model is to be loaded; None leaves it to Ollama."""

    @property
    def options(self) -> dict[str, int]:
        """Of each request, as Ollama names them."""
        asked = {"num_predict": self.words, "num_thread": self.threads}
        return {name: value for name, value in asked.items() if value is not None}


class Clients:
    """Asks at a steady rate, each time on a connection of its own, and keeps what came of it."""

    def __init__(self, service: Service, traffic: Traffic, clock: Callable[[], float]) -> None:
        self.requests: list[Request] = []
        """Those that have ended."""
        self._service = service
        self._traffic = traffic
        self._clock = clock

    async def run(self, until: asyncio.Event) -> None:
        """Asks until then, and returns when the last request has ended."""
        async with asyncio.TaskGroup() as asking:
            while not until.is_set():
                asking.create_task(self._ask())
                await asyncio.sleep(1 / self._traffic.per_second)

    async def _ask(self) -> None:
        answer = _Answer(self._clock())
        end, error = End.ANSWERED, ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._take(answer)
        except TimeoutError:
            end = End.SILENT
        except (OSError, EOFError, ValueError, HttpError) as failure:
            end, error = End.FAILED, str(failure)
        self.requests.append(
            Request(
                answer.began, answer.first_token, self._clock(), end, error, answer.load_seconds
            )
        )

    async def _take(self, answer: "_Answer") -> None:
        """Takes an answer to its end; `HttpError` where it has none."""
        service = self._service
        question = {
            "model": service.model,
            "prompt": "Why?",
            "options": self._traffic.options,
        }
        async with aclosing(lines(service.host, service.port, "/api/generate", question)) as said:
            async for line in said:
                if answer.first_token is None:
                    answer.first_token = self._clock()
                if line.get("done"):
                    answer.load_seconds = line.get("load_duration", 0) / 1e9
                    return
        raise HttpError("the answer was cut off")


@dataclass
class _Answer:
    """What has come of it so far."""

    began: float
    first_token: float | None = None
    load_seconds: float = 0.0


async def until_open(service: Service, seconds: float) -> None:
    """Returns once the address takes connections, which is how clients find it ready."""
    try:
        async with asyncio.timeout(seconds):
            await _connected(service)
    except TimeoutError as error:
        address = f"{service.host}:{service.port}"
        raise DemoError(f"{address} takes no connections after {seconds:g} s") from error


async def _connected(service: Service) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(service.host, service.port)
        except OSError:
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            writer.transport.abort()
            return
