"""Each field of the API, changed once: running pods stay where its documentation says so."""

from dataclasses import replace
from typing import Any

import pytest

from bed.cluster import Namespace, wait_for
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node
from stoker_api.part import Effect
from support.manifests import Json, merged
from unit.desired.test_effects import BESIDE, EFFECTS, TO, nested

SOME = ["keepAlive", "options.parallel", "routing.service.port", "disruption.minHot"]

# A claim grows where its volume can, and nowhere on the bed.
ALL = [field for field in TO if field != "storage.volumeClaim.size"]

# These change how many pods there are; the others leave them or replace them.
NUMBERS = ("replicas", "suspend")


@pytest.mark.parametrize(
    "fields",
    [pytest.param(SOME, id="some"), pytest.param(ALL, id="all", marks=pytest.mark.slow)],
)
def test_a_change_has_the_effect_that_its_field_says(
    installation: Installation, own: Resource, fields: list[str]
) -> None:
    installation.started()
    namespace = own.namespace
    changed = {field: replace(own, name=f"n{number}") for number, field in enumerate(fields)}
    namespace.apply(*(each.manifest(before(field)) for field, each in changed.items()))
    patience = 20 + len(fields)
    for resource in changed.values():
        resource.until_applied(patience)
    wait_for(lambda: assert_deployments_are_observed(namespace), patience)
    pods = {field: pods_of(resource) for field, resource in changed.items()}

    namespace.apply(*(each.manifest(after(field)) for field, each in changed.items()))
    for resource in changed.values():
        resource.until_applied(patience)
    wait_for(lambda: assert_deployments_are_observed(namespace), patience)
    wrong = [
        field
        for field, resource in changed.items()
        if field not in NUMBERS and (pods_of(resource) == pods[field]) != stays(field)
    ]
    assert wrong == []


def before(field: str) -> Json:
    return on_a_fake_node(merged({"storage": {"emptyDir": {}}}, BESIDE.get(field, {})))


def after(field: str) -> Json:
    return merged(before(field), nested(field, TO[field]))


def stays(field: str) -> bool:
    """Whether running pods outlive a change of it."""
    return EFFECTS[field] != Effect.ROLLS.value


def pods_of(resource: Resource) -> set[str]:
    """What its pods are made from: a ReplicaSet for each template that it ever had."""
    found = resource.namespace.list("replicasets", f"stoker.dev/llmdeployment={resource.name}")
    return {each["metadata"]["name"] for each in found}


def assert_deployments_are_observed(namespace: Namespace) -> None:
    """Kubernetes has seen every Deployment as it is now."""
    late = [each for each in namespace.list("deployments") if not is_observed(each)]
    assert late == []


def is_observed(deployment: dict[str, Any]) -> bool:
    seen = deployment.get("status", {}).get("observedGeneration")
    return bool(seen == deployment["metadata"]["generation"])
