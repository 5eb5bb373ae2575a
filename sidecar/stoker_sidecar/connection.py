"""One HTTP/1.1 connection of a client that may be anybody: bounded in size and in time."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from http import HTTPStatus

import h11

_READ_BYTES = 4096


@dataclass(frozen=True)
class Limits:
    """What clients may take; seconds where it is a time."""

    head_bytes: int = 8 * 1024
    head: float = 5.0
    """From the first byte of a request to the end of its head."""
    idle: float = 30.0
    """Between two requests."""
    write: float = 5.0
    """For an answer to be taken."""
    connections: int = 64
    drains: int = 16
    drains_of_one_address: int = 2
    """The kubelet has an address of its own: others can use up their share, and not the
    kubelet's."""
    followers: int = 16
    """Those who are told of each change of the heat."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    has_body: bool


@dataclass(frozen=True)
class Answer:
    status: HTTPStatus
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Connection:
    """A client's connection, from its first request to its last."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._patience = limits.head
        self._sends_body = True
        # So that an answer has left when `send` returns, and nothing is kept for who does not read.
        writer.transport.set_write_buffer_limits(high=0)

    @property
    def address(self) -> str:
        """Where the client is."""
        peer = self._writer.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    async def request(self) -> Request | None:
        """The next request; None where there is none any more."""
        try:
            event = await self._next()
            if not isinstance(event, h11.Request):
                return None
            self._sends_body = event.method != b"HEAD"
            has_body = not isinstance(self._http.next_event(), h11.EndOfMessage)
        except TimeoutError:
            return None
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            await self.send(Answer(status, f"{status.phrase}\n".encode()), last=True)
            return None
        # Not a URL, but what stands where the path of one does: nothing here is decoded.
        path = event.target.decode("ascii", "replace").partition("?")[0]
        return Request(event.method.decode("ascii"), path, has_body)

    async def send(self, answer: Answer, *, last: bool = False) -> bool:
        """Whether another request may follow. `last`: none may."""
        headers = [
            ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())),
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *answer.headers,
            *([("Connection", "close")] if last else []),
        ]
        parts: list[h11.Event] = [
            h11.Response(status_code=answer.status, reason=answer.status.phrase, headers=headers),
            h11.EndOfMessage(),
        ]
        if self._sends_body:
            parts.insert(1, h11.Data(data=answer.body))
        for part in parts:
            self._writer.write(self._http.send(part) or b"")
        async with asyncio.timeout(self._limits.write):
            await self._writer.drain()
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self._patience = self._limits.idle
        return True

    async def begin(self, kind: str) -> None:
        """Begins an answer without a known end; `push` goes on with it."""
        headers = [
            ("Content-Type", kind),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        await self._send(h11.Response(status_code=200, reason="OK", headers=headers))

    async def push(self, data: bytes) -> None:
        """The next part of the answer that was begun."""
        await self._send(h11.Data(data=data))

    async def _send(self, part: h11.Response | h11.Data) -> None:
        self._writer.write(self._http.send(part) or b"")
        async with asyncio.timeout(self._limits.write):
            await self._writer.drain()

    async def hung_up(self) -> None:
        """Returns when the client is gone, or no longer waits for its answer."""
        with contextlib.suppress(OSError):
            await self._reader.read(1)

    async def _next(self) -> object:
        """What comes next from the client."""
        if (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self._patience):
                await self._receive()
            async with asyncio.timeout(self._limits.head):
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    await self._receive()
        return event

    async def _receive(self) -> None:
        self._http.receive_data(await self._reader.read(_READ_BYTES))
