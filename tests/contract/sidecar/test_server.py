"""The sidecar's HTTP server, asked by clients good and bad over real sockets."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial

import httpx
import pytest

from stoker_api import wire
from stoker_sidecar.connection import Limits
from stoker_sidecar.page import CONTENT_SECURITY_POLICY, Transition
from stoker_sidecar.server import ListenError, Server
from support.statuses import HOT

PATHS = "/ /drain /heat /livez /metrics /readyz /status"


@dataclass
class Said:
    """What a keeper would say."""

    model: str = "phi3:mini"
    is_ready: bool = True
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    drains: int = 0
    hung_up: int = 0
    followers: int = 0
    events: asyncio.Queue[wire.HeatEvent | None] = field(default_factory=asyncio.Queue)

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "Proven:\r\n2 of 2"

    def alive(self) -> tuple[bool, str]:
        return True, "the last heartbeat was 0.1 s ago"

    def status(self) -> wire.Status:
        if self.model == "broken":
            raise KeyError("a secret of the inside")
        return HOT

    def transitions(self) -> Sequence[Transition]:
        return [Transition(HOT.since, HOT.state, HOT.reason, HOT.message)]

    def metrics(self) -> bytes:
        return b"stoker_hot 1\n"

    async def heat(self) -> AsyncIterator[wire.HeatEvent | None]:
        self.followers += 1
        try:
            while True:
                yield await self.events.get()
        finally:
            self.followers -= 1

    async def drain(self) -> str:
        self.drains += 1
        try:
            await self.drained.wait()
        except asyncio.CancelledError:
            self.hung_up += 1
            raise
        return "idle"


@dataclass
class World:
    said: Said
    port: int
    client: httpx.AsyncClient

    async def raw(self, sent: bytes, seconds: float = 5) -> bytes:
        """Everything that comes back until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            async with asyncio.timeout(seconds):
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def serving(limits: Limits | None = None, said: Said | None = None) -> AsyncIterator[World]:
    said = said or Said()
    server = Server(said, limits or Limits())
    port = await server.start("127.0.0.1:0")
    base = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=5) as client:
            yield World(said, port, client)
    finally:
        await server.stop()


def run(story: Callable[[World], Awaitable[None]], limits: Limits | None = None) -> None:
    async def told() -> None:
        async with serving(limits) as world:
            await story(world)

    asyncio.run(told())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the server's doing
            await asyncio.sleep(0.005)


def test_readiness_follows_the_gate_and_says_why_in_one_line() -> None:
    async def story(world: World) -> None:
        answer = await world.client.get("/readyz")
        assert (answer.status_code, answer.text) == (200, "Proven: 2 of 2\n")
        world.said.is_ready = False
        answer = await world.client.get("/readyz?verbose")
        assert (answer.status_code, answer.text) == (503, "Proven: 2 of 2\n")

    run(story)


def test_each_path_has_its_type_and_is_never_cached() -> None:
    kinds = {
        "/livez": "text/plain; charset=utf-8",
        "/status": "application/json",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
        "/": "text/html; charset=utf-8",
    }

    async def story(world: World) -> None:
        for path, kind in kinds.items():
            answer = await world.client.get(path)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None
        status = await world.client.get("/status")
        assert wire.Status.from_json(status.content) == HOT
        page = await world.client.get("/")
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY

    run(story)


def test_head_tells_what_get_would_without_the_body() -> None:
    async def story(world: World) -> None:
        full = await world.client.get("/status")
        head = await world.client.head("/status")
        assert head.headers["Content-Length"] == full.headers["Content-Length"]
        assert (head.status_code, head.content) == (200, b"")

    run(story)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_there_is_nothing_to_change(method: str) -> None:
    async def story(world: World) -> None:
        for path in ("/drain", "/readyz", "/nowhere"):
            answer = await world.client.request(method, path, content=b"x" * 100)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert (await world.client.get("/readyz")).status_code == 200

    run(story)


def test_what_is_not_there_is_told_with_what_is() -> None:
    async def story(world: World) -> None:
        for path in ("/nowhere", "/status/", "//", "/%2e%2e/etc/passwd", "/../status", "*"):
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            answer = (await world.raw(request.encode())).decode()
            assert answer.startswith("HTTP/1.1 404 Not Found\r\n")
            assert answer.endswith(f"\r\n\r\nthere is nothing here; there is: {PATHS}\n")

    run(story)


def test_several_requests_share_a_connection() -> None:
    async def story(world: World) -> None:
        request = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await world.raw(
            request * 3 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        assert answer.count(b"HTTP/1.1 200 OK") == 4

    run(story)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /readyz HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * 9000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: \xff\xfe\x00\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"405"),
    ],
    ids=[
        "nonsense",
        "no host",
        "a body",
        "a body in pieces",
        "a large header",
        "a large path without end",
        "TLS",
        "a control character",
        "HTTP/2",
    ],
)
def test_what_is_no_decent_request_is_refused_and_the_connection_closed(
    sent: bytes, status: bytes
) -> None:
    async def story(world: World) -> None:
        answer = await world.raw(sent)
        assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert b"connection: close" in answer.lower()
        assert (await world.client.get("/readyz")).status_code == 200

    run(story)


def test_who_sends_a_request_too_slowly_is_cut_off() -> None:
    async def story(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        started = asyncio.get_running_loop().time()
        answer = asyncio.create_task(reader.read())
        for byte in b"GET /readyz HTTP/1.1\r\nHost: " + b"x" * 1000:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert await answer == b""
        assert asyncio.get_running_loop().time() - started < 2
        writer.close()

    run(story, Limits(head=0.3))


def test_who_sends_nothing_is_cut_off_and_so_is_who_says_nothing_more() -> None:
    async def story(world: World) -> None:
        assert await world.raw(b"", seconds=2) == b""
        answer = await world.raw(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", seconds=2)
        assert answer.startswith(b"HTTP/1.1 200")

    run(story, Limits(head=0.2, idle=0.3))


def test_connections_that_only_wait_make_room_for_a_probe() -> None:
    async def story(world: World) -> None:
        idlers = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(30)]
        for _ in range(10):
            async with httpx.AsyncClient(trust_env=False, timeout=5) as kubelet:
                answer = await kubelet.get(f"http://127.0.0.1:{world.port}/readyz")
            assert answer.status_code == 200
        ends = [await asyncio.wait_for(reader.read(), 5) for reader, _ in idlers[:10]]
        assert ends == [b""] * 10, "those that had waited longest are gone"
        for _, writer in idlers:
            writer.close()

    run(story, Limits(connections=8))


def test_who_does_not_read_holds_nothing_for_long() -> None:
    async def story(world: World) -> None:
        with socket.create_connection(("127.0.0.1", world.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(0)
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(asks_for_ever(deaf), 5)
        assert (await world.client.get("/readyz")).status_code == 200

    async def asks_for_ever(deaf: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(deaf, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)

    run(story, Limits(write=0.3))


def test_a_drain_holds_its_caller_until_the_pod_may_stop() -> None:
    async def story(world: World) -> None:
        held = asyncio.create_task(world.client.get("/drain", timeout=5))
        await until(lambda: world.said.drains == 1)
        assert not held.done()
        assert (await world.client.get("/readyz")).status_code == 200
        world.said.drained.set()
        answer = await held
        assert (answer.status_code, answer.text) == (200, "idle\n")

    run(story)


def test_a_caller_who_hangs_up_ends_its_wait_for_the_drain() -> None:
    async def story(world: World) -> None:
        def reached(name: str, times: int) -> bool:
            return bool(getattr(world.said, name) == times)

        for times in range(1, 5):
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /drain HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(partial(reached, "drains", times))
            writer.close()
            await until(partial(reached, "hung_up", times))

    run(story)


def test_one_address_cannot_take_all_places_of_the_drain() -> None:
    async def story(world: World) -> None:
        held = [asyncio.create_task(world.client.get("/drain")) for _ in range(2)]
        await until(lambda: world.said.drains == 2)
        assert (await world.client.get("/drain")).status_code == 503
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=transport, timeout=5) as kubelet:
            third = asyncio.create_task(kubelet.get(f"http://127.0.0.1:{world.port}/drain"))
            await until(lambda: world.said.drains == 3)
            assert not third.done()
            world.said.drained.set()
            assert {(await each).status_code for each in (*held, third)} == {200}
        assert (await world.client.get("/drain")).status_code == 200, "the places are free again"

    run(story)


def test_an_error_of_the_sidecar_is_in_the_log_and_not_in_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(world: World) -> None:
        world.said.model = "broken"
        for path in ("/status", "/"):
            answer = await world.client.get(path)
            assert (answer.status_code, answer.text) == (500, "the sidecar failed: see its log\n")
        assert (await world.client.get("/readyz")).status_code == 200

    with caplog.at_level(logging.ERROR):
        run(story)
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [(":0", ("127.0.0.1", "[::1]")), ("[::1]:0", ("[::1]",)), ("127.0.0.1:0", ("127.0.0.1",))],
)
def test_it_listens_where_it_was_told_to(listen: str, hosts: tuple[str, ...]) -> None:
    async def story() -> None:
        server = Server(Said())
        port = await server.start(listen)
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            for host in ("127.0.0.1", "[::1]"):
                try:
                    answer = await client.get(f"http://{host}:{port}/readyz")
                except httpx.ConnectError:
                    assert host not in hosts
                else:
                    assert host in hosts
                    assert answer.status_code == 200
        await server.stop()

    asyncio.run(story())


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_an_address_that_is_taken_is_said_with_what_to_do(host: str) -> None:
    async def story() -> None:
        first, second = Server(Said()), Server(Said())
        port = await first.start(f"{host}:0")
        with pytest.raises(ListenError, match=f"cannot listen on {host}:{port} .*in use.*--listen"):
            await second.start(f"{host}:{port}")
        await first.stop()

    asyncio.run(story())


def test_it_stops_with_connections_open() -> None:
    async def story() -> None:
        async with serving() as world:
            held = asyncio.create_task(world.client.get("/drain"))
            idle = await asyncio.open_connection("127.0.0.1", world.port)
            await until(lambda: world.said.drains == 1)
            stopped = world
        with pytest.raises(httpx.HTTPError):
            await held
        assert await idle[0].read() == b""
        idle[1].close()
        assert stopped.said.hung_up == 1

    asyncio.run(story())


def heat_event(*, hot: bool) -> wire.HeatEvent:
    state = wire.HeatState.HOT if hot else wire.HeatState.COLD
    return wire.HeatEvent(hot, state, "Proven" if hot else "Crashed", "because\nof this")


def test_who_follows_the_heat_is_told_of_each_change_and_hears_a_comment_in_between() -> None:
    told = [heat_event(hot=True), None, heat_event(hot=False)]

    async def story(world: World) -> None:
        async with world.client.stream("GET", "/heat") as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            lines = answer.aiter_lines()
            for event in told:
                world.said.events.put_nowait(event)
                line = await anext(lines)
                assert await anext(lines) == ""
                if event is None:
                    assert line == ":"
                else:
                    assert wire.HeatEvent.from_line(line.removeprefix("data: ")) == event

    run(story)


def test_one_who_follows_and_leaves_makes_room_for_the_next() -> None:
    async def story(world: World) -> None:
        for _ in range(3):
            async with world.client.stream("GET", "/heat") as first:
                assert first.status_code == 200
                answer = await world.client.get("/heat")
                assert (answer.status_code, answer.text) == (
                    503,
                    "too many follow the heat already\n",
                )
            await until(lambda: world.said.followers == 0)

    run(story, Limits(followers=1))


def test_the_end_of_the_sidecar_ends_the_story_of_its_heat() -> None:
    async def story() -> None:
        async with serving() as world, world.client.stream("GET", "/heat") as answer:
            assert answer.status_code == 200
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /heat HTTP/1.0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            server_ends = asyncio.create_task(reader.read())
        async with asyncio.timeout(5):
            assert await server_ends == b""
        writer.close()

    asyncio.run(story())


def test_the_heat_has_a_head_without_a_story() -> None:
    async def story(world: World) -> None:
        head = await world.client.head("/heat")
        assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")
        assert world.said.followers == 0

    run(story)
