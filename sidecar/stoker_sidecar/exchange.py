"""HTTP in exchanges that a server can make neither big nor endless.

An answer is from the server that was asked, or there is none: no redirect is followed, no proxy is
looked for, and nothing is unpacked.
"""

import asyncio
import os
import socket
import ssl
from typing import Any

import h11

from stoker_sidecar.errors import SidecarError

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024

_READ_BYTES = 64 * 1024
_PRELUDES = 8
"""How many provisional answers (100, 103) may come before the real one."""


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


class Reply:
    """An answer whose head is there, and whose body is still to come."""

    def __init__(self, connection: "Connection", head: h11.Response) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._searched = 0
        self.status = head.status_code
        headers = {name: value.decode("latin-1") for name, value in head.headers}
        self.kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        self.retry_after = headers.get(b"retry-after", "")

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


class Connection:
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
            raise unreachable(self._url, error) from error
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
            raise unreachable(self._url, error) from error
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


def unreachable(url: str, error: OSError | UnicodeError) -> UnreachableError:
    if isinstance(error, socket.gaierror | UnicodeError):
        return UnresolvedError(f"{url}: nobody knows this name ({error!s:.200})")
    if isinstance(error, ssl.SSLError):
        return UntrustedError(f"{url}: no trusted TLS connection ({error!s:.200})")
    words = os.strerror(error.errno).lower() if error.errno else f"{error!s:.200}"
    return UnreachableError(f"{url}: {words}")
