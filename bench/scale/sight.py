"""What the API server tells of all objects, and when it told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from bench.scale import fleet

from stoker_operator.api_errors import ApiError
from stoker_operator.cluster import Cluster, Look


@dataclass(frozen=True)
class Seen:
    """An object as it is, since when, and since when there is one."""

    body: dict[str, Any]
    at: float
    born: float


class Sight:
    """A watch of every kind; use `sight()` to get one."""

    def __init__(self) -> None:
        self.objects: dict[fleet.Name, Seen] = {}
        self.hot: set[str] = set()
        """LLMDeployments that say so."""
        self.available: set[str] = set()
        """Deployments whose pods all are."""
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._news_at = time.monotonic()

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Returns with the piece of news after which this holds."""
        if holds():
            return
        come = asyncio.get_running_loop().create_future()
        self._waiting.append((holds, come))
        try:
            await asyncio.wait_for(come, seconds)
        except TimeoutError:
            raise TimeoutError(f"not within {seconds:g} s: {what}") from None

    async def until_quiet(self, seconds: float = 0.3) -> None:
        """Returns when there has been no news for that long."""
        while (left := self._news_at + seconds - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)

    def uid(self, name: fleet.Name) -> str | None:
        """Which object has this name now."""
        seen = self.objects.get(name)
        return None if seen is None else str(seen.body["metadata"]["uid"])

    def version(self, name: fleet.Name) -> str:
        return str(self.objects[name].body["metadata"]["resourceVersion"])

    def take(self, event: dict[str, Any]) -> None:
        """Enters one event of the API server's."""
        now, body = time.monotonic(), event["object"]
        name = fleet.name_of(body)
        if event["type"] == "DELETED":
            del self.objects[name]
        else:
            is_same = self.uid(name) == body["metadata"]["uid"]
            self.objects[name] = Seen(body, now, self.objects[name].born if is_same else now)
        self._count(name, body.get("status") or {})
        self._news_at = now
        for holds, come in [each for each in self._waiting if each[0]()]:
            self._waiting.remove((holds, come))
            come.set_result(None)

    def _count(self, name: fleet.Name, status: dict[str, Any]) -> None:
        match name[0]:
            case "LLMDeployment":
                _enter(self.hot, name[1], is_in=status.get("phase") == "Hot")
            case "Deployment":
                is_in = status.get("availableReplicas", 0) == status.get("replicas", -1)
                _enter(self.available, name[1], is_in=is_in)


def _enter(names: set[str], name: str, *, is_in: bool) -> None:
    (names.add if is_in else names.discard)(name)


@asynccontextmanager
async def sight(cluster: Cluster, kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Sight]:
    """Sees all that happens to these kinds from now on, while the block lasts."""
    found = Sight()

    async def listed(look: Look) -> str:
        async for page in cluster.pages(look):
            version = str(page["metadata"]["resourceVersion"])
        return version

    async def follow(look: Look, version: str) -> None:
        try:
            async for event in cluster.watch(look, version, lambda: None):
                if event["type"] != "BOOKMARK":
                    found.take(event)
        except ApiError as error:
            # A server that has just started may not know its own past: nothing is there yet.
            if error.status != HTTPStatus.GONE or found.objects:
                raise
            await follow(look, await listed(look))
        raise RuntimeError(f"the watch of {look.kind} has ended: it should outlast the measurement")

    async with asyncio.TaskGroup() as group:
        tasks = []
        for api_version, kind in kinds:
            look = Look(api_version, kind, fleet.NAMESPACE, selector="")
            tasks.append(group.create_task(follow(look, await listed(look))))
        yield found
        for task in tasks:
            task.cancel()
