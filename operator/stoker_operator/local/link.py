"""Two connections that are one: what comes from either goes to the other, as it comes."""

import asyncio
import socket
from collections.abc import Callable
from enum import Enum, auto

_READ_BYTES = 256 * 1024
_RESET = bytes.fromhex("0100000000000000")
"""SO_LINGER: on, 0 s. Closing is then a reset."""


def prepare(connection: socket.socket) -> None:
    """Has it never wait, neither for us nor for more to send."""
    connection.settimeout(0)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def is_connected(connection: socket.socket) -> bool:
    """Whether it is there already: on loopback a connection is, as soon as it is asked for."""
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


class End(Enum):
    """How something came to its end."""

    WELL = auto()
    BROKEN = auto()


class _Way:
    """Carries bytes one way."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, ended: Callable[[End], None]
    ) -> None:
        self._source, self._sink, self._ended = source, sink, ended
        # By number: for a socket the loop writes down what it looks like, again and again.
        self._comes, self._goes = source.fileno(), sink.fileno()
        self._pending = memoryview(b"")
        self._is_over = False
        self._loop = asyncio.get_running_loop()

    def follow(self) -> None:
        """From now on takes whatever comes."""
        if not (self._pending or self._is_over):
            self._loop.add_reader(self._comes, self.read)

    def read(self) -> None:
        """Takes what has come, and passes it on."""
        try:
            data = self._source.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._ended(End.BROKEN)
            return
        if data:
            self._write(memoryview(data))
            return
        self._is_over = True
        self._loop.remove_reader(self._comes)
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._ended(End.BROKEN)
        else:
            self._ended(End.WELL)

    def _write(self, data: memoryview) -> None:
        try:
            sent = self._sink.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._ended(End.BROKEN)
            return
        if sent < len(data):
            if not self._pending:
                self._loop.remove_reader(self._comes)
                self._loop.add_writer(self._goes, self._flush)
            self._pending = data[sent:]
        elif self._pending:
            self._pending = memoryview(b"")
            self._loop.remove_writer(self._goes)
            self._loop.add_reader(self._comes, self.read)

    def _flush(self) -> None:
        self._write(self._pending)


class Link:
    """A client, and its way to a replica."""

    def __init__(
        self, client: socket.socket, server: socket.socket, closed: Callable[[], None]
    ) -> None:
        self._sockets = (client, server)
        self._closed = closed
        self._open = 2
        self._up = _Way(client, server, self._ended)
        self._down = _Way(server, client, self._ended)

    def begin(self) -> None:
        # A request is mostly there with its connection: it goes before anything else is done.
        self._up.read()
        if self._open:
            self._down.follow()
            self._up.follow()

    def _ended(self, end: End) -> None:
        self._open = self._open - 1 if end is End.WELL else 0
        if self._open == 0:
            self._close(end)

    def _close(self, end: End) -> None:
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.remove_reader(each.fileno())
            loop.remove_writer(each.fileno())
            close(each, end)
        self._closed()


def close(connection: socket.socket, end: End) -> None:
    """Closes it; by a reset where it did not end well."""
    if end is End.BROKEN:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
