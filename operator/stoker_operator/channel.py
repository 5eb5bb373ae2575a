"""The way that requests go to the API server, bounded in time, in size and in connections.

Of the Kubernetes client it uses what finds the way and what carries a request; its thousand types
stay unloaded. Whatever fails on the way is an error of `api_errors`.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from stoker_operator.api_errors import (
    ApiError,
    ConflictError,
    NoClusterError,
    UnreachableError,
)
from stoker_operator.credentials import Access, authorization

Manifest = dict[str, Any]

_MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""etcd takes no object of half that size."""
_MAX_SENTENCE = 1000
_ASKED_AGAIN = 2
_IDLE_SECONDS = 60.0
"""A new connection costs more than a request."""
_LONGEST_LINE = 2 * 1024 * 1024
"""Of a watch: one object."""
_SILENT_SECONDS = 75.0
"""The API server sends a watch something every minute, if only a bookmark."""
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

    def __init__(self, access: Access, client: ApiClient, limits: Limits) -> None:
        self._access = access
        self._client = client
        self._limits = limits
        self._signing_in = asyncio.Lock()
        self._signed_in_at = _now()

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access, limits: Limits) -> "AsyncIterator[Channel]":
        """One, while the block lasts. This alone makes no request."""
        channel = cls(access, _client(await access.configuration(), limits), limits)
        try:
            yield channel
        finally:
            await channel._client.close()

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
            if error.status != HTTPStatus.UNAUTHORIZED or not await self._signed_in(asked_at):
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

    async def _signed_in(self, asked_at: float) -> bool:
        """Whether there are newer credentials than those of `asked_at`."""
        async with self._signing_in:
            if self._signed_in_at > asked_at:
                return True
            if _now() - self._signed_in_at < _CREDENTIALS_LAST_SECONDS:
                return False
            outdated = self._client
            self._client = _client(await self._access.configuration(), self._limits)
            self._signed_in_at = _now()
            await outdated.close()
            return True

    async def _answer(self, request: "_Request") -> Manifest:
        """The answer to a request of which the end is near."""
        async with self._sent(request, aiohttp.ClientTimeout(total=self._limits.seconds)) as answer:
            body = await _read(answer)
        return _understood(answer, body, self._client.configuration.host)

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of an answer without end, as they come."""
        request = _Request("GET", path, None, "application/json")
        silence = aiohttp.ClientTimeout(
            sock_connect=self._limits.seconds, sock_read=_SILENT_SECONDS
        )
        async with self._sent(request, silence) as answer:
            if not answer.ok:
                _understood(answer, await _read(answer), self._client.configuration.host)
            async for line in answer.content:
                yield line

    @asynccontextmanager
    async def _sent(
        self, request: "_Request", limit: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The beginning of an answer. Whatever fails until the block ends is UnreachableError."""
        configuration = self._client.configuration
        headers = {"Accept": "application/json", "Content-Type": request.content_type}
        if who := await authorization(configuration):
            headers["Authorization"] = who
        server = configuration.host
        try:
            response = await self._client.rest_client.request(
                request.method,
                server + request.path,
                headers=headers,
                body=request.document,
                _request_timeout=limit,
            )
            async with response.response as answer:
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
class _Request:
    method: str
    path: str
    document: Mapping[str, Any] | None
    content_type: str


def _now() -> float:
    return asyncio.get_running_loop().time()


def _client(configuration: Configuration, limits: Limits) -> ApiClient:
    try:
        client = ApiClient(configuration)
    except (ssl.SSLError, OSError) as error:
        raise NoClusterError(
            f"the certificates for {configuration.host} cannot be used ({error}): look at the"
            " certificate-authority, client-certificate and client-key of the kubeconfig"
        ) from error
    client.rest_client.pool_manager = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limits.connections,
            ssl=client.rest_client.ssl_context,
            keepalive_timeout=_IDLE_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_LONGEST_LINE,
        trust_env=False,  # would read ~/.netrc, in a thread, for every request
    )
    return client


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {_MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _understood(answer: aiohttp.ClientResponse, body: bytes, server: str) -> Manifest:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not answer.ok:
        raise _refusal(answer, document if isinstance(document, dict) else {}, body)
    if not isinstance(document, dict):
        raise UnreachableError(
            f"what answers at {server} is no API server: it sent {_words(repr(body[:80]))}"
        )
    return document


def _refusal(answer: aiohttp.ClientResponse, status: Manifest, body: bytes) -> ApiError:
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
    printable = "".join(each if each.isprintable() else " " for each in text[:_MAX_SENTENCE])
    return " ".join(printable.split())
