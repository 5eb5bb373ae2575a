"""What the sidecar answers: probes, `/drain`, heat, status, metrics, and a page for a person.

Only GET and HEAD: there is nothing to change here. Whoever can reach a pod can send it anything, so
size, time and number are bounded, and a connection that only waits makes room for a new one: a
stranger who holds connections open must not keep the kubelet's probes out.
"""

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import h11

from stoker_api import wire
from stoker_sidecar.connection import Answer, Connection, Limits, Request
from stoker_sidecar.errors import SidecarError, UsageError
from stoker_sidecar.page import CONTENT_SECURITY_POLICY, Transition, page

_log = logging.getLogger(__name__)

_LIMITS = Limits()
_HIGHEST_PORT = 65535
_EVENTS = "text/event-stream"


class ListenError(SidecarError):
    """An address that cannot be listened on."""


class Pages(Protocol):
    """What there is to say. The keeper says it."""

    @property
    def model(self) -> str:
        """The name that was asked for."""

    def ready(self) -> tuple[bool, str]:
        """Whether the pod may take traffic, and why."""

    def alive(self) -> tuple[bool, str]:
        """Whether the sidecar itself works, and why."""

    def status(self) -> wire.Status: ...

    def transitions(self) -> Sequence[Transition]:
        """The last changes of state, the newest first."""

    def metrics(self) -> bytes: ...

    def heat(self) -> AsyncIterator[wire.HeatEvent | None]:
        """The gate now, and at each change of it; None says that somebody is here still."""

    def drain(self) -> Coroutine[Any, Any, str]:
        """Ends when the pod may be stopped, with a word why. Cancelled if the caller hangs up."""


def endpoint(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; no host stands for every address, IPv4 and IPv6."""
    host, colon, port = listen.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    # Without brackets nobody can tell where an IPv6 address ends.
    good = colon and (bracketed or ":" not in host) and port.isascii() and port.isdigit()
    if not good or int(port) > _HIGHEST_PORT:
        raise UsageError(
            f"{listen!r:.80} is no address to listen on: write HOST:PORT, as in"
            f" 127.0.0.1:{wire.SIDECAR_PORT} or [::1]:{wire.SIDECAR_PORT}, or"
            f" :{wire.SIDECAR_PORT} for every address"
        )
    return host.strip("[]") if bracketed else host, int(port)


class Server:
    """Answers on one address."""

    def __init__(self, pages: Pages, limits: Limits = _LIMITS) -> None:
        self._pages = pages
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.StreamWriter, None] = {}
        """Those without a whole request, the one that has waited longest first."""
        self._drains: Counter[str] = Counter()
        self._followers = 0
        self._answers: dict[str, Callable[[], Answer]] = {
            wire.READY_PATH: lambda: _verdict(*pages.ready()),
            wire.LIVE_PATH: lambda: _verdict(*pages.alive()),
            wire.STATUS_PATH: lambda: _document(pages.status()),
            wire.METRICS_PATH: lambda: _metrics(pages.metrics()),
            wire.HEAT_PATH: lambda: Answer(HTTPStatus.OK, b"", _EVENTS),  # to HEAD; GET is told
            "/": self._page,
        }

    async def start(self, listen: str) -> int:
        """Listens; the port that it is, where 0 lets the kernel choose."""
        host, port = endpoint(listen)
        where: dict[str, Any] = (
            {"host": host, "port": port} if host else {"sock": _every_address(listen, port)}
        )
        try:
            self._server = await asyncio.start_server(
                self._accept, limit=self._limits.head_bytes, **where
            )
        except OSError as error:
            raise _listen_error(listen, error) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Takes no more connections, and cuts those that there are."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # --- connections ----------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if len(self._tasks) > self._limits.connections:
            # The one that has waited longest for its request goes. Where nobody waits, all are
            # being answered, and it is the new one itself once it waits.
            oldest = next(iter(self._waiting), writer)
            self._waiting.pop(oldest, None)
            oldest.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._limits)
        try:
            while request := await self._next(connection, writer):
                answer = await self._answer(request, connection)
                # Behind a body that nobody reads, no request can be found.
                if not answer or not await connection.send(answer, last=request.has_body):
                    break
            writer.close()
        except (OSError, TimeoutError, h11.ProtocolError):
            pass  # it is gone, or does not read: nobody is left to tell
        finally:
            if not writer.is_closing():
                writer.transport.abort()

    async def _next(self, connection: Connection, writer: asyncio.StreamWriter) -> Request | None:
        self._waiting[writer] = None
        try:
            return await connection.request()
        finally:
            self._waiting.pop(writer, None)

    # --- answers --------------------------------------------------------------------------------

    async def _answer(self, request: Request, connection: Connection) -> Answer | None:
        """The answer; None where the caller has not waited for it."""
        if request.method not in ("GET", "HEAD"):
            return _refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "there is nothing to change here: GET and HEAD only",
                ("Allow", "GET, HEAD"),
            )
        if request.has_body:
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "send no body")
        try:
            if request.path == wire.DRAIN_PATH:
                return await self._drain(connection)
            if request.path == wire.HEAT_PATH and request.method == "GET":
                return await self._heat(connection)
            if answer := self._answers.get(request.path):
                return answer()
        except (OSError, TimeoutError):
            raise  # whoever is told of the heat is gone, or does not read
        except Exception:  # noqa: BLE001 - the border: the log learns of it, who asks does not
            _log.exception("request failed", extra={"path": request.path})
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the sidecar failed: see its log")
        paths = " ".join(sorted({*self._answers, wire.DRAIN_PATH}))
        return _refusal(HTTPStatus.NOT_FOUND, f"there is nothing here; there is: {paths}")

    async def _drain(self, connection: Connection) -> Answer | None:
        """Holds the caller until the pod may be stopped; None where the caller has gone."""
        drains, address = self._drains, connection.address
        too_many = drains.total() >= self._limits.drains
        if too_many or drains[address] >= self._limits.drains_of_one_address:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many wait for the drain already")
        drains[address] += 1
        drain = asyncio.create_task(self._pages.drain())
        gone = asyncio.create_task(connection.hung_up())
        try:
            await asyncio.wait({drain, gone}, return_when=asyncio.FIRST_COMPLETED)
            return Answer(HTTPStatus.OK, _line(drain.result())) if drain.done() else None
        finally:
            drain.cancel()
            gone.cancel()
            # One reader at a time: the next request is not read before this one has ended.
            await asyncio.wait({drain, gone})
            drains[address] -= 1
            drains += Counter()  # forgets addresses that are at 0

    async def _heat(self, connection: Connection) -> Answer | None:
        """Tells of the heat until the caller goes, or the sidecar does."""
        if self._followers >= self._limits.followers:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many follow the heat already")
        self._followers += 1
        telling = asyncio.create_task(_tell(connection, self._pages.heat()))
        gone = asyncio.create_task(connection.hung_up())
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
            return telling.result() if telling.done() else None
        finally:
            telling.cancel()
            gone.cancel()
            await asyncio.wait({telling, gone})
            self._followers -= 1

    def _page(self) -> Answer:
        pages = self._pages
        return Answer(
            HTTPStatus.OK,
            page(pages.model, pages.status(), pages.transitions()),
            "text/html; charset=utf-8",
            (
                ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
                ("Referrer-Policy", "no-referrer"),
            ),
        )


async def _tell(connection: Connection, events: AsyncIterator[wire.HeatEvent | None]) -> None:
    """Server-sent events: one for each change, and a comment in times of silence."""
    await connection.begin(_EVENTS)
    async for event in events:
        await connection.push(f"data: {event.to_line()}\n\n".encode() if event else b":\n\n")


def _verdict(good: bool, why: str) -> Answer:  # noqa: FBT001 - as the pages say it
    return Answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, _line(why))


def _document(status: wire.Status) -> Answer:
    return Answer(HTTPStatus.OK, status.to_json().encode(), "application/json")


def _metrics(text: bytes) -> Answer:
    return Answer(HTTPStatus.OK, text, "text/plain; version=0.0.4; charset=utf-8")


def _refusal(status: HTTPStatus, why: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, _line(why), headers=headers)


def _line(text: str) -> bytes:
    """One line, whatever the words of others have in them."""
    return (" ".join(text.split()) + "\n").encode("utf-8", "replace")


def _every_address(listen: str, port: int) -> socket.socket:
    """One socket for IPv4 and IPv6, or for IPv4 where that is all there is."""
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise _listen_error(listen, error) from error


def _listen_error(listen: str, error: OSError) -> ListenError:
    # asyncio's own words repeat the address.
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return ListenError(
        f"cannot listen on {listen} ({why}): choose another address with --listen, or"
        " end what uses it"
    )
