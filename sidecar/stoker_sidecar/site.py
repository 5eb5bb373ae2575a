"""A server that is asked again and again, over connections that are kept.

Ollama is asked twice a second for as long as a pod lives, so an exchange has to be cheap: h11 on
asyncio's streams takes a third of the processor time that httpx takes for the same, at that pace.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import h11

from stoker_sidecar.exchange import Connection, LateError, Reply, UnreachableError, unreachable

_CONNECT_SECONDS = 5.0
_IDLE_CONNECTIONS = 2

Document: TypeAlias = Mapping[str, Any]
Headers: TypeAlias = Sequence[tuple[str, str]]


class Manner(NamedTuple):
    """How a document is sent."""

    method: str
    kind: str


POST = Manner("POST", "application/json")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    kind: str
    """The content type, without its parameters."""
    retry_after: str
    """In the server's own words; empty where it says nothing."""
    body: bytes


class Site:
    """A server. Connections are kept and used again, the last one first."""

    def __init__(
        self,
        url: str,
        *,
        connections: int | None = None,
        headers: Headers = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """The server at `url`, of which it may take so many `connections`, one after the other.

        With one connection all requests go to the same pod behind a Service. `headers` go with each
        request. `tls` says whom to trust; without it, the authorities that this machine trusts.
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
        self._is_secure = parts.scheme == "https"
        self._tls = tls
        self._port = port or (443 if self._is_secure else 80)
        self._headers = [
            ("Host", parts.netloc.rpartition("@")[2]),
            ("User-Agent", "stoker-sidecar"),
            *headers,
        ]
        self._left = connections
        self._idle: list[Connection] = []
        try:
            self._request("/", None, POST)
        except (h11.LocalProtocolError, ValueError) as error:
            raise _no_address(url) from error

    async def ask(
        self,
        path: str,
        document: Document | None = None,
        *,
        seconds: float | None,
        manner: Manner = POST,
    ) -> Answer:
        """The answer to a GET, or to a `document` that is sent in this `manner`."""
        async with self.exchange(path, document, seconds=seconds, manner=manner) as reply:
            return Answer(reply.status, reply.kind, reply.retry_after, await reply.body())

    @asynccontextmanager
    async def exchange(
        self,
        path: str,
        document: Document | None = None,
        *,
        seconds: float | None,
        manner: Manner = POST,
    ) -> AsyncIterator[Reply]:
        """The answer as it comes. All of it has to come within `seconds`, if any are given.

        Leaving the block before its end hangs up, and Ollama then gives up what it was asked for.
        """
        try:
            async with asyncio.timeout(seconds) as deadline:
                connection = self._idle_connection() or await self._connect()
                try:
                    yield await connection.send(*self._request(path, document, manner))
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

    def _request(
        self, path: str, document: Document | None, manner: Manner
    ) -> tuple[h11.Request, bytes]:
        method, headers, body = "GET", self._headers, b""
        if document is not None:
            method, kind = manner
            body = json.dumps(document).encode()
            headers = [*headers, ("Content-Type", kind), ("Content-Length", str(len(body)))]
        return h11.Request(method=method, target=self._path + path, headers=headers), body

    def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    def _put_back(self, connection: Connection) -> None:
        if connection.recycle() and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.abort()

    async def _connect(self) -> Connection:
        if self._left == 0:
            raise UnreachableError(f"{self.url} has closed the connection")
        if self._left is not None:
            self._left -= 1
        context = (self._tls or ssl.create_default_context()) if self._is_secure else None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                streams = await asyncio.open_connection(self._host, self._port, ssl=context)
        except TimeoutError as error:
            raise LateError(
                f"{self.url} has not taken a connection within {_CONNECT_SECONDS:g} s"
            ) from error
        except (OSError, UnicodeError) as error:
            raise unreachable(self.url, error) from error
        return Connection(self.url, *streams)


def _no_address(url: str) -> UnreachableError:
    return UnreachableError(f"`{url:.200}` is no address: write it like http://name:11434")
