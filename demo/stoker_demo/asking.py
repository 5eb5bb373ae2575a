"""Asks an Ollama, and yields the lines of its answer as they come."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

_LINE_BYTES = 1024 * 1024


class HttpError(Exception):
    """An answer that is none, or a refusal in Ollama's words."""


async def lines(
    host: str, port: int, path: str, body: Mapping[str, Any] | None = None, method: str = ""
) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON lines of the answer to a POST, or to a GET where there is no body.

    Each request has a connection of its own, as those of many clients do. What lies between the
    lines of a stream (the lengths of its chunks) is no JSON and left out.
    """
    reader, writer = await asyncio.open_connection(host, port, limit=_LINE_BYTES)
    try:
        writer.write(_request(method, host, path, body))
        status = await _head(reader)
        while line := await reader.readline():
            if line.startswith(b"{"):
                yield _checked(status, json.loads(line))
        if status != 200:  # noqa: PLR2004 - OK
            raise HttpError(f"status {status}")
    finally:
        writer.transport.abort()


def _request(method: str, host: str, path: str, body: Mapping[str, Any] | None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    method = method or ("GET" if body is None else "POST")
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _head(reader: asyncio.StreamReader) -> int:
    """The status; what follows is the body."""
    words = (await reader.readline()).split()
    if len(words) < 2:  # noqa: PLR2004 - version and status
        raise HttpError("the connection was closed without an answer")
    while (await reader.readline()).strip():
        pass
    return int(words[1])


def _checked(status: int, line: dict[str, Any]) -> dict[str, Any]:
    if "error" in line:
        raise HttpError(f"status {status}: {line['error']}")
    return line
