"""A plain TCP balancer: to each backend in turn, if its port is open.

Such a one is before most Ollamas today. That a port is open is all that it knows of a backend.
"""

import argparse
import asyncio
import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence

_READ_BYTES = 64 * 1024
_HOST = "127.0.0.1"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Balancer:
    """Carries each connection to the next backend whose port is open."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._turns = itertools.cycle(range(len(ports)))

    async def serve(self, port: int) -> None:
        """Serves until it is cancelled."""
        server = await asyncio.start_server(self._carry, _HOST, port)
        async with server:
            await server.serve_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = await self._backend()
        if backend is None:
            writer.transport.abort()
            return
        ways = (_copy(reader, backend[1]), _copy(backend[0], writer))
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            # A client that leaves ends its request, and a backend that has answered is done.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            backend[1].close()
            writer.close()

    async def _backend(self) -> Stream | None:
        for port in self._in_turn():
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(_HOST, port)
        return None

    def _in_turn(self) -> Iterator[int]:
        first = next(self._turns)
        yield from (*self._ports[first:], *self._ports[:first])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the process; it is the demo that starts it."""
    parser = argparse.ArgumentParser(description="A plain TCP balancer, for the demo.")
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("ports", type=int, nargs="+", metavar="BACKEND")
    parsed = parser.parse_args(arguments)
    asyncio.run(Balancer(parsed.ports).serve(parsed.listen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
