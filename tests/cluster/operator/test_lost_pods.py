"""Pods that are evicted, and nodes that are lost."""

import json

import pytest

from bed import machine
from bed.cluster import KubectlError
from bed.layout import Bed
from cluster.operator.clients import ask
from cluster.operator.resource import Resource
from support.manifests import Json

NODE_LOST_SECONDS = 120


def test_an_eviction_waits_for_another_hot_pod(hot: Resource) -> None:
    hot.merge({"spec": {"disruption": {"minHot": 1}}})
    hot.until_applied()
    (uid,) = hot.pods()
    hot.namespace.wait_for(lambda: assert_budget_is_known(hot))
    with pytest.raises(KubectlError, match="disruption budget"):
        evict(hot, uid)

    hot.merge({"spec": {"replicas": 2}})
    hot.until_hot(replicas=2)
    hot.namespace.wait_for(lambda: evict(hot, uid))

    def is_replaced() -> None:
        assert uid not in hot.pods()
        hot.assert_hot(replicas=2)

    hot.namespace.wait_for(is_replaced)
    assert "HeatLost" not in hot.events()


@pytest.mark.slow
def test_a_node_that_is_lost_and_comes_back(bed: Bed, resource: Resource, simulator: Json) -> None:
    lost = bed.nodes()[-1]  # the operator and the client are on the first
    apart = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
        }
    ]
    spec = {"replicas": 2, "podTemplate": {"topologySpreadConstraints": apart}}
    resource.apply(simulator | spec)
    resource.until_hot(replicas=2, seconds=120)
    machine.unplug(lost)
    try:

        def is_told() -> None:
            status = resource.status()
            assert (status["phase"], status["hotReplicas"]) == ("Degraded", 1), status
            (worst, _) = status["pods"]
            assert worst["node"] == lost.name

        resource.namespace.wait_for(is_told, NODE_LOST_SECONDS)
        assert ask(bed, resource)["eval_count"] == 3
    finally:
        machine.plug(lost)
    resource.until_hot(replicas=2, seconds=NODE_LOST_SECONDS)


def evict(resource: Resource, uid: str) -> None:
    """As `kubectl drain` does."""
    name = resource.pods()[uid]["metadata"]["name"]
    namespace = resource.namespace
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace.name},
    }
    path = f"/api/v1/namespaces/{namespace.name}/pods/{name}/eviction"
    namespace.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(eviction))


def assert_budget_is_known(resource: Resource) -> None:
    status = resource.child("PodDisruptionBudget").get("status", {})
    assert status.get("expectedPods") == 1
