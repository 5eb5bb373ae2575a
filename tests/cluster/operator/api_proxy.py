"""A way to the API server on which things go wrong when a test says so.

It ends TLS with the API server's own certificate, so that a client sees no difference but the port.
Clients that name themselves by a token can use it; client certificates end here.
"""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web

from bed import machine
from bed.layout import Bed

# Of the event loop, at the end: what has been cut is closed some turns later.
_TURNS = 50

BIGGEST_BODY = 16 * 1024**2

# What belongs to one connection, and not to what is said on it.
OF_THE_CONNECTION = ("connection", "content-length", "host", "keep-alive", "transfer-encoding")

REASONS = {
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    at: float
    """By `time.monotonic`."""

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") in ("1", "true")

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def is_of_a_pass(self) -> bool:
        """Whether it is work: neither leadership nor a look at what there is."""
        return not (self.is_watch or "/leases" in self.path)


Matches = Callable[[Request], bool]


class Moment(Enum):
    """When a request is held."""

    BEFORE = "before the API server has heard of it"
    AFTER = "when it is done, and its answer is on its way"


@dataclass
class Hold:
    """The n-th matching request from now on, which waits until it is released."""

    matches: Matches
    number: int
    moment: Moment
    loop: asyncio.AbstractEventLoop
    reached: threading.Event = field(default_factory=threading.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.released.set)

    def meets(self, request: Request) -> bool:
        """Whether this is the one; asked once for each request."""
        if not self.matches(request):
            return False
        self.number -= 1
        return self.number == 0


@dataclass
class Refusal:
    """An answer that is given instead of the API server's, so many times."""

    matches: Matches
    status: int
    times: int
    headers: Mapping[str, str]

    def meets(self, request: Request) -> bool:
        if self.times == 0 or not self.matches(request):
            return False
        self.times -= 1
        return True


class ApiProxy:
    """The way, open until a test says otherwise; use `running()` to get one."""

    def __init__(self, url: str, upstream: ClientSession, target: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self._upstream = upstream
        self._target = target
        self._refusals: list[Refusal] = []
        self._hold: Hold | None = None
        self._down = False
        self._watches: set[asyncio.Future[bytes | None]] = set()
        self._connections: set[asyncio.BaseTransport] = set()
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()

    # --- what a test says ---------------------------------------------------------------------

    def refuse(
        self,
        matches: Matches,
        status: int,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> Refusal:
        """Has the next requests of this kind answered with an error of the API server's."""
        refusal = Refusal(matches, status, times, headers or {})
        self._refusals.append(refusal)
        return refusal

    def hold(self, number: int, moment: Moment, matches: Matches | None = None) -> Hold:
        """Stops the n-th matching request from now on; by default of those that are of a pass."""
        matches = matches or (lambda request: request.is_of_a_pass)
        self._hold = Hold(matches, number, moment, self._loop)
        return self._hold

    @contextmanager
    def down(self) -> Iterator[None]:
        """Ends all connections, and every new one, while the block lasts."""
        self._down = True
        self.cut()
        try:
            yield
        finally:
            self._down = False

    def cut(self) -> None:
        """Ends all connections there are: who waits for an answer will not get it."""
        self._loop.call_soon_threadsafe(self._cut)

    def end_watches(self, event: Mapping[str, Any] | None = None) -> None:
        """Ends every watch there is, with this as its last event."""
        last = json.dumps(event).encode() + b"\n" if event else None
        self._loop.call_soon_threadsafe(self._end_watches, last)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)

    # --- what it does -------------------------------------------------------------------------

    async def until_closed(self) -> None:
        await self._closing.wait()
        self._end_watches(None)
        self._cut()  # a polite end would wait for the other side

    async def answer(self, received: web.Request) -> web.StreamResponse:
        """The API server's answer to a request, or what a test wants in its place."""
        request = Request(received.method, received.path, dict(received.query), time.monotonic())
        self.requests.append(request)
        assert received.transport
        self._connections.add(received.transport)
        if self._down:
            received.transport.abort()
            return web.Response()
        for refusal in self._refusals:
            if refusal.meets(request):
                return _error(refusal.status, refusal.headers)
        held = self._hold if self._hold and self._hold.meets(request) else None
        if held and held.moment is Moment.BEFORE:
            await self._keep(held)
        if request.is_watch:
            return await self._stream(received)
        response = await self._pass_on(received)
        if held and held.moment is Moment.AFTER:
            await self._keep(held)
        return response

    async def _keep(self, held: Hold) -> None:
        """Lets a request wait; for ever, if nobody releases it."""
        held.reached.set()
        await held.released.wait()

    async def _pass_on(self, received: web.Request) -> web.Response:
        async with self._ask(received, await received.read()) as there:
            body = await there.read()
            return web.Response(status=there.status, headers=_kept(there.headers), body=body)

    async def _stream(self, received: web.Request) -> web.StreamResponse:
        end: asyncio.Future[bytes | None] = self._loop.create_future()
        self._watches.add(end)
        try:
            async with self._ask(received, b"") as there:
                answer = web.StreamResponse(status=there.status, headers=_kept(there.headers))
                await answer.prepare(received)
                copy = asyncio.ensure_future(_copy(there.content, answer))
                end.add_done_callback(lambda _: copy.cancel())
                await asyncio.wait([copy])
                if end.done() and (last := end.result()):
                    await answer.write(last)
                _abort(there)
                return answer
        finally:
            self._watches.discard(end)

    def _ask(self, received: web.Request, body: bytes) -> AbstractAsyncContextManager[Any]:
        url, headers = f"{self._target}{received.raw_path}", _kept(received.headers)
        return self._upstream.request(received.method, url, headers=headers, data=body or None)

    def _cut(self) -> None:
        for connection in self._connections:
            connection.abort()  # type: ignore[attr-defined]  # those of streams can
        self._connections.clear()

    def _end_watches(self, last: bytes | None) -> None:
        for end in self._watches:
            if not end.done():
                end.set_result(last)


@contextmanager
def running(bed: Bed) -> Iterator[ApiProxy]:
    """A proxy before the bed's API server, which every machine of the bed reaches."""
    opened: Future[ApiProxy] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(bed, opened)), name="API proxy", daemon=True
    )
    thread.start()
    proxy = opened.result(timeout=10)
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(timeout=10)


async def _serve(bed: Bed, opened: "Future[ApiProxy]") -> None:
    try:
        async with _open(bed) as proxy:
            opened.set_result(proxy)
            await proxy.until_closed()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    except Exception as error:
        if opened.done():
            raise
        opened.set_exception(error)


@asynccontextmanager
async def _open(bed: Bed) -> AsyncIterator[ApiProxy]:
    listener = machine.listen(bed.control_plane)
    host, port = listener.getsockname()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(bed.pki / "apiserver.crt", bed.pki / "apiserver.key")
    trusted = ssl.create_default_context(cafile=str(bed.pki / "ca.crt"))
    connector = TCPConnector(ssl=trusted, limit=0)
    async with ClientSession(
        connector=connector, timeout=ClientTimeout(), auto_decompress=False
    ) as upstream:
        proxy = ApiProxy(f"https://{host}:{port}", upstream, _way_in(bed))
        application = web.Application(client_max_size=BIGGEST_BODY)
        application.router.add_route("*", "/{path:.*}", proxy.answer)
        # What is held waits for nobody any more.
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=certificate).start()
        try:
            yield proxy
        finally:
            await runner.cleanup()


def _abort(response: ClientResponse) -> None:
    """Ends a connection on which a watch goes on; a polite end would outlast this proxy."""
    if response.connection and response.connection.transport:
        response.connection.transport.abort()


async def _copy(content: Any, answer: web.StreamResponse) -> None:
    with suppress(OSError, ClientError):  # either side has gone
        async for piece in content.iter_any():
            await answer.write(piece)


def _way_in(bed: Bed) -> str:
    """The API server's URL out here."""
    (cluster,) = json.loads(bed.kubeconfig.read_text())["clusters"]
    return str(cluster["cluster"]["server"])


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in OF_THE_CONNECTION}


def _error(status: int, headers: Mapping[str, str]) -> web.Response:
    return web.json_response(status_object(status), status=status, headers=headers)


def status_object(status: int) -> dict[str, Any]:
    """An error as the API server words it."""
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": status,
        "reason": REASONS[status],
        "message": f"the test wants a {status} here",
    }
