"""Whatever is changed while clients ask: no error, and nobody waits for a model to be loaded.

The figures are logged (`--log-cli-level=info`).
"""

import logging
from collections.abc import Callable

import pytest

from bed import machine, models
from bed.layout import Bed
from bed.registry import Registry
from cluster.operator.clients import Answer, traffic
from cluster.operator.resource import Resource
from support.manifests import Json

_log = logging.getLogger(__name__)

# A model that is loaded first takes longer, with the simulator and with the big one of Ollama.
COLD_SECONDS = 1.0

ROLLED_SECONDS = 300

pytestmark = pytest.mark.slow


def restart(_: Bed, resource: Resource) -> None:
    roll(resource, lambda: resource.annotate("stoker.dev/restart=now"))


def change_the_image(bed: Bed, resource: Resource) -> None:
    image = resource.get()["spec"]["server"]["image"]
    for node in bed.nodes():
        machine.run_in(node, f"ctr --namespace=k8s.io images tag --force {image} {image}-newer")
    roll(resource, lambda: resource.merge({"spec": {"server": {"image": f"{image}-newer"}}}))


def scale_out_and_in(_: Bed, resource: Resource) -> None:
    for replicas in (3, 1, 2):
        resource.namespace.kubectl("scale", f"llmd/{resource.name}", f"--replicas={replicas}")
        resource.until_hot(replicas, seconds=ROLLED_SECONDS)


def roll(resource: Resource, change: Callable[[], None]) -> None:
    """Makes a change that replaces all pods, and waits until it has."""
    before = resource.pods().keys()
    change()

    def are_replaced() -> None:
        assert not before & resource.pods().keys()
        resource.assert_hot(replicas=2)

    resource.namespace.wait_for(are_replaced, seconds=ROLLED_SECONDS)


@pytest.mark.parametrize("change", [restart, change_the_image, scale_out_and_in])
def test_no_request_is_lost_or_cold(
    bed: Bed, resource: Resource, simulator: Json, change: Callable[[Bed, Resource], None]
) -> None:
    resource.apply(simulator | {"replicas": 2})
    resource.until_hot(replicas=2, seconds=180)
    with traffic(bed, resource) as clients:
        change(bed, resource)
    assert_all_were_served_hot(clients.answers)


def test_no_request_to_the_real_ollama_is_lost_or_cold(
    bed: Bed, resource: Resource, real_ollama: Json, source: Registry
) -> None:
    resource.apply(real_ollama | {"model": source.put("kept", models.big()), "replicas": 2})
    resource.until_hot(replicas=2, seconds=ROLLED_SECONDS)
    # Two processors compute the answers, and load the models of two more pods.
    with traffic(bed, resource, every_seconds=2) as clients:
        restart(bed, resource)
    assert_all_were_served_hot(clients.answers)


def test_no_gap_is_hidden_where_there_is_no_room_for_a_second_pod(
    resource: Resource, simulator: Json
) -> None:
    """`maxSurge: 0` cools the service, and the status says so beforehand."""
    rollout = {"maxSurge": 0, "maxUnavailable": 1}
    resource.apply(simulator | {"rollout": rollout})
    resource.until_hot(seconds=180)
    message = resource.condition("Progressing")["message"]
    assert "maxSurge" in message, message
    resource.annotate("stoker.dev/restart=now")

    def is_hot_again() -> None:
        assert resource.child("Deployment")["status"].get("updatedReplicas") == 1
        resource.assert_hot(replicas=1)

    resource.namespace.wait_for(is_hot_again, seconds=ROLLED_SECONDS)


def assert_all_were_served_hot(answers: list[Answer]) -> None:
    slowest = max(each.took for each in answers)
    _log.info("%d requests; the slowest took %.2f s", len(answers), slowest)
    failed = [each for each in answers if each.error]
    cold = [each for each in answers if each.loaded > COLD_SECONDS]
    assert (failed, cold) == ([], []), f"of {len(answers)}"
