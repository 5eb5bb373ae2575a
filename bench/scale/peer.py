"""The peer: the same objects, written by a plain loop over the same client, without the operator.

What this takes of the API server, of etcd and of the controllers is Kubernetes' own price, and what
it takes itself is the least that a Python program can.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bench.scale import fleet
from bench.scale.order import Order
from bench.scale.sight import sight
from bench.scale.usage import Usage, until_calm
from bench.table import note

from stoker_api.reading import read
from stoker_api.resource import API_VERSION, KIND
from stoker_api.status import Status
from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access
from stoker_operator.desired.marks import marked
from stoker_operator.observed import Seen, observed

WORKERS = 8
"""As many as the operator has."""


@dataclass(frozen=True)
class Price:
    """What the plain loop cost."""

    writes: int
    seconds: float
    cluster_cpu_seconds: float
    own_cpu_seconds: float


async def main() -> None:
    """Writes it all, and notes what it took."""
    order = Order.told()
    async with (
        Cluster.connect(Access(str(order.bed.pki / "admin.kubeconfig"))) as cluster,
        sight(cluster, [("apps/v1", "Deployment")]) as seen,
    ):
        await until_calm(order.bed)
        before, began = Usage.now(order.bed), time.monotonic()
        names = [f"m-{number}" for number in range(order.size)]
        resources = await fleet.create(cluster, names)
        limit = asyncio.Semaphore(WORKERS)

        async def one(resource: fleet.Manifest) -> int:
            async with limit:
                return await _write(cluster, resource)

        own = time.process_time()
        writes = sum(await asyncio.gather(*map(one, resources)))
        own = time.process_time() - own
        await seen.until(lambda: len(seen.available) == order.size, "pods for all", 600)
        usage = Usage.now(order.bed).since(before)
        price = Price(writes, time.monotonic() - began, usage.of_cluster, own)
        order.peer.write_text(json.dumps(asdict(price)))
        note(f"peer, {order.size}: {price.seconds:.1f} s, CPU {usage.told(0.0)}")
        note(f"  its own loop: {1000 * own / writes:.2f} ms CPU for each of {writes} writes")


async def _write(cluster: Cluster, resource: fleet.Manifest) -> int:
    """Applies the objects of one, and its status twice; how many writes that were."""
    children = list(map(marked, fleet.wanted(resource).values()))
    await asyncio.gather(*map(cluster.apply, children))
    for phase in ("Pending", "Hot"):
        await cluster.apply(_status(resource, phase), subresource="status")
    return len(children) + 2


def _status(resource: fleet.Manifest, phase: str) -> Mapping[str, Any]:
    now = datetime.now(UTC)
    status = observed(read(resource), Status(), Seen(None, None, (), {}), now).status.as_json()
    metadata = {name: resource["metadata"][name] for name in ("name", "namespace", "uid")}
    ours = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
    return {**ours, "status": {**status, "phase": phase}}


if __name__ == "__main__":
    asyncio.run(main())
