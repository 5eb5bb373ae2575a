"""A cluster for the tests: the bed, or the one that KUBECONFIG names."""

import os
import re
import uuid
from collections.abc import Generator, Iterator

import pytest

from bed import images, lifecycle, tools
from bed.cluster import Cluster, Namespace
from bed.layout import Bed

BED = Bed(os.environ.get("STOKER_BED", "bed"))
OWN_CLUSTER = os.environ.get("KUBECONFIG")

# What every namespace demands of its pods: the product has to run where this is the rule.
POD_SECURITY = "pod-security.kubernetes.io/enforce=restricted"


def pytest_report_header() -> str:
    """Says on which cluster the tests run, before they change anything there."""
    return f"cluster: KUBECONFIG={OWN_CLUSTER}" if OWN_CLUSTER else f"cluster: bed {BED.name!r}"


@pytest.fixture(scope="session")
def bed() -> Bed:
    """The bed, up; a test that needs the machines themselves runs on no other cluster."""
    if OWN_CLUSTER:
        pytest.skip("needs the bed, and KUBECONFIG names another cluster")
    lifecycle.up(BED, lifecycle.default_nodes())
    return BED


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster with at least one Ready node."""
    if OWN_CLUSTER:
        return Cluster(OWN_CLUSTER, "kubectl")
    up: Bed = request.getfixturevalue("bed")
    return Cluster(str(up.kubeconfig), str(tools.tool("kubectl")))


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace of the test's own, named after it, that is gone when it has ended."""
    test = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{test[:50].strip('-')}-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, POD_SECURITY)
    yield Namespace(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def python_image(request: pytest.FixtureRequest) -> str:
    """An image with Python in it, for the pods that tests look from."""
    if OWN_CLUSTER:
        return os.environ.get("STOKER_PYTHON_IMAGE", "python:3.13-slim")
    image = images.base_image()
    lifecycle.provide(request.getfixturevalue("bed"), image)
    return image.tag


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts what the namespace holds beside every failure: after the test it is gone."""
    report = yield
    found = getattr(item, "funcargs", {}).get("namespace")
    if report.failed and isinstance(found, Namespace):
        report.sections.append((f"namespace {found.name}", found.report()))
    return report
