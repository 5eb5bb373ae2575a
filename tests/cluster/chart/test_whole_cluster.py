"""The chart as it is by default, for all namespaces: on a bed that has never seen Stoker."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bed import lifecycle, policies
from bed.cluster import Cluster, Namespace
from bed.layout import Bed
from bed.tools import tool
from bed.watching import watching
from cluster.chart.conftest import values_for
from cluster.chart.release import Release
from cluster.chart.test_install import INSTALLED_SECONDS, assert_nothing_cooled
from cluster.hot_pods import HOT_SECONDS
from cluster.operator.clients import ask
from cluster.operator.installation import fresh_namespace
from cluster.operator.resource import Resource
from cluster.test_network_policy import CONNECT
from support.charts import HelmError
from support.manifests import Json

ROOT = Path(__file__).parents[3]
HOME = "stoker-system"
API = "crd/llmdeployments.stoker.dev"
OURS = "app.kubernetes.io/part-of=stoker"

# What belongs to no namespace, and stays for the models.
KINDS = ("clusterrole", "validatingadmissionpolicybinding", "validatingadmissionpolicy")
KEPT = {
    "clusterrole.rbac.authorization.k8s.io/stoker-sidecar",
    "customresourcedefinition.apiextensions.k8s.io/llmdeployments.stoker.dev",
    "validatingadmissionpolicy.admissionregistration.k8s.io/stoker-sidecar",
    "validatingadmissionpolicybinding.admissionregistration.k8s.io/stoker-sidecar",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole() -> Iterator[Bed]:
    """A bed of these tests' own: the operator looks after whatever is on it."""
    if os.environ.get("KUBECONFIG"):
        pytest.skip("needs a bed of its own, and KUBECONFIG names another cluster")
    bed = Bed("whole")
    try:
        lifecycle.up(bed, 1)
        yield bed
    finally:
        lifecycle.down(bed)


@pytest.fixture(scope="module")
def images(whole: Bed) -> Json:
    return values_for(whole)


@pytest.fixture
def stoker(whole: Bed, images: Json) -> Iterator[Release]:
    """A release by its usual name, not installed yet, on a cluster without the API."""
    cluster = Cluster(str(whole.kubeconfig), str(tool("kubectl")))
    release = Release(Namespace(cluster, HOME), "stoker", images)
    yield release
    release.remove()
    cluster.kubectl("delete", API, f"namespace/{HOME}", "--ignore-not-found")


@pytest.fixture
def llms(stoker: Release) -> Iterator[Namespace]:
    with fresh_namespace(stoker.namespace.cluster, "llms") as namespace:
        yield namespace


@pytest.fixture
def model(stoker: Release, llms: Namespace) -> Resource:
    """An LLMDeployment in another namespace than the operator's, for the test to apply."""
    return replace(stoker.resource("phi3"), namespace=llms)


def test_by_kubectl_alone_then_by_helm_and_without_either(
    whole: Bed, stoker: Release, llms: Namespace, model: Resource, tmp_path: Path
) -> None:
    kubectl = llms.cluster.kubectl
    manifest = install_manifest(tmp_path, stoker.values)
    kubectl("apply", "--server-side", f"--filename={manifest}")
    model.apply(stoker.values["test"]["spec"])
    model.until_hot(seconds=INSTALLED_SECONDS)
    with watching(llms, "pods") as pods:
        before = names_of_operators(stoker)
        kubectl("apply", "--server-side", f"--filename={manifest}")
        stoker.install()
        assert names_of_operators(stoker) == before
        model.merge({"spec": {"keepAlive": 3600}})
        model.until_hot()
        assert "hot, and it answers: " in stoker.helm("test", "--logs")

        stoker.helm("uninstall", "--wait")
        assert ask(whole, model)["eval_count"] == 3
    assert_nothing_cooled(pods)


def test_it_goes_by_kubectl_alone_and_at_last_altogether(
    whole: Bed, stoker: Release, llms: Namespace, model: Resource, tmp_path: Path
) -> None:
    """As docs/install.md says."""
    kubectl = llms.cluster.kubectl
    manifest = install_manifest(tmp_path, stoker.values)
    kubectl("apply", "--server-side", f"--filename={manifest}")
    model.apply(stoker.values["test"]["spec"])
    model.until_hot(seconds=INSTALLED_SECONDS)

    kubectl("delete", "clusterrolebinding,clusterrole", "stoker-operator")
    kubectl("delete", "namespace", HOME)
    assert ask(whole, model)["eval_count"] == 3
    assert remains(llms) == KEPT

    kubectl("delete", "llmd", "--all", "--all-namespaces")
    everywhere = ("--all-namespaces", f"--selector={OURS}", "--timeout=5m")
    kubectl("wait", "--for=delete", "deployments", *everywhere)
    kubectl("delete", API)
    kubectl("delete", ",".join(KINDS), f"--selector={OURS}")
    assert remains(llms) == set()
    llms.wait_for(lambda: assert_gone(llms))


def test_it_works_where_network_policies_are_enforced(
    whole: Bed, stoker: Release, llms: Namespace, model: Resource
) -> None:
    policies.enforce(whole)
    stoker.install({"networkPolicy": {"enabled": True}})
    model.apply(stoker.values["test"]["spec"])
    llms.wait_for(lambda: assert_the_sidecar_was_asked(model), HOT_SECONDS)
    assert "hot, and it answers: " in stoker.helm("test", "--logs")

    (pod,) = model.pods().values()
    operator, _ = stoker.operators()
    look = ("python3", "-c", CONNECT, operator["status"]["podIP"], "8080")
    llms.wait_for(lambda: assert_refused(llms.execute(pod["metadata"]["name"], *look)))


def test_models_from_the_values_stay_when_the_release_goes(
    whole: Bed, stoker: Release, llms: Namespace, model: Resource
) -> None:
    spec = stoker.values["test"]["spec"]
    with_model = {"llmDeployments": [{"name": "phi3", "namespace": llms.name, "spec": spec}]}
    llms.cluster.kubectl("create", "namespace", HOME)
    with pytest.raises(HelmError, match="ensure CRDs are installed first"):
        stoker.install(with_model)

    stoker.install()
    stoker.upgrade(values=with_model)
    model.until_hot(seconds=HOT_SECONDS)
    stoker.upgrade()
    stoker.helm("uninstall", "--wait")
    assert ask(whole, model)["eval_count"] == 3


def assert_refused(said: str) -> None:
    assert said.startswith("no: ")


def assert_the_sidecar_was_asked(model: Resource) -> None:
    """What only the sidecar knows is in the status."""
    assert model.status().get("latency", {}).get("firstTokenP50Seconds")


def names_of_operators(release: Release) -> set[str]:
    return {pod["metadata"]["name"] for pod in release.operators()}


def install_manifest(folder: Path, values: Json) -> Path:
    """What `make manifests` writes."""
    file = folder / "values.yaml"
    file.write_text(yaml.dump(values))
    environment = {**os.environ, "VALUES": str(file), "HELM": str(tool("helm"))}
    script = ROOT / "tools/manifests.sh"
    subprocess.run([script], env=environment, check=True, capture_output=True, timeout=60)
    return ROOT / "dist/install.yaml"


def remains(namespace: Namespace) -> set[str]:
    """What there is of Stoker in no namespace."""
    kinds = ",".join([*KINDS, "clusterrolebinding", "customresourcedefinition"])
    return set(namespace.kubectl("get", kinds, f"--selector={OURS}", "--output=name").split())


def assert_gone(namespace: Namespace) -> None:
    """Nothing of a model is there any more."""
    kinds = "all,configmap,serviceaccount,rolebinding"
    assert namespace.kubectl("get", kinds, f"--selector={OURS}", "--output=name") == ""
