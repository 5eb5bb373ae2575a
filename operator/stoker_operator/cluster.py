"""The API server: JSON objects in and out.

Nothing else in the operator writes to it. No request is spent on asking which kinds there are, but
for the one that may be missing: our own.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import from_json

from stoker_operator.api_errors import ApiError, ConflictError, UnreachableError
from stoker_operator.channel import LIMITS, Channel, Limits
from stoker_operator.credentials import Access
from stoker_operator.desired import Manifest

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
LISTED_AT_ONCE = 100


@dataclass(frozen=True)
class Look:
    """What is looked at: all objects of a kind that bear a label."""

    api_version: str
    kind: str
    namespace: str | None
    """None: every one."""
    selector: str

    @property
    def folder(self) -> str:
        return _folder(self.api_version, self.kind, self.namespace)


class Cluster:
    """A client for the kinds that the operator has to do with."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @classmethod
    @asynccontextmanager
    async def connect(cls, access: Access, limits: Limits = LIMITS) -> "AsyncIterator[Cluster]":
        """A client, while the block lasts. This alone makes no request."""
        async with Channel.open(access, limits) as channel:
            yield cls(channel)

    async def apply(
        self, manifest: Mapping[str, Any], *, subresource: str | None = None
    ) -> Manifest:
        """Applies what is ours of an object (server-side); the object as it is then."""
        path = _path(manifest) + (f"/{subresource}" if subresource else "")
        return await self._channel.ask(
            "PATCH",
            f"{path}?fieldManager={FIELD_MANAGER}&force=true",
            manifest,
            "application/apply-patch+yaml",  # of which JSON is a part
        )

    async def apply_new(self, manifest: Mapping[str, Any]) -> Manifest:
        """Applies an object that is not there yet; ConflictError where its name is taken.

        An object that is there has another version than the one named here, which none ever has.
        One that is not has none to differ: the API server makes it.
        """
        metadata = {**manifest["metadata"], "resourceVersion": "1"}
        return await self.apply({**manifest, "metadata": metadata})

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object; None where there is none."""
        try:
            return await self._channel.ask(
                "GET", f"{_folder(api_version, kind, namespace)}/{_safe(name)}"
            )
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create(self, manifest: Mapping[str, Any]) -> Manifest:
        """Makes an object, as it is then; ConflictError where its name is taken."""
        path, _, _ = _path(manifest).rpartition("/")
        return await self._channel.ask("POST", f"{path}?fieldManager={FIELD_MANAGER}", manifest)

    async def replace(self, manifest: Mapping[str, Any]) -> Manifest:
        """Writes an object, as it is then; ConflictError where its resourceVersion is outdated."""
        return await self._channel.ask(
            "PUT", f"{_path(manifest)}?fieldManager={FIELD_MANAGER}", manifest
        )

    async def delete(self, manifest: Mapping[str, Any]) -> None:
        """Deletes this very object and what it owns. That it is gone already is well."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": manifest["metadata"]["uid"]},
            "propagationPolicy": "Background",
        }
        try:
            await self._channel.ask("DELETE", _path(manifest), options)
        except ConflictError:
            pass  # another object has its name by now
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def kinds(self, api_version: str) -> set[str]:
        """The kinds of a group's version that the API server knows."""
        try:
            found = await self._channel.ask("GET", f"/apis/{api_version}")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return set()
            raise
        return {each["kind"] for each in found["resources"]}

    async def pages(self, look: Look) -> AsyncIterator[Manifest]:
        """Lists of all that is looked at, some of it at a time."""
        more = ""
        while True:
            query = urlencode(
                {"labelSelector": look.selector, "limit": LISTED_AT_ONCE, "continue": more}
            )
            page = await self._channel.ask("GET", f"{look.folder}?{query}")
            # A list says only once what its items are.
            what = {"apiVersion": look.api_version, "kind": look.kind}
            page["items"] = [what | each for each in page.get("items") or []]
            yield page
            more = page["metadata"].get("continue", "")
            if not more:
                return

    async def watch(
        self, look: Look, version: str, on_begin: Callable[[], None]
    ) -> AsyncIterator[Manifest]:
        """Every change since then, until the API server ends the answer, as it does now and then.

        ApiError 410 where it has forgotten what has been since that version.
        """
        query = urlencode(
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "labelSelector": look.selector,
                "resourceVersion": version,
            }
        )
        async for line in self._channel.lines(f"{look.folder}?{query}", on_begin):
            event = _event(line)
            if event["type"] == "ERROR":
                status = event["object"]
                raise ApiError(status["code"], status.get("reason", ""), status.get("message", ""))
            yield event


def _event(line: bytes) -> Manifest:
    try:
        event: Manifest = from_json(line)
    except ValueError as error:
        raise UnreachableError(f"the API server's watch is broken off: {error}") from error
    return event


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
