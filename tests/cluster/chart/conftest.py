"""Releases of the chart on the bed, each with a namespace of its own to look after."""

from collections.abc import Generator, Iterator

import pytest

from bed import images, lifecycle
from bed.cluster import Namespace
from bed.layout import Bed
from cluster.chart.release import Release, released
from cluster.operator.resource import Resource
from support.manifests import Json

SIMULATED = "phi3:mini"


@pytest.fixture(scope="session")
def values(bed: Bed) -> Json:
    """The images of this tree, given to the nodes, and a model for `helm test`."""
    return values_for(bed)


@pytest.fixture(scope="session")
def simulator(values: Json) -> Json:
    """A spec whose pods run a simulator of Ollama."""
    spec: Json = values["test"]["spec"]
    return spec


@pytest.fixture
def release(namespace: Namespace, values: Json) -> Iterator[Release]:
    """A release for the test to install, in a namespace that the operator looks after alone."""
    # Other tests' LLMDeployments, and those of people, are not its business.
    yield from released(namespace, values | {"watchNamespaces": [namespace.name]})


def values_for(bed: Bed) -> Json:
    tags = {target: tag(bed, target) for target in ("operator", "sidecar", "simulator")}
    server = {
        "image": f"localhost/stoker-simulator:{tags['simulator']}",
        "env": [{"name": "STOKER_SIMULATOR", "value": f"--model {SIMULATED} --gpu-memory 24GiB"}],
    }
    return {
        "operator": {"image": {"tag": tags["operator"]}},
        "sidecar": {"image": {"tag": tags["sidecar"]}},
        "test": {"spec": {"model": SIMULATED, "server": server}},
    }


def tag(bed: Bed, target: str) -> str:
    image = images.project_image(target)
    lifecycle.provide(bed, image)
    return image.tag.rpartition(":")[2]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts what operators logged, and what became of the LLMDeployment, beside every failure."""
    report = yield
    if report.failed:
        for found in getattr(item, "funcargs", {}).values():
            if isinstance(found, Release | Resource):
                report.sections.append((f"{type(found).__name__} {found.name}", found.report()))
    return report
