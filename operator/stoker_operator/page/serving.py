"""The answers of the page, over HTTP. It is read and no more: nothing here changes anything.

It is meant for one machine's own browser: by default it listens on the loopback address, and the
way there is `kubectl port-forward`, by the API server and with its rights.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from importlib.resources import files
from itertools import islice

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stoker_operator.page.audience import Follower, TooManyError
from stoker_operator.page.board import Board
from stoker_operator.page.views import Json, identity
from stoker_operator.world import Key

Absence = Callable[[], str | None]
"""Why this replica has nothing to show, in a sentence; None where it has."""

_ASSETS = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
AT_ONCE = 50
"""Lines that are made before others have their turn: all of a thousand would hold up every pass."""
_BREATH_SECONDS = 0.02
"""After so many lines: for the passes here, and for a browser that has to lay them out."""
_PAUSE_SECONDS = 0.25
"""So much of what happens together is told together."""
_PING_SECONDS = 10.0
_STALLED_SECONDS = 30.0
"""A browser that takes nothing for so long has gone to sleep; it comes back by itself."""
_RETRY_MILLISECONDS = 3000
_LOCAL = ("localhost", "127.0.0.1", "::1")


def application(board: Board, absence: Absence, host: str) -> web.Application:
    """What answers at this address."""
    page = _Page(board, absence)
    application = web.Application(middlewares=[_guarded(host)])
    for path, (name, kind) in _ASSETS.items():
        application.router.add_get(f"/{path}", _asset(name, kind))
    application.router.add_get("/events", page.events, allow_head=False)
    application.router.add_get("/llmdeployments/{namespace}/{name}", page.whole)
    application.on_response_prepare.append(_add_headers)
    return application


class _Page:
    def __init__(self, board: Board, absence: Absence) -> None:
        self._board = board
        self._absence = absence

    async def whole(self, request: web.Request) -> web.Response:
        """All of one LLMDeployment."""
        key = (request.match_info["namespace"], request.match_info["name"])
        found = await self._board.whole(key)
        if found is None:
            sentence = self._absence() or f"there is no LLMDeployment {identity(key)}"
            return web.json_response({"error": sentence}, status=404)
        return web.json_response(found | {"now": self._board.clock()})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """All lines, and then each again that has changed, for as long as somebody listens."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"retry: {_RETRY_MILLISECONDS}\n\n".encode())
        try:
            with self._board.audience.joined() as follower:
                async for message in self._messages(follower):
                    async with asyncio.timeout(_STALLED_SECONDS):
                        await response.write(_event(message | {"now": self._board.clock()}))
        except TooManyError as error:
            await response.write(_event({"absence": str(error)}))
        except (ConnectionError, TimeoutError):
            pass  # nobody listens any more
        return response

    async def _messages(self, follower: Follower) -> AsyncIterator[Json]:
        if absence := self._absence():
            yield {"absence": absence}
            return
        keys = self._board.world.keys()
        async for message in self._lines(keys):
            yield message
        yield {"all": [identity(key) for key in keys]}
        while True:
            news = await follower.news(_PING_SECONDS)
            async for message in self._lines(news):
                yield message
            if not news:
                yield {}
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _lines(self, keys: Collection[Key]) -> AsyncIterator[Json]:
        left = iter(keys)
        while some := tuple(islice(left, AT_ONCE)):
            lines = {identity(key): self._board.line(key) for key in some}
            yield {
                "lines": [line for line in lines.values() if line],
                "gone": [name for name, line in lines.items() if not line],
            }
            await asyncio.sleep(_BREATH_SECONDS)


def _event(message: Json) -> bytes:
    return f"data: {json.dumps(message, separators=(',', ':'))}\n\n".encode()


def _asset(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = (files("stoker_operator.page") / "assets" / name).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return answer


def _guarded(host: str) -> Middleware:
    """Answers none but who asks for this machine by its own name.

    A page of somebody else's can have its name lead here (DNS rebinding), but cannot change it.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host in _LOCAL and request.url.host not in _LOCAL:
            raise web.HTTPForbidden(text="ask for this page as http://localhost\n")
        return await handler(request)

    return guard


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
