"""What the server tells a runner of its time: when words are due, and when it is to be busy.

Orders take a way of their own, beside TCP, because a real runner knows all this by itself.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class Orders(asyncio.Protocol):
    """The way of orders to one runner; open it with `open_orders`."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._spinning = 0

    def say(self, number: int, first: int, count: int) -> None:
        """Has the words of these numbers sent over the connection with this one."""
        self._give(f"say {number} {first} {count}")

    @contextmanager
    def spinning(self) -> Iterator[None]:
        """Keeps the runner busy, as one that computes."""
        self._spinning += 1
        if self._spinning == 1:
            self._give("spin on")
        try:
            yield
        finally:
            self._spinning -= 1
            if not self._spinning:
                self._give("spin off")

    def _give(self, order: str) -> None:
        if self._transport is not None:
            self._transport.write(f"{order}\n".encode())

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None


async def open_orders(ours: socket.socket) -> Orders:
    """The way of orders whose other end the runner has."""
    orders = Orders()
    await asyncio.get_running_loop().create_unix_connection(lambda: orders, sock=ours)
    return orders
