"""One size: the fleet is made, is at rest, changes, and sees its operator restarted."""

import asyncio
from contextlib import AsyncExitStack

from bench.scale import fleet, latencies, rows
from bench.scale.order import Order
from bench.scale.program import operator
from bench.scale.sight import sight
from bench.table import note

from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access


async def main() -> None:
    """Measures, in the order in which things happen to a fleet."""
    order = Order.told()
    print(f"\n{order.size} LLMDeployments", flush=True)
    logs = order.bed.folder / "logs"
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(
            Cluster.connect(Access(str(order.bed.pki / "admin.kubeconfig")))
        )
        seen = await stack.enter_async_context(sight(cluster, fleet.kinds()))
        at = latencies.Scene(order, cluster, seen)
        async with operator(order.bed, logs / "operator.log") as running:
            await running.until_started()
            await rows.converging(at, running)
            await latencies.changes(at)
            await running.until_at_rest()
            await rows.quiet(at)
            rows.memory("peak memory", running)
            _tell_warnings(running.warnings())
        await rows.restart(at, logs / "operator-again.log")
        await rows.changed_while_down(at, logs / "operator-back.log")


def _tell_warnings(warnings: list[str]) -> None:
    for sentence in warnings:
        note(f"the operator warned: {sentence}")


if __name__ == "__main__":
    asyncio.run(main())
