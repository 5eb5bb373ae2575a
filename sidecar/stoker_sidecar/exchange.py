"""HTTP with one server, in exchanges that it can make neither big nor endless.

Ollama is asked twice a second for as long as a pod lives, so an exchange has to be cheap: h11 on
asyncio's streams takes a third of the processor time that httpx takes for the same, at that pace.

An answer is from the server that was asked, or there is none: no redirect is followed, no proxy is
looked for, and nothing is unpacked.
"""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import h11

from stoker_sidecar.errors import SidecarError

_CONNECT_SECONDS = 5.0
_READ_BYTES = 64 * 1024
_IDLE_CONNECTIONS = 2
_PRELUDES = 8
"""How many provisional answers (100, 103) may come before the real one."""

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024

Document: TypeAlias = Mapping[str, Any]


class ExchangeError(SidecarError):
    """A request without a good answer."""


class UnreachableError(ExchangeError):
    """No connection, or one that was cut."""


class UnresolvedError(UnreachableError):
    """Nobody knows the server's name."""


class UntrustedError(UnreachableError):
    """No TLS, or none that can be trusted."""


class LateError(ExchangeError):
    """No complete answer in time."""


class NonsenseError(ExchangeError):
    """An answer that cannot be made sense of: not HTTP, too long, not what was asked for."""


class RefusedError(ExchangeError):
    """An answer that says no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    kind: str
    """The content type, without its parameters."""
    body: bytes


class Site:
    """A server. Connections are kept and used again, the last one first."""

    def __init__(self, url: str, *, connections: int | None = None) -> None:
        """The server at `url`, of which it may take so many `connections`, one after the other.

        With one connection all requests go to the same pod behind a Service.
        """
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise _no_address(url) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _no_address(url)
        self._host = parts.hostname
        self._path = parts.path
        self._tls = parts.scheme == "https"
        self._port = port or (443 if self._tls else 80)
        self._headers = [
            ("Host", parts.netloc.rpartition("@")[2]),
            ("User-Agent", "stoker-sidecar"),
        ]
        self._left = connections
        self._idle: list[_Connection] = []
        try:
            self._request("/", None)
        except (h11.LocalProtocolError, ValueError) as error:
            raise _no_address(url) from error

    async def ask(
        self, path: str, document: Document | None = None, *, seconds: float | None
    ) -> Answer:
        """The answer to a GET, or to a POST of `document`."""
        async with self.exchange(path, document, seconds=seconds) as reply:
            return Answer(reply.status, reply.kind, await reply.body())

    @asynccontextmanager
    async def exchange(
        self, path: str, document: Document | None = None, *, seconds: float | None
    ) -> AsyncIterator["Reply"]:
        """The answer as it comes. All of it has to come within `seconds`, if any are given.

        Leaving the block before its end hangs up, and Ollama then gives up what it was asked for.
        """
        try:
            async with asyncio.timeout(seconds) as deadline:
                connection = self._idle_connection() or await self._connect()
                try:
                    yield await connection.send(*self._request(path, document))
                finally:
                    self._put_back(connection)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise LateError(f"{self.url}{path} has not answered within {seconds:g} s") from error

    def close(self) -> None:
        """Closes the connections that are kept."""
        while self._idle:
            self._idle.pop().abort()

    def _request(self, path: str, document: Document | None) -> tuple[h11.Request, bytes]:
        headers, body = self._headers, b""
        if document is not None:
            body = json.dumps(document).encode()
            more = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            headers = headers + more
        method = "GET" if document is None else "POST"
        return h11.Request(method=method, target=self._path + path, headers=headers), body

    def _idle_connection(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    def _put_back(self, connection: "_Connection") -> None:
        if connection.recycle() and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.abort()

    async def _connect(self) -> "_Connection":
        if self._left == 0:
            raise UnreachableError(f"{self.url} has closed the connection")
        if self._left is not None:
            self._left -= 1
        context = ssl.create_default_context() if self._tls else None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                streams = await asyncio.open_connection(self._host, self._port, ssl=context)
        except TimeoutError as error:
            raise LateError(
                f"{self.url} has not taken a connection within {_CONNECT_SECONDS:g} s"
            ) from error
        except (OSError, UnicodeError) as error:
            raise _unreachable(self.url, error) from error
        return _Connection(self.url, *streams)


class Reply:
    """An answer whose head is there, and whose body is still to come."""

    def __init__(self, connection: "_Connection", head: h11.Response) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._searched = 0
        self.status = head.status_code
        kinds = [value for name, value in head.headers if name == b"content-type"]
        self.kind = kinds[0].decode("latin-1").partition(";")[0].strip().lower() if kinds else ""

    async def body(self) -> bytes:
        """The rest of it."""
        while data := await self._connection.data():
            self._buffer += data
            await asyncio.sleep(0)  # a flood of small pieces must not hold up all else
            if len(self._buffer) > MAX_BODY_BYTES:
                raise self._connection.nonsense(f"more than {MAX_BODY_BYTES:,} bytes")
        return bytes(self._buffer)

    async def line(self) -> bytes | None:
        """The next line, without its end; None when there is no more."""
        await asyncio.sleep(0)  # a flood of lines must not hold up all else
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            # Looked at once only: a line may come byte by byte.
            self._searched = len(self._buffer)
            if self._searched > MAX_LINE_BYTES:
                raise self._connection.nonsense(f"a line of more than {MAX_LINE_BYTES:,} bytes")
            if not (data := await self._connection.data()):
                return self._cut(self._searched) or None
            self._buffer += data
        return self._cut(end + 1)[:-1]

    def _cut(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._searched = 0
        return taken


class _Connection:
    """A connection, on which requests follow one another."""

    def __init__(
        self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)

    @property
    def is_open(self) -> bool:
        """Whether nothing tells that the server has closed it."""
        ended = self._reader.at_eof() or self._reader.exception() or self._writer.is_closing()
        return not ended

    async def send(self, request: h11.Request, body: bytes) -> Reply:
        """Sends a request; the answer when its head has come."""
        data = [h11.Data(data=body)] if body else []
        parts = [self._protocol.send(part) for part in (request, *data, h11.EndOfMessage())]
        try:
            self._writer.write(b"".join(part for part in parts if part))
            await self._writer.drain()
        except OSError as error:
            raise _unreachable(self._url, error) from error
        for _ in range(_PRELUDES):
            head = await self._event()
            if isinstance(head, h11.Response):
                return Reply(self, head)
        raise self.nonsense("something else than an answer")

    async def data(self) -> bytes:
        """The next piece of the body; nothing at its end."""
        if self._protocol.their_state is not h11.SEND_BODY:
            return b""
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def _event(self) -> Any:
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        except OSError as error:
            raise _unreachable(self._url, error) from error
        except h11.RemoteProtocolError as error:
            if self._reader.at_eof():
                raise UnreachableError(f"{self._url} has closed the connection") from error
            raise self.nonsense(f"no HTTP ({error})") from error
        return event

    def nonsense(self, what: str) -> NonsenseError:
        return NonsenseError(f"{self._url} answers {what}")

    def recycle(self) -> bool:
        """Makes it ready for the next request; False where this one was not carried through."""
        if self._protocol.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            return False
        surplus, _ = self._protocol.trailing_data
        self._protocol.start_next_cycle()
        return not surplus

    def abort(self) -> None:
        """Closes it, whatever is under way."""
        self._writer.transport.abort()


def _no_address(url: str) -> UnreachableError:
    return UnreachableError(f"`{url:.200}` is no address: write it like http://name:11434")


def _unreachable(url: str, error: OSError | UnicodeError) -> UnreachableError:
    if isinstance(error, socket.gaierror | UnicodeError):
        return UnresolvedError(f"{url}: nobody knows this name ({error!s:.200})")
    if isinstance(error, ssl.SSLError):
        return UntrustedError(f"{url}: no trusted TLS connection ({error!s:.200})")
    words = os.strerror(error.errno).lower() if error.errno else f"{error!s:.200}"
    return UnreachableError(f"{url}: {words}")
