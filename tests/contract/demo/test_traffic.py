"""The demo's clients and its balancer, against servers that answer in every way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from stoker_demo.balancer import Balancer
from stoker_demo.clients import Clients, Service, Traffic, until_open
from stoker_demo.errors import DemoError
from stoker_demo.record import End, Request
from stoker_operator.local.listener import free_port

HOST = "127.0.0.1"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WORD = b'{"response": "coal", "done": false}\n'
END = b'{"response": "", "done": true, "load_duration": 250000000}\n'

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(*pieces: bytes) -> Serve:
    """A server that says this to everybody, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(pieces)
        await writer.drain()
        writer.close()

    return serve


def chunked(line: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(line), line)


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    listening = await asyncio.start_server(serve, HOST, 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def asked(port: int, count: int = 1) -> list[Request]:
    """What became of so many requests."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    clients = Clients(Service(HOST, port, "tiny:latest"), Traffic(100, 2), loop.time)
    asking = asyncio.create_task(clients.run(over))
    async with asyncio.timeout(10):
        while len(clients.requests) < count:  # noqa: ASYNC110 - of them there is no event
            await asyncio.sleep(0.01)
        over.set()
        await asking
    return clients.requests[:count]


def one(serve: Serve) -> Request:
    async def run() -> Request:
        async with server(serve) as port:
            (request,) = await asked(port)
            return request

    return asyncio.run(run())


def test_an_answer_is_whole_when_ollama_says_so() -> None:
    request = one(saying(HEAD, chunked(WORD), chunked(END), b"0\r\n\r\n"))
    assert request.end is End.ANSWERED
    assert request.load_seconds == 0.25
    assert request.first_token is not None
    assert request.began <= request.first_token <= request.ended


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ((HEAD, chunked(WORD)), "the answer was cut off"),
        (
            (b'HTTP/1.1 500 Oops\r\n\r\n{"error": "runner has stopped"}\n',),
            "status 500: runner has stopped",
        ),
        ((HEAD, chunked(b'{"error": "it broke"}\n')), "status 200: it broke"),
        ((b"HTTP/1.1 503 Busy\r\n\r\nnobody is at home\n",), "status 503"),
        ((), "the connection was closed without an answer"),
    ],
)
def test_what_is_no_whole_answer_has_failed_and_says_how(
    said: tuple[bytes, ...], error: str
) -> None:
    request = one(saying(*said))
    assert (request.end, request.error) == (End.FAILED, error)


def test_a_refused_connection_has_failed() -> None:
    (request,) = asyncio.run(asked(free_port(HOST)))
    assert request.end is End.FAILED
    assert "Connect call failed" in request.error


def test_an_address_that_never_opens_is_waited_for_no_longer_than_told() -> None:
    with pytest.raises(DemoError, match=r"takes no connections after 0\.1 s"):
        asyncio.run(until_open(Service(HOST, free_port(HOST), "tiny"), 0.1))


def test_the_balancer_takes_turns_and_passes_over_ports_that_are_shut() -> None:
    seen: list[str] = []

    def named(name: str) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(name)
            await saying(HEAD, chunked(END))(reader, writer)

        return serve

    async def run() -> list[Request]:
        port = free_port(HOST)
        async with server(named("a")) as first, server(named("b")) as second:
            balancer = Balancer([first, free_port(HOST), second])
            serving = asyncio.create_task(balancer.serve(port))
            await until_open(Service(HOST, port, "tiny"), 5)
            seen.clear()
            found = await asked(port, 6)
            serving.cancel()
            await asyncio.wait([serving])
            return found

    found = asyncio.run(run())
    assert {request.end for request in found} == {End.ANSWERED}
    assert {"a", "b"} == set(seen)
