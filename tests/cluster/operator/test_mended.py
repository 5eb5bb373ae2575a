"""What an LLMDeployment should have is there again when somebody takes it away or changes it."""

import json

import pytest

from bed.cluster import Manifest
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node

LABEL = "stoker.dev/llmdeployment"
CLAIM = "PersistentVolumeClaim"

# One change of each kind of child, in a field that the operator sets.
EDITS: dict[str, Manifest] = {
    "ConfigMap": {"data": {"heat.json": "{}"}},
    "Deployment": {"spec": {"replicas": 4, "template": {"spec": {"shareProcessNamespace": None}}}},
    "PersistentVolumeClaim": {"metadata": {"labels": {"app.kubernetes.io/name": "other"}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 3}},
    "RoleBinding": {"subjects": None},
    "Service": {"spec": {"type": "NodePort", "selector": {LABEL: "other"}}},
    "ServiceAccount": {"automountServiceAccountToken": True},
}


@pytest.fixture
def kept(resource: Resource) -> Resource:
    """An LLMDeployment with a child of each kind."""
    claim = {"storage": {"volumeClaim": {"size": "1Gi", "accessMode": "ReadWriteMany"}}}
    seeded = {**claim["storage"], "pullPolicy": "Never"}
    resource.apply(on_a_fake_node({"storage": seeded, "disruption": {"minHot": 1}}))
    resource.until_applied()
    assert {kind for kind, _ in resource.children()} == EDITS.keys()
    return resource


def test_a_child_that_is_deleted_is_back(hot: Resource) -> None:
    before = hot.children()
    for kind, name in before:
        hot.namespace.kubectl("delete", kind, name, "--wait=false")
    hot.until_hot()
    after = hot.children()
    assert not {uid(each) for each in before.values()} & {uid(each) for each in after.values()}


def test_a_child_that_is_edited_is_mended(kept: Resource) -> None:
    before = kept.children()
    for kind, name in before:
        patch = json.dumps(EDITS[kind])
        kept.namespace.kubectl("patch", kind, name, "--type=merge", f"--patch={patch}")
    kept.until_applied()
    assert {key: uid(each) for key, each in kept.children().items()} == {
        key: uid(each) for key, each in before.items()
    }


@pytest.mark.parametrize(
    "taken",
    [{"labels": {LABEL: None}}, {"ownerReferences": None}],
    ids=["its label", "its owner"],
)
def test_a_child_gets_back_what_it_is_known_by(kept: Resource, taken: Manifest) -> None:
    for kind, name in kept.children():
        if kind == CLAIM:
            continue  # it has no owner, and without the label either it would be a stranger
        patch = json.dumps({"metadata": taken})
        kept.namespace.kubectl("patch", kind, name, "--type=merge", f"--patch={patch}")
    kept.until_applied()


def test_what_others_add_stays(hot: Resource) -> None:
    (old,) = hot.pods()
    hot.namespace.kubectl("annotate", "service", hot.name, "example.com/mine=yes")
    hot.namespace.kubectl("rollout", "restart", f"deployment/{hot.name}")

    def is_replaced() -> None:
        assert old not in hot.pods()

    hot.namespace.wait_for(is_replaced)
    hot.until_hot()
    # A change of ours passes over both fields and leaves them alone.
    hot.merge({"spec": {"disruption": {"minHot": 1}, "keepAlive": 3600}})
    hot.until_hot()
    annotations = hot.child("Service")["metadata"]["annotations"]
    assert annotations["example.com/mine"] == "yes"
    template = hot.child("Deployment")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_what_is_no_longer_wanted_goes(hot: Resource) -> None:
    hot.merge({"spec": {"disruption": {"minHot": 1}}})
    hot.until_applied()
    assert hot.child("PodDisruptionBudget")
    hot.merge({"spec": {"disruption": None}})
    hot.until_applied()


def test_what_changed_while_no_operator_ran_is_made_good(
    installation: Installation, own: Resource
) -> None:
    operator = installation.started()
    own.apply(on_a_fake_node())
    own.until_hot()
    operator.stop()
    own.namespace.kubectl("delete", "service", own.name)
    own.namespace.kubectl("scale", f"deployment/{own.name}", "--replicas=3")
    own.merge({"spec": {"replicas": 2}})
    installation.started()
    own.until_hot(replicas=2)


def uid(found: Manifest) -> str:
    return str(found["metadata"]["uid"])
