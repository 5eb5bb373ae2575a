"""The TCP connections between server and runner, used as Ollama uses its own.

A request has a connection for itself. When it is answered, the connection is kept for the next one;
when it is given up, the connection ends with it. So whoever watches the kernel's sockets sees what
Ollama would show: bytes to the runner when a request begins, bytes back with every word, and none
while a prompt is read or the runner hangs.
"""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from stoker_simulator.errors import RunnerGoneError

Line = asyncio.Future[list[str]]


class Connection(asyncio.Protocol):
    """One connection to a runner, which knows it by its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.expected: Line | None = None
        """What is to come over it next."""
        self._transport: asyncio.Transport | None = None
        self._is_lost = False
        self._rest = b""

    def send(self, line: str) -> None:
        if self._transport is not None:
            self._transport.write(f"{line}\n".encode())

    def expect(self) -> Line:
        """The next line from the runner; RunnerGoneError when there will be none."""
        self.expected = asyncio.get_running_loop().create_future()
        if self._is_lost:
            self.expected.set_exception(RunnerGoneError("unexpected EOF"))
        return self.expected

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self.expected is not None and not self.expected.done():
                self.expected.set_result(line.decode().split())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._is_lost = True
        if self.expected is not None and not self.expected.done():
            self.expected.set_exception(RunnerGoneError("unexpected EOF"))


class Connections:
    """All connections to one runner."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._used: set[Connection] = set()
        self._idle: list[Connection] = []
        self._made = 0

    def ask_health(self) -> asyncio.Future[Any]:
        """Done when the runner has answered that it is well; RunnerGoneError if it never will."""
        if not self._idle:
            return asyncio.get_running_loop().create_task(self._ask_anew())
        # Most requests come this way: a task would take several turns of the event loop.
        connection = self._take()
        connection.send(f"health {connection.number}")
        answer = connection.expect()
        answer.add_done_callback(functools.partial(self._give_back, connection))
        return answer

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[Connection]:
        """A connection with a request on it; RunnerGoneError if there can be none."""
        connection = self._take()
        try:
            if connection.expected is None:
                await self._connect(connection)
            connection.send("answer")
            yield connection
        except BaseException:
            self._drop(connection)
            raise
        self._give_back(connection)

    def expected(self) -> list[Line]:
        """What is to come from the runner."""
        lines = (connection.expected for connection in self._used)
        return [line for line in lines if line is not None and not line.done()]

    async def _ask_anew(self) -> None:
        connection = self._take()
        try:
            await self._connect(connection)
        except BaseException:
            self._drop(connection)
            raise
        self._give_back(connection)

    async def _connect(self, connection: Connection) -> None:
        """Connects, tells the runner the number, and knows that it is well."""
        loop = asyncio.get_running_loop()
        known = connection.expect()
        try:
            await loop.create_connection(lambda: connection, "127.0.0.1", self._port)
        except OSError as error:
            raise RunnerGoneError("connection refused") from error
        connection.send(f"health {connection.number}")
        await known

    def _take(self) -> Connection:
        """A connection that was kept, or one that is still to be connected."""
        if self._idle:
            connection = self._idle.pop()
        else:
            self._made += 1
            connection = Connection(self._made)
        self._used.add(connection)
        return connection

    def _give_back(self, connection: Connection, answer: Line | None = None) -> None:
        """Keeps the connection, unless this answer was the last and did not come."""
        if answer is not None and (answer.cancelled() or answer.exception()):
            self._drop(connection)
        else:
            self._used.discard(connection)
            self._idle.append(connection)

    def _drop(self, connection: Connection) -> None:
        self._used.discard(connection)
        connection.close()
