"""The API server: JSON objects in and out, bounded in time, in size and in connections.

Nothing else in the operator writes to it. Of the Kubernetes client it uses what carries a request;
the thousand types stay unloaded, and no request is spent on asking which kinds there are.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from stoker_operator.api_errors import (
    ApiError,
    ConflictError,
    NoClusterError,
    UnreachableError,
)
from stoker_operator.credentials import Access, Connection, authorization

Manifest = dict[str, Any]

FIELD_MANAGER = "stoker"

_PLURALS = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Event": "events",
    "Lease": "leases",
    "LLMDeployment": "llmdeployments",
    "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "PodMonitor": "podmonitors",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
}
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""etcd takes no object of half that size."""
_MAX_SENTENCE = 1000
_ASKED_AGAIN = 2
_LISTED_AT_ONCE = 100
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


class Cluster:
    """A client for the kinds that the operator has to do with."""

    def __init__(self, access: Access, client: ApiClient, limits: Limits) -> None:
        self._access = access
        self._client = client
        self._limits = limits
        self._signing_in = asyncio.Lock()
        self._signed_in_at = _now()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        access: Access | None = None,
        limits: Limits = LIMITS,
    ) -> "AsyncIterator[Cluster]":
        """A client, while the block lasts. This alone makes no request."""
        access = access or Access(kubeconfig, context)
        cluster = cls(access, _client(await access.configuration(), limits), limits)
        try:
            yield cluster
        finally:
            await cluster._client.close()

    async def apply(
        self, manifest: Mapping[str, Any], *, subresource: str | None = None
    ) -> Manifest:
        """Applies what is ours of an object (server-side); the object as it is then."""
        path = _path(manifest) + (f"/{subresource}" if subresource else "")
        return await self._ask(
            "PATCH",
            f"{path}?fieldManager={FIELD_MANAGER}&force=true",
            manifest,
            "application/apply-patch+yaml",  # of which JSON is a part
        )

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object; None where there is none."""
        try:
            return await self._ask("GET", f"{_folder(api_version, kind, namespace)}/{_safe(name)}")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create(self, manifest: Mapping[str, Any]) -> Manifest:
        """Makes an object, as it is then; ConflictError where its name is taken."""
        path, _, _ = _path(manifest).rpartition("/")
        return await self._ask("POST", f"{path}?fieldManager={FIELD_MANAGER}", manifest)

    async def replace(self, manifest: Mapping[str, Any]) -> Manifest:
        """Writes an object, as it is then; ConflictError where its resourceVersion is outdated."""
        return await self._ask("PUT", f"{_path(manifest)}?fieldManager={FIELD_MANAGER}", manifest)

    async def delete(self, manifest: Mapping[str, Any]) -> None:
        """Deletes this very object and what it owns. That it is gone already is well."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": manifest["metadata"]["uid"]},
            "propagationPolicy": "Background",
        }
        try:
            await self._ask("DELETE", _path(manifest), options)
        except ConflictError:
            pass  # another object has its name by now
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def kinds(self, api_version: str) -> set[str]:
        """The kinds of a group's version that the API server knows."""
        try:
            found = await self._ask("GET", f"/apis/{api_version}")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return set()
            raise
        return {each["kind"] for each in found["resources"]}

    async def pages(
        self, api_version: str, kind: str, namespace: str | None, selector: str
    ) -> AsyncIterator[Manifest]:
        """All objects with these labels, some hundred at a time; None: of every namespace."""
        folder, more = _folder(api_version, kind, namespace), ""
        while True:
            query = urlencode(
                {"labelSelector": selector, "limit": _LISTED_AT_ONCE, "continue": more}
            )
            page = await self._ask("GET", f"{folder}?{query}")
            yield page
            more = page["metadata"].get("continue", "")
            if not more:
                return

    async def watch(
        self, api_version: str, kind: str, namespace: str | None, selector: str, version: str
    ) -> AsyncIterator[Manifest]:
        """Every change since then, until the API server ends the answer, as it does now and then.

        ApiError 410 where it has forgotten what has been since that version.
        """
        query = urlencode(
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "labelSelector": selector,
                "resourceVersion": version,
            }
        )
        path = f"{_folder(api_version, kind, namespace)}?{query}"
        async for line in self._lines(_Request("GET", path, None, "application/json")):
            event = json.loads(line)
            if event["type"] == "ERROR":
                status = event["object"]
                raise ApiError(status["code"], status.get("reason", ""), status.get("message", ""))
            yield event

    async def connection(self) -> Connection:
        """The way into this cluster, looked up anew: tokens change."""
        return await self._access.connection()

    async def _ask(
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

    async def _lines(self, request: "_Request") -> AsyncIterator[bytes]:
        """The lines of an answer without end, as they come."""
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
    configuration.connection_pool_maxsize = limits.connections
    configuration.client_session_kwargs = {
        "cookie_jar": aiohttp.DummyCookieJar(),
        "trust_env": False,  # reads ~/.netrc, in a thread, for every request
    }
    try:
        return ApiClient(configuration)
    except (ssl.SSLError, OSError) as error:
        raise NoClusterError(
            f"the certificates for {configuration.host} cannot be used ({error}): look at the"
            " certificate-authority, client-certificate and client-key of the kubeconfig"
        ) from error


def _folder(api_version: str, kind: str, namespace: str | None) -> str:
    """Where the objects of a kind are."""
    api = "apis" if "/" in api_version else "api"
    where = f"/namespaces/{_safe(namespace)}" if namespace else ""
    return f"/{api}/{api_version}{where}/{_PLURALS[kind]}"


def _path(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    folder = _folder(manifest["apiVersion"], manifest["kind"], metadata["namespace"])
    return f"{folder}/{_safe(metadata['name'])}"


def _safe(name: str) -> str:
    return quote(name, safe="")


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
