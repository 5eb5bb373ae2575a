"""How soon the operator acts on one change while all else is at rest."""

import os
import time
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass

from bench.scale import fleet
from bench.scale.order import Order
from bench.scale.sight import Sight
from bench.scale.usage import Usage
from bench.table import note, row

from stoker_api.resource import API_VERSION, KIND
from stoker_operator.cluster import Cluster


@dataclass(frozen=True)
class Scene:
    """What every measurement needs."""

    order: Order
    cluster: Cluster
    seen: Sight

    async def at_rest(self, name: str) -> None:
        """Returns when this LLMDeployment is hot, and nothing happens anywhere."""
        await self.seen.until(lambda: name in self.seen.hot, f"{name} is hot")
        await self.seen.until_quiet()


async def changes(at: Scene) -> None:
    """Every kind of change, one at a time."""
    before, began = Usage.now(at.order.bed), time.monotonic()
    plain = [1000 * await _plain_apply(at, number) for number in range(at.order.samples)]
    _told("a plain apply by itself (peer)", plain, (None, None))
    made = [1000 * each async for each in _creations(at)]
    _told("create -> all children", made, (50, 90))
    changed = [1000 * each async for each in _changes_of_a_field(at)]
    _told("field -> child", changed, (None, 50))
    returned = [1000 * each async for each in _deletions(at)]
    _told("deleted child -> back", returned, (None, 60))
    others = Usage.now(at.order.bed).since(before).of_others(0.0)
    cores = others / (time.monotonic() - began)
    note(f"meanwhile the operator and others kept {cores:.1f} of {os.cpu_count()} cores busy")


def _told(what: str, milliseconds: list[float], limits: tuple[float | None, float | None]) -> None:
    ordered = sorted(milliseconds)
    remark = f"of {len(ordered)}; slowest {ordered[-1]:.4g}"
    row(f"{what}, p50", ordered[len(ordered) // 2], "ms", limits[0])
    row(f"{what}, p95", ordered[len(ordered) * 95 // 100], "ms", limits[1], remark)


async def _plain_apply(at: Scene, number: int) -> float:
    """What one write takes at this moment, on this machine, from this client."""
    metadata = {"name": "plain", "namespace": fleet.NAMESPACE}
    data = {"number": str(number)}
    began = time.monotonic()
    await at.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )
    took = time.monotonic() - began
    await at.seen.until_quiet()
    return took


async def _creations(at: Scene) -> AsyncIterator[float]:
    for number in range(at.order.samples):
        manifest = fleet.manifest(f"sample-{number}")
        children = fleet.wanted(manifest).keys()
        made = await at.cluster.create(manifest)
        answered = time.monotonic()
        await at.seen.until(lambda: children <= at.seen.objects.keys(), "all children")  # noqa: B023
        yield max(at.seen.objects[child].born for child in children) - answered
        await at.at_rest(made["metadata"]["name"])


async def _changes_of_a_field(at: Scene) -> AsyncIterator[float]:
    for number in range(at.order.samples):
        change = await Change.made(at, f"sample-{number}", f"{600 + number}ms")
        await at.seen.until(change.is_there, "the changed child")
        yield change.came() - change.answered
        await at.seen.until_quiet()


async def _deletions(at: Scene) -> AsyncIterator[float]:
    """Of every kind but the Deployment: with that go its pods."""
    for number in range(at.order.samples):
        resource = at.seen.objects[KIND, f"sample-{number}"].body
        children = [name for name in fleet.wanted(resource) if name[0] != "Deployment"]
        child = children[number % len(children)]
        before = at.seen.uid(child)
        await at.cluster.delete(at.seen.objects[child].body)
        answered = time.monotonic()
        await at.seen.until(lambda: at.seen.uid(child) not in (before, None), f"{child} again")  # noqa: B023
        yield at.seen.objects[child].born - answered
        await at.seen.until_quiet()


@dataclass(frozen=True)
class Change:
    """A field that was changed, and the objects that are to change with it."""

    seen: Sight
    versions: dict[fleet.Name, str]
    """Those objects, as they were."""
    answered: float

    @classmethod
    async def made(cls, at: Scene, name: str, interval: str) -> "Change":
        """Gives an LLMDeployment another heartbeat, which restarts nothing."""
        before = await at.cluster.get(API_VERSION, KIND, fleet.NAMESPACE, name)
        if before is None:
            raise RuntimeError(f"{name} has gone")
        after = deepcopy(before)
        after["spec"]["heartbeat"]["interval"] = interval
        was, will_be = fleet.wanted(before), fleet.wanted(after)
        versions = {child: at.seen.version(child) for child in was if was[child] != will_be[child]}
        await at.cluster.replace(after)
        return cls(at.seen, versions, time.monotonic())

    def is_there(self) -> bool:
        """Whether all of them have changed."""
        return all(self.seen.version(name) != before for name, before in self.versions.items())

    def came(self) -> float:
        """When the last of them did."""
        return max(self.seen.objects[name].at for name in self.versions)
