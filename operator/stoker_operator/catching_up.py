"""How an operator that starts comes to what has changed meanwhile before it has read all the rest.

To read everything takes seconds where there are thousands of objects. What an LLMDeployment that
has changed needs of that can be asked for by its name.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from stoker_api.resource import API_VERSION, KIND
from stoker_operator.cluster import Cluster, Look
from stoker_operator.watching import Watcher
from stoker_operator.world import RESOURCE, Change, Key, World, is_settled

Process = Callable[[Key], Awaitable[None]]
"""One pass."""

_MOST = 100
"""So many names fit into a request. Where more have changed, the others come with all the rest."""
_AT_ONCE = 8


async def catch_up(
    cluster: Cluster,
    namespaces: Collection[str],
    watchers: Collection[Watcher],
    world: World,
    process: Process,
) -> None:
    """Makes a pass for each LLMDeployment that has changed since its status was told.

    One that fails keeps no other from being made. The queue makes all of them again, and says so
    of what fails then.
    """
    changes = [change async for change in _changes(cluster, namespaces)][:_MOST]
    seen = {key: change for change in changes if (key := world.see(change))}
    if not seen:
        return
    names = {name for _, name in seen}
    places = asyncio.Semaphore(_AT_ONCE)

    async def make(key: Key) -> None:
        async with places:
            await process(key)

    try:
        await asyncio.gather(*(watcher.look_ahead(names) for watcher in watchers))
        await asyncio.gather(*map(make, seen), return_exceptions=True)
    finally:
        # They are for kopf to tell of: it would not tell of the end of one that goes before.
        for key, change in seen.items():
            world.forget(key, change.body["metadata"]["uid"])


async def _changes(cluster: Cluster, namespaces: Collection[str]) -> AsyncIterator[Change]:
    for namespace in namespaces or (None,):
        async for page in cluster.pages(Look(API_VERSION, KIND, namespace, selector="")):
            for found in page["items"]:
                change = Change(RESOURCE, found)
                if not is_settled(change):
                    yield change
