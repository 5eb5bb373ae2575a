"""Passes every connection at an inherited listening socket on to an address.

python forward.py FD HOST PORT
"""

import asyncio
import socket
import sys
from contextlib import suppress


async def forward(listener: socket.socket, host: str, port: int) -> None:
    """Serves until the process is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes away, or a server that is down, ends this connection and no other.
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, sock=listener)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


if __name__ == "__main__":
    fd, host, port = sys.argv[1:]
    asyncio.run(forward(socket.socket(fileno=int(fd)), host, int(port)))
