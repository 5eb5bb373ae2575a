"""From `kubectl apply` to an answer through the Service."""

import json
from collections.abc import Iterator

import pytest

from bed import models
from bed.cluster import Cluster
from bed.layout import Bed
from bed.registry import Registry
from cluster.operator.clients import ask
from cluster.operator.resource import Resource
from support.manifests import Json

GPU = "nvidia.com/gpu"


@pytest.fixture
def gpus(bed: Bed, cluster: Cluster) -> Iterator[None]:
    """Nodes that have GPUs, as far as the scheduler knows."""
    path = f"/status/capacity/{GPU.replace('/', '~1')}"
    for node in bed.nodes():
        patch_node(cluster, node.name, {"op": "add", "path": path, "value": "4"})
    yield
    for node in bed.nodes():
        patch_node(cluster, node.name, {"op": "remove", "path": path})


@pytest.mark.usefixtures("gpus")
def test_one_on_a_gpu_becomes_hot_and_answers(
    bed: Bed, resource: Resource, simulator: Json
) -> None:
    resource.apply(simulator | {"gpu": {"count": 1, "memoryBudget": "20Gi"}})
    resource.until_hot(seconds=90)
    assert ask(bed, resource)["eval_count"] == 3

    status = resource.status()
    assert status["hot"] == "1/1"
    assert status["endpoint"] == f"http://{resource.name}.{resource.namespace.name}.svc:11434"
    assert status["model"]["contextLength"]
    assert status["gpu"]["vramBytes"] > 10**9
    assert status["gpu"]["offload"] == "100%"
    assert status["latency"]["firstTokenP50Seconds"]
    assert status["latency"]["coldStart"]["loadSeconds"] > 1
    (pod,) = status["pods"]
    assert (pod["heat"], pod["reason"]) == ("Hot", "Hot")
    assert resource.events()["Hot"] == 1
    for kind in ("Accepted", "Progressing", "Hot", "Available", "OnDevice"):
        assert resource.condition(kind)["status"] == "True", kind
    resource.until_condition("Routed", "True", "Reached")


def test_the_real_ollama_pulls_loads_and_answers(
    bed: Bed, resource: Resource, real_ollama: Json, source: Registry
) -> None:
    resource.apply(real_ollama | {"model": source.put("kept", models.tiny())})
    resource.until_hot(seconds=120)
    assert ask(bed, resource)["eval_count"] == 3

    status = resource.status()
    assert status["model"]["digest"].startswith("sha256:")
    assert status["latency"]["coldStart"]["pullSeconds"]
    assert resource.events()["Hot"] == 1
    resource.until_condition("Routed", "True", "Reached")


def patch_node(cluster: Cluster, node: str, change: Json) -> None:
    patch = json.dumps([change])
    cluster.kubectl(
        "patch", "node", node, "--subresource=status", "--type=json", f"--patch={patch}"
    )
