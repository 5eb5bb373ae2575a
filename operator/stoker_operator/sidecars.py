"""What sidecars say of themselves, read over HTTP from the pods' own addresses.

Whoever may run a pod may answer there: what comes is bounded in size and time, nothing is unpacked,
kept or followed, and what does not keep to the contract is as good as no answer.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx

from stoker_api.codec import MalformedError
from stoker_api.wire import SIDECAR_PORT, STATUS_PATH, Status
from stoker_api.words import one_line

_log = logging.getLogger(__name__)

_SECONDS = 2.0
"""A sidecar answers within milliseconds; one that does not must not hold up the pass."""
_AT_ONCE = 16
_MAX_BYTES = 256 * 1024
_MAX_SENTENCE = 300


class Sidecars:
    """Reads `/status`, a few at a time, each within a deadline."""

    def __init__(self, port: int = SIDECAR_PORT) -> None:
        self._port = port
        self._places = asyncio.Semaphore(_AT_ONCE)
        # Pods are asked by address and in the clear: no proxy that the environment names is on the
        # way, and no certificates have to be loaded.
        self._client = httpx.AsyncClient(
            timeout=_SECONDS,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            headers={"Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def read(self, addresses: Mapping[str, str]) -> dict[str, Status]:
        """What the sidecars at these addresses say, by pod; those that say nothing are left out."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                pod: group.create_task(self._read(pod, address))
                for pod, address in addresses.items()
            }
        found = {pod: task.result() for pod, task in tasks.items()}
        return {pod: status for pod, status in found.items() if status is not None}

    async def _read(self, pod: str, address: str) -> Status | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._places, asyncio.timeout(_SECONDS):
                return Status.from_json(
                    await self._body(f"http://{host}:{self._port}{STATUS_PATH}")
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, MalformedError) as error:
            words = one_line(str(error))[:_MAX_SENTENCE]
            sentence = words or f"no answer within {_SECONDS:g} s"
            _log.info("sidecar not read", extra={"pod": pod, "sentence": sentence})
            return None

    async def _body(self, url: str) -> bytes:
        async with self._client.stream("GET", url) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise MalformedError(f"document: none, but the status {answer.status_code}")
            body = b""
            # As it comes: a few bytes may unpack to any number.
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise MalformedError(f"document: longer than {_MAX_BYTES} bytes")
            return body
