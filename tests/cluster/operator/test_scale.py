"""Replicas, by every way in which people and autoscalers change them; suspend; pause."""

import json

from cluster.operator.resource import Resource

PAUSED = "stoker.dev/paused"


def test_kubectl_scale_changes_the_number_of_pods(hot: Resource) -> None:
    (first,) = hot.pods()
    hot.namespace.kubectl("scale", f"llmd/{hot.name}", "--replicas=3")
    hot.until_hot(replicas=3)
    assert first in hot.pods()
    hot.namespace.kubectl("scale", f"llmd/{hot.name}", "--replicas=1")
    hot.until_hot(replicas=1)


def test_an_autoscaler_finds_the_pods_and_sets_the_replicas(hot: Resource) -> None:
    path = (
        f"/apis/stoker.dev/v1alpha1/namespaces/{hot.namespace.name}/llmdeployments/{hot.name}/scale"
    )
    scale = json.loads(hot.namespace.kubectl("get", "--raw", path))
    assert scale["status"]["replicas"] == 1
    pods = hot.namespace.list("pods", scale["status"]["selector"])
    assert {pod["metadata"]["uid"] for pod in pods} == hot.pods().keys()

    scale["spec"]["replicas"] = 2
    hot.namespace.kubectl("replace", "--raw", path, "--filename=-", stdin=json.dumps(scale))
    hot.until_hot(replicas=2)


def test_a_suspended_one_has_no_pods_and_keeps_everything_else(hot: Resource) -> None:
    before = hot.children()
    hot.merge({"spec": {"suspend": True}})

    def is_suspended() -> None:
        status = hot.status()
        assert (status["phase"], status["hotReplicas"]) == ("Suspended", 0), status
        assert hot.pods() == {}

    hot.namespace.wait_for(is_suspended)
    hot.until_applied()
    assert hot.children().keys() == before.keys()
    hot.merge({"spec": {"suspend": False}})
    hot.until_hot()


def test_a_paused_one_is_not_touched_and_its_status_goes_on(hot: Resource) -> None:
    hot.annotate(f"{PAUSED}=true")
    paused = hot.until_condition("Progressing", "False", "Paused")
    assert PAUSED in paused["message"]

    hot.namespace.kubectl("scale", f"deployment/{hot.name}", "--replicas=2")
    hot.merge({"spec": {"disruption": {"minHot": 1}}})

    def goes_on() -> None:
        assert hot.status()["hotReplicas"] == 2

    hot.namespace.wait_for(goes_on)
    assert hot.child("Deployment")["spec"]["replicas"] == 2
    assert ("PodDisruptionBudget", hot.name) not in hot.children()

    hot.annotate(f"{PAUSED}-")
    hot.until_hot(replicas=1)


def test_a_restart_is_asked_for_with_an_annotation(hot: Resource) -> None:
    (old,) = hot.pods()
    hot.annotate("stoker.dev/restart=now")

    def is_replaced() -> None:
        assert old not in hot.pods()

    hot.namespace.wait_for(is_replaced)
    hot.until_hot()
