"""A view of all objects of one kind that misses nothing, also not what went while nobody looked.

kopf's own watch starts anew with a list after a gap, and never tells of what has gone in between: a
child that was deleted then would be thought there for ever. Here the list is compared with what was
known.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from http import HTTPStatus

from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.api_errors import ApiError, ClusterError
from stoker_operator.cluster import Cluster, Look
from stoker_operator.desired import Manifest
from stoker_operator.world import Change

_log = logging.getLogger(__name__)

_NOT_SERVED_SECONDS = 30.0
_PAUSES_SECONDS = (0.1, 0.5, 1.0)
"""Between attempts while the API server cannot be reached. Short: it is one request."""


class Watcher:
    """Tells of every object there is, of every change, and of every end."""

    def __init__(
        self,
        cluster: Cluster,
        look: Look,
        tell: Callable[[Change], None],
        on_return: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._look = look
        self._tell = tell
        self._on_return = on_return
        """Called when the API server is back: what failed meanwhile need not wait any longer."""
        self._version: str | None = None
        """What was told of last; None where a list has to tell."""
        self._known: dict[tuple[str, str], str] = {}
        """Whose each object is, by namespace and name."""
        self._failures = 0
        self.has_listed = asyncio.Event()
        self.trouble: str | None = None
        """Why it sees nothing at the moment."""

    async def run(self) -> None:
        """Looks until it is cancelled, whatever happens to the API server."""
        while True:
            try:
                if self._version is None:
                    self._version = await self._list()
                await self._follow()
            except ApiError as error:
                await self._was_refused(error)
            except ClusterError as error:
                self._has_failed(error)
            await asyncio.sleep(_PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS) - 1)])

    async def look_ahead(self, owners: Collection[str]) -> None:
        """Tells of what LLMDeployments of these names have, before all there is has been read."""
        names = ",".join(sorted(owners))
        try:
            look = replace(self._look, selector=f"{LABEL_LLMDEPLOYMENT} in ({names})")
            async for page in self._cluster.pages(look):
                for found in page["items"]:
                    self._take(found)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # the kind itself (PodMonitor)
                raise

    async def _was_refused(self, error: ApiError) -> None:
        if error.status == HTTPStatus.GONE:
            self._version = None  # what has been since then is forgotten: only a list helps
            return
        self._has_failed(error)
        if error.status == HTTPStatus.NOT_FOUND:
            # There are no objects of a kind that the API server does not know (PodMonitor).
            self.has_listed.set()
            await asyncio.sleep(_NOT_SERVED_SECONDS)

    def _has_answered(self) -> None:
        self.trouble = None
        if self._failures:
            self._failures = 0
            self._on_return()

    def _has_failed(self, error: ClusterError) -> None:
        self._failures += 1
        said, self.trouble = self.trouble, f"cannot watch {self._look.kind}s: {error}"
        level = logging.DEBUG if said == self.trouble else logging.WARNING
        _log.log(level, "cannot watch", extra={"kind": self._look.kind, "sentence": str(error)})

    async def _list(self) -> str:
        """Tells of all there is, and of what was known and is no more; the version of the list."""
        look, missing, version = self._look, dict(self._known), ""
        async for page in self._cluster.pages(look):
            version = page["metadata"]["resourceVersion"]
            for found in page["items"]:
                missing.pop(self._take(found), None)
        for name, owner in missing.items():
            del self._known[name]
            self._tell(Change(look.kind, _last(name, owner, version), gone=True))
        self.has_listed.set()
        return version

    async def _follow(self) -> None:
        """Tells of changes since the version that was seen last, until the answer ends."""
        watch = self._cluster.watch(self._look, self._version or "", self._has_answered)
        async for event in watch:
            found = event["object"]
            self._version = found["metadata"]["resourceVersion"]
            match event["type"]:
                case "ADDED" | "MODIFIED":
                    self._take(found)
                case "DELETED":
                    self._known.pop(_name(found), None)
                    self._tell(Change(self._look.kind, found, gone=True))

    def _take(self, found: Manifest) -> tuple[str, str]:
        name = _name(found)
        self._known[name] = found["metadata"]["labels"][LABEL_LLMDEPLOYMENT]
        self._tell(Change(self._look.kind, found))
        return name


def _last(name: tuple[str, str], owner: str, version: str) -> Manifest:
    """All that is left of an object of which nobody has told the end."""
    return {
        "metadata": {
            "namespace": name[0],
            "name": name[1],
            "labels": {LABEL_LLMDEPLOYMENT: owner},
            "resourceVersion": version,
        }
    }


def _name(found: Manifest) -> tuple[str, str]:
    return found["metadata"]["namespace"], found["metadata"]["name"]
