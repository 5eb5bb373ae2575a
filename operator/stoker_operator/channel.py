"""The way that requests go to the API server, bounded in time, in size and in connections.

JSON goes in and comes out as it is: nothing here needs the types of Kubernetes' own client.
Whatever fails on the way is an error of `api_errors`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from pydantic_core import from_json, to_json

from stoker_api.words import one_line
from stoker_operator.api_errors import ApiError, ConflictError, UnreachableError
from stoker_operator.connection import Connection
from stoker_operator.credentials import Access
from stoker_operator.desired import Manifest
from stoker_operator.session import headers, opened

_MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""A page of a list has a hundred objects, of some ten KiB each."""
_MAX_SENTENCE = 1000
_ASKED_AGAIN = 2
_SILENT_SECONDS = 120.0
"""The API server sends a watch something every minute or so, if only a bookmark."""
_CREDENTIALS_LAST_SECONDS = 5.0
"""Refused sooner than that, they are not outdated, they are wrong."""


@dataclass(frozen=True)
class Limits:
    """What a client may take."""

    seconds: float = 10.0
    """For one request, from the wait for a connection to the last byte of the answer."""
    connections: int = 16
    patience_seconds: float = 10.0
    """The longest wait for an API server that asks to be left alone for a while (429)."""


LIMITS = Limits()


class Channel:
    """Carries requests, and signs in anew where credentials have become outdated."""

    def __init__(self, access: Access, way: "_Way", limits: Limits) -> None:
        self._access = access
        self._way = way
        self._limits = limits
        self._signing_in = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access, limits: Limits) -> "AsyncIterator[Channel]":
        """One, while the block lasts. This alone makes no request."""
        channel = cls(access, _Way.along(await access.connection(), limits), limits)
        try:
            yield channel
        finally:
            await channel._way.session.close()

    async def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """The answer; asked once more with new credentials where the old ones are refused."""
        request = _Request(method, path, document, content_type)
        asked_at = _now()
        try:
            return await self._patiently(request)
        except ApiError as error:
            if not await self._has_signed_in(error, asked_at):
                raise
            return await self._patiently(request)

    async def _patiently(self, request: "_Request") -> Manifest:
        """The answer of an API server that may want to be left alone for a moment."""
        for _ in range(_ASKED_AGAIN):
            try:
                return await self._answer(request)
            except ApiError as error:
                later = error.retry_after_seconds
                if later is None or later > self._limits.patience_seconds:
                    raise
                await asyncio.sleep(later)
        return await self._answer(request)

    async def _has_signed_in(self, error: ApiError, asked_at: float) -> bool:
        """Whether there are newer credentials than those that were refused."""
        if error.status != HTTPStatus.UNAUTHORIZED:
            return False
        async with self._signing_in:
            if self._way.found_at > asked_at:
                return True
            if _now() - self._way.found_at < _CREDENTIALS_LAST_SECONDS:
                return False
            await self._sign_in()
            return True

    async def _renew(self) -> None:
        """Looks for newer credentials where these are about to end; once, whoever asks."""
        if self._way.is_outdated:
            async with self._signing_in:
                if self._way.is_outdated:
                    await self._sign_in()

    async def _sign_in(self) -> None:
        connection, before = await self._access.connection(), self._way
        if connection.is_by_the_way_of(before.connection):
            self._way = replace(before, connection=connection, found_at=_now())
        else:
            self._way = _Way.along(connection, self._limits)
            await before.session.close()

    async def _answer(self, request: "_Request") -> Manifest:
        """The answer to a request of which the end is near."""
        limit = aiohttp.ClientTimeout(total=self._limits.seconds)
        async with self._sent(request, limit) as answer:
            body = await _read(answer)
        return _understood(answer, body, self._way.connection.server)

    async def lines(self, path: str, on_begin: Callable[[], None]) -> AsyncIterator[bytes]:
        """The lines of an answer without end, as they come; that it begins is told at once."""
        request, asked_at = _Request("GET", path, None, "application/json"), _now()
        limit = aiohttp.ClientTimeout(sock_connect=self._limits.seconds, sock_read=_SILENT_SECONDS)
        async with self._sent(request, limit) as answer:
            if not answer.ok:
                error = _refusal(answer, await _read(answer))
                await self._has_signed_in(error, asked_at)  # for the next attempt
                raise error
            on_begin()
            async for line in answer.content:
                yield line

    @asynccontextmanager
    async def _sent(
        self, request: "_Request", limit: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The beginning of an answer. Whatever fails until the block ends is UnreachableError."""
        await self._renew()
        way = self._way
        server = way.connection.server
        try:
            async with way.session.request(
                request.method,
                server + request.path,
                data=request.body,
                # Who we are may be newer than the session.
                headers=headers(way.connection) | {"Content-Type": request.content_type},
                timeout=limit,
            ) as answer:
                yield answer
        except TimeoutError as error:
            seconds = limit.total or limit.sock_read
            raise UnreachableError(
                f"the API server at {server} has not answered within {seconds:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(
                f"the API server at {server} does not answer: {_words(str(error))}"
            ) from error


@dataclass(frozen=True)
class _Way:
    """Connections to the API server, and who we are to it."""

    connection: Connection
    session: aiohttp.ClientSession
    found_at: float

    @classmethod
    def along(cls, connection: Connection, limits: Limits) -> Self:
        return cls(connection, opened(connection, limits.connections), _now())

    @property
    def is_outdated(self) -> bool:
        lasts = self.connection.lasts_seconds
        return lasts is not None and _now() - self.found_at > lasts


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    document: Mapping[str, Any] | None
    content_type: str

    @property
    def body(self) -> bytes | None:
        return None if self.document is None else to_json(self.document)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {_MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _understood(answer: aiohttp.ClientResponse, body: bytes, server: str) -> Manifest:
    if not answer.ok:
        raise _refusal(answer, body)
    document = _document(body)
    if document is None:
        raise UnreachableError(
            f"what answers at {server} is no API server: it sent {_words(repr(body[:80]))}"
        )
    return document


def _document(body: bytes) -> Manifest | None:
    try:
        document = from_json(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(answer: aiohttp.ClientResponse, body: bytes) -> ApiError:
    status = _document(body) or {}
    message = status.get("message") or body[:_MAX_SENTENCE].decode("utf-8", "replace")
    later = answer.headers.get("Retry-After", "")
    kind = ConflictError if answer.status == HTTPStatus.CONFLICT else ApiError
    return kind(
        answer.status,
        str(status.get("reason") or answer.reason),
        _words(str(message)),
        float(later) if later.isascii() and later.isdigit() else None,
    )


def _words(text: str) -> str:
    """A sentence of others, fit for a condition and a log."""
    return one_line(text[:_MAX_SENTENCE])
