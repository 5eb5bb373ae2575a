"""How tests ask a server through the sidecar's client, and what a bad server says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from types import MappingProxyType
from typing import TypeVar, cast

from stoker_sidecar.heat.observation import Deed
from stoker_sidecar.ollama import Ollama, Question
from stoker_sidecar.site import Site

T = TypeVar("T")
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PATIENCE_SECONDS = 30.0
NO_OPTIONS: Mapping[str, int] = MappingProxyType({})


def ask(
    url: str,
    work: Callable[[Ollama], Awaitable[T]],
    model: str = "tiny",
    options: Mapping[str, int] = NO_OPTIONS,
) -> T:
    """What comes of `work` with a client of the server at `url`."""

    async def working() -> T:
        with closing(Site(url)) as site:
            return await work(Ollama(site, model, options))

    return asyncio.run(working())


def question(tokens: int = 1, seconds: float = PATIENCE_SECONDS) -> Question:
    return Question(Deed.CANARY, "hi", tokens, seconds)


@asynccontextmanager
async def answering(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server that does with each connection what `answer` does."""
    handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers[cast("asyncio.Task[None]", asyncio.current_task())] = writer
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        host, port = server.sockets[0].getsockname()
        try:
            yield f"{'https' if tls else 'http'}://{host}:{port}"
        finally:
            for writer in handlers.values():
                writer.transport.abort()
            await asyncio.gather(*handlers)
