"""What `stoker render` prints, given to a real API server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bed.cluster import Cluster, KubectlError, Namespace
from stoker_api.reading import read
from stoker_api.resource import KIND, LLMDeployment
from stoker_operator.desired import Manifest, NetworkPolicySettings, Settings, desired

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SETTINGS = Settings("localhost/stoker-sidecar:none", network_policy=NetworkPolicySettings())
RUNTIME_CLASS = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "nvidia"},
    "handler": "nvidia",
}


@pytest.fixture
def runtime_class(cluster: Cluster) -> Iterator[None]:
    """The RuntimeClass that one example names; clusters with GPUs have it already."""
    if cluster.kubectl("get", "runtimeclass", "nvidia", "--ignore-not-found"):
        yield
        return
    cluster.kubectl("create", "--filename=-", stdin=json.dumps(RUNTIME_CLASS))
    yield
    cluster.kubectl("delete", "runtimeclass", "nvidia")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_without_a_warning_and_its_pods_are_admitted(
    example: Path,
    namespace: Namespace,
    runtime_class: None,  # noqa: ARG001
) -> None:
    resource = _example(example, namespace)
    objects = desired(resource, SETTINGS)
    for dry in (["--dry-run=server"], []):
        _apply(namespace, objects, *dry)

    def all_pods_are_there() -> None:
        pods = namespace.list("pods", f"stoker.dev/llmdeployment={resource.metadata.name}")
        assert len(pods) == resource.spec.replicas

    namespace.wait_for(all_pods_are_there)


def test_applying_again_changes_nothing(namespace: Namespace) -> None:
    objects = desired(_example(EXAMPLES[0], namespace), SETTINGS)
    _apply(namespace, objects)
    kinds = ",".join(each["kind"] for each in objects if each["kind"] != "Deployment")

    def versions() -> dict[str, str]:
        found = json.loads(namespace.kubectl("get", kinds, "--output=json"))["items"]
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
            for each in found
        } | {"generation": namespace.get("deployment", "enrich")["metadata"]["generation"]}

    before = versions()
    _apply(namespace, objects)
    assert versions() == before


def test_each_kind_that_render_can_make_is_in_an_example(namespace: Namespace) -> None:
    kinds = {
        each["kind"]
        for example in EXAMPLES
        for each in desired(_example(example, namespace), SETTINGS)
    }
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    }


def test_a_pod_that_asked_for_privilege_would_have_been_refused(namespace: Namespace) -> None:
    """The other tests' proof: here the namespace is really restricted."""
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "root", "image": "none"}]},
    }
    with pytest.raises(KubectlError, match="restricted"):
        namespace.apply(pod)


def _example(path: Path, namespace: Namespace) -> LLMDeployment:
    """The example's LLMDeployment, in the test's namespace."""
    (document,) = (each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == KIND)
    return read(document | {"metadata": document["metadata"] | {"namespace": namespace.name}})


def _apply(namespace: Namespace, objects: list[Manifest], *options: str) -> None:
    documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    apply = ("apply", "--server-side", "--warnings-as-errors", *options, "--filename=-")
    namespace.kubectl(*apply, stdin=documents)
