"""The status page, in a real browser, of an operator that looks after real pods."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import machine
from bed.cluster import Cluster
from bed.layout import Bed
from cluster.hot_pods import name_of, runner_of
from cluster.operator.bad_day import GPU, HEATING_SECONDS, MODEL
from cluster.operator.conftest import provided_with_gpu
from cluster.operator.installation import Installation, fresh_namespace, installed
from cluster.operator.resource import Resource
from support.browser import Page, browsing
from support.manifests import Json

IMAGES = Path(__file__).parents[3] / "docs/images"
PHASES = {
    "chat": "Hot",
    "cramped": "Hot",
    "huge": "Pending",
    "old": "Suspended",
    "wrong": "Blocked",
}


class Cast:
    """Five LLMDeployments: of two the pods are hot, and each other has its own reason not to be."""

    def __init__(self, installation: Installation, server_image: str) -> None:
        self.installation = installation
        self.server_image = server_image
        self.chat = self.applied(
            "chat", "24GiB", replicas=2, gpu={"count": 1, "memoryBudget": "20Gi"}
        )
        self.cramped = self.applied("cramped", "3GiB", gpu={"count": 1})
        self.wrong = self.applied("wrong", "24GiB", digest=f"sha256:{'0' * 64}")
        self.huge = self.applied("huge", "24GiB", gpu={"count": 16})
        self.old = self.applied("old", "24GiB", suspend=True)

    def applied(self, name: str, gpu_memory: str, **spec: Json | int | str) -> Resource:
        options = f"--gpu-memory {gpu_memory} --nvml-state /run/stoker/nvml.json"
        if isinstance(gpu := spec.get("gpu"), dict):
            gpu["resourceName"] = GPU
        environment = [{"name": "STOKER_SIMULATOR", "value": options}]
        server = {"image": self.server_image, "env": environment}
        found = Resource(self.installation.home, name, self.installation.settings)
        found.apply({"model": MODEL, "server": server} | spec)
        return found


@pytest.fixture(scope="module")
def cast(
    bed: Bed,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    api: None,  # noqa: ARG001
    shared_gpus: None,  # noqa: ARG001
) -> Iterator[Cast]:
    server, sidecar = provided_with_gpu(bed)
    folder = tmp_path_factory.mktemp("page")
    with (
        fresh_namespace(cluster, "page") as namespace,
        installed(bed, [namespace], folder, sidecar) as installation,
    ):
        installation.started("--page=127.0.0.1:0")
        cast = Cast(installation, server)
        cast.chat.until_hot(2, HEATING_SECONDS)
        cast.cramped.until_condition("OnDevice", "False", "PartlyOnCPU", seconds=HEATING_SECONDS)
        cast.wrong.until_condition(
            "Progressing", "False", "DigestMismatch", seconds=HEATING_SECONDS
        )
        cast.huge.until_condition("Progressing", "False", "Unschedulable")
        cast.old.until_condition("Hot", "False", "Suspended")
        yield cast


@pytest.fixture
def tab(bed: Bed, cast: Cast, tmp_path: Path) -> Iterator[Page]:
    """The page, with a line for each; the browser runs where the operator does."""
    node = bed.nodes()[0]
    (operator,) = cast.installation.operators
    (url,) = [each["url"] for each in operator.lines() if "url" in each]
    with browsing(tmp_path, lambda argv: machine.inside(node, argv)) as browser:
        tab = browser.page()
        tab.look_like(1280, 640)
        tab.open(url)
        tab.until(f"document.querySelectorAll('.line').length === {len(PHASES)}")
        yield tab
        assert browser.complaints == []


def line(of: Resource) -> str:
    """The script that finds its line."""
    return f"document.querySelector('[href=\"#/{of.namespace.name}/{of.name}\"]')"


def keep(picture: bytes, name: str) -> None:
    """Puts a picture into the documentation, where that is wanted."""
    assert picture.startswith(b"\x89PNG")
    if os.environ.get("STOKER_UPDATE_IMAGES"):
        (IMAGES / f"{name}.png").write_bytes(picture)


def test_it_shows_every_llmdeployment_as_its_status_has_it(tab: Page, cast: Cast) -> None:
    script = "[...document.querySelectorAll('.line')].map(each => [each.querySelector('.name')"
    shown = tab.evaluate(f"{script}.textContent, each.querySelector('.mark').textContent])")
    assert dict(shown) == PHASES
    assert next(iter(shown)) == ["wrong", "Blocked"]
    for resource in (cast.chat, cast.cramped, cast.wrong, cast.huge):
        told = resource.status()
        text = tab.evaluate(f"{line(resource)}.textContent")
        messages = [each["message"] for each in told["conditions"]]
        assert any(message in text for message in messages), text
    assert " of 20.0 GiB" in tab.evaluate(f"{line(cast.chat)}.textContent")


def test_a_loss_of_heat_and_its_end_are_seen_as_they_happen(tab: Page, cast: Cast) -> None:
    tab.evaluate(f"{line(cast.chat)}.click()")
    tab.until("document.querySelectorAll('.pod').length === 2")
    lost = min(cast.chat.pods().values(), key=name_of)
    os.kill(runner_of(lost), signal.SIGKILL)
    hot = "document.querySelectorAll('.pod .head .mark.hot').length"
    tab.until(f"{hot} === 1")
    tab.until(f"{hot} === 2", HEATING_SECONDS)
    lanes = "[...document.querySelectorAll('.pod ol')].map(each => each.textContent)"
    tab.until(f"{lanes}.some(each => /Hot.*(RunnerGone|Crashed|Loading).*Hot/.test(each))")
    assert tab.evaluate("document.querySelectorAll('.starts tr').length") >= 3


def test_its_pictures_are_those_of_the_documentation(tab: Page, cast: Cast) -> None:
    tab.until("document.querySelectorAll('#phases button').length >= 4")
    keep(tab.picture(), "page")
    tab.look_like(390, 760, dark=True)
    keep(tab.picture(), "page-phone")
    tab.look_like(1280, 900)
    tab.evaluate(f"{line(cast.chat)}.click()")
    tab.until("document.querySelectorAll('.pod .past').length >= 2")
    keep(tab.picture(), "page-one")
