"""What can be in the way is said, in the words of who knows, and is no trouble once it is gone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bed import models
from bed.cluster import Cluster, KubectlError, Namespace
from bed.registry import Fault, Registry
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node
from support.manifests import Json, merged

# More than a registry is asked for while it is down.
MANY_ANSWERS = 1000

# Its answers take minutes.
SLOW: Json = {
    "server": {
        "env": [
            {
                "name": "STOKER_SIMULATOR",
                "value": "--model phi3:mini --gpu-memory 24GiB --speed 0.02",
            }
        ]
    }
}

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {{name: tight}}
spec: {{hard: {{{what}: "0"}}}}
"""

NO_NODE_PORTS = "no node ports here"
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [services]}}
  validations:
  - {{expression: "object.spec.type != 'NodePort'", message: {message}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}
"""


# --- of Kubernetes: on fake nodes -----------------------------------------------------------------


@pytest.mark.parametrize("what", ["pods", pytest.param("services", marks=pytest.mark.slow)])
def test_a_quota_that_is_used_up(installation: Installation, own: Resource, what: str) -> None:
    installation.started()
    namespace = own.namespace
    namespace.apply(QUOTA.format(what=what))
    namespace.wait_for(lambda: assert_counted(namespace))
    own.apply(on_a_fake_node())
    own.until_condition("Progressing", "False", "QuotaExceeded", "exceeded quota", "tight")
    namespace.kubectl("delete", "resourcequota", "tight")
    own.until_hot(seconds=90)


def test_a_volume_that_does_not_come(resource: Resource, cluster: Cluster) -> None:
    claim = {"size": "1Gi", "accessMode": "ReadWriteMany"}
    resource.apply(on_a_fake_node({"storage": {"volumeClaim": claim, "pullPolicy": "Never"}}))
    name = f"{resource.name}-models"
    resource.until_condition("Progressing", "False", "ClaimPending", name)
    volume = volume_for(resource.namespace, name)
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(volume))
    try:
        resource.until_hot(seconds=60)
    finally:
        cluster.kubectl("delete", "persistentvolume", volume["metadata"]["name"], "--wait=false")


def test_gpus_that_no_node_has(resource: Resource) -> None:
    gpu = {"count": 3, "resourceName": "example.com/gpu"}
    resource.apply(on_a_fake_node({"gpu": gpu}))
    resource.until_condition(
        "Progressing", "False", "Unschedulable", "Insufficient example.com/gpu"
    )
    resource.merge({"spec": {"gpu": None}})
    resource.until_hot(seconds=60)


def test_what_an_admission_policy_refuses(
    installation: Installation, own: Resource, cluster: Cluster
) -> None:
    installation.started()
    with no_node_ports(cluster, own.namespace):
        own.apply(on_a_fake_node({"routing": {"service": {"type": "NodePort"}}}))
        own.until_condition("Accepted", "False", "Refused", "Service phi3", NO_NODE_PORTS)
        own.merge({"spec": {"routing": {"service": {"type": "ClusterIP"}}}})
        own.until_hot(seconds=60)


# --- of pods: real ones ---------------------------------------------------------------------------


@pytest.mark.slow
def test_an_image_that_is_nowhere(resource: Resource, simulator: Json) -> None:
    nowhere = {"server": {"image": "localhost/nobody-built-this:1"}}
    resource.apply(merged(simulator, nowhere))
    condition = resource.until_condition(
        "Progressing", "False", "ImagePullBackOff", "localhost/nobody-built-this:1", seconds=120
    )
    assert "check the image's name" in condition["message"]
    resource.apply(simulator)
    resource.until_hot(seconds=120)


@pytest.mark.slow
def test_a_model_that_the_registry_does_not_have(
    resource: Resource, real_ollama: Json, source: Registry
) -> None:
    name = source.put("kept", models.tiny())
    resource.apply(real_ollama | {"model": name.replace("kept", "missing")})
    resource.until_condition("Progressing", "False", "ModelNotFound", "missing", seconds=120)
    assert resource.status()["phase"] == "Blocked"
    resource.apply(real_ollama | {"model": name})
    resource.until_hot(seconds=120)


@pytest.mark.slow
def test_a_registry_that_is_down_and_back(
    resource: Resource, real_ollama: Json, source: Registry
) -> None:
    name = source.put("kept", models.tiny())
    for _ in range(MANY_ANSWERS):
        source.inject("kept", Fault(status=503))
    resource.apply(real_ollama | {"model": name})

    def is_told() -> None:
        assert [pod["reason"] for pod in resource.status()["pods"]] == ["PullFailed"]

    resource.namespace.wait_for(is_told, seconds=60)
    source.mend("kept")
    resource.until_hot(seconds=180)


@pytest.mark.slow
def test_a_roll_out_that_takes_too_long(resource: Resource, simulator: Json) -> None:
    resource.apply(merged(simulator, SLOW | {"rollout": {"progressDeadline": "1m"}}))
    resource.until_condition(
        "Progressing", "False", "ProgressDeadlineExceeded", "(60s)", "WarmingUp", seconds=120
    )
    assert resource.status()["phase"] == "Warming"
    resource.apply(simulator)
    resource.until_hot(seconds=120)


@contextmanager
def no_node_ports(cluster: Cluster, namespace: Namespace) -> Iterator[None]:
    """No Service of the type NodePort is let into the namespace while the block lasts."""
    policy = POLICY.format(name=namespace.name, message=NO_NODE_PORTS)
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=policy)

    def is_in_force() -> None:
        assert NO_NODE_PORTS in complaint_about_a_node_port(namespace)

    try:
        namespace.wait_for(is_in_force)
        yield
    finally:
        cluster.kubectl("delete", "--filename=-", "--wait=false", stdin=policy)


def complaint_about_a_node_port(namespace: Namespace) -> str:
    try:
        namespace.kubectl("create", "service", "nodeport", "a", "--tcp=80", "--dry-run=server")
    except KubectlError as error:
        return str(error)
    return ""


def volume_for(namespace: Namespace, claim: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": claim},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "claimRef": {"namespace": namespace.name, "name": claim},
            "hostPath": {"path": "/nowhere"},
        },
    }


def assert_counted(namespace: Namespace) -> None:
    """Admission goes by a quota once its use is known."""
    assert namespace.get("resourcequota", "tight").get("status", {}).get("used")
