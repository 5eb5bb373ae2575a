"""Operators for the stories: on the bed, each with a namespace of its own to look after."""

import json
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from bed import fakes, images, lifecycle, machine, ollama, registry
from bed.cluster import Cluster, Namespace, wait_for
from bed.images import Image
from bed.layout import Bed
from bed.registry import Registry
from cluster.operator import api_proxy
from cluster.operator.api_proxy import ApiProxy
from cluster.operator.bad_day import GPU
from cluster.operator.installation import Installation, fresh_namespace, installed
from cluster.operator.resource import Resource, on_a_fake_node
from cluster.operator.rights import everywhere
from nvml.library import NAME, stub_folder
from stoker_api.crd import custom_resource_definition
from support.manifests import Json

FAKE_NODES = 2

SIMULATED = "phi3:mini"

# On a fake node nobody looks at the sidecar.
PRETENDED_SIDECAR = "localhost/stoker-sidecar:pretended"

# The addresses that KWOK gives to pods. That nobody is there is better said than found out slowly.
FAKE_PODS = "10.0.0.0/16"


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> None:
    """The LLMDeployment API as it is now, and what operators and sidecars may do."""
    for manifest in (custom_resource_definition(), *everywhere()):
        apply = ("apply", "--server-side", "--force-conflicts", "--filename=-")
        cluster.kubectl(*apply, stdin=json.dumps(manifest))
    cluster.kubectl("wait", "--for=condition=Established", "crd/llmdeployments.stoker.dev")
    wait_for(lambda: cluster.kubectl("get", "llmd", "--all-namespaces"))


@pytest.fixture(scope="session")
def fake_nodes(bed: Bed, cluster: Cluster) -> None:
    """Nodes that only pretend: a pod there is Ready at once, its gate open, and nobody runs it."""
    fakes.add_fake_nodes(bed, FAKE_NODES)
    nodes = [f"node/fake-{number}" for number in range(1, FAKE_NODES + 1)]
    cluster.kubectl("wait", "--for=condition=Ready", *nodes)
    for node in bed.nodes():
        machine.run_in(node, f"ip route replace unreachable {FAKE_PODS}")


@pytest.fixture(scope="session")
def real_sidecar(bed: Bed) -> str:
    """The image of the sidecar as it is now, on every node."""
    return provided(bed, images.project_image("sidecar"))


@pytest.fixture(scope="session")
def simulator(bed: Bed, real_sidecar: str) -> Json:
    """A spec whose pods run a simulator of Ollama, with a GPU and a model that it knows."""
    options = f"--model {SIMULATED} --gpu-memory 24GiB --control-port 11435"
    server = {
        "image": provided(bed, images.project_image("simulator")),
        "env": [{"name": "STOKER_SIMULATOR", "value": options}],
    }
    return {"model": SIMULATED, "server": server, "sidecar": {"image": real_sidecar}}


@pytest.fixture(scope="session")
def real_ollama(bed: Bed, real_sidecar: str) -> Json:
    """What a spec has whose pods run the real Ollama; the test adds a model of its registry."""
    image = images.ollama_image(ollama.ollama_program(), ollama.VERSION)
    return {
        "server": {"image": provided(bed, image)},
        "sidecar": {"image": real_sidecar},
        "storage": {"emptyDir": {}, "insecureRegistry": True},
    }


@pytest.fixture(scope="module")
def shared_gpus(bed: Bed, cluster: Cluster) -> Iterator[None]:
    """Nodes that have GPUs, as far as the scheduler knows, of a kind that is for these tests."""
    path = f"/status/capacity/{GPU.replace('/', '~1')}"
    for node in bed.nodes():
        patch_node(cluster, node.name, {"op": "add", "path": path, "value": "8"})
    yield
    for node in bed.nodes():
        patch_node(cluster, node.name, {"op": "remove", "path": path})


def patch_node(cluster: Cluster, node: str, change: dict[str, str]) -> None:
    patch = json.dumps([change])
    cluster.kubectl(
        "patch", "node", node, "--subresource=status", "--type=json", f"--patch={patch}"
    )


@pytest.fixture
def source(bed: Bed) -> Iterator[Registry]:
    """A registry that the pods reach."""
    with registry.running(machine.listen(bed.control_plane)) as source:
        yield source


def provided_with_gpu(bed: Bed) -> tuple[str, str]:
    """Simulator and sidecar that find GPUs, by a stub of NVIDIA's driver."""
    driver = stub_folder() / NAME
    simulator, sidecar = (
        provided(bed, images.with_gpu(images.project_image(name), driver))
        for name in ("simulator", "sidecar")
    )
    return simulator, sidecar


def provided(bed: Bed, image: Image) -> str:
    lifecycle.provide(bed, image)
    return image.tag


@pytest.fixture(scope="session")
def shared(
    bed: Bed,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    api: None,  # noqa: ARG001
) -> Iterator[Installation]:
    """An operator for all stories that need none of their own."""
    folder = tmp_path_factory.mktemp("operator")
    with (
        fresh_namespace(cluster, "stories") as namespace,
        installed(bed, [namespace], folder, PRETENDED_SIDECAR) as installation,
    ):
        installation.started()
        yield installation


@pytest.fixture
def named(shared: Installation, fake_nodes: None) -> Iterator[Callable[[str], Resource]]:  # noqa: ARG001
    """LLMDeployments by their names, for the test to apply."""
    shared.started_again_if_ended()  # a test before may have taken the API server away
    made: list[Resource] = []
    prefix = f"t{uuid.uuid4().hex[:5]}"

    def make(name: str) -> Resource:
        made.append(Resource(shared.home, f"{prefix}-{name}", shared.settings))
        return made[-1]

    yield make
    names = [each.name for each in made]
    shared.home.kubectl("delete", "llmd", "--ignore-not-found", "--wait=false", *names)


@pytest.fixture
def resource(named: Callable[[str], Resource]) -> Resource:
    """An LLMDeployment, for the test to apply."""
    return named("phi3")


@pytest.fixture
def hot(resource: Resource) -> Resource:
    """An LLMDeployment with a hot pod on a fake node."""
    resource.apply(on_a_fake_node())
    resource.until_hot()
    return resource


@pytest.fixture
def installation(
    bed: Bed,
    namespace: Namespace,
    tmp_path: Path,
    api: None,  # noqa: ARG001
    fake_nodes: None,  # noqa: ARG001
) -> Iterator[Installation]:
    """A namespace without an operator; the test starts its own."""
    with installed(bed, [namespace], tmp_path, PRETENDED_SIDECAR) as installation:
        yield installation


@pytest.fixture
def own(installation: Installation) -> Resource:
    """An LLMDeployment in that namespace, for the test to apply."""
    return Resource(installation.home, "phi3", installation.settings)


@pytest.fixture
def proxy(bed: Bed) -> Iterator[ApiProxy]:
    """A way to the API server on which things go wrong when the test says so."""
    with api_proxy.running(bed) as proxy:
        yield proxy


@pytest.fixture
def other_namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A second namespace for the test."""
    with fresh_namespace(cluster, "other") as namespace:
        yield namespace


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts what became of the LLMDeployment, and what operators logged, beside every failure."""
    report = yield
    if report.failed:
        for found in getattr(item, "funcargs", {}).values():
            if isinstance(found, Resource):
                report.sections.append((f"llmdeployment {found.name}", found.report()))
            if isinstance(found, Installation):
                report.sections += found.report()
    return report
