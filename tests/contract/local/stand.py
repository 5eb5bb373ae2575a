"""The forwarder as a process, before replicas whose servers are the test's own.

Each replica has a TCP server that does what the test wants, and the sidecar's real HTTP server,
which tells the forwarder of a heat that the test sets.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from stoker_api import wire
from stoker_operator.local.listener import bound, free_port
from stoker_sidecar.page import Transition
from stoker_sidecar.server import Server
from support.statuses import HOT

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE_SECONDS = 10


class Told:
    """What a sidecar says: a heat that is set from outside, and nothing else of interest."""

    model = "phi3:mini"

    def __init__(self) -> None:
        self._hot = False
        self._changed = asyncio.Event()

    def become(self, *, hot: bool) -> None:
        self._hot = hot
        self._changed.set()
        self._changed = asyncio.Event()

    async def heat(self) -> AsyncIterator[wire.HeatEvent | None]:
        while True:
            changed = self._changed
            state = wire.HeatState.HOT if self._hot else wire.HeatState.COLD
            yield wire.HeatEvent(self._hot, state, "Test", "a test says so")
            while not await _came(changed):
                yield None

    def ready(self) -> tuple[bool, str]:
        return self._hot, "a test says so"

    def alive(self) -> tuple[bool, str]:
        return True, "a test says so"

    def status(self) -> wire.Status:
        return HOT

    def transitions(self) -> Sequence[Transition]:
        return ()

    def metrics(self) -> bytes:
        return b""

    async def drain(self) -> str:
        return ""


async def _came(changed: asyncio.Event) -> bool:
    """Whether it came before silence has to be broken."""
    with suppress(TimeoutError):
        await asyncio.wait_for(changed.wait(), wire.HEAT_SILENCE_SECONDS)
    return changed.is_set()


@dataclass
class Replica:
    """One target of the forwarder."""

    told: Told
    sidecar: Server
    server: asyncio.Server
    order: dict[str, object]
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def end(self) -> None:
        """Dies: its connections are reset, and nobody listens."""
        self.server.close()
        for writer in self.connections:
            writer.transport.abort()


@dataclass
class Stand:
    """The forwarder, and what is before and behind it."""

    host: str
    port: int
    process: "subprocess.Popen[bytes]"
    replicas: list[Replica]
    orders: int

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def is_refused(self) -> bool:
        try:
            _, writer = await self.connect()
        except ConnectionError:  # a reset, if the address closes in this very moment
            return True
        writer.transport.abort()
        return False

    async def become(self, *hot: bool) -> None:
        """Has replicas be hot or not, and waits until clients see it."""
        for replica, is_hot in zip(self.replicas, hot, strict=True):
            replica.told.become(hot=is_hot)

        async def is_seen() -> bool:
            return await self.is_refused() != any(hot)

        await until(is_seen)

    def tell(self, replicas: Sequence[Replica]) -> None:
        os.write(self.orders, json.dumps([each.order for each in replicas]).encode() + b"\n")


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.001)


@asynccontextmanager
async def standing(*serves: Serve) -> AsyncIterator[Stand]:
    """A forwarder before replicas that serve so; none of them is hot."""
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(_replica(serve)) for serve in serves]
        listener = bound("127.0.0.1", free_port("127.0.0.1"))
        host, port = listener.getsockname()
        read, orders = os.pipe()
        process = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond
            [
                *(sys.executable, "-m", "stoker_operator.local.forwarder"),
                *(f"--listener={listener.fileno()}", f"--orders={read}"),
            ],
            pass_fds=(listener.fileno(), read),
            stdin=subprocess.DEVNULL,
        )
        os.close(read)
        stand = Stand(host, port, process, replicas, orders)
        try:
            stand.tell(replicas)
            yield stand
        finally:
            os.close(orders)
            listener.close()
            # Before the replicas: while it runs, it connects to them.
            await asyncio.to_thread(process.wait, PATIENCE_SECONDS)


@asynccontextmanager
async def _replica(serve: Serve) -> AsyncIterator[Replica]:
    connections: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await serve(reader, writer)
        writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        tasks.add(asyncio.create_task(served(reader, writer)))

    told = Told()
    sidecar = Server(told)
    sidecar_port = await sidecar.start("127.0.0.1:0")
    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    order = {"name": str(port), "host": "127.0.0.1", "port": port, "sidecar_port": sidecar_port}
    try:
        yield Replica(told, sidecar, server, order, connections)
    finally:
        server.close()
        for writer in connections:
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sidecar.stop()
