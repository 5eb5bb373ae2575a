"""Events on LLMDeployments: what happens again raises a count."""

import asyncio
from datetime import UTC, datetime, timedelta

from bed.cluster import Namespace
from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access
from stoker_operator.observed import Notice
from stoker_operator.recorder import Recorder

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOST = Notice("Warning", "HeatLost", "one-1 has lost its heat: Crashed", "one-1")


def test_a_pod_that_flaps_makes_one_event_with_a_count(namespace: Namespace, api: None) -> None:  # noqa: ARG001
    namespace.apply(
        {
            "apiVersion": "stoker.dev/v1alpha1",
            "kind": "LLMDeployment",
            "metadata": {"name": "one"},
            "spec": {"model": "tiny"},
        }
    )
    resource = namespace.get("llmd", "one")
    others = Notice("Warning", "HeatLost", "one-2 has lost its heat: Crashed", "one-2")

    async def happening() -> None:
        async with Cluster.connect(Access(namespace.cluster.kubeconfig)) as cluster:
            recorder = Recorder(cluster, "operator-1")
            for seconds in range(3):
                await recorder.record(resource, (LOST,), START + timedelta(seconds=seconds))
            await recorder.record(resource, (others,), START)

    asyncio.run(happening())
    flapping, single = sorted(namespace.list("events"), key=lambda event: -event["count"])
    assert (flapping["count"], single["count"]) == (3, 1)
    assert flapping["message"] == LOST.message
    assert flapping["firstTimestamp"] == "2026-01-02T03:04:05Z"
    assert flapping["lastTimestamp"] == "2026-01-02T03:04:07Z"
    assert "HeatLost" in namespace.kubectl("describe", "llmd", "one")
