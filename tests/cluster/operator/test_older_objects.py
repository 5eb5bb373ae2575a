"""Objects from an older API: they go on, or their status says what has to be written instead."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bed.cluster import Cluster, wait_for
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node
from stoker_api.crd import custom_resource_definition
from support.manifests import Json

# What the API did not have from the beginning.
NEWER = ("default", "x-kubernetes-validations")

# Each breaks a rule, with a word of what is said about it.
BROKEN: dict[str, tuple[Json, str]] = {
    "keep-alive": ({"keepAlive": 0}, "spec.keepAlive"),
    "surge": ({"rollout": {"maxSurge": 0, "maxUnavailable": 0}}, "maxSurge"),
    "cache": ({"options": {"kvCacheType": "q8_0"}}, "flashAttention"),
}


def test_one_that_was_stored_before_a_rule_existed_is_told_and_holds_up_no_other(
    installation: Installation, own: Resource, cluster: Cluster
) -> None:
    broken_ones = {name: replace(own, name=name) for name in BROKEN}
    with an_older_api(cluster):
        for name, broken in broken_ones.items():
            apply_soon(broken, on_a_fake_node(BROKEN[name][0]))
    own.apply(on_a_fake_node())
    installation.started()
    own.until_hot()
    for name, broken in broken_ones.items():
        _, word = BROKEN[name]
        broken.until_condition("Accepted", "False", "Invalid", word)
        assert broken.status()["phase"] == "Blocked"
        assert broken.children() == {}


def test_one_that_is_broken_later_keeps_what_it_has_until_it_is_mended(
    hot: Resource, cluster: Cluster
) -> None:
    pods, children = hot.pods(), hot.children()
    with an_older_api(cluster):
        wait_for(lambda: hot.merge({"spec": {"keepAlive": 0}}))
    hot.until_condition("Accepted", "False", "Invalid", "spec.keepAlive")
    assert hot.pods().keys() == pods.keys()
    assert hot.children().keys() == children.keys()

    hot.merge({"spec": {"keepAlive": 3600}})
    hot.until_condition("Accepted", "True", "Accepted")
    hot.until_hot()
    assert hot.pods().keys() == pods.keys()


def test_one_from_before_there_were_defaults_goes_on(resource: Resource, cluster: Cluster) -> None:
    with an_older_api(cluster):
        apply_soon(resource, on_a_fake_node({"retired": "yes"}))
    resource.until_hot()


@contextmanager
def an_older_api(cluster: Cluster) -> Iterator[None]:
    """The API with fewer rules, no defaults and one field more, while the block lasts."""
    current = custom_resource_definition()
    older = without(current, NEWER)
    schema = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["retired"] = {"type": "string"}
    install(cluster, older)
    try:
        yield
    finally:
        install(cluster, current)


def apply_soon(resource: Resource, spec: Json) -> None:
    """The API server takes a moment to work by a schema that it has been given."""
    wait_for(lambda: resource.apply(spec))


def without(node: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [without(item, keys) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: without(value, keys) for key, value in node.items() if key not in keys}


def install(cluster: Cluster, definition: Json) -> None:
    apply = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    cluster.kubectl(*apply, stdin=json.dumps(definition))
