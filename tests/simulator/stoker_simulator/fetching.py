"""Fetching over HTTP from a registry: a manifest, the size of a blob, and ranges of its bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stoker_simulator.errors import SimulatorError

PIECE_BYTES = 64 * 1024


class FetchError(SimulatorError):
    """A registry that is away, refuses, or breaks off; in Go's words."""


@dataclass(frozen=True)
class Head:
    """The first part of an answer."""

    status: int
    length: int


class Answer:
    """An answer whose body is still to be read."""

    def __init__(self, head: Head, reader: asyncio.StreamReader) -> None:
        self.head = head
        self._reader = reader
        self._left = head.length

    async def piece(self) -> bytes:
        """The next bytes of the body; FetchError when it ends too early."""
        piece = await self._reader.read(min(PIECE_BYTES, self._left))
        if not piece:
            raise FetchError("unexpected EOF")
        self._left -= len(piece)
        return piece

    async def body(self) -> bytes:
        """All of the body."""
        body = b""
        while self._left:
            body += await self.piece()
        return body


@asynccontextmanager
async def fetch(
    method: str, host: str, path: str, *, is_plain: bool, asked_range: str = ""
) -> AsyncIterator[Answer]:
    """An answer from this host; FetchError where there is none."""
    url = f"{'http' if is_plain else 'https'}://{host}{path}"
    name, _, port = host.partition(":")
    context = None if is_plain else ssl.create_default_context()
    try:
        reader, writer = await asyncio.open_connection(
            name, int(port or (80 if is_plain else 443)), ssl=context
        )
    except OSError as error:
        raise FetchError(f'{method.capitalize()} "{url}": {_reason(host, error)}') from error
    try:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if asked_range:
            lines.append(f"Range: bytes={asked_range}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        yield Answer(await _head(reader, method), reader)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise FetchError(f'{method.capitalize()} "{url}": EOF') from error
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader, method: str) -> Head:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *fields = head.split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    length = 0 if method == "HEAD" else int(named.get("content-length", "0"))
    return Head(int(status.split()[1]), length)


def _reason(host: str, error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}: connect: connection refused"
    return f"dial tcp {host}: {error.strerror or error}"
