"""Just enough of an HTTP/1.1 server: requests in, answers and streams out, hang-ups noticed.

The headers and their order are those of Go's server, and so is what happens when a client leaves:
the work on its request is cancelled at once.
"""

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from tempfile import SpooledTemporaryFile

from stoker_simulator.body import Body
from stoker_simulator.errors import ApiError
from stoker_simulator.go_time import SECOND

# Only uploads of blobs are longer, and those are not read in one piece.
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]")

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By name in small letters."""
    content: SpooledTemporaryFile[bytes]

    @property
    def body(self) -> bytes:
        """All of the content; ApiError 413 where nobody could mean it to be that long."""
        self.content.seek(0)
        body = self.content.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
        return body


Handler = Callable[[Request, "Response"], Awaitable[None]]


class Response:
    """The way to answer: once with `send`, or with `begin`, `write` and `end`."""

    def __init__(self, connection: "_Connection", *, is_head: bool, closes: bool) -> None:
        self._connection = connection
        self._is_head = is_head
        self._closes = closes
        self.server = ""
        """What the header of that name says; Ollama has none."""
        self.has_begun = False

    def send(
        self,
        status: int,
        body: bytes = b"",
        kind: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        """The whole answer."""
        self.has_begun = True
        head = self._head(status, kind, headers, f"Content-Length: {len(body)}")
        self._connection.write(head if self._is_head else head + body)

    def begin(self, status: int, kind: str) -> None:
        """The head of an answer whose length is not known."""
        self.has_begun = True
        self._connection.write(self._head(status, kind, NO_HEADERS, "Transfer-Encoding: chunked"))

    async def write(self, piece: bytes) -> None:
        """A piece of it; waits while the client reads more slowly than we write."""
        self._connection.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await self._connection.drained()

    def end(self) -> None:
        self._connection.write(b"0\r\n\r\n")

    def _head(self, status: int, kind: str, headers: Mapping[str, str], length: str) -> bytes:
        lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if kind:
            lines.append(f"Content-Type: {kind}")
        if self.server:
            lines.append(f"Server: {self.server}")
        lines += [f"Date: {_date(self._connection.now() // SECOND)}", length]
        if self._closes:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode()


class Server:
    """Serves one address."""

    def __init__(self, handler: Handler, now: Callable[[], int]) -> None:
        self.handler = handler
        self.now = now
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; the port that it is, where 0 lets the kernel choose."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Takes no more connections, and cuts those that there are."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.now = server.now
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._body: Body | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._server.connections.discard(self)
        if self._task is not None:
            self._task.cancel()
        elif self._body is not None:
            self._body.content.close()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._task is None:
            self._read()

    # Answering

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        if self._writable is not None:
            await self._writable

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # Reading

    def _read(self) -> None:
        """Reads what has come in, and begins with the request once that is whole."""
        try:
            if self._body is None and not self._read_head():
                return
            assert self._body is not None
            received, self._received = self._received, b""
            self._body.feed(received)
        except ValueError:
            self._refuse(400)
        except OSError:
            # There is no place for the body on the disk.
            self._refuse(500)
        else:
            if self._body.is_whole:
                self._begin(self._body)

    def _read_head(self) -> bool:
        """Whether the head of the next request is there; ValueError if it is none."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > MAX_HEAD_BYTES:
                self._refuse(431)
            return False
        line, *fields = head.split(b"\r\n")
        matched = _LINE.fullmatch(line)
        if matched is None:
            raise ValueError(line)
        headers = _headers(fields)
        self._received = rest
        self._head = (matched[1].decode(), matched[2].decode(errors="replace"), headers)
        self._body = Body(headers)
        if headers.get("expect", "") == "100-continue" and not rest:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _begin(self, body: Body) -> None:
        assert self._head is not None
        request = Request(*self._head, content=body.content)
        self._received, self._body = body.rest, None
        self._task = asyncio.create_task(self._answer(request))

    def _refuse(self, status: int) -> None:
        text = f"{status} {_phrase(status)}".encode()
        Response(self, is_head=False, closes=True).send(status, text, "text/plain; charset=utf-8")
        self.close()

    async def _answer(self, request: Request) -> None:
        closes = request.headers.get("connection", "").lower() == "close"
        response = Response(self, is_head=request.method == "HEAD", closes=closes)
        with request.content:
            await self._server.handler(request, response)
        self._task = None
        if closes:
            self.close()
        elif self._received:
            self._read()


def _headers(fields: list[bytes]) -> dict[str, str]:
    pairs = (field.decode("latin-1").partition(":") for field in fields)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


@functools.cache
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "status code " + str(status)


@functools.lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
